//! The server's side: the products, and its shares of the results.

use std::ops::Range;

use ::rlwe::{Accumulator, Ciphertext, DEGREE, Mask, Numbers, Packer, Product, ServerKey, Weights};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::plan::Plan;
use super::price::RUN;
use crate::Error;

/// Pieces of work that are given out for each thread at a time, so that what is held stays small. LOCAL.
const AHEAD: usize = 8;

/// Images for which transformed weights are shared. LOCAL.
const IMAGES: usize = 2;

/// The ciphertexts of the requests for some images.
pub(super) fn ingest(
    plan: &Plan,
    key: &ServerKey,
    numbers: Numbers,
    bytes: &[u8],
) -> Result<Vec<Ciphertext>, Error> {
    let requests = bytes.chunks_exact(plan.format.request_len()).zip(numbers);
    let requests: Vec<_> = requests.collect();
    let ciphertexts = requests.into_par_iter();
    let ciphertexts = ciphertexts.map(|(bytes, number)| key.ingest(&plan.format, number, bytes));
    Ok(ciphertexts.collect::<Result<_, _>>()?)
}

/// The server in one layer.
pub(super) struct Server<'a> {
    pub(super) plan: &'a Plan,
    pub(super) key: &'a ServerKey,
    pub(super) weights: &'a [i32],
    /// [`Layout::taps`](super::layout::Layout::taps).
    pub(super) taps: &'a [Vec<(usize, usize)>],
}

/// Some images, whose transformed weights are shared.
struct Group<'a> {
    server: &'a Server<'a>,
    /// Of all images, one after another.
    ciphertexts: &'a [Ciphertext],
    images: usize,
}

/// A response, and the server's share of what it is about: secret values that are no results among it.
struct Response {
    bytes: Vec<u8>,
    own: Zeroizing<Vec<u64>>,
}

/// What a thread reuses.
struct Scratch {
    weights: Weights,
    sums: Vec<Accumulator>,
}

impl Server<'_> {
    /// The responses for some images, one after another, and the server's shares of the products with the client's share of the input. The
    /// ciphertexts are those of all images, one after another.
    pub(super) fn respond(
        &self,
        ciphertexts: &[Ciphertext],
        images: usize,
    ) -> (Vec<u8>, Vec<Vec<u64>>) {
        let plan = self.plan;
        let (responses, len) = (plan.responses(), plan.format.response_len());
        let mut bytes = vec![0; plan.bytes_down(images)];
        let mut shares = vec![vec![0; plan.results()]; images];
        // The mask of a response depends on its place only, however the work is split.
        let mut masks = self.key.masks(images * responses);
        let groups = shares.chunks_mut(self.together()).enumerate();
        for (number, shares) in groups {
            let first = number * self.together();
            let end = first + shares.len();
            let group = Group {
                server: self,
                ciphertexts: &ciphertexts[first * plan.requests()..end * plan.requests()],
                images: shares.len(),
            };
            let bytes = &mut bytes[first * responses * len..end * responses * len];
            let masks = masks.by_ref().take(shares.len() * responses);
            group.respond(masks.map(Some).collect(), bytes, shares);
        }
        (bytes, shares)
    }

    /// Images that are computed together. A transform is shared among them, but each has ciphertexts of its own, so that more outputs at a time are better
    /// than more images.
    fn together(&self) -> usize {
        if self.plan.layout.span() == 1 {
            1
        } else {
            IMAGES
        }
    }
}

