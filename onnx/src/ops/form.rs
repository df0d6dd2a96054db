//! Functions of one value that the file writes as several nodes: how they are put together, and how they are carried
//! out.

use std::f64::consts::FRAC_1_SQRT_2;

use nets::{Curve, Kind, Op};

use super::elementwise::affine;
use super::movement::pad_with;
use super::product::gated;
use crate::Unsupported;
use crate::context::Context;
use crate::error::{Fault, unsupported};
use crate::value::{Feature, Form};

/// Numbers this close to one another, relative to the larger, count as equal: a file has them as 32-bit floats.
pub(super) const NEARLY: f64 = 1e-5;

/// √(2/π), the factor in the approximation of GELU.
const ROOT: f64 = 0.797_884_560_802_865_4;
/// The factor of the cube in it.
const CUBE: f64 = 0.044_715;

/// Whether two numbers differ by no more than single precision explains.
pub(super) fn near(a: f64, b: f64) -> bool {
    let largest = a.abs().max(b.abs());
    largest.is_finite() && (a - b).abs() <= NEARLY * largest
}

/// `factor · x + shift`. What may not be multiplied any more is carried out before.
pub(super) fn scaled(
    context: &mut Context<'_>,
    x: Feature,
    factor: f64,
    shift: f64,
    label: String,
) -> Result<Feature, Fault> {
    let x = match x.form {
        Form::Padded(..)
        | Form::Quantised { .. }
        | Form::Batched
        | Form::Softmax
        | Form::LogSoftmax
        | Form::ArgMax => realize(context, x)?,
        _ => x,
    };
    let (form, scale) = (x.form, x.scale * factor);
    let shift = x.shift.mul_add(factor, shift);
    if !scale.is_finite() || !shift.is_finite() {
        return unsupported("by what is no finite number");
    }
    Ok(x.with(form, scale, shift, label))
}

/// The same values of the same node.
fn alike(a: &Feature, b: &Feature) -> bool {
    a.node == b.node && a.layout == b.layout
}

/// The product of two functions of one value, if it is a function that is known.
pub(super) fn product(a: &Feature, b: &Feature, label: &str) -> Option<Feature> {
    if !alike(a, b) {
        return None;
    }
    let of = |x: &Feature, f: &Feature| -> Option<(Form, f64, f64)> {
        if x.form != Form::Itself || x.shift != 0.0 {
            return None;
        }
        let (s, scale, shift) = (x.scale, f.scale, f.shift);
        let plain = shift == 0.0;
        match f.form {
            Form::Itself if plain => Some((Form::Square, s * scale, 0.0)),
            Form::Square => Some((Form::Cubic(s * shift, s * scale), 1.0, 0.0)),
            Form::Gate if plain => Some((Form::Swish, s * scale, 0.0)),
            Form::Sigmoid(factor) if plain => Some((Form::Silu(factor), s * scale, 0.0)),
            Form::TanhOfSoftplus if plain => Some((Form::Mish, s * scale, 0.0)),
            Form::Erf(factor) if near(scale, shift) && near(factor, FRAC_1_SQRT_2) => {
                Some((Form::Gelu, 2.0 * s * scale, 0.0))
            }
            Form::TanhOfCubic(linear, cube)
                if near(scale, shift) && near(linear, ROOT) && near(cube, ROOT * CUBE) =>
            {
                Some((Form::GeluTanh, 2.0 * s * scale, 0.0))
            }
            _ => None,
        }
    };
    let (form, scale, shift) = of(a, b).or_else(|| of(b, a))?;
    Some(a.clone().with(form, scale, shift, label.to_owned()))
}

/// The sum of two functions of one value, if it is a function that is known.
pub(super) fn sum(a: &Feature, b: &Feature, label: &str) -> Option<Feature> {
    if !alike(a, b) || a.shift != 0.0 || b.shift != 0.0 {
        return None;
    }
    let (form, scale) = match (a.form, b.form) {
        (Form::Cubic(..), Form::Itself) => return sum(b, a, label),
        (Form::Itself, Form::Itself) => (Form::Itself, a.scale + b.scale),
        (Form::Itself, Form::Cubic(linear, cube)) => {
            let linear = linear.mul_add(b.scale, a.scale);
            (Form::Cubic(linear, cube * b.scale), 1.0)
        }
        _ => return None,
    };
    let alone = a.alone && b.alone;
    let sum = b.clone().with(form, scale, 0.0, label.to_owned());
    Some(Feature { alone, ..sum })
}

