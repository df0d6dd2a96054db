//! What the members of the family cost, compared with other blocks of the same shape.

use std::fmt;

use channel::Cost;
use linear::{Conv2d, ConvSpec};
use ring_arith::Bits;
use winograd::{Tile, WinogradConv};

use crate::{Error, Operation, Spatial, XOp};

/// Groups of the X-operators that are compared, where they divide the channels.
const GROUPS: [usize; 3] = [1, 2, 4];
/// Input channels of a bottleneck for each channel inside.
const BOTTLENECK: usize = 4;

/// The convolution to replace: k × k, from `channels[0]` to `channels[1]` channels, padded such that stride 1
/// keeps the size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the argument of analyse")]
pub struct Layer {
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Rows and columns of the input.
    pub input: [usize; 2],
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Steps down and right.
    pub stride: usize,
}

/// The widths of the convolutions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the argument of analyse")]
pub struct Widths {
    /// Bits of the weights.
    pub weights: Bits,
    /// Bits of the accumulators, in whose ring inputs and outputs are.
    pub ring: Bits,
}

/// Where in a block accumulators are truncated to the scale of activations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "inside a block or after it")]
pub enum Rescale {
    /// Between two convolutions of a block, with an extension back into the ring.
    Inner,
    /// After the last convolution.
    Output,
}

/// One block that can stand for the layer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Member {
    /// Its name in the table.
    pub name: String,
    /// Its convolutions, in order. A truncation of its whole output follows each.
    pub convolutions: Vec<ConvSpec>,
    /// Number of weights.
    pub weights: usize,
    /// Multiplications, not counting those with padding.
    pub macs: u64,
    /// The cost of the convolutions by oblivious transfer, each computed directly.
    pub direct: Cost,
    /// The same with the cheapest exact Winograd form of each convolution that has one and gets cheaper by it.
    /// Its inputs are in a ring that is wider by its guard bits.
    pub winograd: Cost,
    /// Number of elements that are truncated.
    pub truncations: usize,
    /// The cost of these truncations, as the caller prices them.
    pub rescales: Cost,
    /// Flights of convolutions (direct) and truncations, one after the other.
    pub flights: usize,
}

/// The table that [`analyse`] makes. `Display` writes it in Markdown.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a list")]
pub struct Analysis {
    /// The members: other blocks first, then the X-operators.
    pub members: Vec<Member>,
}

impl Analysis {
    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.name == name)
    }
}

/// Compares every member of the family with dense, bottleneck, depthwise, pointwise, depthwise-separable and
/// shuffle blocks, for one layer.
///
/// Costs of convolutions are exact, [`Conv2d::cost`] and [`WinogradConv::cost`], without the refill
/// of correlated OTs. This crate does not know what a truncation costs: `rescale` gives it for a number
/// of elements. Activations inside a bottleneck are not counted. The depthwise block is left out if the
/// output channels are no multiple of the input channels, and X-operators are left out if their groups
/// do not divide the channels.
///
/// # Errors
/// [`Error::Zero`], [`Error::Linear`] for a layer that cannot be.
pub fn analyse(
    layer: Layer,
    widths: Widths,
    rescale: impl Fn(Rescale, usize) -> Cost,
) -> Result<Analysis, Error> {
    let mut members = Vec::new();
    for (name, convolutions) in blocks(layer)? {
        members.push(member(name, convolutions, widths, &rescale)?);
    }
    Ok(Analysis { members })
}

