//! What a server allows its clients, and what a client allows a server.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use images::Image;
use nets::Model;
use serde_json::Value;
use service::{Client, Request};

use crate::support::{Server, as_client, assets, blindray, fails, json, run, signal, text, xray};

/// A session that has begun and waits for its image.
fn session(server: &Server) -> Client {
    let request = Request::default();
    Client::dial(server.address, &as_client(), &request, [2; 32]).expect("a session")
}

/// Shows the image that a session waits for.
fn finish(mut client: Client) {
    let picture = Image::open(&xray()).expect("an X-ray").picture;
    client.infer(&picture, &mut |_| {}).expect("it infers");
}

/// A client in a process of its own.
struct Waiting {
    process: Child,
    notes: BufReader<ChildStderr>,
}

impl Waiting {
    fn start(server: &Server, more: &[&str]) -> Self {
        let mut process = blindray()
            .args([
                "infer",
                "--connect",
                &server.connect(),
                "--input",
                text(&xray()),
            ])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let notes = BufReader::new(process.stderr.take().expect("piped"));
        Self { process, notes }
    }

    fn next_note(&mut self) -> String {
        let mut line = String::new();
        self.notes.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// Its exit code and what it said since the last note that was read.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.notes.read_to_string(&mut said).expect("UTF-8");
        (self.process.wait().expect("it ends").code(), said)
    }
}

#[test]
fn clients_wait_in_order_and_hear_their_place() {
    let server = Server::start(&["--model", "chestnet", "--parallel", "1"]);
    let first = session(&server);
    let mut second = Waiting::start(&server, &[]);
    assert_eq!(
        second.next_note(),
        "waiting: you are next, nobody knows yet for how long"
    );
    let mut third = Waiting::start(&server, &[]);
    assert_eq!(
        third.next_note(),
        "waiting: 1 before you, nobody knows yet for how long"
    );
    // One that leaves the line makes the place of those behind better.
    let mut fourth = Waiting::start(&server, &[]);
    assert_eq!(
        fourth.next_note(),
        "waiting: 2 before you, nobody knows yet for how long"
    );
    signal("-KILL", third.process.id());
    third.end();
    assert_eq!(
        fourth.next_note(),
        "waiting: 1 before you, nobody knows yet for how long"
    );
    finish(first);
    for client in [second, fourth] {
        let (code, said) = client.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("model chestnet from"), "{said}");
    }
}

#[test]
fn after_a_session_those_in_line_hear_how_long_it_may_take_and_whether_they_are_urgent() {
    let server = Server::start(&["--model", "chestnet", "--parallel", "1"]);
    let (address, image) = (server.connect(), xray());
    run(&["infer", "--connect", &address, "--input", text(&image)]);
    let at_hand = session(&server);
    let mut waits = Waiting::start(&server, &["--urgent"]);
    let note = waits.next_note();
    assert!(
        note.contains("lets this client wait like any other"),
        "{note}"
    );
    let note = waits.next_note();
    assert!(note.starts_with("waiting: you are next, about "), "{note}");
    assert!(note.ends_with(" s"), "{note}");
    finish(at_hand);
    let (code, said) = waits.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_line_has_its_limits() {
    let server = Server::start(&["--model", "chestnet", "--parallel", "1", "--waiting", "1"]);
    let first = session(&server);
    let mut waits = Waiting::start(&server, &["--max-wait", "2"]);
    assert_eq!(
        waits.next_note(),
        "waiting: you are next, nobody knows yet for how long"
    );
    let (address, image) = (server.connect(), xray());
    let infer = ["infer", "--connect", &address, "--input", text(&image)];
    fails(&run(&infer), 1, "too many clients wait already");
    let (code, said) = waits.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("is busy: after 2 s you are the next in line"),
        "{said}"
    );
    // The server finds out within a moment that the place is free.
    let begin = Instant::now();
    let late = loop {
        let mut late = Waiting::start(&server, &[]);
        if late.next_note() == "waiting: you are next, nobody knows yet for how long" {
            break late;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "the place stays taken"
        );
    };
    finish(first);
    let (code, said) = late.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn who_waits_hears_that_a_server_ends() {
    let mut server = Server::start(&["--model", "chestnet", "--parallel", "1"]);
    let first = session(&server);
    let mut waits = Waiting::start(&server, &[]);
    assert_eq!(
        waits.next_note(),
        "waiting: you are next, nobody knows yet for how long"
    );
    signal("-INT", server.pid());
    let (code, said) = waits.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("refused"), "{said}");
    finish(first);
    assert_eq!(server.wait().0, Some(0));
}

