//! A server over a day, in short: many sessions one after the other while strangers come, and nothing grows.
//!
//! Alone in its process, whose threads, descriptors and memory it counts.

#[path = "../all/common.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod common;
mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Listener};
use identity::{ClientTrust, Identity, ServerTrust, Tls};
use service::{Client, Event, Host, HostOptions, Request};

use common::{CLIENT_SEED, MODEL, SERVER_SEED, picture, server};
use strangers::Strangers;

/// Code that is not optimised would take minutes.
const SESSIONS: usize = if cfg!(debug_assertions) { 100 } else { 1000 };
const STRANGERS: usize = SESSIONS / 5;
/// Sessions at the same time.
const CLIENTS: usize = 8;
/// Memory that is more than the day before, on so many days in a row, grows.
const DAYS: usize = 3;
/// What memory may differ by for reasons of the allocator: no more than a few bytes for each session.
const SLACK: u64 = 8 << 20;

/// What a process holds, as Linux counts it; elsewhere nothing is counted.
#[derive(Debug)]
struct Held {
    /// Their names.
    threads: Vec<String>,
    descriptors: usize,
    memory: u64,
}

fn held() -> Option<Held> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let number = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    // One may have ended meanwhile.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    Some(Held {
        threads: names.map(|name| name.trim_end().to_owned()).collect(),
        descriptors: std::fs::read_dir("/proc/self/fd").ok()?.count(),
        memory: number("VmRSS:")? << 10,
    })
}

/// The limits and the guards of a server and its clients.
struct Ends {
    server: Config,
    client: Config,
}

impl Ends {
    fn plain() -> Self {
        let config = Config {
            timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(3),
            ..Config::default()
        };
        Self {
            server: config.clone(),
            client: config,
        }
    }

    fn over_tls() -> Self {
        let [server, client] =
            ["server", "client"].map(|name| Identity::generate(name).expect("a key"));
        let trust = ServerTrust::Pinned(server.fingerprint());
        let mut ends = Self::plain();
        let guard = Tls::server(&server, &ClientTrust::Any).expect("a server");
        ends.server.guard = Some(Arc::new(guard));
        let guard = Tls::client(&client, &trust).expect("a client");
        ends.client.guard = Some(Arc::new(guard));
        ends
    }
}

#[test]
fn nothing_grows() {
    for ends in [Ends::plain(), Ends::over_tls()] {
        nothing_grows_between(&ends);
    }
}

fn nothing_grows_between(ends: &Ends) {
    // What is made once and kept is there before anything is counted.
    a_day(SESSIONS / 10, STRANGERS / 10, ends);
    let Some(before) = held() else {
        a_day(SESSIONS, STRANGERS, ends);
        eprintln!("SKIPPED: this system does not say what a process holds");
        return;
    };
    let mut memory = before.memory;
    for _ in 0..DAYS {
        let after = held_after_a_day(&before, ends);
        if after.memory <= memory + SLACK {
            return;
        }
        // What an allocator keeps for its threads may be more by chance, once; what grows is more on every day.
        memory = after.memory;
    }
    panic!("memory grows from {before:?} to {memory} bytes in {DAYS} days");
}

/// What is held after many sessions. No thread and no descriptor is left of them.
fn held_after_a_day(before: &Held, ends: &Ends) -> Held {
    let begin = Instant::now();
    a_day(SESSIONS, STRANGERS, ends);
    eprintln!(
        "{SESSIONS} sessions and {STRANGERS} strangers: {:?}",
        begin.elapsed()
    );
    let mut after = held().expect("as before");
    let grown = |after: &Held| {
        after.threads.len() > before.threads.len() || after.descriptors > before.descriptors
    };
    // The last threads come to their end after the last session.
    let patience = Instant::now() + 2 * ends.server.timeout;
    while grown(&after) && Instant::now() < patience {
        thread::sleep(Duration::from_millis(50));
        after = held().expect("as before");
    }
    eprintln!("before {before:?}, after {after:?}");
    assert!(!grown(&after), "{before:?} {after:?}");
    after
}

/// A server from its first client to its last. Every session ends with the right findings, whatever strangers do meanwhile.
fn a_day(sessions: usize, strangers: usize, ends: &Ends) {
    let listener = Listener::bind("127.0.0.1:0", ends.server.clone()).expect("a port");
    let address = listener.local_addr();
    let expected = MODEL.run_integer(MODEL.public.prepare(&picture(0), 0).fixed());
    let expected = [expected.expect("it runs")];
    let left = AtomicUsize::new(sessions);
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let options = HostOptions {
        observer: Arc::new(move |event| {
            if let Event::Ended { outcome: Ok(_), .. } = event {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }),
        ..HostOptions::new(|| Ok(SERVER_SEED))
    };
    let host = Host::new(server(&MODEL), options).expect("there is no log that could fail");
    thread::scope(|scope| {
        scope.spawn(|| host.run(&listener, None).expect("there is randomness"));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let next = || {
                        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                            n.checked_sub(1)
                        })
                    };
                    while let Ok(number) = next() {
                        let mut seed = CLIENT_SEED;
                        seed[..8].copy_from_slice(&number.to_le_bytes());
                        let request = Request::default();
                        let mut client =
                            Client::dial(address, &ends.client, &request, seed).expect("a session");
                        let found = client.infer(&picture(0), &mut |_| {}).expect("it infers");
                        assert_eq!(found.views, expected);
                    }
                })
            })
            .collect();
        let guard = ends.client.guard.clone();
        Strangers::new(address, guard).come(strangers, &|| left.load(Ordering::Relaxed) == 0);
        let clients = clients.into_iter().map(thread::ScopedJoinHandle::join);
        let clients: Result<Vec<()>, _> = clients.collect();
        host.stop();
        clients.expect("every session ends well");
    });
    assert_eq!(ended.load(Ordering::Relaxed), sessions);
}
