//! Arguments of `plan` and `bench`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{BackboneArgs, Extension, Mode, Objective, PlanPreset, SpeedArgs};
use crate::sealing::SealArgs;

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// A .bray file, `chestnet` for the embedded network, or a backbone, which gets random weights (densenet121, mobilenet-v2, …).
    #[arg(long, value_name = "M", required_unless_present = "ablation")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) backbone: BackboneArgs,
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
    /// Plan the phase ahead of the image and the rest apart, as `infer --ahead` runs them.
    #[arg(long, conflicts_with = "ablation")]
    pub(crate) ahead: bool,
    /// Print the layers as CSV, one on each line.
    #[arg(long, conflicts_with_all = ["json", "ablation"])]
    pub(crate) csv: bool,
    /// Also write the plan to this file, as a page for a browser or a printer.
    #[arg(long, value_name = "FILE.html", conflicts_with = "ablation")]
    pub(crate) report: Option<PathBuf>,
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
    /// Run each operation so often.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,
    /// Also measure the phase ahead of the input and the rest apart, of operations that have something to do in both (ring-LWE).
    #[arg(long)]
    pub(crate) ahead: bool,
    /// Print the measurements as CSV, one on each line.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Also write the results to this file, as a page for a browser or a printer.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// What makes the correlated OTs of the operations; `auto` chooses for a LAN.
    #[arg(long, value_enum, default_value_t = Extension::Auto)]
    pub(crate) extension: Extension,
}
