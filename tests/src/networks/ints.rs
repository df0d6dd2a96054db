//! Random integer networks.

use std::collections::BTreeMap;

use nets::{
    Algorithm, IntGraph, IntOp, Interval, LayerShape, LayerWeights, Node, Pieces, Places,
    PrivateWeights, Rewriter, Shape, Symmetry, Window, proved,
};

/// SplitMix64: enough for tests.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// With a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0..n, n > 0.
    pub const fn below(&mut self, n: i64) -> i64 {
        (self.next() >> 1).cast_signed().rem_euclid(n)
    }

    /// low..=high.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick(&mut self, low: usize, high: usize) -> usize {
        low + usize::try_from(self.below((high - low + 1).try_into().expect("small")))
            .expect("small")
    }

    /// low..=high.
    ///
    /// # Panics
    /// If there is none.
    pub fn bits(&mut self, low: u32, high: u32) -> u32 {
        low + u32::try_from(self.below(i64::from(high - low + 1))).expect("small")
    }
}

/// A network of every operation in random order, weights of the full range or small ones, and a full-range input.
///
/// # Panics
/// Never.
#[must_use]
pub fn network(seed: u64) -> (IntGraph, PrivateWeights, Vec<i64>) {
    let rng = &mut Rng::new(seed);
    let shape = Shape::new(rng.pick(1, 3), rng.pick(1, 5), rng.pick(1, 5));
    let bits = rng.bits(3, 40);
    let mut nodes = vec![Node {
        name: "input".into(),
        op: IntOp::Input {
            shape,
            bits,
            scale: 0,
        },
        inputs: vec![],
    }];
    for index in 1..=rng.pick(2, 6) {
        let graph = finished(&nodes);
        let mut inputs = vec![nodes.len() - 1];
        let op = operation(rng, &graph, &mut inputs);
        nodes.push(Node {
            name: format!("node{index}"),
            op,
            inputs,
        });
        if IntGraph::new(with_output(&nodes)).is_err() {
            nodes.pop();
        }
    }
    let graph = finished(&nodes);
    let weights = weights(rng, &graph);
    let weights = tamed(rng, &graph, &weights);
    let (graph, weights) = claimed(rng, &graph, &weights);
    let n = graph.input().shape.len();
    let input = (0..n).map(|_| rng.next().cast_signed()).collect();
    (graph, weights, input)
}

/// Random weights of the full range for every node that takes some.
///
/// # Panics
/// Never.
pub fn weights(rng: &mut Rng, graph: &IntGraph) -> PrivateWeights {
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let Some(&input) = node.inputs.first() else {
            continue;
        };
        if let Some(sizes) = node.op.parameters(graph.types()[input].shape) {
            layers.insert(index, layer(rng, sizes, graph.types()[index].shape));
        }
    }
    PrivateWeights::new(graph, layers).expect("they fit")
}

/// The weights, those of some layers made small.
fn tamed(rng: &mut Rng, graph: &IntGraph, weights: &PrivateWeights) -> PrivateWeights {
    let mut tame = |(node, layer): (usize, &LayerWeights)| {
        let mut layer = layer.clone();
        if rng.pick(0, 1) == 0 {
            layer
                .weights
                .iter_mut()
                .for_each(|w| *w = (*w).clamp(-1, 1));
            layer.bias.iter_mut().for_each(|b| *b %= 4);
        }
        (node, layer)
    };
    let layers = weights.iter().map(&mut tame).collect();
    PrivateWeights::new(graph, layers).expect("they fit")
}

