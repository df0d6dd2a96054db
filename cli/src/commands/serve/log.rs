//! What a server says while it serves: sentences for people, or an object with a field for each fact. No image, no finding and
//! no key is among them.

use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use channel::TurnedAway;
use service::{Error, Event, Peer, RefusalKind, Served};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event as Record, Subscriber, debug, error, info, warn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogFormat, LogLevel};
use crate::plain;
use crate::text::{counted, hex};

/// The least time between two notes about strangers.
const PAUSE: Duration = Duration::from_secs(1);

/// Sets up what is logged; once in a process.
pub(super) fn start(format: LogFormat, level: LogLevel, quiet: bool) {
    let level = match level {
        _ if quiet => LevelFilter::ERROR,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(Errors);
    let started = match format {
        LogFormat::Text => {
            let layer = layer.event_format(Sentences);
            tracing_subscriber::registry()
                .with(layer)
                .with(level)
                .try_init()
        }
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_target(false);
            tracing_subscriber::registry()
                .with(layer)
                .with(level)
                .try_init()
        }
    };
    // Only a second call fails, and the first one holds.
    drop(started);
}

/// Standard error. Where it is closed, the server goes on.
struct Errors;

impl<'a> MakeWriter<'a> for Errors {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Time, level and message on a line.
struct Sentences;

impl<S, N> FormatEvent<S, N> for Sentences
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        record: &Record<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let mut message = Message(String::new());
        record.record(&mut message);
        writeln!(
            writer,
            " {:5} {}",
            record.metadata().level(),
            plain::line(&message.0)
        )
    }
}

/// The sentence among the fields of a record.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Logs what happens at a host.
#[derive(Default)]
pub(super) struct Log(Mutex<Strangers>);

/// Notes about clients who did not come to a session: no more than one a second, so that a crowd does not fill the log.
#[derive(Default)]
struct Strangers {
    last: Option<Instant>,
    unsaid: usize,
}

fn called(peer: &Peer<'_>) -> String {
    match peer.identity {
        Some(identity) => format!("{} ({})", peer.address, identity.name),
        None => peer.address.to_owned(),
    }
}

/// A session that was served.
fn done(peer: &Peer<'_>, served: &Served, seconds: f64) {
    let images = counted(served.images as usize, "image");
    let how = match (served.prepared, served.stocked, served.without) {
        (0, false, _) => "",
        (0, true, 0) => ", prepared before,",
        (0, true, _) => ", some of them prepared before,",
        _ => " prepared",
    };
    if served.damaged > 0 {
        warn!(
            session = peer.session,
            damaged = served.damaged,
            "{}: {} of this client did not open, and were deleted; it went on with others, or without",
            called(peer),
            counted(
                usize::try_from(served.damaged).unwrap_or(usize::MAX),
                "preparation"
            )
        );
    }
    info!(
        session = peer.session,
        peer = peer.address,
        client = peer.identity.map(|identity| identity.name.as_str()),
        key = peer.identity.map(|identity| hex(&identity.key)),
        model = hex(&peer.model),
        images = served.images,
        prepared = served.prepared,
        stocked = served.stocked,
        without = served.without,
        mode = %served.mode,
        bytes = served.comm.total_bytes(),
        seconds,
        "{}: {images}{how} in {seconds:.2} s",
        called(peer)
    );
}

/// One that was not.
fn broken(peer: &Peer<'_>, error: &Error, refused: Option<RefusalKind>, seconds: f64) {
    if matches!(error, Error::OnlyMeasured) {
        return info!(session = peer.session, "{}: {error}", called(peer));
    }
    // As whoever runs it wants.
    if let Some(why) = error.peer_left() {
        return info!(
            session = peer.session,
            peer = peer.address,
            client = peer.identity.map(|identity| identity.name.as_str()),
            left = %why,
            seconds,
            "{}: {error}",
            called(peer)
        );
    }
    warn!(
        session = peer.session,
        peer = peer.address,
        client = peer.identity.map(|identity| identity.name.as_str()),
        key = peer.identity.map(|identity| hex(&identity.key)),
        model = hex(&peer.model),
        refused = refused.map(RefusalKind::word),
        %error,
        seconds,
        "{}: {error}",
        called(peer)
    );
}

impl Log {
    pub(super) fn note(&self, event: &Event<'_>) {
        match event {
            Event::TurnedAway { turned_away } => self.turn_away(turned_away),
            Event::NoThread { error } => error!(%error, "a client was turned away: {error}"),
            Event::Opened { peer } => {
                debug!(
                    session = peer.session,
                    peer = peer.address,
                    client = peer.identity.map(|identity| identity.name.as_str()),
                    model = hex(&peer.model),
                    "{}: session {} begins",
                    called(peer),
                    peer.session
                );
            }
            Event::Granted { peer, asked } => {
                let images = counted(asked.images as usize, "image");
                debug!(
                    session = peer.session,
                    images = asked.images,
                    mode = %asked.mode,
                    ahead = asked.ahead,
                    bytes = asked.bytes,
                    "{}: may ask about {images} in {} mode",
                    called(peer),
                    asked.mode
                );
            }
            Event::Image { peer, number } => {
                debug!(
                    session = peer.session,
                    number,
                    "{}: image {number}",
                    called(peer)
                );
            }
            Event::Ended {
                peer,
                outcome,
                seconds,
            } => match outcome {
                Ok(served) => done(peer, served, *seconds),
                Err((error, refused)) => broken(peer, error, *refused, *seconds),
            },
            Event::Audit { error } => error!(%error, "{error}"),
            Event::Store { error } => error!(%error, "{error}"),
            Event::StoreBack => info!("the store is available again"),
            // What a later version tells as well.
            other => debug!("{other:?}"),
        }
    }

    fn turn_away(&self, turned_away: &TurnedAway) {
        let mut strangers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.last.is_some_and(|last| last.elapsed() < PAUSE) {
            strangers.unsaid += 1;
            return;
        }
        let unsaid = std::mem::take(&mut strangers.unsaid);
        let others = match unsaid {
            0 => String::new(),
            n => format!(" (and {n} others before)"),
        };
        let identity = turned_away.identity.as_ref();
        warn!(
            peer = turned_away.peer.map(|peer| peer.to_string()),
            client = identity.map(|identity| identity.name.as_str()),
            error = %turned_away.error,
            unsaid,
            "a client was turned away: {turned_away}{others}"
        );
        strangers.last = Some(Instant::now());
    }
}
