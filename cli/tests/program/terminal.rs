//! What reaches a terminal, and what happens when nobody reads it.

use std::io::pipe;
use std::process::{Output, Stdio};
use std::thread;

use channel::{Connection, Listener, Terms, connect};
use nets::Model;
use service::{Request, ServerOptions};

use crate::support::{Server, as_client, as_server, assets, blindray, run, text, xray};

/// The stream on which parties talk before the protocols.
const CONTROL: u32 = 3;

/// Sets the title of a terminal, clears it, does so by the one-character introducer, and turns the direction of what follows.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\u{202e}drawkcab";

fn is_plain(text: &str) {
    let acts = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(acts), "{text:?}");
}

/// What a client prints of a server that presents these bytes as its model.
fn shown_of(public: &[u8]) -> Output {
    let listener = Listener::bind("127.0.0.1:0", as_server()).expect("a port");
    let address = listener.local_addr().to_string();
    let terms = Terms {
        model: Some([0; 32]),
        ..Request::default().terms()
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let connection = listener.accept(&terms, [1; 16]).expect("a client");
            let mut control = connection.open(CONTROL).expect("a stream");
            control.send_frame(public).expect("the client listens");
            control.flush().expect("the client listens");
            // Until it has hung up.
            let _ = control.recv(&mut [0]);
        });
        let output = run(&["infer", "--connect", &address, "--input", text(&xray())]);
        // Where no client came, nobody waits for it.
        listener.handle().close();
        output
    })
}

#[test]
fn words_of_a_server_are_escaped() {
    let escaped = serde_json::to_string(HOSTILE).expect("JSON");
    let public = format!(
        r#"{{"name":"x","arch":"y","labels":[],"head":{escaped},"preprocessing":1,"graph":[]}}"#
    );
    let output = shown_of(public.as_bytes());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("owned") && said.contains("drawkcab"),
        "{said}"
    );
    is_plain(&said);
}

#[test]
fn words_of_a_client_are_escaped() {
    let mut server = Server::start(&["--model", "chestnet", "--sessions", "1"]);
    let terms = Request::default().terms();
    let ask = |connection: &Connection| -> Result<(), channel::Error> {
        let mut control = connection.open(CONTROL)?;
        control.recv_frame(1 << 20)?;
        control.recv_frame(1 << 12)?;
        let key = serde_json::to_string(HOSTILE).expect("JSON");
        control.send_frame(format!("{{{key}:1}}").as_bytes())?;
        control.flush()?;
        // Until it has hung up.
        control.recv(&mut [0])
    };
    let connection = connect(server.address, &terms, &as_client(), [2; 16]);
    let _ = ask(&connection.expect("the server listens"));
    let (code, said) = server.wait();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("owned") && said.contains("drawkcab"),
        "{said}"
    );
    is_plain(&said);
}

/// Names that a model file may have, since none of their characters is a control: the text reads as it stands, and JSON means
/// what the server said.
#[test]
fn names_of_a_model_are_escaped() {
    let model = Model::load(&assets().join("chestnet.bray")).expect("the embedded model");
    let mut public = model.public;
    public.name = "chest\u{202e}ten".into();
    public.labels[0] = "\u{2066}NORMAL".into();
    let label = public.labels[0].clone();
    let server = service::Server::new(public, model.weights, ServerOptions::default());
    let server = server.expect("it can be served");
    let listener = Listener::bind("127.0.0.1:0", as_server()).expect("a port");
    let address = listener.local_addr().to_string();
    let infer = |more: &[&str]| {
        let args = ["infer", "--connect", &address, "--input"];
        thread::scope(|scope| {
            scope.spawn(|| {
                let connection = listener.accept(server.terms(), [1; 16]).expect("a client");
                server
                    .serve(&connection, [1; 32], &mut |_| {})
                    .expect("it serves");
            });
            let output = run(&[&args[..], &[text(&xray())], more].concat());
            let said = String::from_utf8(output.stderr).expect("UTF-8");
            assert!(output.status.success(), "{said}");
            is_plain(&said);
            String::from_utf8(output.stdout).expect("UTF-8")
        })
    };
    let table = infer(&[]);
    is_plain(&table);
    assert!(
        table.contains(r"chest\u202eten") && table.contains(r"\u2066NORMAL"),
        "{table}"
    );
    let json = infer(&["--json"]);
    is_plain(&json);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["outputs"][0]["name"], label.as_str());
}

/// A pipe whose reader has gone, as `head` goes when it has its line.
#[test]
fn a_closed_pipe_ends_quietly() {
    for args in [
        &["plan", "--model", "chestnet"][..],
        &["plan", "--model", "chestnet", "--json"],
        &["demo", "--quiet"],
        &[
            "serve",
            "--model",
            "chestnet",
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--quiet",
        ],
    ] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let program = blindray()
            .args(args)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = program.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{args:?}: {said}");
        assert!(said.is_empty(), "{args:?}: {said}");
    }
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let help = blindray()
        .arg("--help")
        .stdout(writer)
        .output()
        .expect("the program starts");
    assert!(help.stderr.is_empty());
}
