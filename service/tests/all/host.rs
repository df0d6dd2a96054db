//! A server for many clients: quotas, exchange of the model, stop, and what it tells and counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Digest, Error as ChannelError, Leave, Listener, PeerIdentity, memory_pair};
use service::{
    Allowance, Charge, Client, ClientKey, Doubts, Error, Event, Findings, Host, HostOptions, Line,
    Lot, MemoryStore, NotReady, Owner, Quota, Request, Room, Said, Server, ServerOptions, Stock,
    Store, StoreError, Token, Usage, Verdict,
};

use crate::common::{CLIENT_SEED, MODEL, clear, model_of, picture};

/// A number of its own for every session.
fn seeds() -> impl Fn() -> Result<[u8; 32], std::io::Error> + Send + Sync {
    let next = AtomicU64::new(1);
    move || {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&next.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        Ok(seed)
    }
}

fn host(options: HostOptions) -> Host {
    Host::new(crate::common::server(&MODEL), options).expect("there is no log that could fail")
}

fn ask(host: &Host, request: &Request) -> Result<Vec<Findings>, Error> {
    let (at_server, at_client) = memory_pair(1 << 12);
    thread::scope(|scope| {
        let serving = scope.spawn(move || host.session(&at_server));
        let asked = ask_over(at_client, request);
        let served = serving.join().expect("no panic");
        assert_eq!(asked.is_ok(), served.is_ok());
        asked
    })
}

fn ask_over(connection: channel::Connection, request: &Request) -> Result<Vec<Findings>, Error> {
    let mut client = Client::over(connection, request, CLIENT_SEED)?;
    let numbers = 0..u8::try_from(request.images).expect("few images");
    let findings = numbers.map(|number| client.infer(&picture(number), &mut |_| {}));
    findings.collect()
}

fn images(images: u32) -> Request {
    Request {
        images,
        ..Request::default()
    }
}

