//! Which places of an axis another axis takes.

use serde::{Deserialize, Serialize};

/// Which of the places of an axis (channels, rows or columns) each place of a new axis takes; some take none, and
/// have zeros. They are kept as runs, so that a crop of a long axis is a few numbers, in memory and in files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum Places {
    /// All as they are.
    #[default]
    All,
    /// Those of these runs, one after the other.
    Runs(Vec<Run>),
}

/// Places `first`, `first + step`, `first + 2·step` and so on, `count` in all; or, with no first, `count` times none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Run {
    /// The first, if there are any.
    pub(crate) first: Option<usize>,
    /// From one to the next: 1 where there is one only, 0 where there is none.
    pub(crate) step: isize,
    pub(crate) count: usize,
}

/// How a run is written: one place as its number or null, more as a triple.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(Option<usize>),
    More(Option<usize>, isize, usize),
}

impl From<Written> for Run {
    fn from(written: Written) -> Self {
        match written {
            Written::One(Some(first)) => Self::new(first, 1, 1),
            Written::One(None) => Self::none(1),
            Written::More(Some(first), step, count) => Self::new(first, step, count),
            Written::More(None, _, count) => Self::none(count),
        }
    }
}

impl From<Run> for Written {
    fn from(run: Run) -> Self {
        match run.count {
            1 => Self::One(run.first),
            _ => Self::More(run.first, run.step, run.count),
        }
    }
}

impl Run {
    /// `count` places from `first` on, at distances of `step`.
    #[must_use]
    pub const fn new(first: usize, step: isize, count: usize) -> Self {
        // A run is written in one way, so that equal runs are equal in files.
        Self {
            first: Some(first),
            step: if count == 1 { 1 } else { step },
            count,
        }
    }

    /// `count` times no place.
    #[must_use]
    pub const fn none(count: usize) -> Self {
        Self {
            first: None,
            step: 0,
            count,
        }
    }

    /// The place of this number, if there is one.
    const fn place(self, number: usize) -> Option<usize> {
        match self.first {
            Some(first) => {
                let way = number.cast_signed().wrapping_mul(self.step);
                Some(first.wrapping_add_signed(way))
            }
            None => None,
        }
    }

    /// The run with one more place, if this goes on where it ends. To a run of one place any place is a step.
    fn with(self, place: Option<usize>) -> Option<Self> {
        let count = self.count + 1;
        let (Some(first), Some(place)) = (self.first, place) else {
            let goes_on = self.first.is_none() && place.is_none();
            return goes_on.then_some(Self { count, ..self });
        };
        let step = place.checked_signed_diff(first)?;
        if self.count == 1 {
            return Some(Self {
                step,
                count,
                ..self
            });
        }
        let way = isize::try_from(self.count).ok()?.checked_mul(self.step)?;
        (step == way).then_some(Self { count, ..self })
    }

    /// Refuses places that an axis of `size` does not have.
    fn check(self, size: usize) -> Result<(), String> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let last = (|| {
            let steps = isize::try_from(self.count.checked_sub(1)?).ok()?;
            first.checked_add_signed(steps.checked_mul(self.step)?)
        })();
        let both = first.max(last.unwrap_or(usize::MAX));
        if both < size {
            return Ok(());
        }
        let Self { step, count, .. } = self;
        Err(format!(
            "it takes {count} places from {first} by {step} of {size}"
        ))
    }
}

impl Places {
    /// These, one by one.
    pub fn of(places: impl IntoIterator<Item = Option<usize>>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for place in places {
            let longer = runs.last().and_then(|run| run.with(place));
            match (runs.last_mut(), longer) {
                (Some(run), Some(longer)) => *run = longer,
                _ => runs.push(place.map_or(Run::none(1), |place| Run::new(place, 1, 1))),
            }
        }
        Self::Runs(runs)
    }

