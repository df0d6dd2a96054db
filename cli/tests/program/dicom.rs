//! Real DICOM files give what their pixels give as PNG and JPEG files; others are refused at no cost.

use std::path::Path;

use crate::support::{assets, fails, json, models, raw, run_watched, text};

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

#[test]
fn what_a_file_claims_takes_no_memory() {
    let short = |element: u16, value: u16| {
        let [e0, e1] = element.to_le_bytes();
        let [v0, v1] = value.to_le_bytes();
        [0x28, 0, e0, e1, b'U', b'S', 2, 0, v0, v1]
    };
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
