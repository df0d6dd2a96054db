//! Preparations between two processes, on disks.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Server, blindray, fails, json, raw, run, text, xray};

/// The places of both parties' preparations.
struct Places {
    folder: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn of(&self, party: &str) -> String {
        text(&self.folder.path().join(party)).to_owned()
    }

    fn server(&self) -> Server {
        self.server_with(&[])
    }

    fn server_with(&self, more: &[&str]) -> Server {
        let place = self.of("server");
        let args = ["--model", "chestnet", "--preparations", &place];
        Server::start(&[&args[..], more].concat())
    }

    fn client<'a>(&self, command: &[&'a str], more: &[&'a str]) -> Vec<String> {
        let place = ["--preparations".to_owned(), self.of("client")];
        let words = command.iter().chain(more).map(|word| (*word).to_owned());
        words.chain(place).collect()
    }

    fn prepare(&self, server: &Server, more: &[&str]) -> Value {
        let address = server.connect();
        let words = self.client(&["prepare", "--json", "--connect", &address], more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        json(&words).swap_remove(0)
    }

    fn infer(&self, server: &Server, more: &[&str]) -> Vec<String> {
        let (address, file) = (server.connect(), xray());
        let args = [
            "infer",
            "--json",
            "--connect",
            &address,
            "--input",
            text(&file),
        ];
        self.client(&args, more)
    }

    /// Those of a party, in the order in which they are used.
    fn files(&self, party: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.of(party)).expect("a folder");
        let files = files.map(|file| file.expect("a file").path());
        let when = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            let (rest, expires) = name.rsplit_once('-')?;
            Some(((expires.parse::<u64>().ok()?, rest.to_owned()), path))
        };
        let mut files: Vec<_> = files.filter_map(when).collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// Whole preparations of a party.
    fn there(&self, party: &str) -> usize {
        let Ok(files) = std::fs::read_dir(Path::new(&self.of(party))) else {
            return 0;
        };
        let names = files.map(|file| file.expect("a file").file_name());
        names
            .filter(|name| !name.to_string_lossy().contains('.'))
            .count()
    }
}

fn found(words: &[String]) -> Value {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    json(&words).swap_remove(0)
}

fn clear() -> Vec<i64> {
    let file = xray();
    let words = [
        "clear",
        "--json",
        "--model",
        "chestnet",
        "--input",
        text(&file),
    ];
    raw(&json(&words)[0])
}

/// An inference that goes well, and what it says besides.
fn noted(words: &[String]) -> (Value, String) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{notes}");
    let report = serde_json::from_slice(&output.stdout).expect("a report");
    (report, notes)
}

fn number(value: &Value, path: &str) -> u64 {
    let value = value.pointer(path).expect(path);
    value.as_u64().expect("a whole number")
}

