//! Arguments of `doctor` and `ps`.

use clap::Args;

use crate::args::LinkArgs;
use crate::identity::{KeyArgs, ServerTrustArgs};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Also check the way to the server at this address, and measure it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Option<String>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ServerTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Where the server tells its status: `--status` of `serve`.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7701")]
    pub(crate) status: String,
}
