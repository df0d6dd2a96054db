//! Arguments of `prepare`.

use clap::Args;

use crate::args::AskArgs;

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// Make preparations for so many images more.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "stock")]
    pub(crate) images: u32,
    /// Make as many as are missing, so that there are preparations for so many images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stock: Option<u32>,
    /// Do not end: look again after --every seconds, and make what was used. A server that cannot be reached is called again then. With --audit,
    /// give `infer` a log of its own: this one is written as long as this runs.
    #[arg(long, requires = "stock")]
    pub(crate) keep_going: bool,
    /// Seconds between looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "keep_going", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) every: u64,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
}