/// Those in line are told so, too, when a server has had as many sessions as it was to have.
#[test]
fn a_server_of_one_session_refuses_others() {
    let mut server = Server::start(&["--model", "chestnet", "--sessions", "1"]);
    let first = session(&server);
    let (code, said) = Waiting::start(&server, &[]).end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("refused"), "{said}");
    finish(first);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn a_session_lasts_no_longer_than_it_may() {
    let begin = Instant::now();
    let mut server = Server::start(&[
        "--model",
        "chestnet",
        "--sessions",
        "1",
        "--max-session",
        "1",
    ]);
    let client = session(&server);
    let (code, said) = server.wait();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("as long as it may"), "{said}");
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    drop(client);
}

/// The largest session of a large network within a minute is more than lines carry as a matter of course.
#[test]
fn a_server_says_which_rate_it_needs() {
    let densenet = ["--model", "squeezenet", "--size", "64"];
    let mut server = Server::start(&[&densenet[..], &["--max-session", "60"]].concat());
    server.says("to be over within --max-session 60 it needs");
    let server = Server::start(&[&densenet[..], &["--max-session", "100000"]].concat());
    let (code, said) = server.stop();
    assert_eq!(code, Some(0));
    assert!(!said.contains("--max-session"), "{said}");
}

#[test]
fn a_mode_that_is_not_allowed() {
    let server = Server::start(&["--model", "chestnet", "--modes", "faithful"]);
    let (address, image) = (server.connect(), xray());
    let infer = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ];
    let fast = run(&[&infer[..], &["--mode", "fast"]].concat());
    fails(
        &fast,
        1,
        "the server refused: it does not compute in fast mode",
    );
    assert_eq!(json(&infer).len(), 1);
}

/// Opens no more than it says, and is another model to a client that insists on one.
#[test]
fn a_server_that_opens_less() {
    let model = Model::load(&assets().join("chestnet.bray")).expect("the embedded model");
    let folder = tempfile::tempdir().expect("a folder");
    let public = folder.path().join("chestnet.public.json");
    std::fs::write(&public, model.public.to_json()).expect("a file");
    let image = xray();
    let found = |open: &str| {
        let server = Server::start(&["--model", "chestnet", "--open", open]);
        let address = server.connect();
        let infer = [
            "infer",
            "--json",
            "--connect",
            &address,
            "--input",
            text(&image),
        ];
        let of_file = [&infer[..], &["--public", text(&public)]].concat();
        if open != "all" {
            fails(&run(&of_file), 1, "whether it serves it with --open");
        }
        let reports = json(&[&of_file[..], &["--open", open]].concat());
        reports[0]["outputs"].as_array().expect("outputs").clone()
    };
    let logit = |output: &Value| output["logit"].as_f64();
    let all: Vec<f64> = found("all").iter().filter_map(logit).collect();
    let rounded: Vec<f64> = found("rounded").iter().filter_map(logit).collect();
    assert_eq!(all.len(), rounded.len());
    for (all, rounded) in all.iter().zip(&rounded) {
        assert!((all - rounded).abs() <= 1.0 / 32.0, "{all} {rounded}");
        assert_eq!((rounded * 16.0).fract(), 0.0);
    }
    let largest = all.iter().copied().fold(f64::MIN, f64::max);
    for (output, all) in found("top").iter().zip(all) {
        assert_eq!(output["present"], Value::Bool(all >= largest), "{output}");
        assert!(output.get("logit").is_none() && output.get("probability").is_none());
    }
    let output = run(&[
        "infer",
        "--connect",
        "localhost:1",
        "--input",
        text(&image),
        "--open",
        "top",
    ]);
    assert_eq!(output.status.code(), Some(2), "there is no file of which");
}

#[test]
fn more_traffic_than_a_client_allows() {
    let server = Server::start(&["--model", "chestnet"]);
    let (address, image) = (server.connect(), xray());
    let infer = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ];
    let allowing = |size| [&infer[..], &["--max-traffic", size]].concat();
    fails(
        &run(&allowing("1MB")),
        1,
        "--max-traffic allows 1.00 MB; nothing was asked",
    );
    assert_eq!(json(&allowing("1GiB")).len(), 1);
}

/// Whatever a name stands for is tried, and a session may have several connections.
#[test]
fn names_families_and_connections() {
    let image = xray();
    for (listen, host) in [
        ("localhost:0", "localhost"),
        ("127.0.0.1:0", "localhost"),
        ("[::1]:0", "[::1]"),
    ] {
        let mut command = blindray();
        command.args(["serve", "--model", "chestnet", "--listen", listen]);
        if listen.starts_with('[') && std::net::TcpListener::bind(listen).is_err() {
            eprintln!("SKIPPED: this system has no IPv6");
            continue;
        }
        let server = Server::spawn(command);
        let name = format!("{host}:{}", server.address.port());
        for connections in ["1", "4"] {
            let args = [
                "infer",
                "--json",
                "--connect",
                &name,
                "--connections",
                connections,
            ];
            let reports = json(&[&args[..], &["--input", text(&image)]].concat());
            assert_eq!(reports.len(), 1, "{name}");
        }
    }
}
