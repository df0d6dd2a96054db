//! Making preparations: both parties' sides of a session that does nothing else.

use std::time::Instant;

use secure::{Ahead, SecureNetwork};
use serde::Serialize;
use sharing::{Draws, Session};
use zeroize::Zeroizing;

use crate::control::{Control, Work};
use crate::meeting::Meeting;
use crate::seed::Seed;
use crate::shelf::{Place, Shelf};
use crate::tally::{Spent, Tally};
use crate::{Comm, Error, Progress, Token, traffic};

/// The longest time that a client keeps a preparation, whatever a server says: a year.
const LONGEST: u64 = 366 * 86_400;

/// What a session of preparation made and cost.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Prepared {
    /// Images.
    pub images: u32,
    /// Runs: one for each view of an image.
    pub runs: u64,
    /// Bytes that this party keeps of each run, before they are sealed.
    pub bytes_per_run: u64,
    /// Seconds until the server has granted it.
    pub setup_s: f64,
    /// Seconds of the rest: keys, phases ahead, correlations, storing.
    pub seconds: f64,
    /// Its traffic, of which nothing is online.
    pub comm: Comm,
}

/// The client's side.
pub(crate) fn client(
    mut meeting: Meeting,
    shelf: &Shelf,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Prepared, Error> {
    let (network, runs, place) = (meeting.plan(true)?, meeting.runs(), meeting.place());
    meeting.allow(traffic::before_bytes(&network, runs, meeting.extension))?;
    meeting.say(true, Work::Prepare)?;
    // Meanwhile the server does the same.
    let draws = network.client_draws();
    meeting.control.hear()?;
    let (draws, setup_s) = (draws?, meeting.begin.elapsed().as_secs_f64());
    let mut session = meeting.session()?;
    let mut salts = meeting.seed.salts();
    let control = &mut meeting.control;
    let bench = Bench {
        network: &network,
        draws: &draws,
        runs,
    };
    let ahead = |session: &mut Session, images, tell: &mut dyn FnMut(secure::Progress<'_>)| {
        network.prepare_ahead(session, images, tell)
    };
    let (comm, seconds) = bench.make(&mut session, progress, ahead, |bytes| {
        let (token, lifetime) = control.made()?;
        shelf.put(&place, token, lifetime.min(LONGEST), bytes, &mut salts)?;
        control.name(token)
    })?;
    Ok(Prepared {
        images: meeting.request.images,
        runs,
        bytes_per_run: network.stock_bytes(session.role(), &draws),
        setup_s,
        seconds,
        comm,
    })
}

/// The server's side, after it was granted. A preparation that the client does not confirm is deleted again.
pub(crate) fn server(
    control: &mut Control,
    (shelf, place, lifetime): (&Shelf, &Place, u64),
    seed: &Seed,
    session: &mut Session,
    bench: &Bench<'_>,
    ahead: impl Phase,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Comm, f64), Error> {
    let mut salts = seed.salts();
    bench.make(session, progress, ahead, |bytes| {
        let token = salts.token();
        shelf.put(place, token, lifetime, bytes, &mut salts)?;
        let confirmed = control.tell(token, lifetime);
        if confirmed.is_err() {
            // The client may have it or not; nobody will have a use for it.
            let _ = shelf.take(place, token);
        }
        confirmed
    })
}

/// A phase ahead for so many images.
pub(crate) trait Phase:
    FnMut(
    &mut Session,
    usize,
    &mut dyn FnMut(secure::Progress<'_>),
) -> Result<(Vec<Ahead>, secure::AheadReport), secure::Error>
{
}

impl<F> Phase for F where
    F: FnMut(
        &mut Session,
        usize,
        &mut dyn FnMut(secure::Progress<'_>),
    ) -> Result<(Vec<Ahead>, secure::AheadReport), secure::Error>
{
}

/// What is to be made.
pub(crate) struct Bench<'a> {
    pub(crate) network: &'a SecureNetwork,
    pub(crate) draws: &'a Draws,
    pub(crate) runs: u64,
}

impl Bench<'_> {
    /// Makes all of it, and gives each preparation to `keep`. The traffic, and the seconds.
    pub(crate) fn make(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(Progress<'_>),
        mut ahead: impl Phase,
        mut keep: impl FnMut(Zeroizing<Vec<u8>>) -> Result<(), Error>,
    ) -> Result<(Comm, f64), Error> {
        let (network, runs) = (self.network, self.runs);
        let mut tally = Tally::start(session, Spent::default());
        let begin = Instant::now();
        session.reserve(traffic::cots(network, runs));
        let mut done = 0;
        while done < runs {
            let images = traffic::ahead_images(network, runs - done);
            let mut tell = |step: secure::Progress<'_>| progress(Progress::ahead(step));
            let (left, report) = ahead(session, images, &mut tell)?;
            tally.add_ahead(&report);
            for left in left {
                keep(network.stock(session, left, self.draws)?)?;
                done += 1;
            }
        }
        Ok((tally.finish(session).0.comm, begin.elapsed().as_secs_f64()))
    }
}

/// A token in words.
pub(crate) fn token_text(token: Token) -> String {
    token.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token from words.
pub(crate) fn token_of(text: &str) -> Option<Token> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut token = Token([0; 16]);
    if pairs.len() != token.0.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in token.0.iter_mut().zip(pairs) {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(token)
}
