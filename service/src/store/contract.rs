//! What every store must do, as one function that the tests of each store run.

use std::collections::BTreeSet;
use std::sync::Barrier;

use super::{
    Charge, ClientKey, DOUBT, Doubts, Lot, Owner, Quota, QuotaKind, Refusal, Room, Said, Store,
    StoreError, Token, Usage, Verdict,
};

/// Some time.
const NOW: u64 = 1_800_000_000;

const fn owner(peer: u8, model: u8, plan: u8) -> Owner {
    Owner {
        peer: ClientKey([peer; 32]),
        model: [model; 32],
        plan: [plan; 32],
    }
}

const MINE: Owner = owner(1, 2, 3);

fn token(number: u64) -> Token {
    let mut token = [0xc0; 16];
    token[..8].copy_from_slice(&number.to_be_bytes());
    Token(token)
}

/// Bytes that differ from lot to lot, and within each.
fn content(number: u64, length: usize) -> Vec<u8> {
    let byte = |i: usize| {
        (i as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(number)
            >> 56
    };
    (0..length).map(|i| byte(i).to_le_bytes()[0]).collect()
}

fn put(store: &dyn Store, number: u64, owner: Owner, expires: u64, sealed: &[u8]) {
    let put = put_into(store, number, owner, expires, sealed, None);
    put.expect("it can be put aside");
}

fn put_into(
    store: &dyn Store,
    number: u64,
    owner: Owner,
    expires: u64,
    sealed: &[u8],
    room: Option<Room>,
) -> Result<(), StoreError> {
    let lot = Lot {
        token: token(number),
        owner,
        expires,
        sealed,
    };
    store.put(&lot, room)
}

fn take(store: &dyn Store, number: u64, owner: &Owner, now: u64) -> Option<Vec<u8>> {
    store
        .take(&token(number), owner, now)
        .expect("a store that works")
}

/// Tests that a store does what [`Store`] promises. The store is empty at first, and is left so but for accounts.
///
/// # Panics
/// If it does not.
#[doc(hidden)]
pub fn store_contract(store: &dyn Store) {
    lot_contract(store);
    quotas_hold(store);
    many_charge_at_once(store);
}

/// The same of a store that keeps no accounts.
///
/// # Panics
/// As [`store_contract`].
#[doc(hidden)]
pub fn lot_contract(store: &dyn Store) {
    lots_are_single(store);
    lots_are_bound(store);
    lots_expire(store);
    sizes(store);
    looking_takes_nothing(store);
    many_take_at_once(store);
    room_is_for_a_client_and_a_model(store);
    many_put_at_once(store);
    what_is_lost_goes_after_a_while(store);
    assert_eq!(store.stock(NOW), Ok(crate::Stock::default()));
}

fn lots_are_single(store: &dyn Store) {
    let sealed = content(1, 1000);
    put(store, 1, MINE, NOW + 10, &sealed);
    let again = Lot {
        token: token(1),
        owner: owner(9, 9, 9),
        expires: NOW + 99,
        sealed: b"another",
    };
    assert_eq!(store.put(&again, None), Err(StoreError::Exists));
    assert_eq!(store.tokens(&MINE, NOW), Ok(vec![token(1)]));
    let stock = store.stock(NOW).expect("a store that works");
    assert_eq!((stock.lots, stock.bytes), (1, 1000));
    assert_eq!(take(store, 1, &MINE, NOW), Some(sealed));
    assert_eq!(take(store, 1, &MINE, NOW), None);
    assert_eq!(store.tokens(&MINE, NOW), Ok(vec![]));
    assert_eq!(take(store, 2, &MINE, NOW), None);
    put(store, 2, MINE, NOW + 10, b"seen");
    let claim = |owner: Owner, now| store.claim(&token(2), &owner, now);
    assert_eq!(claim(owner(1, 2, 0), NOW), Ok(false));
    assert_eq!(claim(MINE, NOW + 10), Ok(false));
    assert_eq!(claim(MINE, NOW), Ok(true));
    assert_eq!(claim(MINE, NOW), Ok(false));
    assert_eq!(take(store, 2, &MINE, NOW), None);
}

fn lots_are_bound(store: &dyn Store) {
    put(store, 1, MINE, NOW + 10, b"mine");
    for other in [owner(0, 2, 3), owner(1, 0, 3), owner(1, 2, 0)] {
        assert_eq!(take(store, 1, &other, NOW), None);
        assert_eq!(store.tokens(&other, NOW), Ok(vec![]));
    }
    assert_eq!(take(store, 1, &MINE, NOW).as_deref(), Some(&b"mine"[..]));
}

fn lots_expire(store: &dyn Store) {
    for (number, after) in [(1, 30), (2, 10), (3, 20)] {
        put(store, number, MINE, NOW + after, b"sealed");
    }
    let tokens = |now| store.tokens(&MINE, now).expect("a store that works");
    assert_eq!(tokens(NOW), [2, 3, 1].map(token));
    assert_eq!(tokens(NOW + 9), [2, 3, 1].map(token));
    assert_eq!(tokens(NOW + 10), [3, 1].map(token));
    let good = |now| store.stock(now).expect("a store that works").lots;
    assert_eq!([NOW + 9, NOW + 10, NOW + 30].map(good), [3, 2, 0]);
    assert_eq!(take(store, 2, &MINE, NOW + 10), None);
    let purge = |now| {
        let gone = store.purge(now).expect("a store that works");
        gone.into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(purge(NOW + 9), BTreeSet::new());
    assert_eq!(purge(NOW + 20), BTreeSet::from([2, 3].map(token)));
    // Also for a clock that was set back.
    assert_eq!(take(store, 3, &MINE, NOW), None);
    assert_eq!(tokens(NOW), [token(1)]);
    assert_eq!(
        take(store, 1, &MINE, NOW + 29).as_deref(),
        Some(&b"sealed"[..])
    );
    // Times at the ends of their range.
    put(store, 4, MINE, u64::MAX, b"");
    put(store, 5, MINE, 0, b"dead");
    assert_eq!(take(store, 5, &MINE, 0), None);
    assert_eq!(purge(u64::MAX - 1), BTreeSet::from([token(5)]));
    assert_eq!(
        take(store, 4, &MINE, u64::MAX - 1).as_deref(),
        Some(&b""[..])
    );
}

/// Around the sizes at which a store cuts.
fn sizes(store: &dyn Store) {
    for (number, length) in (1..).zip([0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20]) {
        let sealed = content(number, length);
        put(store, number, MINE, NOW + number, &sealed);
        assert!(
            take(store, number, &MINE, NOW) == Some(sealed),
            "{length} bytes"
        );
    }
}

fn many_take_at_once(store: &dyn Store) {
    const LOTS: u64 = 16;
    const THREADS: usize = 4;
    for number in 0..LOTS {
        put(store, number, MINE, NOW + 10, &content(number, 2000));
    }
    let barrier = Barrier::new(THREADS);
    let taken: Vec<u64> = std::thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| {
            scope.spawn(|| {
                barrier.wait();
                let won = |number: &u64| match take(store, *number, &MINE, NOW) {
                    Some(sealed) => {
                        assert!(sealed == content(*number, 2000));
                        true
                    }
                    None => false,
                };
                (0..LOTS).filter(won).collect::<Vec<_>>()
            })
        });
        let won = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        won.flatten().collect()
    });
    assert_eq!(taken.len() as u64, LOTS, "each once");
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len() as u64, LOTS);
}

