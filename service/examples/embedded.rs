//! Serves a model and asks it from another thread, by `blindray-service` alone: `cargo run --release -p blindray-service --example embedded`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use service::channel::memory_pair;
use service::nets::{Model, Picture, Samples};
use service::{Allowance, Client, Error, Findings, Host, HostOptions, Request, Server};
use std::{error, fs::File, io, io::Read, path::Path, sync::Arc, thread};

/// Fresh and secret bytes: all that is random in a session comes from them.
fn fresh() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn ask(host: &Host, picture: &Picture, request: &Request) -> Result<Findings, Error> {
    let (at_server, at_client) = memory_pair(1 << 16);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut client = Client::over(at_client, request, fresh().expect("randomness"))?;
            client.infer(picture, &mut |_| {})
        });
        drop(host.session(&at_server)); // The client has the better words for what goes wrong.
        asking.join().expect("no panic")
    })
}

fn advice(error: &Error) -> &'static str {
    match error {
        Error::Refused { .. } => "it says why, and when to come again",
        Error::Incompatible(_) => "ask another server, or for another model",
        Error::TooMuchTraffic { .. } => "allow more, or take a smaller model",
        Error::Transport(_) => "try again: nobody can tell whose fault it was",
        error if error.is_peer_fault() => "do not trust the other party",
        _ => "something is wrong with this program",
    }
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets/chestnet.bray");
    let model = Model::load(Path::new(file))?;
    let mut options = HostOptions::new(fresh);
    let mut allowance = Allowance::default();
    allowance.quota.images_per_hour = Some(1);
    options.allowance = Arc::new(move |_| allowance);
    let server = Server::new(model.public, model.weights, Default::default())?;
    let host = Host::new(server, options)?;
    let greys = (0..=255).flat_map(|grey| [grey; 16]).collect();
    let picture = Picture::new(64, 64, 1, Samples::Eight(greys))?;
    for finding in ask(&host, &picture, &Request::default())?.outputs {
        println!("{}: {:?}", finding.name, finding.probability);
    }
    let [again, mut other, mut frugal] = [(); 3].map(|()| Request::default());
    (other.expect, frugal.max_traffic) = (Some([7; 32]), Some(1));
    for request in [again, other, frugal] {
        let error = ask(&host, &picture, &request).expect_err("none of these is served");
        println!("{error}: {}", advice(&error));
    }
    Ok(())
}
