//! Which channels an operation carries where.

/// One channel of an operation's output, and where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Link {
    /// Which of the operation's inputs.
    pub input: usize,
    /// Channel of that input.
    pub from: usize,
    /// Channel of the output.
    pub to: usize,
}

/// Every channel comes from the same channel of every input.
pub(super) fn channelwise(inputs: usize, channels: usize) -> Vec<Link> {
    let links = (0..inputs).flat_map(|input| (0..channels).map(move |c| (input, c)));
    links
        .map(|(input, c)| Link {
            input,
            from: c,
            to: c,
        })
        .collect()
}
