//! The leaves of a comparison: a bit-sliced 1-of-2^k OT of "greater" and "equal" on random OTs.
//!
//! The server has a digit x, the client a digit y, both of k bits; 64 leaves share a word. The
//! function of the server is f(v) = [x > v] and, unless the leaf is the lowest, e(v) = [x = v].
//!
//! **Pads.** Bit j of the digit has one random OT whose messages hold one bit for each value h of
//! the bits above j: r_j^b\[h\], 2^(k-1-j) bits. The pad of value v is P(v) = XOR_j r_j^(v_j)\[v >>
//! (j+1)\], with r's indexed by the client's corrected choices, so that the client has P(y). For
//! the rest: among the v ≠ y whose *lowest* difference from y is bit j, each has a message bit of
//! r_j^(1-y_j) of its own, and the values with a higher j do not use it; so all other pads are
//! uniform and independent. 2^k - 1 message bits instead of k·2^k.
//!
//! **Messages.** t(v) = f(v) ^ P(v) ^ f(0) ^ P(0) for v > 0; the server's share is f(0) ^ P(0), the
//! client's t(y) ^ P(y). For "equal", e'(v) = e(v) ^ [v = 2^k - 1] has an even number of ones
//! whatever x is. So r_0 lacks its last bit, which both make the XOR of its others: then the pads,
//! too, have an even number of ones and no other relation, and t(2^k - 1) is the XOR of the other
//! messages. The client corrects by [y = 2^k - 1] itself. A digit of one bit sends nothing at all
//! for "equal".

/// Values a digit can have, at most.
pub(crate) const VALUES: usize = 16;

/// What a leaf carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeafKind {
    /// Width of the digit, 1 to 4.
    pub(crate) width: u32,
    /// Whether "equal" is wanted beside "greater".
    pub(crate) equality: bool,
}

impl LeafKind {
    /// Message bits of the random OT of bit `j`, "greater" first.
    pub(crate) const fn pad_bits(self, j: u32) -> usize {
        self.greater_pads(j) + self.equal_pads(j)
    }

    /// Those of "greater".
    pub(crate) const fn greater_pads(self, j: u32) -> usize {
        1 << (self.width - 1 - j)
    }

    const fn equal_pads(self, j: u32) -> usize {
        match (self.equality, j) {
            (false, _) => 0,
            (true, 0) => self.greater_pads(0) - 1,
            (true, _) => self.greater_pads(j),
        }
    }

    /// Message bits of "greater".
    pub(crate) const fn greater_bits(self) -> usize {
        self.last()
    }

    /// Message bits of "equal".
    pub(crate) const fn equal_bits(self) -> usize {
        if self.equality { self.last() - 1 } else { 0 }
    }

    const fn last(self) -> usize {
        (1 << self.width) - 1
    }
}

/// One word of a party's bit planes per entry.
type Words = [u64; VALUES];

/// The server's share of "greater" for 64 leaves. `x` are the bits of its digits, `pads(j, b, at)` a bit of message `b` of the random OT
/// of bit `j` with the client's correction already applied. Where `carry` is set, "greater" is "greater or equal". Writes the messages.
pub(crate) fn serve_greater(
    x: &[u64],
    carry: u64,
    pads: impl Fn(usize, usize, usize) -> u64,
    messages: &mut [u64],
) -> u64 {
    let (values, equal) = (1 << x.len(), one_hot(x));
    let mut greater = [0; VALUES];
    for v in (0..values - 1).rev() {
        greater[v] = greater[v + 1] ^ equal[v + 1];
    }
    for (greater, equal) in greater.iter_mut().zip(equal) {
        *greater ^= equal & carry;
    }
    xor(&mut greater, &pad_table(x.len(), pads), values);
    for v in 1..values {
        messages[v - 1] = greater[v] ^ greater[0];
    }
    greater[0]
}

/// The server's share of "equal" for 64 leaves, as [`serve_greater`].
pub(crate) fn serve_equal(
    kind: LeafKind,
    x: &[u64],
    pads: impl Fn(usize, usize, usize) -> u64,
    messages: &mut [u64],
) -> u64 {
    let mut equal = one_hot(x);
    equal[kind.last()] ^= u64::MAX;
    let of_equal = |j: usize, b: usize, h: usize| equal_pad(kind, j, h, |at| pads(j, b, at));
    xor(&mut equal, &pad_table(x.len(), of_equal), 1 << x.len());
    for v in 1..kind.last() {
        messages[v - 1] = equal[v] ^ equal[0];
    }
    equal[0]
}

