//! Arguments of `serve`.

use clap::Args;

use crate::args::{AlgorithmArgs, Extension, LinkArgs, Mode, ModelArgs, Open};
use crate::cost::wire::Wire;
use crate::identity::{ClientTrustArgs, KeyArgs};
use crate::shelf::ShelfArgs;
use crate::text::size;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    pub(crate) listen: String,
    /// Stop after this many sessions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sessions: Option<u64>,
    /// Serve at most this many sessions at the same time; others wait in order, and are told their place.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallel: u32,
    /// Let at most this many clients wait in line; one more is refused, and may call again.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) waiting: u32,
    /// End a session that lasts longer than this many seconds, whatever its client does.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_session: u64,
    /// End a session whose client takes longer over a message than --timeout and the time that its bytes take at this many a
    /// second, such as 4KiB, however they drip.
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = size)]
    pub(crate) least_rate: u64,
    /// Let a client ask about at most this many images in a session; one that asks about more is refused. Each finding tells a
    /// little about the weights, to a client that does not follow the protocol more than to others: allow no more than are needed.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_images: u32,
    /// The modes that clients may ask for, separated by commas. In fast mode a client also learns a little about the values
    /// before the last bits were cut off.
    #[arg(long, value_enum, value_name = "MODE,…", value_delimiter = ',', default_values_t = [Mode::Faithful, Mode::Fast])]
    pub(crate) modes: Vec<Mode>,
    /// Open no more of the outputs than this: each bit that clients see tells something about the weights.
    #[arg(long, value_enum, default_value_t = Open::All)]
    pub(crate) open: Open,
    #[command(flatten)]
    pub(crate) algorithms: AlgorithmArgs,
    /// What makes correlated OTs in all sessions; clients are told. Silent OT keeps a few MiB of tables for each session.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
    /// The network to most clients, for which --extension auto and --objective time choose: lan (3 Gbit/s), wan (100 Mbit/s), or a rate and a round trip such as 1Gbit,20ms.
    #[arg(long, value_name = "lan|wan|RATE,RTT", default_value = "lan")]
    pub(crate) network: Wire,
    /// Make correlated OTs in two threads of each session, ahead of the protocols: faster on a line of long delay, if both
    /// parties do it.
    #[arg(long)]
    pub(crate) background: bool,
    /// End when standard input ends: how `demo` takes its server with it.
    #[arg(long, hide = true)]
    pub(crate) end_with_stdin: bool,
    /// Keep preparations for at most so many images of each client; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) max_prepared: u32,
    /// Let preparations expire after so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=366))]
    pub(crate) prepared_days: u64,
    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ClientTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}
