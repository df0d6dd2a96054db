//! What lines say.

use std::sync::Arc;

use serde_json::Value;
use service::{AuditEvent, Ended, Party, Token};

use super::{NOON, asked, digest, digest_text, lines, log, open, verify};

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
