//! Where inputs and outputs are in a tile.

use super::axis::Axis;
use super::layout::{Layout, Tiling};

impl Layout {
    /// The coefficients of a request that the layer's input `x` fills; others are 0. Request t·[`Layout::ciphertexts`] + i is ciphertext i of tile t.
    pub(crate) fn fill(&self, request: usize, x: &[u64], coefficients: &mut [u64]) {
        coefficients.fill(0);
        let (tile, ciphertext) = (request / self.ciphertexts(), request % self.ciphertexts());
        let [rows, columns] = &self.geometry.axes;
        let plane = rows.size * columns.size;
        let places = self.places(tile);
        for lane in 0..self.lanes {
            let Some((channel, phase)) = self.channel(ciphertext, lane) else {
                continue;
            };
            let (row_phase, column_phase) = (
                &rows.phases[phase / columns.phases.len()],
                &columns.phases[phase % columns.phases.len()],
            );
            let x = &x[channel * plane..][..plane];
            places.each(|slot, row, column| {
                let input = rows
                    .input(row_phase, row)
                    .zip(columns.input(column_phase, column));
                if let Some((row, column)) = input {
                    coefficients[slot * self.lanes + lane] = x[row * columns.size + column];
                }
            });
        }
    }

    /// The places of all inputs of a tile.
    fn places(&self, tile: usize) -> Places {
        let [rows, columns] = &self.geometry.axes;
        match self.tiling {
            Tiling::Runs(each) => {
                let first = tile * each;
                let end = self.geometry.positions().min(first + each);
                let from = [rows, columns].map(Axis::only_tap);
                Places::Run {
                    first,
                    end,
                    across: columns.outputs,
                    from,
                }
            }
            Tiling::Rectangles(outputs) => {
                let [down, across] = self.corner(tile, outputs);
                let [rows, columns] = [(rows, down, outputs[0]), (columns, across, outputs[1])]
                    .map(|(axis, first, outputs)| match outputs >= axis.outputs {
                        true => (0, axis.held),
                        false => {
                            let before = isize::try_from(first).unwrap_or(0)
                                - isize::try_from(axis.before).unwrap_or(0);
                            (before, axis.extent_of(outputs))
                        }
                    });
                Places::Rectangle {
                    rows,
                    columns,
                    across: self.extents()[1],
                }
            }
        }
    }

    /// The first output row and column of a tile.
    fn corner(&self, tile: usize, [down, across]: [usize; 2]) -> [usize; 2] {
        let in_row = self.geometry.axes[1].outputs.div_ceil(across);
        [tile / in_row * down, tile % in_row * across]
    }

    /// Calls `f` with slots and output positions of a tile.
    pub(crate) fn each_output(&self, tile: usize, mut f: impl FnMut(usize, usize)) {
        let [rows, columns] = &self.geometry.axes;
        match self.tiling {
            Tiling::Runs(each) => {
                let first = tile * each;
                let end = self.geometry.positions().min(first + each);
                (first..end).for_each(|position| f(position - first, position));
            }
            Tiling::Rectangles(outputs) => {
                let corner = self.corner(tile, outputs);
                // A tile of several starts with its halo.
                let [down, across] =
                    [(rows, outputs[0]), (columns, outputs[1])].map(|(axis, outputs)| {
                        if outputs >= axis.outputs {
                            0
                        } else {
                            axis.before
                        }
                    });
                let width = self.extents()[1];
                for row in corner[0]..rows.outputs.min(corner[0] + outputs[0]) {
                    for column in corner[1]..columns.outputs.min(corner[1] + outputs[1]) {
                        let slot = (row - corner[0] + down) * width + column - corner[1] + across;
                        f(slot, row * columns.outputs + column);
                    }
                }
            }
        }
    }
}

/// Slots of a tile, and the place of each among the elements of a phase.
enum Places {
    Run {
        first: usize,
        end: usize,
        across: usize,
        from: [isize; 2],
    },
    /// First place and number of places, in rows and in columns.
    Rectangle {
        rows: (isize, usize),
        columns: (isize, usize),
        across: usize,
    },
}

impl Places {
    fn each(&self, mut f: impl FnMut(usize, isize, isize)) {
        match *self {
            Self::Run {
                first,
                end,
                across,
                from,
            } => {
                for position in first..end {
                    let [row, column] = [position / across, position % across];
                    f(
                        position - first,
                        from[0].saturating_add_unsigned(row),
                        from[1].saturating_add_unsigned(column),
                    );
                }
            }
            Self::Rectangle {
                rows,
                columns,
                across,
            } => {
                for row in 0..rows.1 {
                    for column in 0..columns.1 {
                        f(
                            row * across + column,
                            rows.0.saturating_add_unsigned(row),
                            columns.0.saturating_add_unsigned(column),
                        );
                    }
                }
            }
        }
    }
}
