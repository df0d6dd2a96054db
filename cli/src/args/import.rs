//! Arguments of `import`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use crate::args::{AlgorithmArgs, Crop, Filter, Ranges, SpeedArgs};
use crate::sealing::SealArgs;

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
    /// Seal the model file with the key of --key-file, --key-env or --key-command before it is written.
    #[arg(long)]
    pub(crate) seal: bool,
    #[command(flatten)]
    pub(crate) key: SealArgs,
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
