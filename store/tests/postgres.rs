//! A store in PostgreSQL: a real one, started by the tests.

#![expect(clippy::print_stdout, reason = "processes of tests speak so")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use service::{
    Charge, ClientKey, Lot, Owner, Quota, Store, StoreError, Token, Verdict, store_contract,
};
use store::Postgres;
use testkit::{Database, MiddleBox};

const NOW: u64 = 1_800_000_000;
const OWNER: Owner = Owner {
    peer: ClientKey([1; 32]),
    model: [2; 32],
    plan: [3; 32],
};

fn token(number: u64) -> Token {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&number.to_be_bytes());
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

fn count(database: &Database, table: &str) -> String {
    database.run(&format!("SELECT count(*) FROM {table}"))
}

#[test]
fn it_keeps_the_contract() {
    let Some(database) = Database::start() else {
        return;
    };
    let store = Postgres::open(&database.url()).expect("it is there");
    store_contract(&store);
    assert_eq!(
        count(&database, "blindray_pieces"),
        "0",
        "pieces without a row"
    );
    // A second server finds the tables.
    let second = Postgres::open(&database.url()).expect("it is there");
    put(&store, 1, b"sealed").expect("it works");
    assert_eq!(put(&second, 1, b"other"), Err(StoreError::Exists));
    assert_eq!(
        second.take(&token(1), &OWNER, NOW),
        Ok(Some(b"sealed".to_vec()))
    );
    assert_eq!(store.take(&token(1), &OWNER, NOW), Ok(None));
    let open = store::open(&database.url()).expect("by its name");
    assert_eq!(open.tokens(&OWNER, NOW), Ok(vec![]));
    // Durable where the database was told not to be.
    let _ = database.run("ALTER SYSTEM SET synchronous_commit = off");
    let _ = database.run("SELECT pg_reload_conf()");
    let large = vec![5; 120_000_000];
    put(&store, 2, &large).expect("there is room");
    assert!(second.take(&token(2), &OWNER, NOW) == Ok(Some(large)));
    newer_and_damaged(&database);
}

fn newer_and_damaged(database: &Database) {
    let store = Postgres::open(&database.url()).expect("it is there");
    put(&store, 7, &vec![1; 3 << 20]).expect("it works");
    let _ = database.run("DELETE FROM blindray_pieces WHERE number = 1");
    let lacks = store
        .take(&token(7), &OWNER, NOW)
        .expect_err("a piece is gone");
    assert!(matches!(lacks, StoreError::Damaged { .. }), "{lacks}");
    let _ = database.run("UPDATE blindray_accounts SET account = 'nonsense'");
    let account = store.usage(&ClientKey([13; 32]), NOW);
    assert!(
        matches!(account, Err(StoreError::Unusable { .. })),
        "{account:?}"
    );
    let _ = database.run("INSERT INTO blindray_schema VALUES (3)");
    let newer = Postgres::open(&database.url()).expect_err("it is newer");
    assert!(newer.to_string().contains("version 3"), "{newer}");
    let _ = database.run("DROP TABLE blindray_lots");
    let gone = store.stock(NOW).expect_err("the table is gone");
    assert!(matches!(gone, StoreError::Unusable { .. }), "{gone}");
}

/// A database that may lose what it has committed is not used.
#[test]
fn a_database_that_forgets() {
    let Some(mut database) = Database::start() else {
        return;
    };
    database.down();
    database.set("fsync", "off");
    database.up();
    let forgets = Postgres::open(&database.url()).expect_err("it may forget");
    assert!(forgets.to_string().contains("fsync"), "{forgets}");
}

/// Several processes take from the same stock, and charge the same client: nothing twice.
#[test]
fn several_processes() {
    const HERE: &str = "several_processes";
    const LOTS: u64 = 100;
    const ALLOWED: u64 = 50;
    let quota = Quota {
        images_per_hour: Some(ALLOWED),
        ..Quota::default()
    };
    let one = Charge {
        images: 1,
        ..Charge::default()
    };
    if let Ok(url) = std::env::var("BLINDRAY_TEST_URL") {
        let store = Postgres::open(&url).expect("it is there");
        for number in 0..LOTS {
            if let Some(sealed) = store.take(&token(number), &OWNER, NOW).expect("works") {
                assert_eq!(sealed, number.to_le_bytes());
                println!("\ntaken {number}");
            }
            if store.charge(&OWNER.peer, &one, &quota, NOW) == Ok(Verdict::Charged) {
                println!("\ncharged");
            }
        }
        return;
    }
    let Some(database) = Database::start() else {
        return;
    };
    let store = Postgres::open(&database.url()).expect("it is there");
    for number in 0..LOTS {
        put(&store, number, &number.to_le_bytes()).expect("it works");
    }
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            command.args([HERE, "--exact", "--nocapture"]);
            command.env("BLINDRAY_TEST_URL", database.url());
            command.stdout(Stdio::piped()).spawn().expect("it runs")
        })
        .collect();
    let (mut taken, mut charged) = (Vec::new(), 0);
    for process in processes {
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers = said.lines().filter_map(|line| line.strip_prefix("taken "));
        taken.extend(numbers.map(|number| number.parse::<u64>().expect("a number")));
        charged += said.lines().filter(|line| *line == "charged").count() as u64;
    }
    assert_eq!(taken.len() as u64, LOTS, "each once");
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len() as u64, LOTS);
    assert_eq!(charged, ALLOWED);
}

