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
    let count = std::fs::read(count(&path)).expect("there");
    for place in (0..whole.len()).step_by(whole.len() / 60) {
        let mut damaged = whole.clone();
        let end = (place + 64).min(damaged.len());
        damaged[place..end].fill(0x5a);
        std::fs::write(&path, damaged).expect("ours");
        std::fs::write(self::count(&path), &count).expect("ours");
        let taken = Embedded::open(&path).and_then(|store| store.take(&token(1), &OWNER, NOW));
        if let Ok(Some(sealed)) = taken {
            assert!(
                sealed == [7; 100_000],
                "damage at {place} changed what was kept"
            );
        }
    }
}

/// The file beside a store.
fn count(path: &Path) -> PathBuf {
    path.with_extension(match path.extension() {
        Some(extension) => format!("{}.count", extension.display()),
        None => "count".to_owned(),
    })
}

/// A store and its count as they are on the medium.
fn copied(path: &Path) -> [Vec<u8>; 2] {
    [path, &count(path)].map(|path| std::fs::read(path).expect("there"))
}

fn put_back(path: &Path, [file, beside]: &[Vec<u8>; 2]) {
    for (path, bytes) in [(path, file), (&count(path), beside)] {
        std::fs::write(path, bytes).expect("ours");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    }
}

fn refused(path: &Path) {
    let error = Embedded::open(path).expect_err("it is not what it was");
    let said = error.to_string();
    assert!(
        matches!(error, StoreError::Unusable { .. })
            && said.contains("cannot be trusted")
            && said.contains(path.to_str().expect("UTF-8"))
            && said.contains(count(path).to_str().expect("UTF-8")),
        "{said}"
    );
}

/// What there is: the second of three preparations was taken last, and one image charged before.
fn as_it_was(store: &Embedded) -> bool {
    let images = store.usage(&OWNER.peer, NOW).map(|used| used.images);
    store.tokens(&OWNER, NOW) == Ok(vec![token(1), token(3)]) && images == Ok(1)
}

/// A store of which a preparation was taken last: as it was before that, open (as a kill leaves it), and closed.
fn stages(path: &Path) -> [[Vec<u8>; 2]; 3] {
    let store = Embedded::open(path).expect("a new file");
    for number in 1..=3 {
        put(&store, number, &[7; 3000]).expect("room");
    }
    let one = Charge {
        images: 1,
        ..Charge::default()
    };
    let charged = store.charge(&OWNER.peer, &one, &Quota::default(), NOW);
    assert_eq!(charged, Ok(Verdict::Charged));
    let before = copied(path);
    assert!(store.take(&token(2), &OWNER, NOW).expect("works").is_some());
    let open = copied(path);
    drop(store);
    [before, open, copied(path)]
}

/// A bit that turned anywhere: the store is refused, or is exactly what it was; nothing that was taken comes back.
#[test]
fn damage_brings_nothing_back() {
    let (_folder, path) = file();
    let [_, open, closed] = stages(&path);
    for whole in [&open, &closed] {
        put_back(&path, whole);
        assert!(as_it_was(&Embedded::open(&path).expect("unharmed")));
        let [file, beside] = whole;
        let mut found = 0;
        // All of the header, and places of each page that has something in it.
        let pages = (4096..file.len()).step_by(4096).flat_map(|page| {
            let full =
                (page..page + 4096).filter(|&at| file.get(at).is_some_and(|&byte| byte != 0));
            let full: Vec<usize> = full.collect();
            let step = (full.len() / 4).max(1);
            full.into_iter().step_by(step)
        });
        for place in (0..320).chain(pages) {
            let mut file = file.clone();
            file[place] ^= 1 << (place % 8);
            put_back(&path, &[file, beside.clone()]);
            match Embedded::open(&path) {
                Ok(store) => assert!(as_it_was(&store), "damage at {place}"),
                Err(_) => {
                    found += 1;
                    refused(&path);
                }
            }
        }
        assert!(found > 20, "{found}");
        for place in 0..beside.len() {
            let mut beside = beside.clone();
            beside[place] ^= 1;
            put_back(&path, &[file.clone(), beside]);
            refused(&path);
        }
    }
}

#[test]
fn an_older_copy_is_refused() {
    let (_folder, path) = file();
    let [before, open, closed] = stages(&path);
    for now in [&open, &closed] {
        put_back(&path, &[before[0].clone(), now[1].clone()]);
        refused(&path);
        refused(&path);
        // A new file beside the old count, and the old file without one.
        std::fs::remove_file(&path).expect("ours");
        refused(&path);
        put_back(&path, now);
        std::fs::remove_file(count(&path)).expect("ours");
        refused(&path);
        // A kill between the commit and its count.
        put_back(&path, &[now[0].clone(), before[1].clone()]);
        let store = Embedded::open(&path).expect("nobody was told of that commit");
        assert!(as_it_was(&store));
        assert_eq!(copied(&path)[1], now[1]);
        // As the advice has it.
        drop(store);
        std::fs::remove_file(&path).expect("ours");
        std::fs::remove_file(count(&path)).expect("ours");
        assert_eq!(
            Embedded::open(&path)
                .expect("a new file")
                .tokens(&OWNER, NOW),
            Ok(Vec::new())
        );
    }
}

/// A store from before there were counts is counted from now on.
#[test]
fn an_uncounted_store_is_taken_on() {
    let (_folder, path) = file();
    let [.., closed] = stages(&path);
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    let database = redb::Database::open(&path).expect("a database");
    let transaction = database.begin_write().expect("works");
    let removed = transaction
        .open_table(meta)
        .expect("there")
        .remove("count")
        .expect("works")
        .map(|count| count.value());
    assert_eq!(removed, Some(5));
    transaction.commit().expect("works");
    drop(database);
    std::fs::remove_file(count(&path)).expect("ours");
    let store = Embedded::open(&path).expect("it has no count yet");
    assert!(as_it_was(&store));
    assert!(store.take(&token(1), &OWNER, NOW).expect("works").is_some());
    drop(store);
    let [_, beside] = copied(&path);
    put_back(&path, &[closed[0].clone(), beside]);
    refused(&path);
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
