//! A store in a file: the contract, the file's privacy, processes that are killed, a disk that is full.

#![expect(clippy::print_stdout, reason = "processes of tests speak so")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use service::{
    Charge, ClientKey, Lot, Owner, Quota, Store, StoreError, Token, Verdict, store_contract,
};
use store::Embedded;
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;
const OWNER: Owner = Owner {
    peer: ClientKey([1; 32]),
    model: [2; 32],
    plan: [3; 32],
};

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/er/stock.redb");
    (folder, path)
}

fn token(number: u64) -> Token {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&number.to_le_bytes());
    Token(token)
}

fn put(store: &dyn Store, number: u64, sealed: &[u8]) -> Result<(), StoreError> {
    let lot = Lot {
        token: token(number),
        owner: OWNER,
        expires: NOW + 1000,
        sealed,
    };
    store.put(&lot, None)
}

#[test]
fn it_keeps_the_contract() {
    let (_folder, path) = file();
    let store = Embedded::open(&path).expect("a new file");
    store_contract(&store);
}

#[test]
fn it_lasts_and_belongs_to_its_owner_alone() {
    let (_folder, path) = file();
    let store = Embedded::open(&path).expect("a new file");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    put(&store, 1, b"sealed").expect("room");
    let one = Charge {
        images: 1,
        ..Charge::default()
    };
    let quota = Quota {
        images: Some(1),
        ..Quota::default()
    };
    let charge = |store: &Embedded| store.charge(&OWNER.peer, &one, &quota, NOW);
    assert_eq!(charge(&store), Ok(Verdict::Charged));
    let busy = Embedded::open(&path).expect_err("one process at a time");
    assert!(
        matches!(&busy, StoreError::Unusable { what } if what.contains("another process")),
        "{busy}"
    );
    drop(store);
    let store = Embedded::open(&path).expect("the file");
    assert_eq!(store.tokens(&OWNER, NOW), Ok(vec![token(1)]));
    assert!(matches!(charge(&store), Ok(Verdict::Refused(_))));
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    let open = Embedded::open(&path).expect_err("others may read it");
    assert!(open.to_string().contains("chmod 600"), "{open}");
}

#[test]
fn what_is_no_store_is_refused() {
    let (folder, _) = file();
    let path = folder.path().join("noise");
    let wrong = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        let error = Embedded::open(&path).expect_err("this is no store");
        let said = error.to_string();
        assert!(
            matches!(error, StoreError::Unusable { .. })
                && said.contains(path.to_str().expect("UTF-8"))
                && said.contains("name another file")
                && !said.contains("redb"),
            "{said}"
        );
        let unharmed = std::fs::read(&path).expect("still there");
        assert_eq!(unharmed.len(), bytes.len());
    };
    wrong(b"not a database");
    wrong(&[0xa5; 100_000]);
    assert!(Embedded::open(folder.path()).is_err());
    // A store of which parts were overwritten: an error, or what was there; no panic.
    let path = folder.path().join("whole");
    let store = Embedded::open(&path).expect("a new file");
    put(&store, 1, &[7; 100_000]).expect("room");
    drop(store);
    let whole = std::fs::read(&path).expect("there");
    for place in (0..whole.len()).step_by(whole.len() / 60) {
        let mut damaged = whole.clone();
        let end = (place + 64).min(damaged.len());
        damaged[place..end].fill(0x5a);
        std::fs::write(&path, damaged).expect("ours");
        let taken = Embedded::open(&path).and_then(|store| store.take(&token(1), &OWNER, NOW));
        if let Ok(Some(sealed)) = taken {
            assert!(
                sealed == [7; 100_000],
                "damage at {place} changed what was kept"
            );
        }
    }
}

