//! What travels with a model: its public part, how it wants its images; and models with random weights.

use std::path::Path;

use crate::support::{Server, assets, blindray, fails, json, raw, run, text, xray};
use serde_json::Value;

/// Imports the embedded network's weights anew, with further options.
fn import(out: &Path, more: &[&str]) -> std::process::Output {
    let (weights, xrays) = (
        assets().join("chestnet.safetensors"),
        assets().join("xrays"),
    );
    let args = [
        "import",
        "--json",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&weights),
    ];
    let args = [
        &args[..],
        &["--calibrate", text(&xrays), "--out", text(out)],
        more,
    ]
    .concat();
    run(&args)
}

#[test]
fn a_client_holds_the_server_to_its_public_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, image) = (folder.path().join("m.bray"), xray());
    assert!(import(&model, &[]).status.success());
    let public = folder.path().join("m.public.json");
    let server = Server::start(&["--model", text(&model), "--timeout", "5"]);
    let address = server.connect();
    let infer = |public: &Path| {
        let args = [
            "infer",
            "--json",
            "--connect",
            &address,
            "--input",
            text(&image),
        ];
        run(&[&args[..], &["--public", text(public)]].concat())
    };
    let good = infer(&public);
    assert!(
        good.status.success(),
        "{}",
        String::from_utf8_lossy(&good.stderr)
    );

    // The same in all but a label.
    let json = std::fs::read_to_string(&public).expect("the public part");
    let other = folder.path().join("other.json");
    std::fs::write(&other, json.replace("PNEUMONIA", "PNEUMONIE")).expect("a file");
    fails(&infer(&other), 1, "model");
    for damaged in [&json[..json.len() / 2], "{}", ""] {
        std::fs::write(&other, damaged).expect("a file");
        fails(&infer(&other), 2, "other.json");
    }
    fails(
        &infer(&model),
        2,
        "m.bray is no public part of a model, the .public.json",
    );
    fails(&infer(Path::new("absent.json")), 2, "absent.json");
    // Another client's expectation sent it no session.
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("1 image in").count(), 1, "{said}");

    let elsewhere = folder.path().join("elsewhere.json");
    assert!(
        import(&model, &["--public", text(&elsewhere)])
            .status
            .success()
    );
    assert_eq!(std::fs::read_to_string(&elsewhere).expect("a file"), json);
}

#[test]
fn crops_and_filters_travel_with_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, image) = (folder.path().join("m.bray"), xray());
    let clear = |arithmetic: &str| {
        let args = [
            "clear",
            "--json",
            "--model",
            text(&model),
            "--input",
            text(&image),
        ];
        json(&[&args[..], &["--arithmetic", arithmetic]].concat()).remove(0)
    };
    let logits = |report: &Value| -> Vec<f64> {
        let outputs = report["outputs"].as_array().expect("outputs");
        outputs
            .iter()
            .map(|o| o["logit"].as_f64().expect("logit"))
            .collect()
    };
    let mut seen = Vec::new();
    for options in [
        &[][..],
        &["--resize", "90"],
        &["--resize", "90", "--filter", "lanczos"],
        &["--resize", "90", "--ten-crop"],
    ] {
        let output = import(&model, options);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (fixed, float) = (clear("fixed"), clear("float"));
        for (a, b) in logits(&fixed).iter().zip(&logits(&float)) {
            assert!((a - b).abs() < 0.1, "{options:?}: {a} {b}");
        }
        assert!(!seen.contains(&raw(&fixed)), "{options:?}");
        seen.push(raw(&fixed));
    }
    // Ten inputs, one answer; and one image for the server's limit.
    let server = Server::start(&["--model", text(&model), "--max-images", "1"]);
    let address = server.connect();
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ];
    let report = json(&args).remove(0);
    assert_eq!(raw(&report), raw(&clear("fixed")));
    let layers = report["layers"].as_array().expect("layers");
    let sum: u64 = layers
        .iter()
        .map(|l| l["client_to_server_bytes"].as_u64().expect("bytes"))
        .sum();
    assert_eq!(report["comm"]["client_to_server_bytes"].as_u64(), Some(sum));
    // The plan of an image is that of all its views.
    let plan = json(&["plan", "--json", "--model", text(&model)]).remove(0);
    assert_eq!(plan["views"], 10);
    for part in ["comm", "bits"] {
        assert_eq!(plan[part], report[part], "{part}");
    }
    let costs = |report: &Value| -> Vec<[Value; 4]> {
        let layers = report["layers"].as_array().expect("layers").iter();
        let keys = ["name", "macs", "client_to_server_bytes", "flights"];
        layers.map(|l| keys.map(|key| l[key].clone())).collect()
    };
    assert_eq!(costs(&plan), costs(&report));
    let shown = run(&["plan", "--model", text(&model)]);
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.contains("traffic of one image in 10 views: "),
        "{shown}"
    );
    fails(&run(&[&args[..], &[text(&image)]].concat()), 1, "2 images");
}

