//! Samples as they lie in uncompressed pixel data, and what becomes of them.

use nets::Samples;

use super::attributes::{Description, Photometric};
use super::grey::grey;
use crate::error::DecodeError;
use crate::jpeg::rgb;
use crate::raster::widened;

/// The picture of uncompressed pixel data; whether words are big endian, and whether bytes were written as such words.
pub(super) fn native(
    pixels: &[u8],
    big: bool,
    words: bool,
    description: &Description,
) -> Result<Samples, DecodeError> {
    let bytes = (description.allocated / 8) as usize;
    let shared = description.photometric == Photometric::YbrFull422;
    if shared && !description.width.is_multiple_of(2) {
        return Err(DecodeError::unsupported(
            "YBR_FULL_422 samples of an odd number of columns are not supported",
        ));
    }
    // Two pixels share their colour differences.
    let samples = if shared { 2 } else { description.samples };
    let length = description.pixels() * samples * bytes;
    let start = length.checked_mul(description.frame as usize);
    let frame = start.and_then(|start| pixels.get(start..)?.get(..length));
    let frame = frame.ok_or_else(|| {
        DecodeError::damaged(format!(
            "{} bytes of pixel data where {} are needed",
            pixels.len(),
            length.saturating_mul(description.frame as usize + 1)
        ))
    })?;
    if bytes == 2 {
        let words = frame.as_chunks::<2>().0.iter();
        let words = match big {
            true => words.map(|&w| u16::from_be_bytes(w)).collect(),
            false => words.map(|&w| u16::from_le_bytes(w)).collect(),
        };
        return of_words(words, description);
    }
    if big && words {
        // The first of two bytes is the lower one of a word.
        let turned: Vec<u8> = (0..length)
            .map(|i| turned(pixels, i + start.unwrap_or(0)))
            .collect();
        return of_bytes(turned, description);
    }
    of_bytes(frame.to_vec(), description)
}

/// The byte `i` of words that were written in the other order.
fn turned(pixels: &[u8], i: usize) -> u8 {
    pixels.get(i ^ 1).copied().unwrap_or(0)
}

/// The picture of samples of one byte.
pub(super) fn of_bytes(bytes: Vec<u8>, description: &Description) -> Result<Samples, DecodeError> {
    if description.allocated != 8 {
        return Err(DecodeError::damaged(
            "samples of 8 bits where its header says 16",
        ));
    }
    if description.samples == 3 {
        return colour(interleaved(bytes, description), description);
    }
    of_words(bytes.into_iter().map(u16::from).collect(), description)
}

/// The picture of samples of one word: the bits that count, then what they mean.
pub(super) fn of_words(
    mut words: Vec<u16>,
    description: &Description,
) -> Result<Samples, DecodeError> {
    let mask = u16::MAX >> (16 - description.stored);
    for word in &mut words {
        *word = *word >> description.shift & mask;
    }
    if let Some(palette) = &description.palette {
        return Ok(of_palette(&words, palette, description));
    }
    if description.samples == 3 {
        if description.photometric != Photometric::Rgb {
            return Err(DecodeError::unsupported(
                "colour differences of more than 8 bits are not supported",
            ));
        }
        let words = interleaved(words, description);
        return Ok(Samples::Sixteen(widened(words, description.stored)));
    }
    Ok(grey(&words, description))
}

/// Places in a palette as colours.
fn of_palette(
    words: &[u16],
    palette: &[super::table::Table; 3],
    description: &Description,
) -> Samples {
    let place = |bits| {
        let place = super::attributes::signed_value(bits, description.stored, description.signed);
        #[expect(clippy::cast_precision_loss, reason = "16 bits")]
        let place = place as f64;
        place
    };
    let colours = words
        .iter()
        .flat_map(|&bits| palette.iter().map(move |table| table.at(place(bits))));
    match palette[0].bits() {
        8 => Samples::Eight(colours.map(|c| c.to_le_bytes()[0]).collect()),
        bits => Samples::Sixteen(widened(colours.collect(), bits)),
    }
}

/// Three samples of each pixel together, where the file may have each channel apart.
fn interleaved<T: Copy>(samples: Vec<T>, description: &Description) -> Vec<T> {
    let plane = description.pixels();
    if !description.planar || samples.len() != 3 * plane {
        return samples;
    }
    (0..plane)
        .flat_map(|i| [samples[i], samples[plane + i], samples[2 * plane + i]])
        .collect()
}

/// RGB of three samples of one byte to a pixel.
fn colour(mut pixels: Vec<u8>, description: &Description) -> Result<Samples, DecodeError> {
    match description.photometric {
        Photometric::Rgb => Ok(Samples::Eight(pixels)),
        Photometric::YbrFull => {
            let triples = pixels.as_chunks_mut::<3>().0;
            triples.iter_mut().for_each(|pixel| *pixel = rgb(*pixel));
            Ok(Samples::Eight(pixels))
        }
        Photometric::YbrFull422 => {
            let pairs = pixels.as_chunks::<4>().0.iter();
            let pairs = pairs.flat_map(|&[first, second, blue, red]| {
                [rgb([first, blue, red]), rgb([second, blue, red])]
            });
            Ok(Samples::Eight(pairs.flatten().collect()))
        }
        Photometric::YbrOfJpeg2000
        | Photometric::Palette
        | Photometric::Monochrome1
        | Photometric::Monochrome2 => Err(DecodeError::unsupported(
            "its photometric interpretation does not go with its transfer syntax",
        )),
    }
}
