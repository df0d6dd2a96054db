//! The transformed weights of the server.

use std::fmt;

use linear::ConvSpec;
use ndarray::ArrayView4;
use ring_arith::Bits;
use zeroize::Zeroize;

use crate::Error;
use crate::tile::Tile;

/// The transformed weights of one layer, made once by [`WinogradConv::prepare`] for any number of runs.
/// They are erased when dropped.
///
/// [`WinogradConv::prepare`]: crate::WinogradConv::prepare
#[derive(Clone, PartialEq, Eq)]
pub struct Filters {
    tile: Tile,
    values: Vec<i32>,
}

impl Filters {
    /// The integers `G·w·Gᵀ`, without the public factors of the rows of G, position by position.
    pub(crate) fn new(
        spec: &ConvSpec,
        tile: Tile,
        bits: Bits,
        weights: ArrayView4<'_, i32>,
    ) -> Result<Self, Error> {
        assert_eq!(
            weights.shape(),
            spec.weight_shape(),
            "wrong shape of weights"
        );
        let weights = weights.as_standard_layout();
        let weights = weights.as_slice().expect("standard layout is contiguous");
        let range = bits.min_signed()..=bits.max_signed();
        if let Some(index) = weights.iter().position(|&w| !range.contains(&w.into())) {
            let bits = bits.get();
            return Err(linear::Error::WeightRange { index, bits }.into());
        }
        let (points, taps) = (tile.points(), tile.taps());
        let rows: Vec<_> = (0..points).map(|p| tile.filter_row(p)).collect();
        let mut values = Vec::with_capacity(points * points * weights.len() / (taps * taps));
        for (down, across) in rows.iter().flat_map(|d| rows.iter().map(move |a| (d, a))) {
            let both = |kernel: &[i32]| -> i64 {
                let lines = kernel.chunks_exact(taps).zip(down);
                lines.map(|(line, f)| f * dot(line, across)).sum()
            };
            let narrow = |v| i32::try_from(v).expect("growth is accounted for");
            values.extend(weights.chunks_exact(taps * taps).map(|k| narrow(both(k))));
        }
        Ok(Self { tile, values })
    }

    /// The tile they are for.
    #[must_use]
    pub const fn tile(&self) -> Tile {
        self.tile
    }

    pub(crate) fn values(&self) -> &[i32] {
        &self.values
    }
}

impl Drop for Filters {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

/// Prints nothing of the weights.
impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters")
            .field("tile", &self.tile)
            .field("len", &self.values.len())
            .finish_non_exhaustive()
    }
}

fn dot(line: &[i32], row: &[i64]) -> i64 {
    line.iter().zip(row).map(|(&w, f)| i64::from(w) * f).sum()
}
