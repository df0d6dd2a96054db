//! What a session has spent.

use channel::{Channel, Cost, Cots};

/// Follows the online stream's accounts from a mark.
#[derive(Debug)]
pub(crate) struct Meter {
    /// How many of the stream's segments lie before the mark.
    skip: usize,
    /// COT counters at the mark.
    from: Cots,
}

impl Meter {
    pub(crate) fn start(online: &Channel, drawn: Cots) -> Self {
        Self {
            skip: online.measured().flights(),
            from: drawn,
        }
    }

    /// Counts from here. The stream starts a new run of its present phase, so that bytes on
    /// either side of the mark stay apart.
    pub(crate) fn mark(&mut self, online: &mut Channel, drawn: Cots) {
        let name = online.ledger().current().name().to_owned();
        online.enter_phase(name);
        *self = Self::start(online, drawn);
    }

    pub(crate) fn measured(&self, online: &Channel, drawn: &Cots) -> Cost {
        let measured = online.measured();
        let since = measured.segments().skip(self.skip);
        let cost: Cost = since
            .map(|segment| Cost::exchange(segment.to_server, segment.to_client))
            .sum();
        cost.with_cots(
            drawn.server_sends - self.from.server_sends,
            drawn.client_sends - self.from.client_sends,
        )
    }
}
