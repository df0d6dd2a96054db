//! The two-dimensional transforms of whole images, local to each party.

use std::ops::Range;

use ring_arith::{Bits, Word};

use crate::kernel::{Axis, LANES, Tiles};
use crate::layout::{Block, Layout};

/// Words of the transformed image at a time, so that they stay in the cache; LOCAL.
const CHUNK: usize = 1 << 15;

/// An image as its tiles at every position: `[channel][position][tile]`.
pub(crate) fn forward<W: Word>(layout: &Layout, x: &[u64]) -> Vec<W> {
    let mut image: Vec<W> = Vec::new();
    let mut v = Vec::with_capacity(layout.input_len);
    let (width, mut tiles, mut batch) = (layout.padded[1], Tiles::zero(), Batch::default());
    for channels in chunks(layout, layout.channels[0]) {
        pad(layout, channels.clone(), x, &mut image);
        v.resize(channels.end * layout.stride, W::default());
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
    let mut y = Vec::with_capacity(channels * height * width);
    let (mut tiles, mut batch) = (Tiles::zero(), Batch::default());
    for channels in chunks(layout, channels) {
        let first = y.len();
        y.resize(channels.end * height * width, 0);
        let y = &mut y[first..];
        for block in &layout.blocks {
            let ([rows, columns], [m, n]) = (block.points, block.outputs);
            let mut batches = Batches::new(block, channels.clone(), layout.output);
            while batches.fill(&mut batch) {
                load(layout, block, &batch, products, &mut tiles);
                tiles.output(Axis::Down, rows, m, columns);
                tiles.output(Axis::Across, columns, n, m);
                match n {
                    1 => scatter::<W, 1>(&batch, m, width, bits, &tiles, y),
                    2 => scatter::<W, 2>(&batch, m, width, bits, &tiles, y),
                    3 => scatter::<W, 3>(&batch, m, width, bits, &tiles, y),
                    _ => scatter::<W, 4>(&batch, m, width, bits, &tiles, y),
                }
            }
        }
    }
    y
}

/// Some of the channels at a time.
fn chunks(layout: &Layout, channels: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (CHUNK / layout.stride).max(1);
    let chunk = move |first| first..channels.min(first + step);
    (0..channels).step_by(step).map(chunk)
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
            let from = &image[corner + p * width..];
            for (line, &from) in line.iter_mut().zip(&from[..N]) {
                line[lane] = from;
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
    let mask = bits.mask();
    for (lane, corner) in batch.corners.iter().copied().enumerate() {
        for (o, line) in tiles.0[..rows].iter().enumerate() {
            let to = &mut y[corner + o * width..];
            for (to, line) in to[..N].iter_mut().zip(line) {
                *to = line[lane].to_u64() & mask;
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
            let row = run.channel * layout.stride + position.start + place.offset;
            let from = &from[run.lane..][..run.len];
            v[row + run.tile..][..run.len].copy_from_slice(from);
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
            let row = run.channel * layout.stride + position.start + place.offset;
            let from = &products[row + run.tile..][..run.len];
            to[run.lane..][..run.len].copy_from_slice(from);
        }
        let factor = W::from_u64(place.factor);
        for to in to {
            *to = to.wrapping_mul(factor);
        }
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
