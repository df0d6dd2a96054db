//! Where the values of a layer are in the polynomials of its requests, weights and responses.

use std::ops::Range;
use std::sync::Arc;

use super::geometry::Geometry;

/// How output positions are cut into tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tiling {
    /// Into runs of so many positions, where every position has inputs of its own.
    Runs(usize),
    /// Into rectangles of so many rows and columns, with all inputs that they depend on.
    Rectangles([usize; 2]),
}

/// Where the values of a layer are.
///
/// A *slot* is a position of a tile's inputs, a *lane* a virtual channel among those that share a ciphertext: the value of slot s and lane i is
/// coefficient s·lanes + i of a request. The weight of virtual channel i and tap (r, c) is coefficient S − (r·columns + c)·lanes − i of a weight
/// polynomial, where S = (after in rows·columns + after in columns)·lanes + lanes − 1 and no exponent is negative. Then coefficient s·lanes + S of the product is the output of slot s; others are of no use.
/// A product computes `together` outputs: the weights of the j-th are shifted by j tiles.
///
/// A *block* is the outputs of one product, a *unit* a block in one tile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) geometry: Arc<Geometry>,
    pub(crate) tiling: Tiling,
    /// Virtual channels that share a ciphertext, a power of two.
    pub(crate) lanes: usize,
    /// Outputs of a product.
    pub(crate) together: usize,
}

impl Layout {
    /// Rows and columns of slots.
    pub(crate) fn extents(&self) -> [usize; 2] {
        let [rows, columns] = &self.geometry.axes;
        match self.tiling {
            Tiling::Runs(each) => [1, each],
            Tiling::Rectangles([down, across]) => [rows.extent_of(down), columns.extent_of(across)],
        }
    }

    /// Slots of a tile.
    pub(crate) fn slots(&self) -> usize {
        let [rows, columns] = self.extents();
        rows.saturating_mul(columns)
    }

    /// Coefficients that requests use; those of the weights of a product are among as many.
    pub(crate) fn used(&self) -> usize {
        let outputs = self.slots().saturating_mul(self.together);
        outputs.saturating_mul(self.lanes)
    }

    /// Tiles.
    pub(crate) fn tiles(&self) -> usize {
        let [rows, columns] = &self.geometry.axes;
        match self.tiling {
            Tiling::Runs(each) => self.geometry.positions().div_ceil(each),
            Tiling::Rectangles([down, across]) => {
                rows.outputs.div_ceil(down) * columns.outputs.div_ceil(across)
            }
        }
    }

    /// Whole groups that share a ciphertext; 0 if a group has ciphertexts of its own.
    fn groups_together(&self) -> usize {
        let channels = self.geometry.virtual_channels().max(1);
        match channels < self.lanes {
            true => self.lanes / channels,
            false => 0,
        }
    }

    /// Ciphertexts of a tile.
    pub(crate) fn ciphertexts(&self) -> usize {
        let channels = self.geometry.virtual_channels();
        match self.groups_together() {
            _ if channels == 0 => 0,
            0 => self
                .geometry
                .groups
                .saturating_mul(channels.div_ceil(self.lanes)),
            together => self.geometry.groups.div_ceil(together),
        }
    }

    /// Ciphertexts that an output depends on, in a tile.
    pub(crate) fn depth(&self) -> usize {
        self.geometry.virtual_channels().div_ceil(self.lanes)
    }

    /// Blocks of a group.
    pub(crate) fn blocks_of_group(&self) -> usize {
        self.geometry.outputs().div_ceil(self.together)
    }

