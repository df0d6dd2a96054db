//! Pixels compressed by JPEG, lossy and lossless.

use nets::Samples;

use super::attributes::{Description, Photometric};
use super::stored::of_words;
use crate::error::DecodeError;
use crate::jpeg::{self, Colours};
use crate::raster::colours;

/// The picture of a stream, and what its user should know.
pub(super) fn decode(
    stream: &[u8],
    lossless: bool,
    description: &Description,
) -> Result<(Samples, Option<String>), DecodeError> {
    let decoded = jpeg::decode(stream)?;
    if (decoded.width, decoded.height) != (description.width as usize, description.height as usize)
    {
        return Err(DecodeError::damaged(
            "its JPEG stream has another size than its header",
        ));
    }
    if decoded.channels() != description.samples {
        return Err(DecodeError::damaged(
            "its JPEG stream has other channels than its header",
        ));
    }
    if decoded.lossless != lossless {
        return Err(DecodeError::damaged(
            "its JPEG stream is not of the kind that its transfer syntax names",
        ));
    }
    let precision = u32::from(decoded.precision);
    description.check_precision(precision, "JPEG")?;
    if description.samples == 3 {
        return colour(&decoded, description);
    }
    let samples = decoded.into_grey().unwrap_or_default();
    Ok((of_words(samples, description)?, None))
}

/// Where header and stream differ in what the components mean, the marks of the stream count: they were made with it.
fn colour(
    decoded: &jpeg::Jpeg,
    description: &Description,
) -> Result<(Samples, Option<String>), DecodeError> {
    let said = match description.photometric {
        Photometric::Rgb => Colours::Rgb,
        Photometric::YbrFull | Photometric::YbrFull422 => Colours::Ybr,
        Photometric::YbrOfJpeg2000
        | Photometric::Palette
        | Photometric::Monochrome1
        | Photometric::Monochrome2 => {
            return Err(DecodeError::damaged(
                "its photometric interpretation does not go with its transfer syntax",
            ));
        }
    };
    // A lossless stream is left as it was by any transform.
    let told = decoded.told_colours().filter(|_| !decoded.lossless);
    let meant = told.unwrap_or(said);
    let note = (meant != said).then(|| {
        let (header, stream) = match said {
            Colours::Rgb => ("RGB", "luma and colour differences"),
            Colours::Ybr => ("luma and colour differences", "RGB"),
        };
        format!("its header says {header}, its JPEG stream {stream}: the stream is followed")
    });
    Ok((Samples::Eight(colours(decoded, meant)?), note))
}
