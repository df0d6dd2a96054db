//! The two-dimensional transforms of whole images, local to each party.

use std::ops::Range;

use ring_arith::{Bits, Word};

use crate::kernel::{Axis, LANES, Lanes, Tiles};
use crate::layout::{Block, Layout};

/// Words of the padded image at a time, so that they stay in the cache; LOCAL.
const IMAGE: usize = 1 << 14;

/// An image as its tiles at every position: `[position][channel][tile]`.
pub(crate) fn forward<W: Word>(layout: &Layout, x: &[u64]) -> Vec<W> {
    let [height, width] = layout.padded;
    let step = (IMAGE / (height * width)).max(1);
    let mut image: Vec<W> = Vec::new();
    let mut v = vec![W::default(); layout.input_len];
    let (mut tiles, mut batch) = (Tiles::zero(), Batch::default());
    for first in (0..layout.channels[0]).step_by(step) {
        let channels = first..layout.channels[0].min(first + step);
        pad(layout, channels.clone(), x, &mut image);
        for block in &layout.blocks {
            let [rows, columns] = block.points;
            let mut batches = Batches::new(block, channels.clone(), layout.padded);
            while batches.fill(&mut batch) {
                match columns {
                    3 => gather::<W, 3>(&batch, rows, width, &image, &mut tiles),
                    4 => gather::<W, 4>(&batch, rows, width, &image, &mut tiles),
                    5 => gather::<W, 5>(&batch, rows, width, &image, &mut tiles),
                    _ => gather::<W, 6>(&batch, rows, width, &image, &mut tiles),
                }
                tiles.input(Axis::Across, columns, rows);
                tiles.input(Axis::Down, rows, columns);
                store(layout, block, &batch, &tiles, &mut v);
            }
        }
    }
    v
}

/// The outputs mod 2^bits from the products of all positions.
pub(crate) fn backward<W: Word>(layout: &Layout, bits: Bits, products: &[W]) -> Vec<u64> {
    let ([height, width], channels) = (layout.output, layout.channels[1]);
    let mut y = vec![0; channels * height * width];
    let (mut tiles, mut batch) = (Tiles::zero(), Batch::default());
    for block in &layout.blocks {
        let ([rows, columns], [m, n]) = (block.points, block.outputs);
        let mut batches = Batches::new(block, 0..channels, layout.output);
        while batches.fill(&mut batch) {
            load(layout, block, &batch, products, &mut tiles);
            tiles.output(Axis::Down, rows, m, columns);
            tiles.output(Axis::Across, columns, n, m);
            match n {
                1 => scatter::<W, 1>(&batch, m, width, bits, &tiles, &mut y),
                2 => scatter::<W, 2>(&batch, m, width, bits, &tiles, &mut y),
                3 => scatter::<W, 3>(&batch, m, width, bits, &tiles, &mut y),
                _ => scatter::<W, 4>(&batch, m, width, bits, &tiles, &mut y),
            }
        }
    }
    y
}

/// Cuts tiles of N columns out of the padded image.
fn gather<W: Word, const N: usize>(
    batch: &Batch,
    rows: usize,
    width: usize,
    image: &[W],
    tiles: &mut Tiles<W>,
) {
    for (lane, corner) in batch.corners.iter().copied().enumerate() {
        for (p, line) in tiles.0[..rows].iter_mut().enumerate() {
            let from = &image[corner + p * width..][..N];
            for k in 0..N {
                line[k][lane] = from[k];
            }
        }
    }
}

/// Puts tiles of N columns of outputs into the image.
fn scatter<W: Word, const N: usize>(
    batch: &Batch,
    rows: usize,
    width: usize,
    bits: Bits,
    tiles: &Tiles<W>,
    y: &mut [u64],
) {
    for (lane, corner) in batch.corners.iter().copied().enumerate() {
        for (o, line) in tiles.0[..rows].iter().enumerate() {
            let to = &mut y[corner + o * width..][..N];
            for k in 0..N {
                to[k] = bits.reduce(line[k][lane].to_u64());
            }
        }
    }
}

