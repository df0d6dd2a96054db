//! Arguments of `infer`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use channel::MAX_CONNECTIONS;
use clap::{Args, ValueEnum};

use crate::args::{Extension, LinkArgs, Mode, Open, Preset};
use crate::identity::{KeyArgs, ServerTrustArgs};
use crate::results::FormArgs;
use crate::shelf::ShelfArgs;
use crate::text::size;

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
    /// Address of the server, with its port.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: String,
    /// Images to read: PNG, JPEG or DICOM, or folders of them.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    /// Of files that hold several frames (DICOM), take this one, counted from 1.
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<NonZeroU32>,
    /// How exact the secure result is.
    #[arg(long, value_enum, default_value_t = Mode::Faithful)]
    pub(crate) mode: Mode,
    /// Ask nothing of the server if the session would take more than this many bytes, both ways, such as 500MB or 2GiB;
    /// `plan` says what a model takes.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_traffic: Option<u64>,
    /// The protocols of linear layers: auto goes along with the server's choice; ot asks nothing of a server that uses homomorphic encryption
    /// (ring-LWE), with which it rests on a lattice assumption that the image stays hidden.
    #[arg(long, value_enum, default_value_t = Preset::Auto)]
    pub(crate) preset: Preset,
    /// Ask nothing of a server that makes correlated OTs by anything else than this; `auto` goes along with whatever it is. With
    /// silent OT, that the image stays hidden rests on one assumption more, learning parity with noise.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
    /// Make correlated OTs in two threads, ahead of the protocols: faster on a line of long delay, if both
    /// parties do it.
    #[arg(long)]
    pub(crate) background: bool,
    /// Run the products ahead of the images where their algorithms can (ring-LWE): with an image at hand, less is left to do.
    #[arg(long)]
    pub(crate) ahead: bool,
    /// Run the session over this many TCP connections. More than one may be faster on a line of long delay, and does not go
    /// through a tunnel of one connection, nor through a balancer in front of several servers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_CONNECTIONS as i64))]
    pub(crate) connections: u8,
    /// Wait in line for at most this many seconds where the server is busy with others.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) max_wait: u64,
    /// Where the server is busy, come before all who are not urgent, if it allows that to this client.
    #[arg(long)]
    pub(crate) urgent: bool,

    /// Accept only the model with this digest (64 hexadecimal digits).
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_model: Option<String>,
    /// Accept only the model whose public part is in this file, as `import` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "expect_model")]
    pub(crate) public: Option<PathBuf>,
    /// Ask nothing of the server about an image that is unlike those that its model was made for; without it such an image is named
    /// in a warning.
    #[arg(long)]
    pub(crate) strict_input: bool,
    /// With --public: what a server with `serve --open` opens of that model.
    #[arg(long, value_enum, default_value_t = Open::All, requires = "public")]
    pub(crate) open: Open,
    /// Record in this file who was asked about which images, which preparations were used, and how it ended: an audit log, which `audit verify` checks.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Whether findings are computed from preparations, which `prepare` makes: auto uses them where there are enough for this server, its model
    /// and the mode; only asks for nothing where there are not; never leaves them for later.
    #[arg(long, value_enum, default_value_t = Prepared::Auto)]
    pub(crate) prepared: Prepared,
    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ServerTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}