impl Group<'_> {
    fn respond(&self, mut masks: Vec<Option<Mask>>, bytes: &mut [u8], shares: &mut [Vec<u64>]) {
        let plan = self.server.plan;
        let (responses, len) = (plan.responses(), plan.format.response_len());
        let pieces: Vec<Range<usize>> = self.pieces().collect();
        for pieces in pieces.chunks(AHEAD * rayon::current_num_threads()) {
            let places = |piece: &Range<usize>| {
                let piece = piece.clone();
                (0..self.images).flat_map(move |image| piece.clone().map(move |r| (image, r)))
            };
            let work = pieces.iter().map(|piece| {
                let masks = places(piece).map(|(image, r)| masks[image * responses + r].take());
                let masks = masks.map(|mask| mask.expect("each is used once"));
                (piece.clone(), masks.collect::<Vec<_>>())
            });
            let work: Vec<_> = work.collect();
            let made = work
                .into_par_iter()
                .map(|(piece, masks)| self.piece(piece, masks));
            for (piece, made) in pieces.iter().zip(made.collect::<Vec<_>>()) {
                for ((image, response), made) in places(piece).zip(made) {
                    let at = (image * responses + response) * len;
                    bytes[at..][..len].copy_from_slice(&made.bytes);
                    plan.sort(response, &made.own, &mut shares[image]);
                }
            }
        }
    }

    /// Responses that are made together: one of several units, or those of a run of units.
    fn pieces(&self) -> impl Iterator<Item = Range<usize>> {
        let (responses, packed) = (self.server.plan.responses(), self.server.plan.levels > 0);
        cut(0..responses, move |start| match packed {
            true => start + 1,
            false => self.run_end(start),
        })
    }

    /// Where the run of units ends that begins with this one. The units of a run depend on the same ciphertexts, each of which is fetched once
    /// for them, and the tiles of a block on the same weights.
    fn run_end(&self, start: usize) -> usize {
        let layout = &self.server.plan.layout;
        let (tiles, room) = (layout.tiles(), (RUN / self.images).max(1));
        let of_group = layout.blocks_of_group() * tiles;
        let end = match room / tiles {
            whole if whole > 0 && start.is_multiple_of(tiles) => start + whole * tiles,
            _ => (start + room).min(start / tiles * tiles + tiles),
        };
        end.min(start / of_group * of_group + of_group)
    }

    /// Some responses for each image, those of the first image first.
    fn piece(&self, responses: Range<usize>, masks: Vec<Mask>) -> Vec<Response> {
        let plan = self.server.plan;
        let products = match plan.levels {
            0 => self.run(&mut Scratch::new(plan), responses),
            levels => {
                let units = plan.units(responses.start);
                let packers = self.packed(units, levels);
                packers
                    .into_iter()
                    .map(|packer| packer.finish().expect("it has units"))
                    .collect()
            }
        };
        let responses = products.into_iter().zip(masks);
        responses
            .map(|(product, mask)| {
                let mut own = Zeroizing::new(vec![0; DEGREE]);
                let mut bytes = vec![0; plan.format.response_len()];
                self.server
                    .key
                    .respond(&plan.format, mask, product, &mut own, &mut bytes);
                Response { bytes, own }
            })
            .collect()
    }

    /// The units of one response, for each image.
    fn packed(&self, units: Range<usize>, levels: u32) -> Vec<Packer<'_>> {
        let mut packers: Vec<_> = (0..self.images)
            .map(|_| Packer::new(self.server.key, levels))
            .collect();
        let runs: Vec<_> = cut(units, |start| self.run_end(start)).collect();
        for runs in runs.chunks(AHEAD * rayon::current_num_threads()) {
            let products = runs.par_iter().map_init(
                || Scratch::new(self.server.plan),
                |scratch, run| (run.len(), self.run(scratch, run.clone())),
            );
            for (len, products) in products.collect::<Vec<_>>() {
                for (i, product) in products.into_iter().enumerate() {
                    packers[i / len].push(Some(product));
                }
            }
        }
        packers
    }

    /// The products of a run of units, for each image.
    fn run(&self, scratch: &mut Scratch, units: Range<usize>) -> Vec<Product> {
        let plan = self.server.plan;
        let layout = &plan.layout;
        let (tiles, span, first) = (layout.tiles(), layout.span(), units.start);
        let Scratch { weights, sums } = scratch;
        let wanted = self.images * units.len();
        while sums.len() < wanted {
            sums.push(Accumulator::new(plan.format.set()));
        }
        let blocks = units.start / tiles..units.end.div_ceil(tiles);
        for (i, source) in layout.sources(blocks.start).enumerate() {
            for block in blocks.clone() {
                let mut terms = layout.terms(block, &self.server.taps[i], self.server.weights);
                let of_block = first.max(block * tiles)..units.end.min(block * tiles + tiles);
                let places = (0..self.images).flat_map(|image| {
                    let tile =
                        move |unit| image * plan.requests() + unit % tiles * layout.ciphertexts();
                    let sum = image * units.len();
                    of_block
                        .clone()
                        .map(move |unit| (sum + unit - first, tile(unit) + source))
                });
                if span == 1 {
                    let (_, weight) = terms.next().expect("a ciphertext is met by a weight");
                    for (sum, ciphertext) in places {
                        sums[sum].add_scaled(&self.ciphertexts[ciphertext], weight);
                    }
                } else {
                    weights.fill(span, terms);
                    for (sum, ciphertext) in places {
                        sums[sum].add(&self.ciphertexts[ciphertext], weights);
                    }
                }
            }
        }
        let sums = sums.iter_mut().take(wanted);
        sums.map(|sum| sum.finish(layout.shift(), plan.levels))
            .collect()
    }
}

/// A range in pieces, given where the one ends that begins at a place.
fn cut(range: Range<usize>, end: impl Fn(usize) -> usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = range.start;
    std::iter::from_fn(move || {
        let start = next;
        (start < range.end).then(|| {
            next = range.end.min(end(start));
            start..next
        })
    })
}

impl Scratch {
    fn new(plan: &Plan) -> Self {
        Self {
            weights: Weights::new(plan.format.set()),
            sums: Vec::new(),
        }
    }
}
