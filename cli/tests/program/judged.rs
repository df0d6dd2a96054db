//! What `import` refuses to write because of what it measured, and what a model says of the images that it was made for.
//!
//! The networks are in `tests/cases`: each has a fault of one kind, or is a sound one beside those.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{Server, fails, json, run, text};
use serde_json::Value;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(name)
}

/// Imports a network of the cases, calibrated on a folder of them.
fn import(network: &str, images: &str, out: &Path, more: &[&str]) -> Output {
    let (network, images) = (case(network), case(images));
    let args = ["import", "--json", "--onnx", text(&network)];
    let args = [
        &args[..],
        &["--calibrate", text(&images), "--out", text(out)],
        more,
    ]
    .concat();
    run(&args)
}

fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn clear(model: &Path, image: &Path, arithmetic: &str) -> Value {
    let args = ["clear", "--json", "--model", text(model), "--input"];
    let more = [text(image), "--arithmetic", arithmetic];
    json(&[&args[..], &more].concat()).remove(0)
}

fn probability(report: &Value) -> f64 {
    report["outputs"][0]["probability"]
        .as_f64()
        .expect("a probability")
}

#[test]
fn sound_networks_have_no_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    for (network, images) in [("good16.onnx", "cal16"), ("tinyweights.onnx", "cal8")] {
        let report = report(&import(network, images, &out, &[]));
        assert_eq!(
            report["faults"].as_array().map(Vec::len),
            Some(0),
            "{network}"
        );
        assert_eq!(report["same_top"], report["images"], "{network}");
        assert_eq!(report["wrapped"], 0, "{network}");
        let prices = report["prices"].as_array().expect("prices");
        assert_eq!(prices.len(), 3);
        assert!(
            prices
                .iter()
                .any(|p| p["ranges"] == "robust" && p["chosen"] == true)
        );
        assert!(
            prices.iter().all(|p| p["bytes"].as_u64() > Some(0)),
            "{prices:?}"
        );
    }
}

#[test]
fn an_accuracy_that_is_not_held_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    let refused = import("accuracy_not_held.onnx", "cal8", &out, &[]);
    fails(&refused, 1, "an accuracy of 0.01 cannot be held");
    assert!(!out.exists());

    let accepted = ["--accept-accuracy-loss"];
    let report = report(&import("accuracy_not_held.onnx", "cal8", &out, &accepted));
    assert_eq!(report["faults"][0]["fault"], "accuracy");
    let image = case("cal8/000.png");
    let said = clear(&out, &image, "fixed")["accepted"].to_string();
    assert!(
        said.contains("an accuracy of 0.01 cannot be held"),
        "{said}"
    );
    let shown = run(&["clear", "--model", text(&out), "--input", text(&image)]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("WARNING: this was accepted"), "{shown}");
    // The server's log and the client's result say it too.
    let server = Server::start(&["--model", text(&out)]);
    let address = server.connect();
    let args = ["infer", "--json", "--connect", &address, "--input"];
    let found = json(&[&args[..], &[text(&image)]].concat()).remove(0);
    assert!(
        found["accepted"]
            .to_string()
            .contains("an accuracy of 0.01")
    );
    let (_, log) = server.stop();
    assert!(
        log.contains("this was accepted when the model was made"),
        "{log}"
    );
}

#[test]
fn what_wraps_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    let output = import("values_wrap.onnx", "cal8", &out, &[]);
    if output.status.success() {
        assert_eq!(report(&output)["wrapped"], 0);
    } else {
        fails(&output, 1, "no model was written");
        assert!(!out.exists());
    }
}

#[test]
fn one_logit_is_yes_or_no() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    report(&import("binary_one_logit.onnx", "cal8", &out, &[]));
    let found = |name: &str| probability(&clear(&out, &case(name), "fixed"));
    let (first, other) = (found("cal8/000.png"), found("cal8/005.png"));
    assert!(first != other, "{first} {other}");
}

#[test]
fn a_negative_variance_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    let output = import("bn_varneg.onnx", "cal8", &out, &[]);
    fails(&output, 2, "a variance below 0 (of batch-norm `n`)");
    assert!(!out.exists());
}

#[test]
fn levels_are_no_parts_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    for (option, level, right) in [
        ("--mean", "123.675", "0.4850 would be right"),
        ("--std", "58.395", "0.2290 would be right"),
    ] {
        let output = import("good16.onnx", "cal16", &out, &[option, level]);
        fails(&output, 2, right);
    }
}

/// Calibrated on nearly black images, asked about a white one.
#[test]
fn an_image_unlike_the_calibration() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    let white = case("dark/white.png");
    let output = import("dark/net.onnx", "dark/cal", &out, &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("are all dark: no pixel is above 7"),
        "{errors}"
    );
    report(&output);
    let [fixed, float] = ["fixed", "float"].map(|a| clear(&out, &white, a));
    let (p, q) = (probability(&fixed), probability(&float));
    assert!((p - q).abs() < 0.01, "{p} {q}");
    assert_eq!(fixed["wrapped"], 0);
    for found in [&fixed, &float] {
        let unlike = found["unlike"].as_str().expect("it is too bright");
        assert!(
            unlike.contains("mean") && unlike.contains("255"),
            "{unlike}"
        );
    }
    let like = clear(&out, &case("dark/cal/0.png"), "fixed");
    assert_eq!(like["unlike"], Value::Null);

    // A client is told before anything is sent, or sends nothing.
    let server = Server::start(&["--model", text(&out)]);
    let address = server.connect();
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&white),
    ];
    let told = run(&args);
    let errors = String::from_utf8_lossy(&told.stderr);
    assert!(
        told.status.success() && errors.contains("its finding may be wrong"),
        "{errors}"
    );
    let strict = run(&[&args[..], &["--strict-input"]].concat());
    fails(&strict, 2, "nothing was asked of the server about it");
    server.stop();

    // With no more room than the calibration shows, values wrap, and this is counted.
    report(&import(
        "dark/net.onnx",
        "dark/cal",
        &out,
        &["--ranges", "calibrated"],
    ));
    let found = clear(&out, &white, "fixed");
    assert!(found["wrapped"].as_u64() > Some(0), "{found}");
}

/// No image whatever wraps where ranges are proved.
#[test]
fn proved_ranges_hold_for_every_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("m.bray");
    report(&import(
        "dark/net.onnx",
        "dark/cal",
        &out,
        &["--ranges", "proved"],
    ));
    let image = folder.path().join("noise.png");
    let mut state = 1_u32;
    for _ in 0..8 {
        let noise = image::GrayImage::from_fn(16, 16, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Luma([if state >> 31 == 0 { 0 } else { 255 }])
        });
        noise.save(&image).expect("a file");
        let found = clear(&out, &image, "fixed");
        assert_eq!(found["wrapped"], 0, "{found}");
        let (p, q) = (
            probability(&found),
            probability(&clear(&out, &image, "float")),
        );
        assert!((p - q).abs() < 0.01, "{p} {q}");
    }
}
