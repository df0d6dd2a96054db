//! Bit-matrix transposition, exclusive-or and sums of table entries with AVX2.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and entry into detected features"
)]

use super::gather::scale;
use super::matrix::portable_xor_masked;
use super::token::detected;
use crate::Block;
use core::arch::x86_64::*;
use zerocopy::IntoBytes;

/// Proof of AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(super) fn new() -> Option<Self> {
        detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(super) fn transpose_128(self, rows: &[u8], out: &mut [Block]) {
        // SAFETY: a token exists only where AVX2 was detected.
        unsafe { transpose_128(rows, out) }
    }

    #[inline]
    pub(super) fn xor_masked(self, dst: &mut [u8], src: &[u8], mask: u8) {
        // SAFETY: a token exists only where AVX2 was detected.
        unsafe { xor_masked(dst, src, mask) }
    }

    #[inline]
    pub(super) fn add_entries<const D: usize>(
        self,
        table: &[Block],
        numbers: &mut [[u32; D]],
        out: &mut [Block],
    ) {
        // SAFETY: a token exists only where AVX2 was detected.
        unsafe { add_entries(table, numbers, out) }
    }

    #[inline]
    pub(super) fn add_pairs<const D: usize>(
        self,
        table: &[[Block; 2]],
        numbers: &mut [[u32; D]],
        out: [&mut [Block]; 2],
    ) {
        // SAFETY: a token exists only where AVX2 was detected.
        unsafe { add_pairs(table, numbers, out) }
    }
}

#[target_feature(enable = "avx2")]
fn add_entries<const D: usize>(table: &[Block], numbers: &mut [[u32; D]], out: &mut [Block]) {
    scale(numbers.as_flattened_mut(), table.len());
    for (out, places) in out.iter_mut().zip(&*numbers) {
        let mut sums = [load_block(out), _mm_setzero_si128()];
        for (j, at) in places.iter().enumerate() {
            let sum = &mut sums[j % 2];
            *sum = _mm_xor_si128(*sum, load_block(&table[*at as usize]));
        }
        store_block(_mm_xor_si128(sums[0], sums[1]), out);
    }
}

