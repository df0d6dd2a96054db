//! Which OT extension makes the correlations of a network.

use std::sync::Arc;

use channel::{Cots, Role};
use linear::work;
use nets::IntGraph;
use ot::{EXTENSIONS, Extension, default_extension};

use crate::price::float;
use crate::{CpuModel, Error, Limits, Mode, NetworkSpeed, SecureNetwork};

/// Correlations in one direction up to which a silent pool makes them by `SoftSpokenOT` all the same, with more work than the
/// default extension.
const LITTLE: u64 = 100_000;

/// How the OT extension of a session is chosen. It depends on public parameters only.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ExtensionChoice {
    /// The one of [`EXTENSIONS`] that takes the least time for what a run draws, on a network of this speed.
    Auto(NetworkSpeed),
    /// This one.
    Always(&'static dyn Extension),
}

impl Default for ExtensionChoice {
    fn default() -> Self {
        Self::Auto(NetworkSpeed::LAN)
    }
}

impl ExtensionChoice {
    /// The extension for sessions of `runs` runs of a graph.
    ///
    /// # Errors
    /// As [`SecureNetwork::within`], and [`Error::Option`] for a network of no speed.
    pub fn extension(
        &self,
        graph: &Arc<IntGraph>,
        mode: Mode,
        runs: u64,
        limits: &Limits,
    ) -> Result<&'static dyn Extension, Error> {
        let network = match self {
            Self::Always(extension) => return Ok(*extension),
            Self::Auto(network) => network,
        };
        network.check()?;
        // Cheaper correlations make more of them worth while, which only speaks for the extension that made them cheap.
        let price = default_extension().price();
        let plan = SecureNetwork::within(limits, Arc::clone(graph), mode, price)?;
        Ok(fastest_extension(plan.cost().cots.times(runs), network))
    }
}

/// The one of [`EXTENSIONS`] that makes so many correlations in the least time: that of its set-up and refills on the
/// network, and that of the processors of [`CpuModel::default`], both parties' together, as `plan` adds them up.
///
/// Little demand and fast networks speak for `SoftSpokenOT`, slow networks for large silent sets.
#[must_use]
pub fn fastest_extension(cots: Cots, network: &NetworkSpeed) -> &'static dyn Extension {
    if cots.server_sends.max(cots.client_sends) < LITTLE {
        return default_extension();
    }
    let cpu = CpuModel::default();
    let seconds = |extension: &dyn Extension| {
        let pools = [
            (Role::Server, cots.server_sends),
            (Role::Client, cots.client_sends),
        ];
        let bytes = pools.map(|(sender, n)| {
            extension.setup_cost(sender).bytes() + extension.refill_cost(n, sender).bytes()
        });
        let cot = cpu.clone().of_extension(extension).unit(work::COTS);
        float(bytes.iter().sum()) / network.bytes_per_s + cot * float(cots.total())
    };
    let timed = EXTENSIONS.map(|extension| (extension, seconds(extension)));
    let fastest = timed.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    fastest.map_or_else(default_extension, |(extension, _)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(cots: u64, bits_per_s: f64) -> &'static str {
        let network = NetworkSpeed {
            bytes_per_s: bits_per_s / 8.0,
            rtt_s: 0.0,
        };
        let cots = Cots {
            server_sends: cots / 2,
            client_sends: cots - cots / 2,
        };
        fastest_extension(cots, &network).name()
    }

    #[test]
    fn networks_and_demands_decide() {
        for rate in [1e9, 3e9, 1e12] {
            assert_eq!(chosen(0, rate), "softspoken");
            assert_eq!(chosen(2 * LITTLE - 2, rate), "softspoken");
        }
        for many in [10_000_000, 1_000_000_000] {
            assert_eq!(chosen(many, 1e11), "softspoken");
            assert_eq!(chosen(many, 3e9), "softspoken");
            assert_eq!(chosen(many, 1e9), "silent-small-twice");
            assert_eq!(chosen(many, 3e8), "silent-small-twice");
            assert_eq!(chosen(many, 2e7), "silent-large");
        }
    }

    /// Once an extension has lost to one that sends less, it does not come back on a slower network.
    #[test]
    fn slower_networks_never_send_more() {
        let price = |rate: f64| {
            let name = chosen(1 << 30, rate);
            let found = EXTENSIONS.iter().find(|one| one.name() == name);
            found.expect("one of them").price()
        };
        let rates = (0..60).map(|i| 1e12 / 1.5_f64.powi(i));
        assert!(
            rates
                .map(price)
                .collect::<Vec<_>>()
                .is_sorted_by(|a, b| a >= b)
        );
    }
}
