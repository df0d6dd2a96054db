//! Arguments of `infer`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use channel::MAX_CONNECTIONS;
use clap::{Args, ValueEnum};

use crate::args::AskArgs;
use crate::results::FormArgs;

/// What `infer` does with preparations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Prepared {
    /// Uses them where there are enough.
    Auto,
    /// Asks for nothing without them.
    Only,
    /// Leaves them alone.
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct InferArgs {
    /// Images to read: PNG, JPEG or DICOM, or folders of them.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    /// Of files that hold several frames (DICOM), take this one, counted from 1.
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<NonZeroU32>,
    /// Ask nothing of the server about an image that is unlike those that its model was made for; without it such an image is named
    /// in a warning.
    #[arg(long)]
    pub(crate) strict_input: bool,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// Run the products ahead of the images where their algorithms can (ring-LWE): with an image at hand, less is left to do.
    #[arg(long)]
    pub(crate) ahead: bool,
    /// Run the session over this many TCP connections. More than one may be faster on a line of long delay, and does not go
    /// through a tunnel of one connection, nor through a balancer in front of several servers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_CONNECTIONS as i64))]
    pub(crate) connections: u8,
    /// Where the server is busy, come before all who are not urgent, if it allows that to this client.
    #[arg(long)]
    pub(crate) urgent: bool,
    /// Whether findings are computed from preparations, which `prepare` makes: auto uses them where there are enough for this server, its model
    /// and the mode; only asks for nothing where there are not; never leaves them for later.
    #[arg(long, value_enum, default_value_t = Prepared::Auto)]
    pub(crate) prepared: Prepared,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}
