//! The client's side: encryption of its share, and its shares of the results.

use ::rlwe::{ClientKey, DEGREE};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::keys::Start;
use super::plan::Plan;
use super::tag::TAG;
use crate::Error;

/// Responses that are turned into shares before these are sorted. LOCAL.
const BATCH: usize = 64;

/// The requests of a layer for some images, one after another.
pub(super) fn requests(plan: &Plan, start: Start<ClientKey>, images: &[&[u64]]) -> Vec<u8> {
    let Start { key, numbers, tag } = start;
    let (each, len) = (plan.requests(), plan.format.request_len());
    let mut bytes = vec![0; plan.bytes_up(images.len())];
    bytes[..TAG].copy_from_slice(&tag);
    let places = bytes[TAG..].chunks_exact_mut(len).zip(numbers);
    let places: Vec<_> = places.enumerate().collect();
    let room = || Zeroizing::new(vec![0; DEGREE]);
    places
        .into_par_iter()
        .for_each_init(room, |x, (i, (out, number))| {
            plan.layout.fill(i % each, images[i / each], x);
            key.encrypt(&plan.format, number, x, out);
        });
    bytes
}

/// The client's shares of the results of some images.
pub(super) fn shares(
    plan: &Plan,
    key: &ClientKey,
    bytes: &[u8],
    images: usize,
) -> Result<Vec<Vec<u64>>, Error> {
    let mut shares = vec![vec![0; plan.results()]; images];
    let responses: Vec<&[u8]> = bytes.chunks_exact(plan.format.response_len()).collect();
    for (batch, responses) in responses.chunks(BATCH).enumerate() {
        let values = responses.par_iter().map(|response| {
            let mut values = Zeroizing::new(vec![0; DEGREE]);
            key.share(&plan.format, response, &mut values)?;
            Ok(values)
        });
        for (i, values) in values
            .collect::<Result<Vec<_>, Error>>()?
            .into_iter()
            .enumerate()
        {
            let response = batch * BATCH + i;
            let (image, response) = (response / plan.responses(), response % plan.responses());
            plan.sort(response, &values, &mut shares[image]);
        }
    }
    Ok(shares)
}
