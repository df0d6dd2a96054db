//! Random networks of convolutions that Winograd's algorithm can do, and of some that it cannot.

use std::collections::BTreeMap;

use nets::{
    Algorithm, FloatGraph, FloatModel, Head, IntGraph, IntOp, LayerShape, LayerWeights, Model,
    Node, Op, Opening, Preprocessing, PrivateWeights, PublicModel, Shape, Tensors, Window,
};
use secure::{Algorithms, CpuModel, choose_algorithms};
use sharing::CotPrice;

use super::ints::Rng;

/// The price of a correlated OT.
pub const PRICE: CotPrice = CotPrice::bits(32);

/// A random network with full-range weights and biases, and a full-range input.
///
/// # Panics
/// Never.
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
#[derive(Debug, Default)]
pub struct Net {
    nodes: Vec<Node<IntOp>>,
    /// The weights of its layers.
    pub layers: BTreeMap<usize, LayerWeights>,
}

impl Net {
    /// Adds a node, if it fits.
    pub fn push(&mut self, op: IntOp, inputs: &[usize]) -> Option<usize> {
        let name = format!("node{}", self.nodes.len());
        let inputs = inputs.to_vec();
        self.nodes.push(Node { name, op, inputs });
        if self.graph().is_none() {
            self.nodes.pop();
            return None;
        }
        Some(self.nodes.len() - 1)
    }

    /// A convolution with random weights, if it fits.
    ///
    /// # Panics
    /// Never.
    pub fn conv(&mut self, rng: &mut Rng, x: usize, window: Window) -> Option<usize> {
        let channels = self.graph()?.types()[x].shape.channels;
        let bits = self.graph()?.types()[x].bits().get();
        let groups = if rng.pick(0, 2) == 0 { channels } else { 1 };
        let (out_channels, weight_bits) = (groups * rng.pick(1, 3), rng.bits(2, bits.clamp(2, 12)));
        let op = IntOp::Linear {
            shape: LayerShape::Conv {
                out_channels,
                groups,
                window,
            },
            weight_bits,
            weight_scale: 3,
            by: Algorithm::DIRECT,
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
        let output = Node {
            name: "output".into(),
            op: IntOp::Output,
            inputs: vec![self.nodes.len().checked_sub(1)?],
        };
        IntGraph::new(self.nodes.iter().cloned().chain([output]).collect()).ok()
    }

    /// The network.
    ///
    /// # Panics
    /// If there are no nodes.
    #[must_use]
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
        dilation: [1; 2],
    }
}

/// A graph as a model, without a float network worth the name.
///
/// # Panics
/// Never.
#[must_use]
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
        opening: Opening::All,
        calibration: None,
        parts: Vec::new(),
    };
    let input = Node {
        name: "input".into(),
        op: Op::Input { shape },
        inputs: Vec::new(),
    };
    let float = FloatModel {
        graph: FloatGraph::new(vec![input]).expect("an input is a network"),
        tensors: Tensors::new(),
    };
    Model {
        public,
        weights,
        float,
    }
}

/// The network with a random possible algorithm for every linear layer, and how many leave guard
/// bits.
///
/// # Panics
/// Never.
pub fn rewritten(rng: &mut Rng, model: &Model) -> (Model, usize) {
    let cpu = CpuModel::default();
    let layers = choose_algorithms(model, &Algorithms::default(), PRICE, &cpu);
    let chosen: BTreeMap<String, Algorithm> = (layers.expect("it chooses").1.into_iter())
        .map(|layer| {
            let candidate = rng.pick(0, layer.candidates.len() - 1);
            (layer.name, layer.candidates[candidate].algorithm.clone())
        })
        .collect();
    let count = chosen.values().filter(|a| a.guard_bits() > 0).count();
    let chosen = choose_algorithms(model, &Algorithms::Layers(chosen), PRICE, &cpu);
    (chosen.expect("all are possible").0, count)
}
