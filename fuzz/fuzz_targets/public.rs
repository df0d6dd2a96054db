//! The public part of a model, as a server sends it: an error, or a graph that can be planned.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nets::{Picture, PublicModel, Samples};
use secure::{Mode, SecureNetwork};
use sharing::CotPrice;

/// Graphs beyond this are not planned: it would only be slow.
const MAX_PLAN: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(public) = PublicModel::from_json(bytes) else {
        return;
    };
    let again = PublicModel::from_json(&public.to_json()).expect("what is written can be read");
    assert!(again == public, "it changes when written");
    let elements = public.graph.types().iter().map(|t| t.shape.len());
    if elements.sum::<usize>() > MAX_PLAN {
        return;
    }
    let pixels = Samples::Eight(vec![7; 4 * 3]);
    let picture = Picture::new(4, 3, 1, pixels).expect("a picture");
    for view in 0..public.preprocessing.views() {
        drop(public.prepare(&picture, view));
    }
    let graph = Arc::new(public.graph.clone());
    for mode in [Mode::Faithful, Mode::Fast] {
        if let Ok(network) = SecureNetwork::new(graph.clone(), mode, CotPrice::bits(32)) {
            let _ = network.cost();
        }
    }
});
