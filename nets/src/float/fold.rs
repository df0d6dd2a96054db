//! Rewriting a float graph before quantisation, without changing what it computes.
//!
//! - A batch norm after a convolution or fully connected layer goes into its weights, also through a
//!   channel shuffle between.
//! - Max-pool goes before ReLU: `max-pool(ReLU(x)) = ReLU(max-pool(x))`, and there are fewer ReLUs.
//! - Average pool goes before a 1x1 convolution, which then has fewer positions, and before a channel
//!   shuffle, which may stand between.
//! - A dense convolution of a single pixel is a fully connected layer, for which either party can choose.
//! - Nodes that do not reach the output go.

use super::executor::FloatModel;
use super::op::{FloatGraph, Kind, Op};
use super::tensors::{Tensor, Tensors};
use crate::Error;
use crate::graph::{Node, Rewriter};
use crate::kernel::shuffle;
use crate::shape::{Shape, Window};

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
    connect(folded)
}

/// Dense convolutions of a plane of one pixel become fully connected.
fn connect(model: FloatModel) -> Result<FloatModel, Error> {
    let FloatModel { graph, mut tensors } = model;
    let mut rewriter = Rewriter::new(&graph);
    for (index, node) in graph.nodes().iter().enumerate() {
        let Op::Conv2d {
            out_channels,
            groups: 1,
            window,
            weight,
            bias,
        } = &node.op
        else {
            rewriter.keep(index);
            continue;
        };
        let input = graph.input_type(index, 0);
        if input.plane() != 1 || *window != Window::square(1, 1, 0) {
            rewriter.keep(index);
            continue;
        }
        let values = tensors.tensor(weight)?.data().to_vec();
        let matrix = Tensor::new(vec![*out_channels, input.channels], values);
        tensors.insert(weight.clone(), matrix);
        let op = Op::Linear {
            out_features: *out_channels,
            weight: weight.clone(),
            bias: bias.clone(),
        };
        rewriter.put(index, op);
    }
    let graph = rewriter.finish()?.0;
    Ok(FloatModel { graph, tensors })
}

/// Folds what can be folded as the graph is; and whether there is less of it, or a pool moved.
fn pass(model: &FloatModel) -> Result<(FloatModel, bool), Error> {
    // Dead nodes first: what only they share is not shared.
    let graph = model.graph.pruned(model.graph.len() - 1)?;
    let FloatModel { graph, tensors } = fold_batch_norms(&FloatModel {
        graph,
        tensors: model.tensors.clone(),
    })?;
    let (graph, moved) = pool_first(graph)?;
    let kept = graph.nodes().iter();
    let kept = kept.flat_map(|n| n.op.parameters(Shape::vector(1)));
    let kept = kept.map(|(name, _)| Ok((name.to_owned(), tensors.tensor(name)?.clone())));
    let tensors = kept.collect::<Result<_, Error>>()?;
    let changed = moved || graph.len() < model.graph.len();
    Ok((FloatModel { graph, tensors }, changed))
}

/// The network with every batch norm folded into the linear layer before it, where there is one. The
/// parameters of linear layers are renamed after the layer: two layers may share a tensor before,
/// not after; and each has a bias.
///
/// # Errors
/// [`Error::MissingTensor`].
pub fn fold_batch_norms(model: &FloatModel) -> Result<FloatModel, Error> {
    let (old, source) = (&model.graph, &model.tensors);
    let mut tensors = Tensors::new();
    let mut rewriter = Rewriter::new(old);
    let mut output = 0;
    for (index, node) in old.nodes().iter().enumerate() {
        if let Some(after) = node.op.affine(source)?
            && let Some((linear, groups)) = linear_before(&rewriter, node.inputs[0])
        {
            // A shuffle of the transposed rows undoes one.
            let affine = shuffle(&after, Shape::vector(after.len()), after.len() / groups);
            let made = &rewriter.new_graph().nodes()[linear].op;
            scale(&mut tensors, made, &affine)?;
            rewriter.bypass(index);
        } else {
            let op = renamed(node, source, &mut tensors)?;
            rewriter.put(index, op);
        }
        output = rewriter.place(index);
    }
    let graph = rewriter.finish()?.0.pruned(output)?;
    Ok(FloatModel { graph, tensors })
}

/// A node's operation with parameters of its own, which are put into `tensors`.
fn renamed(node: &Node<Op>, source: &Tensors, tensors: &mut Tensors) -> Result<Op, Error> {
    let mut op = node.op.clone();
    if let Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias, .. } = &mut op {
        let values = source.tensor(weight)?.clone();
        let outputs = values.shape()[0];
        let shift = match bias {
            Some(bias) => source.tensor(bias)?.clone(),
            None => Tensor::new(vec![outputs], vec![0.0; outputs]),
        };
        let [weights, biases] = ["weight", "bias"].map(|part| format!("{}:{part}", node.name));
        tensors.insert(weights.clone(), values);
        tensors.insert(biases.clone(), shift);
        (*weight, *bias) = (weights, Some(biases));
    } else {
        for (name, _) in op.parameters(Shape::vector(1)) {
            tensors.insert(name, source.tensor(name)?.clone());
        }
    }
    Ok(op)
}

/// The new linear node whose output an old node's is, but for a shuffle of so many groups (1: none),
/// if nothing else takes it. Batch norms between them were folded.
fn linear_before(rewriter: &Rewriter<'_, Op>, node: usize) -> Option<(usize, usize)> {
    let old = rewriter.old();
    let (before, groups) = match old.nodes()[node].op {
        Op::ChannelShuffle { groups } => (old.nodes()[node].inputs[0], groups),
        _ => (node, 1),
    };
    old.sole_consumer(node)?;
    old.sole_consumer(before)?;
    let linear = rewriter.place(before);
    let is_linear = rewriter.new_graph().nodes()[linear].op.kind() == Kind::Linear;
    is_linear.then_some((linear, groups))
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
fn pool_first(graph: FloatGraph) -> Result<(FloatGraph, bool), Error> {
    // What is swapped are operations and names: who takes whose output stays.
    let alone: Vec<_> = (0..graph.len())
        .map(|i| graph.sole_consumer(i).is_some())
        .collect();
    let mut nodes = graph.into_nodes();
    let mut moved = false;
    for pool in 0..nodes.len() {
        let mut pool = pool;
        while let Some(&taken) = nodes[pool].inputs.first()
            && alone[taken]
            && goes_first(&nodes[taken].op, &nodes[pool].op)
        {
            moved = true;
            let (before, after) = nodes.split_at_mut(pool);
            std::mem::swap(&mut before[taken].op, &mut after[0].op);
            std::mem::swap(&mut before[taken].name, &mut after[0].name);
            pool = taken;
        }
    }
    Ok((FloatGraph::new(nodes)?, moved))
}

/// Whether a pool gives the same before an operation as after it, and cheaper.
fn goes_first(before: &Op, pool: &Op) -> bool {
    // The bias must not meet padding.
    let pointwise = |window: &Window| window.kernel == [1, 1] && window.stride == [1, 1];
    match (before, pool) {
        (Op::Relu, Op::MaxPool { .. }) => true,
        (Op::Conv2d { window, .. }, Op::AvgPool { window: pool, .. }) => {
            pointwise(window) && !window.is_padded() && !pool.is_padded()
        }
        (Op::Conv2d { window, .. }, Op::GlobalAvgPool) => pointwise(window) && !window.is_padded(),
        (Op::ChannelShuffle { .. }, Op::AvgPool { .. } | Op::GlobalAvgPool) => true,
        _ => false,
    }
}
