//! The tiles that there are, and their public constants.

use std::fmt;

use ring_arith::Bits;

/// The finite points at which the polynomials are evaluated: a tile uses the first ones, and ∞ as its
/// last point.
const FINITE: [i64; 5] = [0, 1, -1, 2, -2];

/// The largest number of points of a tile along one axis.
pub(crate) const MAX_POINTS: usize = 6;

/// One of Winograd's algorithms, F(outputs of a tile, kernel): it computes a tile of outputs at a time.
///
/// Tiles of 4 × 4 points use the points 0, ±1 and ∞, those of 6 × 6 points 0, ±1, ±2 and ∞.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "adding a tile changes the plans")]
pub enum Tile {
    /// F(2×2, 3×3): 16 products for 4 outputs, 2 guard bits.
    F2x2_3x3,
    /// F(4×4, 3×3): 36 products for 16 outputs, 6 guard bits.
    F4x4_3x3,
    /// F(2×2, 5×5): 36 products for 4 outputs, 6 guard bits.
    F2x2_5x5,
}

impl Tile {
    /// All tiles.
    pub const ALL: [Self; 3] = [Self::F2x2_3x3, Self::F4x4_3x3, Self::F2x2_5x5];

    /// The tiles for a kernel of these rows and columns.
    pub fn for_kernel(kernel: [usize; 2]) -> impl Iterator<Item = Self> {
        let fits = move |tile: &Self| tile.kernel() == kernel;
        Self::ALL.into_iter().filter(fits)
    }

    /// Rows and columns of the kernel.
    #[must_use]
    pub const fn kernel(self) -> [usize; 2] {
        [self.taps(); 2]
    }

    /// Rows and columns of outputs of a whole tile.
    #[must_use]
    pub const fn outputs(self) -> usize {
        self.points() + 1 - self.taps()
    }

    /// The number of guard bits: the result is 2^guard_bits times the convolution, in a ring that is wider
    /// by as many bits.
    #[must_use]
    pub const fn guard_bits(self) -> u32 {
        2 * guard(self.points())
    }

    /// Width of the widest weights whose transforms fit in 32 bits.
    #[must_use]
    pub const fn max_weight_bits(self) -> u32 {
        let gain = match self {
            Self::F2x2_3x3 => 9_u64,
            Self::F4x4_3x3 => 49,
            Self::F2x2_5x5 => 961,
        };
        32 - ceil_log2(gain)
    }

    /// Length of the kernel along one axis.
    pub(crate) const fn taps(self) -> usize {
        match self {
            Self::F2x2_3x3 | Self::F4x4_3x3 => 3,
            Self::F2x2_5x5 => 5,
        }
    }

    /// Points of a whole tile along one axis.
    pub(crate) const fn points(self) -> usize {
        match self {
            Self::F2x2_3x3 => 4,
            Self::F4x4_3x3 | Self::F2x2_5x5 => 6,
        }
    }

    /// Row `point` of the transform of the weights, without its public factor: the powers of the point.
    pub(crate) fn filter_row(self, point: usize) -> Vec<i64> {
        let taps = self.taps();
        if point + 1 == self.points() {
            return (0..taps).map(|k| i64::from(k + 1 == taps)).collect();
        }
        let powers = std::iter::successors(Some(1), |power| Some(power * FINITE[point]));
        powers.take(taps).collect()
    }

    /// Number of bits by which the transform widens the weights at a position.
    pub(crate) fn growth(self, position: [usize; 2]) -> u32 {
        let gain = |point| -> u64 {
            self.filter_row(point)
                .iter()
                .map(|v| v.unsigned_abs())
                .sum()
        };
        ceil_log2(gain(position[0]) * gain(position[1]))
    }

    /// Width of the transformed weights at a position; `None` if it exceeds 32 bits.
    pub(crate) fn weight_bits(self, weights: Bits, position: [usize; 2]) -> Option<Bits> {
        Bits::new(weights.get() + self.growth(position)).filter(|bits| bits.get() <= 32)
    }

