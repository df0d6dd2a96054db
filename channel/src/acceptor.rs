//! The threads of a listener: one takes connections, one attends to the waiting line, and each greeting has one of its
//! own, so that a slow peer holds up nobody else.

use std::io::Result as IoResult;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crate::admission::{Admitted, Applicant, Refusal};
use crate::deadline::Deadline;
use crate::greeter::{Greeter, Greeting};
use crate::guard::pass;
use crate::handshake::{Answer, Hello};
use crate::registry::{Caller, Registry};
use crate::{Config, Error, HANDSHAKE, Role, TurnedAway};

/// Starts the first two threads; one ends when the registry is over, the other when it is closed.
pub(crate) fn start(socket: TcpListener, registry: &Arc<Registry>) -> IoResult<()> {
    let attending = Arc::clone(registry);
    Builder::new()
        .name("waiting line".to_owned())
        .spawn(move || while attending.attend_line() {})?;
    let accepting = Arc::clone(registry);
    Builder::new()
        .name("acceptor".to_owned())
        .spawn(move || run(&socket, &accepting))
        .map(drop)
        // Without it there is no listener.
        .inspect_err(|_| registry.close())
}

fn run(socket: &TcpListener, registry: &Arc<Registry>) {
    loop {
        let arrival = socket.accept();
        if registry.is_over() {
            return;
        }
        match arrival {
            Ok((stream, peer)) => take(stream, peer, registry),
            // A connection that died in the queue, or no free descriptor: the next may do better.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Reads the greeting on a thread of its own.
fn take(stream: TcpStream, peer: SocketAddr, registry: &Arc<Registry>) {
    let Ok(handle) = stream.try_clone() else {
        // No free descriptor; hanging up is the cheapest answer.
        return;
    };
    let place = registry.begin_greeting(handle, peer.ip());
    let shared = Arc::clone(registry);
    let thread = Builder::new().name("greeting".to_owned()).spawn(move || {
        if let Err(turned_away) = greet(stream, peer, place, &shared) {
            shared.end_greeting(place);
            shared.report(turned_away);
        }
    });
    if thread.is_err() {
        registry.end_greeting(place);
    }
}

fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    place: u64,
    registry: &Registry,
) -> Result<(), TurnedAway> {
    let deadline = Deadline::after(registry.config.handshake_timeout);
    let unknown = |error| TurnedAway::unknown(peer, error);
    let mut greeter = pass(&registry.config, Role::Server, stream, deadline).map_err(unknown)?;
    let identity = greeter.identity.clone().map(Box::new);
    let known = |error| TurnedAway {
        peer: Some(peer),
        identity: identity.clone(),
        error,
    };
    let greeting = greeter.hear().map_err(known)?;
    if !registry.end_greeting(place) {
        return Err(known(Error::Closed {
            phase: HANDSHAKE.to_owned(),
        }));
    }
    if greeting.is_lane() {
        return route(greeter, &greeting, registry).map_err(known);
    }
    let version = greeting.version;
    let admitted = admit(&registry.config, &greeter, &greeting, peer);
    let (mut greeter, refusal) = match admitted {
        Err(refusal) => (greeter, refusal),
        Ok(admitted) => match registry.line_up(Caller::new(greeter, greeting, peer, admitted)) {
            Ok(()) => return Ok(()),
            Err((caller, refusal)) => (caller.greeter, refusal),
        },
    };
    let reason = refusal.reason().to_owned();
    // It waited for the admission, however long that took.
    greeter.restart(registry.config.handshake_timeout);
    let version = registry.version().unwrap_or(version);
    greeter
        .say(&Hello::Refusal(refusal), version)
        .map_err(known)?;
    Err(known(Error::NotAdmitted { reason }))
}

/// Whether a client may line up, and as what.
fn admit(
    config: &Config,
    greeter: &Greeter,
    greeting: &Greeting,
    peer: SocketAddr,
) -> Result<Admitted, Refusal> {
    let Some(admission) = &config.admission else {
        return Ok(Admitted::default());
    };
    // One of another version hears of that when its turn comes.
    let urgent = matches!(
        greeting.decode_any(),
        Ok(Hello::Session { urgent: true, .. })
    );
    let applicant = Applicant {
        identity: greeter.identity.as_ref(),
        address: peer,
        urgent,
    };
    let admitted = admission.admit(&applicant)?;
    let urgent = urgent && admitted.urgent;
    Ok(Admitted { urgent, ..admitted })
}

/// Brings a further connection to its session.
fn route(mut greeter: Greeter, greeting: &Greeting, registry: &Registry) -> Result<(), Error> {
    let Hello::Lane { session, lane } = greeting.decode_any()? else {
        return Err(Error::BadHello {
            reason: "not a further connection's",
        });
    };
    let lanes = match registry.lanes(&session, greeter.identity.as_ref()) {
        Ok(lanes) => lanes,
        // Nobody hears of the sessions of others.
        Err(error) => {
            greeter.say(&Hello::Answer(Answer::UnknownSession), greeting.version)?;
            return Err(error);
        }
    };
    let lane = usize::from(lane);
    let answer = lanes.announce(lane);
    let said = greeter.say(&Hello::Answer(answer), greeting.version);
    answer.into_result(lane)?;
    let put = said.and_then(|()| {
        let put = lanes.put(lane, greeter.wire);
        put.map_err(|cause| Error::from_io(cause, HANDSHAKE, registry.config.handshake_timeout))
    });
    // Its client may try again.
    put.inspect_err(|_| lanes.renounce(lane))
}
