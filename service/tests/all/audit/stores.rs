//! What a log says of preparations.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use service::{
    AuditedStore, ClientKey, Fate, Lot, Meeting, MemoryStore, Otherwise, Owner, Shelf, Store,
    StoreError, Token,
};
use testkit::run_over;

use super::{NOON, lines, log, open, stuck};
use crate::common::{line, server};
use crate::shelves::{PATIENCE, asked, small};

/// Event, token and reason of each line about a preparation.
fn told(path: &Path) -> Vec<[String; 3]> {
    let lines = lines(path).into_iter().skip(1).map(|line| {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        ["event", "token", "reason"].map(|key| line[key].as_str().unwrap_or_default().to_owned())
    });
    lines.collect()
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
    assert_eq!(audited.note(&token, &owner, &Fate::Used), Ok(()));
    // One that has expired is none.
    assert_eq!(audited.take(&Token([4; 16]), &owner, expires), Ok(None));
    assert_eq!(audited.purge(expires), Ok(vec![Token([4; 16])]));
    let told = told(&path);
    let expected = [
        ("prepared", 3, ""),
        ("prepared", 4, ""),
        ("used", 3, ""),
        ("discarded", 4, "expired"),
    ];
    let expected = expected.map(|(event, byte, reason)| line_of(event, Token([byte; 16]), reason));
    assert_eq!(told, expected);
}

/// What cannot be recorded is not used.
#[test]
fn a_preparation_that_cannot_be_recorded_is_lost() {
    let (folder, path) = log();
    let audit = Arc::new(open(&path).rotating(1));
    stuck(&folder, &path, &audit);
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
    assert_eq!(audited.claim(&token, &owner, NOON), Ok(true));
    let noted = audited.note(&token, &owner, &Fate::Used);
    assert!(
        matches!(noted, Err(StoreError::Unavailable { .. })),
        "{noted:?}"
    );
    assert_eq!(store.take(&token, &owner, expires - 1), Ok(None));
}

/// What a log has got since the last look, without what was made.
fn news(path: &Path, seen: &Cell<usize>) -> Vec<[String; 3]> {
    let told = told(path);
    let mut new = told[seen.replace(told.len())..].to_vec();
    new.retain(|[event, ..]| event != "prepared");
    new
}

fn line_of(event: &str, token: Token, reason: &str) -> [String; 3] {
    let token: String = token.0.iter().map(|byte| format!("{byte:02x}")).collect();
    [event.to_owned(), token, reason.to_owned()]
}

/// What is used is told apart from what is thrown away, in the logs of both parties, with the reason.
#[test]
fn each_fate_is_recorded_at_both() {
    static TIME: AtomicU64 = AtomicU64::new(NOON);
    let now = || TIME.load(Ordering::Relaxed);
    let mut pair = small();
    let logs = [log(), log()];
    let shelf = |party: usize| {
        let audit = Arc::new(open(&logs[party].1));
        let store = Arc::clone(&pair.stores[party]) as Arc<dyn Store>;
        let store = Arc::new(AuditedStore::new(store, audit, || NOON));
        let key = sealed::Key::new([u8::try_from(party).expect("two"); 32]);
        Shelf::with_clock(store, key, now)
    };
    (pair.server, pair.client) = (server(&pair.model).with_shelf(shelf(0)), shelf(1));
    let seen = [0, 1].map(|_| Cell::new(0));
    let news = || [0, 1].map(|party| news(&logs[party].1, &seen[party]));
    pair.prepare(5);
    let tokens: Vec<_> = pair.stores[0].there().iter().map(|lot| lot.0).collect();
    news();
    // The first does not open at the server, the second not at the client, and the third is good.
    for (party, token) in [(0, 0), (1, 1)] {
        pair.stores[party].swap(tokens[token], Some(vec![0; 9]));
    }
    pair.infer(1).1.expect("the third is good");
    assert_eq!(
        news(),
        [
            vec![
                line_of("discarded", tokens[0], "damaged"),
                line_of("used", tokens[2], "")
            ],
            vec![
                line_of("discarded", tokens[0], "lost"),
                line_of("used", tokens[2], "")
            ],
        ]
    );
    // The server has lost the fourth, and a session that takes the fifth does not begin.
    pair.stores[0].swap(tokens[3], None);
    let seed = pair.seed();
    let (served, ready) = run_over(
        line(PATIENCE).pair(),
        |connection| pair.server.serve(&connection, [7; 32], &mut |_| {}),
        |connection| {
            let mut meeting = Meeting::over(connection, &asked(1), seed)?;
            meeting.ready(&pair.client, Otherwise::Fail)
        },
    );
    assert!(served.is_err());
    assert_eq!(ready.expect("it asks"), Some(1));
    let [at_server, at_client] = news();
    assert!(at_server.is_empty());
    assert_eq!(
        at_client,
        [
            line_of("discarded", tokens[3], "lost"),
            line_of("discarded", tokens[4], "unused")
        ]
    );
    // What has expired goes when there is more to be put.
    TIME.fetch_add(8 * 86_400, Ordering::Relaxed);
    pair.stores[1].full_at.store(1, Ordering::Relaxed);
    let (_, made) = pair.prepare_over(line(PATIENCE).pair(), &asked(1));
    made.expect_err("the disk is full");
    let [mut at_server, at_client] = news();
    let given_up = at_server.pop().expect("what was made");
    assert_eq!(given_up[2], "unconfirmed");
    at_server.sort();
    let mut expired = [1, 4].map(|token| line_of("discarded", tokens[token], "expired"));
    expired.sort();
    assert_eq!(at_server, expired);
    assert_eq!(at_client, [line_of("discarded", tokens[1], "expired")]);
    // The logs are whole, and a damage has its words.
    for (_folder, path) in &logs {
        super::verify(&[path]).expect("whole");
    }
    let words = std::fs::read_to_string(&logs[0].1).expect("the log");
    assert!(words.contains("\"why\":\"this is nothing that was sealed\""));
}
