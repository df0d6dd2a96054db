//! Where the results of noisy algorithms go.

use nets::{IntGraph, IntOp, Operator as _};

use crate::{Error, algorithms};

/// For each node how many low bits of its value are noise: the guard bits of a layer by a noisy algorithm, and 0 elsewhere.
///
/// Such a value is 2^g·y + e, where e tells of weights and of the client's key. It may only be truncated, by g bits or more, which each
/// protocol does exactly ([`crate::cut`]); claims of it may come between.
///
/// # Errors
/// [`Error::Algorithm`], naming the layer, if anything else takes such a value.
pub(crate) fn noise(graph: &IntGraph) -> Result<Vec<u32>, Error> {
    // Besides the bits the layer that they come from.
    let mut noise: Vec<(u32, usize)> = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let taken = node.inputs.iter().map(|&input| noise[input]);
        let taken = taken.max().unwrap_or((0, index));
        let left = match &node.op {
            op if taken.0 == 0 => (own(op), index),
            IntOp::Claim => taken,
            IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } if *shift >= taken.0 => {
                (0, index)
            }
            // Whatever is not known to be right is refused, an operator of tomorrow too.
            _ => return Err(refused(graph, index, taken)),
        };
        noise.push(left);
    }
    Ok(noise.into_iter().map(|(bits, _)| bits).collect())
}

/// Low bits of an operation's own result that are noise. Those of homomorphic encryption have some, and no others do.
pub(crate) fn own(op: &IntOp) -> u32 {
    match op {
        IntOp::Linear { by, .. } => {
            let noisy = algorithms::named(by.name()).is_some_and(|algorithm| algorithm.noisy());
            if noisy { by.guard_bits() } else { 0 }
        }
        IntOp::Input { .. }
        | IntOp::Claim
        | IntOp::TruncReduce { .. }
        | IntOp::Trunc { .. }
        | IntOp::Extend { .. }
        | IntOp::Narrow { .. }
        | IntOp::Relu
        | IntOp::SignedRelu
        | IntOp::Clip { .. }
        | IntOp::Affine { .. }
        | IntOp::HardSwish { .. }
        | IntOp::Curve { .. }
        | IntOp::Gate
        | IntOp::MeanPool { .. }
        | IntOp::MaxPool { .. }
        | IntOp::ArgMax
        | IntOp::Add
        | IntOp::Concat
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::SumPool { .. }
        | IntOp::Subsample { .. }
        | IntOp::PadChannels { .. }
        | IntOp::Pick { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten
        | IntOp::Output => 0,
    }
}

fn refused(graph: &IntGraph, node: usize, (bits, layer): (u32, usize)) -> Error {
    let name = |node: usize| graph.nodes()[node].name.clone();
    let by = graph.nodes()[node].op.name();
    Error::Algorithm {
        layer: name(layer),
        problem: format!(
            "the low {bits} bits of its result must be cut off before anything else, and `{}` ({by}) takes them",
            name(node)
        ),
    }
}
