//! Results in other forms: a page, and CSV.

use std::fs::read_to_string;
use std::thread;

use channel::Listener;
use nets::Model;
use serde_json::Value;
use service::{Server as Library, ServerOptions};

use crate::support::{Server, as_server, assets, fails, json, run, text, xray};

/// Nothing of a page is loaded from elsewhere, nothing runs, and every element that opens is closed.
fn is_sound(page: &str) {
    assert!(!page.contains("url(") && !page.contains("@import"));
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("tags end");
        let mut words = tag.split(' ');
        let name = words.next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if ["!DOCTYPE", "meta", "br"].contains(&name) => {}
            None => open.push(name),
        }
        for outside in ["script", "img", "link", "iframe"] {
            assert_ne!(name, outside);
        }
        for word in words {
            let (name, has_value) = word
                .split_once('=')
                .map_or((word, false), |(name, _)| (name, true));
            let runs = has_value && (name.starts_with("on") || ["src", "href"].contains(&name));
            assert!(!runs, "{tag}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// A page holds what the JSON says, whoever chose the names.
#[test]
fn names_of_the_peer_are_words_of_the_page() {
    let model = Model::load(&assets().join("chestnet.bray")).expect("the embedded model");
    let mut public = model.public;
    public.name = "<img src=x onerror=alert(1)>".into();
    public.labels[0] = "<script>alert('NORMAL')</script>".into();
    public.labels[1] = "=1+1,\"x\"".into();
    let server = Library::new(public, model.weights, ServerOptions::default()).expect("a server");
    let listener = Listener::bind("127.0.0.1:0", as_server()).expect("a port");
    let address = listener.local_addr().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let serve = || {
        let connection = listener.accept(server.terms(), [1; 16]).expect("a client");
        drop(server.serve(&connection, [1; 32], &mut |_| {}));
    };
    let image = xray();
    let infer = [
        "infer",
        "--connect",
        &address,
        "--input",
        text(&image),
        "--report",
        text(&page),
    ];
    let output = thread::scope(|scope| {
        scope.spawn(serve);
        run(&[&infer[..], &["--csv"]].concat())
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the report is in"), "{said}");
    let page = read_to_string(&page).expect("a page");
    is_sound(&page);
    for words in [
        "&lt;script&gt;alert('NORMAL')&lt;/script&gt;",
        "&lt;img src=x onerror=alert(1)&gt;",
        "Traffic by layer",
        "Time by layer",
        "SHA-256",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let csv = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].starts_with("input,input_sha256,model,"), "{csv}");
    assert!(csv.contains(",\"'=1+1,\"\"x\"\"\","), "{csv}");
}

/// What was found stays found where a later image cannot be read.
#[test]
fn a_page_of_a_run_that_failed_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bad, page) = (
        folder.path().join("bad.png"),
        folder.path().join("page.html"),
    );
    // It begins as an image does.
    std::fs::write(&bad, b"\x89PNG\r\n\x1a\n").expect("written");
    let image = xray();
    let output = run(&[
        "clear",
        "--model",
        "chestnet",
        "--input",
        text(&image),
        text(&bad),
        "--report",
        text(&page),
    ]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!output.stdout.is_empty());
    let page = read_to_string(&page).expect("a page");
    is_sound(&page);
    assert!(page.contains("it ended before all images were done") && page.contains("PNEUMONIA"));
}

#[test]
fn a_page_does_not_take_the_place_of_an_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("xray.jpeg");
    std::fs::copy(xray(), &input).expect("a copy");
    let clear = [
        "clear",
        "--model",
        "chestnet",
        "--input",
        text(&input),
        "--report",
    ];
    let output = run(&[&clear[..], &[text(&input)]].concat());
    fails(&output, 2, "--report would overwrite");
    let nowhere = folder.path().join("none/page.html");
    let output = run(&[&clear[..], &[text(&nowhere)]].concat());
    fails(&output, 2, "none/page.html");
    let both = run(&[&clear[..], &["page.html", "--csv", "--json"]].concat());
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn plans_and_measurements_have_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let plan = [
        "plan",
        "--model",
        "chestnet",
        "--quiet",
        "--report",
        text(&page),
    ];
    let report = json(&[&plan[..], &["--json", "--ahead"]].concat()).remove(0);
    let text_of = read_to_string(&page).expect("a page");
    is_sound(&text_of);
    for layer in report["layers"].as_array().expect("layers") {
        assert!(text_of.contains(layer["name"].as_str().expect("text")));
    }
    assert!(
        text_of.contains("ahead of the image")
            && text_of.contains("What other operators would save")
    );
    let csv = run(&["plan", "--model", "chestnet", "--csv"]);
    let csv = String::from_utf8(csv.stdout).expect("UTF-8");
    let rows = csv.split_terminator("\r\n").count();
    let layers = json(&["plan", "--model", "chestnet", "--json"]).remove(0);
    assert_eq!(rows, 1 + layers["layers"].as_array().expect("layers").len());

    let demo = run(&["demo", "--quiet", "--report", text(&page)]);
    assert!(demo.status.success());
    let demo = read_to_string(&page).expect("a page");
    is_sound(&demo);
    assert!(demo.contains("exact: the secure integers equal the clear ones in every bit"));

    let bench = json(&[
        "bench",
        "--runs",
        "1",
        "--json",
        "--quiet",
        "--report",
        text(&page),
    ])
    .remove(0);
    is_sound(&read_to_string(&page).expect("a page"));
    assert_eq!(bench["runs"], 1);
    for one in bench["operations"].as_array().expect("operations") {
        let seconds = |key: &str| one["wall_s"][key].as_f64().expect("seconds");
        assert!(seconds("least") > 0.0 && seconds("least") <= seconds("median"));
        assert!(seconds("median") <= seconds("most"));
    }
}

