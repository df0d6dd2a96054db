//! Activations.

use nets::{Curve, Op};

use super::elementwise::{clipped, per_channel, with_channels};
use super::form::{near, scaled};
use super::{Outputs, feature};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, Form, Value};

pub(super) fn relu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    feature(clipped(context, node, x, Some(0.0), None)?)
}

/// A `ReLU`, a `ReLU` with a largest output, the gate of a hard-sigmoid, or any other bounds.
pub(super) fn clip<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let bound = |name, at| -> Result<Option<f32>, Fault> {
        match context.optional(node, at)? {
            None if node.has(name) => node.float(name, 0.0).map(Some),
            None => Ok(None),
            Some(array) => match array.scalar() {
                Some(value) => Ok(Some(value)),
                None => invalid("its bound is not one number"),
            },
        }
    };
    let (low, high) = (bound("min", 1)?, bound("max", 2)?);
    let x = context.viewed(node, 0)?;
    feature(clipped(context, node, x, low, high)?)
}

/// An operation on each value.
fn each<'a>(context: &mut Context<'a>, node: &Node<'a>, op: Op) -> Outputs {
    let x = context.plain(node, 0)?;
    feature(context.emit(&node.label(), op, &x)?)
}

fn curve<'a>(context: &mut Context<'a>, node: &Node<'a>, curve: Curve) -> Outputs {
    each(context, node, Op::Curve { curve })
}

pub(super) fn leaky_relu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let slope = f64::from(node.float("alpha", 0.01)?);
    each(context, node, Op::LeakyRelu { slope })
}

/// |x| is a leaky rectifier of slope −1.
pub(super) fn abs<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    each(context, node, Op::LeakyRelu { slope: -1.0 })
}

/// A rectifier with one slope for all channels or one for each.
pub(super) fn prelu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, given) = (context.plain(node, 0)?, context.constant(node, 1)?);
    let label = node.label();
    let (x, axes) = with_channels(context, &label, &x, &[Some(&given)])?;
    let slopes = per_channel(&given, &x, &axes)?;
    let slope = context.own(&label, "slope", vec![slopes.len()], slopes)?;
    feature(context.emit(&label, Op::PRelu { slope }, &x)?)
}

/// 0 below a threshold, else x: a rectifier where the threshold is 0.
pub(super) fn thresholded_relu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let alpha = node.float("alpha", 1.0)?;
    if alpha != 0.0 {
        return unsupported(format!("with a threshold of {alpha}"));
    }
    relu(context, node)
}

/// clip(alpha·x + beta, 0, 1): with alpha 1/6 and beta 1/2 an operation of its own.
pub(super) fn hard_sigmoid<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (alpha, beta) = (node.float("alpha", 0.2)?, node.float("beta", 0.5)?);
    let x = context.viewed(node, 0)?;
    let sixth = near(alpha.into(), 1.0 / 6.0) && near(beta.into(), 0.5);
    if sixth && x.is_plain() {
        return feature(x.with(Form::Gate, 1.0, 0.0, node.label()));
    }
    let x = scaled(context, x, alpha.into(), beta.into(), node.label())?;
    feature(clipped(context, node, x, Some(0.0), Some(1.0))?)
}

pub(super) fn hard_swish<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    feature(x.with(Form::Swish, 1.0, 0.0, node.label()))
}

/// The tensor times a factor, if only a factor is left to be done to it; else with nothing left.
fn multiple<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Result<(Feature, f64), Fault> {
    let x = context.viewed(node, 0)?;
    if x.form == Form::Itself && x.shift == 0.0 && x.scale != 0.0 {
        let scale = x.scale;
        return Ok((x, scale));
    }
    Ok((context.plain(node, 0)?, 1.0))
}

pub(super) fn sigmoid<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, factor) = multiple(context, node)?;
    feature(x.with(Form::Sigmoid(factor), 1.0, 0.0, node.label()))
}

pub(super) fn exp<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, factor) = multiple(context, node)?;
    feature(x.with(Form::Exp(factor), 1.0, 0.0, node.label()))
}

pub(super) fn erf<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, factor) = multiple(context, node)?;
    feature(x.with(Form::Erf(factor), 1.0, 0.0, node.label()))
}

