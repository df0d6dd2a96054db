//! `doctor` finds what is wrong before it is needed, and `ps` what a server does.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Server, blindray, fails, run, text, xray};

/// With settings in a folder of its own.
fn doctor(settings: &Path, args: &[&str]) -> Output {
    let mut command = blindray();
    command.env("XDG_CONFIG_HOME", settings);
    let output = command.arg("doctor").args(args).output();
    output.expect("it starts")
}

/// The check of a name.
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {report}"))
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_fresh_machine_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = doctor(folder.path(), &["--json"]);
    assert!(output.status.success(), "{output:?}");
    let report = report(&output);
    for name in [
        "program",
        "processor",
        "memory",
        "randomness",
        "clock",
        "folder",
        "key",
        "servers",
        "speed",
        "load",
    ] {
        assert_ne!(check(&report, name)["status"], "fault", "{report}");
    }
    // It looks, and makes nothing.
    assert!(!folder.path().join("blindray").exists());
    let table = doctor(folder.path(), &[]);
    let shown = String::from_utf8_lossy(&table.stdout);
    assert!(
        shown.contains("ok      program") && !shown.contains('\u{1b}'),
        "{shown}"
    );
}

#[test]
fn faults_of_files_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("blindray");
    let key = ours.join("identity.pem");
    let mut new = blindray();
    new.env("XDG_CONFIG_HOME", folder.path())
        .args(["identity", "new"]);
    assert!(new.output().expect("it starts").status.success());
    let well = doctor(folder.path(), &["--json"]);
    assert!(well.status.success(), "{well:?}");
    assert_eq!(check(&report(&well), "certificate")["status"], "ok");

    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let faulty = |name: &str, words: &str| {
        let output = doctor(folder.path(), &["--json"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let report = report(&output);
        let found = check(&report, name);
        assert_eq!(found["status"], "fault", "{found}");
        assert!(
            found["do"].as_str().expect("what to do").contains(words),
            "{found}"
        );
    };
    mode(&key, 0o644);
    faulty("key", "chmod 600");
    mode(&key, 0o600);
    mode(&ours, 0o777);
    faulty("folder", "chmod go-w");
    mode(&ours, 0o700);
    std::fs::write(ours.join("known_servers"), "x.example:7700\n").expect("written");
    faulty("servers", "take it out");
    std::fs::remove_file(ours.join("known_servers")).expect("gone");
    std::fs::write(ours.join("machine.json"), "{}").expect("written");
    faulty("speed", "bench --calibrate");
    std::fs::remove_file(ours.join("machine.json")).expect("gone");
    std::fs::write(&key, "no key").expect("written");
    faulty("key", "identity new --out");
}

#[test]
fn the_way_to_a_server_is_measured() {
    let server = Server::start(&["--model", "chestnet", "--network", "lan"]);
    let output = run(&["doctor", "--connect", &server.connect(), "--json"]);
    assert!(output.status.success(), "{output:?}");
    let report = report(&output);
    for name in ["address", "server", "model", "clocks", "line", "image"] {
        assert_eq!(check(&report, name)["status"], "ok", "{report}");
    }
    let way = &report["way"];
    assert_eq!(way["model_digest"], server.digest.as_str());
    assert!(way["round_trip_s"].as_f64() > Some(0.0) && way["up_bytes_per_s"].as_f64() > Some(0.0));
    // What it writes, `plan` reads; and what an image takes there is what a session takes.
    let network = way["network"].as_str().expect("text");
    let plan = run(&[
        "plan",
        "--model",
        "chestnet",
        "--network",
        network,
        "--json",
    ]);
    assert!(plan.status.success(), "{plan:?}");
    let bytes = way["image_bytes"].as_u64().expect("bytes");
    let (image, least) = (xray(), format!("{}B", bytes - 1));
    let infer = |most: &str| {
        run(&[
            "infer",
            "--connect",
            &server.connect(),
            "--input",
            text(&image),
            "--max-traffic",
            most,
        ])
    };
    fails(&infer(&least), 1, "nothing was asked of the server");
    assert!(infer(&format!("{bytes}B")).status.success());
    let shown = run(&["doctor", "--connect", &server.connect()]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("blindray plan --model MODEL.bray --network "),
        "{shown}"
    );
    let (_, said) = server.stop();
    assert!(said.contains("measured the line or counted"), "{said}");
}

/// What it advises where one end speaks TLS, or neither does.
#[test]
fn ends_that_disagree_about_tls_are_told_so() {
    let plain = Server::start(&["--model", "chestnet", "--insecure"]);
    let secure = Server::start(&["--model", "chestnet"]);
    let server = |output: &Output| check(&report(output), "server").clone();
    let ask = |server: &Server, more: &[&str]| {
        let to = server.connect();
        let all = ["doctor", "--json", "--connect", &to];
        run(&[&all[..], more].concat())
    };
    let found = server(&ask(&plain, &[]));
    assert_eq!(found["status"], "fault");
    let advice = found["do"].as_str().expect("what to do");
    assert!(advice.contains("without --insecure?"), "{found}");
    let found = server(&ask(&secure, &["--insecure"]));
    assert_eq!(found["status"], "fault");
    let advice = found["do"].as_str().expect("what to do");
    assert!(advice.contains("of both ends, or of none"), "{found}");
    let found = server(&ask(&plain, &["--insecure"]));
    assert_eq!(found["status"], "warning");
    let advice = found["do"].as_str().expect("what to do");
    assert!(advice.contains("at both ends"), "{found}");
    // The commands that it prints go the way that it went.
    let shown = run(&["doctor", "--insecure", "--connect", &plain.connect()]);
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    let infer = shown
        .lines()
        .find_map(|line| line.strip_prefix("  blindray infer"));
    let infer = infer.expect("a command").replace("FILE", text(&xray()));
    let words: Vec<&str> = infer.split_whitespace().collect();
    assert!(
        run(&[&["infer"], &words[..]].concat()).status.success(),
        "{infer}"
    );
}

#[test]
fn each_step_of_the_way_can_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let step = |address: &str, more: &[&str], name: &str, words: &str| {
        let output = doctor(
            folder.path(),
            &[&["--connect", address, "--json"], more].concat(),
        );
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let report = report(&output);
        let found = check(&report, name);
        assert_eq!(found["status"], "fault");
        assert!(
            found["found"].as_str().expect("text").contains(words),
            "{found}"
        );
        assert_eq!(report.get("way"), None);
    };
    step("localhost", &[], "address", "did you mean localhost:7700?");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = closed.local_addr().expect("an address").to_string();
    drop(closed);
    step(&nobody, &[], "server", "nothing listens at 127.0.0.1:");
    // A server of another party: its key is told, and no session begun.
    let server = Server::start(&["--model", "chestnet"]);
    step(&server.connect(), &[], "server", "met for the first time");
    let other = format!("SHA256:{}", "A".repeat(43));
    step(
        &server.connect(),
        &["--trust", &other],
        "server",
        "another key",
    );
}

