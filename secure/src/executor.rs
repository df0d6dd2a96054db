//! The secure executor: both parties walk the integer graph together.

use std::time::Instant;

use channel::{Cost, Role};
use ndarray::{ArrayView1, ArrayView2, ArrayView4};
use ring_arith::slices;
use sharing::{Input, Session};
use zeroize::Zeroizing;

use crate::choose::{takers, why};
use crate::igraph::{IntGraph, IntOp};
use crate::integer::{reciprocals, sum_pool};
use crate::kernel::{pad_channels, shuffle, slice, subsample};
use crate::plan::{CHUNK, Step, planes_per_chunk};
use crate::price::Work;
use crate::report::{LayerPlan, LayerReport, Mode, Progress, RunReport};
use crate::{Error, LayerWeights, PrivateWeights, Shape};

/// A share of a tensor, erased when dropped.
type Share = Zeroizing<Vec<u64>>;

/// An integer graph made ready for a secure run.
///
/// **Functionality.** The client gives an input, the server [`PrivateWeights`]; the client learns
/// the output, the server nothing. In [`Mode::Faithful`] the output is that of
/// [`crate::run_integer`], whatever the input. In [`Mode::Fast`] every truncation into a narrower
/// ring gives floor(x / 2^d) + Bernoulli((x mod 2^d) / 2^d), of x *without* the rounding constant;
/// it needs that no accumulator exceeds 2^(l-1) - 2^d, which calibration makes likely, not certain.
/// Truncations inside one ring (uniform widths) stay exact. Graph and mode are public and equal on
/// both sides.
///
/// **Protocol.** Node by node, the protocols of `linear` and `nonlinear`; the client's input is
/// shared without traffic, as (0, x). A tensor's share is erased after its last use.
///
/// **Security.** Semi-honest; each protocol takes shares and gives fresh shares, and only the
/// output is opened, to the client.
///
/// **Cost.** [`SecureNetwork::plan`], layer by layer, exactly.
#[derive(Debug)]
pub struct SecureNetwork<'a> {
    graph: &'a IntGraph,
    mode: Mode,
    price: u32,
    steps: Vec<Step>,
    plan: Vec<LayerPlan>,
    /// The place of a node in the plan.
    layer: Vec<Option<usize>>,
}

impl<'a> SecureNetwork<'a> {
    /// Plans the run; `cot_price` is the session's [`Session::cot_price`].
    ///
    /// # Errors
    /// [`Error::Linear`], [`Error::Nonlinear`] for a geometry these refuse.
    pub fn new(graph: &'a IntGraph, mode: Mode, cot_price: u32) -> Result<Self, Error> {
        let (mut steps, mut plan, mut layer) = (Vec::new(), Vec::new(), Vec::new());
        let takers = takers(graph.nodes());
        for node in 0..graph.nodes().len() {
            let step = Step::new(graph, node, mode, cot_price)?;
            let mut entry = step.plan(graph, node, cot_price)?;
            if let Some(entry) = &mut entry {
                entry.why = why(graph, &takers, node, cot_price)?;
            }
            layer.push(entry.is_some().then_some(plan.len()));
            plan.extend(entry);
            steps.push(step);
        }
        Ok(Self {
            graph,
            mode,
            price: cot_price,
            steps,
            plan,
            layer,
        })
    }

    /// The layers that will do something, and what each will cost.
    #[must_use]
    pub fn plan(&self) -> &[LayerPlan] {
        &self.plan
    }

