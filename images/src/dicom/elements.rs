//! A walk over the elements of a DICOM file that believes no length: nothing is allocated by what an element claims.
//!
//! Only the few elements that describe the pixels are kept, each as a part of the file; names, dates and whatever else a file says of
//! its patient are stepped over.

use dicom_core::{Tag, VR};
use dicom_encoding::decode::Decode as _;
use dicom_encoding::decode::explicit_be::ExplicitVRBigEndianDecoder;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::ImplicitVRLittleEndianDecoder;

use super::attributes::{PER_FRAME_GROUPS, SEQUENCES, TABLES, WANTED};
use super::values::{Element, Set, Value};
use crate::error::DecodeError;

const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
/// Pixels that are no integers.
const FLOAT_PIXELS: [Tag; 2] = [Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009)];
const TRANSFER_SYNTAX: Tag = Tag(0x0002, 0x0010);
/// The group of the file meta information.
const META_GROUP: u16 = 0x0002;
/// The group of items and delimiters.
const ITEM_GROUP: u16 = 0xFFFE;
const ITEM: Tag = Tag(ITEM_GROUP, 0xE000);
const ITEM_END: Tag = Tag(ITEM_GROUP, 0xE00D);
const SEQUENCE_END: Tag = Tag(ITEM_GROUP, 0xE0DD);
/// Sequences within each other.
const MAX_NESTING: usize = 16;
/// Bytes of an element that describes pixels: a few numbers or a code.
const MAX_VALUE: usize = 1024;
/// Bytes of a table: 65,536 entries of two bytes.
const MAX_TABLE: usize = 1 << 17;
/// Bytes before the file meta information: a preamble that says nothing, and `DICM`.
const PREFIX: usize = 132;

/// How element headers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Explicit,
    Implicit,
    /// Explicit, big endian.
    Big,
}

/// The pixel data element.
#[derive(Debug)]
pub(super) enum PixelData<'a> {
    /// Samples as they are; whether they were written as words of 16 bits.
    Native { bytes: &'a [u8], words: bool },
    /// Compressed streams in pieces, and the table of where each frame begins.
    Fragments {
        offsets: &'a [u8],
        parts: Vec<&'a [u8]>,
    },
}

/// What a data set says of its pixels.
#[derive(Debug)]
pub(super) struct DataSet<'a> {
    pub(super) described: Set<'a>,
    pub(super) pixels: PixelData<'a>,
}

/// The header of an element: tag, type, length where it is defined.
struct Header {
    tag: Tag,
    vr: VR,
    length: Option<usize>,
}

/// The transfer syntax, and where the data set begins.
pub(super) fn meta(bytes: &[u8]) -> Result<(String, usize), DecodeError> {
    let mut walk = Walk {
        bytes,
        at: PREFIX,
        frame: 0,
    };
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

/// Walks the data set from `at` to its pixels. Of what is said frame by frame, only what holds for the given one is kept.
pub(super) fn data_set(
    bytes: &[u8],
    at: usize,
    encoding: Encoding,
    frame: usize,
) -> Result<DataSet<'_>, DecodeError> {
    let mut walk = Walk { bytes, at, frame };
    let mut described = Set::new(encoding);
    loop {
        if walk.at == bytes.len() {
            return Err(DecodeError::damaged("it has no pixel data"));
        }
        let header = walk.header(encoding)?;
        if header.tag.0 == ITEM_GROUP {
            return Err(DecodeError::damaged("an item outside of a sequence"));
        }
        if FLOAT_PIXELS.contains(&header.tag) {
            return Err(DecodeError::unsupported(
                "pixels of floating-point numbers are not supported",
            ));
        }
        if header.tag == PIXEL_DATA {
            let pixels = match header.length {
                Some(length) => PixelData::Native {
                    bytes: walk.take(length)?,
                    words: header.vr == VR::OW,
                },
                None => walk.fragments()?,
            };
            return Ok(DataSet { described, pixels });
        }
        walk.element(&header, encoding, 0, Some(&mut described))?;
    }
}

/// A place in the file.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The frame whose descriptions are kept, counted from 0.
    frame: usize,
}

impl<'a> Walk<'a> {
    fn header(&mut self, encoding: Encoding) -> Result<Header, DecodeError> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let decoded = match encoding {
            Encoding::Explicit => ExplicitVRLittleEndianDecoder::default().decode_header(&mut rest),
            Encoding::Implicit => ImplicitVRLittleEndianDecoder::default().decode_header(&mut rest),
            Encoding::Big => ExplicitVRBigEndianDecoder::default().decode_header(&mut rest),
        };
        let (header, _) = decoded.map_err(|_| self.cut_off())?;
        self.at = self.bytes.len() - rest.len();
        Ok(Header {
            tag: header.tag,
            vr: header.vr,
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

    /// The same place in a file that ends earlier.
    fn within(&self, length: usize) -> Result<Self, DecodeError> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.bytes.get(..end));
        Ok(Self {
            bytes: bytes.ok_or_else(|| self.cut_off())?,
            at: self.at,
            frame: self.frame,
        })
    }

