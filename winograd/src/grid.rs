//! The two passes of each transform, along rows and along columns, over all tiles of a block in some
//! channels.

use std::array;

use ring_arith::{Bits, Word};

use crate::kernel::{Input, LANES, Output, Ring, each};
use crate::layout::{Block, Layout, Place};

/// A block in some channels, and where the rows of its tiles lie while they are transformed:
/// `[column of a tile][row mod m][channel][row / m][tile]`, where a tile has m rows of outputs.
///
/// In this order the same element of all tiles is consecutive in memory, so that transforms need not
/// gather: row p of the tiles begins at row p of the first tile.
pub(crate) struct Grid<'a> {
    layout: &'a Layout,
    block: &'a Block,
    channels: usize,
    /// Words of a channel in the rows of one residue mod m.
    channel: usize,
    /// Words of all channels in these rows, rounded up to whole lanes.
    phase: usize,
    /// Words of one column of the tiles.
    plane: usize,
}

impl<'a> Grid<'a> {
    /// For rows of inputs, where the last rows of a tile are the first ones of the next tiles.
    pub(crate) fn of_inputs(layout: &'a Layout, block: &'a Block, channels: usize) -> Self {
        let overlap = (block.points[0] - 1) / block.outputs[0];
        Self::new(layout, block, channels, overlap)
    }

    /// For rows of outputs.
    pub(crate) fn of_outputs(layout: &'a Layout, block: &'a Block, channels: usize) -> Self {
        Self::new(layout, block, channels, 0)
    }

    fn new(layout: &'a Layout, block: &'a Block, channels: usize, overlap: usize) -> Self {
        let channel = (block.tiles[0] + overlap) * block.tiles[1];
        let phase = (channels * channel).next_multiple_of(LANES);
        Self {
            layout,
            block,
            channels,
            channel,
            phase,
            plane: block.outputs[0] * phase,
        }
    }

    /// Makes room for the rows, and for one column of all tiles.
    pub(crate) fn reserve<W: Word>(&self, rows: &mut Vec<W>, tiles: &mut Vec<W>) {
        let [points, columns] = self.block.points;
        // The last lanes of the last rows extend beyond the last tile.
        let most = columns * self.plane + points * self.block.tiles[1];
        rows.resize(most.max(rows.len()), W::default());
        tiles.resize((points * self.phase).max(tiles.len()), W::default());
    }

    /// Where a row begins within a column of the tiles.
    #[inline(always)]
    fn row(&self, row: usize) -> usize {
        let m = self.block.outputs[0];
        row % m * self.phase + row / m * self.block.tiles[1]
    }

    #[inline(always)]
    fn place(&self, p: usize, q: usize) -> Place {
        self.block.places[p * self.block.points[1] + q]
    }

    /// Where the element in row p and column q of the tiles begins in a transformed channel.
    #[inline(always)]
    fn start(&self, p: usize, q: usize) -> usize {
        let place = self.place(p, q);
        self.layout.positions[place.position].start + place.offset
    }

