//! Audit logs as users meet them: what `infer` writes, and what `audit` says of it.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Server, fails, json, run, text, xray};

fn lines(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).expect("a log");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn verify(log: &Path, more: &[&str]) -> Output {
    run(&[&["audit", "verify", "--json", text(log)], more].concat())
}

/// Asks a server of the embedded network about an X-ray twice, and once in a mode that it does not have.
fn asked(log: &Path) -> Server {
    let server = Server::start(&["--model", "chestnet", "--modes", "faithful"]);
    let (connect, key, image) = (server.connect(), key(), xray());
    let ask = [
        "infer",
        "--connect",
        &connect,
        "--trust",
        &key,
        "--audit",
        text(log),
        "--json",
        "--input",
        text(&image),
    ];
    let output = run(&[&ask[..], &[text(&image)]].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = run(&[&ask[..], &["--mode", "fast"]].concat());
    fails(&output, 1, "fast mode");
    server
}

/// All programs of these tests have one key.
fn key() -> String {
    let shown = json(&["identity", "show", "--json"]);
    shown[0]["fingerprint"].as_str().expect("text").to_owned()
}

/// The SHA-256 in hexadecimal digits.
fn hash_of(bytes: impl AsRef<[u8]>) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_client_records_whom_it_asked_about_what() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("audit.jsonl");
    let server = asked(&log);
    let lines = lines(&log);
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().expect("text"))
        .collect();
    assert_eq!(
        events,
        [
            "begun", "opened", "asked", "answered", "asked", "answered", "closed", "begun",
            "refused"
        ]
    );
    let (opened, closed) = (&lines[1], &lines[6]);
    assert_eq!(opened["model"], server.digest);
    assert_eq!(opened["client"]["key"], key());
    assert_eq!(
        (&opened["server"]["key"], &opened["server"]["name"]),
        (&key().into(), &server.connect().into())
    );
    let digest = hash_of(fs::read(xray()).expect("an X-ray"));
    let mut bytes = 0;
    for image in [1, 2] {
        let (asked, answered) = (&lines[2 * image], &lines[2 * image + 1]);
        assert_eq!(
            (&asked["image"], &asked["sha256"], &asked["mode"]),
            (&image.into(), &digest.clone().into(), &"faithful".into())
        );
        assert_eq!(
            (&answered["image"], &answered["outcome"]),
            (&image.into(), &"done".into())
        );
        assert_eq!(asked["session"], opened["session"]);
        bytes += answered["bytes"].as_u64().expect("a number");
    }
    assert_eq!(
        (&closed["images"], &closed["outcome"]),
        (&2.into(), &"done".into())
    );
    assert!(closed["bytes"].as_u64().expect("a number") >= bytes && bytes > 1_000_000);
    let why = lines[8]["why"].as_str().expect("text");
    assert!(why.contains("it does not compute in fast mode"), "{why}");
}

#[test]
fn verify_names_what_is_wrong() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("audit.jsonl");
    drop(asked(&log));
    let whole = fs::read_to_string(&log).expect("a log");
    let found = json(&["audit", "verify", "--json", text(&log)]);
    assert_eq!(
        (&found[0]["first"], &found[0]["last"], &found[0]["entries"]),
        (&0.into(), &8.into(), &9.into())
    );
    let hash = found[0]["hash"].as_str().expect("text");
    assert!(
        verify(&log, &["--expect-last", hash, "--checkpoint", hash])
            .status
            .success()
    );

    let write = |text: &str| fs::write(&log, text).expect("written");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    write(&lines[..8].concat());
    assert!(verify(&log, &[]).status.success());
    fails(
        &verify(&log, &["--expect-last", hash]),
        1,
        "lines were cut off at the end",
    );
    fails(
        &verify(&log, &["--checkpoint", hash]),
        1,
        "no line has the hash",
    );

    // A beginning that was cut off is seen by whoever asks for it.
    write(&whole);
    assert!(verify(&log, &["--from-start"]).status.success());
    let third = hash_of(lines[2]);
    write(&lines[3..].concat());
    let found = verify(&log, &[]);
    assert!(found.status.success());
    fails(
        &verify(&log, &["--from-start"]),
        1,
        "line 1 is entry 3, and the log begins with entry 0",
    );
    assert!(verify(&log, &["--continues", &third]).status.success());
    fails(
        &verify(&log, &["--continues", hash]),
        1,
        &format!("does not go on from the hash that was named, but from {third}"),
    );
    let both = ["--from-start", "--continues", &third];
    assert_eq!(verify(&log, &both).status.code(), Some(2));
    // What it says is a command.
    let said = run(&["audit", "verify", text(&log)]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("what came before entry 3 was not given"),
        "{said}"
    );
    let command = said
        .lines()
        .find_map(|line| line.strip_prefix("  blindray "));
    let command: Vec<&str> = command.expect("a command").split(' ').collect();
    assert!(run(&command).status.success(), "{command:?}");

    write(&whole.replace("\"image\":2,\"sha256\"", "\"image\":3,\"sha256\""));
    fails(&verify(&log, &[]), 1, "entry 4 was changed");
    write(&[&lines[..3], &lines[4..]].concat().concat());
    fails(
        &verify(&log, &[]),
        1,
        "line 4 is entry 4, and entry 3 should be there",
    );
    write(&whole[..whole.len() - 5]);
    fails(&verify(&log, &[]), 1, "line 9 has no end");
    write("");
    fails(&verify(&log, &[]), 1, "there is no line in it");
    write("hello\n");
    fails(&verify(&log, &[]), 1, "line 1 is no line of an audit log");
    fails(&verify(folder.path(), &[]), 2, "is no file");
    fails(&verify(&folder.path().join("other"), &[]), 2, "cannot read");
    fails(&verify(&log, &["--expect-last", "5f"]), 2, "");
}

