//! Files made in memory with `dicom-object`, decoded, and compared sample by sample; and damaged ones.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "test values are small"
)]

mod hostile;

use std::num::NonZeroU32;

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR, dicom_value};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use nets::{Picture, Samples};

/// The picture alone.
fn decode(bytes: &[u8]) -> Result<Picture, crate::DecodeError> {
    crate::decode(bytes).map(|decoded| decoded.picture)
}

const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.70";

const PADDING: Tag = Tag(0x0028, 0x0120);
const CENTRE: Tag = Tag(0x0028, 0x1050);
const WIDTH: Tag = Tag(0x0028, 0x1051);
const INTERCEPT: Tag = Tag(0x0028, 0x1052);
const SLOPE: Tag = Tag(0x0028, 0x1053);
const FUNCTION: Tag = Tag(0x0028, 0x1056);
const PIXELS: Tag = Tag(0x7FE0, 0x0010);

/// An image to be written.
struct File(InMemDicomObject);

impl File {
    fn new(width: u16, height: u16, photometric: &str, allocated: u16) -> Self {
        let samples: u16 = if photometric.starts_with("MONO") {
            1
        } else {
            3
        };
        let file = Self(InMemDicomObject::new_empty())
            .text(Tag(0x0008, 0x0060), VR::CS, "DX")
            .text(Tag(0x0010, 0x0010), VR::PN, "Nobody^At all")
            .number(0x0002, samples)
            .text(Tag(0x0028, 0x0004), VR::CS, photometric)
            .number(0x0010, height)
            .number(0x0011, width)
            .number(0x0100, allocated)
            .number(0x0101, allocated)
            .number(0x0102, allocated - 1)
            .number(0x0103, 0);
        if samples == 3 {
            file.number(0x0006, 0)
        } else {
            file
        }
    }

    /// A number of group 0028.
    fn number(self, element: u16, value: u16) -> Self {
        let value = PrimitiveValue::from(value);
        self.with(Tag(0x0028, element), VR::US, value)
    }

    fn text(self, tag: Tag, vr: VR, value: &str) -> Self {
        self.with(tag, vr, PrimitiveValue::from(value))
    }

    fn with(mut self, tag: Tag, vr: VR, value: PrimitiveValue) -> Self {
        self.0.put(DataElement::new(tag, vr, value));
        self
    }

    fn stored(self, bits: u16) -> Self {
        self.number(0x0101, bits).number(0x0102, bits - 1)
    }

    fn bytes(self, pixels: &[u8]) -> Self {
        self.with(PIXELS, VR::OW, PrimitiveValue::U8(pixels.into()))
    }

    fn words(self, pixels: &[u16]) -> Self {
        self.with(PIXELS, VR::OW, PrimitiveValue::U16(pixels.into()))
    }

    fn fragments(mut self, parts: &[&[u8]]) -> Self {
        let parts: Vec<Vec<u8>> = parts.iter().map(|p| p.to_vec()).collect();
        let value: PixelFragmentSequence<Vec<u8>> = PixelFragmentSequence::new(vec![], parts);
        self.0.put(DataElement::new(PIXELS, VR::OB, value));
        self
    }

    fn write(self, syntax: &str) -> Vec<u8> {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(syntax)
            .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.7")
            .media_storage_sop_instance_uid("2.25.1");
        let mut bytes = Vec::new();
        let file = self.0.with_meta(meta).unwrap();
        file.write_all(&mut bytes).unwrap();
        bytes
    }
}

fn sixteen(width: usize, height: usize, samples: Vec<u16>) -> Picture {
    Picture::new(width, height, 1, Samples::Sixteen(samples)).unwrap()
}

fn eight(width: usize, height: usize, channels: usize, samples: Vec<u8>) -> Picture {
    Picture::new(width, height, channels, Samples::Eight(samples)).unwrap()
}

#[test]
fn plain_grey_is_as_stored() {
    let pixels: Vec<u8> = (0..15).map(|i| i * 7 + 20).collect();
    for syntax in [IMPLICIT, EXPLICIT] {
        let file = File::new(5, 3, "MONOCHROME2", 8)
            .bytes(&pixels)
            .write(syntax);
        assert!(decode(&file).unwrap() == eight(5, 3, 1, pixels.clone()));
        let file = File::new(5, 3, "MONOCHROME1", 8)
            .bytes(&pixels)
            .write(syntax);
        let inverted = pixels.iter().map(|p| 255 - p).collect();
        assert!(decode(&file).unwrap() == eight(5, 3, 1, inverted));
    }
}

