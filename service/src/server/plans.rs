//! Networks as planned for the modes of a server.

use std::sync::{Arc, OnceLock};

use nets::IntGraph;
use ot::CotPrice;
use secure::{Limits, Mode, SecureNetwork, ServerWeights};
use sharing::Draws;

use crate::Error;

/// A network as planned for one mode.
#[derive(Debug)]
pub(super) struct Plans {
    plain: SecureNetwork,
    /// With a phase ahead; `None` if no layer can have one.
    ahead: Option<SecureNetwork>,
    /// What a run with one draws, once somebody wants preparations, or why there can be none.
    draws: OnceLock<Result<Draws, String>>,
}

impl Plans {
    pub(super) fn new(
        limits: &Limits,
        graph: &Arc<IntGraph>,
        mode: Mode,
        price: CotPrice,
    ) -> Result<Self, Error> {
        let plain = SecureNetwork::within(limits, Arc::clone(graph), mode, price)?;
        let ahead = plain.can_run_ahead();
        let ahead = ahead.then(|| SecureNetwork::ahead(limits, Arc::clone(graph), mode, price));
        let ahead = ahead.transpose()?;
        let draws = OnceLock::new();
        Ok(Self {
            plain,
            ahead,
            draws,
        })
    }

    /// What a run draws.
    pub(super) fn draws(&self, weights: &ServerWeights) -> Result<&Draws, String> {
        let draws = || {
            let draws = self.get(true).server_draws(weights);
            draws.map_err(|error| error.to_string())
        };
        self.draws
            .get_or_init(draws)
            .as_ref()
            .map_err(String::clone)
    }

    pub(super) fn get(&self, ahead: bool) -> &SecureNetwork {
        self.ahead.as_ref().filter(|_| ahead).unwrap_or(&self.plain)
    }
}
