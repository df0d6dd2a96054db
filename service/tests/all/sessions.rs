//! Sessions that go well: what comes out is the integer network's, and what it cost is what was planned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel::{Config, Connection, Listener, Relay, Role};
use nets::{Crops, Opening};
use service::{
    Client, EXTENSIONS, Error, ExtensionChoice, Finding, Findings, Mode, NetworkSpeed, Request,
    STREAMS, Server, ServerOptions,
};

use crate::common::{
    CLIENT_SEED, Counter, MODEL, SERVER, SERVER_SEED, clear, line, model, model_of, picture, run,
    run_in_memory, server,
};

const fn is_sent_and_shared<T: Send + Sync + 'static>() {}
const fn is_sent<T: Send + 'static>() {}
const _: () = is_sent_and_shared::<Server>();
const _: () = is_sent::<Client>();
const _: () = is_sent_and_shared::<Findings>();
const _: () = is_sent_and_shared::<Error>();

fn asked(images: u32) -> Request {
    Request {
        images,
        ..Request::default()
    }
}

#[test]
fn many_images_in_a_session_are_those_of_the_integer_network() {
    let (served, findings) = run_in_memory(&SERVER, &asked(3));
    let (served, findings) = (served.expect("it serves"), findings.expect("it infers"));
    assert_eq!((served.images, served.mode), (3, Mode::Faithful));
    assert_eq!(findings.len(), 3);
    let mut comm = service::Comm::default();
    for (number, found) in (0..).zip(&findings) {
        assert_eq!(found.views, clear(&MODEL, number));
        let raw: Vec<_> = found
            .outputs
            .iter()
            .map(|f| f.raw.expect("an integer"))
            .collect();
        assert_eq!(raw, found.views[0]);
        let labels: Vec<_> = found.outputs.iter().map(|f| &f.name).collect();
        assert_eq!(labels, ["circle", "square", "triangle"]);
        let sum: f64 = found.outputs.iter().filter_map(|f| f.probability).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        // The set-up belongs to the first.
        assert_eq!(found.time.setup_s > 0.0, number == 0);
        comm.client_to_server_bytes += found.comm.client_to_server_bytes;
        comm.server_to_client_bytes += found.comm.server_to_client_bytes;
        comm.flights += found.comm.flights;
        comm.refill_client_to_server_bytes += found.comm.refill_client_to_server_bytes;
        comm.refill_server_to_client_bytes += found.comm.refill_server_to_client_bytes;
    }
    assert_eq!(served.comm, comm, "both parties counted the same bytes");
    assert!(findings[0].views != findings[1].views, "pictures differ");
}

#[test]
fn what_it_costs_is_what_was_planned() {
    for mode in [Mode::Faithful, Mode::Fast] {
        let request = Request { mode, ..asked(1) };
        let mut seen = Vec::new();
        let (served, (plan, found)) = testkit::run_over(
            line(Duration::from_secs(60)).pair(),
            |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
            |connection| {
                let mut client =
                    Client::over(connection, &request, CLIENT_SEED).expect("it starts");
                let found = client.infer(&picture(0), &mut |p| {
                    seen.push((p.layers_done(), p.layers()));
                });
                (client.network().plan().to_vec(), found.expect("it infers"))
            },
        );
        assert_eq!(served.expect("it serves").mode, mode);
        let layers = plan.len() as u64;
        let every: Vec<_> = (0..layers).map(|layer| (layer, layers)).collect();
        assert_eq!(seen, every);
        for (planned, layer) in plan.iter().zip(&found.layers) {
            assert_eq!((&planned.name, &planned.cost), (&layer.name, &layer.cost));
        }
        let bytes = plan.iter().map(|l| l.cost.bytes()).sum::<u64>();
        let comm = found.comm;
        assert_eq!(
            comm.client_to_server_bytes + comm.server_to_client_bytes,
            bytes
        );
        assert_eq!(comm.total_bytes(), bytes + comm.refill_bytes());
    }
}

