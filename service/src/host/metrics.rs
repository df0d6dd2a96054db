//! What a host counts, in the text format of Prometheus.

use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::RefusalKind;
use super::status::Totals;
use crate::{Error, Served, Stock};

/// Upper bounds of the seconds of sessions.
const BOUNDS: [f64; 12] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0,
];

#[derive(Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    served: u64,
    failed: u64,
    measured: u64,
    refused: [u64; RefusalKind::ALL.len()],
    turned_away: u64,
    images: u64,
    prepared: u64,
    received: u64,
    sent: u64,
    /// Sessions that were served within each bound, and of any length.
    within: [u64; BOUNDS.len()],
    seconds: f64,
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turned_away(&self) {
        self.lock().turned_away += 1;
    }

    pub(super) fn failed(&self) {
        self.lock().failed += 1;
    }

    pub(super) fn ended(
        &self,
        outcome: &Result<Served, (Error, Option<RefusalKind>)>,
        seconds: f64,
        received: u64,
        sent: u64,
    ) {
        let mut counts = self.lock();
        counts.received += received;
        counts.sent += sent;
        match outcome {
            Ok(served) => {
                counts.served += 1;
                match served.prepared {
                    0 => counts.images += u64::from(served.images),
                    prepared => counts.prepared += prepared,
                }
                counts.seconds += seconds;
                for (within, bound) in counts.within.iter_mut().zip(BOUNDS) {
                    *within += u64::from(seconds <= bound);
                }
            }
            Err((_, Some(kind))) => {
                let place = RefusalKind::ALL.iter().position(|one| one == kind);
                counts.refused[place.expect("all are there")] += 1;
            }
            Err((Error::OnlyMeasured, None)) => counts.measured += 1,
            Err((_, None)) => counts.failed += 1,
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let counts = self.lock();
        Totals {
            served: counts.served,
            refused: counts.refused.iter().sum(),
            failed: counts.failed,
            images: counts.images,
            prepared: counts.prepared,
            bytes: counts.received + counts.sent,
        }
    }

    pub(super) fn text(
        &self,
        running: usize,
        (waiting, urgent): (usize, usize),
        stock: Option<Stock>,
        audited: Option<bool>,
    ) -> String {
        let counts = self.lock();
        let mut text = Text::default();
        text.gauge("sessions_running", "Sessions at hand.", running as u64);
        let refused = counts.refused.iter().sum();
        let outcomes = [
            ("served", counts.served),
            ("refused", refused),
            ("failed", counts.failed),
            ("measured", counts.measured),
        ];
        let help = "Sessions that have ended.";
        text.counters("sessions_total", help, "outcome", outcomes);
        let kinds = RefusalKind::ALL.iter().map(|kind| kind.word());
        let help = "Sessions that were refused, by reason.";
        let refusals = kinds.zip(counts.refused);
        text.counters("refusals_total", help, "reason", refusals);
        let help = "Connections that came to no session.";
        text.counter("turned_away_total", help, counts.turned_away);
        let help = "Images of sessions that were served.";
        text.counter("images_total", help, counts.images);
        let help = "Preparations that were made.";
        text.counter("prepared_total", help, counts.prepared);
        let bytes = [("in", counts.received), ("out", counts.sent)];
        let help = "Bytes of sessions that have ended.";
        text.counters("bytes_total", help, "direction", bytes);
        let help = "Seconds of sessions that were served.";
        text.histogram("session_seconds", help, &counts);
        let help = "Clients in line for a session, the urgent included.";
        text.gauge("waiting", help, waiting as u64);
        text.gauge("waiting_urgent", "Urgent clients in line.", urgent as u64);
        if let Some(audited) = audited {
            let help = "Whether the audit log takes lines.";
            text.gauge("audit_up", help, u64::from(audited));
        }
        let help = "Whether the store answers and can be written.";
        text.gauge("store_up", help, u64::from(stock.is_some()));
        if let Some(Stock { lots, bytes }) = stock {
            let help = "Preparations in stock, of all clients.";
            text.gauge("preparations", help, lots);
            text.gauge("preparation_bytes", "Their bytes.", bytes);
        }
        text.0
    }
}

/// Families of metrics, as Prometheus reads them.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP blindray_{name} {help}"));
        self.line(format_args!("# TYPE blindray_{name} {kind}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.line(format_args!("blindray_{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(format_args!("blindray_{name} {value}"));
    }

    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, "counter", help);
        for (word, value) in values {
            self.line(format_args!(
                "blindray_{name}{{{label}=\"{word}\"}} {value}"
            ));
        }
    }

    fn histogram(&mut self, name: &str, help: &str, counts: &Counts) {
        self.head(name, "histogram", help);
        for (within, bound) in counts.within.iter().zip(BOUNDS) {
            self.line(format_args!(
                "blindray_{name}_bucket{{le=\"{bound}\"}} {within}"
            ));
        }
        let (served, seconds) = (counts.served, counts.seconds);
        self.line(format_args!(
            "blindray_{name}_bucket{{le=\"+Inf\"}} {served}"
        ));
        self.line(format_args!("blindray_{name}_sum {seconds}"));
        self.line(format_args!("blindray_{name}_count {served}"));
    }
}