    /// `count` places from `first` on, at distances of `step`: a crop, a part of the channels, every second row. With
    /// a negative step they stand in the opposite order.
    #[must_use]
    pub fn every(first: usize, step: isize, count: usize) -> Self {
        Self::Runs(vec![Run::new(first, step, count)])
    }

    /// All of `size`, the last first.
    #[must_use]
    pub fn flipped(size: usize) -> Self {
        Self::every(size.saturating_sub(1), -1, size)
    }

    /// All of `size`, with zeros before and after.
    #[must_use]
    pub fn zeros(before: usize, size: usize, after: usize) -> Self {
        let runs = [Run::none(before), Run::new(0, 1, size), Run::none(after)];
        Self::Runs(runs.into_iter().filter(|run| run.count > 0).collect())
    }

    /// All of `size`, with the first and the last repeated before and after.
    #[must_use]
    pub fn edges(before: usize, size: usize, after: usize) -> Self {
        let last = size.saturating_sub(1);
        let runs = [
            Run::new(0, 0, before),
            Run::new(0, 1, size),
            Run::new(last, 0, after),
        ];
        Self::Runs(runs.into_iter().filter(|run| run.count > 0).collect())
    }

    /// All of `size`, with the neighbours of the first and the last mirrored in them before and after: 2 1 | 0 1 2 | 1 0.
    /// The graph refuses to mirror more than there are.
    #[must_use]
    pub fn reflected(before: usize, size: usize, after: usize) -> Self {
        let runs = [
            Run::new(before, -1, before),
            Run::new(0, 1, size),
            // With too few this begins beyond the axis.
            Run::new(size.checked_sub(2).unwrap_or(size), -1, after),
        ];
        Self::Runs(runs.into_iter().filter(|run| run.count > 0).collect())
    }

    /// Each of `size` `times` times.
    #[must_use]
    pub fn repeated(size: usize, times: usize) -> Self {
        Self::Runs((0..size).map(|i| Run::new(i, 0, times)).collect())
    }

    /// All of `size`, with `gap` zeros between neighbours.
    #[must_use]
    pub fn gaps(size: usize, gap: usize) -> Self {
        let place = |i| [Run::none(gap), Run::new(i, 1, 1)];
        let runs = (0..size).flat_map(place).skip(1);
        Self::Runs(runs.filter(|run| run.count > 0).collect())
    }

    /// How many there are, of an axis of `size`.
    ///
    /// # Errors
    /// What is wrong, as a phrase: a place that the axis does not have.
    pub fn len(&self, size: usize) -> Result<usize, String> {
        let Self::Runs(runs) = self else {
            return Ok(size);
        };
        runs.iter().try_fold(0_usize, |sum, run| {
            run.check(size)?;
            let sum = sum.checked_add(run.count);
            sum.ok_or_else(|| "it takes too many places".to_owned())
        })
    }

    /// They themselves, of an axis of `size`. Those that [`Places::len`] refuses may be any.
    pub fn iter(&self, size: usize) -> impl Iterator<Item = Option<usize>> + '_ {
        let all = [Run::new(0, 1, size)];
        let whole = matches!(self, Self::All).then_some(all);
        let runs = whole
            .into_iter()
            .flatten()
            .chain(self.runs().iter().copied());
        runs.flat_map(|run| (0..run.count).map(move |i| run.place(i)))
    }

    /// Whether it says that all stay.
    pub(crate) const fn is_unchanged(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The runs, unless all places stay as they are.
    pub(crate) fn runs(&self) -> &[Run] {
        match self {
            Self::All => &[],
            Self::Runs(runs) => runs,
        }
    }

    /// Whether some take none.
    #[must_use]
    pub fn has_zeros(&self) -> bool {
        self.runs()
            .iter()
            .any(|run| run.first.is_none() && run.count > 0)
    }

    /// Whether all places of an axis of `size` stay as they are.
    #[must_use]
    pub fn is_all(&self, size: usize) -> bool {
        self.len(size) == Ok(size) && self.iter(size).enumerate().all(|(i, p)| p == Some(i))
    }
}
