//! The command line: what can be written, and its help. What the words mean is in `settings`.

mod check;
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
    after_help = "Results go to standard output, everything else to standard error. The exit code is 0 when all was done, 1 when the command ran and failed, 2 for bad usage or bad input, 130 after Ctrl-C, and 141 when nobody reads the results any more."
)]
pub(crate) struct Cli {
    /// Print results as JSON, one object per line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and no notes; errors are still printed.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run server and client on this machine, with the embedded network and an embedded chest X-ray.
    #[command(after_help = "Examples:\n  blindray demo\n  blindray demo --xray 2 --json")]
    Demo(DemoArgs),
    /// Offer a model to clients: the server's side.
    #[command(
        after_help = "Examples:\n  blindray serve --model chestnet --listen localhost:7700\n  blindray serve --model resnet20.bray --listen 0.0.0.0:7700 --clients hospitals.txt   # a fingerprint and a name on each line\n  blindray serve --model net.bray --modes faithful --max-images 1   # one image a session, and no fast mode\n  blindray serve --model net.bray --network 50Mbit,30ms   # clients are far: fewer bytes for correlated OTs, at more work\n  blindray serve --model net.bray --open top   # clients see the class, and no probability\n  blindray serve --model net.bray --parallel 2 --waiting 8   # two sessions at a time, eight clients in line, others are refused\n  blindray serve --model net.bray --max-session 600 --least-rate 1MB --timeout 20   # no client holds a place for long\n  blindray serve --model densenet121 --size 224 --classes 14   # random weights: what would it cost?\n  blindray serve --model net.bray --clients hospitals.txt --quota-images-per-hour 40 --quota-images 5000   # findings are what an extraction costs\n  blindray serve --config blindray.toml --status 127.0.0.1:7701 --log-format json   # as a service\n\nAt Ctrl-C (or SIGTERM) it takes no more clients and ends with its last session; a second Ctrl-C ends it at once. At SIGHUP it reads the list of clients and the model again."
    )]
    Serve(Box<ServeArgs>),
    /// Ask a server for the findings of images: the client's side.
    #[command(
        after_help = "Examples:\n  blindray infer --connect localhost:7700 --input xray.jpeg\n  blindray infer --connect localhost:7700 --input images/ *.dcm --json   # a folder, and files\n  blindray infer --connect model.example:7700 --input xray.png --trust SHA256:…   # for the first time: from then on its key is known\n  blindray infer --connect localhost:7700 --input xray.png --public net.public.json   # only from a server of exactly this model\n  blindray infer --connect localhost:7700 --input xray.png --public net.public.json --open top   # the same, from one that opens the class alone\n  blindray infer --connect localhost:7700 --input xray.png --max-traffic 500MB --max-wait 60   # or not at all\n  blindray infer --connect localhost:7700 --input xray.png --extension softspoken   # or not at all\n  blindray infer --connect [::1]:7700 --input xray.png --connections 4   # over four TCP connections"
    )]
    Infer(InferArgs),
    /// Do all of future inferences that does not depend on the images, and keep it: the client's side.
    #[command(
        after_help = "Examples:\n  blindray prepare --connect localhost:7700 --images 4\n  blindray prepare --connect localhost:7700 --stock 8 --keep-going   # in the background, as long as it runs\n  blindray infer --connect localhost:7700 --input xray.png   # uses one of them, if there is one\n\nA preparation is for one image, this server, its model as it is now, and one mode. It is kept at both sides, encrypted, is used once, and expires after the days that the server says."
    )]
    Prepare(PrepareArgs),
    /// Make or show the key by which others know this party.
    #[command(
        subcommand,
        after_help = "Examples:\n  blindray identity new --name 'Radiology, St. Elsewhere'\n  blindray identity show\n\n`serve` and `infer` make a key at first use where there is none. It is in blindray/identity.pem in your configuration folder, and beside it known_servers, the servers that `infer` knows."
    )]
    Identity(IdentityCommand),
    /// Verify or show an audit log, which `serve` and `infer` write with --audit.
    #[command(
        subcommand,
        after_help = "Examples:\n  blindray audit verify audit.jsonl\n  blindray audit verify audit.jsonl.[0-9]* audit.jsonl --from-start --checkpoint 5f3c…   # all files from the first line on, and the hash that an earlier run has printed\n  blindray audit verify audit.jsonl --continues 5f3c…   # where the files before it are elsewhere: it goes on from the last line of those\n  blindray audit show audit.jsonl\n\nEach line has the SHA-256 of the line before it, its line feed included: `sed -n 7p audit.jsonl | sha256sum` is what line 8 says. The exit code is 1 where a line is wrong."
    )]
    Audit(AuditCommand),
    /// Run a network without secrecy, for comparison.
    #[command(
        after_help = "Examples:\n  blindray clear --model chestnet --input xray.jpeg --arithmetic float\n  blindray clear --model chestnet --input xray.jpeg --arithmetic fixed --json"
    )]
    Clear(ClearArgs),
    /// Make a model file from trained weights and calibration images.
    #[command(
        after_help = "Examples:\n  blindray import --onnx net.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --resize 256 --calibrate images/ --out net.bray\n  blindray import --arch resnet20 --weights resnet20.safetensors --calibrate images/ --out resnet20.bray\n  blindray import --arch resnet20 --weights resnet20.safetensors --calibrate images/ --out far.bray --objective time --network wan\n\nThe command also writes net.public.json, the public part of the model. Give it to your clients: with `infer --public net.public.json` they accept no other model.\n\nThe table of layers gives bits. `weights`: of a weight. `ring`: of the integers that products are summed in. `proved`: what the sums need whatever the image shows. `calibrated`: what twice the largest sum of the calibration images needs. `output`: of the sums after their truncation. Where the ring is narrower than proved, an image unlike all of the calibration images could wrap. `--ranges` says how much room there is beyond the calibration images.\n\nThe table of widths compares the integer network with the float network on calibration images. `where undecided`: how much the errors of the logits would move a probability where the float network is undecided; the root mean square over the images. It and the largest difference must be within --accuracy, else the command fails: with exit code 1, and no model, unless --accept-accuracy-loss is given."
    )]
    Import(ImportArgs),
    /// Make keys that seal model files, and seal them: on a disk, nobody reads the weights without the key.
    #[command(
        subcommand,
        after_help = "Examples:\n  blindray seal key --out net.key\n  blindray seal model net.bray --key-file net.key\n  blindray serve --model net.bray --key-file net.key\n  blindray serve --model net.bray --key-command 'aws kms decrypt --ciphertext-blob fileb://net.key.enc --query Plaintext --output text'\n  blindray seal rekey net.bray --key-file net.key --new-key-file next.key\n\nThe public part of a sealed model stays readable: `infer --public` takes the file. `import --seal` seals a new model before it is written."
    )]
    Seal(SealCommand),
    /// Say what an inference costs, layer by layer, before anything runs.
    #[command(
        after_help = "Examples:\n  blindray plan --model chestnet\n  blindray plan --model densenet121 --size 320 --network wan --json\n  blindray plan --model densenet121 --size 320 --preset cryptflow2-2022   # as released in 2022\n  blindray plan --model net.bray --network 1Gbit,20ms --objective time\n  blindray plan --ablation --svg ablation.svg\n\nBytes and flights are exact. Seconds are estimates: the CPU time of both parties, one after the other, and the time on the network. `blindray bench --calibrate` measures this machine for them.\n\nTwo tables follow. The first says what other options would cost, one at a time, with the same network. The last says what networks with other operators would cost, one change at a time: `layers`, how many would be changed; `now`, the bytes of all layers that would not be there or would cost something else, those that make correlated OTs included; `after`, the bytes of those in their place; `saved`, the difference, as a share of `now` and of all bytes. Such a network must be trained anew, and may find less."
    )]
    Plan(PlanArgs),
    /// Measure single operations on this machine, both parties over loopback.
    #[command(
        after_help = "Examples:\n  blindray bench\n  blindray bench --calibrate   # from now on `plan` estimates seconds for this machine\n  blindray bench --calibrate --out ward.json --json"
    )]
    Bench(BenchArgs),
    /// Check this machine, and the way to a server, before they are needed.
    #[command(
        after_help = "Examples:\n  blindray doctor\n  blindray doctor --connect model.example:7700 --trust SHA256:…\n  blindray doctor --connect localhost:7700 --json\n\nEach line is ok, a warning or a fault, with what to do about it. The exit code is 1 where there is a fault."
    )]
    Doctor(DoctorArgs),
    /// Show what a running server does: its model, its sessions, who waits, and what is in stock.
    #[command(
        after_help = "Examples:\n  blindray ps\n  blindray ps --status localhost:7701 --json"
    )]
    Ps(PsArgs),
    /// Print what makes a shell complete commands and options.
    #[command(
        after_help = "Examples:\n  blindray completions bash > ~/.local/share/bash-completion/completions/blindray\n  blindray completions zsh > ~/.zfunc/_blindray\n  blindray completions fish > ~/.config/fish/completions/blindray.fish"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command, or write all of them.
    #[command(
        after_help = "Examples:\n  blindray man infer | man -l -\n  blindray man --out ~/.local/share/man/man1"
    )]
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
    /// Rows and columns of a backbone's input; default: 224.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=2048))]
    pub(crate) size: Option<u32>,
    /// Number of a backbone's outputs; default: 14.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) classes: Option<u32>,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
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
    /// Make correlated OTs in two threads of either party, ahead of the protocols: faster on a line of long delay, if both
    /// parties do it.
    #[arg(long)]
    pub(crate) background: bool,
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
