//! Many images in a session, read one after the other.

use std::path::{Path, PathBuf};

use image::{GrayImage, Luma};

use crate::support::{Server, fails, json, run, run_watched, text, xray};

/// Rows and columns of an image that takes 16 MB in memory and little on disk.
const SIDE: u32 = 4_000;

fn write(path: &Path, shade: u8) {
    let stripe = |x: u32, y: u32| u8::try_from((x + y) / 500).expect("few stripes");
    let image = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([shade ^ stripe(x, y)]));
    image.save(path).expect("an image");
}

/// A folder with so many images.
fn folder(count: u8) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |number| folder.path().join(format!("{number:02}.png"));
    let paths: Vec<PathBuf> = (0..count).map(path).collect();
    for (shade, path) in (0..).zip(&paths) {
        write(path, shade);
    }
    (folder, paths)
}

#[test]
fn memory_does_not_grow_with_their_number() {
    let (folder, paths) = folder(20);
    let server = Server::start(&["--model", "chestnet", "--max-images", "20"]);
    let address = server.connect();
    let peak = |inputs: &[&str]| {
        let args = [
            &["infer", "--json", "--connect", &address, "--input"],
            inputs,
        ]
        .concat();
        let (output, peak) = run_watched(&args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        (
            String::from_utf8(output.stdout)
                .expect("UTF-8")
                .lines()
                .count(),
            peak,
        )
    };
    let (of_one, one) = peak(&[text(&paths[0])]);
    // A folder stands for what is in it.
    let (of_all, all) = peak(&[text(folder.path())]);
    // And a line about all of them.
    assert_eq!((of_one, of_all), (1, 21));
    eprintln!("peak memory: one image {one}, twenty {all}");
    // Each of the nineteen others takes 16 MB while it is read.
    assert!(all < one + (100 << 20), "{one} {all}");
}

/// What is found so far stays, and the server hears at once that no more comes.
#[test]
fn an_image_that_cannot_be_decoded_ends_the_session() {
    let (folder, paths) = folder(3);
    let bytes = std::fs::read(&paths[1]).expect("there");
    std::fs::write(&paths[1], &bytes[..bytes.len() / 2]).expect("a file");
    let mut server = Server::start(&["--model", "chestnet", "--sessions", "1"]);
    let address = server.connect();
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(folder.path()),
    ];
    let mut output = run(&args);
    let results = String::from_utf8(std::mem::take(&mut output.stdout)).expect("UTF-8");
    assert_eq!(results.lines().count(), 1);
    assert!(results.contains("00.png"), "{results}");
    fails(&output, 2, "01.png");
    let (code, said) = server.wait();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("closed the connection"), "{said}");
}

/// What can be seen without decoding is seen before a server is asked: nobody listens here.
#[test]
fn all_are_looked_at_before_a_server_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes.png");
    std::fs::write(&notes, b"no image").expect("a file");
    let absent = folder.path().join("absent.png");
    let (image, to) = (xray(), ["infer", "--connect", "127.0.0.1:1", "--input"]);
    let output = run(&[&to[..], &[text(&image), text(&notes), text(&absent)]].concat());
    fails(&output, 2, "notes.png: neither PNG nor JPEG nor DICOM");
    fails(&output, 2, "absent.png");
    let empty = tempfile::tempdir().expect("a folder");
    let output = run(&[&to[..], &[text(empty.path())]].concat());
    fails(&output, 2, "no PNG, JPEG or DICOM files");
}

#[test]
fn a_folder_stands_for_its_images() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["b.jpeg", "a.jpeg"] {
        std::fs::copy(xray(), folder.path().join(name)).expect("a file");
    }
    std::fs::write(folder.path().join("notes.txt"), b"no image").expect("a file");
    let reports = json(&[
        "clear",
        "--json",
        "--model",
        "chestnet",
        "--input",
        text(folder.path()),
    ]);
    let names: Vec<_> = reports
        .iter()
        .map(|r| r["input"].as_str().expect("a name"))
        .collect();
    assert!(
        names.len() == 2 && names[0].ends_with("a.jpeg") && names[1].ends_with("b.jpeg"),
        "{names:?}"
    );
}

/// What they cost together is the sum of what each says, in all forms that are for people or programs; tables of images have no place for it.
#[test]
fn several_images_are_summed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let server = Server::start(&["--model", "chestnet"]);
    let (address, image) = (server.connect(), xray());
    let image = text(&image);
    let one = ["infer", "--connect", &address, "--input", image];
    let all = [&one[..], &[image, image]].concat();
    let reports = json(&[&all[..], &["--json", "--report", text(&page)]].concat());
    let (summary, images) = reports.split_last().expect("lines");
    let summary = &summary["summary"];
    assert_eq!((images.len(), &summary["images"]), (3, &3.into()));
    let bytes = |report: &serde_json::Value| -> u64 {
        let comm = report["comm"].as_object().expect("an object");
        let parts = comm.iter().filter(|(key, _)| key.ends_with("_bytes"));
        parts.map(|(_, part)| part.as_u64().expect("bytes")).sum()
    };
    let mut each: Vec<u64> = images.iter().map(bytes).collect();
    assert_eq!(summary["bytes"]["all"], each.iter().sum::<u64>());
    each.sort_unstable();
    assert_eq!(summary["bytes"]["median"], each[1]);
    // The first of them has keys.
    assert!(each[0] < each[2], "{each:?}");
    let seconds = images
        .iter()
        .map(|report| report["time"]["total_s"].as_f64());
    let seconds: f64 = seconds.map(|seconds| seconds.expect("seconds")).sum();
    let summed = summary["seconds"]["all"].as_f64().expect("seconds");
    assert!((seconds - summed).abs() < 1e-6, "{seconds} {summed}");
    let said = "3 images: ";
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains(said), "{page}");
    let shown = |more: &[&str]| {
        let output = run(&[&all[..], more].concat());
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    assert!(last(&shown(&[])).starts_with(said), "{}", shown(&[]));
    assert!(!shown(&["--csv"]).contains(said));
    let single = run(&one);
    assert!(!String::from_utf8_lossy(&single.stdout).contains("1 image:"));
}
