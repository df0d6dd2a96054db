//! Ctrl-C, SIGTERM, and a parent that dies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use channel::Listener;
use images::Image;
use nets::Model;
use service::{Client, Request, ServerOptions};

use crate::support::{
    Server, as_client, as_server, assets, blindray, fails, run, settings, signal, text, xray,
};

/// Far less than any time-out of the program.
const AT_ONCE: Duration = Duration::from_secs(5);

fn ends_at_once(process: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("it is a child") {
            return status;
        }
        if begin.elapsed() > AT_ONCE {
            let _ = process.kill();
            panic!("it goes on");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A session that has begun and waits for its image.
fn session(server: &Server) -> Client {
    let request = Request::default();
    Client::dial(server.address, &as_client(), &request, [2; 32]).expect("a session")
}

#[test]
fn a_server_without_sessions_ends_at_once() {
    for name in ["-INT", "-TERM"] {
        let mut server = Server::start(&["--model", "chestnet"]);
        signal(name, server.pid());
        assert_eq!(ends_at_once(server.process()).code(), Some(0));
        assert!(!server.wait().1.contains("waiting"));
    }
}

#[test]
fn a_server_waits_for_its_sessions() {
    let mut server = Server::start(&["--model", "chestnet"]);
    let mut client = session(&server);
    signal("-INT", server.pid());
    server.says("waiting for 1 session to end");
    // Somebody else comes too late.
    let (address, image) = (server.connect(), xray());
    let late = run(&["infer", "--connect", &address, "--input", text(&image)]);
    fails(&late, 1, "");
    let picture = Image::open(&xray()).expect("an X-ray").picture;
    client
        .infer(&picture, &mut |_| {})
        .expect("the session goes on");
    drop(client);
    assert_eq!(ends_at_once(server.process()).code(), Some(0));
}

#[test]
fn a_second_request_ends_a_server_at_once() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut server = Server::start(&["--model", "chestnet"]);
        let client = session(&server);
        signal("-INT", server.pid());
        server.says("waiting for 1 session to end");
        signal(name, server.pid());
        assert_eq!(ends_at_once(server.process()).code(), Some(code));
        drop(client);
    }
}

/// Who ends in the midst of a session says so: the other one hears why, and takes it for what it is.
#[test]
fn who_stops_says_so() {
    let mut server = Server::start(&["--model", "chestnet"]);
    let mut client = session(&server);
    signal("-INT", server.pid());
    server.says("waiting for 1 session to end");
    signal("-INT", server.pid());
    let picture = Image::open(&xray()).expect("an X-ray").picture;
    let told = client.infer(&picture, &mut |_| {}).expect_err("it is gone");
    assert!(
        told.to_string().ends_with("the peer left: it was stopped"),
        "{told}"
    );
    assert_eq!(ends_at_once(server.process()).code(), Some(130));

    let mut server = Server::start(&["--model", "resnet18", "--size", "224"]);
    let address = server.connect();
    let mut client = blindray()
        .args(["infer", "--connect", &address, "--input", text(&xray())])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut notes = BufReader::new(client.stderr.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains("linear layers") {
        assert!(notes.read_line(&mut said).expect("UTF-8") > 0, "{said}");
    }
    signal("-TERM", client.id());
    assert_eq!(ends_at_once(&mut client).signal(), Some(15));
    server.says("the peer left: it was stopped");
    let (_, notes) = server.stop();
    let line = notes.lines().find(|line| line.contains("the peer left"));
    let line = line.expect("it was said");
    assert!(line.contains(" INFO "), "{notes}");
    assert!(!notes.contains(" WARN "), "{notes}");
}

/// Whether this process ignores a signal, and so do those that it starts: a shell starts jobs in the background so.
fn is_ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

/// A client in the midst of its greeting, which nobody answers.
#[test]
fn a_client_ends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    for (name, number) in [("-INT", 2), ("-TERM", 15)] {
        if is_ignored(number) {
            eprintln!("SKIPPED: this process ignores {name}");
            continue;
        }
        let mut client = blindray()
            .args(["infer", "--connect", &address, "--input", text(&xray())])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let silent = listener.accept().expect("a client");
        signal(name, client.id());
        assert_eq!(ends_at_once(&mut client).signal(), Some(number));
        drop(silent);
    }
}

