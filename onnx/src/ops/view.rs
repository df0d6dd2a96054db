//! Carrying out of what earlier nodes left to be done.

use nets::Op;

use super::elementwise::affine;
use crate::context::Context;
use crate::error::{Fault, unsupported};
use crate::value::{Feature, View};

/// Factors this close to 1 count as 1: six times a sixth is not exactly 1 in floats.
pub(super) const NEARLY: f32 = 1e-5;

/// The same value with nothing left to be done.
pub(crate) fn realize(context: &mut Context<'_>, x: Feature) -> Result<Feature, Fault> {
    let label = x.label.clone();
    let plain = Feature {
        view: View::Plain,
        ..x
    };
    match x.view {
        View::Plain => Ok(plain),
        View::Strided([rows, columns]) if rows == columns => {
            context.emit(&label, Op::Subsample { stride: rows }, &plain, None)
        }
        View::Strided([rows, columns]) => unsupported(format!(
            "its input `{label}` is every {rows}th row, {columns}th column"
        )),
        View::Padded(_) => unsupported(format!(
            "its input `{label}` is padded; only convolutions and average pools take that"
        )),
        View::Grouped(_) | View::Shuffled(_) => {
            unsupported(format!("its input `{label}` has five dimensions"))
        }
        View::Levels(_) => unsupported(format!(
            "its input `{label}` is integers of a QuantizeLinear; only DequantizeLinear takes them"
        )),
        View::Ramp(factor) => {
            let channels = plain.dims[1];
            let (factors, shifts) = (vec![factor; channels], vec![3.0 * factor; channels]);
            affine(context, &label, plain, &factors, &shifts)
        }
        View::Gate(scale) => scaled(context, &label, &plain, Op::HardSigmoid, scale),
        View::Swish(scale) => scaled(context, &label, &plain, Op::HardSwish, scale),
    }
}

fn scaled(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    op: Op,
    scale: f32,
) -> Result<Feature, Fault> {
    let channels = x.dims[1];
    let y = context.emit(label, op, x, Some(x.dims.clone()))?;
    if (scale - 1.0).abs() < NEARLY {
        return Ok(y);
    }
    affine(
        context,
        label,
        y,
        &vec![scale; channels],
        &vec![0.0; channels],
    )
}