#[test]
fn without_a_window_the_values_present_span_the_greys() {
    // 12 bits, signed, in the upper bits of the word, with rubbish below.
    let values: [i16; 6] = [-2048, -1000, 0, 17, 1000, 2047];
    let words: Vec<u16> = values.iter().map(|v| (v << 4) as u16 | 5).collect();
    let file = File::new(3, 2, "MONOCHROME2", 16)
        .number(0x0101, 12)
        .number(0x0103, 1)
        .words(&words)
        .write(EXPLICIT);
    let grey = |v: &i16| ((f64::from(*v) + 2048.0) / 4095.0 * 65_535.0).round() as u16;
    assert!(decode(&file).unwrap() == sixteen(3, 2, values.iter().map(grey).collect()));
    // Padding does not widen the span, and is as black as the least value.
    let file = File::new(4, 1, "MONOCHROME2", 16)
        .stored(12)
        .number(0x0120, 0)
        .words(&[0, 1000, 2000, 1500])
        .write(IMPLICIT);
    assert!(decode(&file).unwrap() == sixteen(4, 1, vec![0, 0, 65_535, 32_768]));
    assert_eq!(PADDING, Tag(0x0028, 0x0120));
    let flat = File::new(2, 1, "MONOCHROME2", 16)
        .words(&[9, 9])
        .write(EXPLICIT);
    assert_eq!(decode(&flat).unwrap(), sixteen(2, 1, vec![32_768; 2]));
}

#[test]
fn windows() {
    let words: Vec<u16> = (0..=100).map(|i| i * 10).collect();
    // Modality values are twice the stored ones, less 500.
    let value = |w: &u16| 2.0 * f64::from(*w) - 500.0;
    let (c, w) = (300.5, 400.0);
    type Law = fn(f64, f64, f64) -> f64;
    // PS3.3, C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2.
    let laws: [(Option<&str>, Law); 4] = [
        (None, |x, c, w| {
            if x <= c - 0.5 - (w - 1.0) / 2.0 {
                0.0
            } else if x > c - 0.5 + (w - 1.0) / 2.0 {
                1.0
            } else {
                (x - (c - 0.5)) / (w - 1.0) + 0.5
            }
        }),
        (Some("LINEAR"), |x, c, w| {
            ((x - (c - 0.5)) / (w - 1.0) + 0.5).clamp(0.0, 1.0)
        }),
        (Some("LINEAR_EXACT"), |x, c, w| {
            ((x - c) / w + 0.5).clamp(0.0, 1.0)
        }),
        (Some("SIGMOID"), |x, c, w| {
            1.0 / (1.0 + (-4.0 * (x - c) / w).exp())
        }),
    ];
    for (function, law) in laws {
        for photometric in ["MONOCHROME1", "MONOCHROME2"] {
            let mut file = File::new(101, 1, photometric, 16)
                .stored(10)
                .text(SLOPE, VR::DS, "2")
                .text(INTERCEPT, VR::DS, "-500")
                .with(CENTRE, VR::DS, dicom_value!(Strs, ["300.5", "1"]))
                .with(WIDTH, VR::DS, dicom_value!(Strs, ["400", "2"]));
            if let Some(function) = function {
                file = file.text(FUNCTION, VR::CS, function);
            }
            let grey = |w_: &u16| {
                let grey = law(value(w_), c, w);
                let grey = if photometric == "MONOCHROME1" {
                    1.0 - grey
                } else {
                    grey
                };
                (grey * 65_535.0).round() as u16
            };
            let expected = sixteen(101, 1, words.iter().map(grey).collect());
            let found = decode(&file.words(&words).write(EXPLICIT)).unwrap();
            assert!(found == expected, "{function:?} {photometric}");
        }
    }
    // Eight bits with a window go through it; a window of width 1 is a threshold.
    let file = File::new(3, 1, "MONOCHROME2", 8)
        .text(CENTRE, VR::DS, "100")
        .text(WIDTH, VR::DS, "1")
        .bytes(&[99, 100, 101, 0])
        .write(EXPLICIT);
    assert!(decode(&file).unwrap() == sixteen(3, 1, vec![0, 65_535, 65_535]));
}