/// With every extension, what passes on the refill streams is the set-up and the refills that were planned for all images
/// together, to the byte and each way.
#[test]
fn correlations_cost_what_was_planned_by_every_extension() {
    let model = model_of(64, Crops::Centre);
    let images = 3;
    let mut all = Vec::new();
    for extension in EXTENSIONS {
        let options = ServerOptions {
            extension: ExtensionChoice::Always(extension),
            ..ServerOptions::default()
        };
        let server = Server::new(model.public.clone(), model.weights.clone(), options);
        let server = server.expect("it can be served");
        assert_eq!(server.extension().name(), extension.name());
        let counter = Arc::new(Counter::default());
        let line = channel::Memory {
            relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
            capacity: 1 << 16,
            ..line(Duration::from_secs(60))
        };
        let (served, (client, found)) = testkit::run_over(
            line.pair(),
            |connection| server.serve(&connection, SERVER_SEED, &mut |_| {}),
            |connection| {
                let client = Client::over(connection, &asked(images), CLIENT_SEED);
                let mut client = client.expect("it starts");
                let found = (0..3).map(|i| client.infer(&picture(i), &mut |_| {}));
                let found: Result<Vec<_>, _> = found.collect();
                (client, found.expect("it infers"))
            },
        );
        let comm = served.expect("it serves").comm;
        assert_eq!(client.extension().name(), extension.name());
        for (number, found) in (0..).zip(&found) {
            assert_eq!(found.views, clear(&model, number), "{}", extension.name());
        }
        let cots = client.network().cost().cots.times(images.into());
        let mut refills = [0; 2];
        for (stream, sender, n) in [
            (
                channel::REFILL_SERVER_SENDS,
                Role::Server,
                cots.server_sends,
            ),
            (
                channel::REFILL_CLIENT_SENDS,
                Role::Client,
                cots.client_sends,
            ),
        ] {
            let refill = extension.refill_cost(n, sender);
            let cost = extension.setup_cost(sender).then(refill.clone());
            refills[0] += refill.bytes_to_server();
            refills[1] += refill.bytes_to_client();
            let counts = counter.0.lock().expect("nobody panics");
            let passed = [false, true].map(|from| counts[&(stream, from)]);
            assert_eq!(passed, [cost.bytes_to_server(), cost.bytes_to_client()]);
        }
        let measured = [
            comm.refill_client_to_server_bytes,
            comm.refill_server_to_client_bytes,
        ];
        assert_eq!(measured, refills, "{}", extension.name());
        all.push((cots.total(), comm.refill_bytes()));
    }
    let [soft, small, ..] = all[..] else { panic!() };
    assert!(small.0 > 500_000 && small.1 < soft.1 / 4, "{all:?}");
}