fn looking_takes_nothing(store: &dyn Store) {
    let sealed = content(1, (1 << 20) + 5);
    put(store, 1, MINE, NOW + 10, &sealed);
    let look = |number, owner: Owner, now| {
        let seen = store.look(&token(number), &owner, now);
        seen.expect("a store that works")
    };
    for _ in 0..2 {
        assert!(look(1, MINE, NOW).as_ref() == Some(&sealed));
    }
    assert_eq!(look(1, owner(1, 2, 0), NOW), None);
    assert_eq!(look(1, MINE, NOW + 10), None);
    assert_eq!(look(2, MINE, NOW), None);
    assert!(take(store, 1, &MINE, NOW) == Some(sealed));
    assert_eq!(look(1, MINE, NOW), None);
}

fn room_is_for_a_client_and_a_model(store: &dyn Store) {
    let at = |now| Some(Room { most: 2, now });
    let fill =
        |number, owner, now| put_into(store, number, owner, NOW + 10 * number, b"sealed", at(now));
    let full = Err(StoreError::Full { most: 2 });
    let count = |now| store.count(&MINE.peer, &MINE.model, now);
    assert_eq!(fill(1, MINE, NOW), Ok(()));
    assert_eq!(fill(2, owner(1, 2, 9), NOW), Ok(()));
    // Of any plan, and nothing of it is left.
    for plan in [3, 9, 10] {
        assert_eq!(fill(3, owner(1, 2, plan), NOW), full);
        assert_eq!(take(store, 3, &owner(1, 2, plan), NOW), None);
    }
    assert_eq!(fill(1, MINE, NOW), Err(StoreError::Exists));
    assert_eq!(fill(4, owner(2, 2, 3), NOW), Ok(()));
    assert_eq!(fill(5, owner(1, 3, 3), NOW), Ok(()));
    assert_eq!([NOW, NOW + 10, NOW + 20].map(count), [2, 1, 0].map(Ok));
    // What has expired takes no room, whether it was deleted or not.
    assert_eq!(fill(6, MINE, NOW + 10), Ok(()));
    assert_eq!(fill(7, MINE, NOW + 10), full);
    // What is taken leaves room.
    assert!(take(store, 2, &owner(1, 2, 9), NOW + 10).is_some());
    assert_eq!(fill(7, MINE, NOW + 10), Ok(()));
    let none = Some(Room { most: 0, now: NOW });
    let nothing = put_into(store, 8, owner(7, 7, 7), NOW + 10, b"", none);
    assert_eq!(nothing, Err(StoreError::Full { most: 0 }));
    store.purge(NOW + 1000).expect("a store that works");
}