    /// Cuts the rows of the padded image into the N columns of the tiles, with a tile every M columns of
    /// the image, and transforms every row.
    #[inline(always)]
    pub(crate) fn input_across<W: Word, const N: usize, const M: usize>(
        &self,
        image: &[W],
        rows: &mut [W],
    ) where
        [Ring<W>; N]: Input,
    {
        let ([top, left], [lines, line]) = (self.block.origin, self.block.tiles);
        let ([height, width], plane) = (self.layout.padded, self.plane);
        let count = (lines - 1) * self.block.outputs[0] + self.block.points[0];
        for channel in 0..self.channels {
            for row in 0..count {
                let from = (channel * height + top + row) * width + left;
                let to = channel * self.channel + self.row(row);
                for k in 0..N {
                    let from = image[from + k..][..line * M].as_chunks::<M>().0;
                    let to = &mut rows[k * plane + to..][..line];
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = from[0];
                    }
                }
            }
        }
        for at in (0..plane).step_by(LANES) {
            let from: [_; N] = array::from_fn(|k| k * plane + at);
            for (k, v) in each(rows, from, Input::input).iter().enumerate() {
                rows[k * plane + at..][..LANES].copy_from_slice(v);
            }
        }
    }

    /// Transforms every column, and writes the values to the rows of their positions.
    #[inline(always)]
    pub(crate) fn input_down<W: Word, const N: usize>(
        &self,
        rows: &[W],
        tiles: &mut [W],
        v: &mut [W],
    ) where
        [Ring<W>; N]: Input,
    {
        let len = self.block.tiles[0] * self.block.tiles[1];
        for q in 0..self.block.points[1] {
            // The rows after the last tiles of a channel are transformed as if tiles began there too,
            // which is cheaper than to skip them. The copy below leaves them out.
            let from: [_; N] = array::from_fn(|p| q * self.plane + self.row(p));
            for at in (0..self.phase).step_by(LANES) {
                let v = each(rows, from.map(|from| from + at), Input::input);
                for (p, v) in v.iter().enumerate() {
                    tiles[p * self.phase + at..][..LANES].copy_from_slice(v);
                }
            }
            for p in 0..N {
                let to = self.start(p, q);
                for channel in 0..self.channels {
                    let from = &tiles[p * self.phase + channel * self.channel..][..len];
                    v[channel * self.layout.stride + to..][..len].copy_from_slice(from);
                }
            }
        }
    }

    /// Reads the products, multiplies them by their public factors, and transforms every column.
    #[inline(always)]
    pub(crate) fn output_down<W: Word, const N: usize, const M: usize>(
        &self,
        products: &[W],
        tiles: &mut [W],
        rows: &mut [W],
    ) where
        [Ring<W>; N]: Output<W, M>,
    {
        let len = self.channel;
        for q in 0..self.block.points[1] {
            for p in 0..N {
                let from = self.start(p, q);
                for channel in 0..self.channels {
                    let from = &products[channel * self.layout.stride + from..][..len];
                    tiles[p * self.phase + channel * len..][..len].copy_from_slice(from);
                }
            }
            let factors: [_; N] = array::from_fn(|p| W::from_u64(self.place(p, q).factor));
            for at in (0..self.phase).step_by(LANES) {
                let from: [_; N] = array::from_fn(|p| p * self.phase + at);
                let y = each(tiles, from, |products: [Ring<W>; N]| {
                    let scaled: [_; N] = array::from_fn(|p| products[p].scale(factors[p]));
                    scaled.output()
                });
                for (o, y) in y.iter().enumerate() {
                    rows[q * self.plane + o * self.phase + at..][..LANES].copy_from_slice(y);
                }
            }
        }
    }

    /// Transforms every row of outputs, and writes it to the image.
    #[inline(always)]
    pub(crate) fn output_across<W: Word, const N: usize, const M: usize>(
        &self,
        bits: Bits,
        rows: &mut [W],
        y: &mut [u64],
    ) where
        [Ring<W>; N]: Output<W, M>,
    {
        let plane = self.plane;
        for at in (0..plane).step_by(LANES) {
            let from: [_; N] = array::from_fn(|k| k * plane + at);
            for (o, y) in each(rows, from, Output::output).iter().enumerate() {
                rows[o * plane + at..][..LANES].copy_from_slice(y);
            }
        }
        let ([top, left], [lines, line]) = (self.block.origin, self.block.tiles);
        let ([height, width], mask) = (self.layout.output, bits.mask());
        for channel in 0..self.channels {
            for row in 0..lines * self.block.outputs[0] {
                let from = channel * self.channel + self.row(row);
                let from: [_; M] = array::from_fn(|o| &rows[o * plane + from..][..line]);
                let to = (channel * height + top + row) * width + left;
                let to = y[to..][..line * M].as_chunks_mut::<M>().0;
                for tile in 0..line {
                    for o in 0..M {
                        to[tile][o] = from[o][tile].to_u64() & mask;
                    }
                }
            }
        }
    }
}
