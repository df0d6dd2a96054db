//! Random float networks.

use nets::{Curve, FloatGraph, FloatModel, Node, Op, Shape, Tensor, Tensors, Window};

use super::ints::{Rng, picked, reordered};

/// A network in the making.
#[derive(Debug, Default)]
struct Net {
    nodes: Vec<Node<Op>>,
    tensors: Tensors,
}

impl Net {
    fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[usize]) -> usize {
        self.nodes.push(Node {
            name: name.into(),
            op,
            inputs: inputs.to_vec(),
        });
        self.nodes.len() - 1
    }

    fn graph(&self) -> Result<FloatGraph, nets::Error> {
        FloatGraph::new(self.nodes.clone())
    }
}

/// A random network on an image, of every operation that a network can come with.
///
/// # Panics
/// Never.
#[must_use]
pub fn network(rng: &mut Rng) -> (FloatModel, Vec<f32>) {
    // Grey or coloured.
    let channels = if rng.pick(0, 1) == 0 { 1 } else { 3 };
    let shape = Shape::new(channels, rng.pick(2, 7), rng.pick(2, 7));
    let mut net = Net::default();
    net.push("input", Op::Input { shape }, &[]);
    for index in 0..rng.pick(2, 9) {
        let nodes = net.nodes.len();
        let input = if rng.pick(0, 4) == 0 {
            rng.pick(0, nodes - 1)
        } else {
            nodes - 1
        };
        add(rng, &mut net, &format!("node{index}"), input);
        if net.graph().is_err() {
            net.nodes.truncate(nodes);
        }
    }
    let input = values(rng, shape.len());
    let graph = net.graph().expect("every node fitted");
    let tensors = net.tensors;
    (FloatModel { graph, tensors }, input)
}

/// The place of every operation in a list, so that one which is new does not compile without a number,
/// and the test of the generator looks for it.
#[must_use]
pub const fn number(op: &Op) -> usize {
    match op {
        Op::Input { .. } => 0,
        Op::Conv2d { .. } => 1,
        Op::BatchNorm { .. } => 2,
        Op::Relu => 3,
        Op::Clip { .. } => 4,
        Op::LeakyRelu { .. } => 5,
        Op::PRelu { .. } => 6,
        Op::MaxPool { .. } => 7,
        Op::HardSigmoid => 8,
        Op::HardSwish => 9,
        Op::Gate => 10,
        Op::AvgPool { .. } => 11,
        Op::GlobalAvgPool => 12,
        Op::Add => 13,
        Op::Concat => 14,
        Op::ChannelShuffle { .. } => 15,
        Op::Slice { .. } => 16,
        Op::Subsample { .. } => 17,
        Op::PadChannels { .. } => 18,
        Op::Flatten => 19,
        Op::Linear { .. } => 20,
        Op::Clamp { .. } => 21,
        Op::Neg => 22,
        Op::Pick { .. } => 23,
        Op::Reorder { .. } => 24,
        Op::AddMap { .. } => 25,
        Op::Curve { .. } => 26,
        // This is made by import, of others.
        Op::SignedRelu { .. } => 27,
        // Networks with scales of their own are in `super::grids`.
        Op::Quantise { .. } => 28,
        Op::Scale { .. } => 29,
    }
}

/// How many operations there are that a network can come with; import makes one more.
pub const OPERATIONS: usize = 27;

/// Numbers in -2..2.
///
/// # Panics
/// Never.
pub fn values(rng: &mut Rng, n: usize) -> Vec<f32> {
    let value = |_| f32::from(i16::try_from(rng.below(4001) - 2000).expect("small")) / 1000.0;
    (0..n).map(value).collect()
}

/// A parameter of these values, under the name of a node and a part of it.
fn parameter(net: &mut Net, name: &str, part: &str, shape: &[usize], data: Vec<f32>) -> String {
    let name = format!("{name}{part}");
    net.tensors
        .insert(name.clone(), Tensor::new(shape.to_vec(), data));
    name
}

/// A convolution, dense or of each channel apart, with gaps or without.
fn conv(rng: &mut Rng, net: &mut Net, name: &str, x: Shape) -> Op {
    let window = window(rng);
    let groups = if rng.pick(0, 2) == 0 { x.channels } else { 1 };
    let out_channels = x.channels * rng.pick(1, 2);
    let [rows, columns] = window.kernel;
    let shape = [out_channels, x.channels / groups, rows, columns];
    let data = values(rng, shape.iter().product());
    let weight = parameter(net, name, "w", &shape, data);
    let bias = (rng.pick(0, 1) == 0).then(|| {
        let data = values(rng, out_channels);
        parameter(net, name, "b", &[out_channels], data)
    });
    let gaps = [rng.pick(1, 2), rng.pick(1, 2)];
    Op::Conv2d {
        out_channels,
        groups,
        window: Window {
            dilation: if rows == 3 { gaps } else { [1; 2] },
            ..window
        },
        weight,
        bias,
    }
}

fn norm(rng: &mut Rng, net: &mut Net, name: &str, x: Shape) -> Op {
    let [gamma, beta, mean] = ["g", "s", "m"].map(|part| {
        let data = values(rng, x.channels);
        parameter(net, name, part, &[x.channels], data)
    });
    let data = values(rng, x.channels).iter().map(|v| v * v).collect();
    let var = parameter(net, name, "v", &[x.channels], data);
    Op::BatchNorm {
        gamma,
        beta,
        mean,
        var,
        eps: 0.1,
    }
}

