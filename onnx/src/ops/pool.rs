//! Pooling.

use nets::{Op, Window};

use super::conv::{padded, span, window};
use super::movement::{Zeros, with_zeros};
use super::{Outputs, feature};
use crate::context::{Context, MAX_PLACES};
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, Form};

fn kernel(node: &Node<'_>) -> Result<[usize; 2], Fault> {
    match node.ints("kernel_shape") {
        Some(_) => node.sizes("kernel_shape", [0; 2]),
        None => invalid("it has no kernel_shape"),
    }
}

/// Refuses a pool's own padding that is as wide as its window, which runtimes refuse too.
fn check_pads(node: &Node<'_>, kernel: [usize; 2]) -> Result<(), Fault> {
    let pads = match node.text("auto_pad", "NOTSET")? {
        "NOTSET" | "" => node.sizes("pads", [0; 4])?,
        _ => [0; 4],
    };
    if (0..4).any(|side| pads[side] >= kernel[side % 2]) {
        return unsupported("with padding as wide as its window");
    }
    Ok(())
}

/// The padding below and on the right that is needed where the size of the output is rounded up. What another node put
/// around the image belongs to it.
fn rounded_up(
    node: &Node<'_>,
    window: &Window,
    x: &Feature,
    around: [usize; 4],
) -> Result<[usize; 2], Fault> {
    if node.int("ceil_mode", 0)? == 0 {
        return Ok([0, 0]);
    }
    let mut more = [0, 0];
    for i in 0..2 {
        let side = x.dims()[2 + i];
        let (before, after) = (window.padding[i], window.padding[i + 2]);
        let room = side
            .saturating_add(before)
            .saturating_add(after)
            .saturating_sub(span(window.kernel[i], window.dilation[i]));
        let steps = room.div_ceil(window.stride[i]);
        // The last window must begin inside the image or its padding before.
        let end = side.saturating_add(before).saturating_add(around[i + 2]);
        if steps.saturating_mul(window.stride[i]) < end {
            more[i] = steps * window.stride[i] - room;
        }
    }
    Ok(more)
}

/// Refuses padding to the same size that readers of ONNX take differently. ONNX Runtime pads as if dilated windows had
/// no gaps; where the windows leave out rows or columns, it lacks as many of them at either end, or refuses, while
/// TensorFlow, from which such files come, lacks them at the end.
fn check_auto_pad(
    node: &Node<'_>,
    window: &Window,
    x: &Feature,
    around: [usize; 4],
) -> Result<(), Fault> {
    let auto = node.text("auto_pad", "NOTSET")?;
    if !auto.starts_with("SAME") {
        return Ok(());
    }
    let dilations = node.ints("dilations").unwrap_or_default();
    if dilations.iter().any(|&d| d != 1) {
        return unsupported("with dilation and auto_pad, which readers of ONNX take differently");
    }
    for i in 0..2 {
        let side = x.dims()[2 + i] + around[i] + around[i + 2];
        let windows = side.div_ceil(window.stride[i]);
        let reached = (windows - 1)
            .saturating_mul(window.stride[i])
            .saturating_add(window.kernel[i]);
        let at_the_end = side == reached.saturating_add(1) && auto == "SAME_UPPER";
        if reached < side && !at_the_end {
            return unsupported(
                "that leaves out rows or columns by auto_pad, which readers of ONNX take differently",
            );
        }
    }
    Ok(())
}

/// A pool whose window has no gaps.
fn dense(window: Window) -> Result<Window, Fault> {
    if window.is_dilated() {
        return unsupported(format!("dilation {:?}", window.dilation));
    }
    Ok(window)
}

pub(super) fn max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node
        .proto
        .output
        .get(1)
        .is_some_and(|name| !name.is_empty())
    {
        return unsupported("with the places of the largest values");
    }
    // Zeros that another node added are values here, unlike the pool's own padding, which never wins.
    let viewed = context.viewed(node, 0)?;
    let (x, around) = match viewed.form {
        Form::Padded(around, value) if value <= f32::MIN => {
            let inner = viewed.with(Form::Itself, 1.0, 0.0, node.label());
            let image = context.unpadded(&inner, around)?;
            (context.as_image(&node.label(), &image)?, around)
        }
        _ => (context.image(node, 0)?, [0; 4]),
    };
    let mut window = window(node, kernel(node)?, &x, around)?;
    check_pads(node, window.kernel)?;
    check_auto_pad(node, &window, &x, around)?;
    let [below, right] = rounded_up(node, &window, &x, around)?;
    window.padding[2] = window.padding[2].saturating_add(below);
    window.padding[3] = window.padding[3].saturating_add(right);
    let (x, window) = match window.is_dilated() {
        true => gathered(context, node, &x, window)?,
        false => {
            check_reach(&window, &x)?;
            (x, window)
        }
    };
    feature(context.emit(&node.label(), Op::MaxPool { window }, &x)?)
}

