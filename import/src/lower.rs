//! From a folded float graph to the integer graph and its weights.
//!
//! An activation of m bits is extended to the accumulator's ring of l = m + d bits, multiplied there, and
//! truncated by d bits back to m bits. A wider accumulator would change nothing: the result modulo 2^m
//! depends only on the accumulator modulo 2^(m + d), and is right if it fits m bits.

mod clamp;
mod grid;
mod leaky;
mod quantise;
mod rescale;

use std::collections::{BTreeMap, HashMap};

use nets::{
    FloatModel, GraphBuilder, IntGraph, IntOp, Kind, LayerShape, LayerWeights, Op, Operator as _,
    Places, PrivateWeights, Rescaling, Shape, Window,
};
use ring_arith::Bits;

use crate::Error;
use crate::curve::{self, Tables};
use crate::options::{ImportOptions, Preset};
use crate::rounding::Moments;
use crate::scales::Scales;

/// The lowered network.
pub(crate) struct Lowered {
    pub(crate) graph: IntGraph,
    pub(crate) weights: PrivateWeights,
    /// For each linear integer node, the float node that has its values.
    pub(crate) origin: HashMap<usize, usize>,
}

/// Lowers a folded graph. What is proved of its products in wide rings says in how narrow ones they can be computed.
pub(crate) fn lower(
    model: &FloatModel,
    scales: &Scales,
    moments: &BTreeMap<usize, Vec<Moments>>,
    options: &ImportOptions,
    tables: &Tables,
) -> Result<Lowered, Error> {
    supported(model, scales, options, tables)?;
    let lowered = |first_bits| Lowering::new(model, scales, options, tables, first_bits)?.lowered();
    let wide = lowered(rescale::widest(model, scales, options))?;
    let narrow = wide.narrowest();
    let lowering = match narrow == wide.first_bits {
        true => wide,
        false => lowered(narrow)?,
    };
    lowering.finish(moments)
}

/// Names every node that cannot be lowered, all in one error.
fn supported(
    model: &FloatModel,
    scales: &Scales,
    options: &ImportOptions,
    tables: &Tables,
) -> Result<(), Error> {
    let nodes = model.graph.nodes();
    let mut bad: Vec<String> = grid::problem(model, options).into_iter().collect();
    for (index, node) in nodes.iter().enumerate() {
        let gain = node.inputs.first().map_or(1.0, |&i| scales.gain[i]);
        if node.op.kind() == Kind::Norm {
            bad.push(format!(
                "batch-norm not after a convolution (`{}`)",
                node.name
            ));
        }
        if let Some(problem) = curve::problem(model, scales, options, tables, index) {
            bad.push(format!("{problem} (`{}`)", node.name));
        }
        if let Some(problem) = leaky::problem(model, &node.op)? {
            bad.push(format!("{problem} (`{}`)", node.name));
        }
        // A sum that stands for a mean is wider than an activation: only linear layers and means take it,
        // through operations that move values.
        let takes_activations = match node.op.kind() {
            // Its factor divides.
            Kind::Rescales(Rescaling::Scale) => false,
            Kind::Acts | Kind::Rescales(_) | Kind::Joins => true,
            Kind::Input
            | Kind::Linear
            | Kind::Constant
            | Kind::Norm
            | Kind::Moves
            | Kind::Averages => false,
        };
        if takes_activations && gain != 1.0 {
            bad.push(format!(
                "{} of an average pool (`{}`)",
                node.op.name(),
                node.name
            ));
        }
        if index + 1 == nodes.len() && scales.gain[index] != 1.0 {
            bad.push(format!("average pool as output (`{}`)", node.name));
        }
    }
    if bad.is_empty() {
        Ok(())
    } else {
        Err(Error::Unsupported(bad))
    }
}

/// The value of a float node, by its number, in a ring of this many bits.
type Value = (usize, u32);

struct Lowering<'a> {
    model: &'a FloatModel,
    scales: &'a Scales,
    options: &'a ImportOptions,
    tables: &'a Tables,
    graph: GraphBuilder<IntOp>,
    weights: BTreeMap<usize, LayerWeights>,
    /// The integer nodes of linear layers, which get their weights last, and their float nodes.
    products: Vec<(usize, usize)>,
    origin: HashMap<usize, usize>,
    /// Bits of the ring in which each float node's value is first computed, unless it is a sum.
    first_bits: Vec<u32>,
    /// The integer nodes of the values that the graph has so far.
    nodes: HashMap<Value, usize>,
}

