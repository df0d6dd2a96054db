//! What a host counts, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::RefusalKind;
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

impl Counts {
    /// How long sessions took that were served.
    fn seconds(&self, text: &mut String) {
        const NAME: &str = "blindray_session_seconds";
        let _ = writeln!(text, "# HELP {NAME} Seconds of sessions that were served.");
        let _ = writeln!(text, "# TYPE {NAME} histogram");
        for (within, bound) in self.within.iter().zip(BOUNDS) {
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{bound}\"}} {within}");
        }
        let (served, seconds) = (self.served, self.seconds);
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {served}");
        let _ = writeln!(text, "{NAME}_sum {seconds}");
        let _ = writeln!(text, "{NAME}_count {served}");
    }
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
            Err((_, None)) => counts.failed += 1,
        }
    }

    pub(super) fn text(
        &self,
        running: usize,
        (waiting, urgent): (usize, usize),
        stock: Option<Stock>,
    ) -> String {
        let counts = self.lock();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP blindray_{name} {help}");
            let _ = writeln!(text, "# TYPE blindray_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "blindray_{name}{labels} {value}");
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let plain = |value: u64| [(String::new(), value as f64)];
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let with =
            |key: &str, word: &str, value: u64| (format!("{{{key}=\"{word}\"}}"), value as f64);
        let gauge = "gauge";
        let counter = "counter";
        let help = "Sessions at hand.";
        family("sessions_running", gauge, help, &plain(running as u64));
        let refused: u64 = counts.refused.iter().sum();
        let ended = [
            with("outcome", "served", counts.served),
            with("outcome", "refused", refused),
            with("outcome", "failed", counts.failed),
        ];
        let help = "Sessions that have ended.";
        family("sessions_total", counter, help, &ended);
        let kinds = RefusalKind::ALL.iter().zip(counts.refused);
        let reasons = kinds.map(|(kind, count)| with("reason", kind.word(), count));
        let reasons: Vec<_> = reasons.collect();
        let help = "Sessions that were refused, by reason.";
        family("refusals_total", counter, help, &reasons);
        let help = "Connections that came to no session.";
        family(
            "turned_away_total",
            counter,
            help,
            &plain(counts.turned_away),
        );
        let help = "Images of sessions that were served.";
        family("images_total", counter, help, &plain(counts.images));
        let help = "Preparations that were made.";
        family("prepared_total", counter, help, &plain(counts.prepared));
        let bytes = [
            with("direction", "in", counts.received),
            with("direction", "out", counts.sent),
        ];
        let help = "Bytes of sessions that have ended.";
        family("bytes_total", counter, help, &bytes);
        counts.seconds(&mut text);
        let mut family = |name: &str, help: &str, value: u64| {
            let _ = writeln!(text, "# HELP blindray_{name} {help}");
            let _ = writeln!(text, "# TYPE blindray_{name} gauge");
            let _ = writeln!(text, "blindray_{name} {value}");
        };
        let help = "Clients in line for a session, the urgent included.";
        family("waiting", help, waiting as u64);
        family("waiting_urgent", "Urgent clients in line.", urgent as u64);
        let help = "Whether the store answers.";
        family("store_up", help, u64::from(stock.is_some()));
        if let Some(Stock { lots, bytes }) = stock {
            family(
                "preparations",
                "Preparations in stock, of all clients.",
                lots,
            );
            family("preparation_bytes", "Their bytes.", bytes);
        }
        text
    }
}