    /// The cost of the whole run, each layer in a phase of its own.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.plan.iter().map(|layer| layer.cost.clone()).sum()
    }

    /// What the CPU does in the whole run, counted.
    #[must_use]
    pub fn work(&self) -> Work {
        let layers = self.plan.iter().map(|layer| layer.work);
        layers.fold(Work::default(), Work::plus)
    }

    /// The server's side.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`Error::Weights`] for weights of another graph.
    ///
    /// # Panics
    /// If the session is the client's, or has another price of correlations than the plan.
    pub fn serve(
        &self,
        session: &mut Session,
        weights: &PrivateWeights,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunReport, Error> {
        assert_eq!(session.role(), Role::Server, "the server serves");
        weights.check(self.graph)?;
        Ok(self.walk(session, Some(weights), None, progress)?.1)
    }

    /// The client's side: `input` as from [`crate::PublicModel::prepare`]; returns the raw outputs.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`Error::InputLength`].
    ///
    /// # Panics
    /// If the session is the server's, or has another price of correlations than the plan.
    pub fn infer(
        &self,
        session: &mut Session,
        input: &[i64],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<i64>, RunReport), Error> {
        assert_eq!(session.role(), Role::Client, "the client infers");
        let (expected, found) = (self.graph.input().shape.len(), input.len());
        if expected != found {
            return Err(Error::InputLength { expected, found });
        }
        let bits = self.graph.input().bits();
        let input = Zeroizing::new(input.iter().map(|&x| bits.from_signed(x)).collect());
        let (output, report) = self.walk(session, None, Some(input), progress)?;
        let bits = self.graph.output().bits();
        Ok((output.iter().map(|&y| bits.to_signed(y)).collect(), report))
    }

    fn walk(
        &self,
        session: &mut Session,
        weights: Option<&PrivateWeights>,
        mut input: Option<Share>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Share, RunReport), Error> {
        assert_eq!(
            session.cot_price(),
            self.price,
            "the plan is for another price"
        );
        let last_use = self.graph.last_use();
        let total_bytes = self.plan.iter().map(|layer| layer.cost.bytes()).sum();
        let mut done_bytes = 0;
        let mut shares: Vec<Share> = Vec::with_capacity(self.steps.len());
        let mut layers = Vec::with_capacity(self.plan.len());
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let start = Instant::now();
            let plan = self.layer[index].map(|layer| (layer, &self.plan[layer]));
            if let Some((layer, LayerPlan { name, op, cost, .. })) = plan {
                let layers = self.plan.len();
                progress(Progress {
                    layer,
                    layers,
                    name,
                    op,
                    done_bytes,
                    total_bytes,
                });
                session.enter_phase(name.clone());
                session.mark();
                done_bytes += cost.bytes();
            }
            let layer = weights.and_then(|weights| weights.layer(index));
            let share = match node.op {
                IntOp::Input { .. } => self.input(session.role(), input.take()),
                IntOp::Winograd { .. } => self.winograd(session, index, &shares, weights)?,
                _ => self.node(session, index, &shares, layer)?,
            };
            shares.push(share);
            if let Some((_, plan)) = plan {
                let seconds = start.elapsed().as_secs_f64();
                layers.push(LayerReport::new(plan, session.measured(), seconds));
            }
            for &input in node.inputs.iter().filter(|&&i| last_use[i] == index) {
                shares[input] = Share::default();
            }
        }
        let output = shares.pop().unwrap_or_default();
        Ok((
            output,
            RunReport {
                mode: self.mode,
                layers,
            },
        ))
    }

    fn input(&self, role: Role, input: Option<Share>) -> Share {
        let x = self.graph.input();
        let sharing = Input {
            owner: Role::Client,
            bits: x.bits(),
        };
        let input = input.as_ref().map(|x| x.as_slice());
        Zeroizing::new(sharing.local(role, input, x.shape.len()))
    }

    fn node(
        &self,
        s: &mut Session,
        index: usize,
        shares: &[Share],
        layer: Option<&LayerWeights>,
    ) -> Result<Share, Error> {
        let x = &shares[self.graph.nodes()[index].inputs[0]];
        let shape = self.graph.input_type(index, 0).shape;
        let y = match &self.steps[index] {
            Step::Local => self.local(s.role(), index, shares),
            Step::Winograd(_) => unreachable!("winograd() does it"),
            Step::Conv(conv) => {
                let image = (1, shape.channels, shape.height, shape.width);
                let image = ArrayView4::from_shape(image, x).expect("types give the shape");
                let mut y = match layer {
                    Some(layer) => {
                        let kernel =
                            ArrayView4::from_shape(conv.spec.weight_shape(), &layer.weights);
                        let kernel = kernel.expect("check() compared the sizes");
                        conv.run_server(s, kernel, image)?
                    }
                    None => conv.run_client(s, image)?,
                }
                .into_raw_vec_and_offset()
                .0;
                self.add_bias(index, &mut y, layer);
                y
            }
            Step::FullyConnected(fc) => {
                let mut y = match layer {
                    Some(layer) => {
                        let weights =
                            ArrayView2::from_shape((fc.outputs, fc.inputs), &layer.weights);
                        let weights = weights.expect("check() compared the sizes");
                        fc.run_server(s, weights, ArrayView1::from(x.as_slice()))?
                    }
                    None => fc.run_client(s, ArrayView1::from(x.as_slice()))?,
                }
                .into_raw_vec_and_offset()
                .0;
                self.add_bias(index, &mut y, layer);
                y
            }
            Step::TruncReduce(step) => {
                let x = self.without_rounding(s.role(), index, x);
                chunks(&x, CHUNK, |x| step.run(s, x))?
            }
            Step::Trunc(step) => chunks(x, CHUNK, |x| step.run(s, x))?,
            Step::Extend(step) => chunks(x, CHUNK, |x| step.run(s, x))?,
            Step::Relu(step) => chunks(x, CHUNK, |x| step.run(s, x))?,
            Step::SignedRelu(step) => step.run_chunks(s, x, layer)?,
            Step::Clip(step) => chunks(x, CHUNK, |x| step.run(s, x))?,
            Step::HardSwish(step) => chunks(x, CHUNK, |x| step.run(s, x))?,
            Step::Gate(step) => {
                let gate = &shares[self.graph.nodes()[index].inputs[1]];
                step.run(s, gate, x)?
            }
            Step::MaxPool(step) => {
                let chunk = planes_per_chunk(shape.plane()) * shape.plane();
                chunks(x, chunk, |x| step.run(s, x))?
            }
            Step::Reveal(step) => step.run(s, x)?.unwrap_or_default(),
        };
        Ok(Zeroizing::new(y))
    }

    fn winograd(
        &self,
        s: &mut Session,
        index: usize,
        shares: &[Share],
        weights: Option<&PrivateWeights>,
    ) -> Result<Share, Error> {
        let (Step::Winograd(step), [x]) = (
            &self.steps[index],
            self.graph.nodes()[index].inputs.as_slice(),
        ) else {
            unreachable!("Step::new made the step of this operation")
        };
        let filters = weights
            .map(|weights| weights.filters(index, step))
            .transpose()?;
        let layer = weights.and_then(|weights| weights.layer(index));
        let y = step.run(s, &shares[*x], layer.zip(filters.as_deref()))?;
        Ok(Zeroizing::new(y))
    }

    fn add_bias(&self, index: usize, y: &mut [u64], layer: Option<&LayerWeights>) {
        if let Some(layer) = layer {
            linear::add_bias(self.graph.types()[index].bits(), y, &layer.bias);
        }
    }

    /// In fast mode the carry is right on average, so the rounding constant would be a bias.
    fn without_rounding(&self, role: Role, index: usize, x: &Share) -> Share {
        let mut x = x.clone();
        if let (
            Mode::Fast,
            Role::Server,
            IntOp::TruncReduce {
                shift,
                rounded: true,
            },
        ) = (self.mode, role, &self.graph.nodes()[index].op)
        {
            let bits = self.graph.input_type(index, 0).bits();
            let half = (1_u64 << shift) >> 1;
            slices::add_constant(bits, &mut x, bits.reduce(half.wrapping_neg()));
        }
        x
    }

    /// Operations on each share alone.
    fn local(&self, role: Role, index: usize, shares: &[Share]) -> Vec<u64> {
        let node = &self.graph.nodes()[index];
        let out = &self.graph.types()[index];
        let (bits, x) = (out.bits(), &shares[node.inputs[0]]);
        let shape: Shape = self.graph.input_type(index, 0).shape;
        match node.op {
            IntOp::Narrow { .. } => x.iter().map(|&x| bits.reduce(x)).collect(),
            IntOp::Add => slices::add(bits, x, &shares[node.inputs[1]]),
            IntOp::Affine { factor, add, .. } => {
                let mut y = x.to_vec();
                slices::scale(bits, &mut y, bits.from_signed(factor));
                if role.is_server() {
                    slices::add_constant(bits, &mut y, bits.from_signed(add));
                }
                y
            }
            IntOp::MeanPool {
                window,
                counts_padding,
                divisor,
                fraction,
            } => {
                let mut means = sum_pool(x, shape, out.shape, window, u64::wrapping_add);
                let factors =
                    reciprocals(shape, out.shape, window, counts_padding, divisor, fraction);
                for plane in means.chunks_exact_mut(out.shape.plane()) {
                    let scaled = plane.iter_mut().zip(&factors);
                    scaled.for_each(|(v, factor)| *v = bits.reduce(v.wrapping_mul(*factor)));
                }
                means
            }
            IntOp::Concat => (node.inputs.iter())
                .flat_map(|&i| shares[i].iter().copied())
                .collect(),
            IntOp::ChannelShuffle { groups } => shuffle(x, shape, groups),
            IntOp::Slice { start, channels } => slice(x, shape, start, channels),
            IntOp::SumPool { window } => {
                let add = |a: u64, b: u64| bits.reduce(a.wrapping_add(b));
                sum_pool(x, shape, out.shape, window, add)
            }
            IntOp::Subsample { stride } => subsample(x, shape, stride),
            IntOp::PadChannels { front, back } => pad_channels(x, shape, front, back),
            _ => x.to_vec(),
        }
    }
}

/// Runs a protocol on pieces of at most `size` elements.
fn chunks(
    x: &[u64],
    size: usize,
    mut run: impl FnMut(&[u64]) -> Result<Vec<u64>, nonlinear::Error>,
) -> Result<Vec<u64>, Error> {
    let mut y = Vec::new();
    for x in x.chunks(size) {
        y.append(&mut run(x)?);
    }
    Ok(y)
}
