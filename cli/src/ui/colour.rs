//! Colour, where somebody sees it.

use std::env::var_os;

/// What a colour says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colour {
    Good,
    Odd,
    Bad,
}

impl Colour {
    /// The words in this colour on a terminal that has some, unless NO_COLOR (no-color.org) is set to anything.
    pub(super) fn paint(self, words: &str, terminal: bool) -> String {
        let forbidden = var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = var_os("TERM").is_none_or(|term| term == "dumb");
        if !terminal || forbidden || dumb {
            return words.to_owned();
        }
        let code = match self {
            Self::Good => 32,
            Self::Odd => 33,
            Self::Bad => 31,
        };
        format!("\u{1b}[{code}m{words}\u{1b}[0m")
    }
}