fn refused(outcome: Result<Vec<Findings>, Error>) -> String {
    match outcome {
        Err(Error::Refused { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn clients_are_charged_before_an_image_is_computed() {
    let time = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&time);
    let store = Arc::new(MemoryStore::new());
    let quota = Quota {
        images_per_hour: Some(3),
        bytes: Some(20_000_000),
        ..Quota::default()
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let host = host(HostOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        allowance: Arc::new(move |_| Allowance {
            quota,
            parallel: None,
            urgent: false,
        }),
        clock: Arc::new(move || clock.load(Ordering::Relaxed)),
        observer: Arc::new(move |event| {
            let word = match event {
                Event::Opened { .. } => "opened".to_owned(),
                Event::Granted { asked, .. } => format!("granted {}", asked.images),
                Event::Image { number, .. } => format!("image {number}"),
                Event::Ended { outcome, .. } => match outcome {
                    Ok(served) => format!("served {}", served.images),
                    Err((_, Some(kind))) => format!("refused: {}", kind.word()),
                    Err((error, None)) => error.to_string(),
                },
                other => format!("{other:?}"),
            };
            tell.lock().expect("nobody panics").push(word);
        }),
        ..HostOptions::new(seeds())
    });
    let found = ask(&host, &images(2)).expect("within the quota");
    assert_eq!(found[1].views, clear(&MODEL, 1));
    let reason = refused(ask(&host, &images(2)));
    assert!(
        reason.contains("3 images an hour, 2 are used")
            && reason.contains("come again in 61 minutes"),
        "{reason}"
    );
    // A client that leaves after it was granted has used what it asked for.
    let (at_server, at_client) = memory_pair(1 << 12);
    thread::scope(|scope| {
        scope.spawn(|| {
            let connection = at_server;
            assert!(host.session(&connection).is_err());
        });
        drop(Client::over(at_client, &images(1), CLIENT_SEED).expect("within the quota"));
    });
    assert!(refused(ask(&host, &images(1))).contains("3 are used"));
    let key = ClientKey([0; 32]);
    let usage = store.usage(&key, 1_000_000).expect("memory");
    assert_eq!((usage.images, usage.sessions), (3, 2));
    // What was charged is what the plan says, and no less than what passed.
    assert!(usage.bytes > found[0].comm.total_bytes());
    time.fetch_add(61 * 60, Ordering::Relaxed);
    assert!(ask(&host, &images(3)).is_ok());
    let told = told.lock().expect("nobody panics").join("\n");
    let begins = "opened\ngranted 2\nimage 1\nimage 2\nserved 2\nopened\nrefused: images_per_hour\nopened\ngranted 1\n";
    assert!(told.starts_with(begins), "{told}");
    let metrics = host.metrics();
    for line in [
        "blindray_sessions_running 0",
        "blindray_sessions_total{outcome=\"served\"} 2",
        "blindray_sessions_total{outcome=\"refused\"} 2",
        "blindray_sessions_total{outcome=\"failed\"} 1",
        "blindray_refusals_total{reason=\"images_per_hour\"} 2",
        "blindray_images_total 5",
        "blindray_session_seconds_count 2",
        "blindray_session_seconds_bucket{le=\"+Inf\"} 2",
        "blindray_store_up 1",
        "blindray_preparations 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in\n{metrics}"
        );
    }
    // More than a session has is refused as such, and costs nothing.
    assert!(refused(ask(&host, &images(4))).contains("allows 1 to 3"));
    assert_eq!(store.usage(&key, 1_000_000).expect("memory").images, 6);
}

/// A store that can be away, or full: then it can be read, and not written.
#[derive(Debug, Default)]
struct Away(MemoryStore, AtomicUsize);

const FULL: usize = 2;

impl Away {
    fn there(&self) -> Result<&MemoryStore, StoreError> {
        match self.1.load(Ordering::Relaxed) {
            0 | FULL => Ok(&self.0),
            _ => Err(StoreError::Unavailable {
                what: "secret-host is away".to_owned(),
            }),
        }
    }

    fn with_room(&self) -> Result<&MemoryStore, StoreError> {
        match self.1.load(Ordering::Relaxed) {
            FULL => Err(StoreError::Unavailable {
                what: "no space is left".to_owned(),
            }),
            _ => self.there(),
        }
    }
}

impl Store for Away {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        self.with_room()?.put(lot, room)
    }
    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.there()?.look(token, owner, now)
    }
    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        self.there()?.count(peer, model, now)
    }
    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        self.with_room()?.settle(said, now)
    }
    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        self.there()?.claim(token, owner, now)
    }
    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        self.there()?.tokens(owner, now)
    }
    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        self.there()?.purge(now)
    }
    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        self.there()?.stock(now)
    }
    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        self.with_room()?.charge(client, charge, quota, now)
    }
    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        self.there()?.usage(client, now)
    }
}

#[test]
fn without_its_store_a_host_serves_nobody() {
    let store = Arc::new(Away::default());
    let host = host(HostOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        ..HostOptions::new(seeds())
    });
    assert_eq!(host.ready(), Ok(()));
    store.1.store(1, Ordering::Relaxed);
    let reason = refused(ask(&host, &images(1)));
    assert!(
        reason.contains("come again later") && !reason.contains("secret"),
        "{reason}"
    );
    assert!(host.tend().is_err());
    assert!(matches!(host.ready(), Err(NotReady::Store(_))));
    assert!(host.metrics().contains("blindray_store_up 0"));
    store.1.store(0, Ordering::Relaxed);
    assert_eq!(host.tend(), Ok(()));
    assert_eq!(host.ready(), Ok(()));
    assert!(ask(&host, &images(1)).is_ok());
}

