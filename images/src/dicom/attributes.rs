//! The attributes that say how samples lie in the file and what they mean.

use dicom_core::Tag;
use dicom_core::header::HasLength as _;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_transfer_syntax_registry::entries::{
    EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
};

use super::elements::Encoding;
use crate::error::DecodeError;
use crate::raster::check_size;

const SAMPLES_PER_PIXEL: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = Tag(0x0028, 0x0004);
const PLANAR_CONFIGURATION: Tag = Tag(0x0028, 0x0006);
const NUMBER_OF_FRAMES: Tag = Tag(0x0028, 0x0008);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BITS_STORED: Tag = Tag(0x0028, 0x0101);
const HIGH_BIT: Tag = Tag(0x0028, 0x0102);
const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const PIXEL_PADDING_VALUE: Tag = Tag(0x0028, 0x0120);
const WINDOW_CENTER: Tag = Tag(0x0028, 0x1050);
const WINDOW_WIDTH: Tag = Tag(0x0028, 0x1051);
const RESCALE_INTERCEPT: Tag = Tag(0x0028, 0x1052);
const RESCALE_SLOPE: Tag = Tag(0x0028, 0x1053);
const VOI_LUT_FUNCTION: Tag = Tag(0x0028, 0x1056);
/// Rescaling by a table.
pub(super) const MODALITY_LUT: Tag = Tag(0x0028, 0x3000);

/// Every element that is read.
pub(super) const WANTED: [Tag; 16] = [
    SAMPLES_PER_PIXEL,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    NUMBER_OF_FRAMES,
    ROWS,
    COLUMNS,
    BITS_ALLOCATED,
    BITS_STORED,
    HIGH_BIT,
    PIXEL_REPRESENTATION,
    PIXEL_PADDING_VALUE,
    WINDOW_CENTER,
    WINDOW_WIDTH,
    RESCALE_INTERCEPT,
    RESCALE_SLOPE,
    VOI_LUT_FUNCTION,
];

/// What the samples of a pixel mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Photometric {
    /// Grey, the least value white.
    Monochrome1,
    /// Grey, the least value black.
    Monochrome2,
    Rgb,
    /// Luma and two colour differences of full range.
    YbrFull,
    /// The same, colour differences shared by two pixels of a row.
    YbrFull422,
}

/// The function from modality values to grey (PS3.3 C.11.2.1).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Window {
    pub(super) function: Function,
    pub(super) centre: f64,
    pub(super) width: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

/// The description of an image of one frame, checked.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Samples of a pixel, 1 or 3.
    pub(super) samples: usize,
    pub(super) photometric: Photometric,
    /// Channels one after the other, not interleaved.
    pub(super) planar: bool,
    /// Bits a sample takes, 8 or 16.
    pub(super) allocated: u32,
    /// Bits of a sample that count.
    pub(super) stored: u32,
    /// Bits below them.
    pub(super) shift: u32,
    pub(super) signed: bool,
    /// The stored value outside of the picture, its bits.
    pub(super) padding: Option<u16>,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    /// The first of the windows.
    pub(super) window: Option<Window>,
}

impl Description {
    /// Reads the elements that [`super::elements::data_set`] selected.
    pub(super) fn read(elements: &[u8], encoding: Encoding) -> Result<Self, DecodeError> {
        let syntax = match encoding {
            Encoding::Explicit => EXPLICIT_VR_LITTLE_ENDIAN.erased(),
            Encoding::Implicit => IMPLICIT_VR_LITTLE_ENDIAN.erased(),
        };
        let object = InMemDicomObject::read_dataset_with_ts(elements, &syntax)
            .map_err(|_| DecodeError::damaged("the description of its pixels is damaged"))?;
        Self::of(&Attributes(object))
    }