#[test]
fn colour() {
    let pixels: Vec<u8> = (0..18).map(|i| i * 13).collect();
    let expected = eight(3, 2, 3, pixels.clone());
    let file = File::new(3, 2, "RGB", 8).bytes(&pixels).write(EXPLICIT);
    assert!(decode(&file).unwrap() == expected);
    let planes: Vec<u8> = (0..3)
        .flat_map(|c| pixels.iter().skip(c).step_by(3).copied())
        .collect();
    let file = File::new(3, 2, "RGB", 8)
        .number(0x0006, 1)
        .bytes(&planes)
        .write(IMPLICIT);
    assert!(decode(&file).unwrap() == expected);
    // The primaries in JFIF's luma and colour differences.
    let primaries = [76, 85, 255, 150, 44, 21, 29, 255, 107, 128, 128, 128];
    let file = File::new(4, 1, "YBR_FULL", 8)
        .bytes(&primaries)
        .write(EXPLICIT);
    let rgb = vec![254, 0, 0, 0, 255, 1, 0, 0, 254, 128, 128, 128];
    assert_eq!(decode(&file).unwrap(), eight(4, 1, 3, rgb));
}

#[test]
fn sequences_before_the_pixels_are_stepped_over() {
    let inner = InMemDicomObject::from_element_iter([
        DataElement::new(Tag(0x0028, 0x0010), VR::US, PrimitiveValue::from(999_u16)),
        DataElement::new(Tag(0x0008, 0x0100), VR::SH, PrimitiveValue::from("CODE")),
    ]);
    for syntax in [IMPLICIT, EXPLICIT] {
        let mut file = File::new(2, 1, "MONOCHROME2", 8);
        let items = dicom_core::value::DataSetSequence::from(vec![inner.clone(), inner.clone()]);
        file.0
            .put(DataElement::new(Tag(0x0008, 0x2112), VR::SQ, items));
        let bytes = file.bytes(&[1, 2]).write(syntax);
        assert!(decode(&bytes).unwrap() == eight(2, 1, 1, vec![1, 2]));
    }
}

#[test]
fn run_lengths() {
    let run = |header: &[u32], data: &[u8]| {
        let mut frame: Vec<u8> = header.iter().flat_map(|w| w.to_le_bytes()).collect();
        frame.resize(64, 0);
        frame.extend(data);
        frame
    };
    // High bytes 1 1 1 1, then a literal; low bytes a literal and a run; 128 means nothing.
    let frame = run(&[2, 64, 68], &[253, 1, 0, 0, 128, 3, 1, 2, 3, 4]);
    let file = File::new(4, 1, "MONOCHROME2", 16)
        .text(CENTRE, VR::DS, "32768")
        .text(WIDTH, VR::DS, "65536");
    let file = file.fragments(&[&frame[..50], &frame[50..]]).write(RLE);
    assert_eq!(
        decode(&file).unwrap(),
        sixteen(4, 1, vec![257, 258, 259, 260])
    );
    let frame = run(&[3, 64, 66, 68], &[255, 9, 255, 8, 1, 7, 6, 0]);
    let file = File::new(2, 1, "RGB", 8).fragments(&[&frame]).write(RLE);
    assert_eq!(
        decode(&file).unwrap(),
        eight(2, 1, 3, vec![9, 8, 7, 9, 8, 6])
    );
    for (header, data) in [
        (&[2, 64, 68][..], &[253, 1, 0, 0, 3, 1, 2, 3][..]),
        (&[2, 68, 64], &[253, 1, 253, 1]),
        (&[2, 64, 5000], &[253, 1, 253, 1]),
        (&[1, 64], &[253, 1, 253, 1]),
        (&[2, 0, 0], &[]),
    ] {
        let frame = run(header, data);
        let file = File::new(4, 1, "MONOCHROME2", 16)
            .fragments(&[&frame])
            .write(RLE);
        assert!(decode(&file).unwrap_err().to_string().contains("RLE"));
    }
}