/// A database that is killed and comes back, and one that hangs.
#[test]
fn gone_and_back() {
    let Some(mut database) = Database::start() else {
        return;
    };
    let store = Postgres::open(&database.url()).expect("it is there");
    put(&store, 1, b"kept").expect("it works");
    put(&store, 2, b"taken").expect("it works");
    assert!(store.take(&token(2), &OWNER, NOW).expect("works").is_some());
    database.down();
    let begin = Instant::now();
    for _ in 0..3 {
        let gone = store.tokens(&OWNER, NOW).expect_err("it is gone");
        assert!(matches!(gone, StoreError::Unavailable { .. }), "{gone}");
    }
    let gone = Postgres::open(&database.url()).expect_err("it is gone");
    assert!(matches!(gone, StoreError::Unavailable { .. }), "{gone}");
    assert!(begin.elapsed() < Duration::from_secs(30));
    database.up();
    // What was taken stays taken, and the store is there again by itself.
    assert_eq!(store.tokens(&OWNER, NOW), Ok(vec![token(1)]));
    assert_eq!(store.take(&token(2), &OWNER, NOW), Ok(None));
    assert_eq!(
        store.take(&token(1), &OWNER, NOW),
        Ok(Some(b"kept".to_vec()))
    );
}

/// A database that takes connections and says nothing: each call ends in time with the reason, and the store works again with it.
#[test]
fn a_database_that_hangs() {
    let in_time = |begin: Instant, error: StoreError| {
        let StoreError::Unavailable { what } = &error else {
            panic!("{error}");
        };
        assert!(what.ends_with("did not answer in time"), "{what}");
        assert!(begin.elapsed() < Duration::from_secs(25), "{begin:?}");
    };
    // Whatever listens there, it is no database.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = mute.local_addr().expect("a port").port();
    let begin = Instant::now();
    let nothing = Postgres::open(&format!("postgres://u@127.0.0.1:{port}/d"));
    in_time(begin, nothing.expect_err("nobody answers"));
    let Some(database) = Database::start() else {
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], database.port()));
    let way = MiddleBox::balancer(&[address]);
    let url = format!("postgres://blindray@{}/postgres", way.address());
    let store = Postgres::open(&url).expect("it is there");
    put(&store, 1, b"kept").expect("it works");
    way.hold(true);
    // Over the connection that there is, and over a new one; several at once.
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    let begin = Instant::now();
                    in_time(begin, store.stock(NOW).expect_err("it hangs"));
                }
                let begin = Instant::now();
                let taken = store.take(&token(1), &OWNER, NOW);
                in_time(begin, taken.expect_err("it hangs"));
            });
        }
    });
    way.hold(false);
    assert_eq!(
        store.take(&token(1), &OWNER, NOW),
        Ok(Some(b"kept".to_vec()))
    );
}

#[test]
fn wrong_users_and_databases() {
    let Some(database) = Database::start() else {
        return;
    };
    let url = database.url();
    let _ = database.run("CREATE ROLE guest LOGIN");
    let _ = database.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    for wrong in [
        url.replace("blindray@", "nobody@"),
        url.replace("/postgres", "/nothing"),
        url.replace("blindray@", "guest@"),
    ] {
        let wrong = Postgres::open(&wrong).expect_err("nobody is let in so");
        assert!(matches!(wrong, StoreError::Unusable { .. }), "{wrong}");
    }
    assert_eq!(
        database.run("SELECT to_regclass('blindray_schema') IS NULL"),
        "t"
    );
}

fn pem(what: &str, bytes: &[u8]) -> String {
    let text = Base64::encode_string(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("letters"))
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {what}-----\n{lines}\n-----END {what}-----\n")
}

/// Over TCP with TLS, the name checked.
#[test]
fn encrypted() {
    let Some(mut database) = Database::start() else {
        return;
    };
    let signed =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = pem("CERTIFICATE", signed.cert.der());
    database.down();
    database.file("server.crt", &certificate);
    database.file(
        "server.key",
        &pem("PRIVATE KEY", &signed.signing_key.serialize_der()),
    );
    database.set("ssl", "on");
    database.file(
        "pg_hba.conf",
        "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
    );
    database.up();
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &certificate).expect("a file");
    let (port, roots) = (database.port(), roots.display());
    let url = |host: &str| format!("postgres://blindray@{host}:{port}/postgres");
    let store = Postgres::open(&format!("{}?sslrootcert={roots}", url("localhost")));
    let store = store.expect("it is signed for this name");
    put(&store, 1, &vec![3; 3_000_000]).expect("it works");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE ssl AND version = 'TLSv1.3' AND application_name = 'blindray'";
    assert_eq!(database.run(encrypted), "1");
    let other_name = Postgres::open(&format!("{}?sslrootcert={roots}", url("127.0.0.1")));
    let other_name = other_name.expect_err("it is signed for another name");
    assert!(
        other_name.to_string().contains("certificate"),
        "{other_name}"
    );
    let clear = Postgres::open(&url("localhost")).expect_err("the database wants TLS");
    assert!(clear.to_string().contains("pg_hba"), "{clear}");
}