/// The client's pads P(y) of "greater" for 64 leaves: `y` are the bits of its digits, `pads(j, at)` a bit of its message of the random OT
/// of bit `j`.
pub(crate) fn greater_pad(y: &[u64], pads: impl Fn(usize, usize) -> u64) -> u64 {
    chosen(y, pads)
}

/// The client's pads P(y) of "equal", as [`greater_pad`].
pub(crate) fn equal_pads(kind: LeafKind, y: &[u64], pads: impl Fn(usize, usize) -> u64) -> u64 {
    chosen(y, |j, h| equal_pad(kind, j, h, |at| pads(j, at)))
}

fn chosen(y: &[u64], pads: impl Fn(usize, usize) -> u64) -> u64 {
    let mut table = [0; VALUES];
    (0..y.len()).fold(0, |pad, j| {
        for (h, entry) in table[..1 << (y.len() - 1 - j)].iter_mut().enumerate() {
            *entry = pads(j, h);
        }
        pad ^ select(&mut table, &y[j + 1..])
    })
}

/// The client's share of "greater" for 64 leaves from its pad and the server's messages.
pub(crate) fn receive_greater(y: &[u64], pad: u64, messages: impl Fn(usize) -> u64) -> u64 {
    let mut table = [0; VALUES];
    for (v, entry) in table[..1 << y.len()].iter_mut().enumerate().skip(1) {
        *entry = messages(v - 1);
    }
    pad ^ select(&mut table, y)
}

/// The client's share of "equal", as [`receive_greater`].
pub(crate) fn receive_equal(
    kind: LeafKind,
    y: &[u64],
    pad: u64,
    messages: impl Fn(usize) -> u64,
) -> u64 {
    let mut table = [0; VALUES];
    for v in 1..kind.last() {
        table[v] = messages(v - 1);
        table[kind.last()] ^= table[v];
    }
    let all_ones = y.iter().fold(u64::MAX, |and, bit| and & bit);
    pad ^ select(&mut table, y) ^ all_ones
}

/// Entry `h` of the "equal" half of random OT `j`, of which `at` reads the bits of both halves. The
/// last entry of OT 0 is the XOR of the others.
fn equal_pad(kind: LeafKind, j: usize, h: usize, at: impl Fn(usize) -> u64) -> u64 {
    let first = 1 << (kind.width as usize - 1 - j);
    let stored = first - usize::from(j == 0);
    if h < stored {
        at(first + h)
    } else {
        (0..stored).fold(0, |xor, h| xor ^ at(first + h))
    }
}

/// P(v) for every v, from the highest bit down.
fn pad_table(width: usize, pads: impl Fn(usize, usize, usize) -> u64) -> Words {
    let mut table = [0; VALUES];
    for j in (0..width).rev() {
        let count = 1 << (width - 1 - j);
        for h in (0..count).rev() {
            let above = table[h];
            table[2 * h] = above ^ pads(j, 0, h);
            table[2 * h + 1] = above ^ pads(j, 1, h);
        }
    }
    table
}

/// [x = v] for every v.
fn one_hot(x: &[u64]) -> Words {
    let mut table = [0; VALUES];
    table[0] = u64::MAX;
    for (count, bit) in x.iter().rev().enumerate().map(|(i, bit)| (1 << i, bit)) {
        for h in (0..count).rev() {
            let above = table[h];
            table[2 * h] = above & !bit;
            table[2 * h + 1] = above & bit;
        }
    }
    table
}

/// The entry that the bits of `index`, lowest first, name. Overwrites the table.
fn select(table: &mut Words, index: &[u64]) -> u64 {
    let mut count = 1 << index.len();
    for bit in index {
        count /= 2;
        for h in 0..count {
            table[h] = table[2 * h] ^ (bit & (table[2 * h] ^ table[2 * h + 1]));
        }
    }
    table[0]
}

