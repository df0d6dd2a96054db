//! Tournaments: groups of values of which each round halves the number.

/// Consecutive groups of values; the sizes of the first groups, repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bracket {
    sizes: Vec<usize>,
}

impl Bracket {
    /// Groups of these sizes, each at least 1, again and again.
    pub(crate) fn new(sizes: Vec<usize>) -> Self {
        debug_assert!(sizes.iter().all(|&size| size > 0), "no group is empty");
        Self { sizes }
    }

    /// Is there a single value left in each group?
    pub(crate) fn is_over(&self) -> bool {
        self.sizes.iter().all(|&size| size == 1)
    }

    /// Values of one repetition.
    pub(crate) fn len(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// The groups after a round.
    pub(crate) fn next(&self) -> Self {
        let sizes = self.sizes.iter().map(|size| size.div_ceil(2)).collect();
        Self { sizes }
    }

    /// Positions of the first of the two values of each match, in order; the second follows it.
    /// `values` in all.
    pub(crate) fn firsts(&self, values: usize) -> impl Iterator<Item = usize> + '_ {
        self.starts(values)
            .flat_map(|(start, size)| (start..start + size / 2 * 2).step_by(2))
    }

    /// The values after a round: of each match its winner, and the last value of an odd group.
    pub(crate) fn advance<T: Copy>(&self, values: &[T], winners: &[T]) -> Vec<T> {
        let mut winners = winners.iter().copied();
        let mut left = Vec::with_capacity(values.len());
        for (start, size) in self.starts(values.len()) {
            left.extend(winners.by_ref().take(size / 2));
            if size % 2 == 1 {
                left.push(values[start + size - 1]);
            }
        }
        left
    }

    /// (start, size) of every group among `values` values.
    fn starts(&self, values: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut start = 0;
        self.sizes.iter().cycle().map_while(move |&size| {
            let group = (start < values).then_some((start, size));
            start += size;
            group
        })
    }
}

/// Matches of every round, for groups of which only size and number are known.
pub(crate) fn rounds(mut groups: Vec<(usize, usize)>) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let matches = groups.iter().map(|(size, number)| size / 2 * number).sum();
        groups
            .iter_mut()
            .for_each(|(size, _)| *size = size.div_ceil(2));
        Some(matches).filter(|&matches| matches > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_every_group_wins() {
        let mut bracket = Bracket::new(vec![3, 1, 5]);
        let mut values: Vec<u64> = vec![1, 2, 3, 4, 9, 8, 7, 6, 5, 2, 3, 1, 0, 4, 4, 4, 4, 8];
        let mut matches = Vec::new();
        while !bracket.is_over() {
            let firsts: Vec<usize> = bracket.firsts(values.len()).collect();
            matches.push(firsts.len());
            let winners: Vec<u64> = firsts
                .iter()
                .map(|&i| values[i].max(values[i + 1]))
                .collect();
            values = bracket.advance(&values, &winners);
            bracket = bracket.next();
        }
        assert_eq!(values, [3, 4, 9, 3, 0, 8]);
        assert_eq!(
            matches,
            rounds(vec![(3, 2), (1, 2), (5, 2)]).collect::<Vec<_>>()
        );
        assert_eq!(matches.len(), 3);
    }

    #[test]
    fn nothing_has_no_matches() {
        let bracket = Bracket::new(vec![4]);
        assert_eq!(bracket.firsts(0).count(), 0);
        assert!(bracket.advance::<u64>(&[], &[]).is_empty());
    }
}
