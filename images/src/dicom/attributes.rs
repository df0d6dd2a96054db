//! The attributes that say how samples lie in the file and what they mean.

use std::num::NonZeroU32;

use dicom_core::Tag;

use super::table::{Table, descriptor};
use super::values::Set;
use crate::error::DecodeError;
use crate::raster::check_size;

const SAMPLES_PER_PIXEL: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = Tag(0x0028, 0x0004);
const PLANAR_CONFIGURATION: Tag = Tag(0x0028, 0x0006);
const NUMBER_OF_FRAMES: Tag = Tag(0x0028, 0x0008);
const PIXEL_ASPECT_RATIO: Tag = Tag(0x0028, 0x0034);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BITS_STORED: Tag = Tag(0x0028, 0x0101);
const HIGH_BIT: Tag = Tag(0x0028, 0x0102);
const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const PIXEL_PADDING_VALUE: Tag = Tag(0x0028, 0x0120);
const PIXEL_PADDING_LIMIT: Tag = Tag(0x0028, 0x0121);
const WINDOW_CENTER: Tag = Tag(0x0028, 0x1050);
const WINDOW_WIDTH: Tag = Tag(0x0028, 0x1051);
const RESCALE_INTERCEPT: Tag = Tag(0x0028, 0x1052);
const RESCALE_SLOPE: Tag = Tag(0x0028, 0x1053);
const VOI_LUT_FUNCTION: Tag = Tag(0x0028, 0x1056);
const LUT_SHAPE: Tag = Tag(0x2050, 0x0020);
const EXTENDED_OFFSETS: Tag = Tag(0x7FE0, 0x0001);
/// Rescaling by a table.
const MODALITY_LUT: Tag = Tag(0x0028, 0x3000);
pub(super) const LUT_DESCRIPTOR: Tag = Tag(0x0028, 0x3002);
pub(super) const LUT_DATA: Tag = Tag(0x0028, 0x3006);
/// A window of any shape, by a table.
const VOI_LUT: Tag = Tag(0x0028, 0x3010);
const PALETTE_DESCRIPTORS: [Tag; 3] = [
    Tag(0x0028, 0x1101),
    Tag(0x0028, 0x1102),
    Tag(0x0028, 0x1103),
];
const PALETTES: [Tag; 3] = [
    Tag(0x0028, 0x1201),
    Tag(0x0028, 0x1202),
    Tag(0x0028, 0x1203),
];
/// A palette written in a code of its own.
const SEGMENTED_PALETTE: Tag = Tag(0x0028, 0x1221);
/// What holds for all frames of an enhanced object, and for each of them.
const SHARED_GROUPS: Tag = Tag(0x5200, 0x9229);
pub(super) const PER_FRAME_GROUPS: Tag = Tag(0x5200, 0x9230);
/// In those: rescaling, and windows.
const PIXEL_TRANSFORMATION: Tag = Tag(0x0028, 0x9145);
const FRAME_VOI_LUT: Tag = Tag(0x0028, 0x9132);

/// Every sequence that is read.
pub(super) const SEQUENCES: [Tag; 6] = [
    MODALITY_LUT,
    VOI_LUT,
    SHARED_GROUPS,
    PER_FRAME_GROUPS,
    PIXEL_TRANSFORMATION,
    FRAME_VOI_LUT,
];

/// Every element that may be as long as a table.
pub(super) const TABLES: [Tag; 6] = [
    LUT_DATA,
    PALETTES[0],
    PALETTES[1],
    PALETTES[2],
    SEGMENTED_PALETTE,
    EXTENDED_OFFSETS,
];

