//! What the networks of `training/xop.py` cost between two parties: three small families with
//! their 3 × 3 convolutions, with depthwise-separable ones, and with X-operators.
//!
//! `cargo run --release -p blindray-secure --example xop_networks [WEIGHTS]`: WEIGHTS is the folder that
//! `training/xop.py --weights` filled, of which seed 0 is read; without it the weights are random,
//! by their names. Weights of 10 bits, calibrated on noise. Every convolution directly, and as chosen
//! by bytes; refill and flights are of the latter.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use backbones::{XOpOptions, replace_convolutions};
use import::{ImportOptions, WeightBits, quantise};
use nets::{
    FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, StateDict, Tensor, Tensors,
    Window,
};
use secure::{Algorithms, CpuModel, Mode, SecureNetwork, choose_algorithms};
use sharing::default_extension;

const SIDE: usize = 64;
const STEM: usize = 16;
const GROWTH: usize = 8;
const FAMILIES: [&str; 3] = ["residual", "densenet", "mobilenet"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    println!(
        "| network | 3×3 layers | parameters | MACs | online directly, bytes | online, bytes | refill, bytes | flights |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    for family in FAMILIES {
        let mut variants = vec![("conv".to_owned(), None), ("separable".to_owned(), None)];
        for groups in [1, 4] {
            for r in ["1/4", "1/2", "1"] {
                let options = XOpOptions {
                    spatial: r.parse().expect("a member"),
                    groups,
                    pointwise: None,
                };
                variants.push((format!("x-{r}-g{groups}"), Some(options)));
            }
        }
        for (variant, options) in variants {
            let mut source = network(family, variant == "separable");
            if let Some(options) = options {
                source = replace_convolutions(&source, &options, [0; 32])?.source;
            }
            if let Some(folder) = &folder {
                let name = format!("{family}-{}-0.safetensors", variant.replace('/', "_"));
                source.float.tensors =
                    trained(&source.float, StateDict::load(&folder.join(name))?)?;
            }
            print_row(family, &variant, &source)?;
        }
    }
    Ok(())
}

fn print_row(family: &str, variant: &str, source: &Source) -> Result<(), Box<dyn Error>> {
    let samples: Vec<Vec<f32>> = (0..8).map(|i| noise(i, SIDE * SIDE, 2.0)).collect();
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(10),
        ..ImportOptions::default()
    };
    let (model, _) = quantise(source, &samples, &options)?;
    let price = default_extension().price();
    let network = |algorithms| {
        let (model, _) = choose_algorithms(&model, &algorithms, price, &CpuModel::default())?;
        SecureNetwork::new(Arc::new(model.public.graph), Mode::Faithful, price)
    };
    let (direct, chosen) = (
        network(Algorithms::Direct)?,
        network(Algorithms::default())?,
    );
    let cost = chosen.cost();
    let counted = source.float.tensors.iter();
    let counted = counted.filter(|(name, _)| !name.contains(".running_"));
    println!(
        "| {family} | {variant} | {} | {} | {} | {} | {} | {} |",
        counted.map(|(_, t)| t.data().len()).sum::<usize>(),
        chosen.plan().iter().map(|l| l.macs).sum::<u64>(),
        direct.cost().bytes(),
        cost.bytes(),
        price.total(0, cost.cots.total()) / 8000,
        cost.flights()
    );
    Ok(())
}

/// The parameters of a state dict that the graph names, each of the shape it has.
fn trained(float: &FloatModel, dict: StateDict) -> Result<Tensors, nets::Error> {
    let names = float.tensors.iter();
    let take = |(name, old): (&str, &Tensor)| {
        dict.tensors.values(name, old.shape())?;
        Ok((name.to_owned(), dict.tensors.tensor(name)?.clone()))
    };
    names.map(take).collect()
}

