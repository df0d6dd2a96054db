//! Parties that do not fit together: both hear it, and hear the same.

use std::time::Duration;

use channel::{Config, Cost, Listener, Role};
use ot::{Silent, SilentSet, SoftSpoken};
use service::{
    Client, EXTENSIONS, Error, Extension, ExtensionChoice, Limits, Mode, Modes, Request, Server,
    ServerOptions,
};

use crate::common::{CLIENT_SEED, MODEL, Outcomes, SERVER, SERVER_SEED, line, run, run_in_memory};

/// What both parties got instead of a session.
fn errors((served, findings): Outcomes) -> [Error; 2] {
    [
        served.expect_err("no session at the server"),
        findings.expect_err("no session at the client"),
    ]
}

#[test]
fn another_number_of_images_than_the_server_allows() {
    for images in [0, 4, u32::MAX] {
        let request = Request {
            images,
            ..Request::default()
        };
        // The client need not come to its pictures.
        let outcomes = testkit::run_over(
            line(Duration::from_secs(60)).pair(),
            |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
            |connection| Client::over(connection, &request, CLIENT_SEED).map(|_| Vec::new()),
        );
        for error in errors(outcomes) {
            assert!(!error.is_peer_fault());
            let Error::Refused { reason } = error else {
                panic!("{error}");
            };
            let expected = format!("{images} images in one session; it allows 1 to 3");
            assert_eq!(reason, expected);
        }
    }
}

#[test]
fn another_model_than_the_client_insists_on() {
    let request = Request {
        expect: Some([9; 32]),
        ..Request::default()
    };
    for error in errors(run_in_memory(&SERVER, &request)) {
        let said = error.to_string();
        let mismatch = channel::Error::ModelMismatch {
            expected: [9; 32],
            offered: Some(MODEL.public.digest()),
        };
        assert!(matches!(error, Error::Incompatible(_)) && said == mismatch.to_string());
        assert!(!error.is_peer_fault());
    }
}

#[test]
fn another_model_over_tcp() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("a port");
    let address = listener.local_addr();
    let request = Request {
        expect: Some([9; 32]),
        ..Request::default()
    };
    let client = std::thread::spawn(move || {
        Client::dial(address, &Config::default(), &request, CLIENT_SEED)
    });
    let at_server = listener
        .accept(SERVER.terms(), [1; 16])
        .map_err(Error::from);
    assert!(matches!(at_server, Err(Error::Incompatible(_))));
    let at_client = client.join().expect("no panic");
    assert!(matches!(at_client, Err(Error::Incompatible(_))));
}

/// A client may take any model in the handshake and still know what it wants.
#[test]
fn another_model_that_only_the_client_notices() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("a port");
    let address = listener.local_addr();
    let any = Request::default().terms();
    let client = std::thread::spawn(move || {
        let connection = channel::connect(address, &any, &Config::default(), [2; 16])?;
        let request = Request {
            expect: Some([9; 32]),
            ..Request::default()
        };
        Client::over(connection, &request, CLIENT_SEED)
    });
    let connection = listener.accept(SERVER.terms(), [1; 16]).expect("a client");
    let at_server = SERVER.serve(&connection, SERVER_SEED, &mut |_| {});
    assert!(
        matches!(at_server, Err(Error::Transport(_))),
        "{at_server:?}"
    );
    let at_client = client.join().expect("no panic");
    assert!(matches!(at_client, Err(Error::Incompatible(_))));
}

#[test]
fn another_ot_extension() {
    const OTHER: SoftSpoken = SoftSpoken::new(2);
    const NEITHER: SoftSpoken = SoftSpoken::new(3);
    const NEITHER_ALONE: &[&dyn Extension] = &[&NEITHER];
    const BOTH: &[&dyn Extension] = &[&NEITHER, &OTHER];
    let with = |extension: &'static dyn Extension| {
        let options = ServerOptions {
            extension: ExtensionChoice::Always(extension),
            ..ServerOptions::default()
        };
        let server = Server::new(MODEL.public.clone(), MODEL.weights.clone(), options);
        server.expect("it can be served")
    };
    let asked = |extensions| Request {
        extensions,
        ..Request::default()
    };
    // An unknown one by a known name, and one that the client does not want.
    let large = Silent::new(SilentSet::Large).name();
    let large = EXTENSIONS.iter().find(|one| one.name() == large);
    for (server, extensions, offered) in [
        (with(&OTHER), &EXTENSIONS[..], "softspoken"),
        (with(&OTHER), NEITHER_ALONE, "softspoken"),
        (
            with(*large.expect("one of all")),
            &EXTENSIONS[..1],
            "silent-large",
        ),
    ] {
        let [at_server, at_client] = errors(run_in_memory(&server, &asked(extensions)));
        assert!(matches!(at_server, Error::Transport(_)), "{at_server}");
        let said = at_client.to_string();
        assert!(matches!(at_client, Error::OtherExtension { .. }), "{said}");
        assert!(said.contains(&format!("by {offered}; ")), "{said}");
    }
    // And one that both use has the same findings.
    let (served, findings) = run_in_memory(&with(&OTHER), &asked(BOTH));
    assert!(served.is_ok());
    let (_, usual) = run_in_memory(&SERVER, &Request::default());
    let views = |f: Result<Vec<service::Findings>, _>| f.expect("it infers")[0].views.clone();
    assert_eq!(views(findings), views(usual));
}