/// A client that does nothing but measure its line uses its bytes as well, and no session.
#[test]
fn to_measure_the_line_is_charged() {
    const ALLOWED: u64 = 3 << 20;
    let store = Arc::new(MemoryStore::new());
    let host = host(HostOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        allowance: Arc::new(|_| Allowance {
            quota: Quota {
                bytes: Some(ALLOWED),
                sessions_per_hour: Some(1),
                ..Quota::default()
            },
            ..Allowance::default()
        }),
        ..HostOptions::new(seeds())
    });
    let measure = || {
        let host = &host;
        let (at_server, at_client) = memory_pair(1 << 16);
        thread::scope(|scope| {
            let serving = scope.spawn(move || host.session(&at_server));
            let line = Line::measure(&at_client, &Request::default());
            drop(at_client);
            (serving.join().expect("no panic"), line)
        })
    };
    let usage = || {
        let usage = store.usage(&ClientKey([0; 32]), 0);
        usage.expect("it is in memory")
    };
    // A line in memory is quick: it is measured by more than is allowed.
    let (served, line) = measure();
    for error in [
        served.map(drop).expect_err("too much"),
        line.map(drop).expect_err("too much"),
    ] {
        let told = error.to_string();
        let (begins, ends) = (
            format!(
                "the server refused: to measure the line takes bytes of the quota, which is {ALLOWED}, and "
            ),
            " are used; ask the operator for more",
        );
        assert!(told.starts_with(&begins) && told.ends_with(ends), "{told}");
    }
    let used = usage();
    assert!((1 << 20..=ALLOWED).contains(&used.bytes), "{used:?}");
    assert_eq!((used.images, used.sessions), (0, 0));
    // What is left is for a session.
    ask(&host, &images(1)).expect("within the quota");
    let after = usage();
    assert_eq!((after.images, after.sessions), (1, 1));
    assert!(after.bytes > used.bytes);
    let metrics = host.metrics();
    assert!(metrics.contains("blindray_refusals_total{reason=\"bytes\"} 1"));
    assert!(metrics.contains("blindray_sessions_total{outcome=\"measured\"} 0"));
}

#[test]
fn a_host_says_what_it_does() {
    let host = host(HostOptions::new(seeds()));
    assert!(host.status().sessions.is_empty());
    let (at_server, at_client) = memory_pair(1 << 12);
    thread::scope(|scope| {
        scope.spawn(|| {
            let connection = at_server;
            assert!(host.session(&connection).is_err());
        });
        let client = Client::over(at_client, &images(1), CLIENT_SEED).expect("it is served");
        let status = host.status();
        assert_eq!(status.model, host.server().model().name);
        assert_eq!(status.sessions.len(), 1);
        assert!(!status.sessions[0].client.is_empty());
        drop(client);
    });
    assert!(ask(&host, &images(2)).is_ok());
    let status = host.status();
    assert!(status.sessions.is_empty() && status.stock.is_some() && status.stock_fault.is_none());
    let totals = status.totals;
    assert_eq!((totals.served, totals.failed, totals.images), (1, 1, 2));
    assert!(totals.bytes > 0);
}

#[test]
fn a_store_that_is_full_is_not_ready() {
    let store = Arc::new(Away::default());
    let host = host(HostOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        ..HostOptions::new(seeds())
    });
    store.1.store(FULL, Ordering::Relaxed);
    // The store is still read without an error: only a client, or a charge of nothing, shows it.
    assert_eq!(host.ready(), Ok(()));
    refused(ask(&host, &images(1)));
    assert!(matches!(host.ready(), Err(NotReady::Store(_))));
    assert!(host.metrics().contains("blindray_store_up 0"));
    assert!(host.tend().is_err());
    assert!(matches!(host.ready(), Err(NotReady::Store(_))));
    store.1.store(0, Ordering::Relaxed);
    assert_eq!(host.tend(), Ok(()));
    assert_eq!(host.ready(), Ok(()));
    store.1.store(FULL, Ordering::Relaxed);
    assert!(host.tend().is_err());
    assert!(host.ready().is_err());
}

