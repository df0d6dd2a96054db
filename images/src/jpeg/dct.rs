//! The inverse cosine transform of 8 x 8 coefficients, rounded exactly as libjpeg's accurate integer transform (`islow`, after
//! Loeffler, Ligtenberg and Moschytz, 1989) rounds: the standard leaves that open, and networks are trained on its pixels.

/// Fraction bits of the constants.
const FRACTION: u32 = 13;

/// Rows and columns of a block.
pub(super) const SIDE: usize = 8;

/// Samples of a block, not yet clamped, around zero. Of two precisions: 8 bits, and 12.
pub(super) fn inverse(coefficients: &[i64; 64], precision: u8) -> [i64; 64] {
    // Bits that the first pass keeps below the point.
    let kept = if precision == 8 { 2 } else { 1 };
    let mut block = *coefficients;
    for x in 0..SIDE {
        let column = std::array::from_fn(|y| block[SIDE * y + x]);
        for (y, value) in pass(column, FRACTION - kept).into_iter().enumerate() {
            block[SIDE * y + x] = value;
        }
    }
    for row in block.as_chunks_mut::<SIDE>().0 {
        *row = pass(*row, FRACTION + kept + 3);
    }
    block
}

/// Eight values, times sqrt(8), less so many bits, rounded.
fn pass(v: [i64; SIDE], bits: u32) -> [i64; SIDE] {
    // Products of cosines and square roots of two, times 2^13.
    let z1 = (v[2] + v[6]) * 4_433;
    let (even2, even3) = (z1 - v[6] * 15_137, z1 + v[2] * 6_270);
    let (even0, even1) = ((v[0] + v[4]) << FRACTION, (v[0] - v[4]) << FRACTION);
    let even = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];

    let z5 = (v[7] + v[3] + v[5] + v[1]) * 9_633;
    let z1 = -(v[7] + v[1]) * 7_373;
    let z2 = -(v[5] + v[3]) * 20_995;
    let z3 = z5 - (v[7] + v[3]) * 16_069;
    let z4 = z5 - (v[5] + v[1]) * 3_196;
    let odd = [
        v[1] * 12_299 + z1 + z4,
        v[3] * 25_172 + z2 + z3,
        v[5] * 16_819 + z2 + z4,
        v[7] * 2_446 + z1 + z3,
    ];
    let half = 1 << (bits - 1);
    std::array::from_fn(|i| {
        let sum = if i < 4 {
            even[i] + odd[i]
        } else {
            even[7 - i] - odd[7 - i]
        };
        (sum + half) >> bits
    })
}

/// Places of the coefficients, in the order in which they are coded (figure A.6).
pub(super) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
