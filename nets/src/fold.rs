//! Rewriting a float graph before quantisation, without changing what it computes.
//!
//! - A batch norm after a convolution or fully connected layer goes into its weights, also through a
//!   channel shuffle between.
//! - Max-pool goes before ReLU: `max-pool(ReLU(x)) = ReLU(max-pool(x))`, and there are fewer ReLUs.
//! - Average pool goes before a 1x1 convolution, which then has fewer positions, and before a channel
//!   shuffle, which may stand between.
//! - A dense convolution of a single pixel is a fully connected layer, for which either party can choose.
//! - Nodes that do not reach the output go.

use crate::float::{affine, parameters};
use crate::graph::{Graph, Op};
use crate::kernel::shuffle;
use crate::{Error, FloatModel, Shape, Tensor, Tensors, Window};

/// The same function in fewer and cheaper operations.
///
/// # Errors
/// Those of [`FloatModel::check`].
pub fn fold(model: &FloatModel) -> Result<FloatModel, Error> {
    model.check()?;
    let (mut folded, mut changed) = pass(model)?;
    // A convolution moved behind a pool may now stand before a batch norm, and a batch norm where
    // another one stood.
    while changed {
        (folded, changed) = pass(&folded)?;
    }
    connect(&mut folded)?;
    Ok(folded)
}

/// Dense convolutions of a plane of one pixel become fully connected.
fn connect(model: &mut FloatModel) -> Result<(), Error> {
    let shapes = model.graph.shapes()?;
    for node in &mut model.graph.nodes {
        let Op::Conv2d {
            out_channels,
            groups: 1,
            window,
            weight,
            bias,
        } = &node.op
        else {
            continue;
        };
        let input = shapes[node.inputs[0]];
        if input.plane() != 1 || *window != Window::square(1, 1, 0) {
            continue;
        }
        let values = model.tensors.tensor(weight)?.data().to_vec();
        let matrix = Tensor::new(vec![*out_channels, input.channels], values);
        model.tensors.insert(weight.clone(), matrix);
        node.op = Op::Linear {
            out_features: *out_channels,
            weight: weight.clone(),
            bias: bias.clone(),
        };
    }
    Ok(())
}

/// Folds what can be folded as the graph is; and whether there is less of it, or a pool moved.
fn pass(model: &FloatModel) -> Result<(FloatModel, bool), Error> {
    // Dead nodes first: what only they share is not shared.
    let graph = reaching(&model.graph, model.graph.nodes.len() - 1);
    let (mut graph, tensors, output) = fold_batch_norms(&graph, &model.tensors)?;
    let moved = pool_first(&mut graph, output);
    let graph = reaching(&graph, output);
    let kept = graph
        .nodes
        .iter()
        .flat_map(|n| parameters(&n.op, Shape::vector(1)));
    let kept = kept.map(|(name, _)| (name.to_owned(), tensors.tensor(name).cloned()));
    let tensors = kept
        .map(|(n, t)| t.map(|t| (n, t)))
        .collect::<Result<_, Error>>()?;
    let changed = moved || graph.nodes.len() < model.graph.nodes.len();
    Ok((FloatModel { graph, tensors }, changed))
}

/// Linear nodes with the batch norms after them folded in, their parameters renamed after the
/// node (two nodes may share a tensor before, not after); and the new number of the output.
pub(crate) fn fold_batch_norms(
    old: &Graph,
    source: &Tensors,
) -> Result<(Graph, Tensors, usize), Error> {
    let uses = old.uses();
    let (mut graph, mut tensors) = (Graph::new(), Tensors::new());
    let mut new: Vec<usize> = Vec::with_capacity(uses.len());
    for node in &old.nodes {
        let inputs: Vec<usize> = node.inputs.iter().map(|&i| new[i]).collect();
        let value = |name: &str| source.tensor(name);
        if let Op::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            eps,
        } = &node.op
            && let Some((linear, groups)) =
                linear_before(old, &uses, (&graph, &new), node.inputs[0])
        {
            let [g, b, m, v] = [value(gamma)?, value(beta)?, value(mean)?, value(var)?];
            let after = affine(g.data(), b.data(), m.data(), v.data(), *eps);
            // A shuffle of the transposed rows undoes one.
            let affine = shuffle(&after, Shape::vector(after.len()), after.len() / groups);
            scale(&mut tensors, &graph.nodes[linear].op, &affine)?;
            new.push(inputs[0]);
            continue;
        }
        let mut op = node.op.clone();
        if let Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias, .. } = &mut op {
            let values = value(weight)?.clone();
            let outputs = values.shape()[0];
            let shift = match bias {
                Some(bias) => value(bias)?.clone(),
                None => Tensor::new(vec![outputs], vec![0.0; outputs]),
            };
            *weight = format!("{}:weight", node.name);
            *bias = Some(format!("{}:bias", node.name));
            tensors.insert(weight.clone(), values);
            tensors.insert(format!("{}:bias", node.name), shift);
        } else {
            for (name, _) in parameters(&op, Shape::vector(1)) {
                tensors.insert(name, value(name)?.clone());
            }
        }
        new.push(graph.push(node.name.clone(), op, &inputs));
    }
    let output = *new.last().expect("check() refuses empty graphs");
    Ok((graph, tensors, output))
}