/// 200 MB in pieces, of which the store keeps little in memory.
#[test]
fn large_preparations() {
    let (_folder, path) = file();
    let store = Embedded::open(&path).expect("a new file");
    let sealed: Vec<u8> = (0..200_000_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    put(&store, 1, &sealed).expect("room");
    drop(store);
    let store = Embedded::open(&path).expect("the file");
    assert_eq!(store.stock(NOW).map(|stock| stock.bytes), Ok(200_000_000));
    assert!(store.take(&token(1), &OWNER, NOW) == Ok(Some(sealed)));
    // Their room is used again.
    let size = || std::fs::metadata(&path).expect("there").len();
    let before = size();
    for number in 2..5 {
        put(&store, number, &vec![9; 100_000_000]).expect("room");
        assert!(
            store
                .take(&token(number), &OWNER, NOW)
                .expect("there")
                .is_some()
        );
    }
    assert!(size() <= before * 5 / 4, "{before} became {}", size());
}

/// This test again in another process, with a part to play there.
fn process(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args([test, "--exact", "--nocapture"])
        .env("BLINDRAY_TEST_STORE", path)
        .stdout(Stdio::piped());
    command
}

fn path_to_play_with() -> Option<PathBuf> {
    std::env::var_os("BLINDRAY_TEST_STORE").map(PathBuf::from)
}

/// A process that is killed with SIGKILL at any time: what it said to have put is there, what it said to have taken is not.
#[test]
fn killed_at_any_time() {
    const HERE: &str = "killed_at_any_time";
    if let Some(path) = path_to_play_with() {
        let store = Embedded::open(&path).expect("the file");
        let first: u64 = std::env::var("BLINDRAY_TEST_FIRST")
            .expect("set")
            .parse()
            .expect("a number");
        let mut out = std::io::stdout().lock();
        for number in first.. {
            put(&store, number, &[1; 3000]).expect("room");
            writeln!(out, "\nput {number}").expect("it is read");
            if number % 2 == 0 {
                assert!(
                    store
                        .take(&token(number), &OWNER, NOW)
                        .expect("works")
                        .is_some()
                );
                writeln!(out, "\ntaken {number}").expect("it is read");
            }
        }
    }
    let (_folder, path) = file();
    let (mut put, mut taken) = (Vec::new(), Vec::new());
    for round in 0..6_usize {
        let first = round * 1_000_000;
        let mut command = process(HERE, &path);
        let mut child = command
            .env("BLINDRAY_TEST_FIRST", first.to_string())
            .spawn()
            .expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let enough = 5 + 7 * round;
        let mut heard = 0;
        while heard < enough {
            let line = lines.next().expect("it goes on").expect("text");
            heard += note(&line, &mut put, &mut taken);
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        // What it said before it was killed.
        for line in lines.map_while(Result::ok) {
            note(&line, &mut put, &mut taken);
        }
    }
    let store = Embedded::open(&path).expect("the file");
    let left = store.tokens(&OWNER, NOW).expect("works");
    for number in &put {
        if taken.contains(number) {
            assert!(
                !left.contains(&token(*number)),
                "{number} was taken, and is back"
            );
        } else if number % 2 == 1 {
            assert!(
                left.contains(&token(*number)),
                "{number} was put, and is gone"
            );
        }
    }
    assert!(put.len() > 30 && taken.len() > 15);
}

fn note(line: &str, put: &mut Vec<u64>, taken: &mut Vec<u64>) -> usize {
    let number = |rest: &str| rest.parse().expect("a number");
    if let Some(rest) = line.strip_prefix("put ") {
        put.push(number(rest));
    } else if let Some(rest) = line.strip_prefix("taken ") {
        taken.push(number(rest));
    } else {
        return 0;
    }
    1
}

/// A disk that takes no more: a typed error, nothing of the preparation is there, and the store works on.
#[test]
fn a_full_disk() {
    const HERE: &str = "a_full_disk";
    if let Some(path) = path_to_play_with() {
        let store = Embedded::open(&path).expect("the file");
        put(&store, 1, b"before").expect("room");
        let full = put(&store, 2, &vec![1; 30 << 20]).expect_err("there is no room");
        assert!(matches!(full, StoreError::Unavailable { .. }), "{full:?}");
        // It is opened again by itself.
        assert_eq!(store.tokens(&OWNER, NOW), Ok(vec![token(1)]));
        put(&store, 3, b"after").expect("a little fits");
        assert_eq!(
            store.take(&token(1), &OWNER, NOW),
            Ok(Some(b"before".to_vec()))
        );
        println!("\nit works on");
        return;
    }
    let (_folder, path) = file();
    drop(Embedded::open(&path).expect("a new file"));
    let inner = process(HERE, &path);
    // A limit for files of 8 MB stands for the disk.
    let mut command = Command::new("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "bash"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env("BLINDRAY_TEST_STORE", &path);
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("\nit works on"), "{said}{errors}");
    let store = Embedded::open(&path).expect("the file");
    assert_eq!(store.tokens(&OWNER, NOW), Ok(vec![token(3)]));
}
