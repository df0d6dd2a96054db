//! Nearest neighbours of other sizes, and blocks of pixels that become channels or come from them.

use super::{Outputs, feature};
use crate::context::{Context, MAX_PLACES, Taken};
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;

/// How a place of the result is found among those of the input.
#[derive(Clone, Copy)]
struct Rule<'a> {
    coordinates: &'a str,
    nearest: &'a str,
}

/// Resize by the nearest neighbour, and Upsample, as it was called before.
pub(super) fn resize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let old = node.proto.op_type.as_deref() == Some("Upsample");
    for name in ["exclude_outside", "antialias"] {
        if node.int(name, 0)? != 0 {
            return unsupported(format!("with {name}"));
        }
    }
    if node.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
        return unsupported("that keeps the aspect ratio");
    }
    let x = context.plain(node, 0)?;
    let wanted = wanted(context, node, x.dims(), old)?;
    let mode = node.text("mode", "nearest")?;
    let same = wanted.iter().zip(x.dims()).all(|(w, &d)| w.0 == d);
    if same && wanted.iter().all(|w| (w.1 - 1.0).abs() < 1e-6) {
        return feature(x);
    }
    if same {
        return unsupported(
            "with scales that keep the size, which readers of ONNX take differently",
        );
    }
    if mode != "nearest" {
        return unsupported(format!(
            "mode {}; only nearest",
            crate::node::readable(mode)
        ));
    }
    let old = old || node.opset < 11;
    let coordinates = node.text("coordinate_transformation_mode", "half_pixel")?;
    let nearest = node.text("nearest_mode", "round_prefer_floor")?;
    let rule = |scale: f64| match old {
        false => Rule {
            coordinates,
            nearest,
        },
        // Before these attributes an axis that shrinks took the next place, one that grows the last.
        true => Rule {
            coordinates: "asymmetric",
            nearest: if scale < 1.0 { "ceil" } else { "floor" },
        },
    };
    let mut taken: Vec<Taken> = Vec::new();
    for (&side, &(size, scale)) in x.dims().iter().zip(&wanted) {
        if !(1..=MAX_PLACES).contains(&size) {
            return invalid("its size is none, or too large");
        }
        taken.push(if (size, scale) == (side, 1.0) {
            None
        } else {
            Some(neighbours(side, size, scale, rule(scale))?)
        });
    }
    feature(context.picked(&node.label(), &x, taken)?)
}

/// The length of each axis of the result, and by what it grows.
fn wanted<'a>(
    context: &Context<'a>,
    node: &Node<'a>,
    dims: &[usize],
    old: bool,
) -> Result<Vec<(usize, f64)>, Fault> {
    let rank = dims.len();
    let axes: Vec<usize> = match node.ints("axes") {
        Some(axes) => (axes.iter())
            .map(|&a| crate::node::axis(a, rank))
            .collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    let (scales, sizes) = if old || node.opset < 11 {
        (floats(context, node, 1)?, None)
    } else {
        (floats(context, node, 2)?, context.ints(node, 3)?)
    };
    let fits = |len: usize| len == axes.len();
    let mut wanted: Vec<(usize, f64)> = dims.iter().map(|&d| (d, 1.0)).collect();
    if let Some(mut sizes) = sizes.filter(|sizes| !sizes.is_empty()) {
        if axes.len() == rank {
            context.one_image(&mut sizes);
        }
        if !fits(sizes.len()) {
            return invalid("its sizes do not fit its input");
        }
        for (&axis, &size) in axes.iter().zip(&sizes) {
            let size = usize::try_from(size).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "sizes of images")]
            let scale = size as f64 / dims[axis] as f64;
            wanted[axis] = (size, scale);
        }
    } else if let Some(scales) = scales {
        if !fits(scales.len()) {
            return invalid("its scales do not fit its input");
        }
        for (&axis, &scale) in axes.iter().zip(&scales) {
            // In single precision: 0.7 of 10 is 7.
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "sizes of images; a cast saturates"
            )]
            let size = (dims[axis] as f32 * scale as f32).floor() as usize;
            wanted[axis] = (size, scale);
        }
    } else {
        return invalid("it has neither scales nor sizes");
    }
    Ok(wanted)
}

