//! The generators of random networks make every operation, so that the properties of all crates are
//! tested on each.

use nets::{IntOp, Interval, LayerShape};
use tests::networks::ints::Rng;
use tests::networks::{floats, ints};

/// Networks looked at: as many as the least of the tests that use them.
const NETWORKS: u64 = 96;

#[test]
fn float_networks_have_every_operation() {
    let mut met = [0; floats::OPERATIONS];
    for seed in 0..NETWORKS {
        let (model, _) = floats::network(&mut Rng::new(seed));
        model.check().expect("its parameters are there");
        for node in model.graph.nodes() {
            met[floats::number(&node.op)] += 1;
        }
    }
    assert!(!met.contains(&0), "operations met: {met:?}");
}

#[test]
fn integer_networks_have_every_operation() {
    let mut met = [0; ints::OPERATIONS];
    // Of products: convolutions dense and by channels, with gaps and without, and matrices.
    let mut products = [0; 5];
    // Claims of what both parties know, and of what the weights prove.
    let mut claims = [0; 2];
    for seed in 0..NETWORKS {
        let (graph, weights, input) = ints::network(seed);
        weights.check(&graph).expect("they are its weights");
        assert_eq!(input.len(), graph.input().shape.len());
        for (index, node) in graph.nodes().iter().enumerate() {
            met[ints::number(&node.op)] += 1;
            if node.op == IntOp::Claim {
                let x = graph.input_type(index, 0);
                let known = x.values.is_within(Interval::half(x.bits()));
                claims[usize::from(!known)] += 1;
            }
            if let IntOp::Linear { shape, .. } = &node.op {
                products[match shape {
                    LayerShape::FullyConnected { .. } => 0,
                    LayerShape::Conv { groups, window, .. } => {
                        1 + 2 * usize::from(*groups > 1) + usize::from(window.is_dilated())
                    }
                }] += 1;
            }
        }
    }
    assert!(!met.contains(&0), "operations met: {met:?}");
    assert!(!products.contains(&0), "products met: {products:?}");
    assert!(!claims.contains(&0), "claims met: {claims:?}");
}