#[target_feature(enable = "avx2")]
fn add_pairs<const D: usize>(
    table: &[[Block; 2]],
    numbers: &mut [[u32; D]],
    [out0, out1]: [&mut [Block]; 2],
) {
    scale(numbers.as_flattened_mut(), table.len());
    for ((out0, out1), places) in out0.iter_mut().zip(out1).zip(&*numbers) {
        let mut sums = [
            _mm256_set_m128i(load_block(out1), load_block(out0)),
            _mm256_setzero_si256(),
        ];
        for (j, at) in places.iter().enumerate() {
            let entry: &[u8; BYTES] = zerocopy::transmute_ref!(&table[*at as usize]);
            let sum = &mut sums[j % 2];
            *sum = _mm256_xor_si256(*sum, load(entry));
        }
        let sum = _mm256_xor_si256(sums[0], sums[1]);
        store_block(_mm256_castsi256_si128(sum), out0);
        store_block(_mm256_extracti128_si256::<1>(sum), out1);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_block(x: __m128i, block: &mut Block) {
    // SAFETY: 16 bytes are writable, and the store needs no alignment.
    unsafe { _mm_storeu_si128(std::ptr::from_mut(block).cast(), x) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_block(block: &Block) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load needs no alignment.
    unsafe { _mm_loadu_si128(std::ptr::from_ref(block).cast()) }
}

#[target_feature(enable = "avx2")]
fn xor_masked(dst: &mut [u8], src: &[u8], mask: u8) {
    portable_xor_masked(dst, src, mask);
}

/// Bytes of a vector, and columns that it holds of one row.
const BYTES: usize = 32;
const COLUMNS: usize = 8 * BYTES;

/// The bits of `HALVES` vectors of each row, as 8 × 8 squares: in `[h][j][g]`, byte c holds column
/// 8 (32 h + c) + j of rows 8 g .. 8 g + 8.
type Squares<const HALVES: usize> = [[[__m256i; 16]; 8]; HALVES];

#[target_feature(enable = "avx2")]
fn transpose_128(rows: &[u8], out: &mut [Block]) {
    let stride = out.len() / 8;
    let mut from = 0;
    // A whole cache line of each row at a time: rows a power of two apart evict one another.
    let mut squares: Squares<2> = [[[_mm256_setzero_si256(); 16]; 8]; 2];
    let (tiles, out) = out.as_chunks_mut::<{ 2 * COLUMNS }>();
    for tile in tiles {
        transpose_tile(rows, stride, from, &mut squares, tile);
        from += 2 * BYTES;
    }
    let mut squares: Squares<1> = [squares[0]];
    let (tiles, out) = out.as_chunks_mut::<COLUMNS>();
    for tile in tiles {
        transpose_tile(rows, stride, from, &mut squares, tile);
        from += BYTES;
    }
    if !out.is_empty() {
        let mut padded = [0; 128 * BYTES];
        for (padded, row) in padded
            .chunks_exact_mut(BYTES)
            .zip(rows.chunks_exact(stride))
        {
            padded[..BYTES / 2].copy_from_slice(&row[from..]);
        }
        let mut tile = [0; COLUMNS];
        transpose_tile(&padded, BYTES, 0, &mut squares, &mut tile);
        out.copy_from_slice(&tile[..COLUMNS / 2]);
    }
}

/// Transposes `HALVES` vectors of each row, from byte `from` on; `squares` is room to work.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_tile<const HALVES: usize>(
    rows: &[u8],
    stride: usize,
    from: usize,
    squares: &mut Squares<HALVES>,
    out: &mut [Block],
) {
    for group in 0..16 {
        let rows = &rows[8 * group * stride + from..];
        for (half, squares) in squares.iter_mut().enumerate() {
            let mut x = [_mm256_setzero_si256(); 8];
            for (k, x) in x.iter_mut().enumerate() {
                let bytes = rows[k * stride + half * BYTES..].first_chunk();
                *x = load(bytes.expect("a row holds the whole tile"));
            }
            swap_bits::<4>(&mut x, 0x0f);
            swap_bits::<2>(&mut x, 0x33);
            swap_bits::<1>(&mut x, 0x55);
            for (square, x) in squares.iter_mut().zip(x) {
                square[group] = x;
            }
        }
    }
    for (squares, out) in squares.iter().zip(out.as_chunks_mut::<COLUMNS>().0) {
        for (j, square) in squares.iter().enumerate() {
            for (c, bytes) in transpose_bytes(square).iter().enumerate() {
                store(_mm256_castsi256_si128(*bytes), &mut out[8 * c + j]);
                store(
                    _mm256_extracti128_si256::<1>(*bytes),
                    &mut out[8 * c + j + COLUMNS / 2],
                );
            }
        }
    }
}

/// Swaps, in every 8 × 8 square of bits, the columns with bit `S` set of rows without it with the
/// columns without it of rows with it. `low` selects the columns without it.
#[inline]
#[target_feature(enable = "avx2")]
fn swap_bits<const S: i32>(x: &mut [__m256i; 8], low: i8) {
    let low = _mm256_set1_epi8(low);
    let step = S.unsigned_abs() as usize;
    for upper in (0..8).filter(|row| row & step == 0) {
        let (a, b) = (x[upper], x[upper + step]);
        let t = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi64::<S>(a), b), low);
        x[upper] = _mm256_xor_si256(a, _mm256_slli_epi64::<S>(t));
        x[upper + step] = _mm256_xor_si256(b, t);
    }
}

/// In each half, byte `b` of vector `v` goes to byte `v` of vector `b`.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_bytes(square: &[__m256i; 16]) -> [__m256i; 16] {
    let mut x = *square;
    // Each step rotates the eight address bits (vector, byte) left by one.
    for _ in 0..4 {
        let old = x;
        for i in 0..8 {
            x[2 * i] = _mm256_unpacklo_epi8(old[i], old[i + 8]);
            x[2 * i + 1] = _mm256_unpackhi_epi8(old[i], old[i + 8]);
        }
    }
    x
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; BYTES]) -> __m256i {
    // SAFETY: 32 bytes are readable, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(x: __m128i, block: &mut Block) {
    // SAFETY: the 16 bytes of a block are writable, and the store needs no alignment.
    unsafe { _mm_storeu_si128(block.as_mut_bytes().as_mut_ptr().cast(), x) }
}
