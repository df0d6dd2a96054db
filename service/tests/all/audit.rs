//! The audit log: what is written can be verified, and what was changed is found.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use service::{
    Audit, AuditError, AuditEvent, AuditLink, AuditedStore, Broken, Chain, ClientKey, Ended, Lot,
    MemoryStore, Owner, Party, Store, StoreError, Token,
};
use tempfile::TempDir;

const NOON: u64 = 1_796_040_000;
const NOTHING: [u8; 32] = [0; 32];

fn log() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    (folder, path)
}

fn open(path: &Path) -> Audit {
    Audit::open(path, "test 1", NOON).expect("it opens")
}

fn asked(image: u32) -> AuditEvent<'static> {
    AuditEvent::Asked {
        session: &[0xab; 16],
        image,
        sha256: Some(&[0xcd; 32]),
        mode: "faithful",
    }
}

/// A log of the line that says who writes it, and ten more.
fn eleven_lines(path: &Path) -> Option<AuditLink> {
    let audit = open(path);
    for image in 1..=10 {
        audit
            .record(NOON + u64::from(image), &asked(image))
            .expect("recorded");
    }
    audit.last()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("the log");
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// Reads files, the oldest first.
fn verify(files: &[&Path]) -> Result<Chain, Broken> {
    verify_with(Chain::new(), files)
}

fn verify_with(mut chain: Chain, files: &[&Path]) -> Result<Chain, Broken> {
    for file in files {
        chain.read(&*fs::read(file).expect("a file"), &mut |_, _| {})?;
    }
    Ok(chain)
}

/// The same for lines in memory.
fn verify_lines(lines: &[String]) -> Result<Chain, Broken> {
    let mut chain = Chain::new();
    chain.read(lines.concat().as_bytes(), &mut |_, _| {})?;
    Ok(chain)
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The events of the next test as they stand in lines.
fn as_json() -> Vec<String> {
    let session = "02".repeat(16);
    let parties = r#""client":{"key":"SHA256:CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk","name":"St. Elsewhere"},"server":"#;
    vec![
        r#""event":"begun","program":"test 1"}"#.to_owned(),
        format!(
            r#""event":"model","name":"chestnet","model":"{}"}}"#,
            "01".repeat(32)
        ),
        format!(
            r#""event":"opened","session":"{session}",{parties}{{"name":"127.0.0.1:7700"}},"model":"{}"}}"#,
            "01".repeat(32)
        ),
        format!(
            r#""event":"asked","session":"{}","image":1,"sha256":"{}","mode":"faithful"}}"#,
            "ab".repeat(16),
            "cd".repeat(32)
        ),
        format!(
            r#""event":"answered","session":"{session}","image":1,"bytes":77,"outcome":"done"}}"#
        ),
        format!(r#""event":"asked","session":"{session}","image":2,"mode":"fast"}}"#),
        format!(
            r#""event":"answered","session":"{session}","image":2,"bytes":5,"outcome":"failed","why":"the line broke\n\"twice\""}}"#
        ),
        format!(
            r#""event":"prepared","peer":"SHA256:CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk","model":"{}","token":"{}","expires":{}}}"#,
            "01".repeat(32),
            "03".repeat(16),
            NOON + 60
        ),
        format!(
            r#""event":"closed","session":"{session}","images":1,"bytes":82,"outcome":"refused","why":"no more"}}"#
        ),
        format!(r#""event":"refused",{parties}{{}},"why":"unknown"}}"#),
    ]
}

#[test]
fn lines_say_what_happened_and_hold_each_other() {
    let (_folder, path) = log();
    let audit = open(&path);
    let (client, server) = (
        Party {
            key: Some(&[9; 32]),
            name: "St. Elsewhere",
        },
        Party {
            key: None,
            name: "127.0.0.1:7700",
        },
    );
    for event in [
        AuditEvent::Model {
            name: "chestnet",
            model: &[1; 32],
        },
        AuditEvent::Opened {
            session: &[2; 16],
            client,
            server,
            model: &[1; 32],
        },
        asked(1),
        AuditEvent::Answered {
            session: &[2; 16],
            image: 1,
            bytes: 77,
            ended: Ended::Done,
        },
        AuditEvent::Asked {
            session: &[2; 16],
            image: 2,
            sha256: None,
            mode: "fast",
        },
        AuditEvent::Answered {
            session: &[2; 16],
            image: 2,
            bytes: 5,
            ended: Ended::Failed("the line broke\n\"twice\""),
        },
        AuditEvent::Prepared {
            peer: &[9; 32],
            model: &[1; 32],
            token: Token([3; 16]),
            expires: NOON + 60,
        },
        AuditEvent::Closed {
            session: &[2; 16],
            images: 1,
            bytes: 82,
            ended: Ended::Refused("no more"),
        },
        AuditEvent::Refused {
            client,
            server: Party::default(),
            why: "unknown",
        },
    ] {
        audit.record(NOON, &event).expect("recorded");
    }
    let (found, expected) = (lines(&path), as_json());
    assert_eq!(found.len(), expected.len());
    let mut previous = "00".repeat(32);
    for ((number, line), event) in found.iter().enumerate().zip(expected) {
        let expected = format!(
            r#"{{"seq":{number},"previous":"{previous}","time":"2026-11-30T12:00:00Z",{event}"#
        );
        assert_eq!(line.trim_end(), expected);
        previous = digest(line.as_bytes());
    }
    let last = audit.last().expect("lines");
    assert_eq!((last.number, digest_text(&last)), (9, previous));
    let chain = verify(&[&path]).expect("whole");
    assert_eq!((chain.first(), chain.last()), (Some(0), Some(last)));
}

fn digest_text(link: &AuditLink) -> String {
    link.hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// No event, whatever its texts, makes a line that would not be read again.
#[test]
fn the_longest_texts_fit() {
    let (_folder, path) = log();
    let audit = open(&path);
    for text in [
        "\u{1}".repeat(100_000),
        "\u{10ffff}".repeat(100_000),
        "\"".repeat(1001),
    ] {
        let party = Party {
            key: None,
            name: &text,
        };
        let event = AuditEvent::Refused {
            client: party,
            server: party,
            why: &text,
        };
        audit.record(NOON, &event).expect("recorded");
    }
    let chain = verify(&[&path]).expect("whole");
    assert_eq!(chain.last().map(|last| last.number), Some(3));
    for line in &lines(&path)[1..] {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let why = line["why"].as_str().expect("a text");
        assert_eq!(why.chars().count(), 1000);
    }
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let (_folder, path) = log();
    let last = eleven_lines(&path).expect("lines");
    assert_eq!(last.number, 10);
    let audit = open(&path);
    assert_eq!(audit.last().map(|last| last.number), Some(11));
    let chain = verify(&[&path]).expect("whole");
    assert_eq!(chain.last(), audit.last());
}

#[test]
fn each_change_of_a_byte_is_found() {
    let (_folder, path) = log();
    let last = eleven_lines(&path);
    let whole = lines(&path);
    for at in 0..whole.len() {
        for byte in 0..whole[at].len() {
            for new in [b'0', b'1', b'"', b'\n', b' ', 0xff] {
                let mut changed: Vec<Vec<u8>> =
                    whole.iter().map(|line| line.clone().into_bytes()).collect();
                if changed[at][byte] == new {
                    continue;
                }
                changed[at][byte] = new;
                let mut chain = Chain::new();
                let read = chain.read(changed.concat().as_slice(), &mut |_, _| {});
                // Of the last line only a hash from elsewhere tells.
                assert!(
                    read.is_err() || chain.last() != last,
                    "byte {byte} of line {at} is {new}"
                );
                if at + 1 < whole.len() {
                    assert!(read.is_err(), "byte {byte} of line {at} is {new}");
                }
            }
        }
    }
}

#[test]
fn the_first_wrong_line_is_named() {
    let (_folder, path) = log();
    eleven_lines(&path);
    let whole = lines(&path);

    let mut changed = whole.clone();
    changed[4] = changed[4].replace("\"image\":4", "\"image\":5");
    let found = verify_lines(&changed);
    assert!(
        matches!(found, Err(Broken::Changed { line: 6, entry: 4 })),
        "{found:?}"
    );

    let mut missing = whole.clone();
    missing.remove(4);
    let found = verify_lines(&missing);
    assert!(
        matches!(
            found,
            Err(Broken::Misplaced {
                line: 5,
                expected: 4,
                found: 5
            })
        ),
        "{found:?}"
    );

    let mut swapped = whole.clone();
    swapped.swap(4, 5);
    let found = verify_lines(&swapped);
    assert!(
        matches!(
            found,
            Err(Broken::Misplaced {
                line: 5,
                expected: 4,
                found: 5
            })
        ),
        "{found:?}"
    );

    let mut twice = whole.clone();
    twice.insert(4, whole[3].clone());
    let found = verify_lines(&twice);
    assert!(
        matches!(
            found,
            Err(Broken::Misplaced {
                line: 5,
                expected: 4,
                found: 3
            })
        ),
        "{found:?}"
    );

    // Numbers that were made to follow each other again.
    let mut renumbered = missing;
    renumbered[4] = renumbered[4].replace("\"seq\":5", "\"seq\":4");
    let found = verify_lines(&renumbered);
    assert!(
        matches!(found, Err(Broken::Changed { line: 5, entry: 3 })),
        "{found:?}"
    );

    let mut garbage = whole.clone();
    garbage[4] = "{}\n".to_owned();
    let found = verify_lines(&garbage);
    assert!(
        matches!(found, Err(Broken::NoLine { line: 5 })),
        "{found:?}"
    );

    let long = vec!["x".repeat(1 << 20)];
    let found = verify_lines(&long);
    assert!(
        matches!(found, Err(Broken::NoLine { line: 1 })),
        "{found:?}"
    );

    let mut torn = whole;
    torn[10].truncate(30);
    let found = verify_lines(&torn);
    assert!(matches!(found, Err(Broken::Torn { line: 11 })), "{found:?}");
}

#[test]
fn ends_of_a_log_fit_as_well() {
    let (_folder, path) = log();
    let last = eleven_lines(&path);
    let whole = lines(&path);
    let mut beginning = whole.clone();
    beginning[0] = beginning[0].replace(&"00".repeat(32), &"01".repeat(32));
    assert!(matches!(verify_lines(&beginning), Err(Broken::Beginning)));

    // A log without its beginning, or without its end, fits together.
    let chain = verify_lines(&whole[3..]).expect("it fits");
    assert_eq!((chain.first(), chain.last()), (Some(3), last));
    assert_ne!(verify_lines(&whole[..8]).expect("it fits").last(), last);
    let chain = verify_lines(&[]).expect("nothing is wrong");
    assert_eq!((chain.first(), chain.last()), (None, None));
}

#[test]
fn a_torn_line_is_put_aside() {
    let (folder, path) = log();
    eleven_lines(&path);
    let whole = fs::read(&path).expect("the log");
    let last = lines(&path).pop().expect("a line").len();
    for left in (1..last).step_by(13) {
        fs::write(&path, &whole[..whole.len() - last + left]).expect("written");
        let audit = open(&path);
        let torn = &whole[whole.len() - last..][..left];
        let after: Value = serde_json::from_str(&lines(&path)[10]).expect("JSON");
        assert_eq!(after["event"], "torn");
        assert_eq!(after["bytes"], left);
        assert_eq!(after["sha256"], digest(torn));
        let kept = after["kept"].as_str().expect("a name");
        assert_eq!(
            fs::read(folder.path().join(kept)).expect("it is kept"),
            torn
        );
        assert_eq!(verify(&[&path]).expect("whole").last(), audit.last());
        assert_eq!(audit.last().map(|last| last.number), Some(11));
        drop(audit);
        // Once.
        assert_eq!(open(&path).last().map(|last| last.number), Some(12));
    }
}

#[test]
fn a_crash_while_a_torn_line_is_put_aside_is_recorded() {
    let (folder, path) = log();
    eleven_lines(&path);
    fs::write(folder.path().join("audit.jsonl.torn-11"), "{\"seq\":11,").expect("written");
    let audit = open(&path);
    let after: Value = serde_json::from_str(&lines(&path)[11]).expect("JSON");
    assert_eq!(
        (&after["event"], &after["bytes"]),
        (&"torn".into(), &10.into())
    );
    assert_eq!(verify(&[&path]).expect("whole").last(), audit.last());
}

#[test]
fn a_file_that_is_no_log_is_left_alone() {
    let (_folder, path) = log();
    for text in [
        "hello\n".to_owned(),
        "{}\n".to_owned(),
        "x".repeat(1 << 17),
        format!("{}\n", "x".repeat(1 << 17)),
        format!(
            "{{\"seq\":{},\"previous\":\"{}\",\"time\":\"\",\"event\":\"\"}}\n",
            u64::MAX,
            "00".repeat(32)
        ),
    ] {
        fs::write(&path, &text).expect("written");
        let found = Audit::open(&path, "test 1", NOON);
        assert!(matches!(found, Err(AuditError::NoLog { .. })), "{found:?}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), text);
    }
    let found = Audit::open(Path::new("/"), "test 1", NOON);
    assert!(matches!(found, Err(AuditError::NoLog { .. })), "{found:?}");
    let found = Audit::open(&path.join("beneath"), "test 1", NOON);
    assert!(matches!(found, Err(AuditError::File { .. })), "{found:?}");
}

#[test]
fn there_is_one_writer() {
    let (_folder, path) = log();
    let audit = open(&path);
    let found = Audit::open(&path, "test 2", NOON);
    assert!(matches!(found, Err(AuditError::Busy { .. })), "{found:?}");
    audit.record(NOON, &asked(1)).expect("the first goes on");
    drop(audit);
    open(&path);
}

#[test]
fn threads_write_whole_lines() {
    let (_folder, path) = log();
    let audit = Arc::new(open(&path));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let audit = Arc::clone(&audit);
            scope.spawn(move || {
                for image in 0..50 {
                    audit.record(NOON, &asked(image)).expect("recorded");
                }
            });
        }
    });
    assert_eq!(audit.last().map(|last| last.number), Some(400));
    assert_eq!(verify(&[&path]).expect("whole").last(), audit.last());
}

#[test]
fn a_full_file_gives_way_to_a_new_one() {
    let (folder, path) = log();
    let audit = open(&path).rotating(1);
    // At least 1 MiB, whatever was asked for.
    let text = "\u{1}".repeat(1000);
    let party = Party {
        key: None,
        name: &text,
    };
    let mut events = 0;
    let full = loop {
        let event = AuditEvent::Refused {
            client: party,
            server: party,
            why: &text,
        };
        audit.record(NOON, &event).expect("recorded");
        events += 1;
        let full = folder
            .path()
            .join(format!("audit.jsonl.{:012}", events - 1));
        if full.exists() {
            break full;
        }
        assert!(events < 2000, "it never gets full");
    };
    assert_eq!(lines(&path).len(), 1);
    assert_eq!(verify(&[&full, &path]).expect("whole").last(), audit.last());
    let alone = verify(&[&path]).expect("it fits");
    assert_eq!(alone.first(), Some(events));
    assert!(matches!(
        verify(&[&path, &full]),
        Err(Broken::Misplaced { line: 1, .. })
    ));
    // With all files it is there from the start; without the first one it goes on from that one's last line, and from no other.
    verify_with(Chain::from_start(), &[&full, &path]).expect("all of it");
    assert!(matches!(
        verify_with(Chain::from_start(), &[&path]),
        Err(Broken::NotFromStart { found }) if found == events
    ));
    let last = verify(&[&full]).expect("whole").last().expect("lines").hash;
    verify_with(Chain::after(last), &[&path]).expect("it goes on");
    let mut other = last;
    other[31] ^= 1;
    assert!(matches!(
        verify_with(Chain::after(other), &[&path]),
        Err(Broken::GoesOnElsewhere { found, from }) if (found, from) == (events, last)
    ));
    assert!(matches!(
        verify_with(Chain::after(last), &[&full]),
        Err(Broken::GoesOnElsewhere { found: 0, .. })
    ));
    drop(audit);

    // The same after a start, also one after a crash within a rotation.
    let audit = open(&path);
    assert_eq!(verify(&[&full, &path]).expect("whole").last(), audit.last());
    let number = audit.last().expect("lines").number;
    drop(audit);
    let second = folder.path().join(format!("audit.jsonl.{number:012}"));
    fs::rename(&path, &second).expect("renamed");
    let audit = open(&path);
    assert_eq!(
        verify(&[&full, &second, &path]).expect("whole").last(),
        audit.last()
    );
    assert_eq!(audit.last().map(|last| last.number), Some(number + 1));
}

#[test]
fn a_rotation_that_fails_loses_nothing() {
    let (folder, path) = log();
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .expect("a file");
    let audit = open(&path).rotating(1);
    let text = "\u{1}".repeat(1000);
    let party = Party {
        key: None,
        name: &text,
    };
    let event = AuditEvent::Refused {
        client: party,
        server: party,
        why: &text,
    };
    while fs::metadata(&path).expect("the log").len() < 1 << 20 {
        audit.record(NOON, &event).expect("recorded");
    }
    let last = audit.last().expect("lines");
    let taken = folder
        .path()
        .join(format!("audit.jsonl.{:012}", last.number));
    fs::create_dir(&taken).expect("a folder");
    assert!(matches!(
        audit.record(NOON, &event),
        Err(AuditError::File { .. })
    ));
    assert!(matches!(
        audit.record(NOON, &event),
        Err(AuditError::Lost { .. })
    ));
    drop(audit);
    fs::remove_dir(&taken).expect("removed");
    assert_eq!(verify(&[&path]).expect("whole").last(), Some(last));
    // Somebody else's bytes at the end are a torn line like another.
    file.write_all(b"not a line").expect("written");
    let audit = open(&path);
    assert_eq!(verify(&[&path]).expect("whole").last(), audit.last());
    assert_eq!(audit.last().map(|now| now.number), Some(last.number + 2));
}

/// A disk that is full: `/dev/full` takes no byte, and no log can be opened on it.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let (folder, path) = log();
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    let found = Audit::open(&path, "test 1", NOON);
    assert!(matches!(found, Err(AuditError::File { .. })), "{found:?}");
    drop(folder);
}

#[test]
#[cfg(unix)]
fn others_cannot_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = log();
    drop(open(&path));
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let metadata = entry.expect("an entry").metadata().expect("its mode");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn nothing_before_the_first_line() {
    let (_folder, path) = log();
    drop(open(&path));
    let line: Value = serde_json::from_str(&lines(&path)[0]).expect("JSON");
    assert_eq!(
        line["previous"],
        digest_text(&AuditLink {
            number: 0,
            hash: NOTHING
        })
    );
}

/// The contract of stores holds with a log around them, and the log has each preparation once as put aside and once as used.
#[test]
fn preparations_are_recorded() {
    let (_folder, path) = log();
    let audit = Arc::new(open(&path));
    let store = Arc::new(MemoryStore::new());
    let audited = AuditedStore::new(store, Arc::clone(&audit), || NOON);
    let owner = Owner {
        peer: ClientKey([9; 32]),
        model: [1; 32],
        plan: [2; 32],
    };
    let expires = NOON + 60;
    for token in [Token([3; 16]), Token([4; 16])] {
        let lot = Lot {
            token,
            owner,
            expires,
            sealed: b"sealed",
        };
        audited.put(&lot, None).expect("put");
        assert_eq!(audited.put(&lot, None), Err(StoreError::Exists));
    }
    let token = Token([3; 16]);
    let taken = audited.take(&token, &owner, NOON).expect("it answers");
    assert_eq!(taken.as_deref(), Some(&b"sealed"[..]));
    assert_eq!(audited.take(&token, &owner, NOON), Ok(None));
    // One that has expired is none.
    assert_eq!(audited.take(&Token([4; 16]), &owner, expires), Ok(None));
    let found = lines(&path);
    let events = found[1..].iter().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        (line["event"].clone(), line["token"].clone())
    });
    let expected = [("prepared", "03"), ("prepared", "04"), ("used", "03")];
    let expected = expected.map(|(event, byte)| (event.into(), byte.repeat(16).into()));
    assert_eq!(events.collect::<Vec<_>>(), expected);
}

