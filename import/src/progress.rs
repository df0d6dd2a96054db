//! How far an import is.

/// How much of an import is done, in runs of the network or what takes as long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as can be told: how many widths will be tried is not known before.
    pub steps: u64,
}

/// How many runs of the float network a run of the integer network takes.
const INTEGER: u64 = 2;
/// Widths that are usually tried.
const TRIES: u64 = 4;

/// Counts the steps of an import.
pub(crate) struct Steps<'a> {
    see: &'a mut dyn FnMut(Progress),
    progress: Progress,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(see: &'a mut dyn FnMut(Progress)) -> Self {
        let progress = Progress { done: 0, steps: 1 };
        Self { see, progress }
    }

    /// What is to come: runs of the float network, images that each width is compared on, and images that the final
    /// network is compared on.
    pub(crate) fn expect(&mut self, runs: usize, compared: usize, last: usize) {
        let integer = (TRIES * compared as u64 + last as u64) * INTEGER;
        self.progress.steps = runs as u64 + integer;
    }

    /// A run of the float network begins.
    pub(crate) fn run(&mut self) {
        self.step(1);
    }

    /// A run of the integer network begins.
    pub(crate) fn compare(&mut self) {
        self.step(INTEGER);
    }

    fn step(&mut self, steps: u64) {
        self.progress.done += steps;
        self.progress.steps = self.progress.steps.max(self.progress.done + 1);
        (self.see)(self.progress);
    }
}