/// Whoever makes the connection may have compared something else.
#[test]
fn a_handshake_over_other_terms_does_not_count() {
    let (served, client) = testkit::run_tcp(
        |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
        |connection| Client::over(connection, &Request::default(), CLIENT_SEED),
    );
    assert!(matches!(served, Err(Error::Incompatible(_))), "{served:?}");
    assert!(matches!(client, Err(Error::Incompatible(_))), "{client:?}");
}

#[test]
fn a_connection_carries_one_session() {
    let (at_server, at_client) = line(Duration::from_secs(60)).pair();
    let again = at_server.clone();
    let outcomes = run(&SERVER, &Request::default(), (at_server, at_client));
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok());
    let second = SERVER.serve(&again, SERVER_SEED, &mut |_| {});
    assert!(matches!(second, Err(Error::Local(_))), "{second:?}");
}

#[test]
fn what_does_not_fit_together_is_not_served() {
    let options = ServerOptions::default();
    let no_weights = nets::PrivateWeights::default();
    let refused = Server::new(MODEL.public.clone(), no_weights, options);
    assert!(matches!(refused, Err(Error::Local(_))));
    let nobody = ServerOptions {
        max_images: 0,
        ..options
    };
    let refused = Server::new(MODEL.public.clone(), MODEL.weights.clone(), nobody);
    let said = refused.expect_err("no image is allowed").to_string();
    assert_eq!(said, "option `max_images`: every client would be refused");
    let mut public = MODEL.public.clone();
    public.labels.pop();
    let refused = Server::new(public, MODEL.weights.clone(), options);
    assert!(matches!(refused, Err(Error::Local(_))));
}

#[test]
fn another_mode_than_the_server_allows() {
    let options = ServerOptions {
        modes: Modes::only(Mode::Faithful),
        ..ServerOptions::default()
    };
    let server = Server::new(MODEL.public.clone(), MODEL.weights.clone(), options);
    let server = server.expect("it can be served");
    let request = Request {
        mode: Mode::Fast,
        ..Request::default()
    };
    for error in errors(run_in_memory(&server, &request)) {
        let said = error.to_string();
        assert_eq!(said, "the server refused: it does not compute in fast mode");
    }
    assert!(run_in_memory(&server, &Request::default()).1.is_ok());
    let both = Modes::only(Mode::Fast).and(Mode::Faithful);
    assert_eq!(both, Modes::default());
}

/// The plan is what the session takes, to the byte, and the limit is on the plan.
#[test]
fn more_traffic_than_the_client_allows() {
    let ask = |max_traffic| Request {
        images: 2,
        max_traffic,
        ..Request::default()
    };
    let [_, error] = errors(run_in_memory(&SERVER, &ask(Some(1000))));
    let Error::TooMuchTraffic { planned, allowed } = error else {
        panic!("{error}");
    };
    assert_eq!(allowed, 1000);
    let [_, error] = errors(run_in_memory(&SERVER, &ask(Some(planned - 1))));
    assert!(matches!(error, Error::TooMuchTraffic { .. }));

    let (_, findings) = run_in_memory(&SERVER, &ask(Some(planned)));
    let findings = findings.expect("it is allowed");
    let set_up = [Role::Server, Role::Client].map(|sender| SERVER.extension().setup_cost(sender));
    let set_up: u64 = set_up.iter().map(Cost::bytes).sum();
    let sent: u64 = findings.iter().map(|f| f.comm.total_bytes()).sum();
    assert_eq!(set_up + sent, planned);
}

#[test]
fn a_model_that_is_larger_than_the_client_allows() {
    let limits = Limits {
        bytes: 1000,
        ..Limits::default()
    };
    let request = Request {
        limits,
        ..Request::default()
    };
    let [_, error] = errors(run_in_memory(&SERVER, &request));
    let said = error.to_string();
    assert!(matches!(error, Error::Local(_)), "{said}");
    assert!(
        said.ends_with("bytes or more, and 1000 are allowed"),
        "{said}"
    );
}
