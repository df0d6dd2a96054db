//! Where the channels of an operation's output come from.

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
