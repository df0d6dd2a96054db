//! The search for the best plan.

use std::sync::Arc;

use ::rlwe::{DEGREE, Demand, Format, Set};

use super::geometry::Geometry;
use super::layout::{Layout, Tiling};
use super::plan::{CUTS, MAX_REQUESTS, MAX_RESPONSES, Plan};
use super::price::Counts;
use crate::LinearLayer;

/// The search for the best plan.
pub(super) struct Search<'a> {
    layer: &'a LinearLayer,
    geometry: &'a Arc<Geometry>,
    /// Nanoseconds of the best plan, and the plan.
    pub(super) best: Option<(u64, Plan)>,
    /// Whether any layout failed for want of a format.
    pub(super) too_noisy: bool,
}

impl<'a> Search<'a> {
    pub(super) const fn new(layer: &'a LinearLayer, geometry: &'a Arc<Geometry>) -> Self {
        Self {
            layer,
            geometry,
            best: None,
            too_noisy: false,
        }
    }

    /// Compares all plans. Of equally good ones the first is taken.
    pub(super) fn all(&mut self, packed: bool) {
        let geometry = self.geometry;
        let channels = geometry.virtual_channels().saturating_mul(geometry.groups);
        for lanes in (0..=DEGREE.ilog2()).map(|level| 1_usize << level) {
            if lanes > 1 && lanes / 2 >= channels {
                break;
            }
            for tiling in tilings(geometry, DEGREE / lanes) {
                let layout = Layout {
                    geometry: Arc::clone(geometry),
                    tiling,
                    lanes,
                    together: 1,
                };
                self.layout(layout, packed);
            }
        }
    }

    /// Compares the plans of a layout, with more outputs for each product as well.
    fn layout(&mut self, layout: Layout, packed: bool) {
        let room = DEGREE / layout.used().max(1);
        let outputs = self.geometry.outputs();
        let most = if layout.tiles() > 1 && !self.geometry.is_pointwise() {
            1
        } else {
            room.min(outputs)
        };
        let mut last = 0;
        let powers = (0..=DEGREE.ilog2()).map(|level| 1_usize << level);
        for together in powers
            .take_while(|&power| power < most)
            .chain([most.max(1)])
        {
            // As few as it takes for as many products.
            let together = outputs.div_ceil(outputs.div_ceil(together).max(1)).max(1);
            if together == last {
                continue;
            }
            last = together;
            let layout = Layout {
                together,
                ..layout.clone()
            };
            self.formats(&layout, 0);
            if packed && layout.lanes > 1 {
                self.formats(&layout, layout.lanes.ilog2());
            }
        }
    }

    /// Compares the plans of a layout with or without packing, in either parameter set.
    fn formats(&mut self, layout: &Layout, levels: u32) {
        let counts = Counts::new(layout, levels);
        if counts.requests > MAX_REQUESTS || counts.responses > MAX_RESPONSES {
            return;
        }
        let (ring, weight_bits) = (self.layer.bits, self.layer.weight_bits);
        for set in Set::ALL {
            let processors = counts.processors(set, layout.span());
            let total =
                |request, response| processors.saturating_add(counts.line(request, response));
            // No request is smaller, by the noise of the coefficients' dropped bits.
            let bound = total(ring.get() + weight_bits.get(), ring.get() + 1);
            if self.best.as_ref().is_some_and(|&(best, _)| bound >= best) {
                continue;
            }
            let fan_in = self.geometry.fan_in().saturating_mul(layout.together);
            let demand = Demand {
                ring,
                weight_bits,
                fan_in: fan_in.max(1) as u64,
                levels,
            };
            let Some(format) = Format::choose(set, &demand) else {
                self.too_noisy = true;
                continue;
            };
            let total = total(format.request_bits(), format.response_bits().get());
            if self.best.as_ref().is_none_or(|&(best, _)| total < best) {
                let layout = layout.clone();
                let plan = Plan {
                    layout,
                    format,
                    levels,
                    counts,
                };
                self.best = Some((total, plan));
            }
        }
    }
}

/// Ways to cut the output positions into tiles of at most `room` slots: few, and the coarsest of their kind.
fn tilings(geometry: &Geometry, room: usize) -> Vec<Tiling> {
    let [rows, columns] = &geometry.axes;
    let mut tilings = Vec::new();
    if geometry.is_pointwise() {
        let positions = geometry.positions();
        // Finer tiles leave room for more outputs of a product.
        for level in 0..=room.ilog2() {
            let tiles = positions.div_ceil(room >> level);
            let tiling = Tiling::Runs(positions.div_ceil(tiles));
            if tilings.last() != Some(&tiling) {
                tilings.push(tiling);
            }
        }
        return tilings;
    }
    // The narrowest and the widest tile that have room for one row.
    let lines = |outputs: usize| outputs.saturating_add(columns.before + columns.after);
    let least_rows = rows.extent_of(1).min(rows.extent());
    let widest = (room / least_rows).saturating_sub(columns.before + columns.after);
    let coarsest = match columns.extent().saturating_mul(least_rows) <= room {
        true => 1,
        false if widest == 0 => return tilings,
        false => columns.outputs.div_ceil(widest).max(2),
    };
    for cut in 0..CUTS {
        let across = columns.outputs.div_ceil(coarsest + cut);
        let width = if across >= columns.outputs {
            columns.extent()
        } else {
            lines(across)
        };
        let tallest = (room / width).saturating_sub(rows.before + rows.after);
        let down = match rows.extent().saturating_mul(width) <= room {
            true => rows.outputs,
            false if tallest == 0 => continue,
            false => rows.outputs.div_ceil(rows.outputs.div_ceil(tallest).max(2)),
        };
        let tiling = Tiling::Rectangles([down, across]);
        if tilings.last() != Some(&tiling) {
            tilings.push(tiling);
        }
    }
    tilings
}
