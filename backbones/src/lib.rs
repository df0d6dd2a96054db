#![doc = include_str!("../README.md")]

mod builder;
mod chestnet;
mod densenet121;
mod densenet_bc;
mod error;
mod inverted_residual;
mod metadata;
mod mobilenet_v2;
mod mobilenet_v3;
mod replace;
mod resnet;
mod resnet20;
mod seeded;
mod shufflenet_v2;
mod squeezenet;
mod torchvision;
mod x;

use nets::{Shape, Source, StateDict};

pub use error::Error;
pub use replace::{Replacement, XOpOptions, replace_convolutions};

use seeded::Seeded;

/// The names that [`backbone`] knows. Each also has a form with X-operators, with `-x` behind the name.
pub const BACKBONES: [&str; 13] = [
    "chestnet",
    "densenet-bc100",
    "densenet121",
    "mobilenet-v2",
    "mobilenet-v3-large",
    "mobilenet-v3-small",
    "resnet18",
    "resnet20",
    "resnet50",
    "shufflenet-v2",
    "shufflenet-v2-x0.5",
    "squeezenet",
    "squeezenet-1.0",
];

/// Builds a backbone with the weights of a PyTorch state dict.
///
/// Sizes, labels and preprocessing come from the shapes of the tensors and from the metadata. `NAME-x` is
/// the backbone with X-operators ([`crate::replace_convolutions`]) that was trained as such. The metadata
/// `xop_spatial` and `xop_groups` give r and g, which otherwise are 1/2 and 1, and `xop_pointwise` the
/// groups of 1 × 1 layers.
///
/// # Errors
/// [`Error::UnknownNetwork`]; [`Error::Metadata`]; [`Error::Nets`] for a tensor that is missing or has
/// another shape.
pub fn backbone(arch: &str, weights: StateDict) -> Result<Source, Error> {
    if let Some(base) = arch.strip_suffix("-x") {
        return x::source(base, weights);
    }
    match arch {
        "chestnet" => chestnet::source(weights),
        "densenet-bc100" => densenet_bc::source(weights),
        "resnet20" => resnet20::source(weights),
        _ => torchvision::Arch::named(arch)
            .ok_or_else(|| unknown(arch))?
            .source(weights),
    }
}

/// Builds one of torchvision's backbones with random weights, for any input size and number of classes: for
/// studies of costs. The same seed gives the same weights.
///
/// All of [`BACKBONES`] are torchvision's except `chestnet`, `densenet-bc100` and `resnet20`;
/// `shufflenet-v2` is x1.0 and `squeezenet` 1.1. `NAME-x` is the backbone with X-operators at r = 1/2,
/// g = 1, if it has dense convolutions larger than 1 × 1 besides the first layer.
///
/// # Errors
/// [`Error::UnknownNetwork`]; [`Error::Nets`] for an input that is too small;
/// [`Error::NothingToReplace`] for the `-x` form of a network in which nothing can be replaced.
pub fn backbone_seeded(
    arch: &str,
    input: Shape,
    classes: usize,
    seed: [u8; 32],
) -> Result<Source, Error> {
    if let Some(base) = arch.strip_suffix("-x") {
        let plain = backbone_seeded(base, input, classes, seed)?;
        return Ok(replace_convolutions(&plain, &XOpOptions::default(), seed)?.source);
    }
    let arch = torchvision::Arch::named(arch).ok_or_else(|| unknown(arch))?;
    input
        .check()
        .map_err(|problem| nets::Error::shape("input", problem))?;
    arch.with(&mut Seeded(seed), input, classes)
}

fn unknown(arch: &str) -> Error {
    Error::UnknownNetwork {
        name: arch.into(),
        known: BACKBONES.join(", "),
    }
}
