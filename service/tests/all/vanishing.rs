//! A peer that vanishes, in every phase: the other one hears it at once, and says so.

use std::time::{Duration, Instant};

use channel::{Error as ChannelError, REFILL_CLIENT_SENDS, REFILL_SERVER_SENDS, Role, Way};
use service::{Client, Error, Request};
use testkit::{Harm, Mangle, memory_pair_mangled};

use crate::common::{CLIENT_SEED, MODEL, SERVER, SERVER_SEED, line, picture, run};

const ONLINE: u32 = channel::ONLINE;
const CONTROL: u32 = 3;
/// Far longer than anything here takes: an error that comes with it is a hang.
const TIMEOUT: Duration = Duration::from_secs(20);

fn asked(images: u32) -> Request {
    Request {
        images,
        ..Request::default()
    }
}

fn is_lost(error: &Error) {
    let lost = matches!(error, Error::Transport(ChannelError::Closed { .. }));
    assert!(lost, "{error:?}");
    assert!(!error.is_peer_fault());
}

/// Every stream, each way, at its start, within and between messages.
#[test]
fn a_line_that_is_cut() {
    let public = MODEL.public.to_json().len() as u64;
    let cuts = [
        // The greeting, the request; the greeting, the public part, the extension.
        (CONTROL, Role::Client, vec![0, 50, 98, 105, 112]),
        (
            CONTROL,
            Role::Server,
            vec![0, 50, 98, 106, 106 + public / 2, 106 + public, 122 + public],
        ),
        (ONLINE, Role::Client, vec![0, 1, 100, 200]),
        (ONLINE, Role::Server, vec![0, 1, 100, 200]),
        (REFILL_SERVER_SENDS, Role::Client, vec![0, 31, 1000, 5000]),
        (REFILL_SERVER_SENDS, Role::Server, vec![0, 31]),
        (REFILL_CLIENT_SENDS, Role::Client, vec![0, 31]),
        (REFILL_CLIENT_SENDS, Role::Server, vec![0, 31, 1000, 5000]),
    ];
    for (stream, from, places) in cuts {
        for at in places {
            let harm = Harm::Cut;
            let way = Way { stream, from };
            let ends = memory_pair_mangled(Mangle { way, at, harm }, TIMEOUT);
            let begin = Instant::now();
            let (served, findings) = run(&SERVER, &asked(1), ends);
            assert!(begin.elapsed() < TIMEOUT / 2, "{way:?} {at}");
            let served = served.map(|served| served.images);
            let (Err(served), Err(findings)) = (served, findings) else {
                panic!("{way:?} {at}");
            };
            is_lost(&served);
            is_lost(&findings);
        }
    }
}

#[test]
fn a_client_that_goes_away() {
    // After how many of two images; none is right after the set-up.
    for shown in 0..2 {
        let (served, ()) = testkit::run_over(
            line(TIMEOUT).pair(),
            |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
            |connection| {
                let mut client =
                    Client::over(connection, &asked(2), CLIENT_SEED).expect("it starts");
                for number in 0..shown {
                    client
                        .infer(&picture(number), &mut |_| {})
                        .expect("it infers");
                }
            },
        );
        is_lost(&served.expect_err("an image is missing"));
    }
}

#[test]
fn a_server_that_goes_away() {
    // It takes part in one image of two, and dies before the second.
    let (served, (first, second, third)) = testkit::run_over(
        line(TIMEOUT).pair(),
        |connection| {
            let mut runs = 0;
            let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                SERVER.serve(&connection, SERVER_SEED, &mut |p| {
                    runs = p.run;
                    assert!(p.run == 0, "the server's thread dies");
                })
            }));
            drop(connection);
            (gone.is_err(), runs)
        },
        |connection| {
            let mut client = Client::over(connection, &asked(2), CLIENT_SEED).expect("it starts");
            let mut infer = || client.infer(&picture(0), &mut |_| {});
            (infer(), infer(), infer())
        },
    );
    assert_eq!(served, (true, 1));
    assert!(first.is_ok());
    is_lost(&second.expect_err("nobody is there"));
    // Every image that was asked for counts, also the one that failed.
    assert!(matches!(third, Err(Error::NoImagesLeft { images: 2 })));
}