impl<'a> Lowering<'a> {
    fn new(
        model: &'a FloatModel,
        scales: &'a Scales,
        options: &'a ImportOptions,
        tables: &'a Tables,
        first_bits: Vec<u32>,
    ) -> Result<Self, Error> {
        let mut this = Self {
            model,
            scales,
            options,
            tables,
            graph: GraphBuilder::new(),
            weights: BTreeMap::new(),
            products: Vec::new(),
            origin: HashMap::new(),
            first_bits,
            nodes: HashMap::new(),
        };
        this.input()?;
        Ok(this)
    }

    /// With all nodes but the output.
    fn lowered(mut self) -> Result<Self, Error> {
        let nodes = self.model.graph.nodes();
        for (index, node) in nodes.iter().enumerate() {
            if node.op.kind() == Kind::Linear {
                self.linear(index)?;
            }
        }
        self.activation(nodes.len() - 1);
        Ok(self)
    }

    /// The graph with its output, and the weights.
    fn finish(mut self, moments: &BTreeMap<usize, Vec<Moments>>) -> Result<Lowered, Error> {
        let output = self.activation(self.model.graph.len() - 1);
        self.push("output", IntOp::Output, &[output]);
        for (product, node) in std::mem::take(&mut self.products) {
            let weights = self.quantised(node, moments.get(&node))?;
            self.weights.insert(product, weights);
        }
        let graph = self.graph.finish()?;
        let weights = PrivateWeights::new(&graph, self.weights)?;
        Ok(Lowered {
            graph,
            weights,
            origin: self.origin,
        })
    }

    fn push(&mut self, name: &str, op: IntOp, inputs: &[usize]) -> usize {
        self.graph.push(name, op, inputs)
    }