/// Every other element that is read.
pub(super) const WANTED: [Tag; 23] = [
    SAMPLES_PER_PIXEL,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    NUMBER_OF_FRAMES,
    ROWS,
    COLUMNS,
    PIXEL_ASPECT_RATIO,
    BITS_ALLOCATED,
    BITS_STORED,
    HIGH_BIT,
    PIXEL_REPRESENTATION,
    PIXEL_PADDING_VALUE,
    PIXEL_PADDING_LIMIT,
    WINDOW_CENTER,
    WINDOW_WIDTH,
    RESCALE_INTERCEPT,
    RESCALE_SLOPE,
    VOI_LUT_FUNCTION,
    LUT_SHAPE,
    LUT_DESCRIPTOR,
    PALETTE_DESCRIPTORS[0],
    PALETTE_DESCRIPTORS[1],
    PALETTE_DESCRIPTORS[2],
];

/// What the samples of a pixel mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Photometric {
    /// Grey, the least value white.
    Monochrome1,
    /// Grey, the least value black.
    Monochrome2,
    /// A place in a table of colours.
    Palette,
    Rgb,
    /// Luma and two colour differences of full range.
    YbrFull,
    /// The same, colour differences shared by two pixels of a row.
    YbrFull422,
    /// The colour transforms of JPEG 2000, which its decoder undoes.
    YbrOfJpeg2000,
}

/// From stored values to the values of the modality (PS3.3 C.11.1).
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Modality {
    Linear { slope: f64, intercept: f64 },
    Table(Table),
}

