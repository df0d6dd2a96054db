//! Bytes and flights, phase by phase, as one party saw them.

use std::borrow::Cow;

use crate::{Cost, Role, Segment};

/// The name of the phase that holds the bytes of the handshake, before any protocol.
pub const HANDSHAKE: &str = "handshake";

/// One named stretch of a channel's life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phase {
    name: Cow<'static, str>,
    cost: Cost,
}

impl Phase {
    /// The name given to [`crate::Channel::enter_phase`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its flights; the count of correlations is always zero here.
    #[must_use]
    pub fn cost(&self) -> &Cost {
        &self.cost
    }
}

/// The account of one channel: phases in order, each with its flights.
///
/// Both parties of a channel that names its phases alike keep equal ledgers. What is counted are the
/// bytes the protocol sends; the headers of TCP and TLS are not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    phases: Vec<Phase>,
}

impl Ledger {
    pub(crate) fn new(first: &'static str) -> Self {
        let mut ledger = Self { phases: Vec::new() };
        ledger.enter(Cow::Borrowed(first));
        ledger
    }

    /// The phases in order, silent ones included.
    #[must_use]
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phase in progress.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "a ledger starts with a phase and never loses one"
    )]
    pub fn current(&self) -> &Phase {
        self.phases
            .last()
            .expect("a ledger has a phase from the start")
    }

    /// Every phase after the handshake, one after the other. A flight that runs across the end of a phase counts once.
    #[must_use]
    pub fn measured(&self) -> Cost {
        let phases = self.phases.iter().filter(|p| p.name != HANDSHAKE);
        phases.map(|phase| phase.cost.clone()).sum()
    }

    /// Bytes from the client to the server, handshake included.
    #[must_use]
    pub fn bytes_to_server(&self) -> u64 {
        self.phases.iter().map(|p| p.cost.bytes_to_server()).sum()
    }

    /// Bytes from the server to the client, handshake included.
    #[must_use]
    pub fn bytes_to_client(&self) -> u64 {
        self.phases.iter().map(|p| p.cost.bytes_to_client()).sum()
    }

    /// Flights of all phases, handshake included.
    #[must_use]
    pub fn flights(&self) -> usize {
        self.phases.iter().map(|p| p.cost.flights()).sum()
    }

    pub(crate) fn enter(&mut self, name: Cow<'static, str>) {
        self.phases.push(Phase {
            name,
            cost: Cost::none(),
        });
    }

    /// Counts what `speaker` says and what it hears in the same flight.
    pub(crate) fn record(&mut self, speaker: Role, sent: usize, received: usize) {
        let (sent, received) = (sent as u64, received as u64);
        let segment = match speaker {
            Role::Server => Segment {
                to_server: received,
                to_client: sent,
            },
            Role::Client => Segment {
                to_server: sent,
                to_client: received,
            },
        };
        let current = self
            .phases
            .last_mut()
            .expect("a ledger has a phase from the start");
        current.cost.push(segment);
    }
}
