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
const VALUES: usize = 16;

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

    const fn greater_pads(self, j: u32) -> usize {
        1 << (self.width - 1 - j)
    }

    const fn equal_pads(self, j: u32) -> usize {
        match (self.equality, j) {
            (false, _) => 0,
            (true, 0) => self.greater_pads(0) - 1,
            (true, _) => self.greater_pads(j),
        }
    }

    /// Bits from server to client: messages of "greater", then of "equal".
    pub(crate) const fn message_bits(self) -> usize {
        let values = 1 << self.width;
        if self.equality {
            2 * values - 3
        } else {
            values - 1
        }
    }

    /// Bits on the wire, both ways.
    pub(crate) const fn bits(self) -> u64 {
        self.width as u64 + self.message_bits() as u64
    }

    const fn last(self) -> usize {
        (1 << self.width) - 1
    }
}

/// One word of a party's bit planes per entry.
type Words = [u64; VALUES];

/// The shares of "greater" and "equal" of 64 leaves; "equal" is 0 where it is not wanted.
pub(crate) type Shares = (u64, u64);

/// The server's part for 64 leaves. `x` are the bits of its digits, `pads[j][b]` message `b` of the
/// random OT of bit `j` with the client's correction already applied. Writes the messages.
pub(crate) fn serve(
    kind: LeafKind,
    x: &[u64],
    pads: impl Fn(usize, usize, usize) -> u64,
    messages: &mut [u64],
) -> Shares {
    let mut equal = one_hot(x);
    let mut greater = [0; VALUES];
    for v in (0..kind.last()).rev() {
        greater[v] = greater[v + 1] ^ equal[v + 1];
    }
    let values = 1 << kind.width;
    let greater_pad = pad_table(kind.width, &pads);
    xor(&mut greater, &greater_pad, values);
    for v in 1..values {
        messages[v - 1] = greater[v] ^ greater[0];
    }
    if !kind.equality {
        return (greater[0], 0);
    }
    equal[kind.last()] ^= u64::MAX;
    let of_equal = |j: usize, b: usize, h: usize| equal_pad(kind, j, h, |at| pads(j, b, at));
    xor(&mut equal, &pad_table(kind.width, of_equal), values);
    for v in 1..kind.last() {
        messages[values - 2 + v] = equal[v] ^ equal[0];
    }
    (greater[0], equal[0])
}

/// The client's pads P(y) for 64 leaves: `y` are the bits of its digits, `pads(j, at)` its message
/// of the random OT of bit `j`.
pub(crate) fn chosen_pads(kind: LeafKind, y: &[u64], pads: impl Fn(usize, usize) -> u64) -> Shares {
    let (mut greater, mut equal) = (0, 0);
    let mut table = [0; VALUES];
    for j in 0..y.len() {
        let count = 1 << (y.len() - 1 - j);
        for (h, entry) in table[..count].iter_mut().enumerate() {
            *entry = pads(j, h);
        }
        greater ^= select(&mut table, &y[j + 1..]);
        if kind.equality {
            for (h, entry) in table[..count].iter_mut().enumerate() {
                *entry = equal_pad(kind, j, h, |at| pads(j, at));
            }
            equal ^= select(&mut table, &y[j + 1..]);
        }
    }
    (greater, equal)
}

/// The client's shares for 64 leaves from its pads and the server's messages.
pub(crate) fn receive(
    kind: LeafKind,
    y: &[u64],
    pads: Shares,
    messages: impl Fn(usize) -> u64,
) -> Shares {
    let values = 1 << kind.width;
    let mut table = [0; VALUES];
    for (v, entry) in table[..values].iter_mut().enumerate().skip(1) {
        *entry = messages(v - 1);
    }
    let greater = pads.0 ^ select(&mut table, y);
    if !kind.equality {
        return (greater, 0);
    }
    table = [0; VALUES];
    for v in 1..kind.last() {
        table[v] = messages(values - 2 + v);
        table[kind.last()] ^= table[v];
    }
    let all_ones = y.iter().fold(u64::MAX, |and, bit| and & bit);
    (greater, pads.1 ^ select(&mut table, y) ^ all_ones)
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
fn pad_table(width: u32, pads: impl Fn(usize, usize, usize) -> u64) -> Words {
    let mut table = [0; VALUES];
    for j in (0..width as usize).rev() {
        let count = 1 << (width as usize - 1 - j);
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
                let mut messages = vec![0; 32];
                let all = |j: usize, b: usize, h: usize| pads[j][b][h];
                let server = serve(kind, &lanes(x, kind.width), all, &mut messages);
                let y_bits = lanes(y, kind.width);
                let own = chosen_pads(kind, &y_bits, chosen(&pads, y));
                let client = receive(kind, &y_bits, own, |message| {
                    assert!(message < kind.message_bits());
                    messages[message]
                });
                let expected = |bit: bool| if bit { u64::MAX } else { 0 };
                assert_eq!(server.0 ^ client.0, expected(x > y), "{x} > {y}, {kind:?}");
                let equal = expected(kind.equality && x == y);
                assert_eq!(server.1 ^ client.1, equal, "{x} = {y}, {kind:?}");
            }
        }
    }

    /// The messages are the server's function plus a linear function of the pad bits the client does
    /// not have. If that function is onto, the messages are uniform whatever x is.
    #[test]
    fn messages_are_masked_by_pads_the_client_does_not_have() {
        for kind in kinds() {
            for y in 0..1 << kind.width {
                let mut rows = Vec::new();
                for unknown in
                    (0..kind.width).flat_map(|j| (0..kind.pad_bits(j)).map(move |h| (j, h)))
                {
                    let pads = |j: usize, b: usize, h: usize| {
                        let is_it = (j, h) == (unknown.0 as usize, unknown.1) && b != y >> j & 1;
                        u64::from(is_it)
                    };
                    let (mut with, mut without) = (vec![0; 32], vec![0; 32]);
                    serve(kind, &lanes(0, kind.width), pads, &mut with);
                    serve(kind, &lanes(0, kind.width), |_, _, _| 0, &mut without);
                    let bits = with.iter().zip(&without).enumerate();
                    rows.push(bits.fold(0_u64, |row, (i, (a, b))| row | ((a ^ b) & 1) << i));
                }
                assert_eq!(rank(rows), kind.message_bits(), "{kind:?}, y = {y}");
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
        let bits = |width, equality| LeafKind { width, equality }.bits();
        assert_eq!([1, 2, 3, 4].map(|width| bits(width, false)), [2, 5, 10, 19]);
        assert_eq!([1, 2, 3, 4].map(|width| bits(width, true)), [2, 7, 16, 33]);
        for kind in kinds() {
            let pads: usize = (0..kind.width).map(|j| kind.pad_bits(j)).sum();
            assert_eq!(pads, kind.message_bits());
        }
    }
}
