//! The command line: what can be written, and its help. What the words mean is in `settings`.

mod ask;
mod check;
#[cfg(test)]
mod examples;
mod help;
mod import;
mod infer;
mod plan;
mod prepare;
mod serve;
mod shell;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{AuditCommand, IdentityCommand, SealCommand};
use crate::cost::wire::Wire;
use crate::results::FormArgs;
use crate::sealing::SealArgs;

pub(crate) use self::ask::AskArgs;
pub(crate) use self::check::{DoctorArgs, PsArgs};
pub(crate) use self::import::ImportArgs;
pub(crate) use self::infer::{InferArgs, Prepared};
pub(crate) use self::plan::{BenchArgs, PlanArgs};
pub(crate) use self::prepare::PrepareArgs;
pub(crate) use self::serve::{LogFormat, LogLevel, QuotaArgs, ServeArgs};
pub(crate) use self::shell::{CompletionsArgs, ManArgs};

/// Two-party secure neural-network inference.
///
/// A server has a trained network, a client has an image. The client learns what the network finds in the image. The
/// server does not see the image or the findings, and the client does not see the weights.
#[derive(Debug, Parser)]
#[command(
    name = "blindray",
    version,
    propagate_version = true,
    after_help = help::PROGRAM
)]
pub(crate) struct Cli {
    /// Print results as JSON, one object per line.
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    /// Print no progress and no notes; errors are still printed.
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run server and client on this machine, with the embedded network and an embedded chest X-ray.
    #[command(after_help = help::DEMO)]
    Demo(DemoArgs),
    /// Offer a model to clients: the server's side.
    #[command(after_help = help::SERVE)]
    Serve(Box<ServeArgs>),
    /// Ask a server for the findings of images: the client's side.
    #[command(after_help = help::INFER)]
    Infer(InferArgs),
    /// Do all of future inferences that does not depend on the images, and keep it: the client's side.
    #[command(after_help = help::PREPARE)]
    Prepare(PrepareArgs),
    /// Make or show the key by which others know this party.
    #[command(subcommand, after_help = help::IDENTITY)]
    Identity(IdentityCommand),
    /// Verify or show an audit log, which `serve`, `infer` and `prepare` write with --audit.
    #[command(subcommand, after_help = help::AUDIT)]
    Audit(AuditCommand),
    /// Run a network without secrecy, for comparison.
    #[command(after_help = help::CLEAR)]
    Clear(ClearArgs),
    /// Make a model file from trained weights and calibration images.
    #[command(after_help = help::IMPORT)]
    Import(ImportArgs),
    /// Make keys that seal model files, and seal them: on a disk, nobody reads the weights without the key.
    #[command(subcommand, after_help = help::SEAL)]
    Seal(SealCommand),
    /// Say what an inference costs, layer by layer, before anything runs.
    #[command(after_help = help::PLAN)]
    Plan(PlanArgs),
    /// Measure single operations on this machine, both parties over loopback.
    #[command(after_help = help::BENCH)]
    Bench(BenchArgs),
    /// Check this machine, and the way to a server, before they are needed.
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Show what a running server does: its model, its sessions, who waits, and what is in stock.
    #[command(after_help = help::PS)]
    Ps(PsArgs),
    /// Print what makes a shell complete commands and options.
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command, or write all of them.
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The result equals the integer reference, bit for bit, on every input.
    Faithful,
    /// Truncations are done by each party alone, and each may be one unit in the last place too large. After layers by ring-LWE one bit is cut off
    /// exactly before, which takes flights.
    Fast,
}

/// How much of its outputs a model opens to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Open {
    /// The whole integers of all outputs.
    All,
    /// All outputs, rounded to sixteenths of a logit; where each is a finding of its own, clipped to 8 bits too.
    Rounded,
    /// The class alone; where each output is a finding of its own, whether it is more probable than not.
    Top,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arithmetic {
    /// 32-bit floating point, as trained.
    Float,
    /// The integers that secure inference reproduces.
    Fixed,
}

/// Which part of the resized image the network sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Crop {
    /// The middle of the resized image.
    Centre,
    /// Four corners and the middle, and the five mirrored; their logits are averaged, at ten times the cost.
    Ten,
}

/// How a resize weighs the pixels around each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Filter {
    /// Pillow's BILINEAR.
    Bilinear,
    /// Pillow's BICUBIC.
    Bicubic,
    /// Pillow's LANCZOS.
    Lanczos,
}

/// What decides how much room the tensors of an imported network have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ranges {
    /// What the calibration images show, times the margin: an image on which a value reaches further gets a wrong finding.
    Calibrated,
    /// More room: for variants of the calibration images, and the more the fewer images there are; but never more than proved.
    Robust,
    /// A proof for every image whatever. Few networks of many layers have room for it.
    Proved,
}

/// Which protocols compute the linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// For each layer whatever is best.
    Auto,
    /// By oblivious transfer alone: what rests on no lattice assumption.
    Ot,
}

