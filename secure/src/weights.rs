//! The server's weights, prepared for the protocols that use them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use linear::{LayerParameters, LinearProtocol, Prepared};
use nets::PrivateWeights;

use crate::Error;

/// The most bytes of prepared weights that are kept (LOCAL). Others are prepared anew in every run.
const MAX_KEPT: usize = 256 << 20;

/// The weights of a model at the server, and the form into which protocols bring them before they multiply.
/// This form is kept from run to run and shared by all sessions. `Debug` prints sizes only, and weights are
/// erased when they are dropped.
#[derive(Debug)]
pub struct ServerWeights {
    weights: Arc<PrivateWeights>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    prepared: BTreeMap<(usize, String), Arc<Prepared>>,
    bytes: usize,
}

impl ServerWeights {
    /// The weights, with nothing prepared yet.
    #[must_use]
    pub fn new(weights: Arc<PrivateWeights>) -> Self {
        let kept = Mutex::default();
        Self { weights, kept }
    }

    /// The weights themselves.
    #[must_use]
    pub const fn weights(&self) -> &Arc<PrivateWeights> {
        &self.weights
    }

    /// The parameters of a linear node.
    ///
    /// # Panics
    /// If the weights are not those of the graph.
    pub(crate) fn parameters(&self, node: usize) -> LayerParameters<'_> {
        let layer = self.weights.layer(node);
        let layer = layer.expect("the weights are those of the graph");
        LayerParameters {
            weights: &layer.weights,
            bias: &layer.bias,
        }
    }

    /// The weights of a node in the form that a protocol needs.
    pub(crate) fn prepared(
        &self,
        node: usize,
        protocol: &dyn LinearProtocol,
    ) -> Result<Arc<Prepared>, Error> {
        let key = (node, protocol.name().to_owned());
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().prepared.get(&key) {
            return Ok(Arc::clone(kept));
        }
        let prepared = Arc::new(protocol.prepare(self.parameters(node))?);
        let mut kept = lock();
        let bytes = prepared.bytes();
        if kept.bytes.saturating_add(bytes) <= MAX_KEPT && !kept.prepared.contains_key(&key) {
            kept.bytes += bytes;
            kept.prepared.insert(key, Arc::clone(&prepared));
        }
        Ok(prepared)
    }
}
