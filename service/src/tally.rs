//! What the runs of a session cost, measured.

use channel::Cost;
use secure::{LayerReport, RunReport};
use sharing::Session;

use crate::Comm;

/// Sums over runs, from when it is made.
pub(crate) struct Tally {
    comm: Comm,
    layers: Vec<LayerReport>,
    refill_before: [u64; 2],
}

impl Tally {
    pub(crate) fn start(session: &Session) -> Self {
        Self {
            comm: Comm::default(),
            layers: Vec::new(),
            refill_before: refill(session),
        }
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, run: RunReport) {
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

    /// All of it.
    pub(crate) fn finish(mut self, session: &Session) -> (Comm, Vec<LayerReport>) {
        let [up, down] = refill(session);
        self.comm.refill_client_to_server_bytes = up - self.refill_before[0];
        self.comm.refill_server_to_client_bytes = down - self.refill_before[1];
        (self.comm, self.layers)
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
