//! The interface of every algorithm that computes linear layers between two parties.
//!
//! A back-end is a [`LinearAlgorithm`] together with the [`LinearProtocol`] that it plans. Planners
//! compare protocols by [`LinearProtocol::cost`] and [`LinearProtocol::work`], and executors run them;
//! neither knows which one it has.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use channel::Cost;
use ring_arith::Bits;
use sharing::{Party, Rounds};

use crate::{AheadProtocol, Error, LayerParameters, LinearLayer, Prepared, Refusal, SetUp, Work};

/// An algorithm that computes linear layers.
pub trait LinearAlgorithm: fmt::Debug + Send + Sync {
    /// The name of the algorithm, the same in model files, reports and options: lower-case letters,
    /// digits and hyphens.
    fn name(&self) -> &'static str;

    /// The number g of guard bits: results are 2^g times those of the layer, in a ring that is g bits
    /// wider. The truncation after the layer removes them.
    fn guard_bits(&self) -> u32 {
        0
    }

    /// Whether results are 2^g·y + e with a *noise* e, 0 ≤ e < 2^g, in place of 2^g·y. The noise tells of secrets, so nobody may
    /// see it, nor anything that depends on it: whoever takes such a result cuts g or more bits off by an *exact* truncation
    /// before anything else is done with it.
    fn noisy(&self) -> bool {
        false
    }

    /// Plans the protocol for a layer, from public data alone, so that both parties plan the same one.
    ///
    /// # Errors
    /// The reason why the algorithm cannot compute this layer.
    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal>;
}

/// How a protocol takes part in the rounds of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever runs it handles both")]
pub enum Timing {
    /// By itself on the stream, between two rounds ([`Party::alone`]): for protocols that stream more than should lie in memory.
    Alone(Cost),
    /// In rounds, which it shares with whatever else there is.
    Rounds(Rounds),
}

impl Timing {
    /// The exact cost of the protocol by itself.
    #[must_use]
    pub fn cost(&self) -> Cost {
        match self {
            Self::Alone(cost) => cost.clone(),
            Self::Rounds(rounds) => rounds.cost(),
        }
    }
}

/// One party's side of a protocol: its share of the result.
pub type Turn<'a> = Pin<Box<dyn Future<Output = Result<Vec<u64>, Error>> + 'a>>;

/// A protocol for one layer.
///
/// **Functionality.** Both parties input shares of x modulo 2^l, where l is the width of the layer's
/// ring; the server also inputs weights and bias. Each obtains a fresh share of 2^g·(W·x + b) modulo
/// 2^(l+g), where g is the number of guard bits; if the algorithm [is noisy](LinearAlgorithm::noisy), of that plus a noise below
/// 2^g. But for the noise the result is exact for every input, also where sums overflow.
///
/// Both sides are protocols of a [`Party`]: they run in [`Session::run`](sharing::Session::run), alone or beside others.
pub trait LinearProtocol: fmt::Debug + Send + Sync {
    /// The name of the algorithm.
    fn name(&self) -> &'static str;

    /// The layer.
    fn layer(&self) -> &LinearLayer;

    /// The width of the results' ring: that of the layer's ring plus the guard bits.
    fn output_bits(&self) -> Bits {
        self.layer().bits
    }

    /// How a run takes part in rounds, and what it costs, exactly.
    fn timing(&self) -> Timing;

    /// The exact cost of a run.
    fn cost(&self) -> Cost {
        self.timing().cost()
    }

    /// What the processors of both parties do in a run.
    fn work(&self) -> Work;

    /// What the session must have before a run, in this order: whoever runs the protocol sees to it that each of these is done.
    fn set_up(&self) -> Vec<Arc<dyn SetUp>> {
        Vec::new()
    }

    /// What the server derives from the parameters once, for any number of runs: an input of
    /// [`LinearProtocol::serve`]. As it is here, the parameters are checked, and used as they are.
    ///
    /// # Errors
    /// [`Error::Parameters`] if the number of weights or biases is not the layer's,
    /// [`Error::WeightRange`] if a weight exceeds its width: as [`LinearLayer::check_parameters`].
    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error> {
        self.layer().check_parameters(parameters)?;
        Ok(Prepared::nothing())
    }

    /// The server's side: its share of the result. `prepared` is what [`LinearProtocol::prepare`] made of
    /// the same parameters.
    ///
    /// # Errors
    /// If the session fails, or lacks what [`LinearProtocol::set_up`] names. Before anything is sent or looked for, those of
    /// [`LinearProtocol::prepare`], and [`Error::Inputs`] if `x` does not have the layer's number of inputs.
    ///
    /// # Panics
    /// If the party is the client, or `prepared` was made by another protocol.
    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        prepared: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a>;

    /// The client's side: its share of the result.
    ///
    /// # Errors
    /// If the session fails, or lacks what [`LinearProtocol::set_up`] names. Before anything is sent or looked for, [`Error::Inputs`]
    /// if `x` does not have the layer's number of inputs.
    ///
    /// # Panics
    /// If the party is the server.
    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a>;

    /// The variant of the protocol with a phase ahead of the input, if there is one that saves
    /// something.
    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        None
    }
}
