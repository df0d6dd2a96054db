//! Real DICOM files give what their pixels give as PNG and JPEG files.

mod support;

use std::path::Path;

use support::{json, models, raw};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

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

    let weights = support::assets().join("chestnet.safetensors");
    let out = folder.path().join("m.bray");
    let report = json(&[
        "import",
        "--json",
        "--arch",
        "chestnet",
        "--weights",
        text(&weights),
        "--calibrate",
        text(&dicom),
        "--out",
        text(&out),
    ]);
    assert_eq!(report[0]["images"], 2);
}
