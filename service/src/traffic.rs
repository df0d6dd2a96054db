//! What all runs of a session together will draw and send, known before they begin.

use channel::{Cots, Role};
use ot::Extension;
use secure::SecureNetwork;

/// The correlations that `runs` runs of a network draw.
pub(crate) fn cots(network: &SecureNetwork, runs: u64) -> Cots {
    network.cost().cots.times(runs)
}

/// The bytes of a session of `runs` runs, in both directions: the set-up, the runs, and the refills of the
/// correlations that they draw.
pub(crate) fn bytes(network: &SecureNetwork, runs: u64, extension: &dyn Extension) -> u64 {
    let one = network.cost().bytes();
    let cots = cots(network, runs);
    let pools = [
        (Role::Server, cots.server_sends),
        (Role::Client, cots.client_sends),
    ];
    pools
        .into_iter()
        .flat_map(|(sender, n)| {
            let set_up = extension.setup_cost(sender);
            [set_up, extension.refill_cost(n, sender)]
        })
        .fold(one.saturating_mul(runs), |sum, cost| {
            sum.saturating_add(cost.bytes())
        })
}
