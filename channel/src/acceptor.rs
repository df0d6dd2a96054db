//! The thread that takes connections and routes them.

use std::io::Result as IoResult;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crate::Error;
use crate::greeter::{Greeter, Greeting};
use crate::handshake::{Answer, Hello};
use crate::registry::{Caller, Registry};

/// Starts the thread; it ends when the registry is over.
pub(crate) fn start(socket: TcpListener, registry: Arc<Registry>) -> IoResult<()> {
    Builder::new()
        .name("acceptor".to_owned())
        .spawn(move || run(&socket, &registry))
        .map(drop)
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

/// Reads the greeting on a thread of its own: a slow peer holds up nobody else.
fn take(stream: TcpStream, peer: SocketAddr, registry: &Arc<Registry>) {
    if !registry.begin_greeting() {
        // Too many already; hanging up is the cheapest answer.
        return;
    }
    let shared = Arc::clone(registry);
    let thread = Builder::new().name("greeting".to_owned()).spawn(move || {
        if let Err(error) = greet(stream, peer, &shared) {
            shared.report(error);
        }
        shared.end_greeting();
    });
    if thread.is_err() {
        registry.end_greeting();
    }
}

fn greet(stream: TcpStream, peer: SocketAddr, registry: &Registry) -> Result<(), Error> {
    let allowed = registry.config.handshake_timeout;
    // A socket may inherit this from its listener on some systems.
    stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_nodelay(true))
        .map_err(|cause| Error::from_io(cause, crate::HANDSHAKE, allowed))?;
    let mut greeter = Greeter::new(stream, allowed);
    let greeting = greeter.hear()?;
    if greeting.is_stream() {
        return route(greeter, &greeting, registry);
    }
    let version = greeting.version;
    match registry.line_up(Caller {
        greeter,
        greeting,
        peer,
    }) {
        Ok(()) => Ok(()),
        Err((mut caller, answer)) => caller.greeter.say(&Hello::Answer(answer), version),
    }
}

/// Hands a further stream to its session.
fn route(mut greeter: Greeter, greeting: &Greeting, registry: &Registry) -> Result<(), Error> {
    let Hello::Stream { session, stream } = greeting.decode_any()? else {
        return Err(Error::BadHello {
            reason: "not a stream's",
        });
    };
    let Some(mailbox) = registry.mailbox(&session) else {
        greeter.say(&Hello::Answer(Answer::UnknownSession), greeting.version)?;
        return Err(Error::UnknownSession);
    };
    let answer = mailbox.announce(stream, registry.config.max_streams);
    greeter.say(&Hello::Answer(answer), greeting.version)?;
    answer.into_result(stream)?;
    mailbox.put(stream, greeter.stream);
    Ok(())
}
