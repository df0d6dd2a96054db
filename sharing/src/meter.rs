//! What a session and a party have spent.

use channel::{Channel, Cost, Cots, Segment};

/// A point in the accounts of a session.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Phases of the online stream before it.
    phases: usize,
    /// COT counters.
    drawn: Cots,
}

impl Mark {
    /// Marks this point. The stream starts a new phase of the same name, so that bytes on either side stay apart.
    pub(crate) fn here(online: &mut Channel, drawn: Cots) -> Self {
        let name = online.ledger().current().name().to_owned();
        let phases = online.ledger().phases().len();
        online.enter_phase(name);
        Self { phases, drawn }
    }

    /// What was spent since.
    pub(crate) fn since(&self, online: &Channel, drawn: &Cots) -> Cost {
        let phases = online.ledger().phases().iter().skip(self.phases);
        let cost: Cost = phases.map(|phase| phase.cost().clone()).sum();
        cost.with_cots(
            drawn.server_sends - self.drawn.server_sends,
            drawn.client_sends - self.drawn.client_sends,
        )
    }
}

/// The account of a party: what is said in one round is one flight, whoever says it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Account {
    /// Before the last round in which something was said.
    past: Cost,
    /// That round, and what was said in it so far.
    round: u64,
    said: Segment,
}

impl Account {
    /// Adds what is said in a round, the last one or a later one.
    pub(crate) fn say(&mut self, round: u64, said: Segment) {
        self.enter(round);
        self.said.to_server += said.to_server;
        self.said.to_client += said.to_client;
    }

    /// Adds what was spent on the stream itself before what is said in a round.
    pub(crate) fn before(&mut self, round: u64, cost: Cost) {
        self.enter(round);
        self.past = std::mem::take(&mut self.past).then(cost);
    }

    /// All of it.
    pub(crate) fn total(&self) -> Cost {
        let Segment {
            to_server,
            to_client,
        } = self.said;
        self.past.clone().then(Cost::exchange(to_server, to_client))
    }

    fn enter(&mut self, round: u64) {
        if self.round != round {
            self.past = self.total();
            self.round = round;
            self.said = Segment::default();
        }
    }
}
