//! The audit log: what is written can be verified, and what was changed is found.

mod changes;
mod files;
mod lines;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};

use service::{Audit, AuditEvent, AuditLink, Broken, Chain, Party};
use tempfile::TempDir;

const NOON: u64 = 1_796_040_000;

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

fn digest_text(link: &AuditLink) -> String {
    link.hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes lines of a long text until something is so, and says how many.
fn fill(audit: &Audit, is_so: impl Fn(u64) -> bool) -> u64 {
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
    for events in 0..2000 {
        if is_so(events) {
            return events;
        }
        audit.record(NOON, &event).expect("recorded");
    }
    panic!("it never is");
}

/// The same until the file is so full that the next line begins another one, and keeps that from being: every line fails from here. The folder that is in
/// its way, and the last line.
fn stuck(folder: &TempDir, path: &Path, audit: &Audit) -> (PathBuf, AuditLink) {
    fill(audit, |_| {
        fs::metadata(path).expect("the log").len() >= 1 << 20
    });
    let last = audit.last().expect("lines");
    let name = format!("audit.jsonl.{:012}", last.number);
    let taken = folder.path().join(name);
    fs::create_dir(&taken).expect("a folder");
    (taken, last)
}
