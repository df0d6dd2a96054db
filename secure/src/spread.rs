//! Elementwise operations of joined tensors, tensor by tensor.

use std::ops::Range;

use nets::{GraphBuilder, IntGraph, IntOp};

/// The most pieces of tensors that a graph is spread to (AGREEMENT). One that would have more is left as it is.
const MOST: usize = 1 << 14;

/// A graph in which no elementwise operation takes a joined tensor: it is done for each of the tensors, and the results are joined.
/// So it can begin as soon as a tensor is there, and what is done with the same tensor in several places can be done together. The
/// integers are the same.
#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) graph: IntGraph,
    /// For each node where it comes from.
    pub(crate) origins: Vec<Origin>,
}

/// A node of the graph that was spread, and the channels of its output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) node: usize,
    pub(crate) channels: Range<usize>,
}

/// A node, before those that only join and that nobody needs are left out.
struct Draft {
    name: String,
    op: IntOp,
    inputs: Vec<usize>,
    origin: Origin,
}

impl Spread {
    pub(crate) fn new(graph: &IntGraph) -> Self {
        let all = |node: usize| Origin {
            node,
            channels: 0..graph.types()[node].shape.channels,
        };
        let spread = drafts(graph, all).and_then(|drafts| build(&drafts));
        spread.unwrap_or_else(|| Self {
            graph: graph.clone(),
            origins: (0..graph.len()).map(all).collect(),
        })
    }
}

/// Whether an operation is done for each of the tensors that are joined: those that each party computes by itself need not begin
/// early.
const fn is_spread(op: &IntOp) -> bool {
    match op {
        IntOp::Relu | IntOp::SignedRelu | IntOp::Extend { .. } | IntOp::Clip { .. } => true,
        IntOp::Input { .. }
        | IntOp::Claim
        | IntOp::Narrow { .. }
        | IntOp::Linear { .. }
        | IntOp::TruncReduce { .. }
        | IntOp::Trunc { .. }
        | IntOp::Affine { .. }
        | IntOp::HardSwish { .. }
        | IntOp::Curve { .. }
        | IntOp::Gate
        | IntOp::MaxPool { .. }
        | IntOp::SumPool { .. }
        | IntOp::MeanPool { .. }
        | IntOp::ArgMax
        | IntOp::Add
        | IntOp::Concat
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::Subsample { .. }
        | IntOp::PadChannels { .. }
        | IntOp::Pick { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten
        | IntOp::Output => false,
    }
}

/// The nodes of the spread graph; `None` if they are too many.
fn drafts(graph: &IntGraph, all: impl Fn(usize) -> Origin) -> Option<Vec<Draft>> {
    let most = MOST.max(2 * graph.len());
    let mut drafts: Vec<Draft> = Vec::new();
    // For each old node the new ones whose outputs, one after the other, are its own.
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut place: Vec<usize> = Vec::new();
    // A chain of joins doubles its pieces with each of them, so they are counted before they are made.
    let mut listed = 0;
    for (old, node) in graph.nodes().iter().enumerate() {
        let draft = |op: &IntOp, inputs: Vec<usize>| Draft {
            name: node.name.clone(),
            op: op.clone(),
            inputs,
            origin: all(old),
        };
        let parts = node.inputs.iter().map(|&input| pieces[input].len());
        listed += parts.sum::<usize>();
        if listed > most || drafts.len() > most {
            return None;
        }
        let joined = match (&node.op, node.inputs.first()) {
            (IntOp::Concat, _) => {
                let inputs = node.inputs.iter();
                inputs.flat_map(|&input| pieces[input].clone()).collect()
            }
            (op, Some(&input)) if is_spread(op) && pieces[input].len() > 1 => {
                let mut channel = 0;
                let each = pieces[input].clone().into_iter().enumerate();
                each.map(|(i, piece)| {
                    let channels = channel..channel + drafts[piece].origin.channels.len();
                    channel = channels.end;
                    drafts.push(Draft {
                        name: format!("{}[{i}]", node.name),
                        op: op.clone(),
                        inputs: vec![piece],
                        origin: Origin {
                            node: old,
                            channels,
                        },
                    });
                    drafts.len() - 1
                })
                .collect()
            }
            (op, _) => {
                let inputs = node.inputs.iter().map(|&input| place[input]).collect();
                drafts.push(draft(op, inputs));
                vec![drafts.len() - 1]
            }
        };
        if joined.len() > 1 {
            drafts.push(draft(&IntOp::Concat, joined.clone()));
        }
        place.push(match *joined {
            [only] => only,
            _ => drafts.len() - 1,
        });
        pieces.push(joined);
    }
    Some(drafts)
}

/// The graph of the nodes, without those that join tensors for nobody; `None` if it does not fit together, which does not happen.
fn build(drafts: &[Draft]) -> Option<Spread> {
    let mut live = vec![false; drafts.len()];
    for (node, draft) in drafts.iter().enumerate().rev() {
        live[node] |= draft.op != IntOp::Concat || node + 1 == drafts.len();
        if live[node] {
            draft.inputs.iter().for_each(|&input| live[input] = true);
        }
    }
    let mut builder = GraphBuilder::new();
    let mut place = vec![0; drafts.len()];
    let mut origins = Vec::new();
    for (index, draft) in drafts.iter().enumerate().filter(|&(index, _)| live[index]) {
        let inputs: Vec<usize> = draft.inputs.iter().map(|&input| place[input]).collect();
        place[index] = builder.push(draft.name.clone(), draft.op.clone(), &inputs);
        origins.push(draft.origin.clone());
    }
    let graph = builder.finish().ok()?;
    Some(Spread { graph, origins })
}