/// Writes transformed tiles to the rows of their positions.
fn store<W: Word>(layout: &Layout, block: &Block, batch: &Batch, tiles: &Tiles<W>, v: &mut [W]) {
    for (place, (p, q)) in block.places.iter().zip(block.own_points()) {
        let position = layout.positions[place.position];
        let from = &tiles.0[p][q];
        for run in &batch.runs {
            let row = position.input + run.channel * position.len + place.offset;
            let from = &from[run.lane..][..run.len];
            copy(from, &mut v[row + run.tile..][..run.len]);
        }
    }
}

/// Reads the products of some tiles and multiplies them by their public factors.
fn load<W: Word>(
    layout: &Layout,
    block: &Block,
    batch: &Batch,
    products: &[W],
    tiles: &mut Tiles<W>,
) {
    for (place, (p, q)) in block.places.iter().zip(block.own_points()) {
        let position = layout.positions[place.position];
        let to = &mut tiles.0[p][q];
        for run in &batch.runs {
            let row = position.output + run.channel * position.len + place.offset;
            let from = &products[row + run.tile..][..run.len];
            copy(from, &mut to[run.lane..][..run.len]);
        }
        let factor = W::from_u64(place.factor);
        for to in to {
            *to = to.wrapping_mul(factor);
        }
    }
}

/// Copies one run of lanes; inline where it is a whole one, as most are.
fn copy<W: Word>(from: &[W], to: &mut [W]) {
    match (
        <&Lanes<W>>::try_from(from),
        <&mut Lanes<W>>::try_from(&mut *to),
    ) {
        (Ok(from), Ok(to)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}

/// Some channels of the image as words, with their padding.
fn pad<W: Word>(layout: &Layout, channels: Range<usize>, x: &[u64], image: &mut Vec<W>) {
    let [rows, columns] = layout.padded;
    let ([height, width], [top, left]) = (layout.unpadded, layout.before);
    // What an earlier call left between the paddings is overwritten.
    image.resize(channels.len() * rows * columns, W::default());
    let plane = height * width;
    let x = &x[channels.start * plane..channels.end * plane];
    for (to, x) in image
        .chunks_exact_mut(rows * columns)
        .zip(x.chunks_exact(plane))
    {
        for (line, from) in x.chunks_exact(width).enumerate() {
            let to = &mut to[(top + line) * columns + left..][..width];
            for (to, &from) in to.iter_mut().zip(from) {
                *to = W::from_u64(from);
            }
        }
    }
}

impl Block {
    fn own_points(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let [rows, columns] = self.points;
        (0..rows).flat_map(move |p| (0..columns).map(move |q| (p, q)))
    }
}

/// Tiles of one channel in neighbouring lanes.
struct Run {
    lane: usize,
    len: usize,
    channel: usize,
    tile: usize,
}

/// Up to [`LANES`] tiles.
#[derive(Default)]
struct Batch {
    /// Where they begin in the image.
    corners: Vec<usize>,
    runs: Vec<Run>,
}

/// All tiles of a block in some channels, channel after channel.
struct Batches {
    /// Where the tiles of a channel begin in its plane.
    corners: Vec<usize>,
    plane: usize,
    channels: Range<usize>,
    /// The next tile.
    channel: usize,
    tile: usize,
}

impl Batches {
    /// The tiles in an image of these channels with so many rows and columns.
    fn new(block: &Block, channels: Range<usize>, [height, width]: [usize; 2]) -> Self {
        let [[top, left], [m, n], [rows, columns]] = [block.origin, block.outputs, block.tiles];
        // The first output is the first input including padding as well.
        let line = |i| (0..columns).map(move |j| (top + i * m) * width + left + j * n);
        Self {
            corners: (0..rows).flat_map(line).collect(),
            plane: height * width,
            channel: channels.start,
            channels,
            tile: 0,
        }
    }

    /// The next tiles; false after the last ones.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        batch.corners.clear();
        batch.runs.clear();
        while batch.corners.len() < LANES && self.channel < self.channels.end {
            let lane = batch.corners.len();
            let len = (self.corners.len() - self.tile).min(LANES - lane);
            batch.runs.push(Run {
                lane,
                len,
                channel: self.channel,
                tile: self.tile,
            });
            let start = (self.channel - self.channels.start) * self.plane;
            let corners = &self.corners[self.tile..][..len];
            batch.corners.extend(corners.iter().map(|at| start + at));
            self.tile += len;
            if self.tile == self.corners.len() {
                (self.channel, self.tile) = (self.channel + 1, 0);
            }
        }
        !batch.runs.is_empty()
    }
}
