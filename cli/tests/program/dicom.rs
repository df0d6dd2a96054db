//! Real DICOM files give what their pixels give as PNG and JPEG files; others are refused at no cost.

use std::path::Path;

use crate::support::{assets, fails, json, models, raw, run, run_watched, text};

fn clear(image: &Path) -> Vec<i64> {
    let args = [
        "clear",
        "--json",
        "--model",
        "chestnet",
        "--input",
        text(image),
    ];
    raw(&json(&args)[0])
}

#[test]
fn xrays_in_dicom_files() {
    let Some(models) = models() else { return };
    let dicom = models.join("images/dicom");
    let folder = tempfile::tempdir().expect("a folder");

    // 1024 x 1024 samples of 8 bits at the end of the file.
    let file = dicom.join("nih_dx_1024_mono2_raw.dcm");
    let bytes = std::fs::read(&file).expect("a file");
    let pixels = bytes[bytes.len() - (1 << 20)..].to_vec();
    let png = folder.path().join("x.png");
    let image = image::GrayImage::from_raw(1024, 1024, pixels).expect("its samples");
    image.save(&png).expect("a file");
    assert_eq!(clear(&file), clear(&png));

    // One JPEG stream, in one fragment.
    let file = dicom.join("cr_1024_mono2_jpegbaseline.dcm");
    let bytes = std::fs::read(&file).expect("a file");
    let start = bytes
        .windows(3)
        .position(|w| w == [0xFF, 0xD8, 0xFF])
        .expect("a start");
    let end = bytes
        .windows(2)
        .rposition(|w| w == [0xFF, 0xD9])
        .expect("an end");
    let jpeg = folder.path().join("x.jpeg");
    std::fs::write(&jpeg, &bytes[start..end + 2]).expect("a file");
    assert_eq!(clear(&file), clear(&jpeg));

    let weights = assets().join("chestnet.safetensors");
    let out = folder.path().join("m.bray");
    let report = json(&[
        "import",
        "--json",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&weights),
        "--calibrate",
        text(&dicom),
        "--out",
        text(&out),
    ]);
    assert_eq!(report[0]["images"], 2);
}

/// An explicit little-endian DICOM file of these elements.
fn file(elements: &[u8]) -> Vec<u8> {
    let meta = b"DICM\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0";
    [&[0; 128][..], meta, elements].concat()
}

/// An element of group 0028 that is a word.
fn short(element: u16, value: u16) -> [u8; 10] {
    let [e0, e1] = element.to_le_bytes();
    let [v0, v1] = value.to_le_bytes();
    [0x28, 0, e0, e1, b'U', b'S', 2, 0, v0, v1]
}

/// Three frames, of which each is as bright as its number says, in a file whose name says nothing.
#[test]
fn frames() {
    let (width, height) = (40_u16, 30_u16);
    let plane = usize::from(width) * usize::from(height);
    let frames: Vec<u8> = [10, 90, 200].iter().flat_map(|&v| vec![v; plane]).collect();
    let elements = [
        &short(0x0002, 1)[..],
        b"\x28\0\x04\0CS\x0c\0MONOCHROME2 ",
        b"\x28\0\x08\0IS\x02\x003 ",
        &short(0x0010, height),
        &short(0x0011, width),
        &short(0x0100, 8),
        &short(0x0101, 8),
        &short(0x0102, 7),
        &short(0x0103, 0),
        b"\xE0\x7F\x10\0OW\0\0\x10\x0E\0\0",
        &frames,
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("IM0001");
    std::fs::write(&path, file(&elements)).expect("a file");
    let clear = |input: &Path, frame: &[&str]| {
        let args = ["clear", "--json", "--model", "chestnet", "--input"];
        run(&[&args[..], &[text(input)], frame].concat())
    };
    fails(
        &clear(&path, &[]),
        2,
        "it has 3 frames, and none was chosen: give --frame, 1 to 3",
    );
    fails(
        &clear(&path, &["--frame", "4"]),
        2,
        "frame 4 was chosen, and it has 3",
    );
    fails(&clear(&path, &["--frame", "0"]), 2, "--frame");
    let png = folder.path().join("x.png");
    let image = image::GrayImage::from_pixel(40, 30, image::Luma([90]));
    image.save(&png).expect("a file");
    let raw_of = |output: &std::process::Output| {
        let line = String::from_utf8_lossy(&output.stdout);
        raw(&serde_json::from_str(line.trim()).expect("a result"))
    };
    let (second, alone) = (clear(&path, &["--frame", "2"]), clear(&png, &[]));
    assert_eq!(raw_of(&second), raw_of(&alone));
    // Of a folder, what is no image is passed over and counted.
    std::fs::write(folder.path().join("notes.txt"), b"none").expect("a file");
    std::fs::remove_file(&png).expect("a file");
    let found = clear(folder.path(), &["--frame", "2"]);
    assert_eq!(raw_of(&found), raw_of(&alone));
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(
        said.contains("skipped 1 file (1 no PNG, JPEG or DICOM image)"),
        "{said}"
    );
}

#[test]
fn what_a_file_claims_takes_no_memory() {
    let described = [
        &short(0x0002, 1)[..],
        b"\x28\0\x04\0CS\x0c\0MONOCHROME2 ",
        &short(0x0010, 16_000),
        &short(0x0011, 6_000),
        &short(0x0100, 16),
        &short(0x0101, 16),
        &short(0x0102, 15),
        &short(0x0103, 0),
    ]
    .concat();
    let pixels = b"\xE0\x7F\x10\0OW\0\0\x04\0\0\0ABCD";
    let nested = b"\x08\0\x12\x21SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.dcm");
    for (elements, cause) in [
        (b"\x08\0\x05\0OB\0\0\xFE\xFF\xFF\xFF".to_vec(), "cut off"),
        ([&described[..], pixels].concat(), "192000000 are needed"),
        (nested.repeat(500_000), "within each other"),
    ] {
        let bytes = file(&elements);
        std::fs::write(&path, &bytes).expect("a file");
        let (output, peak) = run_watched(&["clear", "--model", "chestnet", "--input", text(&path)]);
        fails(&output, 2, cause);
        assert!(peak < (64 << 20) + 2 * bytes.len() as u64, "{peak}");
    }
}
