//! Transformed weights that the server keeps from run to run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use winograd::{Filters, Tile};

use crate::tiled::{Tiled, points};
use crate::{Error, LayerWeights};

/// The most bytes kept; what is beyond is transformed in every run (LOCAL).
const MAX_KEPT: usize = 256 << 20;

/// Transformed weights by node. Made from the weights beside them, so a copy starts empty and all
/// are equal.
#[derive(Default)]
pub(crate) struct FilterCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    filters: BTreeMap<(usize, Tile), Arc<Filters>>,
    bytes: usize,
}

impl FilterCache {
    /// The transformed weights of a node.
    pub(crate) fn of(
        &self,
        node: usize,
        step: &Tiled,
        layer: &LayerWeights,
    ) -> Result<Arc<Filters>, Error> {
        let key = (node, step.tile());
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().filters.get(&key) {
            return Ok(Arc::clone(kept));
        }
        let filters = Arc::new(step.prepare(layer)?);
        let area: usize = step.tile().kernel().iter().product();
        let bytes = layer.weights.len() / area * points(step.tile()).pow(2) * size_of::<i32>();
        let mut kept = lock();
        if kept.bytes + bytes <= MAX_KEPT && !kept.filters.contains_key(&key) {
            kept.bytes += bytes;
            kept.filters.insert(key, Arc::clone(&filters));
        }
        Ok(filters)
    }
}

impl Clone for FilterCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for FilterCache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for FilterCache {}

impl std::fmt::Debug for FilterCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilterCache").finish_non_exhaustive()
    }
}