#[test]
fn prepared_findings_equal_clear_and_cost_what_is_left() {
    let places = Places::new();
    let server = places.server();
    let made = places.prepare(&server, &["--images", "2"]);
    assert_eq!(
        (number(&made, "/images"), number(&made, "/prepared_left")),
        (2, 2)
    );
    assert_eq!(
        ["server", "client"].map(|party| places.there(party)),
        [2, 2]
    );
    // What is there is enough.
    let made = places.prepare(&server, &["--stock", "2"]);
    assert_eq!(number(&made, "/prepared_left"), 2);
    assert!(made.get("images").is_none());
    let plain = found(&places.infer(&server, &["--prepared", "never"]));
    assert!(plain.get("preparation").is_none());
    assert!(number(&plain, "/comm/refill_server_to_client_bytes") > 0);
    let expected = clear();
    for left in [1, 0] {
        let page = places.of("page.html");
        let only = ["--prepared", "only", "--report", &page];
        let report = found(&places.infer(&server, &only));
        let page = std::fs::read_to_string(&page).expect("a page");
        assert!(page.contains("prepared before") && page.contains("with it "));
        assert_eq!((&raw(&report), &raw(&plain)), (&expected, &expected));
        assert_eq!(number(&report, "/prepared_left"), left);
        let comm = report["comm"].as_object().expect("traffic");
        for (key, bytes) in comm {
            let is_online = [
                "client_to_server_bytes",
                "server_to_client_bytes",
                "flights",
            ]
            .contains(&key.as_str());
            assert_eq!(bytes.as_u64().expect("a number") > 0, is_online, "{key}");
        }
        assert!(number(&report, "/preparation/server_to_client_bytes") > 0);
    }
    assert_eq!(
        ["server", "client"].map(|party| places.there(party)),
        [0, 0]
    );
    let words = places.infer(&server, &["--prepared", "only"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fails(&run(&words), 1, "there are preparations for 0 of 1 image");
    // As before there were preparations.
    assert_eq!(raw(&found(&places.infer(&server, &[]))), expected);
}

/// Both sides' disks hold nothing that can be read.
/// `plan --ahead` knows what a preparation takes when it is made, kept and used.
#[test]
fn a_preparation_is_planned_exactly() {
    let places = Places::new();
    let server = places.server_with(&["--extension", "softspoken"]);
    let plan = ["plan", "--model", "chestnet", "--ahead", "--json"];
    let plan = json(&[&plan[..], &["--extension", "softspoken"]].concat()).remove(0);
    let planned = &plan["preparation"];
    let made = places.prepare(&server, &["--images", "1"]);
    assert_eq!(planned["made"], made["comm"]);
    assert_eq!(planned["kept_bytes"], made["bytes_per_run"]);
    let kept = number(planned, "/kept_bytes");
    for party in ["server", "client"] {
        let files = std::fs::read_dir(places.of(party)).expect("a folder");
        let sizes = files.map(|file| file.expect("a file").metadata().expect("its size").len());
        let all = sizes.sum::<u64>();
        assert!((kept..kept + 200).contains(&all), "{all} and {kept}");
    }
    let used = found(&places.infer(&server, &["--prepared", "only"]));
    assert_eq!(planned["used"], used["comm"]);

    // Of what is by oblivious transfer and large there is none, and it is said.
    let words = ["plan", "--model", "resnet18", "--preset", "ot", "--ahead"];
    let plan = json(&[&words[..], &["--json", "--quiet"]].concat()).remove(0);
    let why = plan["preparation"]["impossible"].as_str();
    assert!(why.is_some_and(|why| why.contains("oblivious transfers")));
}

#[test]
fn preparations_are_sealed_and_for_their_owner_alone() {
    let places = Places::new();
    let server = places.server();
    places.prepare(&server, &[]);
    for party in ["server", "client"] {
        for file in std::fs::read_dir(places.of(party)).expect("a folder") {
            let file = file.expect("a file");
            if file.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let bytes = std::fs::read(file.path()).expect("it can be read");
            assert_eq!(&bytes[..8], b"BRSEALED");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = file.metadata().expect("it is there").permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }
}

/// Either side is killed in the midst of a run, again and again: nothing is used twice, no finding is wrong, and the server goes on.
#[test]
fn who_is_killed_loses_a_preparation_at_most() {
    let places = Places::new();
    let mut server = Some(places.server());
    let (mut made, mut answered) = (0, 0);
    let expected = clear();
    for round in 0..12_u64 {
        let at = server.as_ref().expect("it runs");
        if places.there("client") == 0 {
            places.prepare(at, &["--images", "4"]);
            made += 4;
        }
        let before = places.there("client");
        let words = places.infer(at, &["--prepared", "only"]);
        let mut command = blindray();
        command
            .args(&words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut client = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(15 * (round / 2) + 5));
        if round % 2 == 0 {
            // Not an end in good order: SIGKILL.
            client.kill().expect("it can be killed");
        } else {
            drop(server.take());
        }
        let output = client.wait_with_output().expect("it ends");
        if output.status.success() {
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
            assert_eq!(raw(&report), expected);
            answered += 1;
        }
        let after = places.there("client");
        assert!(after == before || after + 1 == before, "{before} {after}");
        server.get_or_insert_with(|| places.server());
    }
    // What is left is good, or refused and gone.
    let at = server.as_ref().expect("it runs");
    while places.there("client") > 0 {
        let before = places.there("client");
        let words = places.infer(at, &["--prepared", "only"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run(&words);
        if output.status.success() {
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
            assert_eq!(raw(&report), expected);
            answered += 1;
        } else {
            fails(&output, 1, "with --prepared only");
        }
        // Those that the server has not go all at once.
        assert!(places.there("client") < before);
    }
    assert!(answered <= made && made > 0, "{answered} of {made}");
}

/// A server that keeps none any more, and one that has lost what it had: `auto` goes on without, and says so.
#[test]
fn without_the_servers_half_it_goes_on() {
    let places = Places::new();
    let server = places.server();
    places.prepare(&server, &["--images", "2"]);
    drop(server);
    let expected = clear();
    let server = places.server_with(&["--max-prepared", "0"]);
    let (report, notes) = noted(&places.infer(&server, &["--prepared", "auto"]));
    assert_eq!(raw(&report), expected);
    assert!(report.get("preparation").is_none());
    assert!(
        notes.contains("goes on without preparations: the server keeps none now"),
        "{notes}"
    );
    // They may be of use yet.
    assert_eq!(places.there("client"), 2);
    drop(server);
    std::fs::remove_dir_all(places.of("server")).expect("it is there");
    let server = places.server();
    let (report, notes) = noted(&places.infer(&server, &["--prepared", "auto"]));
    assert_eq!(raw(&report), expected);
    assert!(report.get("preparation").is_none());
    let said = "goes on without preparations: the server has none of those that were here, and they are deleted";
    assert!(notes.contains(said), "{notes}");
    assert_eq!(places.there("client"), 0);
    // What the server has not is no stock.
    places.prepare(&server, &["--images", "2"]);
    std::fs::remove_dir_all(places.of("server")).expect("it is there");
    let made = places.prepare(&server, &["--stock", "2"]);
    assert_eq!(number(&made, "/images"), 2);
    let (report, _) = noted(&places.infer(&server, &["--prepared", "only"]));
    assert_eq!(raw(&report), expected);
}

/// Preparations of one key are none for another one, which leaves them alone.
#[test]
fn each_identity_has_its_own() {
    let places = Places::new();
    let server = places.server_with(&["--any-client"]);
    let shown = json(&["identity", "show", "--json"]);
    let trust = shown[0]["fingerprint"].as_str().expect("text");
    // One machine with two keys, which knows the server.
    let one = places.of("one");
    let as_client = |words: Vec<String>| {
        let mut command = blindray();
        command.env("XDG_CONFIG_HOME", places.of("settings"));
        let output = command
            .args(words)
            .args(["--trust", trust])
            .output()
            .expect("it runs");
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{notes}");
        serde_json::from_slice::<Value>(&output.stdout).expect("a report")
    };
    let made = run(&["identity", "new", "--out", &one]);
    assert!(made.status.success(), "{made:?}");
    let address = server.connect();
    let prepare = [
        "prepare",
        "--json",
        "--connect",
        &address,
        "--images",
        "2",
        "--identity",
        &one,
    ];
    as_client(places.client(&prepare, &[]));
    let expected = clear();
    let report = as_client(places.infer(&server, &[]));
    assert_eq!(raw(&report), expected);
    assert!(report.get("preparation").is_none());
    assert_eq!(
        ["server", "client"].map(|party| places.there(party)),
        [2, 2]
    );
    let only = ["--prepared", "only", "--identity", &one];
    let report = as_client(places.infer(&server, &only));
    assert_eq!(raw(&report), expected);
    assert_eq!(number(&report, "/prepared_left"), 1);
}

/// The first file is damaged: the next one is used, and somebody hears of it.
#[test]
fn a_damaged_file_is_passed_over() {
    let places = Places::new();
    let server = places.server();
    places.prepare(&server, &["--images", "2"]);
    let first = places.files("client").swap_remove(0);
    damage(&first);
    let (report, notes) = noted(&places.infer(&server, &[]));
    assert_eq!(raw(&report), clear());
    assert!(report.get("preparation").is_some(), "{notes}");
    let name = first.file_name().expect("a name").to_string_lossy();
    let said = format!(
        "the preparation {} does not open, and is left where it is: it was changed",
        name.split('-').next().expect("its token")
    );
    assert!(notes.contains(&said), "{notes}");
    assert!(first.exists());
    // It does not count as one that is there.
    let made = places.prepare(&server, &["--stock", "1"]);
    assert_eq!(number(&made, "/prepared_left"), 1);
    assert_eq!(places.there("client"), 2);
    let report = found(&places.infer(&server, &["--prepared", "only"]));
    assert_eq!(raw(&report), clear());
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).expect("it can be written");
}

/// The client hears what is the matter, only that preparation is lost, and the image goes without.
#[test]
fn a_damaged_file_at_the_server_is_told() {
    let places = Places::new();
    let mut server = places.server();
    let damage_one = || damage(&places.files("server")[0]);
    let half = "the server refused it: its half of this preparation does not open";
    places.prepare(&server, &[]);
    damage_one();
    let (report, notes) = noted(&places.infer(&server, &[]));
    assert!(notes.contains(half), "{notes}");
    assert!(report.get("preparation").is_none());
    assert_eq!(raw(&report), clear());
    let gone = || ["server", "client"].map(|party| places.there(party));
    assert_eq!(gone(), [0, 0]);
    server.says("1 preparation of this client did not open");
    // Unless it may not.
    places.prepare(&server, &[]);
    damage_one();
    let words = places.infer(&server, &["--prepared", "only"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fails(
        &run(&words),
        1,
        "the server refused: its half of this preparation does not open",
    );
    assert_eq!(gone(), [0, 0]);
}

/// Several images, and files at the client that are damaged in several ways: each is named, and the session takes what there is.
#[test]
fn what_is_no_good_costs_a_detour() {
    let places = Places::new();
    let server = places.server();
    places.prepare(&server, &["--images", "4"]);
    let files = places.files("client");
    // A folder of its name, a file without its end, and one that is another's.
    std::fs::remove_file(&files[0]).expect("it is there");
    std::fs::create_dir(&files[0]).expect("it is gone");
    let bytes = std::fs::read(&files[1]).expect("it can be read");
    std::fs::write(&files[1], &bytes[..bytes.len() - 1]).expect("it can be written");
    std::fs::copy(&files[3], &files[2]).expect("it can be copied");
    let file = xray();
    let address = server.connect();
    let input = text(&file);
    let infer = ["infer", "--json", "--connect", &address, "--input", input];
    let words = places.client(&infer, &["--input", input]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{notes}");
    let reports = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    // And a summary of both.
    let reports = reports.take(2).map(|report| report.expect("a report"));
    let reports: Vec<_> = reports.collect();
    let prepared = |report: &Value| report.get("preparation").is_some();
    assert_eq!(
        reports.iter().map(prepared).collect::<Vec<_>>(),
        [true, false]
    );
    assert!(reports.iter().all(|report| raw(report) == clear()));
    for said in [
        "it is no file. It is of no use, and can be deleted",
        "it was cut off, or something was added",
        "or belongs elsewhere",
        "there are preparations for 1 image alone: the others go without",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    assert!(files[..3].iter().all(|path| path.exists()) && !files[3].exists());
}

/// Stock that is short because it has expired: the client says so, once.
#[test]
fn what_has_expired_is_told() {
    let places = Places::new();
    let server = places.server();
    places.prepare(&server, &["--images", "2"]);
    for path in places.files("client") {
        let (rest, _) = text(&path).rsplit_once('-').expect("parts");
        std::fs::rename(&path, format!("{rest}-1000000000")).expect("renamed");
    }
    let said = "2 preparations on this machine have expired, and made room";
    let (report, notes) = noted(&places.infer(&server, &[]));
    assert!(notes.contains(said), "{notes}");
    assert!(report.get("preparation").is_none());
    assert_eq!(raw(&report), clear());
    assert_eq!(places.there("client"), 0);
    let (_, notes) = noted(&places.infer(&server, &[]));
    assert!(!notes.contains("expired"), "{notes}");
}

/// What is put aside in a folder is seen by those who watch the server, and a place that is none before anybody comes.
#[test]
fn a_folder_is_watched_like_a_store() {
    let places = Places::new();
    let server = places.server_with(&["--status", "127.0.0.1:0"]);
    places.prepare(&server, &["--images", "2"]);
    let status = server.status.expect("it was asked for").to_string();
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = json(&["ps", "--json", "--status", &status]).swap_remove(0);
        if number(&seen, "/stock/preparations") == 2 {
            break;
        }
        assert!(Instant::now() < until, "{seen}");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(server);
    let file = places.of("file");
    std::fs::write(&file, "a file").expect("it can be written");
    let output = run(&["serve", "--model", "chestnet", "--preparations", &file]);
    fails(&output, 2, "it is no folder");
}

/// What is wrong with this machine's own disk is not said of the server.
#[test]
fn a_disk_of_this_machine_is_named() {
    let places = Places::new();
    let server = places.server();
    std::fs::write(places.of("client"), "a file").expect("it can be written");
    let address = server.connect();
    let said =
        "the folder of this machine's preparations (--preparations): the store is not available: ";
    let prepare = places.client(&["prepare", "--connect", &address], &[]);
    for words in [prepare, places.infer(&server, &["--prepared", "only"])] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run(&words);
        fails(&output, 1, said);
        fails(&output, 1, &places.of("client"));
    }
}