/// What the shell prints next does not stand behind a bar.
#[cfg(target_os = "linux")]
#[test]
fn a_bar_is_taken_off_the_terminal() {
    let works = Command::new("env")
        .args(["--default-signal=INT", "script", "--version"])
        .output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: needs `script`, which makes a terminal, and `env --default-signal`");
        return;
    }
    let model = Model::load(&assets().join("chestnet.bray")).expect("the embedded model");
    let server = service::Server::new(model.public, model.weights, ServerOptions::default());
    let server = server.expect("it can be served");
    let listener = Listener::bind("127.0.0.1:0", as_server()).expect("a port");
    let command = format!(
        "exec {} infer --connect {} --input {}",
        env!("CARGO_BIN_EXE_blindray"),
        listener.local_addr(),
        xray().display()
    );
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (server, listener) = (&server, &listener);
    std::thread::scope(move |scope| {
        // It stands still after some layers, so that the bar stays.
        let serving = scope.spawn(move || {
            let connection = listener.accept(server.terms(), [1; 16]).expect("a client");
            let served = server.serve(&connection, [1; 32], &mut |progress| {
                if progress.step.layer == 3 {
                    let _ = may_go_on.recv();
                }
            });
            served.is_ok()
        });
        // Where this process ignores Ctrl-C, the program would honour that.
        let mut terminal = Command::new("env")
            .env("XDG_CONFIG_HOME", settings())
            .args([
                "--default-signal=INT",
                "script",
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &command,
                "/dev/null",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let mut shown = terminal.stdout.take().expect("piped");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(" s left") {
            let mut byte = [0];
            shown.read_exact(&mut byte).expect("the bar comes");
            text.push(byte[0]);
        }
        let mut keys = terminal.stdin.take().expect("piped");
        keys.write_all(b"\x03").expect("it reads keys");
        assert_eq!(ends_at_once(&mut terminal).code(), Some(130));
        shown.read_to_end(&mut text).expect("it ends");
        let text = String::from_utf8_lossy(&text);
        // What stands on the line at last.
        let last = text.rsplit("\u{1b}[2K").next().unwrap_or_default();
        assert!(!last.contains(" left"), "{text:?}");
        drop(go_on);
        assert!(!serving.join().expect("no panic"), "the client is gone");
    });
}

/// The keys of a demo, which are for it alone, and pages that are half written do not stay.
#[test]
fn who_is_asked_to_end_leaves_nothing() {
    if is_ignored(15) {
        eprintln!("SKIPPED: this process ignores -TERM");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for wait in [2, 5, 10, 20, 40, 80] {
        let page = folder.path().join("page.html");
        let mut demo = blindray()
            .args(["demo", "--report", text(&page)])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(wait));
        signal("-TERM", demo.id());
        let status = ends_at_once(&mut demo);
        assert!(status.success() || status.signal() == Some(15), "{status}");
        let left = std::fs::read_dir(folder.path()).expect("a folder");
        let left = left.map(|entry| entry.expect("an entry").path());
        let left = left.filter(|path| *path != page).collect::<Vec<_>>();
        assert!(left.is_empty(), "after {wait} ms: {left:?}");
    }
}

/// The server of a demo that is killed, before it can end its session or begin one, ends as well.
#[test]
fn a_demo_takes_its_server_with_it() {
    let mut demo = blindray()
        .arg("demo")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut note = String::new();
    let mut notes = BufReader::new(demo.stderr.take().expect("piped"));
    notes.read_line(&mut note).expect("a note");
    let pid = note
        .strip_prefix("server: process ")
        .and_then(|rest| rest.split(' ').next());
    let pid: u32 = pid.expect("a number").parse().expect("a number");
    signal("-STOP", pid);
    signal("-KILL", demo.id());
    demo.wait().expect("it is killed");
    signal("-CONT", pid);
    // The server has inherited the standard error, which ends with the last who holds it.
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || ended.send(notes.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(
        has_ended.recv_timeout(AT_ONCE),
        Ok(true),
        "the server of the demo goes on"
    );
}

/// However its parent ended, and whatever it is doing.
#[test]
fn a_server_on_a_lifeline_ends_with_its_standard_input() {
    let mut command = blindray();
    command
        .args([
            "serve",
            "--model",
            "chestnet",
            "--listen",
            "127.0.0.1:0",
            "--end-with-stdin",
        ])
        .stdin(Stdio::piped());
    let mut server = Server::spawn(command);
    let client = session(&server);
    drop(server.process().stdin.take());
    assert_eq!(ends_at_once(server.process()).code(), Some(130));
    drop(client);
}
