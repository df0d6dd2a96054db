//! The command line: what can be written, and its help. What the words mean is in `settings`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use channel::MAX_CONNECTIONS;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::IdentityCommand;
use crate::cost::wire::Wire;
use crate::identity::{ClientTrustArgs, KeyArgs, ServerTrustArgs};
use crate::text::size;

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
        after_help = "Examples:\n  blindray serve --model chestnet --listen localhost:7700\n  blindray serve --model resnet20.bray --listen 0.0.0.0:7700 --clients hospitals.txt   # a fingerprint and a name on each line\n  blindray serve --model net.bray --modes faithful --max-images 1   # one image a session, and no fast mode\n  blindray serve --model net.bray --network 50Mbit,30ms   # clients are far: fewer bytes for correlated OTs, at more work\n  blindray serve --model net.bray --open top   # clients see the class, and no probability\n  blindray serve --model net.bray --parallel 2 --waiting 8   # two sessions at a time, eight clients in line, others are refused\n  blindray serve --model net.bray --max-session 600 --least-rate 1MB --timeout 20   # no client holds a place for long\n  blindray serve --model densenet121 --size 224 --classes 14   # random weights: what would it cost?\n\nAt Ctrl-C (or SIGTERM) it takes no more clients and ends with its last session; a second Ctrl-C ends it at once."
    )]
    Serve(ServeArgs),
    /// Ask a server for the findings of images: the client's side.
    #[command(
        after_help = "Examples:\n  blindray infer --connect localhost:7700 --input xray.jpeg\n  blindray infer --connect localhost:7700 --input images/ *.dcm --json   # a folder, and files\n  blindray infer --connect model.example:7700 --input xray.png --trust SHA256:…   # for the first time: from then on its key is known\n  blindray infer --connect localhost:7700 --input xray.png --public net.public.json   # only from a server of exactly this model\n  blindray infer --connect localhost:7700 --input xray.png --public net.public.json --open top   # the same, from one that opens the class alone\n  blindray infer --connect localhost:7700 --input xray.png --max-traffic 500MB --max-wait 60   # or not at all\n  blindray infer --connect localhost:7700 --input xray.png --extension softspoken   # or not at all\n  blindray infer --connect [::1]:7700 --input xray.png --connections 4   # over four TCP connections"
    )]
    Infer(InferArgs),
    /// Make or show the key by which others know this party.
    #[command(
        subcommand,
        after_help = "Examples:\n  blindray identity new --name 'Radiology, St. Elsewhere'\n  blindray identity show\n\n`serve` and `infer` make a key at first use where there is none. It is in blindray/identity.pem in your configuration folder, and beside it known_servers, the servers that `infer` knows."
    )]
    Identity(IdentityCommand),
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
    /// Say what an inference costs, layer by layer, before anything runs.
    #[command(
        after_help = "Examples:\n  blindray plan --model chestnet\n  blindray plan --model densenet121 --size 320 --network wan --json\n  blindray plan --model densenet121 --size 320 --preset cryptflow2-2022   # as released in 2022\n  blindray plan --model net.bray --network 1Gbit,20ms --objective time\n  blindray plan --ablation --svg ablation.svg\n\nBytes and flights are exact. Seconds are estimates: the CPU time of both parties, one after the other, and the time on the network. `blindray bench --calibrate` measures this machine for them.\n\nThe last table says what networks with other operators would cost, one change at a time: `layers`, how many would be changed; `now`, the bytes of all layers that would not be there or would cost something else, those that make correlated OTs included; `after`, the bytes of those in their place; `saved`, the difference, as a share of `now` and of all bytes. Such a network must be trained anew, and may find less."
    )]
    Plan(PlanArgs),
    /// Measure single operations on this machine, both parties over loopback.
    #[command(
        after_help = "Examples:\n  blindray bench\n  blindray bench --calibrate   # from now on `plan` estimates seconds for this machine\n  blindray bench --calibrate --out ward.json --json"
    )]
    Bench(BenchArgs),
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
}

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
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ClientTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
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
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) trust: ServerTrustArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
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
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The network as an ONNX file, as PyTorch exports it. An ONNX file does not say how images are normalised: give --mean and --std too.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "arch",
        conflicts_with = "arch"
    )]
    pub(crate) onnx: Option<PathBuf>,
    /// Instead of --onnx: a built-in architecture (resnet20, densenet-bc100, mobilenet-v2, …), with --weights; NAME-x is the one with X-operators.
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub(crate) arch: Option<String>,
    /// The weights of --arch: a safetensors file with the names of its PyTorch state dict.
    #[arg(long, value_name = "FILE", requires = "arch")]
    pub(crate) weights: Option<PathBuf>,
    /// Mean of each channel, which is subtracted after the division by 255.
    #[arg(
        long,
        value_name = "M,…",
        value_delimiter = ',',
        value_parser = finite,
        requires = "onnx",
        allow_hyphen_values = true
    )]
    pub(crate) mean: Vec<f64>,
    /// Standard deviation of each channel, by which the difference is divided.
    #[arg(long, value_name = "S,…", value_delimiter = ',', value_parser = deviation, requires = "onnx")]
    pub(crate) std: Vec<f64>,
    /// Each output is a finding of its own (sigmoid); without it the outputs exclude each other (softmax).
    #[arg(long, requires = "onnx")]
    pub(crate) multi_label: bool,
    /// Resize the shorter side of an image to this length, then crop; without it the image is stretched to the input.
    #[arg(long, value_name = "N")]
    pub(crate) resize: Option<usize>,
    /// The crop of the resized image; `ten` needs --resize.
    #[arg(long, value_enum, default_value_t = Crop::Centre)]
    pub(crate) crop: Crop,
    /// The same as --crop ten.
    #[arg(long, requires = "resize", conflicts_with = "crop")]
    pub(crate) ten_crop: bool,
    /// The filter of the resize.
    #[arg(long, value_enum, default_value_t = Filter::Bilinear)]
    pub(crate) filter: Filter,
    /// Folder of PNG, JPEG and DICOM images, subfolders included; the values that they cause in the network decide the widths.
    #[arg(long, value_name = "DIR")]
    pub(crate) calibrate: PathBuf,
    /// Of files that hold several frames (DICOM), take this one, counted from 1.
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<NonZeroU32>,
    /// Use at most this many calibration images.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) images: u32,
    /// Bits of a weight, 4 to 16; `auto` takes the fewest that keep to --accuracy.
    #[arg(long, value_name = "BITS", default_value = "auto", value_parser = weight_bits)]
    pub(crate) weight_bits: Auto,
    /// With `--weight-bits auto`: the largest difference that is allowed between a probability of the integer network and of the float network.
    #[arg(long, value_name = "P", default_value_t = 0.01, value_parser = accuracy)]
    pub(crate) accuracy: f64,
    /// Bits of an activation, 8 to 32; `--weight-bits auto` takes up to 4 more where --accuracy needs them.
    #[arg(long, value_name = "BITS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(8..=32))]
    pub(crate) activation_bits: u32,
    /// What decides how far the values of an image may reach; the bytes that each choice takes are shown.
    #[arg(long, value_enum, default_value_t = Ranges::Robust)]
    pub(crate) ranges: Ranges,
    /// Leave room for this many times what calibration shows; has no effect on what is proved.
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0, value_parser = margin)]
    pub(crate) margin: f64,
    /// Write the model although --accuracy is not held, values wrap, or the network says the same of all images. The model says so,
    /// in every result.
    #[arg(long)]
    pub(crate) accept_accuracy_loss: bool,
    /// Names of the outputs, separated by commas; default: those in the weights file, else numbers.
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) algorithms: AlgorithmArgs,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    /// Where to write the model file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Where to write the public part, for clients; default: NAME.public.json beside the model file NAME or NAME.bray.
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,
}

