//! A walk over the elements of a DICOM file that believes no length: nothing is allocated by what an element claims.
//!
//! Only the few elements that describe the pixels are handed on; names, dates and whatever else a file says of
//! its patient are stepped over.

use dicom_core::{Tag, VR};
use dicom_encoding::decode::Decode as _;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::ImplicitVRLittleEndianDecoder;

use super::attributes::{MODALITY_LUT, WANTED};
use crate::error::DecodeError;

const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
const TRANSFER_SYNTAX: Tag = Tag(0x0002, 0x0010);
/// The group of the file meta information.
const META_GROUP: u16 = 0x0002;
/// The group of items and delimiters.
const ITEM_GROUP: u16 = 0xFFFE;
const ITEM: Tag = Tag(ITEM_GROUP, 0xE000);
const ITEM_END: Tag = Tag(ITEM_GROUP, 0xE00D);
const SEQUENCE_END: Tag = Tag(ITEM_GROUP, 0xE0DD);
/// Sequences of undefined length within each other.
const MAX_NESTING: usize = 16;
/// Bytes of an element that describes pixels: a few numbers or a code.
const MAX_VALUE: usize = 1024;
/// Bytes before the file meta information: a preamble that says nothing, and `DICM`.
const PREFIX: usize = 132;

/// How element headers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Explicit,
    Implicit,
}

/// The pixel data element.
#[derive(Debug)]
pub(super) enum PixelData<'a> {
    /// Samples as they are.
    Native(&'a [u8]),
    /// A compressed stream, in pieces; the table of offsets left out.
    Fragments(Vec<&'a [u8]>),
}

/// What a data set says of its pixels.
#[derive(Debug)]
pub(super) struct DataSet<'a> {
    /// The elements of [`WANTED`], as they stand in the file.
    pub(super) described: Vec<u8>,
    pub(super) pixels: PixelData<'a>,
}

/// The header of an element: tag, whether its type is unknown, length where it is defined.
struct Header {
    tag: Tag,
    unknown: bool,
    length: Option<usize>,
}

/// The transfer syntax, and where the data set begins.
pub(super) fn meta(bytes: &[u8]) -> Result<(String, usize), DecodeError> {
    let mut walk = Walk { bytes, at: PREFIX };
    let mut syntax = None;
    loop {
        let group = bytes.get(walk.at..).and_then(<[u8]>::first_chunk);
        if group != Some(&META_GROUP.to_le_bytes()) {
            let syntax =
                syntax.ok_or_else(|| DecodeError::damaged("it names no transfer syntax"))?;
            return Ok((syntax, walk.at));
        }
        let header = walk.header(Encoding::Explicit)?;
        let length = header
            .length
            .ok_or_else(|| DecodeError::damaged("damaged file meta information"))?;
        let value = walk.take(length)?;
        if header.tag == TRANSFER_SYNTAX {
            let text = value.iter().take(64).map(|&c| char::from(c));
            let text = text.filter(|c| c.is_ascii_digit() || *c == '.');
            syntax = Some(text.collect());
        }
    }
}

/// Walks the data set from `at` to its pixels.
pub(super) fn data_set(
    bytes: &[u8],
    at: usize,
    encoding: Encoding,
) -> Result<DataSet<'_>, DecodeError> {
    let mut walk = Walk { bytes, at };
    let mut described = Vec::new();
    loop {
        if walk.at == bytes.len() {
            return Err(DecodeError::damaged("it has no pixel data"));
        }
        let start = walk.at;
        let header = walk.header(encoding)?;
        match header.length {
            _ if header.tag.0 == ITEM_GROUP => {
                return Err(DecodeError::damaged("an item outside of a sequence"));
            }
            Some(length) if header.tag == PIXEL_DATA => {
                let pixels = PixelData::Native(walk.take(length)?);
                return Ok(DataSet { described, pixels });
            }
            None if header.tag == PIXEL_DATA => {
                let pixels = PixelData::Fragments(walk.fragments()?);
                return Ok(DataSet { described, pixels });
            }
            _ if header.tag == MODALITY_LUT => {
                return Err(DecodeError::unsupported(
                    "a modality look-up table is not supported",
                ));
            }
            Some(length) => {
                walk.take(length)?;
                if WANTED.contains(&header.tag) {
                    if length > MAX_VALUE {
                        return Err(DecodeError::damaged(format!(
                            "element {} has {length} bytes",
                            header.tag
                        )));
                    }
                    described.extend_from_slice(&bytes[start..walk.at]);
                }
            }
            None => walk.skip_sequence(inside(&header, encoding), 0)?,
        }
    }
}

