//! The modes that a server allows.

use secure::Mode;

/// A choice among the modes of a run, at least one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Modes {
    faithful: bool,
    fast: bool,
}

impl Modes {
    /// Every mode.
    pub const ALL: Self = Self {
        faithful: true,
        fast: true,
    };

    /// One mode.
    #[must_use]
    pub const fn only(mode: Mode) -> Self {
        match mode {
            Mode::Faithful => Self {
                fast: false,
                ..Self::ALL
            },
            Mode::Fast => Self {
                faithful: false,
                ..Self::ALL
            },
        }
    }

    /// One more mode.
    #[must_use]
    pub const fn and(self, mode: Mode) -> Self {
        Self {
            faithful: self.faithful || matches!(mode, Mode::Faithful),
            fast: self.fast || matches!(mode, Mode::Fast),
        }
    }

    /// Whether a mode is among them.
    #[must_use]
    pub const fn allows(self, mode: Mode) -> bool {
        match mode {
            Mode::Faithful => self.faithful,
            Mode::Fast => self.fast,
        }
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self::ALL
    }
}