#[test]
fn options_of_an_import_that_do_not_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("none.bray");
    let nowhere = folder.path().join("absent/public.json");
    for (options, cause) in [
        (&["--resize", "3"][..], "--resize: 1x80x80 cannot be"),
        (&["--resize", "100000"], "--resize"),
        (&["--crop", "ten"], "--crop ten needs --resize"),
        (
            &["--labels", "a"],
            "--labels needs a name for each output of the network: 2, and 1",
        ),
        (&["--labels", "a,b\tc"], "too long or unprintable"),
        (&["--public", text(&nowhere)], "absent/public.json"),
        (&["--public", text(folder.path())], "cannot write"),
        (&["--public", text(&model)], "the same file"),
    ] {
        let output = import(&model, options);
        fails(&output, 2, cause);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("damaged model"), "{errors}");
        let late = errors.contains("calibrating") && options[0] == "--public";
        assert!(!late, "it is noticed before the work: {errors}");
    }
    assert!(!model.exists());
}

#[test]
fn algorithms_follow_the_objective() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, image) = (folder.path().join("m.bray"), xray());
    let (mut chosen, mut seen) = (Vec::new(), Vec::new());
    let mut integers = Vec::new();
    for options in [
        &["--objective", "bytes"][..],
        &["--objective", "time", "--network", "1Mbit,0s"],
        &["--objective", "flights"],
    ] {
        let options = [options, &["--preset", "ot", "--extension", "softspoken"]].concat();
        let fixed = ["--weight-bits", "8"];
        let output = import(&model, &[&options[..], &fixed].concat());
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let layers = report["layers"].as_array().expect("layers");
        let algorithm = |l: &Value| l["algorithm"].as_str().expect("one").to_owned();
        chosen.push(layers.iter().map(algorithm).collect::<Vec<_>>());
        let plan = ["plan", "--json", "--model", text(&model)];
        let plan = json(&[&plan[..], &options].concat()).remove(0);
        let number = |name: &str| plan["comm"][name].as_u64().expect("a number");
        seen.push((number("client_to_server_bytes"), number("flights")));
        let args = ["--model", text(&model), "--input", text(&image)];
        integers.push(raw(&json(&[&["clear", "--json"][..], &args].concat())[0]));
    }
    assert!(chosen[0].iter().any(|a| a.contains("winograd")));
    assert_eq!(chosen[0], chosen[1], "on a slow line all time is bytes");
    assert_ne!(chosen[0], chosen[2]);
    assert!(seen[2].0 > seen[0].0 && seen[2].1 < seen[0].1, "{seen:?}");
    assert!(integers.iter().all(|i| *i == integers[0]), "{integers:?}");
}

#[test]
fn backbones_with_random_weights() {
    let image = xray();
    let size = ["--model", "squeezenet", "--size", "48", "--classes", "5"];
    let args = [&["clear", "--json", "--input", text(&image)][..], &size].concat();
    let output = blindray().args(&args).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("RANDOM weights"),
        "{said}"
    );
    let clear = json(&args).remove(0);
    assert_eq!(clear["outputs"].as_array().expect("outputs").len(), 5);
    assert_eq!(clear["model"], "squeezenet (random weights)");
    let server = Server::start(&size);
    let address = server.connect();
    let secure = json(&[
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ]);
    assert_eq!(raw(&secure[0]), raw(&clear));
    // A model that has its own size.
    let with = ["--model", "chestnet", "--input", text(&image)];
    for option in ["--size", "--classes"] {
        let args = [&["clear"], &with[..], &[option, "100"]].concat();
        fails(&run(&args), 2, "leave it out");
        let listen = ["serve", "--listen", "127.0.0.1:0"];
        let args = [&listen[..], &with[..2], &[option, "100"]].concat();
        fails(&run(&args), 2, "leave it out");
    }
    for command in [&["plan"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = run(&[command, &["--model", "mobilenet-v2-x"]].concat());
        fails(
            &output,
            2,
            "`plan` replaces those of 1 x 1 as well with --xop-pointwise",
        );
    }
    // A network that is only there with its trained weights.
    fails(
        &run(&["clear", "--model", "resnet20", "--input", text(&image)]),
        2,
        "resnet20",
    );
}

#[test]
fn every_bad_image_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (empty, absent) = (
        folder.path().join("empty.png"),
        folder.path().join("absent.png"),
    );
    std::fs::write(&empty, b"").expect("a file");
    let image = xray();
    let inputs = ["--input", text(&empty), text(&image), text(&absent)];
    // Nobody is asked: nothing listens there.
    for args in [
        &["clear", "--model", "chestnet"][..],
        &["infer", "--connect", "127.0.0.1:1"],
    ] {
        let output = run(&[args, &inputs].concat());
        fails(&output, 2, "empty.png: the file is empty");
        fails(&output, 2, "absent.png");
    }
}
