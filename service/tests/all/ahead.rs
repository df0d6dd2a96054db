//! Sessions of models whose products are by ring-LWE, with and without a phase ahead of the images.

use std::sync::Arc;
use std::time::Duration;

use channel::{Memory, ONLINE, Relay, Role, Way};
use nets::Crops;
use service::{Client, Comm, Error, Mode, Request, Server, ServerOptions};
use testkit::{Harm, Mangle, run_over};

use crate::common::{
    CLIENT_SEED, Counter, SERVER_SEED, clear, encrypted, line, model, picture, run, server,
};

fn asked(images: u32, ahead: bool) -> Request {
    Request {
        images,
        ahead,
        ..Request::default()
    }
}

/// A session over a line that counts: what the server and the client report, and the bytes of the online stream.
fn counted(
    server: &Server,
    request: &Request,
) -> (service::Served, Vec<service::Findings>, [u64; 2]) {
    let counter = Arc::new(Counter::default());
    let memory = Memory {
        relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
        ..line(Duration::from_secs(60))
    };
    let (served, found) = run(server, request, memory.pair());
    let counts = counter.0.lock().expect("nobody panics");
    let passed = [false, true].map(|from| counts[&(ONLINE, from)]);
    drop(counts);
    (
        served.expect("it serves"),
        found.expect("it infers"),
        passed,
    )
}

#[test]
fn findings_are_those_of_the_integer_network() {
    let model = encrypted(&model(Crops::Centre));
    let server = server(&model);
    for ahead in [false, true] {
        let (served, found, passed) = counted(&server, &asked(3, ahead));
        assert_eq!((served.ahead, served.ahead_s > 0.0), (ahead, ahead));
        let mut sum = Comm::default();
        for (number, found) in (0..).zip(&found) {
            assert_eq!(found.views, clear(&model, number));
            let (comm, time) = (found.comm, found.time);
            // Keys and the phase ahead of all images belong to the first.
            assert_eq!(comm.setup_bytes() > 0, number == 0);
            assert_eq!(comm.ahead_bytes() > 0, ahead && number == 0);
            assert_eq!(comm.ahead_flights > 0, ahead && number == 0);
            assert_eq!(time.ahead_s > 0.0, ahead && number == 0);
            let parts = time.setup_s + time.ahead_s + time.preprocess_s + time.online_s;
            assert!(parts <= time.total_s && time.online_s > 0.0, "{time:?}");
            sum.client_to_server_bytes += comm.client_to_server_bytes;
            sum.server_to_client_bytes += comm.server_to_client_bytes;
            sum.flights += comm.flights;
            sum.setup_client_to_server_bytes += comm.setup_client_to_server_bytes;
            sum.setup_server_to_client_bytes += comm.setup_server_to_client_bytes;
            sum.ahead_client_to_server_bytes += comm.ahead_client_to_server_bytes;
            sum.ahead_server_to_client_bytes += comm.ahead_server_to_client_bytes;
            sum.ahead_flights += comm.ahead_flights;
            sum.refill_client_to_server_bytes += comm.refill_client_to_server_bytes;
            sum.refill_server_to_client_bytes += comm.refill_server_to_client_bytes;
        }
        assert_eq!(served.comm, sum, "both parties counted the same bytes");
        let up = sum.setup_client_to_server_bytes + sum.ahead_client_to_server_bytes;
        let down = sum.setup_server_to_client_bytes + sum.ahead_server_to_client_bytes;
        let expected = [
            up + sum.client_to_server_bytes,
            down + sum.server_to_client_bytes,
        ];
        assert_eq!(passed, expected, "every byte of the stream is counted");
    }
}

/// A client that takes part in oblivious transfers alone asks nothing of such a server, and goes along with others.
#[test]
fn clients_may_refuse_homomorphic_encryption() {
    let request = Request {
        homomorphic: false,
        ..Request::default()
    };
    let plain = model(Crops::Centre);
    let pair = || line(Duration::from_secs(60)).pair();
    let (served, found) = run(&server(&encrypted(&plain)), &request, pair());
    assert!(matches!(served, Err(Error::Transport(_))), "{served:?}");
    assert!(
        matches!(&found, Err(Error::Homomorphic { .. })),
        "{found:?}"
    );
    let (served, found) = run(&server(&plain), &request, pair());
    assert!(served.is_ok() && found.is_ok());
}