/// A host over TCP in a thread of its own.
fn over_tcp<T>(host: &Host, config: Config, test: impl FnOnce(SocketAddr) -> T) -> T {
    let listener = Listener::bind("127.0.0.1:0", config).expect("a port");
    let address = listener.local_addr();
    thread::scope(|scope| {
        scope.spawn(|| host.run(&listener, None).expect("there is randomness"));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(address)));
        host.stop();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn dial(address: SocketAddr, request: &Request) -> Result<Client, Error> {
    Client::dial(address, &Config::default(), request, CLIENT_SEED)
}

#[test]
fn the_model_is_exchanged_under_running_sessions() {
    let host = host(HostOptions::new(seeds()));
    let other = model_of(8, nets::Crops::Centre);
    let digest = other.public.digest();
    over_tcp(&host, Config::default(), |address| {
        let mut begun = dial(address, &images(1)).expect("a session");
        let insists = Request {
            expect: Some(digest),
            ..Request::default()
        };
        assert!(matches!(
            dial(address, &insists),
            Err(Error::Incompatible(_))
        ));
        let options = ServerOptions::default();
        let server = Server::new(other.public.clone(), other.weights.clone(), options);
        let server = server.expect("it can be served");
        host.replace(server)
            .expect("there is no log that could fail");
        // Also the first client after it, for whom the host was waiting already.
        let mut client = dial(address, &insists).expect("a session with the new one");
        let found = client.infer(&picture(0), &mut |_| {}).expect("it infers");
        assert_eq!(found.views, clear(&other, 0));
        let found = begun.infer(&picture(0), &mut |_| {}).expect("it infers");
        assert_eq!(found.views, clear(&MODEL, 0));
    });
}

#[test]
fn a_stop_finishes_or_refuses() {
    let host = host(HostOptions::new(seeds()));
    let config = Config {
        max_sessions: 1,
        ..Config::default()
    };
    let listener = Listener::bind("127.0.0.1:0", config).expect("a port");
    let address = listener.local_addr();
    thread::scope(|scope| {
        let running = scope.spawn(|| host.run(&listener, None));
        let mut client = dial(address, &images(2)).expect("a session");
        client.infer(&picture(0), &mut |_| {}).expect("it infers");
        let (waits, is_waiting) = mpsc::channel();
        let in_line = scope.spawn(move || {
            let request = Request::default();
            let mut tell = |_: channel::Waiting| {
                let _ = waits.send(());
            };
            Client::dial_in_line(
                address,
                &Config::default(),
                &request,
                CLIENT_SEED,
                &mut tell,
            )
        });
        is_waiting.recv().expect("it waits");
        host.stop();
        assert!(host.is_stopping());
        assert_eq!(host.ready(), Err(NotReady::Stopping));
        let said = in_line.join().expect("no panic").expect_err("it stops");
        assert!(matches!(said, Error::Refused { .. }), "{said:?}");
        // The session at hand comes to its end.
        let found = client.infer(&picture(1), &mut |_| {}).expect("it infers");
        assert_eq!(found.views, clear(&MODEL, 1));
        drop(client);
        let ran = running.join().expect("no panic").expect("randomness");
        assert_eq!((ran.begun, ran.failed), (1, 0));
    });
    // A session that comes by another way hears the same.
    assert!(refused(ask(&host, &images(1))).contains("stopping"));
}

#[test]
fn a_stop_that_takes_too_long_is_cut() {
    let host = host(HostOptions::new(seeds()));
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("a port");
    let address = listener.local_addr();
    thread::scope(|scope| {
        let running = scope.spawn(|| host.run(&listener, None));
        let mut client = dial(address, &images(1)).expect("a session");
        host.stop();
        assert_eq!(host.running(), 1);
        let begin = Instant::now();
        host.cut(Leave::TimeOver);
        let ran = running.join().expect("no panic").expect("randomness");
        assert_eq!((ran.begun, ran.failed), (1, 1));
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{:?}",
            begin.elapsed()
        );
        let said = client
            .infer(&picture(0), &mut |_| {})
            .expect_err("it was cut");
        assert_eq!(said.peer_left(), Some(Leave::TimeOver), "{said:?}");
        assert!(said.to_string().ends_with(
            ": the peer left: it is stopping, and did not wait any longer for this session"
        ));
    });
}

