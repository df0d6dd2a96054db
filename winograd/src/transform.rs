//! The two-dimensional transforms of whole images, which each party applies to its own shares.

use std::ops::Range;

use ring_arith::{Bits, Kernel, Word, dispatch};

use crate::grid::Grid;
use crate::layout::Layout;
use crate::tile::MAX_POINTS;

/// Words of the transformed image that are made at a time, so that they stay in the first-level cache;
/// LOCAL.
const CHUNK: usize = 1 << 12;

/// The transformed image, in the order channel, position, tile.
pub(crate) fn forward<W: Word>(layout: &Layout, x: &[u64]) -> Vec<W> {
    let mut v = Vec::with_capacity(layout.input_len);
    let out = &mut v;
    dispatch(Forward { layout, x, out });
    v
}

/// The outputs mod 2^bits from the products of all positions.
pub(crate) fn backward<W: Word>(layout: &Layout, bits: Bits, products: &[W]) -> Vec<u64> {
    let [height, width] = layout.output;
    let mut y = Vec::with_capacity(layout.channels[1] * height * width);
    dispatch(Backward {
        layout,
        bits,
        products,
        out: &mut y,
    });
    y
}

/// The loop of [`forward`]; it appends to `out`.
struct Forward<'a, W> {
    layout: &'a Layout,
    x: &'a [u64],
    out: &'a mut Vec<W>,
}

impl<W: Word> Kernel for Forward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let Self { layout, x, out } = self;
        let (mut image, mut rows, mut tiles) = (Vec::new(), Vec::new(), Vec::new());
        for channels in chunks(layout, layout.channels[0]) {
            pad(layout, channels.clone(), x, &mut image);
            let first = out.len();
            out.resize(first + channels.len() * layout.stride, W::default());
            let v = &mut out[first..];
            for block in &layout.blocks {
                let grid = Grid::of_inputs(layout, block, channels.len());
                grid.reserve(&mut rows, &mut tiles);
                match (block.points[1], block.outputs[1]) {
                    (3, _) => grid.input_across::<W, 3, 1>(&image, &mut rows),
                    (4, _) => grid.input_across::<W, 4, 2>(&image, &mut rows),
                    (5, 1) => grid.input_across::<W, 5, 1>(&image, &mut rows),
                    (5, _) => grid.input_across::<W, 5, 3>(&image, &mut rows),
                    (_, 2) => grid.input_across::<W, 6, 2>(&image, &mut rows),
                    _ => grid.input_across::<W, 6, 4>(&image, &mut rows),
                }
                match block.points[0] {
                    3 => grid.input_down::<W, 3>(&rows, &mut tiles, v),
                    4 => grid.input_down::<W, 4>(&rows, &mut tiles, v),
                    5 => grid.input_down::<W, 5>(&rows, &mut tiles, v),
                    _ => grid.input_down::<W, 6>(&rows, &mut tiles, v),
                }
            }
        }
    }
}

/// The loop of [`backward`]; it appends to `out`.
struct Backward<'a, W> {
    layout: &'a Layout,
    bits: Bits,
    products: &'a [W],
    out: &'a mut Vec<u64>,
}

impl<W: Word> Kernel for Backward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let (layout, bits, out) = (self.layout, self.bits, self.out);
        let [height, width] = layout.output;
        let (mut rows, mut tiles) = (Vec::new(), Vec::new());
        for channels in chunks(layout, layout.channels[1]) {
            let products = &self.products[channels.start * layout.stride..];
            let first = out.len();
            out.resize(first + channels.len() * height * width, 0);
            let y = &mut out[first..];
            for block in &layout.blocks {
                let grid = Grid::of_outputs(layout, block, channels.len());
                grid.reserve(&mut rows, &mut tiles);
                match (block.points[0], block.outputs[0]) {
                    (3, _) => grid.output_down::<W, 3, 1>(products, &mut tiles, &mut rows),
                    (4, _) => grid.output_down::<W, 4, 2>(products, &mut tiles, &mut rows),
                    (5, 1) => grid.output_down::<W, 5, 1>(products, &mut tiles, &mut rows),
                    (5, _) => grid.output_down::<W, 5, 3>(products, &mut tiles, &mut rows),
                    (_, 2) => grid.output_down::<W, 6, 2>(products, &mut tiles, &mut rows),
                    _ => grid.output_down::<W, 6, 4>(products, &mut tiles, &mut rows),
                }
                match (block.points[1], block.outputs[1]) {
                    (3, _) => grid.output_across::<W, 3, 1>(bits, &mut rows, y),
                    (4, _) => grid.output_across::<W, 4, 2>(bits, &mut rows, y),
                    (5, 1) => grid.output_across::<W, 5, 1>(bits, &mut rows, y),
                    (5, _) => grid.output_across::<W, 5, 3>(bits, &mut rows, y),
                    (_, 2) => grid.output_across::<W, 6, 2>(bits, &mut rows, y),
                    _ => grid.output_across::<W, 6, 4>(bits, &mut rows, y),
                }
            }
        }
    }
}

/// The channels, some at a time.
fn chunks(layout: &Layout, channels: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (CHUNK / layout.stride).max(1);
    let chunk = move |first| first..channels.min(first + step);
    (0..channels).step_by(step).map(chunk)
}

/// Writes some channels of the image, with their padding, as words.
#[inline(always)]
fn pad<W: Word>(layout: &Layout, channels: Range<usize>, x: &[u64], image: &mut Vec<W>) {
    let [rows, columns] = layout.padded;
    let ([height, width], [top, left]) = (layout.unpadded, layout.before);
    // The inner part that an earlier call left is overwritten below. Columns are cut in steps of the
    // outputs, and the last step may end beyond the image.
    image.resize(channels.len() * rows * columns + MAX_POINTS, W::default());
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

#[cfg(test)]
mod tests {
    use linear::ConvSpec;

    use super::*;
    use crate::Tile;

    /// Both transforms in both copies: those chosen at run time and the portable ones.
    fn check<W: Word>(layout: &Layout, bits: Bits) {
        let noise = |i: usize| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [height, width] = layout.unpadded;
        let x: Vec<_> = (0..layout.channels[0] * height * width)
            .map(noise)
            .collect();
        let (mut v, out) = (Vec::<W>::new(), &mut Vec::new());
        Forward {
            layout,
            x: &x,
            out: &mut v,
        }
        .run();
        assert_eq!(forward::<W>(layout, &x), v);
        let products: Vec<_> = (0..layout.output_len)
            .map(|i| W::from_u64(noise(i)))
            .collect();
        let products = &products;
        Backward {
            layout,
            bits,
            products,
            out,
        }
        .run();
        assert_eq!(backward(layout, bits, products), *out);
    }

    #[test]
    fn copies_agree() {
        for tile in Tile::ALL {
            for [height, width] in [[1, 1], [5, 7], [9, 64], [56, 56]] {
                for groups in [1, 3, 70] {
                    let spec = ([groups, groups], [height, width], tile.kernel());
                    let padding = [tile.kernel()[0] / 2; 4];
                    let spec = ConvSpec::new(spec.0, spec.1, spec.2, [1, 1], padding, groups);
                    let layout = Layout::new(&spec.expect("possible"), tile).expect("small");
                    check::<u32>(&layout, Bits::of(32));
                    check::<u64>(&layout, Bits::of(45));
                }
            }
        }
    }
}
