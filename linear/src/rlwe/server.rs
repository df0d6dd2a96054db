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
    /// Of all images, one after another.
    pub(super) ciphertexts: &'a [Ciphertext],
    pub(super) images: usize,
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
    /// The responses for all images, one after another, and the server's shares of the products with the client's share of the input.
    pub(super) fn respond(&self) -> (Vec<u8>, Vec<Vec<u64>>) {
        let plan = self.plan;
        let (responses, len) = (plan.responses(), plan.format.response_len());
        let mut bytes = vec![0; plan.bytes_down(self.images)];
        let mut shares = vec![vec![0; plan.results()]; self.images];
        // The mask of a response depends on its place only, however the work is split.
        let masks = self.key.masks(self.images * responses);
        let mut masks: Vec<Option<Mask>> = masks.map(Some).collect();
        let pieces: Vec<Range<usize>> = self.pieces().collect();
        for pieces in pieces.chunks(AHEAD * rayon::current_num_threads()) {
            let mut take = |piece: &Range<usize>| {
                let places = (0..self.images)
                    .flat_map(|image| piece.clone().map(move |r| image * responses + r));
                let masks = places.map(|place| masks[place].take().expect("each is used once"));
                (piece.clone(), masks.collect::<Vec<_>>())
            };
            let pieces: Vec<_> = pieces.iter().map(&mut take).collect();
            let made = pieces
                .into_par_iter()
                .map(|(piece, masks)| (piece.clone(), self.piece(piece, masks)));
            for (piece, made) in made.collect::<Vec<_>>() {
                let places =
                    (0..self.images).flat_map(|image| piece.clone().map(move |r| (image, r)));
                for ((image, response), made) in places.zip(made) {
                    bytes[(image * responses + response) * len..][..len]
                        .copy_from_slice(&made.bytes);
                    plan.sort(response, &made.own, &mut shares[image]);
                }
            }
        }
        (bytes, shares)
    }

    /// Responses that are made together: one of several units, or those of a block in some tiles.
    fn pieces(&self) -> impl Iterator<Item = Range<usize>> {
        let (responses, packed) = (self.plan.responses(), self.plan.levels > 0);
        let tiles = self.plan.layout.tiles();
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = next;
            next = match packed {
                true => start + 1,
                false => (start + self.run_len()).min(start / tiles * tiles + tiles),
            };
            (start < responses).then_some(start..next)
        })
    }

    /// Tiles in which a block is computed together.
    fn run_len(&self) -> usize {
        (RUN / self.images).max(1)
    }

    /// Some responses for each image, those of the first image first.
    fn piece(&self, responses: Range<usize>, masks: Vec<Mask>) -> Vec<Response> {
        let plan = self.plan;
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
                self.key
                    .respond(&plan.format, mask, product, &mut own, &mut bytes);
                Response { bytes, own }
            })
            .collect()
    }

    /// The units of one response, for each image.
    fn packed(&self, units: Range<usize>, levels: u32) -> Vec<Packer<'_>> {
        let mut packers: Vec<_> = (0..self.images)
            .map(|_| Packer::new(self.key, levels))
            .collect();
        let runs = self.runs(units);
        for runs in runs.chunks(AHEAD * rayon::current_num_threads()) {
            let products = runs.par_iter().map_init(
                || Scratch::new(self.plan),
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

    /// Units cut so that all of a run are of one block.
    fn runs(&self, units: Range<usize>) -> Vec<Range<usize>> {
        let tiles = self.plan.layout.tiles();
        let mut runs = Vec::new();
        let mut start = units.start;
        while start < units.end {
            let block_end = start / tiles * tiles + tiles;
            let end = units.end.min(block_end).min(start + self.run_len());
            runs.push(start..end);
            start = end;
        }
        runs
    }

    /// The products of a block in some tiles, for each image: each weight polynomial is made once for all of them.
    fn run(&self, scratch: &mut Scratch, units: Range<usize>) -> Vec<Product> {
        let (plan, layout) = (self.plan, &self.plan.layout);
        let (block, first) = (units.start / layout.tiles(), units.start % layout.tiles());
        let Scratch { weights, sums } = scratch;
        let places: Vec<usize> = (0..self.images)
            .flat_map(|image| (first..first + units.len()).map(move |tile| (image, tile)))
            .map(|(image, tile)| image * plan.requests() + tile * layout.ciphertexts())
            .collect();
        while sums.len() < places.len() {
            sums.push(Accumulator::new(plan.format.set()));
        }
        let span = layout.span();
        for (source, taps) in layout.sources(block).zip(self.taps) {
            let mut terms = layout.terms(block, taps, self.weights);
            let ciphertexts = places.iter().map(|place| &self.ciphertexts[place + source]);
            if span == 1 {
                let (_, weight) = terms.next().expect("a ciphertext is met by a weight");
                ciphertexts
                    .zip(&mut *sums)
                    .for_each(|(ciphertext, sum)| sum.add_scaled(ciphertext, weight));
            } else {
                weights.fill(span, terms);
                ciphertexts
                    .zip(&mut *sums)
                    .for_each(|(ciphertext, sum)| sum.add(ciphertext, weights));
            }
        }
        let sums = sums.iter_mut().take(places.len());
        sums.map(|sum| sum.finish(layout.shift(), plan.levels))
            .collect()
    }
}

impl Scratch {
    fn new(plan: &Plan) -> Self {
        Self {
            weights: Weights::new(plan.format.set()),
            sums: Vec::new(),
        }
    }
}
