//! What is not understood is refused by name, and what a user should know comes as a note.

use std::path::Path;

use images::decode;

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).expect("a file")
}

/// The file with the first of these bytes replaced.
fn with(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = file.windows(from.len()).position(|w| w == from);
    let at = at.expect("the bytes are there");
    [&file[..at], to, &file[at + from.len()..]].concat()
}

fn refused(file: &[u8], cause: &str) {
    let said = decode(file).expect_err(cause).to_string();
    assert!(said.contains(cause), "expected `{cause}` in: {said}");
}

fn notes(file: &[u8]) -> Vec<String> {
    decode(file).expect("a picture").notes
}

#[test]
fn jpeg() {
    let grey = data("grey.jpg");
    for (code, cause) in [
        (0xC9, "arithmetic"),
        (0xCA, "arithmetic"),
        (0xC5, "hierarchical"),
        (0xC3, "JPEG data"),
    ] {
        refused(&with(&grey, &[0xFF, 0xC0], &[0xFF, code]), cause);
    }
    // Bits, and components, of a frame of 19 columns and 13 rows.
    let frame = b"\x08\0\x0D\0\x13\x01";
    refused(&with(&grey, frame, b"\x0C\0\x0D\0\x13\x01"), "of 12 bits");
    refused(&with(&grey, frame, b"\x08\0\x0D\0\x13\x04"), "CMYK");
    refused(&with(&grey, frame, b"\x08\0\0\0\x13\x01"), "height");
    refused(
        &with(&grey, frame, b"\x08\xFF\xFF\xFF\xFF\x01"),
        "65535x65535",
    );
    // One block less than there are, and a hundred times as many as the bytes can hold.
    refused(&with(&grey, frame, b"\x08\0\x15\0\x13\x01"), "cut off");
    refused(&with(&grey, frame, b"\x08\x20\0\x20\0\x01"), "cut off");
    // The last scan of a progressive stream is left out, or the last two, and so on.
    let progressive = data("grey_progressive.jpg");
    let scans: Vec<usize> = (0..progressive.len() - 1)
        .filter(|&i| progressive[i..i + 2] == [0xFF, 0xDA])
        .collect();
    for &scan in &scans {
        let cut = [&progressive[..scan], &[0xFF, 0xD9]].concat();
        refused(&cut, "cut off");
    }
    assert!(scans.len() > 3);
    // A scan that comes twice, and one whose restart markers come in another order.
    let last = &progressive[scans[scans.len() - 1]..];
    let twice = [&progressive[..progressive.len() - 2], last].concat();
    refused(&twice, "damaged");
    let restarts = data("420_restarts.jpg");
    refused(&with(&restarts, &[0xFF, 0xD0], &[0xFF, 0xD1]), "damaged");
}

/// A PNG file of 16 bits, of which `significant` count.
fn png_of_16_bits(samples: &[u16], significant: u8) -> Vec<u8> {
    let width = u32::try_from(samples.len()).expect("few");
    let image: image::ImageBuffer<image::Luma<u16>, _> =
        image::ImageBuffer::from_raw(width, 1, samples.to_vec()).expect("a row");
    let mut file = std::io::Cursor::new(Vec::new());
    let written = image.write_to(&mut file, image::ImageFormat::Png);
    written.expect("a file");
    let file = file.into_inner();
    // Nobody checks the sum of a chunk that need not be read; it comes after the header of 33 bytes.
    let chunk = [
        &b"\0\0\0\x01sBIT"[..],
        &[significant],
        &crc(&[b's', b'B', b'I', b'T', significant]),
    ];
    [&file[..33], &chunk.concat(), &file[33..]].concat()
}

/// CRC-32 of ISO 3309, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 * (crc & 1))
        })
    });
    (!crc).to_be_bytes()
}

#[test]
fn png_of_fewer_bits() {
    let raw = [0, 1, 2047, 4095];
    // At the lower end, told and not told; and at the upper end, by either way to fill the rest.
    let stretched = "samples of 12 bits lie at the lower end of 16: stretched to the whole range";
    let dark = "no sample is above 1/16 of the range, so that the picture is almost black";
    let upper = raw.map(|v| v << 4);
    let filled = raw.map(|v| v << 4 | v >> 8);
    for (samples, significant, expected, notes) in [
        (raw, 12, [0, 16, 32_759, 65_535], vec![stretched]),
        (raw, 16, raw, vec![dark]),
        (upper, 12, upper, vec![]),
        (filled, 12, filled, vec![]),
    ] {
        let found = decode(&png_of_16_bits(&samples, significant)).expect("a picture");
        assert_eq!(found.notes, notes);
        let expected = nets::Samples::Sixteen(expected.to_vec());
        let expected = nets::Picture::new(4, 1, 1, expected).expect("a picture");
        assert!(found.picture == expected, "{samples:?} {significant}");
    }
}

#[test]
fn dicom() {
    let plain = data("window_signed.dcm");
    // "0.5 " is the slope, "12000 " the width of the window.
    refused(
        &with(&plain, b"DS\x04\x000.5 ", b"DS\x04\x000.0 "),
        "RescaleSlope is 0",
    );
    let none = with(&plain, b"DS\x06\x0012000 ", b"DS\x06\x000     ");
    assert_eq!(
        notes(&none),
        ["its WindowWidth of 0 is none: the values present span black to white"]
    );
    let linear = with(&plain, b"MONOCHROME2 ", b"YBR_FULL_42X");
    refused(&linear, "YBR_FULL_42X with 1 samples");
    let sigmoid = data("window_sigmoid.dcm");
    refused(
        &with(&sigmoid, b"SIGMOID ", b"SIGMOIDS"),
        "window function SIGMOIDS",
    );
    // A far window makes all of it black, which is said.
    let far = with(&plain, b"DS\x04\x00500 ", b"DS\x04\x009999");
    assert_eq!(notes(&far), [""; 0]);
    let palette = data("palette8.dcm");
    refused(
        &with(&palette, b"\x28\0\x01\x12OW", b"\x28\0\x21\x12OW"),
        "segmented",
    );
    let frames = data("groups.dcm");
    refused(&frames, "3 frames, and none was chosen");
    let beyond = images::decode_frame(&frames, 4.try_into().ok()).expect_err("three");
    assert!(
        beyond
            .to_string()
            .contains("frame 4 was chosen, and it has 3")
    );
    // The header says RGB, the stream has the marks of colour differences.
    let colour = data("jpeg_rgb.dcm");
    refused(
        &with(&colour, b"RGB ", b"YBR "),
        "photometric interpretation YBR",
    );
    let jfif = with(
        &colour,
        b"Adobe\0\x64\0\0\0\0\0",
        b"Adobe\0\x64\0\0\0\0\x01",
    );
    assert_eq!(
        notes(&jfif),
        [
            "its header says RGB, its JPEG stream luma and colour differences: the stream is followed"
        ]
    );
    let j2k = data("j2k_12.dcm");
    // The only tile is said to be the second.
    let tile = b"\xFF\x90\0\x0A\0\0";
    refused(
        &with(&j2k, tile, b"\xFF\x90\0\x0A\0\x01"),
        "JPEG 2000 stream is damaged",
    );
    let jls = data("jls_12.dcm");
    let frame = b"\xFF\xF7\0\x0B\x0C";
    refused(
        &with(&jls, frame, b"\xFF\xF7\0\x0B\x11"),
        "JPEG-LS stream is damaged",
    );
    refused(
        &with(&jls, b"\xFF\xDA\0\x08", b"\xFF\xDD\0\x08"),
        "restarts",
    );
}