/// How the items of a sequence are written: one of unknown type is implicit, whatever surrounds it (PS3.5 6.2.2).
const fn inside(header: &Header, encoding: Encoding) -> Encoding {
    if header.unknown {
        Encoding::Implicit
    } else {
        encoding
    }
}

/// A place in the file.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn header(&mut self, encoding: Encoding) -> Result<Header, DecodeError> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let decoded = match encoding {
            Encoding::Explicit => ExplicitVRLittleEndianDecoder::default().decode_header(&mut rest),
            Encoding::Implicit => ImplicitVRLittleEndianDecoder::default().decode_header(&mut rest),
        };
        let (header, _) = decoded.map_err(|_| self.cut_off())?;
        self.at = self.bytes.len() - rest.len();
        Ok(Header {
            tag: header.tag,
            unknown: header.vr == VR::UN,
            length: header.len.get().map(|length| length as usize),
        })
    }

    /// The next bytes, as many as an element claims and the file must have.
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length);
        let value = end.and_then(|end| self.bytes.get(self.at..end));
        let value = value.ok_or_else(|| self.cut_off())?;
        self.at += length;
        Ok(value)
    }

    fn cut_off(&self) -> DecodeError {
        DecodeError::damaged(format!(
            "the DICOM file is cut off or damaged at byte {}",
            self.at
        ))
    }

    /// Steps over the items of a sequence of undefined length.
    fn skip_sequence(&mut self, encoding: Encoding, depth: usize) -> Result<(), DecodeError> {
        if depth == MAX_NESTING {
            return Err(DecodeError::unsupported(format!(
                "more than {MAX_NESTING} sequences within each other"
            )));
        }
        loop {
            let header = self.header(Encoding::Implicit)?;
            match (header.tag, header.length) {
                (SEQUENCE_END, _) => return Ok(()),
                (ITEM, Some(length)) => {
                    self.take(length)?;
                }
                (ITEM, None) => self.skip_item(encoding, depth)?,
                (tag, _) => {
                    return Err(DecodeError::damaged(format!(
                        "{tag} where an item should be"
                    )));
                }
            }
        }
    }

    fn skip_item(&mut self, encoding: Encoding, depth: usize) -> Result<(), DecodeError> {
        loop {
            let header = self.header(encoding)?;
            match header.length {
                _ if header.tag == ITEM_END => return Ok(()),
                _ if header.tag.0 == ITEM_GROUP => return Err(self.cut_off()),
                Some(length) => {
                    self.take(length)?;
                }
                None => self.skip_sequence(inside(&header, encoding), depth + 1)?,
            }
        }
    }

    /// The fragments of encapsulated pixel data; the first item is the table of offsets.
    fn fragments(&mut self) -> Result<Vec<&'a [u8]>, DecodeError> {
        let mut fragments = Vec::new();
        loop {
            let header = self.header(Encoding::Implicit)?;
            match (header.tag, header.length) {
                (SEQUENCE_END, _) if fragments.len() < 2 => {
                    return Err(DecodeError::damaged("it has no pixel data"));
                }
                (SEQUENCE_END, _) => return Ok(fragments.split_off(1)),
                (ITEM, Some(length)) => fragments.push(self.take(length)?),
                _ => return Err(self.cut_off()),
            }
        }
    }
}