    /// Blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.geometry.groups.saturating_mul(self.blocks_of_group())
    }

    /// Units. Those of a block follow each other: unit u is block u / tiles in tile u mod tiles.
    pub(crate) fn units(&self) -> usize {
        self.blocks().saturating_mul(self.tiles())
    }

    /// The group of a block, and the ciphertexts of a tile that it depends on.
    pub(crate) fn sources(&self, block: usize) -> Range<usize> {
        let group = block / self.blocks_of_group();
        let first = match self.groups_together() {
            0 => group * self.depth(),
            together => group / together,
        };
        first..first + self.depth()
    }

    /// The output channels of a block.
    pub(crate) fn outputs(&self, block: usize) -> Range<usize> {
        let (group, of_group) = (
            block / self.blocks_of_group(),
            block % self.blocks_of_group(),
        );
        let all = self.geometry.outputs();
        let first = of_group * self.together;
        let end = all.min(first + self.together);
        group * all + first..group * all + end
    }

    /// The exponent S by which products are ahead of their outputs.
    pub(crate) fn shift(&self) -> usize {
        self.behind(self.after()) * self.lanes + self.lanes - 1
    }

    /// One more than the largest exponent of the weights.
    pub(crate) fn span(&self) -> usize {
        let others = (self.together - 1) * self.slots() * self.lanes;
        let [before, after] = [self.before(), self.after()].map(|reach| self.behind(reach));
        (before + after + 1) * self.lanes + others
    }

    pub(super) fn after(&self) -> [usize; 2] {
        self.geometry.axes.each_ref().map(|axis| axis.after)
    }

    fn before(&self) -> [usize; 2] {
        self.geometry.axes.each_ref().map(|axis| axis.before)
    }

    /// Slots from an output's own to the one so many rows below and columns to the right of it.
    fn behind(&self, [rows, columns]: [usize; 2]) -> usize {
        match self.tiling {
            Tiling::Runs(_) => 0,
            Tiling::Rectangles(_) => rows * self.extents()[1] + columns,
        }
    }

    /// Slots from that of a tap to the last that an output may depend on.
    fn ahead(&self, taps: [isize; 2]) -> usize {
        let [rows, columns] = self.after();
        let steps = [(rows, taps[0]), (columns, taps[1])];
        let steps = steps.map(|(after, tap)| match usize::try_from(tap) {
            Ok(tap) => after - tap,
            Err(_) => after + tap.unsigned_abs(),
        });
        self.behind(steps)
    }

    /// The weights of an output: for each ciphertext of [`Layout::sources`] the exponents, without lanes of other groups before its own, and which
    /// weight of the output each is.
    pub(crate) fn taps(&self) -> Vec<Vec<(usize, usize)>> {
        let [rows, columns] = &self.geometry.axes;
        let mut sources = vec![Vec::new(); self.depth()];
        let mut virtual_channel = 0;
        for channel in 0..self.geometry.channels[0] / self.geometry.groups {
            for row_phase in &rows.phases {
                for column_phase in &columns.phases {
                    let lane = virtual_channel % self.lanes;
                    let source = &mut sources[virtual_channel / self.lanes];
                    for &(r, row) in &row_phase.taps {
                        for &(c, column) in &column_phase.taps {
                            let [height, width] = self.geometry.kernel;
                            let weight = (channel * height + r) * width + c;
                            let last = self.ahead([row, column]) * self.lanes + self.lanes - 1;
                            source.push((last - lane, weight));
                        }
                    }
                    virtual_channel += 1;
                }
            }
        }
        sources
    }

    /// The terms of a weight polynomial: of a block and one of its sources, given [`Layout::taps`].
    pub(crate) fn terms<'a>(
        &self,
        block: usize,
        taps: &'a [(usize, usize)],
        weights: &'a [i32],
    ) -> impl Iterator<Item = (usize, i32)> + use<'a> {
        let lane = match self.groups_together() {
            0 => 0,
            together => {
                let group = block / self.blocks_of_group();
                group % together * self.geometry.virtual_channels()
            }
        };
        let (tile, each) = (self.slots() * self.lanes, self.geometry.weights());
        self.outputs(block)
            .enumerate()
            .flat_map(move |(j, output)| {
                let row = &weights[output * each..][..each];
                let terms = taps.iter();
                terms.map(move |&(exponent, weight)| (exponent - lane + j * tile, row[weight]))
            })
    }

    /// The channel of a lane, and its phase in both axes.
    pub(super) fn channel(&self, ciphertext: usize, lane: usize) -> Option<(usize, usize)> {
        let channels = self.geometry.virtual_channels();
        let (group, index) = match self.groups_together() {
            0 => {
                let (group, part) = (ciphertext / self.depth(), ciphertext % self.depth());
                (group, part * self.lanes + lane)
            }
            together if lane / channels < together => {
                (ciphertext * together + lane / channels, lane % channels)
            }
            _ => return None,
        };
        if group >= self.geometry.groups || index >= channels {
            return None;
        }
        let phases = channels / (self.geometry.channels[0] / self.geometry.groups);
        let of_group = self.geometry.channels[0] / self.geometry.groups;
        Some((group * of_group + index / phases, index % phases))
    }
}
