//! What a stored preparation for one image takes, before anything runs.

use channel::{Cost, Role};
use secure::{Error, SecureNetwork};
use serde::Serialize;
use service::{Comm, Extension};

use crate::failure::{Failure, Outcome};
use crate::text::bytes;

/// What a preparation takes when it is made, when it is kept, and when it is used.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Preparation {
    Possible {
        /// What each party keeps of it; sealed and in a file it has about a hundred bytes more.
        kept_bytes: u64,
        /// The session of `prepare`.
        made: Comm,
        /// The session of `infer`, which finds it.
        used: Comm,
    },
    /// Why there is none.
    Impossible { impossible: String },
}

impl Preparation {
    /// Of a network that is planned with a phase ahead, for so many runs of it.
    pub(crate) fn new(
        network: &SecureNetwork,
        phase: &Cost,
        runs: u64,
        extension: &dyn Extension,
    ) -> Outcome<Self> {
        let draws = match network.client_draws() {
            Ok(draws) => draws,
            Err(error @ Error::TooLarge { .. }) => {
                let impossible = error.to_string();
                return Ok(Self::Impossible { impossible });
            }
            Err(error) => return Err(Failure::input(error)),
        };
        let (keys, stock, run) = (network.set_up_cost(), draws.cost(), network.cost());
        let cots = phase.cots.plus(run.cots.times(runs));
        let pools = [
            (Role::Server, cots.server_sends),
            (Role::Client, cots.client_sends),
        ];
        let refills = pools.map(|(sender, n)| extension.refill_cost(n, sender));
        let [mut made, mut used] = [Comm::default(); 2];
        made.setup_client_to_server_bytes = keys.bytes_to_server();
        made.setup_server_to_client_bytes = keys.bytes_to_client();
        made.ahead_client_to_server_bytes =
            phase.bytes_to_server() + runs * stock.bytes_to_server();
        made.ahead_server_to_client_bytes =
            phase.bytes_to_client() + runs * stock.bytes_to_client();
        made.ahead_flights = (phase.flights() as u64) + runs * (stock.flights() as u64);
        made.refill_client_to_server_bytes = refills.iter().map(Cost::bytes_to_server).sum();
        made.refill_server_to_client_bytes = refills.iter().map(Cost::bytes_to_client).sum();
        used.client_to_server_bytes = runs * run.bytes_to_server();
        used.server_to_client_bytes = runs * run.bytes_to_client();
        used.flights = runs * (run.flights() as u64);
        Ok(Self::Possible {
            kept_bytes: runs * network.stock_bytes(&draws),
            made,
            used,
        })
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Possible {
                kept_bytes,
                made,
                used,
            } => format!(
                "from a preparation: {} to make it, {} kept on the disk of either side; with the image: {} in {} flights",
                bytes(made.total_bytes()),
                bytes(*kept_bytes),
                bytes(used.total_bytes()),
                used.flights
            ),
            Self::Impossible { impossible } => format!("no preparation is possible: {impossible}"),
        }
    }
}
