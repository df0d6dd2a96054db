//! Look-up tables (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5).

use dicom_core::Tag;

use super::attributes::{LUT_DATA, LUT_DESCRIPTOR};
use super::values::Set;
use crate::error::DecodeError;

/// A value for each of a range of integers; those outside of it have that of the nearer end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Table {
    first: i64,
    bits: u32,
    entries: Vec<u16>,
}

/// How many entries a table has, the integer of the first, and the bits of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor {
    entries: usize,
    first: i64,
    bits: u32,
}

/// Reads the description of a table. Its first integer has the sign of the samples.
pub(super) fn descriptor(
    given: &Set<'_>,
    tag: Tag,
    signed: bool,
    name: &str,
) -> Result<Descriptor, DecodeError> {
    let words = given.words(tag).unwrap_or_default();
    let &[entries, first, bits] = &words[..] else {
        return Err(DecodeError::damaged(format!(
            "its {name} has no description"
        )));
    };
    if !(8..=16).contains(&bits) {
        return Err(DecodeError::unsupported(format!(
            "a {name} of {bits} bits is not supported"
        )));
    }
    let typed = given.bytes(tag).map(|(vr, _)| vr);
    let signed = signed || typed == Some(dicom_core::VR::SS);
    Ok(Descriptor {
        entries: if entries == 0 {
            1 << 16
        } else {
            usize::from(entries)
        },
        first: if signed {
            i64::from(first.cast_signed())
        } else {
            i64::from(first)
        },
        bits: u32::from(bits),
    })
}

impl Table {
    /// Reads the item of a modality or VOI LUT.
    pub(super) fn read(item: &Set<'_>, signed: bool, name: &str) -> Result<Self, DecodeError> {
        let descriptor = descriptor(item, LUT_DESCRIPTOR, signed, name)?;
        Self::of(item, LUT_DATA, descriptor, name)
    }

    /// Reads the entries that a descriptor promises.
    pub(super) fn of(
        given: &Set<'_>,
        tag: Tag,
        descriptor: Descriptor,
        name: &str,
    ) -> Result<Self, DecodeError> {
        let Descriptor {
            entries,
            first,
            bits,
        } = descriptor;
        let bytes = given.bytes(tag).map_or(&[][..], |(_, bytes)| bytes);
        let found = if bytes.len() >= 2 * entries {
            let mut words = given.words(tag).unwrap_or_default();
            words.truncate(entries);
            words
        } else if bits == 8 && bytes.len() == entries.next_multiple_of(2) {
            // A byte each, which only palettes of old had.
            bytes[..entries].iter().map(|&b| u16::from(b)).collect()
        } else {
            return Err(DecodeError::damaged(format!(
                "its {name} has {} bytes for {entries} entries",
                bytes.len()
            )));
        };
        if let Some(entry) = found.iter().find(|&&entry| u32::from(entry) >> bits != 0) {
            return Err(DecodeError::damaged(format!(
                "its {name} says that entries have {bits} bits, and one is {entry}"
            )));
        }
        Ok(Self {
            first,
            bits,
            entries: found,
        })
    }

    /// Bits of an entry.
    pub(super) const fn bits(&self) -> u32 {
        self.bits
    }

    /// The entry of a value, whose fraction is cut off.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the table; no number is its first"
    )]
    pub(super) fn at(&self, value: f64) -> u16 {
        let last = self.entries.len() - 1;
        let place = (value - self.first as f64).clamp(0.0, last as f64) as usize;
        self.entries[place.min(last)]
    }

    /// The largest entry that its bits can say.
    pub(super) fn most(&self) -> f64 {
        f64::from(u16::MAX >> (16 - self.bits))
    }
}
