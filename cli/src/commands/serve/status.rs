//! How the server is, over HTTP on a loopback address: `/livez`, `/readyz`, `/metrics` and `/status`.

use std::collections::VecDeque;
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use service::Host;

use crate::failure::{Failure, Outcome};
use crate::link;

/// Connections at the same time. One more pushes out the oldest, so that those who connect and say nothing keep nobody from his answer.
const MOST: usize = 64;
/// How long asking and answering may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// No question is longer.
const MAX_HEAD: usize = 8 << 10;

/// The server, once its model is there.
pub(super) type Served = Arc<OnceLock<Arc<Host>>>;

/// Answers until the process ends; the address. It is a loopback address, or `exposed`.
pub(super) fn start(name: &str, exposed: bool, served: &Served) -> Outcome<SocketAddr> {
    let addresses = link::addresses(name)?;
    let open = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(open) = open.filter(|_| !exposed) {
        return Err(Failure::input(format!(
            "--status {open} is not a loopback address: whoever can reach it sees how the server is used; add --status-exposed where a network of your own stands around it"
        )));
    }
    let failed = |error: IoError| Failure::input(format!("--status {name}: {error}"));
    let listener = TcpListener::bind(&*addresses).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let served = Arc::clone(served);
    let thread = Builder::new().name("status".to_owned());
    let accepting = move || accept(&listener, &served);
    thread.spawn(accepting).map_err(failed)?;
    Ok(address)
}

/// Those who are being answered, the oldest first, by number.
type Asking = Arc<Mutex<VecDeque<(u64, Arc<TcpStream>)>>>;

/// Takes connections, and answers each in a thread of its own.
fn accept(listener: &TcpListener, served: &Served) {
    let (asking, mut last) = (Asking::default(), 0);
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // No free descriptor, for one: the next may do better.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        last += 1;
        let (number, stream) = (last, Arc::new(stream));
        let mut all = asking.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= MOST {
            // Its thread hears it, and ends.
            let oldest = all.pop_front();
            let _ = oldest.map(|(_, oldest)| oldest.shutdown(Shutdown::Both));
        }
        all.push_back((number, Arc::clone(&stream)));
        drop(all);
        let gone = {
            let asking = Arc::clone(&asking);
            move || {
                let mut all = asking.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|(other, _)| *other != number);
            }
        };
        let served = Arc::clone(served);
        let (answered, thread) = (gone.clone(), Builder::new().name("status".to_owned()));
        let answering = move || {
            // Whoever does not hear the answer does not want it.
            let _ = answer(&stream, &served);
            answered();
        };
        if thread.spawn(answering).is_err() {
            gone();
        }
    }
}

fn answer(mut stream: &TcpStream, served: &Served) -> Result<(), IoError> {
    let deadline = Instant::now() + PATIENCE;
    let head = head(stream, deadline)?;
    let (status, kind, mut body) = respond(&head, served);
    let length = body.len();
    if head.starts_with("HEAD ") {
        body.clear();
    }
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}"
    );
    // The answer is small: it fits what the system keeps for a socket.
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(text.as_bytes())
}

fn left(deadline: Instant) -> Result<Duration, IoError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// What is asked, with the headers, of which none counts.
fn head(mut stream: &TcpStream, deadline: Instant) -> Result<String, IoError> {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut piece)?;
        head.extend_from_slice(&piece[..read]);
        if read == 0 || head.len() > MAX_HEAD {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn respond(head: &str, served: &Served) -> (&'static str, &'static str, String) {
    const PLAIN: &str = "text/plain";
    const METRICS: &str = "text/plain; version=0.0.4";
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    if !version.is_some_and(|version| version.starts_with("HTTP/1.")) || words.next().is_some() {
        return ("400 Bad Request", PLAIN, "this is no HTTP/1.1\n".to_owned());
    }
    if !matches!(method, Some("GET" | "HEAD")) {
        return ("405 Method Not Allowed", PLAIN, "only GET\n".to_owned());
    }
    let not_loaded = || {
        let text = "the model is being loaded\n".to_owned();
        ("503 Service Unavailable", PLAIN, text)
    };
    let path = path.unwrap_or_default();
    match (path.split('?').next().unwrap_or_default(), served.get()) {
        ("/livez", _) => ("200 OK", PLAIN, "ok\n".to_owned()),
        ("/readyz" | "/metrics" | "/status", None) => not_loaded(),
        ("/readyz", Some(host)) => match host.ready() {
            Ok(()) => ("200 OK", PLAIN, "ok\n".to_owned()),
            Err(why) => ("503 Service Unavailable", PLAIN, format!("{why}\n")),
        },
        ("/metrics", Some(host)) => ("200 OK", METRICS, host.metrics()),
        ("/status", Some(host)) => {
            let json = serde_json::to_string(&host.status()).expect("it has a JSON form");
            ("200 OK", "application/json", json + "\n")
        }
        _ => {
            let text = "there are /livez, /readyz, /metrics and /status\n".to_owned();
            ("404 Not Found", PLAIN, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silent_keep_nobody_waiting() {
        let address = start("127.0.0.1:0", false, &Served::default()).expect("a port");
        let idle: Vec<TcpStream> = (0..300)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        let probe = || {
            let begin = Instant::now();
            let mut probe = TcpStream::connect(address).expect("it listens");
            probe
                .write_all(b"GET /livez HTTP/1.1\r\n\r\n")
                .expect("it listens");
            let mut answer = String::new();
            probe.read_to_string(&mut answer).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"));
            begin.elapsed()
        };
        // The first stands behind the crowd in the system's queue, which is short and asks anew after a second.
        probe();
        let took = probe();
        assert!(took < Duration::from_secs(1), "{took:?}");
        drop(idle);
    }

    #[test]
    fn whoever_drips_is_cut() {
        let address = start("127.0.0.1:0", false, &Served::default()).expect("a port");
        let mut dripping = TcpStream::connect(address).expect("it listens");
        let begin = Instant::now();
        while dripping.write_all(b"x").is_ok() {
            assert!(begin.elapsed() < 5 * PATIENCE, "it is still listened to");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(begin.elapsed() > PATIENCE / 2, "it had no time to ask");
    }
}
