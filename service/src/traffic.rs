//! What all runs of a session together will draw and send, known before they begin.

use channel::{Cots, Role};
use ot::Extension;
use secure::SecureNetwork;
use sharing::Draws;

/// The correlations that `runs` runs of a network draw, phases ahead included.
pub(crate) fn cots(network: &SecureNetwork, runs: u64) -> Cots {
    let (_, ahead) = network.ahead_total(runs);
    network.cost().cots.times(runs).plus(ahead)
}

/// The bytes of a session of `runs` runs, in both directions: the set-up, the phases ahead, the runs, and the refills of the
/// correlations that they draw.
pub(crate) fn bytes(network: &SecureNetwork, runs: u64, extension: &dyn Extension) -> u64 {
    let online = network.cost().bytes().saturating_mul(runs);
    before_bytes(network, runs, extension).saturating_add(online)
}

/// The bytes of a session that makes preparations for `runs` runs, each of which draws `draws`, in both directions.
pub(crate) fn stock_bytes(
    network: &SecureNetwork,
    draws: &Draws,
    runs: u64,
    extension: &dyn Extension,
) -> u64 {
    let stocks = draws.cost().bytes().saturating_mul(runs);
    before_bytes(network, runs, extension).saturating_add(stocks)
}

/// What comes before some runs, or the preparations for them: set-up, phases ahead, refills.
pub(crate) fn before_bytes(network: &SecureNetwork, runs: u64, extension: &dyn Extension) -> u64 {
    let (ahead, _) = network.ahead_total(runs);
    let once = network.set_up_cost().bytes().saturating_add(ahead);
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
        .fold(once, |sum, cost| sum.saturating_add(cost.bytes()))
}

/// The bytes of a session of `runs` runs of which the last ones, `left` of them, are without preparations, in both directions.
pub(crate) fn detour_bytes(
    network: &SecureNetwork,
    runs: u64,
    left: u64,
    extension: &dyn Extension,
) -> u64 {
    let online = network.cost().bytes().saturating_mul(runs);
    online.saturating_add(before_bytes(network, left, extension))
}

/// For how many of some runs a session runs layers ahead at once. Both parties have the same.
pub(crate) fn ahead_images(network: &SecureNetwork, runs: u64) -> usize {
    let runs = usize::try_from(runs).unwrap_or(usize::MAX);
    network.ahead_images().min(runs)
}