    fn of(given: &Attributes) -> Result<Self, DecodeError> {
        let frames = given.integer(NUMBER_OF_FRAMES)?.unwrap_or(1);
        if frames != 1 {
            return Err(DecodeError::unsupported(format!(
                "it has {frames} frames; only images of a single frame are read"
            )));
        }
        let (width, height) = (given.number(COLUMNS)?, given.number(ROWS)?);
        check_size(width, height)?;
        let samples = given.number(SAMPLES_PER_PIXEL)?;
        let photometric = given.photometric(samples)?;
        let (allocated, stored) = (given.number(BITS_ALLOCATED)?, given.number(BITS_STORED)?);
        let high = given.integer(HIGH_BIT)?.unwrap_or(i64::from(stored) - 1);
        let high = u32::try_from(high).unwrap_or(u32::MAX);
        let signed = given.integer(PIXEL_REPRESENTATION)?.unwrap_or(0);
        let whole = samples == 1 || (allocated, stored, signed) == (8, 8, 0);
        if !matches!(allocated, 8 | 16)
            || !(1..=allocated).contains(&stored)
            || !(stored - 1..allocated).contains(&high)
            || !matches!(signed, 0 | 1)
            || !whole
        {
            return Err(DecodeError::unsupported(format!(
                "samples of {stored} bits in {allocated}, high bit {high}, {samples} to a pixel, are not supported"
            )));
        }
        Ok(Self {
            width,
            height,
            samples: samples as usize,
            photometric,
            planar: given.integer(PLANAR_CONFIGURATION)? == Some(1),
            allocated,
            stored,
            shift: high + 1 - stored,
            signed: signed == 1,
            padding: given.padding()?,
            slope: given.real(RESCALE_SLOPE)?.unwrap_or(1.0),
            intercept: given.real(RESCALE_INTERCEPT)?.unwrap_or(0.0),
            window: given.window()?,
        })
    }

    /// Pixels of the image.
    pub(super) const fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// The elements by their tags; one without value is as good as none.
struct Attributes(InMemDicomObject);

impl Attributes {
    fn get(&self, tag: Tag) -> Option<&InMemElement> {
        self.0.get(tag).filter(|element| !element.is_empty())
    }

    fn integer(&self, tag: Tag) -> Result<Option<i64>, DecodeError> {
        let read = |e: &InMemElement| e.to_int().map_err(|_| unreadable(tag));
        self.get(tag).map(read).transpose()
    }

    /// A number that must be there and not be negative.
    fn number(&self, tag: Tag) -> Result<u32, DecodeError> {
        let number = self.integer(tag)?;
        let number =
            number.ok_or_else(|| DecodeError::damaged(format!("element {tag} is missing")))?;
        u32::try_from(number).map_err(|_| unreadable(tag))
    }

    fn real(&self, tag: Tag) -> Result<Option<f64>, DecodeError> {
        let read = |e: &InMemElement| match e.to_float64() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(unreadable(tag)),
        };
        self.get(tag).map(read).transpose()
    }

    /// A code of capital letters.
    fn code(&self, tag: Tag) -> Result<Option<String>, DecodeError> {
        let read = |e: &InMemElement| {
            let text = e.to_str().map_err(|_| unreadable(tag))?;
            let first = text.split('\\').next().unwrap_or_default();
            Ok(first.trim_matches([' ', '\0']).to_owned())
        };
        self.get(tag).map(read).transpose()
    }

    fn photometric(&self, samples: u32) -> Result<Photometric, DecodeError> {
        let code = self.code(PHOTOMETRIC_INTERPRETATION)?.unwrap_or_default();
        match (code.as_str(), samples) {
            ("MONOCHROME1", 1) => Ok(Photometric::Monochrome1),
            ("MONOCHROME2", 1) => Ok(Photometric::Monochrome2),
            ("RGB", 3) => Ok(Photometric::Rgb),
            ("YBR_FULL", 3) => Ok(Photometric::YbrFull),
            ("YBR_FULL_422", 3) => Ok(Photometric::YbrFull422),
            _ => Err(DecodeError::unsupported(format!(
                "photometric interpretation {} with {samples} samples is not supported",
                code.escape_debug()
            ))),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the bits as they stand in the file"
    )]
    fn padding(&self) -> Result<Option<u16>, DecodeError> {
        Ok(self.integer(PIXEL_PADDING_VALUE)?.map(|value| value as u16))
    }

    fn window(&self) -> Result<Option<Window>, DecodeError> {
        let (centre, width) = (self.real(WINDOW_CENTER)?, self.real(WINDOW_WIDTH)?);
        let (Some(centre), Some(width)) = (centre, width) else {
            return Ok(None);
        };
        let code = self.code(VOI_LUT_FUNCTION)?;
        let (function, least) = match code.as_deref() {
            None | Some("" | "LINEAR") => (Function::Linear, 1.0),
            Some("LINEAR_EXACT") => (Function::LinearExact, f64::MIN_POSITIVE),
            Some("SIGMOID") => (Function::Sigmoid, f64::MIN_POSITIVE),
            Some(other) => {
                return Err(DecodeError::unsupported(format!(
                    "window function {} is unknown",
                    other.escape_debug()
                )));
            }
        };
        if width < least {
            return Err(DecodeError::damaged(format!("a window of width {width}")));
        }
        Ok(Some(Window {
            function,
            centre,
            width,
        }))
    }
}

fn unreadable(tag: Tag) -> DecodeError {
    DecodeError::damaged(format!("element {tag} is unreadable"))
}
