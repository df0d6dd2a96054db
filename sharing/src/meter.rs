//! What a session has spent.

use channel::{Channel, Cost, Cots, Segment};

/// Follows the online stream's accounts from a mark, and keeps the cost of joined forks in its
/// place between them.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Everything since the mark up to the last `settle`.
    settled: Cost,
    /// How many of the stream's segments lie before that.
    skip: usize,
    /// COT counters at the mark, plus what was handed to forks since.
    from: Cots,
}

impl Meter {
    pub(crate) fn start(online: &Channel, drawn: Cots) -> Self {
        Self {
            settled: Cost::none(),
            skip: online.measured().segments().len(),
            from: drawn,
        }
    }

    /// Counts from here. The stream starts a new run of its present phase, so that bytes on
    /// either side of the mark stay apart.
    pub(crate) fn mark(&mut self, online: &mut Channel, drawn: Cots) {
        cut(online);
        *self = Self::start(online, drawn);
    }

    /// `cots` left the session's own pools for forks; what the forks draw comes back with
    /// [`Meter::place`].
    pub(crate) const fn hand_out(&mut self, cots: Cots) {
        self.from = self.from.plus(cots);
    }

    /// Places the forks' cost after everything spent so far.
    pub(crate) fn place(&mut self, online: &mut Channel, forks: Cost) {
        cut(online);
        let own = self.since_settled(online);
        self.skip += own.len();
        let settled = std::mem::take(&mut self.settled);
        self.settled = settled.then(replay(&own)).then(forks);
    }

    pub(crate) fn measured(&self, online: &Channel, drawn: &Cots) -> Cost {
        let own = replay(&self.since_settled(online));
        self.settled.clone().then(own).with_cots(
            drawn.server_sends - self.from.server_sends,
            drawn.client_sends - self.from.client_sends,
        )
    }

    fn since_settled(&self, online: &Channel) -> Vec<Segment> {
        online.measured().segments()[self.skip..].to_vec()
    }
}

/// Ends the run of bytes in progress without leaving the phase.
fn cut(online: &mut Channel) {
    let name = online.ledger().current().name().to_owned();
    online.enter_phase(name);
}

fn replay(segments: &[Segment]) -> Cost {
    segments.iter().fold(Cost::none(), |cost, segment| {
        cost.then(Cost::exchange(segment.to_server, segment.to_client))
    })
}