/// A web server of some answers.
fn answers(all: &'static [(&str, &[u8])]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for (path, answer) in all {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            let read = stream.read(&mut request).expect("a request");
            let expected = format!("GET {path} HTTP/1.0\r\n");
            assert!(request[..read].starts_with(expected.as_bytes()));
            drop(stream.write_all(answer));
        }
    });
    address
}

#[test]
fn a_status_is_shown() {
    let address = answers(&[("/status",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"model\":\"chestnet\",\"digest\":\"0a\",\"uptime_s\":5,\"sessions\":[{\"client\":\"a\\u001b[2Jb\",\"since_s\":1,\"images\":2}],\"waiting\":3}",
    )]);
    let output = run(&["ps", "--status", &address]);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        shown.contains("chestnet up 5 s") && shown.contains("waiting in line: 3"),
        "{shown}"
    );
    assert!(
        shown.contains(r"a\u001b[2Jb") && !shown.contains('\u{1b}'),
        "{shown}"
    );

    const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\n\r\n";
    let old = answers(&[
        ("/status", NOT_FOUND),
        ("/metrics", b"HTTP/1.1 200 OK\r\n\r\nblindray_sessions 2\n"),
    ]);
    let output = run(&["ps", "--status", &old]);
    assert_eq!(output.stdout, b"sessions: 2\n", "{output:?}");
    let web = answers(&[("/status", NOT_FOUND), ("/metrics", NOT_FOUND)]);
    fails(&run(&["ps", "--status", &web]), 1, "code 404");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = closed.local_addr().expect("an address").to_string();
    drop(closed);
    fails(
        &run(&["ps", "--status", &nobody]),
        1,
        "is `blindray serve --status",
    );
    fails(
        &run(&["ps", "--status", "192.0.2.1:80"]),
        2,
        "not of this machine",
    );
}

/// However slowly it comes, and whatever comes instead, within the deadline and in words of people.
#[test]
fn a_status_that_does_not_come_is_not_waited_for() {
    let slow = |answer: fn(&mut std::net::TcpStream)| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // What is not read would cut off what is answered.
            let _ = stream.read(&mut [0; 1024]).expect("a request");
            answer(&mut stream);
        });
        let begin = Instant::now();
        let output = run(&["ps", "--status", &address]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("os error"), "{said}");
        (output, begin.elapsed())
    };
    for answer in [
        // Says nothing.
        |_: &mut std::net::TcpStream| thread::sleep(Duration::from_secs(20)),
        // A byte now and then, each before a wait for one byte is over.
        |stream: &mut std::net::TcpStream| {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json".repeat(9) {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(500));
            }
        },
    ] {
        let (output, took) = slow(answer);
        fails(&output, 1, "it gave no whole answer within 5 s");
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
    let (output, _) = slow(|stream| {
        drop(
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\nthe model is being loaded\n"),
        );
    });
    fails(
        &output,
        1,
        "it has no status now: the model is being loaded",
    );
}

/// What a server says, and what is shown of it, are two programs' of the same release.
#[test]
fn a_server_shows_what_it_does() {
    let server = Server::start(&["--model", "chestnet", "--status", "127.0.0.1:0"]);
    let status = server.status.expect("it was asked for").to_string();
    let image = xray();
    let to = server.connect();
    let infer = ["infer", "--json", "--connect", &to, "--input", text(&image)];
    assert!(run(&infer).status.success());
    // A session that waits for its image.
    let request = service::Request::default();
    let at_hand = service::Client::dial(
        server.address,
        &crate::support::as_client(),
        &request,
        [3; 32],
    );
    let shown = run(&["ps", "--status", &status]);
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    for words in [
        "chestnet up ",
        &server.digest,
        "sessions: 1; waiting in line: 0",
        "images 1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let report = report(&run(&["ps", "--json", "--status", &status]));
    assert_eq!(report["model"], "chestnet", "{report}");
    assert_eq!(report["digest"], server.digest.as_str());
    assert_eq!(
        report["sessions"].as_array().map(Vec::len),
        Some(1),
        "{report}"
    );
    drop(at_hand);
}
