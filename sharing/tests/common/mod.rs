//! One driver for every protocol.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::borrow::Borrow;
use std::sync::{Arc, Mutex};

use channel::{Cost, Memory, ONLINE, Relay, Role, Way};
use rand_core::Rng;
use ring_arith::{BitVec, Bits, slices};
use sharing::{Error, Party, Rounds, Session};
use testkit::{TestRng, edges, elements, run_sessions, run_sessions_over};

/// The lengths at which packing and tiling turn.
pub(crate) const LENGTHS: [usize; 5] = [0, 1, 127, 128, 129];

/// Runs `protocol` at both ends on ideal correlations and checks that both measured `predicted`. The
/// results, the server's first.
pub(crate) fn run<R: Send>(
    predicted: &Rounds,
    protocol: impl AsyncFn(&Party<'_>) -> Result<R, Error> + Sync,
) -> [R; 2] {
    let end = |s: &mut Session| {
        let run: Result<_, Error> =
            s.run(async |party| Ok((protocol(party).await?, party.spent())));
        run.expect("an honest run succeeds")
    };
    let ((server, at_server), (client, at_client), measured) = run_sessions(1, end, end);
    assert_eq!(measured, predicted.cost());
    assert_eq!([&at_server, &at_client], [&measured; 2]);
    [server, client]
}

/// Runs a protocol that speaks on the stream by itself, as [`run`].
pub(crate) fn run_session<R: Send>(
    predicted: &Cost,
    protocol: impl Fn(&mut Session) -> Result<R, Error> + Sync,
) -> [R; 2] {
    let end = |s: &mut Session| protocol(s).expect("an honest run succeeds");
    let (server, client, measured) = run_sessions(1, end, end);
    assert_eq!(&measured, predicted);
    [server, client]
}

/// This party's of two shares.
pub(crate) fn own<T: ?Sized, S: Borrow<T>>(role: Role, shares: &[S; 2]) -> &T {
    shares[usize::from(!role.is_server())].borrow()
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

/// Whether about half of many bits are set, within seven standard deviations.
pub(crate) fn balanced(bits: &BitVec) -> bool {
    let ones = bits.iter().filter(|&bit| bit).count();
    (2 * ones).abs_diff(bits.len()).pow(2) < 49 * bits.len()
}

/// Checks that a protocol gives uniform and fresh shares, thousands of them: every bit of either party's is balanced, and so is what
/// differs when the same session runs it again on the same secrets.
pub(crate) fn check_fresh(
    bits: Bits,
    rounds: &Rounds,
    protocol: impl AsyncFn(&Party<'_>) -> Result<Vec<u64>, Error> + Sync,
) {
    let twice = rounds.clone().then(rounds.clone());
    let ends = run(&twice, async |party| {
        Ok([protocol(party).await?, protocol(party).await?])
    });
    for (end, j) in ends
        .iter()
        .flat_map(|end| (0..bits.get()).map(move |j| (end, j)))
    {
        let [first, second] = end.each_ref().map(|share| BitVec::bit_of(share, j));
        assert!(balanced(&first) && balanced(&second));
        assert!(balanced(&first.xor(&second)));
    }
}

/// Checks that each of `parties` masks its bits, the last that it says in `protocol`, by balanced and fresh ones.
pub(crate) fn check_masks(
    parties: &[Role],
    protocol: impl AsyncFn(&Party<'_>, &BitVec) -> Result<Vec<u64>, Error> + Sync,
) {
    let n = 4096;
    let last = |times, bit| {
        let bits = BitVec::from_fn(n, |_| bit);
        let said = said_last(n, async |party| {
            for _ in 0..times {
                protocol(party, &bits).await?;
            }
            Ok(())
        });
        parties
            .iter()
            .map(|&role| own::<BitVec, _>(role, &said).clone())
            .collect::<Vec<_>>()
    };
    let (zeros, ones) = (last(1, false), last(1, true));
    for (zeros, ones) in zeros.iter().zip(&ones) {
        assert!(zeros.xor(ones).iter().all(|bit| bit));
    }
    // Of either party, in the first run and in the second of one session: no two are alike.
    let masks = [zeros, last(2, false)].concat();
    for (i, mask) in masks.iter().enumerate() {
        assert!(balanced(mask));
        assert!(masks[..i].iter().all(|other| balanced(&mask.xor(other))));
    }
}

/// Keeps what either party says on the online stream.
#[derive(Default)]
struct Recorder([Mutex<Vec<u8>>; 2]);

impl Relay for Recorder {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        if way.stream == ONLINE {
            let said = &self.0[usize::from(!way.from.is_server())];
            said.lock().expect("no panic").extend_from_slice(bytes);
        }
        bytes.len()
    }
}

/// The `n` bits that each party says last.
fn said_last(
    n: usize,
    protocol: impl AsyncFn(&Party<'_>) -> Result<(), Error> + Sync,
) -> [BitVec; 2] {
    let recorder = Arc::new(Recorder::default());
    let line = Memory {
        relay: Some(Arc::clone(&recorder) as Arc<dyn Relay>),
        ..Memory::default()
    };
    let end = |s: &mut Session| s.run(&protocol).expect("an honest run succeeds");
    run_sessions_over(&line, 1, end, end);
    recorder.0.each_ref().map(|said| {
        let said = said.lock().expect("no panic");
        BitVec::from_bytes(n, &said[said.len() - BitVec::byte_len(n)..])
    })
}