fn many_put_at_once(store: &dyn Store) {
    const MOST: u64 = 5;
    let room = Some(Room {
        most: MOST,
        now: NOW,
    });
    let barrier = Barrier::new(4);
    let put: usize = std::thread::scope(|scope| {
        let threads = [0_u64, 1, 2, 3].map(|thread| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let numbers = (0..4).map(|number| 4 * thread + number);
                let put = numbers.map(|number| {
                    let plan = number.to_le_bytes()[0];
                    put_into(store, number, owner(1, 2, plan), NOW + 10, b"sealed", room)
                });
                put.filter(Result::is_ok).count()
            })
        });
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        counts.sum()
    });
    assert_eq!(put as u64, MOST);
    assert_eq!(store.count(&MINE.peer, &MINE.model, NOW), Ok(MOST));
    let purged = store.purge(NOW + 10).expect("a store that works");
    assert_eq!(purged.len() as u64, MOST);
}

fn what_is_lost_goes_after_a_while(store: &dyn Store) {
    let say = |numbers: &[u64], all, now| {
        let tokens = numbers.iter().copied().map(token).collect();
        let said = Said {
            peer: MINE.peer,
            model: MINE.model,
            tokens: &tokens,
            all,
        };
        store.settle(&said, now).expect("a store that works")
    };
    let doubts = |deleted: &[u64], left, wait| Doubts {
        deleted: deleted.iter().copied().map(token).collect(),
        left,
        wait,
    };
    let count = || store.count(&MINE.peer, &MINE.model, NOW);
    let others = [owner(9, 2, 3), owner(1, 9, 3)];
    for number in 1..=3 {
        put(store, number, MINE, NOW + 10_000, b"sealed");
    }
    put(store, 4, owner(1, 2, 9), NOW + 10_000, b"of another plan");
    put(store, 5, others[0], NOW + 10_000, b"of another client");
    put(store, 6, others[1], NOW + 10_000, b"of another model");
    put(store, 7, MINE, NOW + 1, b"gone before");
    // Who does not say that it is all says nothing of the rest.
    assert_eq!(say(&[1], false, NOW + 5), doubts(&[], 0, 0));
    assert_eq!(say(&[1, 2], true, NOW + 10), doubts(&[], 2, DOUBT));
    assert_eq!(say(&[1, 2], true, NOW + 20), doubts(&[], 2, DOUBT - 10));
    assert_eq!(count(), Ok(5));
    // One turns up again, another is missed later.
    assert_eq!(say(&[3], false, NOW + 30), doubts(&[], 0, 0));
    assert_eq!(say(&[1], true, NOW + 40), doubts(&[], 3, DOUBT));
    let last = NOW + 10 + DOUBT;
    assert_eq!(say(&[1], true, last - 1), doubts(&[], 3, 31));
    assert_eq!(say(&[1], true, last), doubts(&[4], 2, 30));
    assert_eq!(take(store, 4, &owner(1, 2, 9), NOW), None);
    // A clock that was set back begins anew, and one that nobody missed stays.
    let back = NOW + 2;
    assert_eq!(say(&[1, 2], true, back), doubts(&[], 1, DOUBT));
    assert_eq!(say(&[2], true, back + DOUBT), doubts(&[3], 1, DOUBT));
    assert_eq!(say(&[], true, back + 2 * DOUBT), doubts(&[1], 1, DOUBT));
    assert_eq!(store.tokens(&MINE, NOW + 1), Ok(vec![token(2)]));
    // What was in doubt can be taken.
    assert!(take(store, 2, &MINE, NOW).is_some());
    for (number, other) in (5..).zip(others) {
        assert!(take(store, number, &other, NOW).is_some());
    }
    // And put anew, it is not.
    put(store, 2, MINE, NOW + 10_000, b"sealed");
    assert_eq!(say(&[], true, NOW + 4 * DOUBT), doubts(&[], 1, DOUBT));
    assert!(take(store, 2, &MINE, NOW).is_some());
    store.purge(NOW + 1).expect("a store that works");
}