/// The same network, with claims of some of the values of which the weights prove one.
fn claimed(
    rng: &mut Rng,
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> (IntGraph, PrivateWeights) {
    let proofs = proved(graph, weights, Interval::ring(graph.input().bits()));
    let (mut new, mut layers) = (Rewriter::new(graph), BTreeMap::new());
    for (index, proof) in proofs.iter().enumerate() {
        let kept = new.keep(index);
        layers.extend(weights.layer(index).map(|layer| (kept, layer.clone())));
        let half = Interval::half(graph.types()[index].bits());
        let is_last = index + 1 == graph.len();
        if !is_last && proof.values.is_within(half) && rng.pick(0, 1) == 0 {
            let claim = new.push(format!("claim{index}"), IntOp::Claim, &[kept]);
            new.stand_in(index, claim);
        }
    }
    let (graph, _) = new.finish().expect("claims fit");
    let weights = PrivateWeights::new(&graph, layers).expect("they prove the claims");
    (graph, weights)
}

fn with_output(nodes: &[Node<IntOp>]) -> Vec<Node<IntOp>> {
    let output = Node {
        name: "output".into(),
        op: IntOp::Output,
        inputs: vec![nodes.len() - 1],
    };
    nodes.iter().cloned().chain([output]).collect()
}

fn finished(nodes: &[Node<IntOp>]) -> IntGraph {
    IntGraph::new(with_output(nodes)).expect("every node fitted")
}

/// An operation on the last node; it need not fit.
fn operation(rng: &mut Rng, graph: &IntGraph, inputs: &mut Vec<usize>) -> IntOp {
    let x = graph.types()[inputs[0]];
    let bits = x.bits().get();
    match rng.pick(0, 24) {
        0 | 1 => IntOp::Relu,
        2 => IntOp::Extend {
            to: bits + rng.bits(1, 12),
        },
        3 => IntOp::Narrow {
            to: rng.bits(2, bits),
        },
        4 => IntOp::TruncReduce {
            shift: rng.bits(1, bits),
            rounded: false,
        },
        5 => IntOp::Trunc {
            shift: rng.bits(1, bits),
            rounded: false,
        },
        6 => IntOp::MaxPool {
            window: window(rng),
        },
        7 => IntOp::SumPool {
            window: window(rng),
        },
        8 => {
            inputs.push(inputs[0]);
            IntOp::Add
        }
        15 => IntOp::SignedRelu,
        11 => {
            let other = rng.pick(0, inputs[0]);
            inputs.extend([other, inputs[0]]);
            IntOp::Concat
        }
        12 => IntOp::Clip {
            top: 1 + rng.below((1_i64 << (bits - 1)) - 1),
        },
        13 => IntOp::ChannelShuffle {
            groups: rng.pick(1, x.shape.channels),
        },
        14 => IntOp::Slice {
            start: rng.pick(0, x.shape.channels - 1),
            channels: rng.pick(1, x.shape.channels),
        },
        18..=21 => rescaling(rng, graph, inputs),
        9 if x.shape.plane() == 1 => IntOp::ArgMax,
        9 => IntOp::Subsample {
            stride: rng.pick(1, 3),
        },
        10 if rng.pick(0, 1) == 0 => IntOp::PadChannels {
            front: rng.pick(0, 2),
            back: 1,
        },
        10 => IntOp::Flatten,
        22 | 23 => moved(rng, x.shape),
        24 => curve(rng, bits),
        _ => IntOp::Linear {
            shape: if x.shape.plane() == 1 {
                LayerShape::FullyConnected {
                    out_features: rng.pick(1, 5),
                }
            } else {
                LayerShape::Conv {
                    out_channels: x.shape.channels * rng.pick(1, 2),
                    groups: *[1, x.shape.channels].get(rng.pick(0, 1)).expect("two"),
                    window: dilated(rng),
                }
            },
            weight_bits: rng.bits(2, bits.clamp(2, 16)),
            weight_scale: 0,
            by: Algorithm::DIRECT,
        },
    }
}

/// A pick, or axes in another order.
fn moved(rng: &mut Rng, x: Shape) -> IntOp {
    if rng.pick(0, 1) == 0 {
        let (order, shape) = reordered(rng, x);
        return IntOp::Reorder { order, shape };
    }
    let [channels, rows, columns] = picked(rng, x);
    IntOp::Pick {
        channels,
        rows,
        columns,
    }
}

/// The place of every operation in a list, so that one which is new does not compile without a number,
/// and the test of the generator looks for it.
#[must_use]
pub const fn number(op: &IntOp) -> usize {
    match op {
        IntOp::Input { .. } => 0,
        IntOp::Extend { .. } => 1,
        IntOp::Narrow { .. } => 2,
        IntOp::Linear { .. } => 3,
        IntOp::TruncReduce { .. } => 4,
        IntOp::Trunc { .. } => 5,
        IntOp::Relu => 6,
        IntOp::SignedRelu => 7,
        IntOp::Clip { .. } => 8,
        IntOp::Affine { .. } => 9,
        IntOp::HardSwish { .. } => 10,
        IntOp::Gate => 11,
        IntOp::MeanPool { .. } => 12,
        IntOp::MaxPool { .. } => 13,
        IntOp::Add => 14,
        IntOp::Concat => 15,
        IntOp::ChannelShuffle { .. } => 16,
        IntOp::Slice { .. } => 17,
        IntOp::SumPool { .. } => 18,
        IntOp::Subsample { .. } => 19,
        IntOp::PadChannels { .. } => 20,
        IntOp::Flatten => 21,
        IntOp::Output => 22,
        IntOp::ArgMax => 23,
        IntOp::Claim => 24,
        IntOp::Curve { .. } => 27,
        IntOp::Pick { .. } => 25,
        IntOp::Reorder { .. } => 26,
    }
}

/// How many operations there are.
pub const OPERATIONS: usize = 28;

/// A function of any table.
fn curve(rng: &mut Rng, bits: u32) -> IntOp {
    let symmetry = [Symmetry::None, Symmetry::Even, Symmetry::Odd][rng.pick(0, 2)];
    let places = rng.bits(1, 4);
    let width = rng.bits(1, bits.saturating_sub(places + 1).max(1));
    let low = match symmetry {
        Symmetry::None => -(rng.below((1 << places) + 1) << width),
        Symmetry::Even | Symmetry::Odd => 0,
    };
    let mut numbers = || {
        let top = 1_i64 << rng.bits(0, 12);
        (0..1 << places).map(|_| rng.below(2 * top) - top).collect()
    };
    let (values, slopes) = (numbers(), numbers());
    let fraction = rng.bits(0, 3);
    let shift = fraction + rng.bits(1, 9);
    let ramp = (rng.pick(0, 1) == 0).then(|| rng.bits(0, shift + 1));
    let pieces = Pieces {
        low,
        width,
        symmetry,
        values,
        slopes,
        fraction,
        ramp,
        shift,
    };
    IntOp::Curve {
        pieces,
        to: rng.bits(2, 40),
        scale: 0,
    }
}

/// An operation that changes the scale.
fn rescaling(rng: &mut Rng, graph: &IntGraph, inputs: &mut Vec<usize>) -> IntOp {
    let x = graph.types()[inputs[0]];
    match rng.pick(18, 21) {
        18 => IntOp::Affine {
            factor: rng.below(9) - 4,
            add: rng.next().cast_signed(),
            scale: 0,
        },
        19 => {
            let fraction = rng.bits(2, 6);
            IntOp::HardSwish {
                fraction,
                to: fraction + rng.bits(1, 40),
            }
        }
        20 => {
            let vector = |i: &usize| graph.types()[*i].shape == Shape::vector(x.shape.channels);
            let gates: Vec<usize> = (0..=inputs[0]).filter(vector).collect();
            if let Some(&gate) = gates.get(rng.pick(0, gates.len().max(1) - 1)) {
                inputs.push(gate);
            }
            IntOp::Gate
        }
        _ => IntOp::MeanPool {
            window: if rng.pick(0, 1) == 0 {
                Window::whole(x.shape)
            } else {
                window(rng)
            },
            counts_padding: rng.pick(0, 1) == 0,
            divisor: 1 + rng.next() % 9,
            fraction: rng.bits(0, x.bits().get() - 1),
        },
    }
}

/// Some places of every axis.
///
/// # Panics
/// Never.
pub fn picked(rng: &mut Rng, x: Shape) -> [Places; 3] {
    [x.channels, x.height, x.width].map(|size| places(rng, size))
}

fn places(rng: &mut Rng, size: usize) -> Places {
    let [before, after] = [rng.pick(0, 2), rng.pick(0, 2)];
    // Networks stay small.
    match rng.pick(0, if size > 12 { 1 } else { 9 }) {
        0 => {
            let step = rng.pick(1, 3);
            Places::every(0, step.cast_signed(), size.div_ceil(step))
        }
        1 => Places::flipped(size),
        2 => Places::zeros(before, size, after),
        3 => Places::edges(before, size, after),
        4 => Places::reflected(before.min(size - 1), size, after.min(size - 1)),
        5 => Places::repeated(size, 1 + before),
        6 => Places::gaps(size, before),
        7 => {
            let count = rng.pick(1, 5);
            Places::of((0..count).map(|_| (rng.pick(0, 3) > 0).then(|| rng.pick(0, size - 1))))
        }
        _ => Places::All,
    }
}

/// An order of the axes, and a shape to read them in.
///
/// # Panics
/// Never.
pub fn reordered(rng: &mut Rng, x: Shape) -> ([usize; 3], Shape) {
    let mut order = [0, 1, 2];
    (1..3).for_each(|i| order.swap(i, rng.pick(0, i)));
    let sizes = order.map(|axis| [x.channels, x.height, x.width][axis]);
    let shape = match rng.pick(0, 2) {
        0 => Shape::vector(x.len()),
        1 => Shape::new(sizes[0], 1, sizes[1] * sizes[2]),
        _ => Shape::new(sizes[0], sizes[1], sizes[2]),
    };
    (order, shape)
}

fn window(rng: &mut Rng) -> Window {
    let kernel = [rng.pick(1, 3), rng.pick(1, 3)];
    let mut pad = |k: usize| rng.pick(0, k - 1);
    let padding = [
        pad(kernel[0]),
        pad(kernel[1]),
        pad(kernel[0]),
        pad(kernel[1]),
    ];
    Window {
        kernel,
        stride: [rng.pick(1, 2), rng.pick(1, 2)],
        padding,
        dilation: [1; 2],
    }
}

/// A window that may have gaps.
fn dilated(rng: &mut Rng) -> Window {
    let window = window(rng);
    let apart = if rng.pick(0, 3) == 0 { 2 } else { 1 };
    Window {
        dilation: [rng.pick(1, apart), rng.pick(1, apart)],
        ..window
    }
}

fn layer(rng: &mut Rng, (count, biases, bits): (usize, usize, u32), out: Shape) -> LayerWeights {
    let top = 1_i64 << (bits - 1);
    let weight = |_| i32::try_from(rng.below(2 * top) - top).expect("at most 16 bits");
    let weights = match bits {
        // Signs.
        1 => (0..count)
            .map(|_| -i32::from(rng.pick(0, 1) == 1))
            .collect(),
        _ => (0..count).map(weight).collect(),
    };
    let is_map = bits > 1 && rng.pick(0, 2) == 0;
    let biases = if is_map { out.len() } else { biases };
    LayerWeights {
        weights,
        bias: (0..biases).map(|_| rng.next().cast_signed()).collect(),
    }
}
