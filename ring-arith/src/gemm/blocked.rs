//! The blocked product: panels of `b` and strips of `a` are packed, a register tile of `c` at a
//! time is computed from them (the scheme of Goto and van de Geijn, "Anatomy of high-performance
//! matrix multiplication").

use super::Weight;
use crate::Word;

/// Rows of a register tile.
pub(crate) const MR: usize = 4;
/// The widest register tile.
pub(crate) const MAX_TILE: usize = MR * 16;

/// Depth and columns of a packed block of `b`.
const KC: usize = 256;
const NC: usize = 256;

/// `c += a * b` for row-major `a` (any number of rows × k), `b` (k × n), `c`.
pub(super) fn run<T: Weight, W: Word>(k: usize, n: usize, a: &[T], b: &[W], c: &mut [W]) {
    if c.is_empty() || k == 0 {
        return;
    }
    let nr = W::TILE_COLUMNS;
    let mut panels = vec![W::default(); KC.min(k) * NC.min(n.next_multiple_of(nr))];
    let mut strip = vec![0i32; KC.min(k) * MR];
    for columns in (0..n).step_by(NC) {
        let width = NC.min(n - columns);
        for depth in (0..k).step_by(KC) {
            let kc = KC.min(k - depth);
            pack_panels(&b[depth * n + columns..], n, kc, width, &mut panels);
            for (a, c) in a.chunks(MR * k).zip(c.chunks_mut(MR * n)) {
                let rows = c.len() / n;
                pack_strip(&a[depth..], k, kc, rows, &mut strip);
                for (panel, j) in panels.chunks_exact(kc * nr).zip((0..width).step_by(nr)) {
                    let mut tile = [W::default(); MAX_TILE];
                    W::tile(&strip[..kc * MR], panel, &mut tile);
                    let count = nr.min(width - j);
                    for (r, tile) in tile.chunks_exact(nr).take(rows).enumerate() {
                        let c = &mut c[r * n + columns + j..][..count];
                        for (c, &t) in c.iter_mut().zip(tile) {
                            *c = c.wrapping_add(t);
                        }
                    }
                }
            }
        }
    }
}

/// Copies a `kc` × `width` block into panels of `TILE_COLUMNS` columns, zero-padded.
fn pack_panels<W: Word>(b: &[W], stride: usize, kc: usize, width: usize, panels: &mut [W]) {
    let nr = W::TILE_COLUMNS;
    for (panel, j) in panels.chunks_exact_mut(kc * nr).zip((0..width).step_by(nr)) {
        let count = nr.min(width - j);
        for (p, row) in panel.chunks_exact_mut(nr).enumerate() {
            row[..count].copy_from_slice(&b[p * stride + j..][..count]);
            row[count..].fill(W::default());
        }
    }
}

/// Copies `rows` rows of depth `kc` column by column, zero-padded to `MR` rows.
fn pack_strip<T: Weight>(a: &[T], stride: usize, kc: usize, rows: usize, strip: &mut [i32]) {
    for (p, column) in strip[..kc * MR].chunks_exact_mut(MR).enumerate() {
        for (r, out) in column.iter_mut().enumerate() {
            *out = if r < rows {
                a[r * stride + p].into()
            } else {
                0
            };
        }
    }
}

/// The portable register tile: `tile[r][j] += Σ_p strip[p][r] * panel[p][j]`.
#[inline(always)]
pub(crate) fn portable_tile<W: Word>(strip: &[i32], panel: &[W], tile: &mut [W; MAX_TILE]) {
    let nr = W::TILE_COLUMNS;
    for (a, b) in strip.chunks_exact(MR).zip(panel.chunks_exact(nr)) {
        for (&a, row) in a.iter().zip(tile.chunks_exact_mut(nr)) {
            let w = W::from_i64(i64::from(a));
            for (c, &b) in row.iter_mut().zip(b) {
                *c = c.wrapping_add(w.wrapping_mul(b));
            }
        }
    }
}
