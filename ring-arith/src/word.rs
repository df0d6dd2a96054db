//! The machine words that carry ring elements.

use core::fmt::Debug;
use core::ops::{BitAnd, BitOr, BitXor, Not};

use zerocopy::{FromBytes, Immutable, IntoBytes};
use zeroize::Zeroize;

use crate::Bits;
use crate::gemm::{MAX_TILE, portable_tile};

mod sealed {
    use crate::gemm::MAX_TILE;

    /// Closes [`super::Word`], and gives the matrix product its register tile.
    #[expect(unnameable_types, reason = "that is what seals the trait")]
    pub trait Sealed: Sized {
        /// Columns of a register tile.
        const TILE_COLUMNS: usize;
        /// `tile[r][j] += Σ_p strip[p][r] * panel[p][j]`.
        fn tile(strip: &[i32], panel: &[Self], tile: &mut [Self; MAX_TILE]);
    }
}

/// A machine word holding elements of Z_2^l for l up to [`Word::BITS`]: `u32` or `u64`.
pub trait Word:
    sealed::Sealed
    + Copy
    + Default
    + Eq
    + Send
    + Sync
    + Debug
    + Zeroize
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + FromBytes
    + IntoBytes
    + Immutable
    + 'static
{
    /// The number of bits of the word.
    const BITS: u32;

    /// The low bits of `x`.
    fn from_u64(x: u64) -> Self;
    /// The word, zero-extended.
    fn to_u64(self) -> u64;
    /// The word whose low bits are those of the sign-extended `x`.
    fn from_i64(x: i64) -> Self;
    /// `self + other` mod 2^BITS.
    #[must_use]
    fn wrapping_add(self, other: Self) -> Self;
    /// `self - other` mod 2^BITS.
    #[must_use]
    fn wrapping_sub(self, other: Self) -> Self;
    /// `self * other` mod 2^BITS.
    #[must_use]
    fn wrapping_mul(self, other: Self) -> Self;
    /// `-self` mod 2^BITS.
    #[must_use]
    fn wrapping_neg(self) -> Self;
    /// `self << n`; `n` is taken mod BITS.
    #[must_use]
    fn shl(self, n: u32) -> Self;
    /// `self >> n`, logical; `n` is taken mod BITS.
    #[must_use]
    fn shr(self, n: u32) -> Self;
    /// The word with the low `bits` bits set; all of them where `bits` exceeds the word.
    fn mask(bits: Bits) -> Self;
    /// The word as it lies in little-endian memory; its own inverse.
    #[must_use]
    fn to_le(self) -> Self;
    /// All ones if the lowest bit of `bit` is set, else zero.
    fn spread(bit: u64) -> Self;
}

macro_rules! word {
    ($t:ty, $columns:literal, $tile:ident) => {
        impl sealed::Sealed for $t {
            const TILE_COLUMNS: usize = $columns;

            #[inline]
            fn tile(strip: &[i32], panel: &[Self], tile: &mut [Self; MAX_TILE]) {
                #[cfg(target_arch = "x86_64")]
                if let Some(avx2) = crate::backend::avx2::Avx2::new() {
                    return avx2.$tile(strip, panel, tile);
                }
                portable_tile(strip, panel, tile);
            }
        }

        #[expect(
            clippy::allow_attributes,
            reason = "which cast is lossless depends on the word type"
        )]
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            trivial_numeric_casts,
            reason = "truncation is the meaning of these conversions"
        )]
        impl Word for $t {
            const BITS: u32 = <$t>::BITS;

            #[inline(always)]
            fn from_u64(x: u64) -> Self {
                x as Self
            }
            #[inline(always)]
            fn to_u64(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn from_i64(x: i64) -> Self {
                x as Self
            }
            #[inline(always)]
            fn wrapping_add(self, other: Self) -> Self {
                <$t>::wrapping_add(self, other)
            }
            #[inline(always)]
            fn wrapping_sub(self, other: Self) -> Self {
                <$t>::wrapping_sub(self, other)
            }
            #[inline(always)]
            fn wrapping_mul(self, other: Self) -> Self {
                <$t>::wrapping_mul(self, other)
            }
            #[inline(always)]
            fn wrapping_neg(self) -> Self {
                <$t>::wrapping_neg(self)
            }
            #[inline(always)]
            fn shl(self, n: u32) -> Self {
                self.wrapping_shl(n)
            }
            #[inline(always)]
            fn shr(self, n: u32) -> Self {
                self.wrapping_shr(n)
            }
            #[inline(always)]
            fn mask(bits: Bits) -> Self {
                bits.mask() as Self
            }
            #[inline(always)]
            fn to_le(self) -> Self {
                <$t>::to_le(self)
            }
            #[inline(always)]
            fn spread(bit: u64) -> Self {
                ((bit & 1) as Self).wrapping_neg()
            }
        }
    };
}
word!(u32, 16, tile_u32);
word!(u64, 8, tile_u64);