fn window(rng: &mut Rng) -> Window {
    let kernel = rng.pick(1, 3);
    // Sometimes padding is not below the kernel, which is for convolutions and means only.
    let most = if rng.pick(0, 7) == 0 { 4 } else { kernel - 1 };
    Window::square(kernel, rng.pick(1, 2), rng.pick(0, most))
}

fn add(rng: &mut Rng, net: &mut Net, name: &str, input: usize) {
    let x = net.graph().expect("it fits so far").types()[input];
    let op = match rng.pick(0, 26) {
        0 | 1 => conv(rng, net, name, x),
        2 | 3 => norm(rng, net, name, x),
        4..=16 => {
            let (op, inputs) = plain(rng, x, input);
            net.push(name, op, &inputs);
            return;
        }
        17 => {
            // A gate of any sign, or one that is never negative.
            let mut gate = net.push(format!("{name}m"), Op::GlobalAvgPool, &[input]);
            match rng.pick(0, 3) {
                0 => {}
                1 => gate = net.push(format!("{name}r"), Op::Relu, &[gate]),
                2 => {
                    let curve = Curve::Sigmoid;
                    gate = net.push(format!("{name}s"), Op::Curve { curve }, &[gate]);
                }
                _ => gate = net.push(format!("{name}h"), Op::HardSigmoid, &[gate]),
            }
            net.push(name, Op::Gate, &[input, gate]);
            return;
        }
        18 => Op::LeakyRelu {
            slope: f64::from(u8::try_from(rng.pick(0, 15)).expect("small")) / 8.0 - 0.5,
        },
        19 => {
            let slope = values(rng, x.channels).iter().map(|v| v / 2.0).collect();
            let slope = parameter(net, name, "a", &[x.channels], slope);
            Op::PRelu { slope }
        }
        25 => {
            let data = values(rng, x.len());
            let map = parameter(net, name, "m", &[x.channels, x.height, x.width], data);
            Op::AddMap { map }
        }
        21 => clamp(rng),
        22 => Op::Neg,
        23 => {
            let [channels, rows, columns] = picked(rng, x);
            Op::Pick {
                channels,
                rows,
                columns,
            }
        }
        24 => {
            let (order, shape) = reordered(rng, x);
            Op::Reorder { order, shape }
        }
        20 => {
            // What stands before a layer instead of after it.
            let op = norm(rng, net, &format!("{name}n"), x);
            let normed = net.push(format!("{name}n"), op, &[input]);
            let relu = net.push(format!("{name}r"), Op::Relu, &[normed]);
            let op = conv(rng, net, name, x);
            net.push(name, op, &[relu]);
            return;
        }
        _ if x.plane() == 1 => {
            let data = values(rng, 3 * x.channels);
            let weight = parameter(net, name, "w", &[3, x.channels], data);
            Op::Linear {
                out_features: 3,
                weight,
                bias: None,
            }
        }
        _ => Op::GlobalAvgPool,
    };
    net.push(name, op, &[input]);
}

/// Bounds of any sign, one of which may be missing or far away.
fn clamp(rng: &mut Rng) -> Op {
    let mut bound = || f64::from(i8::try_from(rng.pick(0, 48)).expect("small") - 24) / 8.0;
    let (a, b) = (bound(), bound());
    let (low, high) = (a.min(b), a.max(b) + 0.5);
    let (low, high) = match rng.pick(0, 3) {
        0 => (Some(low), None),
        1 => (None, Some(high)),
        2 => (Some(low), Some(1e30)),
        _ => (Some(low), Some(high)),
    };
    Op::Clamp { low, high }
}

/// Any smooth function.
fn curve(rng: &mut Rng) -> Curve {
    let alpha = f64::from(u8::try_from(rng.pick(1, 16)).expect("small")) / 8.0;
    match rng.pick(0, 9) {
        0 => Curve::Sigmoid,
        1 => Curve::Tanh,
        2 => Curve::Elu { alpha },
        3 => Curve::Celu { alpha },
        4 => Curve::Selu,
        5 => Curve::Gelu,
        6 => Curve::GeluTanh,
        7 => Curve::Softplus,
        8 => Curve::Mish,
        _ => Curve::Silu,
    }
}

/// An operation without parameters.
fn plain(rng: &mut Rng, x: Shape, input: usize) -> (Op, Vec<usize>) {
    let window = window(rng);
    let op = match rng.pick(4, 16) {
        4 => Op::Relu,
        5 => Op::MaxPool { window },
        6 => Op::AvgPool {
            window,
            counts_padding: rng.pick(0, 1) == 0,
        },
        7 => return (Op::Add, vec![input, input]),
        8 => Op::Subsample {
            stride: rng.pick(1, 3),
        },
        9 => Op::PadChannels {
            front: rng.pick(0, 2),
            back: rng.pick(0, 2),
        },
        10 => Op::Flatten,
        14 => Op::HardSigmoid,
        15 if rng.pick(0, 1) == 0 => Op::HardSwish,
        15 => Op::Curve { curve: curve(rng) },
        11 => Op::Clip {
            top: f64::from(u8::try_from(rng.pick(1, 6)).expect("small")),
        },
        12 => return (Op::Concat, vec![input, rng.pick(0, input)]),
        13 => Op::ChannelShuffle {
            groups: rng.pick(1, x.channels),
        },
        _ => Op::Slice {
            start: rng.pick(0, x.channels - 1),
            channels: rng.pick(1, x.channels),
        },
    };
    (op, vec![input])
}