/// Who refills in threads of its own, and who does not, is nobody else's matter.
#[test]
fn refills_in_the_background_change_nothing() {
    let model = model_of(64, Crops::Centre);
    let costs = [[false; 2], [true; 2], [true, false], [false, true]].map(|[server, client]| {
        let options = ServerOptions {
            background: server,
            ..ServerOptions::default()
        };
        let server = Server::new(model.public.clone(), model.weights.clone(), options);
        let request = Request {
            background: client,
            ..asked(2)
        };
        let (served, found) = run_in_memory(&server.expect("it can be served"), &request);
        let found = found.expect("it infers");
        assert_eq!(found.len(), 2);
        for (number, found) in (0..).zip(&found) {
            assert_eq!(found.views, clear(&model, number));
        }
        served.expect("it serves").comm
    });
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

/// A server that was told nothing takes the extension that its demand asks for, and clients follow.
#[test]
fn demand_and_network_choose_the_extension() {
    let little = Server::new(
        MODEL.public.clone(),
        MODEL.weights.clone(),
        ServerOptions::default(),
    );
    assert_eq!(
        little.expect("it can be served").extension().name(),
        "softspoken"
    );
    let model = model_of(256, Crops::Centre);
    for (network, expected) in [
        (NetworkSpeed::LAN, "softspoken"),
        (
            NetworkSpeed {
                bytes_per_s: 1.25e8,
                ..NetworkSpeed::LAN
            },
            "silent-small-twice",
        ),
        (
            NetworkSpeed {
                bytes_per_s: 1e6,
                ..NetworkSpeed::WAN
            },
            "silent-large",
        ),
    ] {
        let options = ServerOptions {
            extension: ExtensionChoice::Auto(network),
            ..ServerOptions::default()
        };
        let server = Server::new(model.public.clone(), model.weights.clone(), options);
        let server = server.expect("it can be served");
        assert_eq!(server.extension().name(), expected);
        let (served, found) = run_in_memory(&server, &asked(1));
        assert!(served.is_ok(), "{served:?}");
        assert_eq!(found.expect("it infers")[0].views, clear(&model, 0));
    }
    let nowhere = NetworkSpeed {
        bytes_per_s: 0.0,
        ..NetworkSpeed::LAN
    };
    let options = ServerOptions {
        extension: ExtensionChoice::Auto(nowhere),
        ..ServerOptions::default()
    };
    let refused = Server::new(MODEL.public.clone(), MODEL.weights.clone(), options);
    assert!(matches!(refused, Err(Error::Local(_))));
}

#[test]
fn ten_views_of_an_image_are_averaged() {
    let model = model(Crops::Ten);
    let server = server(&model);
    let mut runs = Vec::new();
    let (served, found) = testkit::run_over(
        line(Duration::from_secs(60)).pair(),
        |connection| {
            server.serve(&connection, SERVER_SEED, &mut |p| {
                if p.step.layer == 0 {
                    runs.push((p.run, p.runs));
                }
            })
        },
        |connection| {
            let mut client = Client::over(connection, &asked(1), CLIENT_SEED)?;
            client.infer(&picture(0), &mut |_| {})
        },
    );
    let (served, found) = (served.expect("it serves"), found.expect("it infers"));
    // The limit of a server counts images, not views.
    assert_eq!(served.images, 1);
    assert_eq!(runs, (0..10).map(|run| (run, 10)).collect::<Vec<_>>());
    let views = clear(&model, 0);
    assert_eq!(found.views, views);
    for (i, output) in found.outputs.iter().enumerate() {
        assert_eq!(output.raw, Some(views.iter().map(|v| v[i]).sum()));
        let logits = views.iter().map(|v| model.public.logits(v)[i]);
        assert!((output.logit.expect("opened") - logits.sum::<f64>() / 10.0).abs() < 1e-9);
    }
    let logits: Vec<_> = found.outputs.iter().filter_map(|f| f.logit).collect();
    let probabilities: Vec<_> = found.outputs.iter().filter_map(|f| f.probability).collect();
    assert_eq!(probabilities, model.public.probabilities(&logits));
    // A layer that ran ten times stands there once.
    let layers = found
        .layers
        .iter()
        .map(|l| l.client_to_server_bytes + l.server_to_client_bytes);
    let comm = found.comm;
    assert_eq!(
        layers.sum::<u64>(),
        comm.client_to_server_bytes + comm.server_to_client_bytes
    );
    for layer in &found.layers {
        assert_eq!(layer.cost.bytes_to_server(), layer.client_to_server_bytes);
        assert_eq!(layer.cost.cots.client_sends, layer.client_cots);
        assert_eq!(layer.client_to_server_bytes % 10, 0, "{}", layer.name);
    }
}

#[test]
fn a_client_that_asks_for_more_than_it_said_sends_nothing() {
    let (served, error) = testkit::run_over(
        line(Duration::from_secs(60)).pair(),
        |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
        |connection| {
            let mut client = Client::over(connection, &asked(1), CLIENT_SEED).expect("it starts");
            assert_eq!(client.images_left(), 1);
            client.infer(&picture(0), &mut |_| {}).expect("it infers");
            assert_eq!(client.images_left(), 0);
            let sent = client.connection().progress().sent();
            let error = client.infer(&picture(0), &mut |_| {});
            assert_eq!(client.connection().progress().sent(), sent);
            error.expect_err("one image was asked for")
        },
    );
    assert!(
        matches!(error, Error::NoImagesLeft { images: 1 }),
        "{error}"
    );
    assert!(served.is_ok());
}

#[test]
fn one_server_serves_several_clients_at_once_over_tcp() {
    let config = Config {
        timeout: Duration::from_secs(60),
        ..Config::default()
    };
    let listener = Listener::bind("127.0.0.1:0", config.clone()).expect("a port");
    let address = listener.local_addr();
    let request = Request {
        expect: Some(MODEL.public.digest()),
        ..asked(2)
    };
    std::thread::scope(|scope| {
        for client in 0..3 {
            let (config, request) = (&config, &request);
            scope.spawn(move || {
                let mut seed = CLIENT_SEED;
                seed[0] = client;
                let mut session = Client::dial(address, config, request, seed).expect("a session");
                assert_eq!(session.model(), &MODEL.public);
                for number in 0..2 {
                    let found = session
                        .infer(&picture(number), &mut |_| {})
                        .expect("it infers");
                    assert_eq!(found.views, clear(&MODEL, number));
                }
            });
        }
        for session in 0..3 {
            let connection = listener
                .accept(SERVER.terms(), [session; 16])
                .expect("a client");
            scope.spawn(move || {
                let served = SERVER.serve(&connection, SERVER_SEED, &mut |_| {});
                assert_eq!(served.expect("it serves").images, 2);
            });
        }
    });
}

/// Both ends of a connection over pairs of sockets, under the session ids of the server and the client.
#[cfg(unix)]
fn sockets(ids: [u8; 2], streams: &[u32]) -> (Connection, Connection) {
    use std::os::unix::net::UnixStream;
    use std::sync::Mutex;

    use channel::{Duplex, Role};

    let mut ends = [BTreeMap::new(), BTreeMap::new()];
    for &stream in streams {
        let (server, client) = UnixStream::pair().expect("a pair of sockets");
        for (end, socket) in ends.iter_mut().zip([server, client]) {
            end.insert(stream, Box::new(socket) as Box<dyn Duplex>);
        }
    }
    let [server, client] = ends.map(Mutex::new);
    let timeout = Duration::from_secs(60);
    let over = |role, id, streams| Connection::over(role, [id; 16], "a test", timeout, streams);
    let [at_server, at_client] = ids;
    (
        over(Role::Server, at_server, server),
        over(Role::Client, at_client, client),
    )
}

#[cfg(unix)]
#[test]
fn streams_from_outside_do_as_well() {
    let ends = sockets([7, 7], &STREAMS);
    let (served, findings) = run(&SERVER, &asked(1), ends);
    assert!(served.is_ok());
    assert_eq!(findings.expect("it infers")[0].views, clear(&MODEL, 0));
}

#[cfg(unix)]
#[test]
fn a_stream_that_is_missing_is_named() {
    for missing in STREAMS {
        let streams: Vec<_> = STREAMS.into_iter().filter(|&s| s != missing).collect();
        let (served, findings) = run(&SERVER, &asked(1), sockets([7, 7], &streams));
        for error in [served.expect_err("no"), findings.expect_err("no")] {
            let said = format!("the transport has no stream {missing}");
            assert!(matches!(error, Error::Local(_)) && error.to_string() == said);
        }
    }
}

/// Wrong findings with no error at either end would come of it.
#[cfg(unix)]
#[test]
fn parties_under_different_session_ids_do_not_begin() {
    let (served, findings) = run(&SERVER, &asked(1), sockets([7, 8], &STREAMS));
    for error in [served.expect_err("no"), findings.expect_err("no")] {
        assert!(
            matches!(
                error,
                Error::Incompatible(channel::Error::SessionMismatch { .. })
            ),
            "{error}"
        );
    }
}

#[test]
fn findings_have_a_json_form() {
    let (_, findings) = run_in_memory(&SERVER, &asked(1));
    let json = serde_json::to_value(&findings.expect("it infers")[0]).expect("JSON");
    let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["comm", "layers", "outputs", "time", "views"]);
    for key in ["name", "raw", "logit", "probability"] {
        assert!(json["outputs"][0].get(key).is_some(), "{key}");
    }
    for key in ["setup_s", "preprocess_s", "online_s", "total_s"] {
        assert!(json["time"][key].is_f64(), "{key}");
    }
    assert!(json["comm"]["refill_client_to_server_bytes"].is_u64());
}

