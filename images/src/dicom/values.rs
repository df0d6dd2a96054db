//! Values of elements, in the byte order of the file.

use dicom_core::{Tag, VR};

use super::elements::Encoding;
use crate::error::DecodeError;

/// An element that is kept.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    pub(super) value: Value<'a>,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    Bytes(&'a [u8]),
    /// The one item of a sequence that counts.
    Item(Set<'a>),
}

/// Elements of a data set or of an item.
#[derive(Debug)]
pub(super) struct Set<'a> {
    big: bool,
    elements: Vec<Element<'a>>,
}

impl<'a> Set<'a> {
    pub(super) const fn new(encoding: Encoding) -> Self {
        Self {
            big: matches!(encoding, Encoding::Big),
            elements: Vec::new(),
        }
    }

    /// Keeps an element; each comes once (PS3.5 7.1), so that no file makes many of one.
    pub(super) fn push(&mut self, element: Element<'a>) -> Result<(), DecodeError> {
        let tag = element.tag;
        if self.elements.iter().any(|known| known.tag == tag) {
            return Err(DecodeError::damaged(format!(
                "element {tag} is there twice"
            )));
        }
        self.elements.push(element);
        Ok(())
    }

    /// The item of a sequence.
    pub(super) fn item(&self, tag: Tag) -> Option<&Self> {
        self.elements.iter().find_map(|e| match &e.value {
            Value::Item(item) if e.tag == tag => Some(item),
            _ => None,
        })
    }

    /// Type and bytes of an element; one without value is as good as none.
    pub(super) fn bytes(&self, tag: Tag) -> Option<(VR, &'a [u8])> {
        self.elements.iter().find_map(|e| match e.value {
            Value::Bytes(bytes) if e.tag == tag && !bytes.is_empty() => Some((e.vr, bytes)),
            _ => None,
        })
    }

    /// Words of 16 bits.
    pub(super) fn words(&self, tag: Tag) -> Option<Vec<u16>> {
        let (_, bytes) = self.bytes(tag)?;
        let words = bytes.as_chunks::<2>().0.iter();
        Some(words.map(|&word| self.word(word)).collect())
    }

    fn word(&self, bytes: [u8; 2]) -> u16 {
        if self.big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn double(&self, bytes: [u8; 4]) -> u32 {
        if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// The first of the numbers of an element.
    pub(super) fn integer(&self, tag: Tag) -> Result<Option<i64>, DecodeError> {
        let Some((vr, bytes)) = self.bytes(tag) else {
            return Ok(None);
        };
        let number = match (vr, bytes) {
            (VR::IS | VR::DS, _) => text(bytes).and_then(|text| text.parse().ok()),
            (VR::SS, [a, b, ..]) => Some(i64::from(self.word([*a, *b]).cast_signed())),
            (VR::SL, [a, b, c, d, ..]) => {
                Some(i64::from(self.double([*a, *b, *c, *d]).cast_signed()))
            }
            (VR::UL, [a, b, c, d, ..]) => Some(i64::from(self.double([*a, *b, *c, *d]))),
            // Also of unknown type: all others are words.
            (VR::US | VR::OW | VR::UN, [a, b, ..]) => Some(i64::from(self.word([*a, *b]))),
            _ => None,
        };
        number.map(Some).ok_or_else(|| unreadable(tag))
    }

    /// The first of the real numbers of an element.
    pub(super) fn real(&self, tag: Tag) -> Result<Option<f64>, DecodeError> {
        let Some((vr, bytes)) = self.bytes(tag) else {
            return Ok(None);
        };
        let number = match (vr, bytes) {
            (VR::FL, [a, b, c, d, ..]) => {
                Some(f64::from(f32::from_bits(self.double([*a, *b, *c, *d]))))
            }
            (VR::FD, _) => bytes.first_chunk::<8>().map(|&bytes| {
                if self.big {
                    f64::from_be_bytes(bytes)
                } else {
                    f64::from_le_bytes(bytes)
                }
            }),
            (VR::DS | VR::IS | VR::UN, _) => text(bytes).and_then(|text| text.parse().ok()),
            _ => None,
        };
        let finite = number.filter(|number: &f64| number.is_finite());
        finite.map(Some).ok_or_else(|| unreadable(tag))
    }

    /// The first of the codes of an element: capital letters.
    pub(super) fn code(&self, tag: Tag) -> Result<Option<&'a str>, DecodeError> {
        let Some((_, bytes)) = self.bytes(tag) else {
            return Ok(None);
        };
        let code = text(bytes).ok_or_else(|| unreadable(tag))?;
        Ok(Some(code).filter(|code| !code.is_empty()))
    }
}

/// The first of the values of a text.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let first = text.split('\\').next()?;
    Some(first.trim_matches([' ', '\0']))
}

pub(super) fn unreadable(tag: Tag) -> DecodeError {
    DecodeError::damaged(format!("element {tag} is unreadable"))
}
