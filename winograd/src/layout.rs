//! Where the tiles lie in the image, and where their positions lie among the products.

use linear::ConvSpec;

use crate::tile::{Tile, global_point};

/// Tiles of the same size that form a rectangle: the whole ones, or those at an edge.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Points of a tile along both axes.
    pub(crate) points: [usize; 2],
    /// Outputs of a tile along both axes.
    pub(crate) outputs: [usize; 2],
    /// Rows and columns of tiles.
    pub(crate) tiles: [usize; 2],
    /// Row and column of the first output.
    pub(crate) origin: [usize; 2],
    /// The positions of its tiles, row by row.
    pub(crate) places: Vec<Place>,
}

/// A position of the tiles of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The position of a whole tile that has the same transformed weight.
    pub(crate) position: usize,
    /// Where the block's tiles begin in the row of that position.
    pub(crate) offset: usize,
    /// The public factor of the product.
    pub(crate) factor: u64,
}

/// A position of a whole tile: all products with the same transformed weight.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Position {
    /// Number of tiles that have it; 0 if all tiles are smaller.
    pub(crate) len: usize,
    /// The power of two that the public factor of every product here is a multiple of: the ring of the
    /// products is narrower by as many bits.
    pub(crate) twos: u32,
    /// Where its row begins in every channel of the transformed input and of the products.
    pub(crate) start: usize,
}

/// The tiling of a convolution, a function of public shapes.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) channels: [usize; 2],
    /// Rows and columns of the input, without and with its padding, and of the output.
    pub(crate) unpadded: [usize; 2],
    pub(crate) padded: [usize; 2],
    pub(crate) output: [usize; 2],
    /// Padding above and left.
    pub(crate) before: [usize; 2],
    pub(crate) blocks: Vec<Block>,
    pub(crate) positions: Vec<Position>,
    /// Number of elements of a transformed channel, in all positions.
    pub(crate) stride: usize,
    /// Number of elements of the transformed input, and of the products.
    pub(crate) input_len: usize,
    pub(crate) output_len: usize,
}

/// Tiles along one axis.
struct Part {
    points: usize,
    outputs: usize,
    tiles: usize,
    origin: usize,
}

impl Layout {
    /// The tiling of a convolution with the tile's kernel and stride 1; `None` if it is too large.
    pub(crate) fn new(spec: &ConvSpec, tile: Tile) -> Option<Self> {
        let [c_in, height, width] = spec.input_shape();
        let [c_out, rows, columns] = spec.output_shape();
        let [top, left, bottom, right] = spec.padding();
        let padded = [height + top + bottom, width + left + right];
        let count = tile.points() * tile.points();
        let mut positions = vec![Position::default(); count];
        let mut blocks = Vec::new();
        for down in parts(tile, rows) {
            for across in parts(tile, columns) {
                blocks.push(block(tile, [&down, &across], &mut positions));
            }
        }
        let mut stride = 0_usize;
        for position in &mut positions {
            position.start = stride;
            stride = stride.checked_add(position.len)?;
        }
        let [input_len, output_len] = [stride.checked_mul(c_in)?, stride.checked_mul(c_out)?];
        let bytes = |n: usize| n.checked_mul(8);
        bytes(input_len)?;
        bytes(output_len)?;
        bytes(count.checked_mul(spec.weight_len())?)?;
        bytes(c_in.checked_mul(padded[0])?.checked_mul(padded[1])?)?;
        Some(Self {
            channels: [c_in, c_out],
            unpadded: [height, width],
            padded,
            before: [top, left],
            output: [rows, columns],
            blocks,
            positions,
            stride,
            input_len,
            output_len,
        })
    }
}

/// Whole tiles, and one with fewer points for the outputs that remain.
fn parts(tile: Tile, outputs: usize) -> impl Iterator<Item = Part> {
    let m = tile.outputs();
    let part = |tiles, outputs, origin| Part {
        points: outputs + tile.taps() - 1,
        outputs,
        tiles,
        origin,
    };
    let (whole, rest) = (outputs / m, outputs % m);
    let parts = [part(whole, m, 0), part(1, rest, whole * m)];
    parts.into_iter().filter(|p| p.tiles * p.outputs > 0)
}

/// Makes a block, and appends its tiles to the rows of their positions.
fn block(tile: Tile, axes: [&Part; 2], positions: &mut [Position]) -> Block {
    let [down, across] = axes;
    let mut places = Vec::with_capacity(down.points * across.points);
    for p in 0..down.points {
        for q in 0..across.points {
            let row = global_point(tile, down.points, p);
            let number = row * tile.points() + global_point(tile, across.points, q);
            let position = &mut positions[number];
            let factors = [tile.factor(down.points, p), tile.factor(across.points, q)];
            let factor = factors[0].wrapping_mul(factors[1]);
            let twos = factors.map(u64::trailing_zeros).iter().sum();
            places.push(Place {
                position: number,
                offset: position.len,
                factor,
            });
            position.twos = if position.len == 0 {
                twos
            } else {
                position.twos.min(twos)
            };
            position.len += down.tiles * across.tiles;
        }
    }
    Block {
        points: [down.points, across.points],
        outputs: [down.outputs, across.outputs],
        tiles: [down.tiles, across.tiles],
        origin: [down.origin, across.origin],
        places,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(tile: Tile, rows: usize, columns: usize) -> Layout {
        let [k, _] = tile.kernel();
        let input = [rows + k - 1, columns + k - 1];
        let spec = ConvSpec::new([2, 3], input, [k, k], [1, 1], [0; 4], 1).expect("possible");
        Layout::new(&spec, tile).expect("small")
    }

    #[test]
    fn every_output_is_in_one_block() {
        for tile in Tile::ALL {
            for (rows, columns) in (1..14).flat_map(|r| (1..14).map(move |c| (r, c))) {
                let layout = layout(tile, rows, columns);
                let mut covered = vec![0; rows * columns];
                for block in &layout.blocks {
                    let size = [0, 1].map(|a| block.outputs[a] * block.tiles[a]);
                    for (i, j) in (0..size[0]).flat_map(|i| (0..size[1]).map(move |j| (i, j))) {
                        covered[(block.origin[0] + i) * columns + block.origin[1] + j] += 1;
                    }
                }
                assert!(covered.iter().all(|&n| n == 1), "{tile} {rows} {columns}");
            }
        }
    }

    #[test]
    fn edges_use_fewer_products() {
        let products = |rows, columns| -> usize {
            let layout = layout(Tile::F4x4_3x3, rows, columns);
            layout.positions.iter().map(|p| p.len).sum()
        };
        assert_eq!(products(8, 8), 4 * 36);
        assert_eq!(products(10, 10), 16 * 16);
        assert_eq!(products(7, 5), 11 * 9);
        assert_eq!(products(1, 1), 9);
    }

    #[test]
    fn whole_tiles_decide_the_ring() {
        let twos = |rows, columns| -> Vec<u32> {
            let layout = layout(Tile::F4x4_3x3, rows, columns);
            layout.positions.iter().take(6).map(|p| p.twos).collect()
        };
        assert_eq!(twos(8, 8), [2, 3, 3, 1, 1, 4]);
        assert_eq!(twos(11, 10), [2, 3, 3, 1, 1, 4]);
    }
}
