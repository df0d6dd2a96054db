//! How far a party has come.

/// How far the runs of a call have come; told before each layer of each run, and in the phase ahead of runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The run of the network, from 0. A client runs it once for every view of an image, a server for
    /// every view of every image of the session.
    pub run: u64,
    /// Runs in all.
    pub runs: u64,
    /// Where in the run.
    pub step: secure::Progress<'a>,
    /// All bytes of the call, in both directions and refills included, as planned, where the caller has no way to know them: making preparations.
    pub planned: Option<u64>,
}

impl<'a> Progress<'a> {
    /// A phase ahead: it counts its own layers, once.
    pub(crate) const fn ahead(step: secure::Progress<'a>) -> Self {
        Self::of(0, 1, step)
    }

    /// A step of a run.
    pub(crate) const fn of(run: u64, runs: u64, step: secure::Progress<'a>) -> Self {
        let planned = None;
        Self {
            run,
            runs,
            step,
            planned,
        }
    }

    /// Of a server with so many views an image: the image of its session, from 0.
    pub(crate) const fn image(&self, views: u64) -> u64 {
        self.run / views
    }

    /// Layers done in all runs, or in the phase ahead if the step is of one.
    #[must_use]
    pub const fn layers_done(&self) -> u64 {
        self.run * self.step.layers as u64 + self.step.layer as u64
    }

    /// Layers of all runs, or of the phase ahead.
    #[must_use]
    pub const fn layers(&self) -> u64 {
        self.runs * self.step.layers as u64
    }
}