/// One divided by it, if that is a function that is known: 1 / (1 + e^(factor·x)) is a sigmoid.
pub(super) fn reciprocal(x: &Feature, label: &str) -> Option<Feature> {
    match x.form {
        Form::Exp(factor) if near(x.scale, x.shift) => {
            let form = Form::Sigmoid(-factor);
            Some(x.clone().with(form, 1.0 / x.scale, 0.0, label.to_owned()))
        }
        _ => None,
    }
}

/// The same value with nothing left to be computed.
pub(crate) fn realize(context: &mut Context<'_>, x: Feature) -> Result<Feature, Fault> {
    let (label, form, scale, shift) = (x.label.clone(), x.form, x.scale, x.shift);
    let origin = x.origin.clone();
    let inner = x.with(Form::Itself, 1.0, 0.0, label.clone());
    let refused = |op: &str, why: &str| Err(Fault::Elsewhere(Unsupported::new(op, &origin, why)));
    let curve = |context: &mut Context<'_>, x: &Feature, curve| {
        context.emit(&label, Op::Curve { curve }, x)
    };
    let y = match form {
        Form::Itself => inner,
        Form::Padded(around, value) => pad_with(context, &label, &inner, around, value)?,
        Form::Gate => context.emit(&label, Op::HardSigmoid, &inner)?,
        Form::Swish => context.emit(&label, Op::HardSwish, &inner)?,
        Form::Sigmoid(factor) => {
            let x = uniform(context, &label, inner, factor, 0.0)?;
            curve(context, &x, Curve::Sigmoid)?
        }
        Form::Silu(factor) => {
            let x = uniform(context, &label, inner, factor, 0.0)?;
            let y = curve(context, &x, Curve::Silu)?;
            return uniform(context, &label, y, scale / factor, shift);
        }
        Form::Square => gated(context, &label, &inner, &inner)?,
        Form::Gelu => curve(context, &inner, Curve::Gelu)?,
        Form::GeluTanh => curve(context, &inner, Curve::GeluTanh)?,
        Form::Softplus(factor) => {
            let x = uniform(context, &label, inner, factor, 0.0)?;
            curve(context, &x, Curve::Softplus)?
        }
        Form::Above(_) | Form::Below(_) => {
            return refused("Greater", "a comparison that is not part of a rectifier");
        }
        Form::Mish => curve(context, &inner, Curve::Mish)?,
        Form::TanhOfSoftplus => {
            let x = curve(context, &inner, Curve::Softplus)?;
            curve(context, &x, Curve::Tanh)?
        }
        Form::Cubic(..) | Form::TanhOfCubic(..) => {
            return refused("Pow", "a cube that is not part of a GELU");
        }
        Form::Erf(_) => return refused("Erf", "that is not part of a GELU"),
        Form::Exp(_) => return refused("Exp", "that is not part of a sigmoid or a softplus"),
        Form::Batched => return refused("Reshape", "that mixes the images of a fixed batch"),
        Form::Quantised { .. } => {
            return refused("QuantizeLinear", "whose integers are computed with");
        }
        Form::Softmax => {
            return refused(
                "Softmax",
                "inside the network, as in attention; only the end has it",
            );
        }
        Form::ArgMax => {
            return refused("ArgMax", "inside the network; only the end has it");
        }
        Form::LogSoftmax => {
            return refused("LogSoftmax", "inside the network; only the end has it");
        }
    };
    uniform(context, &label, y, scale, shift)
}

/// `factor · x + shift` of something plain, with the same numbers everywhere.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
#[expect(
    clippy::float_cmp,
    reason = "exactly these are no operation, or a negation"
)]
fn uniform(
    context: &mut Context<'_>,
    label: &str,
    x: Feature,
    factor: f64,
    shift: f64,
) -> Result<Feature, Fault> {
    // Six times a sixth is not exactly 1 in floats.
    if shift == 0.0 && (factor - 1.0).abs() < 1e-6 {
        return Ok(x);
    }
    let kind = context.nodes[x.node].op.kind();
    if factor == -1.0 && shift == 0.0 && !(x.alone && matches!(kind, Kind::Linear | Kind::Norm)) {
        return context.emit(label, Op::Neg, &x);
    }
    let channels = context.shapes[x.node].channels;
    let [factor, shift] = [factor, shift].map(|v| vec![v as f32; channels]);
    affine(context, label, x, &factor, &shift)
}