    /// The public factor, along one axis and mod 2^64, of the product at point number `point` of a tile of
    /// `points` points, which is smaller at an edge. It makes the sum 2^guard times the result, with the
    /// guard bits of a whole tile: it consists of the factor that the transform of the weights leaves out,
    /// of missing powers of two, and of the inverse of the odd part of the common denominator.
    pub(crate) fn factor(self, points: usize, point: usize) -> u64 {
        let finite = &FINITE[..points - 1];
        let product =
            |p: i64| -> i64 { finite.iter().filter(|&&q| q != p).map(|q| p - q).product() };
        let norm = finite.get(point).map_or(1, |&p| product(p));
        let scale = common(points);
        let raise = guard(self.points()) - guard(points);
        let odd = (scale >> guard(points)).cast_unsigned();
        (scale / norm)
            .cast_unsigned()
            .wrapping_shl(raise)
            .wrapping_mul(odd_inverse(odd))
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (m, r) = (self.outputs(), self.taps());
        write!(f, "F({m}x{m}, {r}x{r})")
    }
}

/// Point `own` of a tile of `points` points, as a point of a whole tile: the points of a smaller tile are
/// among those of a larger one.
pub(crate) const fn global_point(tile: Tile, points: usize, own: usize) -> usize {
    if own + 1 == points {
        tile.points() - 1
    } else {
        own
    }
}

/// The common denominator of the transform of the weights for this number of points.
const fn common(points: usize) -> i64 {
    match points {
        3 => 1,
        4 => 2,
        5 => 6,
        _ => 24,
    }
}

/// The exponent of two in that denominator.
const fn guard(points: usize) -> u32 {
    common(points).trailing_zeros()
}

const fn ceil_log2(x: u64) -> u32 {
    x.next_power_of_two().trailing_zeros()
}

/// The inverse of an odd number mod 2^64, by Newton's iteration, which doubles the correct bits each time.
const fn odd_inverse(x: u64) -> u64 {
    let mut inverse = x;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_bits_and_growth_are_those_of_the_design() {
        let rows = |tile: Tile| (0..tile.points()).map(move |p| tile.filter_row(p));
        let gains = |tile| -> Vec<i64> {
            rows(tile)
                .map(|r| r.iter().map(|v| v.abs()).sum())
                .collect()
        };
        assert_eq!(gains(Tile::F2x2_3x3), [1, 3, 3, 1]);
        assert_eq!(gains(Tile::F4x4_3x3), [1, 3, 3, 7, 7, 1]);
        assert_eq!(gains(Tile::F2x2_5x5), [1, 5, 5, 31, 31, 1]);
        assert_eq!(Tile::ALL.map(Tile::guard_bits), [2, 6, 6]);
        assert_eq!(Tile::ALL.map(Tile::outputs), [2, 4, 2]);
        for tile in Tile::ALL {
            let all = (0..tile.points()).flat_map(|i| (0..tile.points()).map(move |j| [i, j]));
            let most = all.map(|p| tile.growth(p)).max();
            assert_eq!(Some(32 - tile.max_weight_bits()), most);
        }
    }

    #[test]
    fn factors_of_whole_tiles_are_those_of_the_design() {
        // Times the odd part of the common denominator, and up to the signs of filter rows.
        let factors = |tile: Tile, odd: u64| -> Vec<u64> {
            let all = (0..tile.points()).map(|p| tile.factor(tile.points(), p).wrapping_mul(odd));
            all.map(|f| f.cast_signed().unsigned_abs()).collect()
        };
        assert_eq!(factors(Tile::F2x2_3x3, 1), [2, 1, 1, 2]);
        assert_eq!(factors(Tile::F4x4_3x3, 3), [6, 4, 4, 1, 1, 24]);
        assert_eq!(factors(Tile::F2x2_5x5, 3), [6, 4, 4, 1, 1, 24]);
    }

    #[test]
    fn inverses() {
        for x in [1, 3, 5, 7, 9, 255, u64::MAX] {
            assert_eq!(x.wrapping_mul(odd_inverse(x)), 1);
        }
    }
}
