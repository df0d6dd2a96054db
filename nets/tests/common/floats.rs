//! Random float networks.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use nets::{FloatModel, Graph, Op, Shape, Tensor, Tensors, Window};

use crate::random::Rng;

/// A random float network of every operation.
pub fn network(rng: &mut Rng) -> (FloatModel, Vec<f32>) {
    let shape = Shape::new(rng.pick(1, 3), rng.pick(2, 7), rng.pick(2, 7));
    let mut model = FloatModel {
        graph: Graph::new(),
        tensors: Tensors::new(),
    };
    model.graph.push("input", Op::Input { shape }, &[]);
    for index in 0..rng.pick(2, 9) {
        let nodes = model.graph.nodes.len();
        let input = if rng.pick(0, 4) == 0 {
            rng.pick(0, nodes - 1)
        } else {
            nodes - 1
        };
        add(rng, &mut model, &format!("node{index}"), input);
        if model.graph.shapes().is_err() {
            model.graph.nodes.truncate(nodes);
        }
    }
    let input = values(rng, shape.len());
    (model, input)
}

/// Numbers in -2..2.
pub fn values(rng: &mut Rng, n: usize) -> Vec<f32> {
    let value = |_| f32::from(i16::try_from(rng.below(4001) - 2000).expect("small")) / 1000.0;
    (0..n).map(value).collect()
}

fn add(rng: &mut Rng, model: &mut FloatModel, name: &str, input: usize) {
    let x = model.graph.shapes().expect("it fits so far")[input];
    let tensor = |model: &mut FloatModel, rng: &mut Rng, part: &str, shape: &[usize]| {
        let tensor = Tensor::new(shape.to_vec(), values(rng, shape.iter().product()));
        model.tensors.insert(format!("{name}{part}"), tensor);
        format!("{name}{part}")
    };
    let kernel = rng.pick(1, 3);
    let window = Window::square(kernel, rng.pick(1, 2), rng.pick(0, kernel - 1));
    let op = match rng.pick(0, 18) {
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
                window,
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
            model.graph.push(name, op, &inputs);
            return;
        }
        17 => {
            // A gate of any sign, or one that is never negative.
            let graph = &mut model.graph;
            let mut gate = graph.push(format!("{name}m"), Op::GlobalAvgPool, &[input]);
            match rng.pick(0, 2) {
                0 => {}
                1 => gate = graph.push(format!("{name}r"), Op::Relu, &[gate]),
                _ => gate = graph.push(format!("{name}h"), Op::HardSigmoid, &[gate]),
            }
            graph.push(name, Op::Gate, &[input, gate]);
            return;
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
    model.graph.push(name, op, &[input]);
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