#[test]
fn a_log_is_shown_to_people_and_as_it_is() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("audit.jsonl");
    drop(asked(&log));
    let whole = fs::read_to_string(&log).expect("a log");
    let shown = run(&["audit", "show", "--json", text(&log)]);
    assert_eq!(String::from_utf8(shown.stdout).expect("UTF-8"), whole);
    let shown = run(&["audit", "show", text(&log)]);
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert_eq!(shown.lines().count(), 9);
    let opened = shown.lines().nth(1).expect("a line");
    assert!(
        opened.contains("  opened  ") && opened.contains(&key()),
        "{opened}"
    );
    // Up to the line that is wrong.
    fs::write(&log, whole.replacen("\"image\":1", "\"image\":7", 1)).expect("written");
    let shown = run(&["audit", "show", "--json", text(&log)]);
    assert_eq!(shown.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(shown.stdout)
            .expect("UTF-8")
            .lines()
            .count(),
        3
    );
}

/// What cannot be recorded does not happen.
#[test]
fn nothing_is_asked_that_cannot_be_recorded() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("audit.jsonl");
    fs::write(&log, "hello\n").expect("written");
    let server = Server::start(&["--model", "chestnet"]);
    let ask = |log: &Path| {
        run(&[
            "infer",
            "--connect",
            &server.connect(),
            "--trust",
            &key(),
            "--audit",
            text(log),
            "--input",
            text(&xray()),
        ])
    };
    fails(&ask(&log), 2, "is no audit log, or was changed");
    fails(
        &ask(&folder.path().join("none/audit.jsonl")),
        1,
        "the audit log",
    );
    // Two at a time.
    let other = folder.path().join("other.jsonl");
    let audit = service::Audit::open(&other, "a test", 0).expect("a log");
    fails(&ask(&other), 2, "is being written by another process");
    drop(audit);
    assert!(ask(&other).status.success());
    let (_, said) = server.stop();
    assert_eq!(said.matches("1 image in").count(), 1, "{said}");
}

/// Preparations are in the logs of both sides, by the same names; a session that makes them asks about no image.
#[test]
fn preparations_are_recorded_when_made_and_when_used() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let [key, ours, theirs] = ["key", "client.jsonl", "server.jsonl"].map(path);
    let [place, shelf] = ["client", "server"].map(path);
    assert!(run(&["seal", "key", "--out", &key]).status.success());
    let at_server = ["--model", "chestnet", "--preparations", &shelf];
    let more = ["--preparations-key", &key, "--audit", &theirs];
    let server = Server::start(&[at_server, more].concat());
    let (connect, image) = (server.connect(), xray());
    let here = |command, key| {
        let common = ["--json", "--connect", &connect, "--preparations", &place];
        let key = ["--preparations-key", key, "--audit", &ours];
        [&[command], &common[..], &key].concat()
    };
    json(&[&here("prepare", &key)[..], &["--images", "2"]].concat());
    let input = ["--prepared", "only", "--input", text(&image)];
    json(&[&here("infer", &key)[..], &input].concat());
    // A file that is no key, whoever can read it.
    let odd = path("odd");
    fs::write(&odd, "hello\n").expect("written");
    let output = run(&[&here("infer", &odd)[..], &input].concat());
    fails(&output, 2, &odd);
    drop(server.stop());

    let [ours, theirs] = [ours, theirs].map(|log| lines(Path::new(&log)));
    let events = |lines: &[Value]| {
        let words = lines.iter().map(|line| line["event"].as_str());
        words.map(|word| word.expect("text").to_owned()).collect()
    };
    let (client, server): (Vec<String>, Vec<String>) = (events(&ours), events(&theirs));
    let made = ["opened", "prepared", "prepared", "closed"];
    // A client takes its own before it asks for a session, and has used it when the server has its own.
    let asked = ["opened", "asked", "used", "answered", "closed"];
    assert_eq!(
        client,
        [
            &["begun"][..],
            &made,
            &["begun"],
            &asked,
            &["begun", "refused"]
        ]
        .concat()
    );
    // A server takes what the client names before it begins with the image.
    let asked = ["opened", "used", "asked", "answered", "closed"];
    assert_eq!(server, [&["begun", "model"][..], &made, &asked].concat());
    let tokens = |lines: &[Value]| -> Vec<Value> {
        let tokens = lines.iter().map(|line| line["token"].clone());
        tokens.filter(Value::is_string).collect()
    };
    let of_client = tokens(&ours);
    assert_eq!((of_client.len(), &of_client), (3, &tokens(&theirs)));
    assert!(of_client[..2].contains(&of_client[2]) && of_client[0] != of_client[1]);
    let session = |lines: &[Value], event: &str| {
        let line = lines.iter().find(|line| line["event"] == event);
        line.expect("a line")["session"].clone()
    };
    for event in ["opened", "closed"] {
        assert_eq!(session(&ours, event), session(&theirs, event));
    }
}