#[test]
fn jpeg_streams() {
    let flat = image::GrayImage::from_pixel(16, 8, image::Luma([77]));
    let mut stream = std::io::Cursor::new(Vec::new());
    flat.write_to(&mut stream, image::ImageFormat::Jpeg)
        .unwrap();
    let stream = stream.into_inner();
    let halves = [&stream[..100], &stream[100..]];
    let file = File::new(16, 8, "MONOCHROME1", 8)
        .fragments(&halves)
        .write(JPEG);
    assert!(decode(&file).unwrap() == eight(16, 8, 1, vec![178; 128]));
    for (width, photometric, cause) in [
        (8, "MONOCHROME2", "another size"),
        (16, "YBR_FULL_422", "other channels"),
        (16, "RGB", "other channels"),
    ] {
        let file = File::new(width, 8, photometric, 8)
            .fragments(&halves)
            .write(JPEG);
        assert!(decode(&file).unwrap_err().to_string().contains(cause));
    }
    let cut = [&stream[..stream.len() - 2]];
    let file = File::new(16, 8, "MONOCHROME2", 8)
        .fragments(&cut)
        .write(JPEG);
    assert!(decode(&file).unwrap_err().to_string().contains("cut off"));
}

/// A lossless JPEG stream of one channel, each sample predicted from its left neighbour (ITU-T T.81, H.1).
fn lossless(width: u16, height: u16, precision: u8, samples: &[u16]) -> Vec<u8> {
    let [h1, h0] = height.to_be_bytes();
    let [w1, w0] = width.to_be_bytes();
    let mut stream = b"\xFF\xD8\xFF\xC4\0\x24\0\0\0\0\x0F\x01\x01\0\0\0\0\0\0\0\0\0\0".to_vec();
    stream.extend(0..17);
    stream.extend([0xFF, 0xC3, 0, 11, precision, h1, h0, w1, w0, 1, 1, 0x11, 0]);
    stream.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0]);
    let mut bits = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).rev().map(|i| value >> i & 1));
    for (i, &sample) in samples.iter().enumerate() {
        let prediction = match (i % usize::from(width), i) {
            (_, 0) => 1 << (precision - 1),
            (0, _) => samples[i - usize::from(width)],
            _ => samples[i - 1],
        };
        let difference = i32::from(sample.wrapping_sub(prediction) as i16);
        let size = 32 - difference.unsigned_abs().leading_zeros();
        // Fifteen codes of 4 bits, one of 5, one of 6.
        match size {
            0..=14 => put(size, 4),
            15 => put(0b11110, 5),
            _ => put(0b11_1110, 6),
        }
        let sign = i32::from(difference < 0);
        if size < 16 {
            put((difference - sign) as u32 & ((1 << size) - 1), size);
        }
    }
    bits.resize(bits.len().next_multiple_of(8), 1);
    for byte in bits.chunks(8) {
        let byte = byte.iter().fold(0, |byte, &bit| byte << 1 | bit) as u8;
        stream.push(byte);
        if byte == 0xFF {
            stream.push(0);
        }
    }
    stream.extend([0xFF, 0xD9]);
    stream
}

fn of_lossless(stream: &[u8], width: u16, height: u16, allocated: u16, stored: u16) -> Vec<u8> {
    File::new(width, height, "MONOCHROME2", allocated)
        .stored(stored)
        .text(CENTRE, VR::DS, "32768")
        .text(WIDTH, VR::DS, "65536")
        .fragments(&[stream])
        .write(LOSSLESS)
}

#[test]
fn lossless_jpeg_streams() {
    let mixed: Vec<u32> = (0..35)
        .map(|i| i * i * 77_777 + i * 12_345 + 32_768)
        .collect();
    for (precision, allocated) in [(16, 16), (12, 16), (8, 8)] {
        let samples: Vec<u16> = mixed
            .iter()
            .map(|v| (v % (1 << precision)) as u16)
            .collect();
        let stream = lossless(7, 5, precision as u8, &samples);
        let found = decode(&of_lossless(&stream, 7, 5, allocated, precision));
        assert_eq!(found.unwrap(), sixteen(7, 5, samples));
        let cut = &stream[..stream.len() - 2];
        let said = decode(&of_lossless(cut, 7, 5, allocated, precision));
        assert!(said.unwrap_err().to_string().contains("cut off"));
    }
    // Predictor 6, from another encoder (imagecodecs 2025, `ljpeg_encode`, 12 bits).
    let stream = b"\xff\xd8\xff\xc4\x00\x19\x00\x01\x00\x03\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x09\x0a\x0c\x07\x0b\xff\xc3\x00\x0b\x0c\x00\x05\x00\x06\x01\x00\x11\x00\xff\xda\x00\x08\x01\x00\x00\x06\x00\x00\xcf\xff\x00\x64\x1b\x20\xd9\x06\xc8\x36\x41\x41\xf6\x7e\xf2\x8c\x4f\x2c\x66\x25\xd4\xfc\x90\xf9\x21\x93\x4b\x47\xcb\x6c\xbf\xcc\x94\xd2\x61\xb6\xbc\xac\xf8\x58\x0b\x10\xa7\x91\x36\xa3\xa0\xff\xd9";
    let value = |r: usize, c: usize| ((r * r * 131 + c * 577 + r * c * 37) % 4096) as u16;
    let expected = (0..30).map(|i| value(i / 6, i % 6)).collect();
    let found = decode(&of_lossless(stream, 6, 5, 16, 12));
    assert_eq!(found.unwrap(), sixteen(6, 5, expected));
}