/// From modality values to grey (PS3.3 C.11.2).
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Interest {
    /// The values present span black to white.
    Span,
    Window(Window),
    Table(Table),
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

/// The description of the picture of one frame, checked.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) width: u32,
    pub(super) height: u32,
    /// How many frames the file has, and the chosen one, counted from 0.
    pub(super) frames: u32,
    pub(super) frame: u32,
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
    /// The least and the largest stored value outside of the picture.
    pub(super) padding: Option<(i64, i64)>,
    pub(super) modality: Modality,
    pub(super) interest: Interest,
    /// Red, green and blue of a palette.
    pub(super) palette: Option<[Table; 3]>,
    /// Where each frame of compressed pixels begins, if the file has a table of its own for that.
    pub(super) offsets: Vec<u64>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

impl Description {
    /// Reads the elements that [`super::elements::data_set`] kept.
    pub(super) fn read(given: &Set<'_>, frame: Option<NonZeroU32>) -> Result<Self, DecodeError> {
        let frames = given.integer(NUMBER_OF_FRAMES)?.unwrap_or(1);
        let frames = u32::try_from(frames).ok().filter(|&frames| frames > 0);
        let frames = frames
            .ok_or_else(|| DecodeError::damaged("its number of frames is not a positive one"))?;
        let frame = crate::chosen(frame, frames)?;
        let (width, height) = (number(given, COLUMNS)?, number(given, ROWS)?);
        check_size(width, height)?;
        let samples = number(given, SAMPLES_PER_PIXEL)?;
        let photometric = photometric(given, samples)?;
        let (allocated, stored) = (number(given, BITS_ALLOCATED)?, number(given, BITS_STORED)?);
        let high = given.integer(HIGH_BIT)?.unwrap_or(i64::from(stored) - 1);
        let high = u32::try_from(high).unwrap_or(u32::MAX);
        let signed = given.integer(PIXEL_REPRESENTATION)?.unwrap_or(0);
        // Colours of which part of the bits is left out, or that may be negative, have no one meaning.
        let whole = match photometric {
            _ if samples == 1 => true,
            Photometric::Rgb | Photometric::YbrOfJpeg2000 => stored >= 8 && signed == 0,
            _ => (allocated, stored, signed) == (8, 8, 0),
        };
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
        let mut notes = Vec::new();
        aspect(given, &mut notes);
        let grey = matches!(
            photometric,
            Photometric::Monochrome1 | Photometric::Monochrome2
        );
        let signed = signed == 1;
        let (modality, interest) = if grey {
            shape(given, photometric, &mut notes)?;
            (
                modality(given, signed)?,
                interest(given, signed, &mut notes)?,
            )
        } else {
            let plain = Modality::Linear {
                slope: 1.0,
                intercept: 0.0,
            };
            (plain, Interest::Span)
        };
        let palette = match photometric {
            Photometric::Palette => Some(palette(given, signed)?),
            _ => None,
        };
        let offsets = given.bytes(EXTENDED_OFFSETS).map_or(&[][..], |(_, v)| v);
        let offsets = offsets.as_chunks::<8>().0.iter();
        Ok(Self {
            width,
            height,
            frames,
            frame,
            samples: samples as usize,
            photometric,
            planar: given.integer(PLANAR_CONFIGURATION)? == Some(1),
            allocated,
            stored,
            shift: high + 1 - stored,
            signed,
            padding: padding(given, stored, signed)?,
            modality,
            interest,
            palette,
            offsets: offsets.map(|&o| u64::from_le_bytes(o)).collect(),
            notes,
        })
    }

    /// Pixels of the picture.
    pub(super) const fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Whether samples of so many bits, of a compressed stream without a sign, can be those that are described.
    pub(super) fn check_precision(&self, bits: u32, format: &str) -> Result<(), DecodeError> {
        // Below the bits that are stored a sign would be lost, and the bits have their lower end in common.
        let whole = !self.signed || bits >= self.stored;
        if (bits > 8) == (self.allocated > 8) && whole && self.shift == 0 {
            return Ok(());
        }
        Err(DecodeError::damaged(format!(
            "its {format} stream has samples of {bits} bits where its header says {} in {}",
            self.stored, self.allocated
        )))
    }
}

/// A stored value of so many bits as a number.
pub(super) fn signed_value(bits: u16, stored: u32, signed: bool) -> i64 {
    let spare = 64 - stored;
    let upper = u64::from(bits) << spare;
    if signed {
        upper.cast_signed() >> spare
    } else {
        (upper >> spare).cast_signed()
    }
}

/// A number that must be there and not be negative.
fn number(given: &Set<'_>, tag: Tag) -> Result<u32, DecodeError> {
    let number = given.integer(tag)?;
    let number = number.ok_or_else(|| DecodeError::damaged(format!("element {tag} is missing")))?;
    u32::try_from(number).map_err(|_| super::values::unreadable(tag))
}

fn photometric(given: &Set<'_>, samples: u32) -> Result<Photometric, DecodeError> {
    let code = given.code(PHOTOMETRIC_INTERPRETATION)?.unwrap_or_default();
    match (code, samples) {
        ("MONOCHROME1", 1) => Ok(Photometric::Monochrome1),
        ("MONOCHROME2", 1) => Ok(Photometric::Monochrome2),
        ("PALETTE COLOR", 1) => Ok(Photometric::Palette),
        ("RGB", 3) => Ok(Photometric::Rgb),
        ("YBR_FULL", 3) => Ok(Photometric::YbrFull),
        ("YBR_FULL_422", 3) => Ok(Photometric::YbrFull422),
        ("YBR_ICT" | "YBR_RCT", 3) => Ok(Photometric::YbrOfJpeg2000),
        _ => Err(DecodeError::unsupported(format!(
            "photometric interpretation {} with {samples} samples is not supported",
            code.escape_debug()
        ))),
    }
}

/// Says so where pixels are no squares: nothing is stretched for that, as other readers do not either.
fn aspect(given: &Set<'_>, notes: &mut Vec<String>) {
    let Some((_, ratio)) = given.bytes(PIXEL_ASPECT_RATIO) else {
        return;
    };
    let sides = std::str::from_utf8(ratio).unwrap_or_default().split('\\');
    let sides: Vec<Option<u32>> = sides
        .map(|side| side.trim_matches([' ', '\0']).parse().ok())
        .collect();
    match sides[..] {
        [Some(rows), Some(columns)] if rows == columns => {}
        [Some(rows), Some(columns)] => notes.push(format!(
            "its pixels are no squares (PixelAspectRatio {rows} to {columns}), and are taken as if they were"
        )),
        _ => notes.push("its PixelAspectRatio is unreadable: its pixels are taken as squares".into()),
    }
}

/// Says so where the file contradicts itself on which end of the scale is white.
fn shape(
    given: &Set<'_>,
    photometric: Photometric,
    notes: &mut Vec<String>,
) -> Result<(), DecodeError> {
    let shape = given.code(LUT_SHAPE)?;
    let (name, other) = match photometric {
        Photometric::Monochrome1 => ("MONOCHROME1", "IDENTITY"),
        _ => ("MONOCHROME2", "INVERSE"),
    };
    if shape == Some(other) {
        notes.push(format!(
            "{name} and presentation LUT shape {other} contradict each other, and {name} is followed: the picture may be inverted"
        ));
    }
    Ok(())
}

/// Stored values outside of the picture.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bits as they stand in the file"
)]
fn padding(given: &Set<'_>, stored: u32, signed: bool) -> Result<Option<(i64, i64)>, DecodeError> {
    let read = |tag| {
        let bits = given.integer(tag)?.map(|value| value as u16);
        Ok(bits.map(|bits| signed_value(bits, stored, signed)))
    };
    let Some(value) = read(PIXEL_PADDING_VALUE)? else {
        return Ok(None);
    };
    let limit = read(PIXEL_PADDING_LIMIT)?.unwrap_or(value);
    Ok(Some((value.min(limit), value.max(limit))))
}

