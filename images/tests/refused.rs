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
