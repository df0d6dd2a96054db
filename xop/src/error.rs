//! What can go wrong in this crate, and what is probably a mistake.

use std::fmt;

/// Why an X-operator is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number that must be positive is zero.
    #[error("the {what} of an X-operator must not be zero")]
    Zero {
        /// Which one.
        what: &'static str,
    },
    /// Channels do not split evenly into groups.
    #[error(
        "{groups} groups do not divide {} input and {} output channels; {} would",
        channels[0], channels[1], listed(*channels)
    )]
    Groups {
        /// Groups.
        groups: usize,
        /// Input and output channels.
        channels: [usize; 2],
    },
    /// A fraction of the channels that the family does not have.
    #[error("`{found}` is not a fraction of the channels; 0, 1/4, 1/2 and 1 are")]
    Spatial {
        /// What was given.
        found: String,
    },
    /// The layer is impossible, or too large to be counted.
    #[error(transparent)]
    Linear(#[from] linear::Error),
}

/// An X-operator that is possible, but probably a mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// No channel goes through the k × k depthwise convolution.
    OnePixel {
        /// Rows and columns of the kernel that it replaces.
        kernel: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnePixel { kernel } => write!(
                f,
                "with r = 0 an output sees one pixel, not {kernel} x {kernel}; take r = 1/4 or more"
            ),
        }
    }
}

/// The first few numbers of groups that divide both numbers of channels.
fn listed([c_in, c_out]: [usize; 2]) -> String {
    const MOST: usize = 8;
    let divides = |g: &usize| c_in.is_multiple_of(*g) && c_out.is_multiple_of(*g);
    let all: Vec<_> = (1..=c_in.min(c_out)).filter(divides).collect();
    let names: Vec<_> = all.iter().take(MOST).map(usize::to_string).collect();
    let more = if all.len() > MOST { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}
