//! Stored values to grey: modality, values of interest, inversion (PS3.3 C.11.1 and C.11.2).

use nets::Samples;

use super::attributes::{
    Description, Function, Interest, Modality, Photometric, Window, signed_value,
};

/// White.
const WHITE: f64 = 65_535.0;

/// The grey of stored values, each `stored` bits wide.
///
/// Values of 8 bits that nothing rescales are grey already, as in a PNG file. Others go through the table or the
/// window; where there is none, the values present span black to white, padding left out, which is black.
pub(super) fn grey(stored: &[u16], description: &Description) -> Samples {
    let invert = description.photometric == Photometric::Monochrome1;
    let linear = |slope, intercept| Modality::Linear { slope, intercept };
    let plain = description.modality == linear(1.0, 0.0)
        && description.interest == Interest::Span
        && (description.stored, description.signed) == (8, false);
    if plain {
        let flip = if invert { 0xFF } else { 0 };
        return Samples::Eight(stored.iter().map(|&v| v.to_le_bytes()[0] ^ flip).collect());
    }
    let span;
    let interest = match &description.interest {
        Interest::Span => {
            span = Interest::Window(spanned(stored, description));
            &span
        }
        given => given,
    };
    let padded = description.interest == Interest::Span;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0..=65535"
    )]
    let table: Vec<u16> = (0..1_u32 << description.stored)
        .map(|bits| {
            let bits = bits as u16;
            if padded && is_padding(bits, description) {
                return 0;
            }
            let value = value(bits, description);
            let grey = match interest {
                Interest::Table(table) => f64::from(table.at(value)) / table.most(),
                Interest::Window(window) => shade(value, *window),
                // Has become a window.
                Interest::Span => 0.0,
            };
            let grey = if invert { 1.0 - grey } else { grey };
            (grey * WHITE).round() as u16
        })
        .collect();
    Samples::Sixteen(stored.iter().map(|&v| table[usize::from(v)]).collect())
}

/// A stored value on the scale of the modality.
fn value(bits: u16, description: &Description) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "16 bits")]
    let stored = signed_value(bits, description.stored, description.signed) as f64;
    match &description.modality {
        Modality::Linear { slope, intercept } => stored * slope + intercept,
        Modality::Table(table) => f64::from(table.at(stored)),
    }
}

/// Whether a stored value stands for what is outside of the picture.
fn is_padding(bits: u16, description: &Description) -> bool {
    let value = signed_value(bits, description.stored, description.signed);
    let padding = description.padding;
    padding.is_some_and(|(least, most)| (least..=most).contains(&value))
}

/// The window that holds every value present, padding left out.
fn spanned(stored: &[u16], description: &Description) -> Window {
    let mut present = vec![false; 1 << description.stored];
    for &bits in stored {
        present[usize::from(bits)] = true;
    }
    let last = u16::MAX >> (16 - description.stored);
    let inside =
        (0..=last).filter(|&bits| present[usize::from(bits)] && !is_padding(bits, description));
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
