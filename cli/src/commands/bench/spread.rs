//! Seconds of several runs.

use serde::Serialize;

use crate::text::middle;

/// The least, the most, and what lies in the middle.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    /// The one in the middle, or the mean of both.
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of one run at least.
    pub(super) fn of(all: impl IntoIterator<Item = f64>) -> Self {
        let mut all = Vec::from_iter(all);
        all.sort_by(f64::total_cmp);
        Self {
            least: all[0],
            median: middle(&all, f64::total_cmp, f64::midpoint),
            most: all[all.len() - 1],
        }
    }

    /// From the least to the most, for people.
    pub(crate) fn spread(&self) -> String {
        format!("{:.3} – {:.3}", self.least, self.most)
    }
}