/// Names and convolutions.
fn blocks(layer: Layer) -> Result<Vec<(String, Vec<ConvSpec>)>, Error> {
    let Layer {
        channels: [c_in, c_out],
        input,
        kernel: k,
        stride,
    } = layer;
    let x = |r, g| XOp::new([c_in, c_out], k, stride, r, g);
    let output = x(Spatial::One, 1)?.output(input);
    let conv = |channels, input, kernel: usize, stride, groups| -> Result<ConvSpec, Error> {
        let (before, after) = ((kernel - 1) / 2, kernel / 2);
        let padding = [before, before, after, after];
        let (kernel, stride) = ([kernel; 2], [stride; 2]);
        Ok(ConvSpec::new(
            channels, input, kernel, stride, padding, groups,
        )?)
    };
    let inside = (c_in / BOTTLENECK).max(1);
    let lowered = |r, g| -> Result<Vec<ConvSpec>, Error> {
        let steps = x(r, g)?.lower(input)?;
        let specs = steps.iter().filter_map(|step| match step.operation {
            Operation::Depthwise(spec) | Operation::Pointwise(spec) => Some(spec),
            _ => None,
        });
        Ok(specs.collect())
    };

    let mut blocks = vec![
        (
            format!("dense {k}x{k}"),
            vec![conv([c_in, c_out], input, k, stride, 1)?],
        ),
        (
            format!("bottleneck, 1/{BOTTLENECK}"),
            vec![
                conv([c_in, inside], input, 1, 1, 1)?,
                conv([inside, inside], input, k, stride, 1)?,
                conv([inside, c_out], output, 1, 1, 1)?,
            ],
        ),
    ];
    if c_out.is_multiple_of(c_in) {
        let spec = conv([c_in, c_out], input, k, stride, c_in)?;
        blocks.push((format!("depthwise {k}x{k}"), vec![spec]));
    }
    let pointwise = vec![conv([c_in, c_out], output, 1, 1, 1)?];
    blocks.push(("pointwise".into(), pointwise));
    // A shuffle is free, so that these blocks are members of the family under other names.
    let aliases = [
        ("depthwise-separable", Spatial::One),
        ("full shuffle", Spatial::Zero),
        ("half shuffle", Spatial::Half),
    ];
    for (name, r) in aliases {
        blocks.push((name.into(), lowered(r, 1)?));
    }
    let possible = |g: &usize| c_in.is_multiple_of(*g) && c_out.is_multiple_of(*g);
    for g in GROUPS.into_iter().filter(possible) {
        for r in Spatial::ALL {
            blocks.push((format!("X r = {r}, g = {g}"), lowered(r, g)?));
        }
    }
    Ok(blocks)
}

fn member(
    name: String,
    convolutions: Vec<ConvSpec>,
    widths: Widths,
    rescale: impl Fn(Rescale, usize) -> Cost,
) -> Result<Member, Error> {
    let (mut direct, mut winograd) = (Cost::none(), Cost::none());
    let (mut rescales, mut whole) = (Cost::none(), Cost::none());
    for (i, &spec) in convolutions.iter().enumerate() {
        let conv = Conv2d {
            spec,
            weight_bits: widths.weights,
            bits: widths.ring,
        };
        let cost = conv.cost()?;
        let place = if i + 1 < convolutions.len() {
            Rescale::Inner
        } else {
            Rescale::Output
        };
        let truncation = rescale(place, spec.output_len());
        let best = best_winograd(spec, widths).filter(|best| best.bytes() < cost.bytes());
        winograd = winograd.then(best.unwrap_or_else(|| cost.clone()));
        direct = direct.then(cost.clone());
        rescales = rescales.then(truncation.clone());
        whole = whole.then(cost).then(truncation);
    }
    Ok(Member {
        name,
        weights: convolutions.iter().map(ConvSpec::weight_len).sum(),
        macs: convolutions.iter().map(ConvSpec::macs).sum(),
        direct,
        winograd,
        truncations: convolutions.iter().map(ConvSpec::output_len).sum(),
        rescales,
        flights: whole.flights(),
        convolutions,
    })
}

/// The cost of the Winograd form with the least traffic; `None` if there is none for this kernel, stride and
/// ring.
fn best_winograd(spec: ConvSpec, widths: Widths) -> Option<Cost> {
    let forms = Tile::for_kernel(spec.kernel())
        .filter_map(|tile| WinogradConv::new(spec, tile, widths.weights, widths.ring).ok());
    forms
        .map(|conv| conv.cost())
        .min_by_key(|cost| cost.bytes())
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| block | weights | MACs | bytes, direct | bytes, Winograd | truncations | their bytes | COTs | flights |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for m in &self.members {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                m.name,
                m.weights,
                m.macs,
                m.direct.bytes(),
                m.winograd.bytes(),
                m.truncations,
                m.rescales.bytes(),
                m.direct.cots.total() + m.rescales.cots.total(),
                m.flights
            )?;
        }
        Ok(())
    }
}
