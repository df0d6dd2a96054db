//! Arguments of `serve`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{AlgorithmArgs, Extension, LinkArgs, Mode, ModelArgs, Open, ThreadArgs};
use crate::cost::wire::Wire;
use crate::identity::{ClientTrustArgs, KeyArgs};
use crate::shelf::ShelfArgs;
use crate::text::size;

/// No server has a use for more of anything that it has for each of many: more is a slip of a finger.
const MOST: i64 = 1_000_000;
/// No client is asked for more bytes a second.
const MOST_RATE: u64 = 1_000_000_000;

/// A size that each second brings.
fn rate(text: &str) -> Result<u64, String> {
    match size(text)? {
        rate if rate > MOST_RATE => Err("it is at most 1GB: faster clients would be cut".into()),
        rate => Ok(rate),
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Take options from this file (TOML): each has a key of the same name, as in `parallel = 2` or `modes = ["faithful"]`. What stands on
    /// the command line counts instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    pub(crate) listen: String,
    /// Stop after this many sessions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sessions: Option<u64>,
    /// Serve at most this many sessions at the same time; others wait in order, and are told their place.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    pub(crate) parallel: u32,
    /// Let at most this many clients wait in line; one more is refused, and may call again.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(..=MOST))]
    pub(crate) waiting: u32,
    /// End a session that lasts longer than this many seconds, whatever its client does.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_session: u64,
    /// End a session whose client takes longer over a message than --timeout and the time that its bytes take at this many a
    /// second, such as 4KiB, however they drip.
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = rate)]
    pub(crate) least_rate: u64,
    /// Let a client ask about at most this many images in a session; one that asks about more is refused. Each finding tells a
    /// little about the weights, to a client that does not follow the protocol more than to others: allow no more than are needed.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    pub(crate) max_images: u32,
    #[command(flatten)]
    pub(crate) quota: QuotaArgs,
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
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Record who asked for what in this file, to which lines are only added, each with the hash of the one before. What cannot be recorded
    /// is not done.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// When asked to stop, give sessions at hand this many seconds, and then cut them; without it they come to their end.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub(crate) stop_after: Option<u64>,
    /// Answer /livez, /readyz, /metrics (Prometheus) and /status, which `ps` shows, over HTTP at this loopback address.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) status: Option<String>,
    /// Let --status be at any address, for probes of a network that others cannot reach: nothing is encrypted and nobody is asked who he is.
    #[arg(long, requires = "status")]
    pub(crate) status_exposed: bool,
    /// How standard error is written while it serves: text for people, or json, one object per line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// The least important of what is logged.
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    pub(crate) log_level: LogLevel,
    /// End when standard input ends: how `demo` takes its server with it.
    #[arg(long, hide = true)]
    pub(crate) end_with_stdin: bool,
    /// Keep at most so many preparations of this model for each client, one for each view of an image, whatever their mode; 0 for none. Those of a
    /// model that was served before do not count, and expire.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(..=MOST))]
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

/// What a client may use, where its line of `--clients` does not say otherwise.
#[derive(Debug, Args)]
pub(crate) struct QuotaArgs {
    /// Let each client ask about at most this many images in any hour. Findings are what an extraction of the weights costs.
    #[arg(long, value_name = "N")]
    pub(crate) quota_images_per_hour: Option<u64>,
    /// Let each client ask about at most this many images in all.
    #[arg(long, value_name = "N")]
    pub(crate) quota_images: Option<u64>,
    /// Let each client have at most this many sessions in any hour.
    #[arg(long, value_name = "N")]
    pub(crate) quota_sessions_per_hour: Option<u64>,
    /// Let each client's sessions take at most this many bytes in all, in both directions, such as 50GB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) quota_bytes: Option<u64>,
    /// Let each client have at most this many sessions at the same time; further ones wait in line, and let others pass. Where several
    /// servers share a store, each counts its own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    pub(crate) quota_parallel: Option<u32>,
    /// Where it is kept what clients have used: a file of this server alone, or postgres://USER@HOST/DATABASE for several servers. Default: with quotas,
    /// blindray/serve.redb in your folder for state; without, memory.
    #[arg(
        long,
        value_name = "FILE|postgres://…",
        env = "BLINDRAY_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A time, a level and a sentence.
    Text,
    /// One JSON object per line, with a field for each fact.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What needs an operator.
    Error,
    /// Who was refused or failed, too.
    Warn,
    /// Each session.
    Info,
    /// Each step of a session.
    Debug,
}
