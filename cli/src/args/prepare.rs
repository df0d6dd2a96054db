//! Arguments of `prepare`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Extension, LinkArgs, Mode, Open, Preset};
use crate::identity::{KeyArgs, ServerTrustArgs};
use crate::shelf::ShelfArgs;
use crate::text::size;

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// Address of the server, with its port.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: String,
    /// Make preparations for so many images more.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "stock")]
    pub(crate) images: u32,
    /// Make as many as are missing, so that there are preparations for so many images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stock: Option<u32>,
    /// Do not end: look again after --every seconds, and make what was used. A server that cannot be reached is called again then.
    #[arg(long, requires = "stock")]
    pub(crate) keep_going: bool,
    /// Seconds between looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "keep_going", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) every: u64,
    /// The mode of the findings that they are for.
    #[arg(long, value_enum, default_value_t = Mode::Faithful)]
    pub(crate) mode: Mode,
    /// Make nothing if a session would take more than this many bytes, both ways, such as 500MB or 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_traffic: Option<u64>,
    /// As for `infer`: ot asks nothing of a server that uses homomorphic encryption.
    #[arg(long, value_enum, default_value_t = Preset::Auto)]
    pub(crate) preset: Preset,
    /// As for `infer`: ask nothing of a server that makes correlated OTs by anything else than this.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
    /// Make correlated OTs in two threads, ahead of the protocols.
    #[arg(long)]
    pub(crate) background: bool,
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
    /// Record in this file with whom which preparations were made: an audit log, which `audit verify` checks. With --keep-going it is no other
    /// program's at the same time: give `infer` one of its own.
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
