//! Two parties that do not know each other yet, in processes and with folders of their own: how they come to, and what they are told
//! until then.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Server, blindray, fails, run, text, xray};

/// A party with settings of its own.
pub(crate) struct Party(tempfile::TempDir);

impl Party {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    fn command(&self) -> Command {
        let mut command = blindray();
        command.env("XDG_CONFIG_HOME", self.folder());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("it starts")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        text(&self.folder().join(name)).to_owned()
    }

    /// Makes its key, and gives the fingerprint.
    pub(crate) fn key(&self) -> String {
        let output = self.run(&["identity", "new", "--name", "a party", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        shown["fingerprint"].as_str().expect("text").to_owned()
    }

    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        let mut command = self.command();
        command.args(["serve", "--model", "chestnet", "--listen", "127.0.0.1:0"]);
        command.args(args);
        Server::spawn(command)
    }

    pub(crate) fn infer(&self, address: &str, args: &[&str]) -> Output {
        let image = xray();
        let infer = [
            "infer",
            "--json",
            "--connect",
            address,
            "--input",
            text(&image),
        ];
        self.run(&[&infer[..], args].concat())
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_hospital_and_its_provider_get_to_know_each_other() {
    let (provider, hospital) = (Party::new(), Party::new());
    let (of_provider, of_hospital) = (provider.key(), hospital.key());
    let list = provider.file("clients");
    std::fs::write(&list, format!("# hospitals\n{of_hospital} St. Elsewhere\n")).expect("written");
    let server = provider.serve(&["--clients", &list]);
    let address = server.connect();
    // First contact: nothing is trusted silently.
    let first = hospital.infer(&address, &[]);
    fails(&first, 1, "is met for the first time");
    let (first, trust) = (said(&first), format!("--trust {of_provider}"));
    assert!(first.contains(&trust), "{first}");
    assert!(
        first.contains(&format!("blindray infer --json --connect {address}")),
        "{first}"
    );
    // Another key than the one that is expected.
    let wrong = hospital.infer(&address, &["--trust", &of_hospital]);
    fails(&wrong, 1, "has another key than --trust says");
    assert!(!said(&wrong).contains("known_servers"), "{}", said(&wrong));
    // Trusted by its fingerprint, and then known.
    let trusted = hospital.infer(&address, &["--trust", &of_provider]);
    assert!(trusted.status.success(), "{}", said(&trusted));
    let known = std::fs::read_to_string(hospital.file("blindray/known_servers")).expect("there");
    assert_eq!(known, format!("{address} {of_provider}\n"));
    let again = hospital.infer(&address, &[]);
    assert!(again.status.success(), "{}", said(&again));
    // A known server does not become another by a wrong option.
    let other = hospital.infer(&address, &["--trust", &of_hospital]);
    fails(&other, 2, "is known by another key");
    let (code, notes) = server.stop();
    assert_eq!(code, Some(0));
    assert!(notes.contains("(St. Elsewhere): 1 image in"), "{notes}");
    assert!(
        notes.contains(&format!(
            "blindray infer --connect {address} {trust} --expect-model "
        )),
        "{notes}"
    );
}

#[test]
fn a_client_that_is_not_served_is_told_what_to_do() {
    let (provider, hospital) = (Party::new(), Party::new());
    let (of_provider, of_hospital) = (provider.key(), hospital.key());
    // Without a list, the server serves its own key alone.
    let server = provider.serve(&[]);
    let trust = ["--trust", &of_provider];
    let refused = hospital.infer(&server.connect(), &trust);
    fails(&refused, 1, "it is not among those that it knows");
    // The line to add, with the name of its certificate.
    let line = format!("{of_hospital} a party");
    assert!(said(&refused).contains(&line), "{}", said(&refused));
    let own = provider.infer(&server.connect(), &[]);
    assert!(own.status.success(), "{}", said(&own));
    let notes = server.stop().1;
    let turned_away = format!("a client that is not on the list: {of_hospital}");
    assert!(notes.contains(&turned_away), "{notes}");
    assert!(
        notes.contains("a client was turned away: 127.0.0.1:"),
        "{notes}"
    );
    // A list without anybody is as good as none, which is not what it looks like.
    let list = provider.file("clients");
    std::fs::write(&list, "# nobody yet\n").expect("written");
    let server = provider.serve(&["--clients", &list]);
    let notes = server.stop().1;
    assert!(
        notes.contains("nobody is on the list of clients"),
        "{notes}"
    );
    // Whoever comes, if that is wanted.
    let server = provider.serve(&["--any-client"]);
    let served = hospital.infer(&server.connect(), &trust);
    assert!(served.status.success(), "{}", said(&served));
}

#[test]
fn a_plain_party_and_one_with_tls_do_not_meet() {
    let party = Party::new();
    let secure = party.serve(&[]);
    fails(
        &party.infer(&secure.connect(), &["--insecure"]),
        1,
        "speaks TLS",
    );
    let plain = party.serve(&["--insecure"]);
    fails(&party.infer(&plain.connect(), &[]), 1, "may not speak");
    let met = party.infer(&plain.connect(), &["--insecure"]);
    assert!(met.status.success(), "{}", said(&met));
    let notes = plain.stop().1;
    assert!(notes.contains("nothing is encrypted"), "{notes}");
}

#[test]
fn keys_are_made_shown_and_kept() {
    let party = Party::new();
    let made = party.key();
    let file = party.file("blindray/identity.pem");
    let mode = std::fs::metadata(&file)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    let shown = party.run(&["identity", "show"]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), made);
    let shown = party.run(&["identity", "show", "--certificate", &file]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("BEGIN CERTIFICATE") && !shown.contains("PRIVATE"),
        "{shown}"
    );
    // Nothing is overwritten.
    fails(&party.run(&["identity", "new"]), 2, "exists");
    let other = party.file("other.pem");
    let output = party.run(&["identity", "new", "--out", &other]);
    assert!(output.status.success(), "{}", said(&output));
    fails(&party.run(&["identity", "new", "--name", ""]), 2, "empty");
    // A key that others can read is none.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("set");
    fails(&party.infer("127.0.0.1:1", &[]), 2, "chmod 600");
    fails(&party.infer("127.0.0.1:1", &["--trust", "SHA256:x"]), 2, "");
    let odd = party.file("odd");
    std::fs::write(&odd, "who?\n").expect("written");
    let serve = [
        "serve",
        "--model",
        "chestnet",
        "--listen",
        "127.0.0.1:0",
        "--identity",
        &other,
        "--clients",
        &odd,
    ];
    fails(
        &party.run(&serve),
        2,
        "line 1: not a fingerprint and a name",
    );
    fails(
        &run(&[
            "serve",
            "--model",
            "chestnet",
            "--clients",
            &odd,
            "--any-client",
        ]),
        2,
        "",
    );
}