fn quotas_hold(store: &dyn Store) {
    let (client, other) = (ClientKey([11; 32]), ClientKey([12; 32]));
    let quota = Quota {
        images_per_hour: Some(3),
        images: Some(5),
        sessions_per_hour: None,
        bytes: Some(1000),
    };
    let of = |images, bytes| Charge {
        images,
        sessions: 1,
        bytes,
    };
    let charge = |client, charge, now| {
        let verdict = store.charge(client, &charge, &quota, now);
        verdict.expect("a store that works")
    };
    let refused = |client, wanted, now| match charge(client, wanted, now) {
        Verdict::Refused(Refusal { kind, wait, .. }) => (kind, wait.is_some()),
        Verdict::Charged => panic!("charged beyond the quota"),
    };
    assert_eq!(store.usage(&client, NOW), Ok(Usage::default()));
    assert_eq!(charge(&client, of(2, 100), NOW), Verdict::Charged);
    assert_eq!(
        refused(&client, of(2, 100), NOW),
        (QuotaKind::ImagesPerHour, true)
    );
    assert_eq!(refused(&client, of(1, 901), NOW), (QuotaKind::Bytes, false));
    // Nothing of a refused charge is charged.
    assert_eq!(charge(&client, of(1, 900), NOW + 1), Verdict::Charged);
    assert_eq!(charge(&other, of(3, 0), NOW + 1), Verdict::Charged);
    let used = Usage {
        images: 3,
        images_this_hour: 3,
        sessions: 2,
        sessions_this_hour: 2,
        bytes: 1000,
    };
    assert_eq!(store.usage(&client, NOW + 2), Ok(used));
    assert_eq!(charge(&client, of(2, 0), NOW + 3700), Verdict::Charged);
    assert_eq!(
        refused(&client, of(1, 0), NOW + 9999),
        (QuotaKind::Images, false)
    );
}

fn many_charge_at_once(store: &dyn Store) {
    const ALLOWED: u64 = 10;
    let quota = Quota {
        images: Some(ALLOWED),
        ..Quota::default()
    };
    let client = ClientKey([13; 32]);
    let one = Charge {
        images: 1,
        ..Charge::default()
    };
    let charged: usize = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                let verdicts = (0..5).map(|_| store.charge(&client, &one, &quota, NOW));
                let charged = verdicts.filter(|verdict| *verdict == Ok(Verdict::Charged));
                charged.count()
            })
        });
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        counts.sum()
    });
    assert_eq!(charged as u64, ALLOWED);
    let usage = store.usage(&client, NOW).expect("a store that works");
    assert_eq!(usage.images, ALLOWED);
}