/// Numbers from an input or the attribute `scales`; `None` where there are none.
fn floats<'a>(
    context: &Context<'a>,
    node: &Node<'a>,
    index: usize,
) -> Result<Option<Vec<f64>>, Fault> {
    let given = match context.optional(node, index)? {
        Some(array) => array.doubles(),
        None => match node.floats("scales") {
            Some(scales) => scales.iter().map(|&v| v.into()).collect(),
            None => return Ok(None),
        },
    };
    if !given.iter().all(|v| v.is_finite() && *v > 0.0) {
        return invalid("a scale that is not above zero");
    }
    Ok(Some(given).filter(|v| !v.is_empty()))
}

/// What is as near to the middle between two places lies there, as ONNX Runtime has it.
const TIE: f32 = 1e-6;

/// The nearest place of an axis for each of another one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of images, and places that are clamped to them"
)]
fn neighbours(
    side: usize,
    size: usize,
    scale: f64,
    rule: Rule<'_>,
) -> Result<Vec<Option<usize>>, Fault> {
    // In single precision, in which the usual runtimes round.
    let scale = scale as f32;
    let (length, last) = (size as f32, side as f32 - 1.0);
    let origin = |at: f32| -> Result<f32, Fault> {
        Ok(match rule.coordinates {
            "asymmetric" => at / scale,
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if size > 1 => (at + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            "align_corners" if size > 1 => at * last / (length - 1.0),
            "align_corners" => 0.0,
            "half_pixel_symmetric" => {
                let exact = side as f32 * scale;
                let centre = side as f32 / 2.0;
                let offset = centre * (1.0 - length / exact);
                // Only from here on in double precision.
                let place = f64::from(offset) + (f64::from(at) + 0.5) / f64::from(scale);
                (place - 0.5) as f32
            }
            other => return unsupported(format!("by {}", crate::node::readable(other))),
        })
    };
    let round = |x: f32| -> Result<f32, Fault> {
        let middle = x.floor() + 0.5;
        let tie = (x - middle).abs() <= TIE;
        Ok(match rule.nearest {
            "round_prefer_floor" if tie => middle - 0.5,
            "round_prefer_ceil" if tie => middle + 0.5,
            "floor" | "simple" => x.floor(),
            "ceil" => x.ceil(),
            "round_prefer_floor" => (x - 0.5).ceil(),
            "round_prefer_ceil" => (x + 0.5).floor(),
            other => return unsupported(format!("by {}", crate::node::readable(other))),
        })
    };
    let places = (0..size).map(|at| Ok(Some(round(origin(at as f32)?)?.clamp(0.0, last) as usize)));
    places.collect()
}

fn block(node: &Node<'_>) -> Result<usize, Fault> {
    match node.int("blocksize", 0).map(usize::try_from)? {
        Ok(block) if (1..=1 << 12).contains(&block) => Ok(block),
        _ => invalid("its blocksize is no small number"),
    }
}

/// Channels become blocks of pixels.
pub(super) fn depth_to_space<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, b, label) = (context.plain(node, 0)?, block(node)?, node.label());
    let [n, c, h, w] = x.dims()[..] else {
        return invalid("its input has not four dimensions");
    };
    if !c.is_multiple_of(b * b) {
        return invalid(format!("{c} channels do not fill blocks of {b}"));
    }
    let each = c / (b * b);
    let (split, order) = match node.text("mode", "DCR")? {
        "DCR" => ([n, b, b, each, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, each, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => return invalid(format!("mode {}", crate::node::readable(other))),
    };
    let x = context.reshaped(&label, &x, &split)?.permuted(&order);
    feature(context.reshaped(&label, &x, &[n, each, h * b, w * b])?)
}

/// Blocks of pixels become channels.
pub(super) fn space_to_depth<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, b, label) = (context.plain(node, 0)?, block(node)?, node.label());
    let [n, c, h, w] = x.dims()[..] else {
        return invalid("its input has not four dimensions");
    };
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return invalid(format!("{h} by {w} pixels do not fill blocks of {b}"));
    }
    let split = [n, c, h / b, b, w / b, b];
    let x = context.reshaped(&label, &x, &split)?;
    let x = x.permuted(&[0, 3, 5, 1, 2, 4]);
    feature(context.reshaped(&label, &x, &[n, c * b * b, h / b, w / b])?)
}
