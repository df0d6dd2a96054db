//! The files: what is written is read, and what is wrong is refused with its place.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use identity::{Authority, ClientList, Clients, Error, Fingerprint, Identity, KnownPeers};
use proptest::prelude::*;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("below").join("file");
    (folder, file)
}

fn key(name: &str) -> Fingerprint {
    Identity::generate(name).expect("a key").fingerprint()
}

#[test]
fn an_identity_survives_its_file_which_is_its_owners_alone() {
    let (_folder, file) = folder();
    let made = Identity::generate("müller & söhne").expect("a key");
    made.save(&file).expect("written");
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let above = fs::metadata(file.parent().expect("one")).expect("there");
    assert_eq!(above.permissions().mode() & 0o777, 0o700);
    let read = Identity::open(&file).expect("an identity");
    assert_eq!(read.fingerprint(), made.fingerprint());
    assert_eq!(read.certificates(), made.certificates());
    assert!(!read.certificates().contains("PRIVATE"));
    assert!(!format!("{read:?}").contains("PRIVATE"));
    assert_eq!(
        fs::read_dir(file.parent().expect("one"))
            .expect("a folder")
            .count(),
        1
    );
    // Nothing is overwritten.
    let other = Identity::generate("other").expect("a key");
    assert!(matches!(other.save(&file), Err(Error::File { .. })));
    assert_eq!(
        Identity::open(&file).expect("as before").fingerprint(),
        made.fingerprint()
    );
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
        let error = Identity::open(&file).expect_err("others can read it");
        assert!(matches!(error, Error::Exposed { .. }), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn an_identity_that_is_none_says_so() {
    let (_folder, file) = folder();
    let (one, other) = (
        Identity::generate("one").expect("a key"),
        Identity::generate("other").expect("a key"),
    );
    one.save(&file).expect("written");
    let text = fs::read_to_string(&file).expect("text");
    let (key, certificate) = text.split_at(text.find("-----BEGIN CERT").expect("one"));
    let wrong = [
        (String::new(), "no private key"),
        (key.to_owned(), "no certificate"),
        (certificate.to_owned(), "no private key"),
        (key.to_owned() + &other.certificates(), "cannot be used"),
        (
            key.replace("KEY-----\nM", "KEY-----\n!") + certificate,
            "no private key",
        ),
        (key.to_owned() + &certificate.repeat(11), "more than 10"),
        (text.replace("END CERT", "END PERT"), ""),
        ("x".repeat((1 << 20) + 1), "1 MiB"),
    ];
    // Whoever can read it: nobody is told to change the mode of a file that is something else.
    for mode in [0o600, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
        for (text, said) in &wrong {
            fs::write(&file, text).expect("written");
            let error = Identity::open(&file).expect_err("wrong").to_string();
            assert!(error.contains(said) && !error.contains("chmod"), "{error}");
        }
    }
    fs::write(&file, [0xff, 0xfe]).expect("written");
    assert!(
        Identity::open(&file)
            .expect_err("bytes")
            .to_string()
            .contains("no text")
    );
    let missing = Identity::open(Path::new("/nowhere/at/all")).expect_err("missing");
    assert!(
        missing.to_string().starts_with("/nowhere/at/all: "),
        "{missing}"
    );
    let folder = Identity::open(file.parent().expect("one")).expect_err("a folder");
    assert!(folder.to_string().contains("no file"), "{folder}");
}

#[test]
fn names_are_short_and_plain() {
    for bad in ["", "  ", "a\nb", "a\u{1b}[2J", &"x".repeat(65)] {
        assert!(
            matches!(Identity::generate(bad), Err(Error::BadName { .. })),
            "{bad:?}"
        );
    }
    Identity::generate(&"ä".repeat(64)).expect("64 characters");
}

#[test]
fn known_peers_are_remembered_and_never_change_their_keys() {
    let (_folder, file) = folder();
    let (one, other) = (key("one"), key("other"));
    let mut known = KnownPeers::open(&file).expect("nobody yet");
    assert_eq!(known.find("a:1"), None);
    known.add("a:1", one).expect("added");
    known.add("a:1", one).expect("known already");
    known.add("[::1]:7700", other).expect("added");
    assert!(matches!(
        known.add("a:1", other),
        Err(Error::WrongServer { .. })
    ));
    for odd in ["", "a b:1", "#a:1", "a\n:1", &"x".repeat(600)] {
        assert!(
            matches!(known.add(odd, one), Err(Error::BadName { .. })),
            "{odd:?}"
        );
    }
    let text = fs::read_to_string(&file).expect("text");
    assert_eq!(text, format!("a:1 {one}\n[::1]:7700 {other}\n"));
    // By hand, without an end of the last line.
    fs::write(&file, format!("# mine\n\n  a:1\t{one}  \nb:2 {one}")).expect("written");
    let mut known = KnownPeers::open(&file).expect("three lines");
    known.add("c:3", other).expect("added");
    let known = KnownPeers::open(&file).expect("whole lines");
    let found = ["a:1", "b:2", "c:3", "d:4"].map(|address| known.find(address));
    assert_eq!(found, [Some(one), Some(one), Some(other), None]);
}

#[test]
fn many_who_append_at_once_leave_whole_lines() {
    let (_folder, file) = folder();
    let print = key("a server");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let mut known = KnownPeers::open(file).expect("whole lines");
                for number in 0..20 {
                    known
                        .add(&format!("w{writer}.example:{number}"), print)
                        .expect("added");
                }
            });
        }
    });
    let known = KnownPeers::open(&file).expect("whole lines");
    let all = (0..8).flat_map(|w| (0..20).map(move |n| format!("w{w}.example:{n}")));
    assert!(
        all.into_iter()
            .all(|address| known.find(&address) == Some(print))
    );
}