/// The linear node (by its new number) whose output an old node's is, but for a shuffle of so many
/// groups (1: none), if nothing else takes it.
fn linear_before(
    old: &Graph,
    uses: &[usize],
    (graph, new): (&Graph, &[usize]),
    node: usize,
) -> Option<(usize, usize)> {
    let (linear, groups) = match old.nodes[node].op {
        Op::ChannelShuffle { groups } => (old.nodes[node].inputs[0], groups),
        _ => (node, 1),
    };
    let alone = uses[node] == 1 && uses[linear] == 1;
    let linear = new[linear];
    (alone && is_linear(&graph.nodes[linear].op)).then_some((linear, groups))
}

const fn is_linear(op: &Op) -> bool {
    matches!(op, Op::Conv2d { .. } | Op::Linear { .. })
}

/// Multiplies a linear operation's output channels by factors and adds shifts.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn scale(tensors: &mut Tensors, op: &Op, affine: &[(f64, f64)]) -> Result<(), Error> {
    let (Op::Conv2d {
        weight,
        bias: Some(bias),
        ..
    }
    | Op::Linear {
        weight,
        bias: Some(bias),
        ..
    }) = op
    else {
        unreachable!("fold_batch_norms gave every linear node a bias")
    };
    let old = tensors.tensor(weight)?;
    let per_output = (old.data().len() / affine.len()).max(1);
    let factor = |(i, &w): (usize, &f32)| (f64::from(w) * affine[i / per_output].0) as f32;
    let scaled = old.data().iter().enumerate().map(factor).collect();
    let scaled = Tensor::new(old.shape().to_vec(), scaled);
    let old = tensors.tensor(bias)?;
    let shift = |(&b, (f, s)): (&f32, &(f64, f64))| f64::from(b).mul_add(*f, *s) as f32;
    let shifted = old.data().iter().zip(affine).map(shift).collect();
    let shifted = Tensor::new(old.shape().to_vec(), shifted);
    tensors.insert(weight, scaled);
    tensors.insert(bias, shifted);
    Ok(())
}

/// Swaps every `ReLU` with the max-pool that alone takes its output, and every convolution of single
/// pixels and every shuffle with such an average pool; whether there was any.
fn pool_first(graph: &mut Graph, output: usize) -> bool {
    let mut moved = false;
    let mut uses = vec![0; graph.nodes.len()];
    for &input in graph.nodes.iter().flat_map(|n| &n.inputs) {
        uses[input] += 1;
    }
    uses[output] += 1;
    for pool in 0..graph.nodes.len() {
        let Some(&taken) = graph.nodes[pool].inputs.first() else {
            continue;
        };
        let first = match (&graph.nodes[taken].op, &graph.nodes[pool].op) {
            (Op::Relu, Op::MaxPool { .. }) => true,
            // The bias must not meet padding.
            (Op::Conv2d { window, .. }, Op::AvgPool { window: pool, .. }) => {
                *window == Window::square(1, 1, 0) && !pool.is_padded()
            }
            (Op::Conv2d { window, .. }, Op::GlobalAvgPool) => *window == Window::square(1, 1, 0),
            (Op::ChannelShuffle { .. }, Op::AvgPool { .. } | Op::GlobalAvgPool) => true,
            _ => false,
        };
        if first && uses[taken] == 1 {
            moved = true;
            let (before, after) = graph.nodes.split_at_mut(pool);
            std::mem::swap(&mut before[taken].op, &mut after[0].op);
            std::mem::swap(&mut before[taken].name, &mut after[0].name);
        }
    }
    moved
}

/// The nodes that reach `output`, which becomes the last; the input stays.
fn reaching(graph: &Graph, output: usize) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    live[0] = true;
    live[output] = true;
    for index in (0..=output).rev().filter(|&i| i > 0) {
        if live[index] {
            graph.nodes[index]
                .inputs
                .iter()
                .for_each(|&i| live[i] = true);
        }
    }
    let mut new = vec![usize::MAX; graph.nodes.len()];
    let mut kept = Graph::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|&(i, _)| live[i]) {
        let inputs: Vec<usize> = node.inputs.iter().map(|&i| new[i]).collect();
        new[index] = kept.push(node.name.clone(), node.op.clone(), &inputs);
    }
    kept
}