    fn op(&self, node: usize) -> &'a Op {
        &self.model.graph.nodes()[node].op
    }

    fn name(&self, node: usize) -> &'a str {
        &self.model.graph.nodes()[node].name
    }

    fn inputs(&self, node: usize) -> &'a [usize] {
        &self.model.graph.nodes()[node].inputs
    }

    fn shape(&self, node: usize) -> Shape {
        self.model.graph.types()[node]
    }

    /// The input. The client knows it, and encodes it for the widest ring that a consumer takes it in.
    fn input(&mut self) -> Result<(), Error> {
        let nodes = self.model.graph.nodes();
        let wide = self.wide_inputs();
        // What the client rounds to has room, also before a layer whose weights are zero.
        let mut bits = self.scales.bits[0];
        for (index, node) in nodes.iter().enumerate().skip(1) {
            let is_moved = self.scales.is_input[index] && index + 1 < nodes.len();
            let Some(shift) = self.scales.shift(index).filter(|_| !is_moved) else {
                continue;
            };
            // Also where it takes something else: later steps count on it that every ring is one.
            let ring = self.ring(index, shift)?;
            if node.inputs.iter().any(|&i| wide[i]) {
                bits = bits.max(ring);
            }
        }
        let op = IntOp::Input {
            shape: *self.model.graph.input(),
            bits,
            scale: self.scales.tensor[0],
        };
        let node = self.push(&nodes[0].name, op, &[]);
        self.nodes.insert((0, bits), node);
        Ok(())
    }

    /// For each node, whether it is the input, moved or as it is, or a sum of it. Every consumer gets such a value in its own
    /// ring, since the client encodes the input for the widest of these.
    fn wide_inputs(&self) -> Vec<bool> {
        let nodes = self.model.graph.nodes();
        let mut wide = vec![true; nodes.len()];
        for (index, node) in nodes.iter().enumerate().skip(1) {
            let sums = self.scales.gain[index] != 1.0 && node.inputs.iter().any(|&i| wide[i]);
            wide[index] = sums || self.scales.is_input[index];
        }
        wide
    }

    /// Bits of a node's accumulator.
    fn ring(&self, node: usize, shift: u32) -> Result<u32, Error> {
        let name = &self.model.graph.nodes()[node].name;
        let ring = match self.options.preset {
            Preset::Mixed => self.first_bits[node] + shift,
            Preset::Uniform { bits } => bits,
        };
        let needed = self.options.activation_bits.max(self.scales.needed[node]) + shift;
        if matches!(self.options.preset, Preset::Uniform { .. }) && ring < needed {
            let problem = format!("it needs {needed} bits, the uniform ring has {ring}");
            return Err(Error::width(name, problem));
        }
        if ring > 64 {
            return Err(Error::width(
                name,
                format!("its accumulator needs {ring} bits"),
            ));
        }
        Ok(ring)
    }

    /// The integer node of a float node's value, in the ring of activations.
    fn activation(&mut self, node: usize) -> usize {
        self.value(node, self.scales.bits[node])
    }

    /// The integer node of a float node's value in a ring of `bits`. What it needs and is not there yet is
    /// emitted before. A list of what is still to be emitted takes the place of recursion, for which deep
    /// networks would exhaust the stack.
    fn value(&mut self, node: usize, bits: u32) -> usize {
        let mut wanted = vec![(node, bits)];
        while let Some(&value) = wanted.last() {
            let before = wanted.len();
            if !self.nodes.contains_key(&value) {
                let missing = self.needs(value).into_iter().rev();
                wanted.extend(missing.filter(|need| !self.nodes.contains_key(need)));
            }
            if wanted.len() == before {
                if !self.nodes.contains_key(&value) {
                    let emitted = self.emit(value);
                    self.nodes.insert(value, emitted);
                }
                wanted.pop();
            }
        }
        self.nodes[&(node, bits)]
    }

    /// The values that a value is computed from, in the order in which they are emitted.
    fn needs(&self, (node, bits): Value) -> Vec<Value> {
        let kind = self.op(node).kind();
        if kind != Kind::Constant && !self.scales.is_anew[node] && bits != self.first_bits[node] {
            return vec![(node, self.first_bits[node])];
        }
        if let Some(rescale) = self.scales.rescale[node] {
            return self.rescaled_needs(node, rescale);
        }
        match kind {
            // A linear layer is emitted before its consumers.
            Kind::Input | Kind::Linear => Vec::new(),
            Kind::Constant
            | Kind::Norm
            | Kind::Moves
            | Kind::Joins
            | Kind::Averages
            | Kind::Rescales(_)
            | Kind::Acts => self.inputs(node).iter().map(|&i| (i, bits)).collect(),
        }
    }

    /// Emits the integer node of a value, whose needs are there.
    fn emit(&mut self, (node, bits): Value) -> usize {
        let (name, first_bits) = (self.name(node), self.first_bits[node]);
        if self.op(node).kind() == Kind::Constant {
            // The constant is in the biases of the linear node.
            return self.nodes[&(self.inputs(node)[0], bits)];
        }
        if self.scales.is_anew[node] || bits == first_bits {
            return self.compute(node, bits);
        }
        let full = self.nodes[&(node, first_bits)];
        if bits < first_bits {
            self.push(
                &format!("{name}.narrow"),
                IntOp::Narrow { to: bits },
                &[full],
            )
        } else {
            self.push(
                &format!("{name}.extend"),
                IntOp::Extend { to: bits },
                &[full],
            )
        }
    }

    /// Emits what computes a node, which is not linear, in a ring of `bits`.
    fn compute(&mut self, node: usize, bits: u32) -> usize {
        let name = self.name(node);
        if let Some(rescale) = self.scales.rescale[node] {
            return self.rescaled(node, rescale);
        }
        let op = match self.op(node).clone() {
            Op::Input { .. } => {
                let name = format!("{name}.narrow");
                return self.push(&name, IntOp::Narrow { to: bits }, &[0]);
            }
            Op::SignedRelu { .. } => {
                let input = self.nodes[&(self.inputs(node)[0], bits)];
                let relu = self.push(name, IntOp::SignedRelu, &[input]);
                self.weights.insert(relu, self.signs(node));
                return relu;
            }
            Op::LeakyRelu { slope } => return self.leaky_relu(node, bits, slope),
            Op::PRelu { slope } => return self.prelu(node, bits, &slope),
            Op::Clamp { .. } => return self.clamp(node, bits),
            Op::Neg => IntOp::Affine {
                factor: -1,
                add: 0,
                scale: 0,
            },
            Op::Relu => IntOp::Relu,
            Op::Clip { top } => self.clip(node, top, bits),
            Op::MaxPool { window } => IntOp::MaxPool { window },
            Op::Add => IntOp::Add,
            Op::Concat => IntOp::Concat,
            Op::ChannelShuffle { groups } => IntOp::ChannelShuffle { groups },
            Op::Slice { start, channels } => IntOp::Slice { start, channels },
            Op::Subsample { stride } => IntOp::Subsample { stride },
            Op::PadChannels { front, back } => IntOp::PadChannels { front, back },
            Op::Pick {
                channels: Places::All,
                rows: Places::All,
                columns: Places::All,
            } => return self.nodes[&(self.inputs(node)[0], bits)],
            Op::Pick {
                channels,
                rows,
                columns,
            } => IntOp::Pick {
                channels,
                rows,
                columns,
            },
            Op::Reorder { order, shape } => IntOp::Reorder { order, shape },
            Op::Flatten => IntOp::Flatten,
            Op::AvgPool { window, .. } => IntOp::SumPool { window },
            Op::GlobalAvgPool => IntOp::SumPool {
                window: Window::whole(self.shape(self.inputs(node)[0])),
            },
            Op::Conv2d { .. } | Op::Linear { .. } | Op::BatchNorm { .. } | Op::AddMap { .. } => {
                unreachable!("linear nodes are emitted first, and norms were refused")
            }
            Op::HardSigmoid
            | Op::HardSwish
            | Op::Curve { .. }
            | Op::Gate
            | Op::Quantise { .. }
            | Op::Scale { .. } => {
                unreachable!("operations that rescale were emitted above")
            }
        };
        let inputs = self.inputs(node).iter();
        let inputs: Vec<usize> = inputs.map(|&i| self.nodes[&(i, bits)]).collect();
        self.push(name, op, &inputs)
    }

    /// The operation for a clip, which is a `ReLU` where no value of the ring exceeds the bound.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    fn clip(&self, node: usize, top: f64, bits: u32) -> IntOp {
        let top = (top * 2f64.powi(self.scales.tensor[node])).round() as i64;
        if top >= Bits::of(bits).max_signed() {
            return IntOp::Relu;
        }
        IntOp::Clip { top: top.max(1) }
    }

    /// Emits a linear layer and its truncation.
    fn linear(&mut self, node: usize) -> Result<(), Error> {
        let scale = self.scales.linear[node].expect("every linear node has a scale");
        let ring = self.ring(node, scale.shift)?;
        let input = self.value(self.inputs(node)[0], ring);
        let layer = self.op(node).linear().expect("only linear nodes are given");
        let shape = if layer.is_fully_connected {
            LayerShape::FullyConnected {
                out_features: layer.out_channels,
            }
        } else {
            LayerShape::Conv {
                out_channels: layer.out_channels,
                groups: layer.groups,
                window: layer.window,
            }
        };
        let op = IntOp::Linear {
            shape,
            weight_bits: scale.bits,
            weight_scale: scale.weight,
            by: nets::Algorithm::DIRECT,
        };
        let product = self.push(self.name(node), op, &[input]);
        let with_map = self.map(node).map_or(node, |(map, _)| map);
        self.origin.insert(product, with_map);
        self.products.push((product, node));
        let result = self.truncated(self.name(node), product, scale.shift);
        self.nodes.insert((node, self.first_bits[node]), result);
        Ok(())
    }

    /// Cuts bits off a value to which the rounding constant has been added.
    fn truncated(&mut self, name: &str, x: usize, shift: u32) -> usize {
        let rounded = true;
        let op = match self.options.preset {
            _ if shift == 0 => return x,
            Preset::Mixed => IntOp::TruncReduce { shift, rounded },
            Preset::Uniform { .. } => IntOp::Trunc { shift, rounded },
        };
        self.push(&format!("{name}.truncate"), op, &[x])
    }
}
