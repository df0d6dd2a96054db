//! The files of a log: torn lines, rotation, disks that are full.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use service::{Audit, AuditError, Broken, Chain};

use super::{
    NOON, asked, digest, eleven_lines, fill, lines, log, open, stuck, verify, verify_with,
};

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
fn a_full_file_gives_way_to_a_new_one() {
    let (folder, path) = log();
    let audit = open(&path).rotating(1);
    let full = |last: u64| folder.path().join(format!("audit.jsonl.{last:012}"));
    // At least 1 MiB, whatever was asked for.
    let events = fill(&audit, |events| events > 0 && full(events - 1).exists());
    let full = full(events - 1);
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
    let (taken, last) = stuck(&folder, &path, &audit);
    assert!(matches!(
        audit.record(NOON, &asked(1)),
        Err(AuditError::File { .. })
    ));
    assert!(matches!(
        audit.record(NOON, &asked(1)),
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
