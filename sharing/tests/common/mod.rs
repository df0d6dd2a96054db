//! One driver for every protocol.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::borrow::Borrow;

use channel::Cost;
use rand_core::Rng;
use ring_arith::{BitVec, Bits, slices};
use sharing::{Error, Session};
use testkit::{TestRng, edges, elements, run_sessions};

/// The lengths at which packing and tiling turn.
pub(crate) const LENGTHS: [usize; 5] = [0, 1, 127, 128, 129];

/// Runs `party` at both ends on ideal correlations and checks that both measured `predicted`. The
/// results, the server's first.
pub(crate) fn run<R: Send>(
    predicted: &Cost,
    party: impl Fn(&mut Session) -> Result<R, Error> + Sync,
) -> [R; 2] {
    let end = |s: &mut Session| party(s).expect("an honest run succeeds");
    let (server, client, measured) = run_sessions(1, end, end);
    assert_eq!(&measured, predicted);
    [server, client]
}

/// This party's of two shares.
pub(crate) fn own<'a, T: ?Sized, S: Borrow<T>>(s: &Session, shares: &'a [S; 2]) -> &'a T {
    shares[usize::from(!s.role().is_server())].borrow()
}

/// Random elements, with the edges of the ring among them.
pub(crate) fn values(rng: &mut TestRng, n: usize, bits: Bits) -> Vec<u64> {
    let mut values = elements(n, bits, rng);
    let edges = edges(bits);
    let from = usize::try_from(rng.next_u32()).expect("a word holds 32 bits") % edges.len();
    for (value, edge) in values.iter_mut().step_by(2).zip(&edges[from..]) {
        *value = *edge;
    }
    values
}

pub(crate) fn share(rng: &mut TestRng, x: &[u64], bits: Bits) -> [Vec<u64>; 2] {
    testkit::share(x, bits, rng).into()
}

pub(crate) fn share_bits(rng: &mut TestRng, x: &BitVec) -> [BitVec; 2] {
    testkit::share_bits(x, rng).into()
}

/// What canonical shares stand for.
pub(crate) fn clear(shares: &[Vec<u64>; 2], bits: Bits) -> Vec<u64> {
    assert!(shares.iter().flatten().all(|&x| x <= bits.mask()));
    slices::add(bits, &shares[0], &shares[1])
}

pub(crate) fn clear_bits(shares: &[BitVec; 2]) -> BitVec {
    shares[0].xor(&shares[1])
}

/// Digit `i` in base `base` of `number`.
pub(crate) const fn digit(number: usize, base: usize, i: u32) -> u64 {
    (number / base.pow(i) % base) as u64
}