/// Frames of several fragments, told apart by either table of offsets, or by how a stream begins.
#[test]
fn frames_of_several_fragments() {
    let flat = |level: u8| {
        let image = image::GrayImage::from_pixel(16, 8, image::Luma([level]));
        let mut stream = std::io::Cursor::new(Vec::new());
        image
            .write_to(&mut stream, image::ImageFormat::Jpeg)
            .unwrap();
        let mut stream = stream.into_inner();
        // Fragments are of even length.
        if !stream.len().is_multiple_of(2) {
            stream.push(0);
        }
        stream
    };
    let streams = [flat(10), flat(90), flat(200)];
    let mut parts: Vec<&[u8]> = Vec::new();
    for stream in &streams[..2] {
        parts.extend([&stream[..100], &stream[100..150], &stream[150..]]);
    }
    parts.push(&streams[2]);
    // Each fragment has a header of eight bytes.
    let second = streams[0].len() as u32 + 24;
    let third = second + streams[1].len() as u32 + 24;
    let file = |table: Vec<u32>, extended: &[u32]| {
        let mut file = File::new(16, 8, "MONOCHROME2", 8).text(Tag(0x0028, 0x0008), VR::IS, "3");
        if !extended.is_empty() {
            let offsets = extended.iter().flat_map(|&o| u64::from(o).to_le_bytes());
            let offsets = PrimitiveValue::U8(offsets.collect());
            file = file.with(Tag(0x7FE0, 0x0001), VR::OV, offsets);
        }
        let parts: Vec<Vec<u8>> = parts.iter().map(|p| p.to_vec()).collect();
        let value: PixelFragmentSequence<Vec<u8>> = PixelFragmentSequence::new(table, parts);
        file.0.put(DataElement::new(PIXELS, VR::OB, value));
        file.write(JPEG)
    };
    let tables = [0, second, third];
    for file in [
        file(vec![], &[]),
        file(tables.to_vec(), &[]),
        file(vec![], &tables),
    ] {
        for (frame, level) in [(1, 10), (2, 90), (3, 200)] {
            let found = crate::decode_frame(&file, NonZeroU32::new(frame)).unwrap();
            assert!(
                found.picture == eight(16, 8, 1, vec![level; 128]),
                "{frame}"
            );
        }
    }
    for table in [
        vec![0, second],
        vec![0, second, third + 2],
        vec![second, 0, third],
    ] {
        let said = crate::decode_frame(&file(table, &[]), NonZeroU32::new(1));
        assert!(said.unwrap_err().to_string().contains("frames"));
    }
}

#[test]
fn pixels_that_are_no_squares_are_told() {
    let notes = |ratio: &str| {
        let file = File::new(2, 1, "MONOCHROME2", 8).bytes(&[0, 255]).text(
            Tag(0x0028, 0x0034),
            VR::IS,
            ratio,
        );
        let decoded = crate::decode(&file.write(EXPLICIT)).unwrap();
        assert!(decoded.picture == eight(2, 1, 1, vec![0, 255]));
        decoded.notes
    };
    for square in ["1\\1", "20\\20 ", ""] {
        assert_eq!(notes(square), [""; 0], "{square}");
    }
    assert!(notes("4\\3")[0].contains("PixelAspectRatio 4 to 3"));
    for strange in ["1", "1\\2\\3", "a\\b", "-1\\1"] {
        assert!(notes(strange)[0].contains("unreadable"), "{strange}");
    }
}
