//! The two-dimensional transforms of whole images, local to each party.

use std::ops::Range;

use ring_arith::{Bits, Word};

use crate::kernel::{Axis, LANES, Tiles};
use crate::layout::{Block, Layout};

/// Words of the padded image at a time, so that they stay in the cache; LOCAL.
const IMAGE: usize = 1 << 14;

/// An image as its tiles at every position: `[position][channel][tile]`.
pub(crate) fn forward<W: Word>(layout: &Layout, x: &[u64]) -> Vec<u64> {
    let [height, width] = layout.padded;
    let step = (IMAGE / (height * width)).max(1);
    let mut image: Vec<W> = Vec::new();
    let mut v = vec![0; layout.input_len];
    let mut tiles = Tiles::zero();
    for first in (0..layout.channels[0]).step_by(step) {
        let channels = first..layout.channels[0].min(first + step);
        pad(layout, channels.clone(), x, &mut image);
        for block in &layout.blocks {
            let [rows, columns] = block.points;
            for batch in Batches::new(block, channels.clone()) {
                match columns {
                    3 => gather::<W, 3>(layout, block, &batch, first, &image, &mut tiles),
                    4 => gather::<W, 4>(layout, block, &batch, first, &image, &mut tiles),
                    5 => gather::<W, 5>(layout, block, &batch, first, &image, &mut tiles),
                    _ => gather::<W, 6>(layout, block, &batch, first, &image, &mut tiles),
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
pub(crate) fn backward<W: Word>(layout: &Layout, bits: Bits, products: &[u64]) -> Vec<u64> {
    let ([height, width], channels) = (layout.output, layout.channels[1]);
    let mut y = vec![0; channels * height * width];
    let mut tiles: Tiles<W> = Tiles::zero();
    for block in &layout.blocks {
        let ([rows, columns], [m, n]) = (block.points, block.outputs);
        for batch in Batches::new(block, 0..channels) {
            load(layout, block, &batch, products, &mut tiles);
            tiles.output(Axis::Down, rows, m, columns);
            tiles.output(Axis::Across, columns, n, m);
            match n {
                1 => scatter::<W, 1>(layout, block, bits, &batch, &tiles, &mut y),
                2 => scatter::<W, 2>(layout, block, bits, &batch, &tiles, &mut y),
                3 => scatter::<W, 3>(layout, block, bits, &batch, &tiles, &mut y),
                _ => scatter::<W, 4>(layout, block, bits, &batch, &tiles, &mut y),
            }
        }
    }
    y
}

/// Cuts tiles of N columns out of the padded image, which begins with channel `first`.
fn gather<W: Word, const N: usize>(
    layout: &Layout,
    block: &Block,
    batch: &Batch,
    first: usize,
    image: &[W],
    tiles: &mut Tiles<W>,
) {
    let ([height, width], rows) = (layout.padded, block.points[0]);
    for (lane, at) in batch.lanes() {
        let [i, j] = at.first_output(block);
        let corner = ((at.channel - first) * height + i) * width + j;
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
    layout: &Layout,
    block: &Block,
    bits: Bits,
    batch: &Batch,
    tiles: &Tiles<W>,
    y: &mut [u64],
) {
    let [height, width] = layout.output;
    for (lane, at) in batch.lanes() {
        let [i, j] = at.first_output(block);
        let first = (at.channel * height + i) * width + j;
        for (o, line) in tiles.0[..block.outputs[0]].iter().enumerate() {
            let to = &mut y[first + o * width..][..N];
            for k in 0..N {
                to[k] = bits.reduce(line[k][lane].to_u64());
            }
        }
    }
}

/// Writes transformed tiles to the rows of their positions.
fn store<W: Word>(layout: &Layout, block: &Block, batch: &Batch, tiles: &Tiles<W>, v: &mut [u64]) {
    for (place, (p, q)) in block.places.iter().zip(block.own_points()) {
        let position = layout.positions[place.position];
        let from = &tiles.0[p][q];
        for run in batch.runs() {
            let row = position.input + run.channel * position.len + place.offset;
            let to = &mut v[row + run.tile..][..run.len];
            if let Ok(to) = <&mut [u64; LANES]>::try_from(&mut *to) {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = from.to_u64();
                }
                continue;
            }
            for (to, from) in to.iter_mut().zip(&from[run.lane..]) {
                *to = from.to_u64();
            }
        }
    }
}

/// Reads the products of some tiles and multiplies them by their public factors.
fn load<W: Word>(
    layout: &Layout,
    block: &Block,
    batch: &Batch,
    products: &[u64],
    tiles: &mut Tiles<W>,
) {
    for (place, (p, q)) in block.places.iter().zip(block.own_points()) {
        let position = layout.positions[place.position];
        let to = &mut tiles.0[p][q];
        let factor = W::from_u64(place.factor);
        for run in batch.runs() {
            let row = position.output + run.channel * position.len + place.offset;
            let from = &products[row + run.tile..][..run.len];
            if let Ok(from) = <&[u64; LANES]>::try_from(from) {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = W::from_u64(from).wrapping_mul(factor);
                }
                continue;
            }
            for (to, &from) in to[run.lane..].iter_mut().zip(from) {
                *to = W::from_u64(from).wrapping_mul(factor);
            }
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

/// A tile of a block.
#[derive(Clone, Copy, Default)]
struct At {
    channel: usize,
    row: usize,
    column: usize,
}

impl At {
    /// The first output, which is the first input including padding as well.
    fn first_output(self, block: &Block) -> [usize; 2] {
        [
            block.origin[0] + self.row * block.outputs[0],
            block.origin[1] + self.column * block.outputs[1],
        ]
    }
}

/// Tiles of one channel in neighbouring lanes.
#[derive(Clone, Copy, Default)]
struct Run {
    lane: usize,
    len: usize,
    channel: usize,
    tile: usize,
}

/// Up to [`LANES`] tiles.
#[derive(Clone, Default)]
struct Batch {
    at: [At; LANES],
    runs: [Run; LANES],
    lanes: usize,
    channels: usize,
}

impl Batch {
    fn lanes(&self) -> impl Iterator<Item = (usize, At)> {
        self.at[..self.lanes].iter().copied().enumerate()
    }

    fn runs(&self) -> &[Run] {
        &self.runs[..self.channels]
    }
}

/// All tiles of a block in some channels, channel after channel.
struct Batches {
    next: At,
    tile: usize,
    tiles: [usize; 2],
    /// The end of the channels.
    channels: usize,
}

impl Batches {
    fn new(block: &Block, channels: Range<usize>) -> Self {
        Self {
            next: At {
                channel: channels.start,
                ..At::default()
            },
            tile: 0,
            tiles: block.tiles,
            channels: channels.end,
        }
    }

    /// Goes to the next tile; whether it is of the same channel.
    fn step(&mut self) -> bool {
        self.tile += 1;
        self.next.column += 1;
        if self.next.column == self.tiles[1] {
            self.next.column = 0;
            self.next.row += 1;
        }
        if self.next.row == self.tiles[0] {
            self.next = At {
                channel: self.next.channel + 1,
                ..At::default()
            };
            self.tile = 0;
        }
        self.tile > 0
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next.channel == self.channels {
            return None;
        }
        let mut batch = Batch::default();
        let mut same = false;
        while batch.lanes < LANES && self.next.channel < self.channels {
            if !same {
                batch.runs[batch.channels] = Run {
                    lane: batch.lanes,
                    len: 0,
                    channel: self.next.channel,
                    tile: self.tile,
                };
                batch.channels += 1;
            }
            batch.runs[batch.channels - 1].len += 1;
            batch.at[batch.lanes] = self.next;
            batch.lanes += 1;
            same = self.step();
        }
        Some(batch)
    }
}
