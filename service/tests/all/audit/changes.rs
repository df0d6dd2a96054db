//! What was changed is found.

use serde_json::Value;
use service::{AuditLink, Broken, Chain};

use super::{digest_text, eleven_lines, lines, log, open, verify_lines};

const NOTHING: [u8; 32] = [0; 32];

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

/// The line that is not where it should be, the entry that should be there, and the one that is.
fn misplaced(found: Result<Chain, Broken>) -> Option<(u64, u64, u64)> {
    match found {
        Err(Broken::Misplaced {
            line,
            expected,
            found,
        }) => Some((line, expected, found)),
        _ => None,
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
    assert_eq!(misplaced(found), Some((5, 4, 5)));

    let mut swapped = whole.clone();
    swapped.swap(4, 5);
    let found = verify_lines(&swapped);
    assert_eq!(misplaced(found), Some((5, 4, 5)));

    let mut twice = whole.clone();
    twice.insert(4, whole[3].clone());
    let found = verify_lines(&twice);
    assert_eq!(misplaced(found), Some((5, 4, 3)));

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