/// x·σ(alpha·x).
pub(super) fn swish<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    let x = context.plain(node, 0)?;
    feature(x.with(Form::Silu(alpha), 1.0, 0.0, node.label()))
}

pub(super) fn tanh<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    match x.form {
        Form::Cubic(linear, cube) if x.shift == 0.0 => {
            let form = Form::TanhOfCubic(linear * x.scale, cube * x.scale);
            feature(x.with(form, 1.0, 0.0, node.label()))
        }
        Form::Softplus(1.0) if x.is_unscaled() => {
            feature(x.with(Form::TanhOfSoftplus, 1.0, 0.0, node.label()))
        }
        _ => curve(context, node, Curve::Tanh),
    }
}

/// The logarithm of 1 + e^x is a softplus, that of a softmax at the end a head.
pub(super) fn log<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    match x.form {
        #[expect(clippy::float_cmp, reason = "exactly this is a softplus")]
        Form::Exp(factor) if x.scale == 1.0 && x.shift == 1.0 => {
            feature(x.with(Form::Softplus(factor), 1.0, 0.0, node.label()))
        }
        Form::Sigmoid(factor) if x.is_unscaled() => {
            feature(x.with(Form::Softplus(-factor), -1.0, 0.0, node.label()))
        }
        Form::Softmax if x.is_unscaled() => {
            feature(x.with(Form::LogSoftmax, 1.0, 0.0, node.label()))
        }
        _ => unsupported(""),
    }
}

pub(super) fn softplus<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, factor) = multiple(context, node)?;
    feature(x.with(Form::Softplus(factor), 1.0, 0.0, node.label()))
}

pub(super) fn mish<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    curve(context, node, Curve::Mish)
}

pub(super) fn gelu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match node.text("approximate", "none")? {
        "none" => curve(context, node, Curve::Gelu),
        "tanh" => curve(context, node, Curve::GeluTanh),
        other => unsupported(format!("approximated by {}", crate::node::readable(other))),
    }
}

pub(super) fn elu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let alpha = node.float("alpha", 1.0)?.into();
    curve(context, node, Curve::Elu { alpha })
}

pub(super) fn celu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let alpha = node.float("alpha", 1.0)?.into();
    curve(context, node, Curve::Celu { alpha })
}

pub(super) fn selu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (alpha, gamma) = (
        node.float("alpha", 1.673_263_2)?,
        node.float("gamma", 1.050_701)?,
    );
    if !near(alpha.into(), 1.673_263_242) || !near(gamma.into(), 1.050_700_987) {
        return unsupported(format!("with an alpha of {alpha} and a gamma of {gamma}"));
    }
    curve(context, node, Curve::Selu)
}

/// x² and x³, as parts of a GELU or as products.
pub(super) fn pow<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    let Some(power) = context.constant(node, 1)?.uniform() else {
        return unsupported("to several powers");
    };
    #[expect(clippy::float_cmp, reason = "exactly these are products")]
    let form = if power == 1.0 {
        return feature(x);
    } else if power == 2.0 {
        Form::Square
    } else if power == 3.0 {
        Form::Cubic(0.0, 1.0)
    } else {
        return unsupported(format!("to the power of {power}"));
    };
    let x = context.plain(node, 0)?;
    feature(x.with(form, 1.0, 0.0, node.label()))
}

/// A comparison with a number, as part of a rectifier.
fn compared<'a>(context: &mut Context<'a>, node: &Node<'a>, greater: bool) -> Outputs {
    let (x, bound) = (context.viewed(node, 0)?, context.constant(node, 1)?);
    let Some(bound) = bound
        .uniform()
        .filter(|_| x.form == Form::Itself && x.scale != 0.0)
    else {
        return unsupported("of something computed from the image");
    };
    let place = (f64::from(bound) - x.shift) / x.scale;
    let form = if greater == (x.scale > 0.0) {
        Form::Above(place)
    } else {
        Form::Below(place)
    };
    feature(x.with(form, 1.0, 0.0, node.label()))
}

pub(super) fn greater<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    compared(context, node, true)
}

pub(super) fn less<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    compared(context, node, false)
}

