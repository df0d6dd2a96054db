//! Random networks of convolutions that Winograd's algorithm can do, and of some that it cannot.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use nets::{
    Algorithm, Algorithms, Constants, FloatModel, Graph, Head, IntGraph, IntNode, IntOp,
    LayerWeights, Model, Preprocessing, PrivateWeights, PublicModel, Shape, Tensors, Window,
    choose,
};

use crate::random::Rng;

/// The price of a correlated OT.
pub const PRICE: u32 = 32;

/// A random network with full-range weights and biases, and a full-range input.
pub fn network(rng: &mut Rng) -> (Model, Vec<i64>) {
    let shape = Shape::new(rng.pick(1, 3), rng.pick(3, 9), rng.pick(3, 9));
    let (bits, scale) = (rng.bits(3, 24), 0);
    let mut net = Net::default();
    let input = IntOp::Input { shape, bits, scale };
    let mut x = net.push(input, &[]).expect("it fits");
    for _ in 0..rng.pick(1, 3) {
        x = block(rng, &mut net, x).unwrap_or(x);
    }
    let input = (0..shape.len()).map(|_| rng.next().cast_signed()).collect();
    (net.finish(), input)
}

/// A network in the making.
#[derive(Default)]
pub struct Net {
    nodes: Vec<IntNode>,
    pub layers: BTreeMap<usize, LayerWeights>,
}

impl Net {
    pub fn push(&mut self, op: IntOp, inputs: &[usize]) -> Option<usize> {
        let name = format!("node{}", self.nodes.len());
        let inputs = inputs.to_vec();
        self.nodes.push(IntNode { name, op, inputs });
        if self.graph().is_none() {
            self.nodes.pop();
            return None;
        }
        Some(self.nodes.len() - 1)
    }

    /// A convolution with random weights.
    pub fn conv(&mut self, rng: &mut Rng, x: usize, window: Window) -> Option<usize> {
        let channels = self.graph()?.types()[x].shape.channels;
        let bits = self.graph()?.types()[x].bits().get();
        let groups = if rng.pick(0, 2) == 0 { channels } else { 1 };
        let (out_channels, weight_bits) = (groups * rng.pick(1, 3), rng.bits(2, bits.clamp(2, 12)));
        let op = IntOp::Conv {
            out_channels,
            groups,
            window,
            weight_bits,
            weight_scale: 3,
        };
        let node = self.push(op, &[x])?;
        let out = self.graph()?.types()[node].shape;
        let top = 1_i64 << (weight_bits - 1);
        let count = out_channels * (channels / groups) * window.area();
        let weight = |_| i32::try_from(rng.below(2 * top) - top).expect("at most 12 bits");
        let weights = (0..count).map(weight).collect();
        let biases = if rng.pick(0, 2) == 0 {
            out.len()
        } else {
            out_channels
        };
        let bias = (0..biases).map(|_| rng.next().cast_signed()).collect();
        self.layers.insert(node, LayerWeights { weights, bias });
        Some(node)
    }

    fn graph(&self) -> Option<IntGraph> {
        let output = IntNode {
            name: "output".into(),
            op: IntOp::Output,
            inputs: vec![self.nodes.len().checked_sub(1)?],
        };
        IntGraph::new(self.nodes.iter().cloned().chain([output]).collect()).ok()
    }

    pub fn finish(self) -> Model {
        let graph = self.graph().expect("every node fitted");
        model(
            graph.clone(),
            PrivateWeights::new(&graph, self.layers).expect("they fit"),
        )
    }
}

/// A convolution and what may stand around one.
fn block(rng: &mut Rng, net: &mut Net, x: usize) -> Option<usize> {
    let bits = net.graph()?.types()[x].bits().get();
    let x = match rng.pick(0, 1) {
        0 => net.push(
            IntOp::Extend {
                to: bits + rng.bits(1, 12),
            },
            &[x],
        )?,
        _ => x,
    };
    let window = window(rng);
    let y = net.conv(rng, x, window)?;
    let (ring, rounded) = (net.graph()?.types()[y].bits().get(), rng.pick(0, 1) == 0);
    let shift = rng.bits(1, ring - 1);
    match rng.pick(0, 6) {
        0 | 1 => net.push(IntOp::TruncReduce { shift, rounded }, &[y]),
        2 => net.push(IntOp::Trunc { shift, rounded }, &[y]),
        // The accumulator itself, once and twice.
        3 => Some(y),
        4 => net.push(IntOp::Add, &[y, y]),
        // Beside a truncation that may not remove the guard bits then.
        5 => {
            let cut = net.push(IntOp::Trunc { shift, rounded }, &[y])?;
            let same = net.push(
                IntOp::SumPool {
                    window: Window::square(1, 1, 0),
                },
                &[y],
            )?;
            net.push(IntOp::Concat, &[cut, cut]).or(Some(same))
        }
        // A second convolution of the same values, and what is added to the first.
        _ => {
            let other = net.conv(rng, x, window)?;
            net.push(IntOp::Add, &[y, other]).or(Some(other))
        }
    }
}

fn window(rng: &mut Rng) -> Window {
    let kernel = *[3, 3, 3, 5, 5, 1, 2].get(rng.pick(0, 6)).expect("seven");
    let mut pad = || rng.pick(0, kernel - 1);
    let padding = [pad(), pad(), pad(), pad()];
    let stride = if rng.pick(0, 5) == 0 { 2 } else { 1 };
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding,
    }
}

/// A graph as a model, without a float network.
pub fn model(graph: IntGraph, weights: PrivateWeights) -> Model {
    let shape = graph.input().shape;
    let public = PublicModel {
        name: "test".into(),
        arch: "test".into(),
        labels: Vec::new(),
        head: Head::Sigmoid,
        preprocessing: Preprocessing::new(
            shape,
            vec![0.0; shape.channels],
            vec![1.0; shape.channels],
        ),
        graph,
    };
    let float = FloatModel {
        graph: Graph::new(),
        tensors: Tensors::new(),
    };
    Model {
        public,
        weights,
        float,
    }
}

/// The network with a random possible algorithm for every convolution, and how many are Winograd's.
pub fn rewritten(rng: &mut Rng, model: &Model) -> (Model, usize) {
    let constants = Constants::default();
    let (_, layers) = choose(model, &Algorithms::default(), PRICE, &constants).expect("it chooses");
    let chosen: BTreeMap<String, Algorithm> = layers
        .into_iter()
        .map(|layer| {
            let candidate = rng.pick(0, layer.candidates.len() - 1);
            (layer.name, layer.candidates[candidate].algorithm)
        })
        .collect();
    let tiled = |a: &&Algorithm| matches!(a, Algorithm::Winograd(_));
    let count = chosen.values().filter(tiled).count();
    let chosen = choose(model, &Algorithms::Layers(chosen), PRICE, &constants);
    (chosen.expect("all are possible").0, count)
}
