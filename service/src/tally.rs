//! What the runs of a session cost, measured.

use channel::Cost;
use secure::{AheadReport, LayerReport, RunReport};
use sharing::Session;

use crate::Comm;

/// Sums over runs, from when it is made.
pub(crate) struct Tally {
    comm: Comm,
    layers: Vec<LayerReport>,
    refill_before: [u64; 2],
    ahead_s: f64,
}

/// What was spent.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Spent {
    pub(crate) comm: Comm,
    /// Seconds of the phase ahead.
    pub(crate) ahead_s: f64,
}

impl Tally {
    /// From here, after what was done before.
    pub(crate) fn start(session: &Session, before: Spent) -> Self {
        Self {
            comm: before.comm,
            layers: Vec::new(),
            refill_before: refill(session),
            ahead_s: before.ahead_s,
        }
    }

    /// Seconds of phases ahead so far.
    pub(crate) const fn ahead_s(&self) -> f64 {
        self.ahead_s
    }

    /// Adds what linear layers need once in a session.
    pub(crate) fn add_set_up(&mut self, cost: &Cost) {
        self.comm.setup_client_to_server_bytes += cost.bytes_to_server();
        self.comm.setup_server_to_client_bytes += cost.bytes_to_client();
    }

    /// The session has pools from here. What they took to begin is no image's.
    pub(crate) fn begin_pools(&mut self, session: &Session) {
        self.refill_before = refill(session);
    }

    /// Adds a phase ahead.
    pub(crate) fn add_ahead(&mut self, phase: &AheadReport) {
        self.add_set_up(&phase.set_up);
        self.comm.ahead_client_to_server_bytes += phase.cost.bytes_to_server();
        self.comm.ahead_server_to_client_bytes += phase.cost.bytes_to_client();
        self.comm.ahead_flights += phase.cost.flights() as u64;
        self.ahead_s += phase.seconds;
    }

    /// Adds a preparation, as a phase ahead.
    pub(crate) fn add_stock(&mut self, cost: &Cost) {
        self.comm.ahead_client_to_server_bytes += cost.bytes_to_server();
        self.comm.ahead_server_to_client_bytes += cost.bytes_to_client();
        self.comm.ahead_flights += cost.flights() as u64;
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, run: RunReport) {
        self.add_set_up(&run.set_up);
        self.comm.client_to_server_bytes += run.cost.bytes_to_server();
        self.comm.server_to_client_bytes += run.cost.bytes_to_client();
        self.comm.flights += run.cost.flights() as u64;
        if self.layers.is_empty() {
            self.layers = run.layers;
            return;
        }
        for (sum, layer) in self.layers.iter_mut().zip(run.layers) {
            sum.macs += layer.macs;
            sum.client_to_server_bytes += layer.client_to_server_bytes;
            sum.server_to_client_bytes += layer.server_to_client_bytes;
            sum.flights += layer.flights;
            sum.server_cots += layer.server_cots;
            sum.client_cots += layer.client_cots;
            sum.seconds += layer.seconds;
            sum.cost = [std::mem::take(&mut sum.cost), layer.cost]
                .into_iter()
                .sum();
        }
    }

    /// The traffic so far.
    pub(crate) fn comm(&self, session: &Session) -> Comm {
        let (mut comm, [up, down]) = (self.comm, refill(session));
        comm.refill_client_to_server_bytes += up - self.refill_before[0];
        comm.refill_server_to_client_bytes += down - self.refill_before[1];
        comm
    }

    /// All of it.
    pub(crate) fn finish(self, session: &Session) -> (Spent, Vec<LayerReport>) {
        let (comm, ahead_s) = (self.comm(session), self.ahead_s);
        (Spent { comm, ahead_s }, self.layers)
    }
}

/// Bytes so far on the refill streams, set-up included: up, down.
fn refill(session: &Session) -> [u64; 2] {
    let ledgers = session.refill_ledgers().into_iter().flatten();
    let costs = ledgers.map(channel::Ledger::measured);
    costs.fold([0; 2], |[up, down], cost: Cost| {
        [up + cost.bytes_to_server(), down + cost.bytes_to_client()]
    })
}
