//! Rewriting of a float graph before quantisation that does not change what it computes.
//!
//! - A batch norm after a convolution or fully connected layer goes into its weights, also through a
//!   channel shuffle between.
//! - Max-pool goes before ReLU: `max-pool(ReLU(x)) = ReLU(max-pool(x))`, and there are fewer ReLUs.
//! - Average pool goes before a 1x1 convolution, which then has fewer positions, and before a channel
//!   shuffle, which may stand between.
//! - Padding of a convolution or an average pool that is not below the kernel becomes an operation of its own.
//! - A dense convolution of a single pixel becomes a fully connected layer, in whose oblivious transfers
//!   either party can choose.
//! - Nodes that the output does not depend on go.

use super::executor::FloatModel;
use super::op::{FloatGraph, Kind, Op};
use super::tensors::{Tensor, Tensors};
use crate::Error;
use crate::graph::{Node, Rewriter};
use crate::kernel::shuffle;
use crate::places::Places;
use crate::shape::{Shape, Window};

/// The same network in fewer and cheaper operations.
///
/// # Errors
/// Those of [`FloatModel::check`].
pub fn fold(model: &FloatModel) -> Result<FloatModel, Error> {
    model.check()?;
    // A pool that takes padding of its own can go before the convolution that had it.
    let (mut folded, mut changed) = pass(&pad_first(model.clone())?)?;
    // A convolution that moved behind a pool may now have a batch norm behind it, and two batch norms
    // may now follow one another.
    while changed {
        (folded, changed) = pass(&folded)?;
    }
    fully_connect(folded)
}

/// Padding that is not below the kernel becomes an operation of its own before the window.
fn pad_first(model: FloatModel) -> Result<FloatModel, Error> {
    let FloatModel { graph, tensors } = model;
    let mut rewriter = Rewriter::new(&graph);
    for (index, node) in graph.nodes().iter().enumerate() {
        let mut op = node.op.clone();
        let (Op::Conv2d { window, .. } | Op::AvgPool { window, .. }) = &mut op else {
            rewriter.keep(index);
            continue;
        };
        let (kept, [top, left, bottom, right]) = window.cropped();
        if kept == *window {
            rewriter.keep(index);
            continue;
        }
        *window = kept;
        let x = graph.input_type(index, 0);
        let pad = Op::Pick {
            channels: Places::All,
            rows: Places::zeros(top, x.height, bottom),
            columns: Places::zeros(left, x.width, right),
        };
        let input = rewriter.place(node.inputs[0]);
        let padded = rewriter.push(format!("{}:pad", node.name), pad, &[input]);
        let new = rewriter.push(node.name.clone(), op, &[padded]);
        rewriter.stand_in(index, new);
    }
    let graph = rewriter.finish()?.0;
    Ok(FloatModel { graph, tensors })
}

/// Dense convolutions of a plane of one pixel become fully connected layers.
fn fully_connect(model: FloatModel) -> Result<FloatModel, Error> {
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

/// Folds what can be folded in the graph as it is. Also returns whether another pass may find more,
/// which is so if the graph got shorter or a pool moved.
fn pass(model: &FloatModel) -> Result<(FloatModel, bool), Error> {
    // Dead nodes go first: an output that only a dead node takes as well is not shared.
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

/// The network with every batch norm folded into the linear layer before it, where there is one.
/// Afterwards every linear layer has a bias, and parameters of its own that are named after it: two
/// layers that shared a tensor share it no longer.
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
            let linear = &rewriter.new_graph().nodes()[linear].op;
            scale(&mut tensors, linear, &affine)?;
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
    if let Some((weight, bias)) = op.linear_parameters_mut() {
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

/// The new linear node from which an old node's value comes, if no other node takes that. There may be
/// a shuffle between them, whose number of groups is returned too, 1 if there is none. Batch norms
/// between them have been folded.
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
    let layer = op.linear().expect("the caller found a linear layer");
    let (weight, bias) = (layer.weight, layer.bias);
    let bias = bias.expect("fold_batch_norms gave every linear layer a bias");
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

/// Swaps every `ReLU` with the max-pool that is its only consumer, and every 1x1 convolution and every
/// shuffle with the average pool that is. Also returns whether there was any.
fn pool_first(graph: FloatGraph) -> Result<(FloatGraph, bool), Error> {
    // Operations and names are swapped; which node takes whose output stays.
    let has_sole_consumer: Vec<_> = (0..graph.len())
        .map(|i| graph.sole_consumer(i).is_some())
        .collect();
    let mut nodes = graph.into_nodes();
    let mut moved = false;
    for pool in 0..nodes.len() {
        let mut pool = pool;
        while let Some(&input) = nodes[pool].inputs.first()
            && has_sole_consumer[input]
            && goes_first(&nodes[input].op, &nodes[pool].op)
        {
            moved = true;
            let (before, after) = nodes.split_at_mut(pool);
            std::mem::swap(&mut before[input].op, &mut after[0].op);
            std::mem::swap(&mut before[input].name, &mut after[0].name);
            pool = input;
        }
    }
    Ok((FloatGraph::new(nodes)?, moved))
}

/// Whether a pool may go before an operation that it follows: the values are the same, and fewer of them
/// are left for the operation.
fn goes_first(before: &Op, pool: &Op) -> bool {
    // A bias may not be averaged with padding.
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