/// One of two functions of a value, by a comparison of that value: rectifiers as some write them. Where the two meet it
/// is the same which of them is taken.
pub(super) fn choose<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let condition = context.viewed(node, 0)?;
    let (above, below, bound) = match condition.form {
        Form::Above(bound) if condition.is_unscaled() => (1, 2, bound),
        Form::Below(bound) if condition.is_unscaled() => (2, 1, bound),
        _ => return unsupported("by something computed from the image"),
    };
    let label = node.label();
    let one = |context: &Context<'a>, index| match context.value(node, index) {
        Some(Value::Const(array)) => array.uniform().map(|v| (Form::Itself, 0.0, f64::from(v))),
        Some(Value::Feature(x)) if (x.node, &x.layout) == (condition.node, &condition.layout) => {
            Some((x.form, x.scale, x.shift))
        }
        _ => None,
    };
    let x = condition
        .clone()
        .with(Form::Itself, 1.0, 0.0, label.clone());
    let op = match (one(context, above), one(context, below)) {
        (Some((Form::Itself, 1.0, 0.0)), Some((Form::Itself, 0.0, 0.0))) if bound == 0.0 => {
            Op::Relu
        }
        (Some((Form::Itself, 1.0, 0.0)), Some((Form::Itself, slope, 0.0))) if bound == 0.0 => {
            Op::LeakyRelu { slope }
        }
        (Some((Form::Itself, 1.0, 0.0)), Some((Form::Itself, 0.0, low))) if near(low, bound) => {
            let (low, high) = (Some(low), None);
            Op::Clamp { low, high }
        }
        (Some((Form::Itself, 1.0, 0.0)), Some((Form::Exp(1.0), alpha, shift)))
            if bound == 0.0 && near(shift, -alpha) =>
        {
            let curve = Curve::Elu { alpha };
            Op::Curve { curve }
        }
        // Beyond 15 the two differ by less than single precision tells.
        (Some((Form::Itself, 1.0, 0.0)), Some((Form::Softplus(1.0), 1.0, 0.0)))
            if bound >= 15.0 =>
        {
            return feature(x.with(Form::Softplus(1.0), 1.0, 0.0, label));
        }
        _ => return unsupported("of something other than a rectifier"),
    };
    feature(context.emit(&label, op, &x)?)
}

/// A softmax is possible only at the very end, where it becomes the head.
fn over_all<'a>(context: &mut Context<'a>, node: &Node<'a>, form: Form) -> Outputs {
    let x = context.plain(node, 0)?;
    let along = crate::node::axis(
        node.int("axis", if node.opset < 13 { 1 } else { -1 })?,
        x.dims().len(),
    )?;
    let taken: usize = if node.opset < 13 {
        x.dims()[along..].iter().product()
    } else {
        x.dims()[along]
    };
    if along == 0 {
        context.check_batch()?;
    }
    if taken != x.layout.len() {
        return unsupported("over a part of the values, as in attention");
    }
    feature(x.with(form, 1.0, 0.0, node.label()))
}

pub(super) fn softmax<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    over_all(context, node, Form::Softmax)
}

/// The number of the largest value: the outputs are the values themselves, of which the reader takes the largest.
pub(super) fn arg_max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let mut x = context.viewed(node, 0)?;
    // The largest value stays where it is.
    let same_order = match x.form {
        Form::Softmax | Form::LogSoftmax => true,
        Form::Sigmoid(factor) => factor > 0.0,
        _ => false,
    };
    if same_order && x.is_unscaled() {
        x = x.with(Form::Itself, 1.0, 0.0, node.label());
    }
    if !x.is_plain() {
        x = context.plain(node, 0)?;
    }
    let along = crate::node::axis(node.int("axis", 0)?, x.dims().len())?;
    if along == 0 {
        context.check_batch()?;
    }
    if x.dims()[along] != x.layout.len() {
        return unsupported("over a part of the values; only over all, at the end");
    }
    if node.int("select_last_index", 0)? != 0 {
        return unsupported("that takes the last of several largest values");
    }
    context.note(
        "the file ends in an ArgMax: the outputs are the values of which it takes the largest",
    );
    feature(x.with(Form::ArgMax, 1.0, 0.0, node.label()))
}

pub(super) fn log_softmax<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    over_all(context, node, Form::LogSoftmax)
}