/// The choice of the algorithms of linear layers; the findings do not depend on it.
#[derive(Debug, Args)]
pub(crate) struct AlgorithmArgs {
    /// The protocols of linear layers: auto, homomorphic encryption (ring-LWE) included; ot, by oblivious transfer alone.
    #[arg(long, value_enum, default_value_t = Preset::Auto)]
    pub(crate) preset: Preset,
    /// What the choice of algorithms keeps small.
    #[arg(long, value_enum, default_value_t = Objective::Bytes)]
    pub(crate) objective: Objective,
}

/// Which system's protocols are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanPreset {
    /// Those of this program, for each layer whatever is best.
    Auto,
    /// The same by oblivious transfer alone.
    Ot,
    /// CrypTFlow2 with a ring of 37 bits, 12 of them fraction, and one cross term; by formula.
    Cryptflow2,
    /// CrypTFlow2 as released in 2022: 60 bits, 23 of them fraction, both cross terms; by formula.
    #[value(name = "cryptflow2-2022")]
    Cryptflow22022,
}

/// What makes the correlated oblivious transfers (COTs) that the protocols use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Extension {
    /// Whatever takes the least time for the model and the network; at a client, whatever the server uses.
    Auto,
    /// SoftSpokenOT with k = 4: 31 bits for a COT, on the most usual assumptions; for fast networks.
    #[value(name = "softspoken")]
    SoftSpoken,
    /// Silent OT, 1.41 bits, the smallest tables.
    SilentSmall,
    /// Silent OT, 1.41 bits, less work; for the networks of a house.
    SilentSmallTwice,
    /// Silent OT, 0.75 bits.
    SilentMedium,
    /// Silent OT, 0.40 bits; for slow networks.
    SilentLarge,
}

/// What the choice of algorithms keeps small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Objective {
    /// Bytes of both directions, those that make correlated OTs included.
    Bytes,
    /// Estimated seconds, CPU and network.
    Time,
    /// Flights, then bytes.
    Flights,
}

/// What estimates of time are made from.
#[derive(Debug, Args)]
pub(crate) struct SpeedArgs {
    /// The network between the parties: lan (3 Gbit/s, 0.3 ms there and back), wan (100 Mbit/s, 40 ms), or a rate and a round trip such as 1Gbit,20ms.
    #[arg(long, value_name = "lan|wan|RATE,RTT", default_value = "lan")]
    pub(crate) network: Wire,
    /// A file of `blindray bench --calibrate` with the speed of the machines; default: this machine's, if it was measured.
    #[arg(long, value_name = "FILE")]
    pub(crate) constants: Option<PathBuf>,
    /// What makes correlated OTs.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
}

/// Which model.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A .bray file, `chestnet` for the embedded network, or a backbone with random weights, for studies of cost (densenet121, mobilenet-v2, resnet18, resnet50, squeezenet, …).
    #[arg(long, value_name = "M")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) backbone: BackboneArgs,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
}

/// Which of the networks of a backbone.
#[derive(Debug, Args)]
pub(crate) struct BackboneArgs {
    /// Rows and columns of a backbone's input; default: 224, and 320 for `plan --ablation`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=2048))]
    pub(crate) size: Option<u32>,
    /// Number of a backbone's outputs; default: 14.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) classes: Option<u32>,
}

/// Who makes correlated OTs.
#[derive(Debug, Args)]
pub(crate) struct ThreadArgs {
    /// Make correlated OTs in two threads of each session, ahead of the protocols: faster on a line of long delay, if both
    /// parties do it.
    #[arg(long)]
    pub(crate) background: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Number of the embedded X-ray to read: 0, 1 or 2.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) xray: usize,
    /// How exact the secure result is.
    #[arg(long, value_enum, default_value_t = Mode::Faithful)]
    pub(crate) mode: Mode,
    /// The protocols of linear layers: auto, homomorphic encryption (ring-LWE) included; ot, by oblivious transfer alone.
    #[arg(long, value_enum, default_value_t = Preset::Auto)]
    pub(crate) preset: Preset,
    /// What makes correlated OTs; `auto` chooses for a LAN.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Run the products ahead of the images where their algorithms can (ring-LWE): with an image at hand, less is left to do.
    #[arg(long)]
    pub(crate) ahead: bool,
    /// Also write the result to this file, as a page for a browser or a printer.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Images to read: PNG, JPEG or DICOM, or folders of them.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    /// Of files that hold several frames (DICOM), take this one, counted from 1.
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<NonZeroU32>,
    /// The arithmetic of the run.
    #[arg(long, value_enum, default_value_t = Arithmetic::Fixed)]
    pub(crate) arithmetic: Arithmetic,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// Encrypt nothing and ask nobody who they are: plain TCP, on loopback addresses alone.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Give up when the other party neither speaks nor listens for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}
