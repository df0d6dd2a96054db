//! `BitVec` against a plain vector of booleans.
#![expect(
    clippy::cast_possible_truncation,
    clippy::redundant_clone,
    reason = "test data; prop_assert_eq moves its arguments"
)]

use proptest::prelude::*;
use ring_arith::BitVec;

fn bits(v: &[bool]) -> BitVec {
    BitVec::from_fn(v.len(), |i| v[i])
}

fn plain(b: &BitVec) -> Vec<bool> {
    b.iter().collect()
}

fn clean(b: &BitVec) -> bool {
    b.len().is_multiple_of(64) || b.words()[b.words().len() - 1] >> (b.len() % 64) == 0
}

fn some_bits() -> impl Strategy<Value = Vec<bool>> {
    prop_oneof![
        prop::collection::vec(any::<bool>(), 0..300),
        prop::sample::select(vec![0usize, 1, 63, 64, 65, 127, 128, 129])
            .prop_flat_map(|n| prop::collection::vec(any::<bool>(), n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn conversions_agree(v in some_bits()) {
        let b = bits(&v);
        prop_assert_eq!(b.len(), v.len());
        prop_assert_eq!(b.is_empty(), v.is_empty());
        prop_assert_eq!(plain(&b), v.clone());
        prop_assert_eq!(&v.iter().copied().collect::<BitVec>(), &b);
        prop_assert_eq!(&BitVec::from_bytes(v.len(), &b.to_bytes()), &b);
        prop_assert_eq!(&BitVec::from_words(v.len(), b.words().to_vec()), &b);
        prop_assert_eq!(&BitVec::lsb_of(&b.to_values()), &b);
        let shifted: Vec<u64> = b.to_values().iter().map(|x| !(x << 9)).collect();
        let mut inverted = BitVec::bit_of(&shifted, 9);
        inverted.not_assign();
        prop_assert_eq!(inverted, b);
    }

    #[test]
    fn unused_bits_of_foreign_input_are_ignored(n in 0usize..200, word: u64, byte: u8) {
        let b = BitVec::from_words(n, vec![word; n.div_ceil(64)]);
        prop_assert!(clean(&b));
        let b = BitVec::from_bytes(n, &vec![byte; BitVec::byte_len(n)]);
        prop_assert!(clean(&b));
    }

    #[test]
    fn logic_is_bitwise(v in some_bits(), seed: u64) {
        let w: Vec<bool> = (0..v.len()).map(|i| seed.rotate_left(i as u32) & 1 == 1).collect();
        let (x, y) = (bits(&v), bits(&w));
        let zip = |f: fn(bool, bool) -> bool| -> Vec<bool> {
            v.iter().zip(&w).map(|(&a, &b)| f(a, b)).collect()
        };
        prop_assert_eq!(plain(&x.xor(&y)), zip(|a, b| a ^ b));
        prop_assert_eq!(plain(&x.and(&y)), zip(|a, b| a & b));
        let mut not = x.clone();
        not.not_assign();
        prop_assert!(clean(&not));
        prop_assert_eq!(plain(&not), zip(|a, _| !a));
    }

    #[test]
    fn slices_and_appends_are_inverse(v in some_bits(), w in some_bits(), cut: prop::sample::Index) {
        let (x, y) = (bits(&v), bits(&w));
        let mut both = x.clone();
        both.append(&y);
        prop_assert!(clean(&both));
        prop_assert_eq!(plain(&both), [v.clone(), w].concat());
        let at = cut.index(both.len() + 1);
        let mut glued = both.slice(0, at);
        glued.append(&both.slice(at, both.len() - at));
        prop_assert_eq!(glued, both);
    }

    #[test]
    fn set_changes_one_bit(v in some_bits().prop_filter("not empty", |v| !v.is_empty()), at: prop::sample::Index, value: bool) {
        let at = at.index(v.len());
        let (mut b, mut expected) = (bits(&v), v);
        b.set(at, value);
        expected[at] = value;
        prop_assert_eq!(b.bit(at), value);
        prop_assert_eq!(plain(&b), expected);
    }
}

#[test]
fn debug_shows_no_bits() {
    let text = format!("{:?}", BitVec::from_fn(3, |_| true));
    assert_eq!(text, "BitVec { len: 3, .. }");
}