#[test]
fn wrong_lines_are_named() {
    let (path, print) = (Path::new("list"), key("one"));
    let peers = |text: &str| KnownPeers::parse(path, text).map(drop);
    let clients = |text: &str| ClientList::parse(path, text).map(drop);
    let line = |outcome: Result<(), Error>| match outcome {
        Err(Error::Line { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    let other = key("other");
    assert_eq!(line(peers("a:1\n")), 1);
    assert_eq!(line(peers(&format!("#\n\na:1 {print} more\n"))), 3);
    assert_eq!(
        line(peers(&format!("a:1 {}\n", &print.to_string()[1..]))),
        1
    );
    assert_eq!(line(peers(&format!("a:1 {print}\na:1 {other}\n"))), 2);
    assert_eq!(line(peers(&format!("{}:1 {print}", "x".repeat(2000)))), 1);
    assert_eq!(line(clients(&print.to_string())), 1);
    assert_eq!(line(clients(&format!("\n{print} a\n{print} b\n"))), 3);
    assert_eq!(line(clients(&format!("{print} a\n{other} a\n"))), 2);
    assert_eq!(line(clients(&format!("{print} a\u{7}b\n"))), 1);
    assert_eq!(line(clients("name SHA256:x")), 1);
    let list = ClientList::parse(path, &format!("{print}   a b  c \n{other} é")).expect("a list");
    assert_eq!(list.name(&print), Some("a b  c"));
    assert_eq!((list.len(), list.is_empty()), (2, false));
    assert!(Clients::open(Path::new("/nowhere")).is_err());
}

#[test]
fn clients_may_have_rules_of_their_own() {
    let (path, print, other) = (Path::new("list"), key("one"), key("other"));
    let list = |rest: &str| ClientList::parse(path, &format!("{print} {rest}\n{other} x=\n"));
    let one = |rest: &str| ClientList::parse(path, &format!("{print} {rest}\n"));
    let named =
        one("Ward 3  urgent images-per-hour=40\tbytes=unlimited parallel=2").expect("a list");
    assert_eq!(named.name(&print), Some("Ward 3"));
    let rules = named.rules(print.as_bytes()).expect("listed");
    assert!(rules.urgent && rules.limits() && named.has_limits());
    assert_eq!(rules.images_per_hour, Some(40));
    assert_eq!((rules.bytes, rules.parallel), (Some(u64::MAX), Some(2)));
    assert_eq!((rules.images, rules.sessions_per_hour), (None, None));
    let bytes = |rest: &str| {
        one(rest)
            .expect("a list")
            .rules(print.as_bytes())
            .and_then(|rules| rules.bytes)
    };
    for (rule, expected) in [
        ("bytes=5GB", 5_000_000_000),
        ("bytes=1.5GiB", 3 << 29),
        ("bytes=7B", 7),
        ("bytes=1024tib", 1 << 50),
        ("bytes=0", 0),
    ] {
        assert_eq!(bytes(&format!("a {rule}")), Some(expected), "{rule}");
    }
    let plain = one("urgent care").expect("a list");
    assert_eq!(plain.name(&print), Some("urgent care"));
    assert!(!plain.has_limits() && !plain.rules(print.as_bytes()).expect("listed").urgent);
    assert_eq!(plain.rules(other.as_bytes()), None);
    for (wrong, said) in [
        ("urgent", "without a name"),
        ("images=3", "without a name"),
        (
            "a image=3",
            "image is no rule: there are urgent, images-per-hour=N",
        ),
        ("a images=3 images=4", "twice"),
        ("a urgent urgent", "twice"),
        ("a images=many", "whole number"),
        ("a images=-1", "whole number"),
        ("a images=", "whole number"),
        ("a images=3k", "whole number"),
        ("a bytes=many", "bytes=many: give a size above 0, such as"),
        (
            "a bytes=50",
            "bytes=50: give its unit, such as 50MB or 50GiB",
        ),
        (
            "a bytes=1025TiB",
            "bytes=1025TiB: give no more than 1024TiB, or unlimited",
        ),
        (
            "a parallel=0",
            "parallel=0: give 1 or more; who may have no session is taken off the list",
        ),
    ] {
        let error = one(wrong).expect_err("a wrong line").to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
    assert!(list("a").is_err());
}

#[test]
fn roots_are_certificates() {
    let path = Path::new("roots");
    let own = Identity::generate("one").expect("a key");
    Authority::parse(path, &own.certificates()).expect("a certificate");
    for (bad, said) in [
        ("", "no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cannot be a root",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
            "broken",
        ),
    ] {
        let error = Authority::parse(path, bad).expect_err("none").to_string();
        assert!(error.contains(said), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_is_too_odd(text in "(SHA256:|[A-Za-z0-9+/#:. \t\r\n\u{0}é]){0,200}") {
        let path = Path::new("list");
        drop(text.parse::<Fingerprint>());
        drop(KnownPeers::parse(path, &text));
        drop(ClientList::parse(path, &text));
        drop(Authority::parse(path, &text));
    }
}

#[test]
fn a_certificate_is_valid_within_its_time() {
    let now = std::time::SystemTime::now();
    let day = std::time::Duration::from_secs(86_400);
    let own = Identity::generate_for("short", now - day, now + 2 * day).expect("a key");
    assert!(own.valid_at(now).is_ok() && own.valid_at(now + day).is_ok());
    assert!(matches!(
        own.valid_at(now + 3 * day),
        Err(Error::Expired { .. })
    ));
    assert!(matches!(
        own.valid_at(now - 2 * day),
        Err(Error::NotYetValid { .. })
    ));
}
