//! The choice of layout and parameter set for a layer, from public data.

use std::ops::Range;
use std::sync::Arc;

use ::rlwe::{DEGREE, Demand, Format, Set};
use sharing::Rounds;

use super::axis::MAX_TAPS;
use super::keys::Item;
use super::layout::{Geometry, Layout, Tiling};
use super::price::{CONSTANTS, Counts};
use super::tag::TAG;
use crate::{LinearLayer, Refusal, Work};

/// The most requests and responses of a layer, so that a layer from a peer cannot take all memory. AGREEMENT.
const MAX_REQUESTS: u64 = 1 << 14;
const MAX_RESPONSES: u64 = 1 << 15;

/// Ways to cut columns that are compared, from the coarsest that fits on. AGREEMENT.
const CUTS: usize = 9;

/// A digest of what plans depend on besides the layer. AGREEMENT.
pub(crate) const PLANS: u64 = {
    let own = digest(&[MAX_REQUESTS, MAX_RESPONSES, CUTS as u64, MAX_TAPS as u64]);
    digest(CONSTANTS) ^ own.rotate_left(1)
};

/// FNV-1a of 64 bits, by words.
const fn digest(words: &[u64]) -> u64 {
    let (mut digest, mut i) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while i < words.len() {
        digest = (digest ^ words[i]).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    digest
}

/// How a layer is computed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    pub(crate) format: Format,
    /// 2^levels units share a response.
    pub(crate) levels: u32,
    pub(crate) counts: Counts,
}

impl Plan {
    /// The best plan for a layer, with or without packing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn new(layer: &LinearLayer, packed: bool) -> Result<Self, Refusal> {
        let advice = |problem: &str| {
            let advice = format!("{problem}; direct takes every layer");
            Refusal::new(advice).because(problem)
        };
        let geometry = Geometry::new(&layer.shape);
        let geometry = geometry.ok_or_else(|| advice("the kernel is too large for ring-LWE"))?;
        let geometry = Arc::new(geometry);
        let mut search = Search::new(layer, &geometry);
        search.all(packed);
        match search.best {
            Some((_, plan)) => Ok(plan),
            None if search.too_noisy => Err(advice(&format!(
                "products of {} bits are too wide for ring-LWE",
                layer.bits.get() + layer.weight_bits.get()
            ))),
            None => Err(advice("the layer is too large for ring-LWE")),
        }
    }
}

impl Plan {
    /// Requests of an image.
    pub(super) fn requests(&self) -> usize {
        counted(self.counts.requests)
    }

    /// Responses to an image.
    pub(super) fn responses(&self) -> usize {
        counted(self.counts.responses)
    }

    /// Results of an image.
    pub(super) fn results(&self) -> usize {
        self.layout.geometry.channels[1] * self.layout.geometry.positions()
    }

    /// Bytes that the client says for some images.
    pub(super) fn bytes_up(&self, images: usize) -> usize {
        TAG + images * self.requests() * self.format.request_len()
    }

    /// Bytes that the server says for some images.
    pub(super) fn bytes_down(&self, images: usize) -> usize {
        images * self.responses() * self.format.response_len()
    }

    /// When the parties speak.
    pub(super) fn rounds(&self, images: usize) -> Rounds {
        let [up, down] = [self.bytes_up(images), self.bytes_down(images)];
        Rounds::to_server(up as u64).then(Rounds::to_client(down as u64))
    }

    /// The keys that a session needs.
    pub(super) fn items(&self) -> Vec<Item> {
        let set = self.format.set();
        let packing = (0..self.levels).map(|level| Item::Packing(set, level));
        std::iter::once(Item::Public(set)).chain(packing).collect()
    }

    /// What the processors of both parties do.
    pub(super) fn work(&self) -> Work {
        self.counts.work(self.format.set(), self.layout.span())
    }

    /// The units of a response.
    pub(super) fn units(&self, response: usize) -> Range<usize> {
        let first = response << self.levels;
        first..self.layout.units().min(first + (1 << self.levels))
    }

    /// Puts the results in the values of a response to their places.
    pub(super) fn sort(&self, response: usize, values: &[u64], results: &mut [u64]) {
        let layout = &self.layout;
        let (lanes, slots, positions) = (layout.lanes, layout.slots(), layout.geometry.positions());
        for (i, unit) in self.units(response).enumerate() {
            // The order of the packer.
            let lane = match self.levels {
                0 => 0,
                levels => i.reverse_bits() >> (usize::BITS - levels),
            };
            let outputs = layout.outputs(unit / layout.tiles());
            layout.each_output(unit % layout.tiles(), |slot, position| {
                for (j, output) in outputs.clone().enumerate() {
                    results[output * positions + position] =
                        values[(slot + j * slots) * lanes + lane];
                }
            });
        }
    }
}

fn counted(count: u64) -> usize {
    usize::try_from(count).expect("plans with more are refused")
}

/// The search for the best plan.
struct Search<'a> {
    layer: &'a LinearLayer,
    geometry: &'a Arc<Geometry>,
    /// Nanoseconds of the best plan, and the plan.
    best: Option<(u64, Plan)>,
    /// Whether any layout failed for want of a format.
    too_noisy: bool,
}

impl<'a> Search<'a> {
    const fn new(layer: &'a LinearLayer, geometry: &'a Arc<Geometry>) -> Self {
        Self {
            layer,
            geometry,
            best: None,
            too_noisy: false,
        }
    }

    /// Compares all plans. Of equally good ones the first is taken.
    fn all(&mut self, packed: bool) {
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
