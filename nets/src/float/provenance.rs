//! Where the channels of an operation's output come from.

use super::op::Op;
use crate::kernel::reorder;
use crate::shape::Shape;

/// One channel of an operation's output, and where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Provenance {
    /// Which of the operation's inputs.
    pub input: usize,
    /// Channel of that input.
    pub from: usize,
    /// Channel of the output.
    pub to: usize,
}

/// The provenance where every channel comes from the same channel of every input.
pub(super) fn channelwise(inputs: usize, channels: usize) -> Vec<Provenance> {
    let channels = (0..inputs).flat_map(|input| (0..channels).map(move |c| (input, c)));
    channels
        .map(|(input, c)| Provenance {
            input,
            from: c,
            to: c,
        })
        .collect()
}

/// The provenance where the axes of `x` are put in this order, and the values are read as `out`.
pub(super) fn reordered_channels(x: Shape, order: [usize; 3], out: Shape) -> Vec<Provenance> {
    let channels = (0..x.channels).flat_map(|c| std::iter::repeat_n(c, x.plane()));
    let channels: Vec<usize> = channels.collect();
    let moved = reorder(&channels, x, order);
    let mut all = Vec::new();
    for (to, from) in moved.chunks_exact(out.plane()).enumerate() {
        let mut from = from.to_vec();
        from.sort_unstable();
        from.dedup();
        let input = 0;
        all.extend(from.into_iter().map(|from| Provenance { input, from, to }));
    }
    all
}

impl Op {
    /// Which channel of which input each output channel comes from, for operations that treat every
    /// channel by itself. Empty for those that mix channels. Where the values of an output channel come from several
    /// input channels it stands with each of them.
    #[must_use]
    pub fn provenance(&self, inputs: &[Shape], out: Shape) -> Vec<Provenance> {
        let from_channel = |input, from, to| Provenance { input, from, to };
        match *self {
            Self::Input { .. } | Self::Conv2d { .. } | Self::Linear { .. } => Vec::new(),
            Self::Pick { ref channels, .. } => (channels.iter(inputs[0].channels).enumerate())
                .filter_map(|(to, from)| Some(from_channel(0, from?, to)))
                .collect(),
            Self::Reorder { order, .. } => reordered_channels(inputs[0], order, out),
            Self::PadChannels { front, .. } => {
                let channels = 0..inputs[0].channels;
                channels.map(|c| from_channel(0, c, front + c)).collect()
            }
            Self::Flatten => {
                let plane = inputs[0].plane();
                let channels = 0..out.channels;
                channels.map(|c| from_channel(0, c / plane, c)).collect()
            }
            Self::Slice { start, channels } => (0..channels)
                .map(|c| from_channel(0, start + c, c))
                .collect(),
            Self::ChannelShuffle { groups } => {
                let per_group = out.channels / groups;
                let from = |c: usize| c % groups * per_group + c / groups;
                (0..out.channels)
                    .map(|c| from_channel(0, from(c), c))
                    .collect()
            }
            Self::Concat => {
                let all = inputs.iter().enumerate();
                let channels = all.flat_map(|(k, x)| (0..x.channels).map(move |c| (k, c)));
                let joined = channels.enumerate();
                joined.map(|(to, (k, c))| from_channel(k, c, to)).collect()
            }
            Self::BatchNorm { .. }
            | Self::Relu
            | Self::SignedRelu { .. }
            | Self::LeakyRelu { .. }
            | Self::PRelu { .. }
            | Self::AddMap { .. }
            | Self::Clip { .. }
            | Self::MaxPool { .. }
            | Self::HardSigmoid
            | Self::HardSwish
            | Self::Curve { .. }
            | Self::Gate
            | Self::Quantise { .. }
            | Self::Scale { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Add
            | Self::Clamp { .. }
            | Self::Neg
            | Self::Subsample { .. } => channelwise(inputs.len(), out.channels),
        }
    }
}