/// A server may open less, and the client sees that and no more.
#[test]
fn a_model_that_opens_less() {
    let everything = run_in_memory(&SERVER, &asked(1)).1.expect("it infers");
    let logit = |f: &Finding| f.logit.expect("opened");
    let logits = everything[0].outputs.iter().map(logit);
    let best = logits
        .clone()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let (class, _) = best.expect("three");
    let serve = |opening| {
        let public = MODEL.public.opened(opening).expect("there is room");
        let options = ServerOptions::default();
        Server::new(public, MODEL.weights.clone(), options).expect("it can be served")
    };
    let top = run_in_memory(&serve(Opening::Top), &asked(1))
        .1
        .expect("it infers");
    assert_eq!(top[0].views, [[i64::try_from(class).expect("small")]]);
    for (i, found) in top[0].outputs.iter().enumerate() {
        assert_eq!(found.present, Some(i == class));
        assert!(found.logit.is_none() && found.probability.is_none() && found.raw.is_none());
    }

    let rounded = run_in_memory(&serve(Opening::Rounded), &asked(1))
        .1
        .expect("it infers");
    for (rounded, all) in rounded[0].outputs.iter().map(logit).zip(logits) {
        assert!((rounded - all).abs() <= 1.0 / 32.0, "{all} to {rounded}");
        assert_eq!((16.0 * rounded).fract(), 0.0);
    }
    // Each of ten views would have a class of its own.
    let ten = model(Crops::Ten).public.opened(Opening::Top);
    assert!(
        ten.expect_err("refused")
            .to_string()
            .contains("several views")
    );
}
