//! From a folded float graph to the integer graph and its weights.
//!
//! An activation of m bits is extended to the accumulator ring of l = m + d bits, multiplied
//! there, and truncated by d back to m bits. A wider accumulator would change nothing: the result
//! modulo 2^m depends on the accumulator modulo 2^(m + d) only, and is right if it fits m bits.

mod quantise;
mod rescale;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use ring_arith::Bits;

use crate::graph::Op;
use crate::import::{ImportOptions, Preset};
use crate::rounding::Moments;
use crate::scales::Scales;
use crate::{Error, FloatModel, IntGraph, IntNode, IntOp, LayerWeights, PrivateWeights, Window};

/// The lowered network; `origin` gives the float node of each integer node's values.
pub(crate) struct Lowered {
    pub(crate) graph: IntGraph,
    pub(crate) weights: PrivateWeights,
    /// Float node number of each linear integer node.
    pub(crate) origin: HashMap<usize, usize>,
}

/// Lowers a folded graph.
pub(crate) fn lower(
    model: &FloatModel,
    scales: &Scales,
    moments: &BTreeMap<usize, Vec<Moments>>,
    options: &ImportOptions,
) -> Result<Lowered, Error> {
    supported(model, scales)?;
    let mut lowering = Lowering::new(model, scales, moments, options)?;
    for node in 0..model.graph.nodes.len() {
        if matches!(
            model.graph.nodes[node].op,
            Op::Conv2d { .. } | Op::Linear { .. }
        ) {
            lowering.linear(node)?;
        }
    }
    let last = model.graph.nodes.len() - 1;
    let output = lowering.activation(last);
    lowering.push("output", IntOp::Output, &[output]);
    let graph = IntGraph::new(lowering.nodes)?;
    let weights = PrivateWeights::new(&graph, lowering.weights)?;
    Ok(Lowered {
        graph,
        weights,
        origin: lowering.origin,
    })
}

