//! What `bench` measures: networks of one operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use linear::{LinearAlgorithm as _, RingLwe};
use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, PrivateWeights, Shape,
    Window,
};
use winograd::Tile;

use crate::failure::{Failure, Outcome};

/// Bits of an activation, and of the ring of products.
const BITS: u32 = 16;
const RING: u32 = 24;

/// Random COTs that are made by themselves.
pub(super) const COTS: usize = 1 << 22;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    Refill,
    Relu,
    Truncation,
    Direct,
    Winograd,
    RingLwe,
    Short,
    Transforms,
}

impl Name {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Refill => "4,194,304 random COTs",
            Self::Relu => "ReLU, 16 bits, 262,144 values",
            Self::Truncation => "truncation by 10, 24 bits, 262,144 values",
            Self::Direct => "3x3, 64 to 32, 28x28, w = 10, direct",
            Self::Winograd => "the same by Winograd F(4x4, 3x3)",
            Self::RingLwe => "the same by ring-LWE",
            Self::Short => "1x1, 512 to 256, 4x4, w = 10",
            Self::Transforms => "3x3 depthwise, 256, 112x112, w = 2, Winograd",
        }
    }
}

/// A network of one operation, or a number of COTs.
pub(super) struct Operation {
    pub(super) name: Name,
    pub(super) graph: Arc<IntGraph>,
    pub(super) weights: Arc<PrivateWeights>,
    pub(super) input: Vec<i64>,
    /// COTs to draw in place of running the network; 0 runs the network.
    pub(super) cots: usize,
}

/// Every operation that is measured.
pub(super) fn all() -> Outcome<Vec<Operation>> {
    let values = Shape::new(16, 128, 128);
    let (same, pointwise) = (Window::square(3, 1, 1), Window::square(1, 1, 0));
    let tile = Tile::F4x4_3x3;
    let ring_lwe = RingLwe { packed: true };
    let homomorphic = Algorithm::named(ring_lwe.name(), ring_lwe.guard_bits());
    let linear = |out_channels, groups, window, weight_bits, by| IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels,
            groups,
            window,
        },
        weight_bits,
        weight_scale: 0,
        by,
    };
    let conv = |out_channels, window| linear(out_channels, 1, window, 10, Algorithm::DIRECT);
    let winograd = |out_channels, groups, weight_bits| {
        let by = Algorithm::named(tile.name(), tile.guard_bits());
        linear(out_channels, groups, same, weight_bits, by)
    };
    let cut = |shift| IntOp::TruncReduce {
        shift,
        rounded: false,
    };
    let image = Shape::new(64, 28, 28);
    Ok(vec![
        Operation {
            cots: COTS,
            ..operation(Name::Refill, Shape::new(1, 1, 1), BITS, &[])?
        },
        operation(Name::Relu, values, BITS, &[IntOp::Relu])?,
        operation(Name::Truncation, values, RING, &[cut(10)])?,
        operation(Name::Direct, image, RING, &[conv(32, same)])?,
        operation(
            Name::Winograd,
            image,
            RING,
            &[winograd(32, 1, 10), cut(tile.guard_bits())],
        )?,
        operation(
            Name::RingLwe,
            image,
            RING,
            &[linear(32, 1, same, 10, homomorphic), cut(1)],
        )?,
        operation(
            Name::Short,
            Shape::new(512, 4, 4),
            RING,
            &[conv(256, pointwise)],
        )?,
        operation(
            Name::Transforms,
            Shape::new(256, 112, 112),
            RING,
            // The guard bits stay, so that little but transforms is done.
            &[winograd(256, 256, 2)],
        )?,
    ])
}

/// A network of these operations, with an input of so many bits and random weights, always the same.
fn operation(name: Name, shape: Shape, bits: u32, ops: &[IntOp]) -> Outcome<Operation> {
    let scale = 0;
    let input = IntOp::Input { shape, bits, scale };
    let mut builder = GraphBuilder::new();
    let mut last = builder.push("input", input, &[]);
    for (index, op) in ops.iter().enumerate() {
        last = builder.push(format!("{index}"), op.clone(), &[last]);
    }
    builder.push("output", IntOp::Output, &[last]);
    let graph = builder.finish().map_err(Failure::run)?;
    let mut layers = BTreeMap::new();
    for (index, op) in ops.iter().enumerate() {
        if let Some((weights, biases, bits)) = op.parameters(shape).filter(|_| op.is_linear()) {
            let layer = LayerWeights {
                weights: mixed(weights, bits),
                bias: vec![0; biases],
            };
            layers.insert(index + 1, layer);
        }
    }
    let weights = PrivateWeights::new(&graph, layers).map_err(Failure::run)?;
    let input = mixed(shape.len(), bits.min(BITS));
    Ok(Operation {
        name,
        graph: Arc::new(graph),
        weights: Arc::new(weights),
        input: input.into_iter().map(i64::from).collect(),
        cots: 0,
    })
}

/// Random signed numbers of so many bits, at most 32, always the same.
fn mixed(count: usize, bits: u32) -> Vec<i32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.cast_signed() >> (32 - bits)
    };
    (0..count).map(|_| next()).collect()
}