/// What a functional group says of the frame, or the data set itself.
fn group<'s, 'a>(given: &'s Set<'a>, name: Tag) -> &'s Set<'a> {
    let groups = [PER_FRAME_GROUPS, SHARED_GROUPS];
    let mut groups = groups.iter().filter_map(|&g| given.item(g)?.item(name));
    groups.next().unwrap_or(given)
}

fn modality(given: &Set<'_>, signed: bool) -> Result<Modality, DecodeError> {
    if let Some(table) = given.item(MODALITY_LUT) {
        return Table::read(table, signed, "modality LUT").map(Modality::Table);
    }
    let given = group(given, PIXEL_TRANSFORMATION);
    let slope = given.real(RESCALE_SLOPE)?.unwrap_or(1.0);
    if slope == 0.0 {
        return Err(DecodeError::damaged(
            "its RescaleSlope is 0: every value would be the same",
        ));
    }
    let intercept = given.real(RESCALE_INTERCEPT)?.unwrap_or(0.0);
    Ok(Modality::Linear { slope, intercept })
}

/// A table before a window, as other readers have it; of several the first.
fn interest(
    given: &Set<'_>,
    signed: bool,
    notes: &mut Vec<String>,
) -> Result<Interest, DecodeError> {
    let given = group(given, FRAME_VOI_LUT);
    if let Some(table) = given.item(VOI_LUT) {
        return Table::read(table, signed, "VOI LUT").map(Interest::Table);
    }
    let (centre, width) = (given.real(WINDOW_CENTER)?, given.real(WINDOW_WIDTH)?);
    let (Some(centre), Some(width)) = (centre, width) else {
        return Ok(Interest::Span);
    };
    let (function, least) = match given.code(VOI_LUT_FUNCTION)? {
        None | Some("LINEAR") => (Function::Linear, 1.0),
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
        notes.push(format!(
            "its WindowWidth of {width} is none: the values present span black to white"
        ));
        return Ok(Interest::Span);
    }
    Ok(Interest::Window(Window {
        function,
        centre,
        width,
    }))
}

fn palette(given: &Set<'_>, signed: bool) -> Result<[Table; 3], DecodeError> {
    if given.bytes(SEGMENTED_PALETTE).is_some() {
        return Err(DecodeError::unsupported(
            "segmented palettes are not supported",
        ));
    }
    let read = |i: usize| {
        let descriptor = descriptor(given, PALETTE_DESCRIPTORS[i], signed, "palette")?;
        Table::of(given, PALETTES[i], descriptor, "palette")
    };
    let tables = [read(0)?, read(1)?, read(2)?];
    if tables.iter().any(|t| t.bits() != tables[0].bits()) {
        return Err(DecodeError::unsupported(
            "a palette of colours of different depths is not supported",
        ));
    }
    Ok(tables)
}
