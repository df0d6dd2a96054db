//! Which channels an operation without weights carries where.

use crate::graph::Op;
use crate::shape::Shape;

/// One channel of an operation's output, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Which of the operation's inputs.
    pub(crate) input: usize,
    /// Channel of that input.
    pub(crate) from: usize,
    /// Channel of the output.
    pub(crate) to: usize,
}

/// The links of an operation that treats its channels apart; none for linear operations.
pub(crate) fn links(op: &Op, inputs: &[Shape], out: Shape) -> Vec<Link> {
    let link = |input, from, to| Link { input, from, to };
    match *op {
        Op::Input { .. } | Op::Conv2d { .. } | Op::Linear { .. } => Vec::new(),
        Op::PadChannels { front, .. } => {
            let channels = 0..inputs[0].channels;
            channels.map(|c| link(0, c, front + c)).collect()
        }
        Op::Flatten => {
            let plane = inputs[0].plane();
            let channels = 0..out.channels;
            channels.map(|c| link(0, c / plane, c)).collect()
        }
        Op::Slice { start, channels } => (0..channels).map(|c| link(0, start + c, c)).collect(),
        Op::ChannelShuffle { groups } => {
            let per_group = out.channels / groups;
            let from = |c: usize| c % groups * per_group + c / groups;
            (0..out.channels).map(|c| link(0, from(c), c)).collect()
        }
        Op::Concat => {
            let channels =
                (0..inputs.len()).flat_map(|k| (0..inputs[k].channels).map(move |c| (k, c)));
            let numbered = channels.enumerate();
            numbered.map(|(to, (k, c))| link(k, c, to)).collect()
        }
        _ => (0..inputs.len())
            .flat_map(|k| (0..out.channels).map(move |c| link(k, c, c)))
            .collect(),
    }
}
