//! Where the channels of an operation's output come from.

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