    /// Takes the value of an element in if it is wanted, or steps over it.
    fn element(
        &mut self,
        header: &Header,
        encoding: Encoding,
        depth: usize,
        set: Option<&mut Set<'a>>,
    ) -> Result<(), DecodeError> {
        let sequence = SEQUENCES.contains(&header.tag);
        // Items of a sequence of unknown type are implicit, whatever surrounds it (PS3.5 6.2.2).
        let inside = match header.vr {
            VR::UN => Encoding::Implicit,
            _ => encoding,
        };
        let table = TABLES.contains(&header.tag);
        let wanted = sequence || table || WANTED.contains(&header.tag);
        let (Some(set), true) = (set, wanted) else {
            return match header.length {
                Some(length) => self.take(length).map(drop),
                None => self.items(inside, depth, None).map(drop),
            };
        };
        let tag = header.tag;
        let value = if sequence {
            let kept = match tag {
                PER_FRAME_GROUPS => self.frame,
                _ => 0,
            };
            let item = match header.length {
                Some(length) => {
                    let mut walk = self.within(length)?;
                    let item = walk.items(inside, depth, Some(kept))?;
                    self.at = walk.at;
                    item
                }
                None => self.items(inside, depth, Some(kept))?,
            };
            match item {
                Some(item) => Value::Item(item),
                // A sequence without items says nothing.
                None => return Ok(()),
            }
        } else {
            let length = header.length.ok_or_else(|| self.cut_off())?;
            let bytes = self.take(length)?;
            let most = if table { MAX_TABLE } else { MAX_VALUE };
            if length > most {
                return Err(DecodeError::damaged(format!(
                    "element {tag} has {length} bytes"
                )));
            }
            Value::Bytes(bytes)
        };
        let vr = header.vr;
        set.push(Element { tag, vr, value })
    }

    /// The items of a sequence, up to its end marker or, where there is one, to the end of the walk; gives the one at place `kept`.
    fn items(
        &mut self,
        encoding: Encoding,
        depth: usize,
        kept: Option<usize>,
    ) -> Result<Option<Set<'a>>, DecodeError> {
        if depth == MAX_NESTING {
            return Err(DecodeError::unsupported(format!(
                "more than {MAX_NESTING} sequences within each other"
            )));
        }
        // Headers of items have no type, in the byte order of the rest.
        let headers = match encoding {
            Encoding::Big => Encoding::Big,
            Encoding::Explicit | Encoding::Implicit => Encoding::Implicit,
        };
        let mut found = None;
        for place in 0.. {
            if kept.is_some() && self.at == self.bytes.len() {
                break;
            }
            let header = self.header(headers)?;
            let wanted = kept == Some(place);
            match (header.tag, header.length) {
                (SEQUENCE_END, _) => break,
                (ITEM, Some(length)) if !wanted => {
                    self.take(length)?;
                }
                (ITEM, Some(length)) => {
                    let mut walk = self.within(length)?;
                    found = walk.item(encoding, depth, wanted, true)?;
                    self.at = walk.at;
                }
                (ITEM, None) => {
                    let item = self.item(encoding, depth, wanted, false)?;
                    found = item.or(found);
                }
                (tag, _) => {
                    return Err(DecodeError::damaged(format!(
                        "{tag} where an item should be"
                    )));
                }
            }
        }
        Ok(found)
    }

    /// The elements of an item, up to the end of the walk or to a marker; given if they are wanted.
    fn item(
        &mut self,
        encoding: Encoding,
        depth: usize,
        wanted: bool,
        whole: bool,
    ) -> Result<Option<Set<'a>>, DecodeError> {
        let mut set = wanted.then(|| Set::new(encoding));
        loop {
            if whole && self.at == self.bytes.len() {
                return Ok(set);
            }
            let header = self.header(encoding)?;
            match header.tag {
                ITEM_END if !whole => return Ok(set),
                tag if tag.0 == ITEM_GROUP => return Err(self.cut_off()),
                _ => self.element(&header, encoding, depth + 1, set.as_mut())?,
            }
        }
    }

    /// The fragments of encapsulated pixel data; the first item is the table of offsets.
    fn fragments(&mut self) -> Result<PixelData<'a>, DecodeError> {
        let mut parts = Vec::new();
        loop {
            let header = self.header(Encoding::Implicit)?;
            match (header.tag, header.length) {
                (SEQUENCE_END, _) if parts.len() < 2 => {
                    return Err(DecodeError::damaged("it has no pixel data"));
                }
                (SEQUENCE_END, _) => {
                    let offsets = parts.remove(0);
                    return Ok(PixelData::Fragments { offsets, parts });
                }
                (ITEM, Some(length)) => parts.push(self.take(length)?),
                _ => return Err(self.cut_off()),
            }
        }
    }
}