/// Refuses windows of nothing but padding, which have no largest value.
fn check_reach(window: &Window, x: &Feature) -> Result<(), Fault> {
    for i in 0..2 {
        let (side, before) = (x.dims()[2 + i], window.padding[i]);
        let all = side.saturating_add(before);
        let room = (all.saturating_add(window.padding[i + 2])).saturating_sub(window.kernel[i]);
        let last = room / window.stride[i] * window.stride[i];
        if before >= window.kernel[i] || last >= all {
            return unsupported("with a window of nothing but padding");
        }
    }
    Ok(())
}

/// An image in which the values under each window with gaps stand side by side, and the window that takes them. In the
/// place of padding, which never wins, another value of the same window stands once more.
fn gathered<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    window: Window,
) -> Result<(Feature, Window), Fault> {
    let mut taken = vec![None; 2];
    for i in 0..2 {
        let (kernel, stride, dilation) = (window.kernel[i], window.stride[i], window.dilation[i]);
        let (side, before) = (x.dims()[2 + i], window.padding[i]);
        let all = side.saturating_add(before);
        let all = all.saturating_add(window.padding[i + 2]);
        let Some(room) = all.checked_sub(span(kernel, dilation)) else {
            return invalid("its window is larger than the image");
        };
        let windows = room / stride + 1;
        if windows.saturating_mul(kernel) > MAX_PLACES {
            return unsupported("with very many places under dilated windows");
        }
        let mut places = Vec::new();
        for first in (0..windows).map(|at| at * stride) {
            let under = (0..kernel).map(|k| first + k * dilation);
            let inside = |at: usize| at.checked_sub(before).filter(|&at| at < side);
            let under: Vec<Option<usize>> = under.map(inside).collect();
            let Some(any) = under.iter().flatten().next() else {
                return unsupported("with a dilated window of nothing but padding");
            };
            places.extend(under.iter().map(|place| Some(place.unwrap_or(*any))));
        }
        taken.push(Some(places));
    }
    let label = format!("{}.under", node.label());
    let image = context.picked(&label, x, taken)?;
    let dense = Window {
        kernel: window.kernel,
        stride: window.kernel,
        padding: [0; 4],
        dilation: [1; 2],
    };
    Ok((context.as_image(&label, &image)?, dense))
}

pub(super) fn average<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (mut x, zeros) = padded(context, node)?;
    let mut window = dense(window(node, kernel(node)?, &x, zeros)?)?;
    check_pads(node, window.kernel)?;
    check_auto_pad(node, &window, &x, zeros)?;
    let [below, right] = rounded_up(node, &window, &x, zeros)?;
    let counted = node.int("count_include_pad", 0)? != 0;
    // Zeros that another node added always count, the pool's own if it says so; what a window lacks at the end where
    // sizes are rounded up never does. Where some count and some do not, those that do become part of the image.
    let counts = if counted { window.padding } else { zeros };
    let rest: Vec<usize> = (window.padding.iter().zip(counts))
        .map(|(all, counts)| all - counts)
        .collect();
    let lacks = [
        rest[0],
        rest[1],
        rest[2].saturating_add(below),
        rest[3].saturating_add(right),
    ];
    let counts_padding = lacks == [0; 4];
    let too_wide = (0..4).any(|side| counts[side] >= window.kernel[side % 2]);
    if counts != [0; 4] && (!counts_padding || too_wide) {
        x = with_zeros(
            context,
            &format!("{}.pad", node.label()),
            &x,
            Zeros::around(counts),
        )?;
        window.padding = lacks;
    } else if !counts_padding {
        window.padding = lacks;
    }
    let op = Op::AvgPool {
        window,
        counts_padding: window.is_padded() && counts_padding,
    };
    feature(context.emit(&node.label(), op, &x)?)
}

pub(super) fn global<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.image(node, 0)?;
    feature(context.emit(&node.label(), Op::GlobalAvgPool, &x)?)
}

pub(super) fn global_max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.image(node, 0)?;
    let window = Window::whole(context.shapes[x.node]);
    feature(context.emit(&node.label(), Op::MaxPool { window }, &x)?)
}