/// Names every node that cannot be lowered, all in one error.
fn supported(model: &FloatModel, scales: &Scales) -> Result<(), Error> {
    let nodes = &model.graph.nodes;
    let mut bad = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let gain = node.inputs.first().map_or(1.0, |&i| scales.gain[i]);
        // A sum is too wide for an activation: only linear layers take it, and what stands between.
        let narrow = match node.op {
            Op::BatchNorm { .. } => {
                bad.push(format!(
                    "batch-norm not after a convolution (`{}`)",
                    node.name
                ));
                false
            }
            Op::Relu
            | Op::SignedRelu { .. }
            | Op::Clip { .. }
            | Op::MaxPool { .. }
            | Op::HardSigmoid
            | Op::HardSwish
            | Op::Gate
            | Op::Add
            | Op::Concat => true,
            _ => false,
        };
        if narrow && gain != 1.0 {
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

struct Lowering<'a> {
    model: &'a FloatModel,
    scales: &'a Scales,
    moments: &'a BTreeMap<usize, Vec<Moments>>,
    options: &'a ImportOptions,
    nodes: Vec<IntNode>,
    weights: BTreeMap<usize, LayerWeights>,
    origin: HashMap<usize, usize>,
    /// The ring in which each float node's value is made, if it is no sum.
    native: Vec<u32>,
    /// Integer node of a float node's value in a ring of so many bits.
    made: HashMap<(usize, u32), usize>,
}

impl<'a> Lowering<'a> {
    fn new(
        model: &'a FloatModel,
        scales: &'a Scales,
        moments: &'a BTreeMap<usize, Vec<Moments>>,
        options: &'a ImportOptions,
    ) -> Result<Self, Error> {
        let mut this = Self {
            model,
            scales,
            moments,
            options,
            nodes: Vec::new(),
            weights: BTreeMap::new(),
            origin: HashMap::new(),
            native: scales.bits.clone(),
            made: HashMap::new(),
        };
        this.widen();
        this.input()?;
        Ok(this)
    }

    fn push(&mut self, name: &str, op: IntOp, inputs: &[usize]) -> usize {
        self.nodes.push(IntNode {
            name: name.to_owned(),
            op,
            inputs: inputs.to_vec(),
        });
        self.nodes.len() - 1
    }

    /// The client knows its input and encodes it for the widest ring that takes it.
    fn input(&mut self) -> Result<(), Error> {
        let nodes = &self.model.graph.nodes;
        let mut bits = 0;
        for (index, node) in nodes.iter().enumerate().skip(1) {
            let takes = node.inputs.iter().any(|&i| self.is_wide_input(i));
            let ring = self.shift(index).map(|shift| self.ring(index, shift));
            let wanted = match (ring.transpose()?, self.scales.linear[index]) {
                (Some(ring), Some(_)) if takes => ring,
                (Some(ring), None) if takes => ring.max(self.scales.bits[0]),
                (None, _) if takes && self.scales.gain[index] == 1.0 => self.scales.bits[0],
                _ => continue,
            };
            bits = bits.max(wanted);
        }
        if bits == 0 {
            bits = self.scales.bits[0];
        }
        let Op::Input { shape } = nodes[0].op else {
            return Err(Error::shape(&nodes[0].name, "the first node is no input"));
        };
        let op = IntOp::Input {
            shape,
            bits,
            scale: self.scales.tensor[0],
        };
        let node = self.push(&nodes[0].name, op, &[]);
        self.made.insert((0, bits), node);
        Ok(())
    }

    /// Whether a node is the input or sums of it, which are made in the ring of their taker.
    fn is_wide_input(&self, node: usize) -> bool {
        let sums = || {
            self.model.graph.nodes[node]
                .inputs
                .iter()
                .any(|&i| self.is_wide_input(i))
        };
        node == 0 || (self.scales.gain[node] != 1.0 && sums())
    }

    /// Bits cut off after a node that ends a group.
    fn shift(&self, node: usize) -> Option<u32> {
        let linear = self.scales.linear[node].map(|linear| linear.shift);
        linear.or(self.scales.rescale[node].map(|rescale| rescale.shift))
    }

    /// The accumulator's ring.
    fn ring(&self, node: usize, shift: u32) -> Result<u32, Error> {
        let name = &self.model.graph.nodes[node].name;
        let ring = match self.options.preset {
            Preset::Mixed => self.native[node] + shift,
            Preset::Uniform { bits } => bits,
        };
        let needed = self.options.activation_bits + shift;
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

    /// The value of a float node in the ring of activations.
    fn activation(&mut self, node: usize) -> usize {
        self.value(node, self.scales.bits[node])
    }

    /// The value of a float node in a ring of `bits`.
    fn value(&mut self, node: usize, bits: u32) -> usize {
        if let Some(&made) = self.made.get(&(node, bits)) {
            return made;
        }
        let float = &self.model.graph.nodes[node];
        if let Op::AddMap { .. } = float.op {
            // It is in the biases of the linear node.
            return self.value(float.inputs[0], bits);
        }
        let name = float.name.as_str();
        let wide = self.scales.gain[node] != 1.0 || matches!(float.op, Op::Input { .. });
        let native = self.native[node];
        let made = match bits.cmp(&native) {
            _ if wide => self.compute(node, bits),
            Ordering::Equal => self.compute(node, bits),
            Ordering::Less => {
                let full = self.value(node, native);
                self.push(
                    &format!("{name}.narrow"),
                    IntOp::Narrow { to: bits },
                    &[full],
                )
            }
            Ordering::Greater => {
                let narrow = self.value(node, native);
                self.push(
                    &format!("{name}.extend"),
                    IntOp::Extend { to: bits },
                    &[narrow],
                )
            }
        };
        self.made.insert((node, bits), made);
        made
    }

    /// Computes a node that is not linear in a ring of `bits`.
    fn compute(&mut self, node: usize, bits: u32) -> usize {
        let float = &self.model.graph.nodes[node];
        if let Some(rescale) = self.scales.rescale[node] {
            return self.rescaled(node, rescale);
        }
        let op = match float.op {
            Op::Input { .. } => {
                let name = format!("{}.narrow", float.name);
                return self.push(&name, IntOp::Narrow { to: bits }, &[0]);
            }
            Op::SignedRelu { .. } => {
                let input = self.value(float.inputs[0], bits);
                let made = self.push(&float.name, IntOp::SignedRelu, &[input]);
                self.weights.insert(made, self.signs(node));
                return made;
            }
            Op::Relu => IntOp::Relu,
            Op::Clip { top } => self.clip(node, top, bits),
            Op::MaxPool { window } => IntOp::MaxPool { window },
            Op::Add => IntOp::Add,
            Op::Concat => IntOp::Concat,
            Op::ChannelShuffle { groups } => IntOp::ChannelShuffle { groups },
            Op::Slice { start, channels } => IntOp::Slice { start, channels },
            Op::Subsample { stride } => IntOp::Subsample { stride },
            Op::PadChannels { front, back } => IntOp::PadChannels { front, back },
            Op::Flatten => IntOp::Flatten,
            Op::AvgPool { window, .. } => IntOp::SumPool { window },
            Op::GlobalAvgPool => {
                let shapes = self.model.graph.shapes().expect("fold() checked the graph");
                IntOp::SumPool {
                    window: Window::whole(shapes[float.inputs[0]]),
                }
            }
            Op::Conv2d { .. } | Op::Linear { .. } | Op::BatchNorm { .. } | Op::AddMap { .. } => {
                unreachable!("linear nodes are made before what takes them")
            }
            Op::HardSigmoid | Op::HardSwish | Op::Gate => {
                unreachable!("they rescale")
            }
        };
        let inputs: Vec<usize> = float.inputs.iter().map(|&i| self.value(i, bits)).collect();
        self.push(&float.name, op, &inputs)
    }

    /// A bound that the ring cannot reach clips nothing.
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

    fn linear(&mut self, node: usize) -> Result<(), Error> {
        let float = &self.model.graph.nodes[node];
        let scale = self.scales.linear[node].expect("choose() scales every linear node");
        let ring = self.ring(node, scale.shift)?;
        let input = self.value(float.inputs[0], ring);
        let weight_bits = scale.bits;
        let (op, weight, bias) = match &float.op {
            Op::Conv2d {
                out_channels,
                groups,
                window,
                weight,
                bias,
            } => {
                let (out_channels, groups, window) = (*out_channels, *groups, *window);
                let weight_scale = scale.weight;
                let op = IntOp::Conv {
                    out_channels,
                    groups,
                    window,
                    weight_bits,
                    weight_scale,
                };
                (op, weight, bias)
            }
            Op::Linear {
                out_features,
                weight,
                bias,
            } => {
                let (out_features, weight_scale) = (*out_features, scale.weight);
                let op = IntOp::FullyConnected {
                    out_features,
                    weight_bits,
                    weight_scale,
                };
                (op, weight, bias)
            }
            _ => unreachable!("the caller looked"),
        };
        let mut made = self.push(&float.name, op, &[input]);
        let with_map = node + usize::from(self.map(node).is_some());
        self.origin.insert(made, with_map);
        let weights = self.quantised(node, weight, bias.as_deref(), scale)?;
        self.weights.insert(made, weights);
        made = self.truncated(&float.name, made, scale.shift);
        self.made.insert((node, self.native[node]), made);
        Ok(())
    }

    /// Cuts off bits of what carries the rounding constant.
    fn truncated(&mut self, name: &str, made: usize, shift: u32) -> usize {
        let rounded = true;
        let op = match self.options.preset {
            _ if shift == 0 => return made,
            Preset::Mixed => IntOp::TruncReduce { shift, rounded },
            Preset::Uniform { .. } => IntOp::Trunc { shift, rounded },
        };
        self.push(&format!("{name}.truncate"), op, &[made])
    }
}