/// A number, or nothing where the program chooses.
pub(crate) type Auto = Option<u32>;

/// A number that is no infinity.
fn finite(given: &str) -> Result<f64, String> {
    let number = given.parse().ok().filter(|n: &f64| n.is_finite());
    number.ok_or_else(|| "it is no finite number".into())
}

fn deviation(given: &str) -> Result<f64, String> {
    let number = finite(given).ok().filter(|n| *n > 0.0);
    number.ok_or_else(|| "it is no number above 0".into())
}

fn accuracy(given: &str) -> Result<f64, String> {
    let number = finite(given).ok().filter(|n| 0.0 < *n && *n < 1.0);
    number.ok_or_else(|| "it is no number above 0 and below 1".into())
}

fn margin(given: &str) -> Result<f64, String> {
    let number = finite(given).ok().filter(|n| (1.0..=1024.0).contains(n));
    number.ok_or_else(|| "it is no number from 1 to 1024".into())
}

fn weight_bits(given: &str) -> Result<Auto, String> {
    match given.parse() {
        _ if given == "auto" => Ok(None),
        Ok(bits) if (4..=16).contains(&bits) => Ok(Some(bits)),
        _ => Err("it is neither `auto` nor a number from 4 to 16".into()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// A .bray file, `chestnet` for the embedded network, or a backbone, which gets random weights (densenet121, mobilenet-v2, …).
    #[arg(long, value_name = "M", required_unless_present = "ablation")]
    pub(crate) model: Option<String>,
    /// Rows and columns of a backbone's input; default: 224, with --ablation 320.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=2048))]
    pub(crate) size: Option<u32>,
    /// Number of a backbone's outputs; default: 14.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) classes: Option<u32>,
    /// Which system's protocols to plan.
    #[arg(long, value_enum, default_value_t = PlanPreset::Auto)]
    pub(crate) preset: PlanPreset,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    /// What the choice of algorithms keeps small.
    #[arg(long, value_enum, default_value_t = Objective::Bytes)]
    pub(crate) objective: Objective,
    /// How exact the secure result is.
    #[arg(long, value_enum, default_value_t = Mode::Faithful)]
    pub(crate) mode: Mode,
    /// Bits of a backbone's weight; default: 10.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(2..=24))]
    pub(crate) weight_bits: Option<u32>,
    /// Most bits of a backbone's activation; default: 16.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(4..=32))]
    pub(crate) activation_bits: Option<u32>,
    /// Also give the 1 x 1 layers of a backbone with X-operators (NAME-x) so many groups, between channel shuffles.
    #[arg(long, value_name = "G", requires = "model", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) xop_pointwise: Option<u32>,
    /// Compare networks instead: from CrypTFlow2 of 2022 to the cheapest network, one lever at a time.
    #[arg(long, conflicts_with_all = ["model", "preset", "network", "extension", "objective", "mode", "xop_pointwise"])]
    pub(crate) ablation: bool,
    /// Draw the ablation into this SVG file.
    #[arg(
        long,
        value_name = "FILE",
        requires = "ablation",
        conflicts_with = "model"
    )]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Store the speed of this machine, for the estimates of `plan`.
    #[arg(long)]
    pub(crate) calibrate: bool,
    /// The file to store it in; default: blindray/machine.json in your configuration folder.
    #[arg(long, value_name = "FILE", requires = "calibrate")]
    pub(crate) out: Option<PathBuf>,
    /// What makes the correlated OTs of the operations; `auto` chooses for a LAN.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
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
