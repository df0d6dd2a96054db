//! Random networks of which some tensors are on grids and others are not.

use nets::{
    Curve, FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors,
    Window,
};

use super::floats::values;
use super::ints::Rng;

/// A network, images, and how far an import may be from it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Partly {
    /// The network.
    pub source: Source,
    /// Images as input values.
    pub images: Vec<Vec<f32>>,
    /// How far a logit may be from that of the float network, where what is not on a grid is exact to [`FINE`]: a value
    /// near the middle between two integers may be rounded to the other, and no layer makes differences larger.
    pub tolerance: f64,
}

/// How far what is not on a grid may be from its float.
pub const FINE: f64 = 0.004;

struct Net<'r> {
    rng: &'r mut Rng,
    graph: GraphBuilder<Op>,
    tensors: Tensors,
    /// For each node how far it may be from its float.
    far: Vec<f64>,
}

impl Net<'_> {
    fn push(&mut self, op: Op, inputs: &[usize], far: f64) -> usize {
        self.far.push(far);
        let name = format!("node{}", self.far.len());
        self.graph.push(name, op, inputs)
    }

    fn shape(&self, node: usize) -> Shape {
        *self.graph.type_of(node).expect("it fits")
    }

    /// A layer of which no row makes a difference larger, with weights that are integers times a scale, or others.
    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn layer(&mut self, x: usize, out_channels: usize, kernel: usize) -> usize {
        let shape = [out_channels, self.shape(x).channels, kernel, kernel];
        let row: usize = shape[1..].iter().product();
        let mut weights = values(self.rng, shape.iter().product());
        let whole = self.rng.pick(0, 2) > 0;
        for w in &mut weights {
            let value = if whole {
                (*w * 3.5).round() / 7.0
            } else {
                *w / 2.0
            };
            *w = value / row as f32;
        }
        let [weight, bias] = ["w", "b"].map(|part| format!("{}{part}", self.far.len()));
        self.tensors
            .insert(weight.clone(), Tensor::new(shape.to_vec(), weights));
        let biases = values(self.rng, out_channels);
        self.tensors
            .insert(bias.clone(), Tensor::new(vec![out_channels], biases));
        let op = Op::Conv2d {
            out_channels,
            groups: 1,
            window: Window::square(kernel, 1, kernel / 2),
            weight,
            bias: Some(bias),
        };
        let far = self.far[x] + FINE;
        self.push(op, &[x], far)
    }

    /// A node behind another.
    fn add(&mut self, x: usize) -> usize {
        let far = self.far[x];
        let same = |&other: &usize| self.shape(other) == self.shape(x);
        let other = (0..self.far.len()).find(same).expect("itself");
        let window = Window::square(3, 1, 1);
        let counts_padding = self.rng.pick(0, 1) == 0;
        let (op, more) = match self.rng.pick(0, 11) {
            0 => (Op::Relu, 0.0),
            1 => (Op::MaxPool { window }, 0.0),
            2 => (
                Op::AvgPool {
                    window,
                    counts_padding,
                },
                FINE,
            ),
            3 => (
                Op::Curve {
                    curve: Curve::Sigmoid,
                },
                FINE,
            ),
            4 => (Op::LeakyRelu { slope: 0.125 }, FINE),
            5 => (Op::HardSigmoid, FINE),
            6 | 7 => {
                let far = far + self.far[other];
                return self.push(Op::Add, &[x, other], far + FINE);
            }
            8 if self.shape(x).channels < 8 => {
                let far = far.max(self.far[other]);
                return self.push(Op::Concat, &[other, x], far + FINE);
            }
            _ => {
                let channels = self.rng.pick(1, 4);
                let kernel = [1, 3][self.rng.pick(0, 1)];
                return self.layer(x, channels, kernel);
            }
        };
        self.push(op, &[x], far + more)
    }

    /// The node on a grid.
    fn rounded(&mut self, x: usize) -> usize {
        let scale = [1.0 / 64.0, 0.013, 0.02][self.rng.pick(0, 2)];
        let (low, high) = [(-128, 127), (0, 255), (-100, 155)][self.rng.pick(0, 2)];
        let far = self.far[x] + scale;
        self.push(Op::Quantise { scale, low, high }, &[x], far)
    }
}

/// A random one.
///
/// # Panics
/// Never.
#[must_use]
pub fn network(rng: &mut Rng) -> Partly {
    let shape = Shape::new([1, 3][rng.pick(0, 1)], rng.pick(2, 5), rng.pick(2, 5));
    let mut net = Net {
        rng,
        graph: GraphBuilder::new(),
        tensors: Tensors::new(),
        far: Vec::new(),
    };
    let mut last = net.push(Op::Input { shape }, &[], FINE);
    last = net.rounded(last);
    for _ in 0..net.rng.pick(2, 8) {
        last = net.add(last);
        if net.rng.pick(0, 2) > 0 {
            last = net.rounded(last);
        }
    }
    let tolerance = net.far[last];
    let images = (0..4).map(|_| values(net.rng, shape.len())).collect();
    let graph = net.graph.finish().expect("it fits");
    let outputs = graph.output().len();
    let (mean, std) = (vec![0.5; shape.channels], vec![0.25; shape.channels]);
    let source = Source {
        arch: "partly".into(),
        float: FloatModel {
            graph,
            tensors: net.tensors,
        },
        preprocessing: Preprocessing::new(shape, mean, std),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    };
    Partly {
        source,
        images,
        tolerance,
    }
}
