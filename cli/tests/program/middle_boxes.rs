//! Two real processes with a box between them, as tunnels, balancers and firewalls are.

use std::thread;
use std::time::{Duration, Instant};

use images::Image;
use service::{Client, Request};
use testkit::MiddleBox;

use crate::support::{Server, as_client, fails, json, raw, run, text, xray};

/// The findings of an X-ray through a box.
fn infer(through: &MiddleBox) -> Vec<i64> {
    let (address, image) = (through.address().to_string(), xray());
    raw(&json(&[
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ])[0])
}

#[test]
fn a_tunnel_of_one_connection() {
    let server = Server::start(&["--model", "chestnet"]);
    infer(&MiddleBox::single(server.address));
    // More than one does not get through, and the client does not wait for long.
    let (tunnel, image) = (MiddleBox::single(server.address), xray());
    let address = tunnel.address().to_string();
    let two = [
        "infer",
        "--connect",
        &address,
        "--connections",
        "2",
        "--timeout",
        "3",
        "--input",
    ];
    let begin = Instant::now();
    fails(&run(&[&two[..], &[text(&image)]].concat()), 1, "");
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_balancer_over_two_servers() {
    let servers = [(); 2].map(|()| Server::start(&["--model", "chestnet", "--sessions", "3"]));
    let balancer = MiddleBox::balancer(&servers.each_ref().map(|server| server.address));
    // Some at the same time, some after.
    let found: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| infer(&balancer))).collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .collect()
    });
    for more in [infer(&balancer), infer(&balancer)] {
        assert!(found.iter().all(|findings| *findings == more));
    }
    for mut server in servers {
        let (code, said) = server.wait();
        assert_eq!(code, Some(0), "{said}");
    }
}

/// A client that leaves the session idle between images, and one that waits for it in line, both longer than the firewall
/// bears silence.
#[test]
fn a_firewall_that_cuts_idle_connections() {
    const IDLE: Duration = Duration::from_secs(3);
    let server = Server::start(&["--model", "chestnet", "--parallel", "1"]);
    let firewall = MiddleBox::firewall(server.address, IDLE);
    let (request, config) = (Request::default(), as_client());
    let first = Client::dial(firewall.address(), &config, &request, [2; 32]);
    let mut first = first.expect("a session");
    thread::scope(|scope| {
        let second = scope.spawn(|| infer(&firewall));
        thread::sleep(2 * IDLE);
        assert!(!second.is_finished(), "it waits in line");
        let picture = Image::open(&xray()).expect("an X-ray").picture;
        let found = first.infer(&picture, &mut |_| {}).expect("it was not cut");
        drop(first);
        assert_eq!(found.views[0], second.join().expect("it was not cut"));
    });
}
