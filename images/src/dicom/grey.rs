//! Stored values to grey: rescale, window, inversion (PS3.3 C.11.1 and C.11.2). Of several windows the first counts;
//! tables of values of interest (VOI LUT Sequence) are left out, as one of several views that a file may offer.

use nets::Samples;

use super::attributes::{Description, Function, Photometric, Window};

/// White.
const WHITE: f64 = 65_535.0;

/// The grey of stored values, each `stored` bits wide.
///
/// Values of 8 bits that nothing rescales are grey already, as in a PNG file. Others go through the
/// window; where there is none, the values present span black to white, padding left out.
pub(super) fn grey(stored: &[u16], description: &Description) -> Samples {
    let invert = description.photometric == Photometric::Monochrome1;
    let plain = (description.slope, description.intercept) == (1.0, 0.0)
        && description.window.is_none()
        && (description.stored, description.signed) == (8, false);
    if plain {
        let flip = if invert { 0xFF } else { 0 };
        return Samples::Eight(stored.iter().map(|&v| v.to_le_bytes()[0] ^ flip).collect());
    }
    let function = description
        .window
        .unwrap_or_else(|| span(stored, description));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0..=65535"
    )]
    let table: Vec<u16> = (0..1_u32 << description.stored)
        .map(|bits| {
            let grey = shade(value(bits as u16, description), function);
            let grey = if invert { 1.0 - grey } else { grey };
            (grey * WHITE).round() as u16
        })
        .collect();
    Samples::Sixteen(stored.iter().map(|&v| table[usize::from(v)]).collect())
}

/// A stored value on the scale of the modality.
fn value(bits: u16, description: &Description) -> f64 {
    let signed = i32::from(bits) << (32 - description.stored);
    let value = if description.signed {
        signed >> (32 - description.stored)
    } else {
        i32::from(bits)
    };
    f64::from(value) * description.slope + description.intercept
}

/// The window that holds every value present, padding left out.
fn span(stored: &[u16], description: &Description) -> Window {
    let mask = u16::MAX >> (16 - description.stored);
    let padding = description.padding.map(|bits| bits & mask);
    let mut present = vec![false; 1 << description.stored];
    for &bits in stored {
        present[usize::from(bits)] = true;
    }
    let inside = (0..=mask).filter(|&bits| present[usize::from(bits)] && padding != Some(bits));
    let (least, most) = inside
        .map(|bits| value(bits, description))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
    Window {
        function: Function::LinearExact,
        centre: f64::midpoint(least, most),
        // A picture of one value is mid-grey.
        width: if most > least { most - least } else { 1.0 },
    }
}

/// How bright a value is, 0 to 1.
fn shade(value: f64, window: Window) -> f64 {
    let Window {
        function,
        centre,
        width,
    } = window;
    let grey = match function {
        // A width of 1 is a threshold.
        Function::Linear if width <= 1.0 => f64::from(u8::from(value > centre - 0.5)),
        Function::Linear => (value - (centre - 0.5)) / (width - 1.0) + 0.5,
        Function::LinearExact => (value - centre) / width + 0.5,
        Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - centre) / width).exp()),
    };
    // Black also where a hostile scale made it no number.
    if grey.is_nan() {
        0.0
    } else {
        grey.clamp(0.0, 1.0)
    }
}
