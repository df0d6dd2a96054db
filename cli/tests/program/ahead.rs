//! Products ahead of the images, between two processes.

use serde_json::Value;

use crate::support::{Server, images, json, raw, run, text, xray};

fn number(report: &Value, part: &str, key: &str) -> u64 {
    report[part][key].as_u64().expect("a number")
}

#[test]
fn serve_and_infer_ahead_equal_clear() {
    let server = Server::start(&["--model", "chestnet", "--max-images", "3"]);
    let (address, file) = (server.connect(), xray());
    let file = text(&file);
    let clear = json(&["clear", "--json", "--model", "chestnet", "--input", file]);
    let infer = |more: &[&str]| {
        let args = [
            "infer",
            "--json",
            "--connect",
            &address,
            "--input",
            file,
            file,
            file,
        ];
        images(&[&args, more].concat())
    };
    let (plain, ahead) = (infer(&[]), infer(&["--ahead"]));
    for (place, report) in ahead.iter().enumerate() {
        assert_eq!(raw(report), raw(&clear[0]));
        assert_eq!(report["ahead"], true);
        // The phase ahead of all images, and the keys, belong to the first.
        for key in [
            "ahead_client_to_server_bytes",
            "ahead_server_to_client_bytes",
            "ahead_flights",
        ] {
            assert_eq!(number(report, "comm", key) > 0, place == 0, "{key}");
        }
        assert_eq!(
            number(report, "comm", "setup_client_to_server_bytes") > 0,
            place == 0
        );
        assert_eq!(
            report["time"]["ahead_s"].as_f64().expect("seconds") > 0.0,
            place == 0
        );
        for key in [
            "client_to_server_bytes",
            "server_to_client_bytes",
            "flights",
        ] {
            let (of_all, online) = (
                number(&plain[place], "comm", key),
                number(report, "comm", key),
            );
            assert!(online < of_all, "{key}: {online} and {of_all}");
        }
    }
    for report in &plain {
        assert_eq!(raw(report), raw(&clear[0]));
        assert!(report.get("ahead").is_none());
        assert_eq!(number(report, "comm", "ahead_flights"), 0);
    }
}

#[test]
fn demo_and_its_words() {
    for mode in ["faithful", "fast"] {
        let output = run(&["demo", "--ahead", "--mode", mode]);
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        for words in [
            "(ahead: client to server ",
            "; online: client to server ",
            "; keys ",
            ", ahead ",
        ] {
            assert!(said.contains(words), "{words} in {said}");
        }
    }
    let plain = String::from_utf8(run(&["demo"]).stdout).expect("UTF-8");
    assert!(!plain.contains("ahead"), "{plain}");
}

/// By oblivious transfer alone there is nothing to do ahead, and the findings are the same.
#[test]
fn a_model_without_such_layers_says_so() {
    let output = run(&["demo", "--ahead", "--preset", "ot", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("no layer of this model has anything to do ahead"),
        "{errors}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(
        (&report["ahead"], &report["exact"]),
        (&false.into(), &true.into())
    );
    assert_eq!(number(&report, "comm", "ahead_flights"), 0);
    assert_eq!(number(&report, "comm", "setup_client_to_server_bytes"), 0);
}