#[test]
fn one_client_has_no_more_sessions_at_the_same_time_than_it_may() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let options = HostOptions {
        allowance: Arc::new(move |identity: Option<&PeerIdentity>| {
            assert!(identity.is_none());
            count.fetch_add(1, Ordering::Relaxed);
            Allowance {
                parallel: Some(1),
                ..Allowance::default()
            }
        }),
        ..HostOptions::new(seeds())
    };
    let host = host(options);
    over_tcp(&host, Config::default(), |address| {
        let mut first = dial(address, &images(1)).expect("a session");
        let second = dial(address, &images(1)).expect_err("one at a time");
        assert!(second.to_string().contains("at the same time"), "{second}");
        first.infer(&picture(0), &mut |_| {}).expect("it goes on");
        drop(first);
        let begin = Instant::now();
        while host.running() > 0 && begin.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
        let mut third = dial(address, &images(1)).expect("the first has ended");
        third.infer(&picture(0), &mut |_| {}).expect("it infers");
    });
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

/// Who comes to no session is told of, and the host goes on.
#[test]
fn strangers_are_told_of() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let options = HostOptions {
        observer: Arc::new(move |event| {
            if let Event::TurnedAway { turned_away } = event {
                let other = matches!(turned_away.error, ChannelError::NotBlindray);
                tell.lock()
                    .expect("nobody panics")
                    .send(other)
                    .expect("it is heard");
            }
        }),
        ..HostOptions::new(seeds())
    };
    let host = host(options);
    over_tcp(&host, Config::default(), |address| {
        let mut stranger = std::net::TcpStream::connect(address).expect("it listens");
        std::io::Write::write_all(&mut stranger, &[0x5a; 256]).expect("it listens");
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(true));
        dial(address, &images(1))
            .expect("a session")
            .infer(&picture(0), &mut |_| {})
            .expect("it infers");
    });
    assert!(host.metrics().contains("blindray_turned_away_total 1"));
}

/// The log says who asked for what, in order; where it cannot be written, nobody is served.
#[test]
fn a_host_records_what_it_serves() {
    let folder = std::env::temp_dir().join(format!("blindray-host-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let log = folder.join("audit.jsonl");
    let audit = Arc::new(service::Audit::open(&log, "a test", 1).expect("a new log"));
    let options = HostOptions {
        audit: Some(service::AuditTo {
            log: Arc::clone(&audit),
            key: Some([9; 32]),
            name: "this server".to_owned(),
        }),
        allowance: Arc::new(|_| Allowance {
            quota: Quota {
                images: Some(3),
                ..Quota::default()
            },
            parallel: None,
            urgent: false,
        }),
        ..HostOptions::new(seeds())
    };
    let host = host(options);
    assert!(ask(&host, &images(2)).is_ok());
    assert!(refused(ask(&host, &images(2))).contains("quota"));
    // A client that leaves in the midst of its image.
    let (at_server, at_client) = memory_pair(1 << 12);
    thread::scope(|scope| {
        scope.spawn(|| {
            let connection = at_server;
            assert!(host.session(&connection).is_err());
        });
        drop(Client::over(at_client, &images(1), CLIENT_SEED).expect("within the quota"));
    });
    let text = std::fs::read_to_string(&log).expect("the log");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let word =
        |line: &serde_json::Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let events: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", word(line, "event"), word(line, "outcome")))
        .collect();
    let events: Vec<&str> = events.iter().map(|event| event.trim()).collect();
    let two_images = [
        "opened",
        "asked",
        "answered done",
        "asked",
        "answered done",
        "closed done",
    ];
    assert_eq!(events[..2], ["begun", "model"]);
    assert_eq!(events[2..8], two_images);
    assert_eq!(events[8..10], ["refused", "opened"]);
    assert_eq!(events.last(), Some(&"closed failed"));
    assert_eq!(lines[2]["server"]["name"], "this server");
    assert_eq!(lines[7]["images"], 2);
    drop(host);
    drop(audit);
    std::fs::remove_dir_all(folder).expect("ours");
}
