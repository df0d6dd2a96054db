//! The interface of every algorithm that computes linear layers between two parties.
//!
//! A back-end is a [`LinearAlgorithm`] together with the [`LinearProtocol`] that it plans. Planners
//! compare protocols by [`LinearProtocol::cost`] and [`LinearProtocol::work`], and executors run them;
//! neither knows which one it has.

use std::any::Any;
use std::fmt;

use channel::Cost;
use ring_arith::Bits;
use sharing::Session;

use crate::{Error, LayerParameters, LinearLayer, Work};

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

    /// Plans the protocol for a layer, from public data alone, so that both parties plan the same one.
    ///
    /// # Errors
    /// The reason why the algorithm cannot compute this layer.
    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal>;
}

/// A protocol for one layer.
///
/// **Functionality.** Both parties input shares of x modulo 2^l, where l is the width of the layer's
/// ring; the server also inputs weights and bias. Each obtains a fresh share of 2^g·(W·x + b) modulo
/// 2^(l+g), where g is the number of guard bits. The result is exact for every input, also where sums
/// overflow.
pub trait LinearProtocol: fmt::Debug + Send + Sync {
    /// The name of the algorithm.
    fn name(&self) -> &'static str;

    /// The layer.
    fn layer(&self) -> &LinearLayer;

    /// The width of the results' ring: that of the layer's ring plus the guard bits.
    fn output_bits(&self) -> Bits {
        self.layer().bits
    }

    /// The exact cost of a run.
    fn cost(&self) -> Cost;

    /// What the processors of both parties do in a run.
    fn work(&self) -> Work;

    /// What the server derives from the parameters once, for any number of runs: an input of
    /// [`LinearProtocol::serve`].
    ///
    /// # Errors
    /// [`Error::Parameters`] if the number of weights or biases is not the layer's,
    /// [`Error::WeightRange`] if a weight exceeds its width: as [`LinearLayer::check_parameters`].
    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error>;

    /// The server's side: its share of the result. `prepared` is what [`LinearProtocol::prepare`] made of
    /// the same parameters.
    ///
    /// # Errors
    /// If the session fails. Before anything is sent, those of [`LinearProtocol::prepare`], and
    /// [`Error::Inputs`] if `x` does not have the layer's number of inputs. After an error the session
    /// refuses to go on.
    ///
    /// # Panics
    /// If the session is the client's, or `prepared` was made by another protocol.
    fn serve(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        prepared: &Prepared,
        x: &[u64],
    ) -> Result<Vec<u64>, Error>;

    /// The client's side: its share of the result.
    ///
    /// # Errors
    /// If the session fails. Before anything is sent, [`Error::Inputs`] if `x` does not have the layer's
    /// number of inputs. After an error the session refuses to go on.
    ///
    /// # Panics
    /// If the session is the server's.
    fn request(&self, session: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error>;

    /// The variant of the protocol with a phase ahead of the input, if there is one that saves
    /// something.
    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        None
    }
}

/// A protocol of which a part runs before the input is known. The client chooses its share r of the
/// input ahead of time, and the parties compute W·r + b. Once x is known, the server is given x − r,
/// and only W·(x − r) is left to compute.
pub trait AheadProtocol: fmt::Debug + Send + Sync {
    /// The exact cost of the phase ahead.
    fn ahead_cost(&self) -> Cost;

    /// The exact cost of what is left once the input is known.
    fn online_cost(&self) -> Cost;

    /// The server's side ahead: its share of W·r + b.
    ///
    /// # Errors
    /// As [`LinearProtocol::serve`].
    fn serve_ahead(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        prepared: &Prepared,
    ) -> Result<Vec<u64>, Error>;

    /// The client's side ahead: its share of W·r + b.
    ///
    /// # Errors
    /// As [`LinearProtocol::request`].
    fn request_ahead(&self, session: &mut Session, r: &[u64]) -> Result<Vec<u64>, Error>;

    /// The server's share of the result, given its share from the phase ahead and x − r.
    ///
    /// # Errors
    /// As [`LinearProtocol::serve`].
    fn serve_online(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        ahead: Vec<u64>,
        x: &[u64],
    ) -> Result<Vec<u64>, Error>;
}

/// What a protocol keeps of a layer's parameters between runs. `Debug` prints only the size. The value
/// erases itself when it is dropped.
pub struct Prepared {
    value: Box<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Prepared {
    /// Nothing is kept: the weights are used as they are.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new((), 0)
    }

    /// Keeps a value that takes `bytes` of memory and erases itself when it is dropped.
    #[must_use]
    pub fn new(value: impl Any + Send + Sync, bytes: usize) -> Self {
        let value = Box::new(value);
        Self { value, bytes }
    }

    /// The value, if it is of this type.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The memory that the value takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// The reason why an algorithm cannot compute a layer. `Display` says what can.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{advice}")]
pub struct Refusal {
    advice: String,
    short: Option<String>,
}

impl Refusal {
    /// A refusal with advice for a user who insists on the algorithm: the reason, and what to use instead.
    #[must_use]
    pub fn new(advice: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            short: None,
        }
    }

    /// Adds the reason in a few words, for lists of candidates. A refusal without is left out there,
    /// because nobody would expect the algorithm to be possible.
    #[must_use]
    pub fn because(mut self, short: impl Into<String>) -> Self {
        self.short = Some(short.into());
        self
    }

    /// The reason in a few words.
    #[must_use]
    pub fn short(&self) -> Option<&str> {
        self.short.as_deref()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}
