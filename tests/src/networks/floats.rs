//! Random float networks.

use nets::{FloatGraph, FloatModel, Node, Op, Shape, Tensor, Tensors, Window};

use super::ints::Rng;

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

/// A random float network of every operation.
///
/// # Panics
/// Never.
#[must_use]
pub fn network(rng: &mut Rng) -> (FloatModel, Vec<f32>) {
    let shape = Shape::new(rng.pick(1, 3), rng.pick(2, 7), rng.pick(2, 7));
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
        // These two are made by import, of others.
        Op::SignedRelu { .. } => 21,
        Op::AddMap { .. } => 22,
    }
}

/// How many operations there are that a network can come with; import makes two more.
pub const OPERATIONS: usize = 21;

/// Numbers in -2..2.
///
/// # Panics
/// Never.
pub fn values(rng: &mut Rng, n: usize) -> Vec<f32> {
    let value = |_| f32::from(i16::try_from(rng.below(4001) - 2000).expect("small")) / 1000.0;
    (0..n).map(value).collect()
}

fn add(rng: &mut Rng, model: &mut Net, name: &str, input: usize) {
    let x = model.graph().expect("it fits so far").types()[input];
    let tensor = |model: &mut Net, rng: &mut Rng, part: &str, shape: &[usize]| {
        let tensor = Tensor::new(shape.to_vec(), values(rng, shape.iter().product()));
        model.tensors.insert(format!("{name}{part}"), tensor);
        format!("{name}{part}")
    };
    let kernel = rng.pick(1, 3);
    let window = Window::square(kernel, rng.pick(1, 2), rng.pick(0, kernel - 1));
    let gaps = [rng.pick(1, 2), rng.pick(1, 2)];
    let op = match rng.pick(0, 20) {
        0 | 1 => {
            let (groups, factor) = (
                if rng.pick(0, 2) == 0 { x.channels } else { 1 },
                rng.pick(1, 2),
            );
            let out_channels = x.channels * factor;
            let shape = [out_channels, x.channels / groups, kernel, kernel];
            let weight = tensor(model, rng, "w", &shape);
            let bias = (rng.pick(0, 1) == 0).then(|| tensor(model, rng, "b", &[out_channels]));
            Op::Conv2d {
                out_channels,
                groups,
                window: Window {
                    dilation: if kernel == 3 { gaps } else { [1; 2] },
                    ..window
                },
                weight,
                bias,
            }
        }
        2 | 3 => {
            let n = [x.channels];
            let (gamma, beta) = (tensor(model, rng, "g", &n), tensor(model, rng, "s", &n));
            let mean = tensor(model, rng, "m", &n);
            let var = Tensor::new(
                n.to_vec(),
                values(rng, n[0]).iter().map(|v| v * v).collect(),
            );
            model.tensors.insert(format!("{name}v"), var);
            Op::BatchNorm {
                gamma,
                beta,
                mean,
                var: format!("{name}v"),
                eps: 0.1,
            }
        }
        4..=16 => {
            let (op, inputs) = plain(rng, x, window, input);
            model.push(name, op, &inputs);
            return;
        }
        17 => {
            // A gate of any sign, or one that is never negative.
            let mut gate = model.push(format!("{name}m"), Op::GlobalAvgPool, &[input]);
            match rng.pick(0, 2) {
                0 => {}
                1 => gate = model.push(format!("{name}r"), Op::Relu, &[gate]),
                _ => gate = model.push(format!("{name}h"), Op::HardSigmoid, &[gate]),
            }
            model.push(name, Op::Gate, &[input, gate]);
            return;
        }
        18 => Op::LeakyRelu {
            slope: f64::from(u8::try_from(rng.pick(0, 15)).expect("small")) / 8.0 - 0.5,
        },
        19 => {
            let slope = values(rng, x.channels).iter().map(|v| v / 2.0).collect();
            let slope = Tensor::new(vec![x.channels], slope);
            model.tensors.insert(format!("{name}a"), slope);
            Op::PRelu {
                slope: format!("{name}a"),
            }
        }
        _ if x.plane() == 1 => {
            let weight = tensor(model, rng, "w", &[3, x.channels]);
            Op::Linear {
                out_features: 3,
                weight,
                bias: None,
            }
        }
        _ => Op::GlobalAvgPool,
    };
    model.push(name, op, &[input]);
}

/// An operation without parameters.
fn plain(rng: &mut Rng, x: Shape, window: Window, input: usize) -> (Op, Vec<usize>) {
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
        15 => Op::HardSwish,
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