/// What a client plans, and what a server says of its largest session, holds keys and phases to the byte.
#[test]
fn traffic_is_planned_with_keys_and_phases() {
    let model = encrypted(&model(Crops::Centre));
    let server = server(&model);
    let mut all = Vec::new();
    for ahead in [false, true] {
        let request = Request {
            max_traffic: Some(0),
            ..asked(3, ahead)
        };
        let (_, refused) = run(&server, &request, line(Duration::from_secs(60)).pair());
        let Err(Error::TooMuchTraffic { planned, .. }) = refused else {
            panic!("{refused:?}");
        };
        let just = Request {
            max_traffic: Some(planned),
            ..request
        };
        let (served, ..) = counted(&server, &just);
        let pools = [Role::Server, Role::Client];
        let pools = pools.map(|sender| server.extension().setup_cost(sender).bytes());
        assert_eq!(
            served.comm.total_bytes() + pools.iter().sum::<u64>(),
            planned
        );
        all.push(planned);
    }
    assert_eq!(
        server.largest_session(),
        all.into_iter().max().expect("two")
    );
}

/// One phase is for all views of all images, and may be run before there is an image.
#[test]
fn a_phase_may_come_before_the_first_image() {
    let model = encrypted(&model(Crops::Ten));
    let options = ServerOptions {
        max_images: 2,
        ..ServerOptions::default()
    };
    let server = Server::new(model.public.clone(), model.weights.clone(), options);
    let server = server.expect("it can be served");
    for mode in [Mode::Faithful, Mode::Fast] {
        let request = Request {
            mode,
            ..asked(2, true)
        };
        let mut told = Vec::new();
        let (served, found) = run_over(
            line(Duration::from_secs(60)).pair(),
            |connection| server.serve(&connection, SERVER_SEED, &mut |_| {}),
            |connection| -> Result<_, Error> {
                let mut client = Client::over(connection, &request, CLIENT_SEED)?;
                for _ in 0..2 {
                    client.run_ahead(&mut |p| {
                        told.push((p.layers_done(), p.step.together, p.layers()));
                        assert!(p.step.ahead && p.planned.is_none());
                    })?;
                }
                let mut found = Vec::new();
                for number in 0..2 {
                    let mut only_online = |p: service::Progress<'_>| assert!(!p.step.ahead);
                    found.push(client.infer(&picture(number), &mut only_online)?);
                }
                client.run_ahead(&mut |_| panic!("no images are left"))?;
                let planned = client.network().ahead_cost(20).bytes();
                Ok((found, planned))
            },
        );
        let (found, planned) = found.expect("it infers");
        // Both layers in one window.
        assert_eq!(told, [(0, 2, 2)]);
        assert_eq!(served.expect("it serves").comm.ahead_bytes(), planned);
        assert_eq!([0, 1].map(|i| found[i].comm.ahead_bytes()), [planned, 0]);
        assert!(found[0].time.ahead_s > 0.0);
        if mode == Mode::Faithful {
            for (number, found) in (0..).zip(&found) {
                assert_eq!(found.views, clear(&model, number));
            }
        }
    }
}

/// Who has no layers that run ahead takes the wish all the same.
#[test]
fn without_such_layers_nothing_runs_ahead() {
    let model = model(Crops::Centre);
    let (served, found, _) = counted(&server(&model), &asked(2, true));
    assert_eq!(served.comm.ahead_bytes() + served.comm.setup_bytes(), 0);
    for (number, found) in (0..).zip(&found) {
        assert_eq!(found.views, clear(&model, number));
        assert!(found.time.ahead_s <= 0.0);
    }
}

/// Requests that were changed on their way are the peer's fault, ahead and online.
#[test]
fn changed_requests_are_refused() {
    let model = encrypted(&model(Crops::Centre));
    let server = server(&model);
    let (_, found, _) = counted(&server, &asked(1, true));
    let keys = found[0].comm.setup_client_to_server_bytes;
    for ahead in [false, true] {
        let way = Way {
            stream: ONLINE,
            from: Role::Client,
        };
        // What the client says first after its keys names the session and the layer.
        let mangle = Mangle {
            way,
            at: keys,
            harm: Harm::Flip(1),
        };
        let memory = Memory {
            relay: Some(Arc::new(mangle)),
            ..line(Duration::from_secs(10))
        };
        let (served, found) = run(&server, &asked(1, ahead), memory.pair());
        let error = served.expect_err("it was changed");
        assert!(error.is_peer_fault(), "{error}");
        assert!(found.is_err());
    }
}