/// Phases are measured of what has some, and together they are what they are apart. That each run takes what is planned is what the program
/// itself insists on.
#[test]
fn phases_are_measured_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("bench.html");
    let args = ["bench", "--ahead", "--runs", "2", "--quiet", "--report"];
    let args = [&args[..], &[text(&page)]].concat();
    let bench = json(&[&args[..], &["--json"]].concat()).remove(0);
    let shown = read_to_string(&page).expect("a page");
    is_sound(&shown);
    assert_eq!(shown.matches("ahead of the input").count(), 1, "{shown}");
    let operations = bench["operations"].as_array().expect("operations");
    let by_phases = operations.iter().filter(|one| one.get("phases").is_some());
    let by_phases = by_phases.collect::<Vec<_>>();
    assert_eq!(by_phases.len(), 1);
    let whole = by_phases[0];
    assert_eq!(whole["operation"], "the same by ring-LWE");
    let phases = &whole["phases"];
    let number = |phase: &Value, key: &str| phase[key].as_u64().expect("a number");
    for key in ["bytes", "setup_bytes", "refill_bytes", "flights", "cots"] {
        let parts = ["ahead", "online"].map(|phase| number(&phases[phase], key));
        assert_eq!(parts[0] + parts[1], number(&phases["both"], key), "{key}");
    }
    assert!(number(&phases["online"], "bytes") < number(whole, "bytes"));
    assert!(number(&phases["ahead"], "bytes") > 0);
    for key in ["setup_bytes", "refill_bytes", "cots"] {
        assert_eq!(number(&phases["both"], key), number(whole, key), "{key}");
    }
    assert_eq!(number(&phases["online"], "setup_bytes"), 0);
    for phase in [whole, &phases["ahead"], &phases["online"], &phases["both"]] {
        for spread in [&phase["cpu_s"], &phase["wall_s"]] {
            let of = |key: &str| spread[key].as_f64().expect("seconds");
            assert!(of("least") > 0.0 && of("least") <= of("median") && of("median") <= of("most"));
        }
    }

    let csv = run(&["bench", "--ahead", "--runs", "1", "--csv", "--quiet"]);
    let csv = String::from_utf8(csv.stdout).expect("UTF-8");
    let rows = csv.split_terminator("\r\n").collect::<Vec<_>>();
    assert_eq!(rows.len(), 1 + operations.len() + 3, "{csv}");
    for phase in ["whole", "ahead", "online", "both"] {
        let row = format!("the same by ring-LWE,{phase},");
        assert_eq!(rows.iter().filter(|line| line.starts_with(&row)).count(), 1);
    }
}

/// The plan of both phases is what a run with them takes.
#[test]
fn phases_are_planned_exactly() {
    let planned = json(&["plan", "--model", "chestnet", "--ahead", "--json"]).remove(0);
    let measured = json(&["demo", "--ahead", "--json", "--extension", "softspoken"]).remove(0);
    let planned_by = json(&[
        "plan",
        "--model",
        "chestnet",
        "--ahead",
        "--json",
        "--extension",
        "softspoken",
    ])
    .remove(0);
    assert_eq!(planned_by["comm"], measured["comm"]);
    let seconds = |key: &str| planned["phases"][key].as_f64().expect("seconds");
    let total = planned["time"]["total_s"].as_f64().expect("seconds");
    assert!((seconds("ahead_s") + seconds("online_s") - total).abs() < 1e-9);
    assert!(planned["comm"]["ahead_client_to_server_bytes"].as_u64() > Some(0));
    let refused = run(&[
        "plan",
        "--model",
        "chestnet",
        "--ahead",
        "--preset",
        "cryptflow2",
    ]);
    fails(&refused, 2, "leave out --ahead");
}

#[test]
fn a_result_names_its_model_and_its_server() {
    let server = Server::start(&["--model", "chestnet"]);
    let image = xray();
    let infer = [
        "infer",
        "--connect",
        &server.connect(),
        "--input",
        text(&image),
        "--json",
    ];
    let report = json(&infer).remove(0);
    assert_eq!(report["model_digest"], server.digest.as_str());
    assert!(
        report["server"]
            .as_str()
            .is_some_and(|key| key.starts_with("SHA256:"))
    );
}
