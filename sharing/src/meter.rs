//! What a session has spent.

use channel::{Channel, Cost, Cots};

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
