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
use crate::words::counted;
use crate::{Comm, Discard, Error, Progress, StoreError, Token, traffic};

/// The longest time that a client keeps a preparation, whatever a server says: a year.
const LONGEST: u64 = 366 * 86_400;

/// What a client hears of a store that failed.
pub(crate) const NO_STORE: &str = "its store of preparations is not available";

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

/// What the preparations of an image took, each when it was made; keys, which a session makes once, are counted with its first.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Preparation {
    /// Bytes up.
    pub client_to_server_bytes: u64,
    /// Bytes down.
    pub server_to_client_bytes: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Bytes of it at the end of what is kept.
const NOTE: usize = 24;

const _: () = assert!(
    secure::STOCK_ROOM >= NOTE + sealed::OVERHEAD,
    "a preparation is sealed where it is"
);

impl Preparation {
    /// All bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.client_to_server_bytes
            .saturating_add(self.server_to_client_bytes)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.client_to_server_bytes += other.client_to_server_bytes;
        self.server_to_client_bytes += other.server_to_client_bytes;
        self.seconds += other.seconds;
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            client_to_server_bytes: self.client_to_server_bytes - before.client_to_server_bytes,
            server_to_client_bytes: self.server_to_client_bytes - before.server_to_client_bytes,
            seconds: self.seconds - before.seconds,
        }
    }

    /// Adds it to the bytes of a preparation, which have room for it.
    fn note(&self, noted: &mut Vec<u8>) {
        assert!(noted.capacity() - noted.len() >= NOTE, "room for a note");
        noted.extend_from_slice(&self.client_to_server_bytes.to_le_bytes());
        noted.extend_from_slice(&self.server_to_client_bytes.to_le_bytes());
        noted.extend_from_slice(&self.seconds.to_le_bytes());
    }

    /// Takes it off again.
    pub(crate) fn noted(bytes: &mut Zeroizing<Vec<u8>>) -> Option<Self> {
        let (_, note) = bytes.split_last_chunk::<NOTE>()?;
        let (numbers, _) = note.as_chunks::<8>();
        let note = Self {
            client_to_server_bytes: u64::from_le_bytes(numbers[0]),
            server_to_client_bytes: u64::from_le_bytes(numbers[1]),
            seconds: f64::from_le_bytes(numbers[2]),
        };
        let rest = bytes.len() - NOTE;
        bytes.truncate(rest);
        Some(note)
    }
}

/// The client's side.
pub(crate) fn client(
    mut meeting: Meeting,
    shelf: &Shelf,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Prepared, Error> {
    let (network, runs, place) = (meeting.plan(true)?, meeting.runs(), meeting.place(shelf));
    let draws = network.client_draws()?;
    let bytes = traffic::stock_bytes(&network, &draws, runs, meeting.extension);
    meeting.request.allow(bytes)?;
    meeting.say(true, Work::Prepare)?;
    meeting.control.hear()?;
    let setup_s = meeting.begin.elapsed().as_secs_f64();
    let mut session = meeting.session()?;
    let mut salts = meeting.seed.salts();
    let control = &mut meeting.control;
    let bench = Bench {
        network: &network,
        draws: &draws,
        runs,
        planned: bytes,
    };
    let ahead = |session: &mut Session, images, tell: &mut dyn FnMut(secure::Progress<'_>)| {
        network.prepare_ahead(session, images, tell)
    };
    let (comm, seconds) = bench.make(&mut session, progress, ahead, |mut bytes, spent| {
        spent.note(&mut bytes);
        let (token, lifetime) = control.made()?;
        shelf.put(&place, token, lifetime.min(LONGEST), bytes, &mut salts)?;
        control.name(token)
    })?;
    Ok(Prepared {
        images: meeting.request.images,
        runs,
        bytes_per_run: network.stock_bytes(&draws),
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
    bench.make(session, progress, ahead, |bytes, _| {
        let token = salts.token();
        if let Err(error) = shelf.put(place, token, lifetime, bytes, &mut salts) {
            if let Error::Store(StoreError::Full { most }) = error {
                let full = format!(
                    "it keeps {} of a model for a client, and another session has just made the last",
                    counted(most, "preparation")
                );
                return control.refuse(full).map(|never| match never {});
            }
            // What is the matter with it is nothing for clients.
            let _ = control.refuse(NO_STORE.to_owned());
            return Err(error);
        }
        let confirmed = control.tell(token, lifetime);
        if confirmed.is_err() {
            // The client may have it or not; nobody will have a use for it.
            let _ = shelf.discard(place, token, Discard::Unconfirmed);
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
    /// All bytes that it takes.
    pub(crate) planned: u64,
}

impl Bench<'_> {
    /// Makes all of it, and gives each preparation to `keep`. The traffic, and the seconds.
    pub(crate) fn make(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(Progress<'_>),
        mut ahead: impl Phase,
        mut keep: impl FnMut(Zeroizing<Vec<u8>>, &Preparation) -> Result<(), Error>,
    ) -> Result<(Comm, f64), Error> {
        let (network, runs) = (self.network, self.runs);
        let mut tally = Tally::start(session, Spent::default());
        let begin = Instant::now();
        session.reserve(traffic::cots(network, runs));
        let (mut done, mut before) = (0, Preparation::default());
        while done < runs {
            let images = traffic::ahead_images(network, runs - done);
            let mut tell = |step: secure::Progress<'_>| {
                progress(Progress {
                    planned: Some(self.planned),
                    ..Progress::ahead(step)
                });
            };
            let (left, report) = ahead(session, images, &mut tell)?;
            tally.add_ahead(&report);
            for left in left {
                let (bytes, cost) = network.stock(session, left, self.draws)?;
                tally.add_stock(&cost);
                let comm = tally.comm(session);
                let now = Preparation {
                    client_to_server_bytes: comm.setup_client_to_server_bytes
                        + comm.ahead_client_to_server_bytes
                        + comm.refill_client_to_server_bytes,
                    server_to_client_bytes: comm.setup_server_to_client_bytes
                        + comm.ahead_server_to_client_bytes
                        + comm.refill_server_to_client_bytes,
                    seconds: begin.elapsed().as_secs_f64(),
                };
                keep(bytes, &now.since(&before))?;
                before = now;
                done += 1;
            }
        }
        Ok((tally.finish(session).0.comm, begin.elapsed().as_secs_f64()))
    }
}

/// A token in hexadecimal digits.
pub(crate) fn token_text(token: Token) -> String {
    token.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token from hexadecimal digits.
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