/// A family with its 3 × 3 convolutions, or with depthwise-separable ones.
fn network(family: &str, separable: bool) -> Source {
    let shape = Shape::new(1, SIDE, SIDE);
    let mut net = Net {
        graph: GraphBuilder::new(),
        tensors: Tensors::new(),
        separable: false,
    };
    net.graph.push("input", Op::Input { shape }, &[]);
    let stem = net.conv("conv0", 0, [1, STEM], 3, 2);
    let stem = net.norm("norm0", stem, STEM);
    let stem = net.then("relu0", Op::Relu, stem);
    let window = Window::square(2, 2, 0);
    let x = net.then("pool0", Op::MaxPool { window }, stem);
    net.separable = separable;
    let (x, c) = match family {
        "residual" => net.residual(x),
        "densenet" => net.densenet(x),
        _ => net.mobilenet(x),
    };
    let pool = net.then("pool", Op::GlobalAvgPool, x);
    let flat = net.then("flatten", Op::Flatten, pool);
    let op = Op::Linear {
        out_features: 2,
        weight: net.tensor("classifier.weight".into(), vec![2, c]),
        bias: Some(net.tensor("classifier.bias".into(), vec![2])),
    };
    net.then("classifier", op, flat);
    Source {
        arch: family.into(),
        float: FloatModel {
            graph: net.graph.finish().expect("it fits"),
            tensors: net.tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.482], vec![0.236]),
        labels: vec!["NORMAL".into(), "PNEUMONIA".into()],
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

/// A network being built; the names are those of the training script.
struct Net {
    graph: GraphBuilder<Op>,
    tensors: Tensors,
    separable: bool,
}

impl Net {
    /// BasicBlocks of 16, 32 and 64 channels.
    fn residual(&mut self, mut x: usize) -> (usize, usize) {
        let blocks = [(16, 16, 1), (16, 32, 2), (32, 64, 2)];
        for (i, (from, to, stride)) in blocks.into_iter().enumerate() {
            let part = |part: &str| format!("features.{i}.{part}");
            let y = self.conv(&part("conv1"), x, [from, to], 3, stride);
            let y = self.norm(&part("bn1"), y, to);
            let y = self.then(&part("relu1"), Op::Relu, y);
            let y = self.conv(&part("conv2"), y, [to, to], 3, 1);
            let y = self.norm(&part("bn2"), y, to);
            if from != to {
                let short = self.conv(&part("downsample.0"), x, [from, to], 1, stride);
                x = self.norm(&part("downsample.1"), short, to);
            }
            let sum = self.graph.push(part("add"), Op::Add, &[y, x]);
            x = self.then(&part("relu2"), Op::Relu, sum);
        }
        (x, 64)
    }

    /// Three blocks of three bottleneck layers.
    fn densenet(&mut self, mut x: usize) -> (usize, usize) {
        let (mut c, mut number) = (STEM, 0);
        for block in 0..3 {
            for _ in 0..3 {
                let part = |part: &str| format!("features.{number}.{part}");
                let y = self.norm(&part("norm1"), x, c);
                let y = self.then(&part("relu1"), Op::Relu, y);
                let y = self.conv(&part("conv1"), y, [c, 4 * GROWTH], 1, 1);
                let y = self.norm(&part("norm2"), y, 4 * GROWTH);
                let y = self.then(&part("relu2"), Op::Relu, y);
                let y = self.conv(&part("conv2"), y, [4 * GROWTH, GROWTH], 3, 1);
                x = self.graph.push(part("concat"), Op::Concat, &[x, y]);
                c += GROWTH;
                number += 1;
            }
            if block < 2 {
                let part = |part: &str| format!("features.{number}.{part}");
                let y = self.norm(&part("norm"), x, c);
                let y = self.then(&part("relu"), Op::Relu, y);
                let y = self.conv(&part("conv"), y, [c, c / 2], 1, 1);
                let op = Op::AvgPool {
                    window: Window::square(2, 2, 0),
                    counts_padding: true,
                };
                x = self.then(&part("pool"), op, y);
                c /= 2;
                number += 1;
            }
        }
        let y = self.norm(&format!("features.{number}"), x, c);
        (self.then("relu", Op::Relu, y), c)
    }

    /// A chain of five layers.
    fn mobilenet(&mut self, mut x: usize) -> (usize, usize) {
        let layers = [
            (16, 16, 1),
            (16, 32, 2),
            (32, 32, 1),
            (32, 64, 2),
            (64, 64, 1),
        ];
        for (i, (from, to, stride)) in layers.into_iter().enumerate() {
            let part = |part: &str| format!("features.{i}.{part}");
            let y = self.conv(&part("conv"), x, [from, to], 3, stride);
            let y = self.norm(&part("bn"), y, to);
            x = self.then(&part("relu"), Op::Relu, y);
        }
        (x, 64)
    }

    fn then(&mut self, name: &str, op: Op, input: usize) -> usize {
        self.graph.push(name, op, &[input])
    }

    fn tensor(&mut self, name: String, shape: Vec<usize>) -> String {
        let count: usize = shape.iter().product();
        let seed = name
            .bytes()
            .fold(7, |h: usize, b| h * 31 % 65_521 + usize::from(b));
        let inputs: usize = shape.iter().skip(1).product();
        let positive =
            name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight"));
        let values = if positive {
            noise(seed, count, 0.5).iter().map(|v| v + 1.0).collect()
        } else {
            #[expect(clippy::cast_precision_loss, reason = "layers are small")]
            let top = if shape.len() == 1 {
                0.1
            } else {
                (6.0 / inputs as f32).sqrt()
            };
            noise(seed, count, top)
        };
        self.tensors
            .insert(name.clone(), Tensor::new(shape, values));
        name
    }

    /// A convolution without bias.
    fn conv(
        &mut self,
        name: &str,
        x: usize,
        [from, to]: [usize; 2],
        k: usize,
        stride: usize,
    ) -> usize {
        if !self.separable || k == 1 {
            return self.convolution(name, x, [from, to], [k, stride], 1);
        }
        let y = self.convolution(&format!("{name}.0"), x, [from; 2], [k, stride], from);
        self.convolution(&format!("{name}.1"), y, [from, to], [1, 1], 1)
    }

    fn convolution(
        &mut self,
        name: &str,
        x: usize,
        [from, to]: [usize; 2],
        [k, stride]: [usize; 2],
        groups: usize,
    ) -> usize {
        let weight = self.tensor(format!("{name}.weight"), vec![to, from / groups, k, k]);
        let op = Op::Conv2d {
            out_channels: to,
            groups,
            window: Window::square(k, stride, k / 2),
            weight,
            bias: None,
        };
        self.then(name, op, x)
    }

    fn norm(&mut self, name: &str, x: usize, c: usize) -> usize {
        let mut part = |part: &str| self.tensor(format!("{name}.{part}"), vec![c]);
        let op = Op::BatchNorm {
            gamma: part("weight"),
            beta: part("bias"),
            mean: part("running_mean"),
            var: part("running_var"),
            eps: 1e-5,
        };
        self.then(name, op, x)
    }
}

/// Numbers in −top..top.
fn noise(seed: usize, n: usize, top: f32) -> Vec<f32> {
    let hash = |i: usize| (i * 40_503 + seed * 9973).wrapping_mul(2_654_435_761) >> 9;
    let unit = |i| f32::from(u16::try_from(hash(i) % 65_536).expect("16 bits")) / 32_768.0 - 1.0;
    (0..n).map(|i| unit(i) * top).collect()
}