/// What cannot be recorded is not used.
#[test]
#[cfg(target_os = "linux")]
fn a_preparation_that_cannot_be_recorded_is_lost() {
    let (folder, path) = log();
    let audit = Arc::new(open(&path).rotating(1));
    // A rotation that cannot be is an error of the log.
    let text = "\u{1}".repeat(1000);
    let party = Party {
        key: None,
        name: &text,
    };
    let event = AuditEvent::Refused {
        client: party,
        server: party,
        why: &text,
    };
    while fs::metadata(&path).expect("the log").len() < 1 << 20 {
        audit.record(NOON, &event).expect("recorded");
    }
    let last = audit.last().expect("lines").number;
    fs::create_dir(folder.path().join(format!("audit.jsonl.{last:012}"))).expect("a folder");
    let (store, token) = (Arc::new(MemoryStore::new()), Token([3; 16]));
    let owner = Owner {
        peer: ClientKey([9; 32]),
        model: [1; 32],
        plan: [2; 32],
    };
    let sealed = b"sealed";
    let (expires, lot) = (
        NOON + 60,
        Lot {
            token,
            owner,
            expires: NOON + 60,
            sealed,
        },
    );
    store.put(&lot, None).expect("put");
    let audited = AuditedStore::new(Arc::clone(&store) as _, audit, || NOON);
    let taken = audited.take(&token, &owner, NOON);
    assert!(
        matches!(taken, Err(StoreError::Unavailable { .. })),
        "{taken:?}"
    );
    assert_eq!(store.take(&token, &owner, expires - 1), Ok(None));
}