#[test]
fn a_session_that_failed_stays_dead() {
    let way = Way {
        stream: ONLINE,
        from: Role::Server,
    };
    let (at, harm) = (100, Harm::Cut);
    let (served, [first, second]) = testkit::run_over(
        memory_pair_mangled(Mangle { way, at, harm }, TIMEOUT),
        |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
        |connection| {
            let mut client = Client::over(connection, &asked(2), CLIENT_SEED).expect("it starts");
            [0, 1].map(|number| client.infer(&picture(number), &mut |_| {}))
        },
    );
    is_lost(&served.expect_err("the line is cut"));
    is_lost(&first.expect_err("the line is cut"));
    assert!(matches!(second, Err(Error::Ended)));
}

/// Whoever catches the panic finds a session that is over, and the server does not wait for its time-out.
#[test]
fn a_client_whose_progress_panics() {
    let begin = Instant::now();
    let server_ended = std::sync::Barrier::new(2);
    let (served, (caught, second)) = testkit::run_over(
        line(TIMEOUT).pair(),
        |connection| {
            let served = SERVER.serve(&connection, SERVER_SEED, &mut |_| {});
            server_ended.wait();
            served
        },
        |connection| {
            let mut client = Client::over(connection, &asked(2), CLIENT_SEED).expect("it starts");
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                client.infer(&picture(0), &mut |p| {
                    assert!(p.step.layer < 2, "the client's screen is gone");
                })
            }));
            let second = client.infer(&picture(1), &mut |_| {});
            // It is still there while the server comes to its end.
            server_ended.wait();
            (caught.is_err(), second)
        },
    );
    assert!(caught);
    assert!(matches!(second, Err(Error::Ended)));
    is_lost(&served.expect_err("an image is missing"));
    assert!(begin.elapsed() < TIMEOUT / 2);
}

#[test]
fn a_party_that_is_given_the_wrong_end_says_what_to_do() {
    let (at_server, at_client) = line(TIMEOUT).pair();
    let wrong = |act: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        let panic = panic.expect_err("the wrong end");
        panic.downcast::<String>().expect("a message")
    };
    let server = wrong(&|| drop(SERVER.serve(&at_client, SERVER_SEED, &mut |_| {})));
    let client = wrong(&|| drop(Client::over(at_server.clone(), &asked(1), CLIENT_SEED)));
    assert!(server.contains("give it the other end, which `Listener::accept` returns"));
    assert!(client.contains("give it the other end, which `channel::connect` returns"));
}

#[test]
fn nobody_there() {
    let (at_server, at_client) = line(TIMEOUT).pair();
    drop(at_client);
    let served = SERVER.serve(&at_server, SERVER_SEED, &mut |_| {});
    is_lost(&served.expect_err("nobody is there"));
    let (at_server, at_client) = line(TIMEOUT).pair();
    drop(at_server);
    let client = Client::over(at_client, &asked(1), CLIENT_SEED);
    is_lost(&client.expect_err("nobody is there"));
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("its address")
    };
    let config = channel::Config::default();
    let client = Client::dial(address, &config, &asked(1), CLIENT_SEED);
    assert!(matches!(client, Err(Error::Transport(_))));
}

#[test]
fn silence_ends_in_a_time_out() {
    let timeout = Duration::from_millis(300);
    let (at_server, at_client) = line(timeout).pair();
    let served = SERVER.serve(&at_server, SERVER_SEED, &mut |_| {});
    let silent = matches!(served, Err(Error::Transport(ChannelError::Timeout { .. })));
    assert!(silent, "{served:?}");
    drop(at_client);
}
