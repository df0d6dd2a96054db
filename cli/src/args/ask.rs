//! Arguments of what asks a server: `infer` and `prepare`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Extension, LinkArgs, Mode, Open, Preset, ThreadArgs};
use crate::identity::{KeyArgs, ServerTrustArgs};
use crate::shelf::ShelfArgs;
use crate::text::size;

#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// Address of the server, with its port.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: String,
    /// How exact the findings are.
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
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Wait in line for at most this many seconds where the server is busy with others.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) max_wait: u64,
    /// Accept only the model with this digest (64 hexadecimal digits).
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_model: Option<String>,
    /// Accept only the model whose public part is in this file, as `import` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "expect_model")]
    pub(crate) public: Option<PathBuf>,
    /// With --public: what a server with `serve --open` opens of that model.
    #[arg(long, value_enum, default_value_t = Open::All, requires = "public")]
    pub(crate) open: Open,
    /// Record in this file who was asked about which images, which preparations were made and used, and how it ended: an audit log, which
    /// `audit verify` checks. One process at a time writes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ServerTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}