fn xor(table: &mut Words, other: &Words, values: usize) {
    for (x, y) in table[..values].iter_mut().zip(other) {
        *x ^= y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of words for tests.
    struct Words64(u64);

    impl Words64 {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed ^ mixed >> 31
        }
    }

    fn kinds() -> impl Iterator<Item = LeafKind> {
        (1..=4).flat_map(|width| [false, true].map(|equality| LeafKind { width, equality }))
    }

    /// The bits of `value` on all lanes.
    fn lanes(value: usize, width: u32) -> Vec<u64> {
        (0..width)
            .map(|j| 0_u64.wrapping_sub((value >> j & 1) as u64))
            .collect()
    }

    /// `pads[j][b][h]`.
    fn random_pads(kind: LeafKind, words: &mut Words64) -> Vec<[Vec<u64>; 2]> {
        let message = |j, words: &mut Words64| {
            (0..kind.pad_bits(j))
                .map(|_| words.next())
                .collect::<Vec<u64>>()
        };
        (0..kind.width)
            .map(|j| [message(j, words), message(j, words)])
            .collect()
    }

    /// What the client has of the pads when its choices are the bits of `y`.
    fn chosen<'a>(pads: &'a [[Vec<u64>; 2]], y: usize) -> impl Fn(usize, usize) -> u64 + 'a {
        move |j, h| pads[j][y >> j & 1][h]
    }

    #[test]
    fn shares_add_up_for_every_pair_of_digits() {
        let mut words = Words64(1);
        for kind in kinds() {
            let values = 1 << kind.width;
            for (x, y) in (0..values * values).map(|i| (i / values, i % values)) {
                let pads = random_pads(kind, &mut words);
                let carry = words.next();
                let all = |j: usize, b: usize, h: usize| pads[j][b][h];
                let (x_bits, y_bits) = (lanes(x, kind.width), lanes(y, kind.width));
                let mut messages = vec![0; VALUES];
                let server = serve_greater(&x_bits, carry, all, &mut messages);
                let own = greater_pad(&y_bits, chosen(&pads, y));
                let client = receive_greater(&y_bits, own, |message| {
                    assert!(message < kind.greater_bits());
                    messages[message]
                });
                let expected = |bit: bool| if bit { u64::MAX } else { 0 };
                let greater = expected(x > y) ^ (expected(x == y) & carry);
                assert_eq!(server ^ client, greater, "{x} > {y}, {kind:?}");
                if !kind.equality {
                    continue;
                }
                let server = serve_equal(kind, &x_bits, all, &mut messages);
                let own = equal_pads(kind, &y_bits, chosen(&pads, y));
                let client = receive_equal(kind, &y_bits, own, |message| {
                    assert!(message < kind.equal_bits());
                    messages[message]
                });
                assert_eq!(server ^ client, expected(x == y), "{x} = {y}, {kind:?}");
            }
        }
    }

    /// The messages are the server's function plus a linear function of the pad bits the client does
    /// not have. If that function is onto, the messages are uniform whatever x is.
    #[test]
    fn messages_are_masked_by_pads_the_client_does_not_have() {
        for kind in kinds() {
            let all = |pads: &dyn Fn(usize, usize, usize) -> u64| {
                let (zeros, mut messages) = (lanes(0, kind.width), vec![0; 2 * VALUES]);
                serve_greater(&zeros, 0, pads, &mut messages);
                if kind.equality {
                    serve_equal(kind, &zeros, pads, &mut messages[kind.greater_bits()..]);
                }
                messages
            };
            for y in 0..1 << kind.width {
                let mut rows = Vec::new();
                for unknown in
                    (0..kind.width).flat_map(|j| (0..kind.pad_bits(j)).map(move |h| (j, h)))
                {
                    let pads = |j: usize, b: usize, h: usize| {
                        let is_it = (j, h) == (unknown.0 as usize, unknown.1) && b != y >> j & 1;
                        u64::from(is_it)
                    };
                    let (with, without) = (all(&pads), all(&|_, _, _| 0));
                    let bits = with.iter().zip(&without).enumerate();
                    rows.push(bits.fold(0_u64, |row, (i, (a, b))| row | ((a ^ b) & 1) << i));
                }
                let messages = kind.greater_bits() + kind.equal_bits();
                assert_eq!(rank(rows), messages, "{kind:?}, y = {y}");
            }
        }
    }

    fn rank(mut rows: Vec<u64>) -> usize {
        let mut rank = 0;
        while let Some(row) = rows.pop() {
            if row != 0 {
                rank += 1;
                let pivot = row & row.wrapping_neg();
                for other in rows.iter_mut().filter(|other| **other & pivot != 0) {
                    *other ^= row;
                }
            }
        }
        rank
    }

    #[test]
    fn sizes_are_those_of_the_cost() {
        for kind in kinds() {
            let pads: usize = (0..kind.width).map(|j| kind.pad_bits(j)).sum();
            assert_eq!(pads, kind.greater_bits() + kind.equal_bits());
        }
    }
}
