//! What every way to compute a linear layer between two parties offers: the seam for back-ends.
//!
//! A back-end is one [`LinearAlgorithm`], and the [`LinearProtocol`] that it plans. Planners price
//! protocols by [`LinearProtocol::cost`] and [`LinearProtocol::work`]; executors run them; neither
//! knows which they have.

use std::any::Any;
use std::fmt;

use channel::Cost;
use ring_arith::Bits;
use sharing::Session;

use crate::{Error, LayerParameters, LinearLayer, Work};

/// A way to compute linear layers.
pub trait LinearAlgorithm: fmt::Debug + Send + Sync {
    /// Its one name, in model files, reports and options: small letters, digits and hyphens.
    fn name(&self) -> &'static str;

    /// The guard bits of its results: they are 2^g times the layer's, in a ring wider by g bits. A
    /// truncation removes them.
    fn guard_bits(&self) -> u32 {
        0
    }

    /// The protocol for a layer. It is made from public data alone, so both parties make the same one.
    ///
    /// # Errors
    /// Why the algorithm is not for this layer.
    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal>;
}

/// A protocol for one layer.
///
/// **Functionality.** Both parties put in shares of x modulo 2^bits, bits the ring of the layer; the
/// server puts in weights and bias. They get fresh shares of 2^g·(W·x + b) modulo 2^(bits + g), g the
/// guard bits, exact for every input, overflowing ones included.
pub trait LinearProtocol: fmt::Debug + Send + Sync {
    /// The name of its algorithm.
    fn name(&self) -> &'static str;

    /// The layer.
    fn layer(&self) -> &LinearLayer;

    /// The ring of the results: that of the layer and the guard bits.
    fn output_bits(&self) -> Bits {
        self.layer().bits
    }

    /// The exact cost of a run.
    fn cost(&self) -> Cost;

    /// What both parties' processors do in a run.
    fn work(&self) -> Work;

    /// What the server derives from the weights once, for any number of runs. It is given back in
    /// [`LinearProtocol::serve`].
    ///
    /// # Errors
    /// If there is another number of weights or biases than the layer has, or a weight exceeds its
    /// width.
    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error>;

    /// The server's side: its share of the result. `prepared` is what [`LinearProtocol::prepare`] made of
    /// the same parameters.
    ///
    /// # Errors
    /// If the session fails; and before anything is said, if the parameters are not the layer's or `x`
    /// does not have its number of inputs. After an error the session refuses to go on.
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
    /// If the session fails; and before anything is said, if `x` does not have the layer's number of
    /// inputs. After an error the session refuses to go on.
    ///
    /// # Panics
    /// If the session is the server's.
    fn request(&self, session: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error>;

    /// The form of the protocol with a phase ahead of the input, if it has one that is worth it.
    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        None
    }
}

/// A protocol part of which runs before the input is there. The client chooses its share r of the
/// input beforehand; whoever gives the input then sends the server x − r, and the product of the
/// weights with r is there already.
pub trait AheadProtocol: fmt::Debug + Send + Sync {
    /// The exact cost of the phase ahead.
    fn ahead_cost(&self) -> Cost;

    /// The exact cost of what is left once the input is there.
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

/// What a protocol keeps of a layer's weights between runs. `Debug` prints its size only; what is in it
/// erases itself on drop.
pub struct Prepared {
    value: Box<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Prepared {
    /// Nothing: the weights are used as they are.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new((), 0)
    }

    /// A value of so many bytes, which must erase itself when it is dropped.
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

    /// The memory that it takes.
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

/// Why an algorithm is not for a layer. `Display` says what would do instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{advice}")]
pub struct Refusal {
    advice: String,
    short: Option<String>,
}

impl Refusal {
    /// With what would do, for who insists on the algorithm.
    #[must_use]
    pub fn new(advice: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            short: None,
        }
    }

    /// And with the reason in few words, for lists of candidates; refusals without are not worth a
    /// word there.
    #[must_use]
    pub fn because(mut self, short: impl Into<String>) -> Self {
        self.short = Some(short.into());
        self
    }

    /// The reason in few words.
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
