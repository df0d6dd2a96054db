//! `blindray ps`: what a running server does, as its status port tells it.

use std::io::{Error as IoError, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::args::PsArgs;
use crate::failure::{Failure, Outcome};
use crate::link::addresses;
use crate::plain;
use crate::text::{Side, Table, put};
use crate::ui::Ui;

/// The most that is read of an answer.
const MOST: u64 = 4 << 20;
/// How long all questions and answers together may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server, and shows what it says.
pub(crate) fn ps(args: &PsArgs, ui: Ui) -> Outcome<()> {
    let found = addresses(&args.status)?;
    if let Some(open) = found.iter().find(|address| !address.ip().is_loopback()) {
        return Err(Failure::input(format!(
            "{open} is not of this machine: a server tells its status on loopback addresses alone; ask there, or through `ssh -L`"
        )));
    }
    let asked = Asked {
        name: &args.status,
        addresses: &found,
        until: Instant::now() + PATIENCE,
    };
    let status = asked.status()?;
    if ui.is_json() {
        return ui.json_line(&status);
    }
    ui.text(&shown(&status))
}

/// Who is asked, and until when.
struct Asked<'a> {
    name: &'a str,
    addresses: &'a [SocketAddr],
    until: Instant,
}

impl Asked<'_> {
    /// What the server says of itself: its status, or where it has none, its metrics.
    fn status(&self) -> Outcome<Value> {
        let failed = |cause: String| {
            self.failed(&format!("{cause}; is it the --status of `blindray serve`?"))
        };
        let (code, body) = parse(&self.get("/status")?).map_err(failed)?;
        let said = match code {
            200 => serde_json::from_slice(&body).map_err(|e| format!("its answer is no JSON: {e}")),
            404 => parse(&self.get("/metrics")?).and_then(|(code, body)| match code {
                200 => metrics(&String::from_utf8_lossy(&body)),
                _ => Err(format!("it answers with the code {code}")),
            }),
            // A server of ours says in a line why it has none now.
            503 => {
                let why = String::from_utf8_lossy(&body);
                let why: String = why.trim().chars().take(200).collect();
                return Err(self.failed(&format!("it has no status now: {why}")));
            }
            _ => Err(format!("it answers with the code {code}")),
        };
        match said {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err(failed("its answer is no object".into())),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// An answer of the server, with its headers.
    fn get(&self, path: &str) -> Outcome<Vec<u8>> {
        let mut stream = self.reach()?;
        let io = |error: IoError| self.failed(&broken(&error));
        // Of this version an answer ends with its connection.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.name);
        stream.set_write_timeout(Some(self.left()?)).map_err(io)?;
        stream.write_all(request.as_bytes()).map_err(io)?;
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            // A read ends with what there is, so that the time is looked at again however the answer drips.
            stream.set_read_timeout(Some(self.left()?)).map_err(io)?;
            match stream.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io(error)),
            }
            if answer.len() as u64 > MOST {
                return Err(self.failed("the answer is too long"));
            }
        }
    }

    /// A connection to the first address that has one.
    fn reach(&self) -> Outcome<TcpStream> {
        let mut last = ErrorKind::NotFound.into();
        for address in self.addresses {
            match TcpStream::connect_timeout(address, self.left()?) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(self.failed(&format!(
            "no server tells its status there: {}; is `blindray serve --status {}` running?",
            broken(&last),
            self.name
        )))
    }

    fn failed(&self, cause: &str) -> Failure {
        Failure::run(format!("{}: {cause}", self.name))
    }

    /// The time that is left; some, or it is a failure.
    fn left(&self) -> Outcome<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(self.failed(&late())),
            false => Ok(left),
        }
    }
}

fn late() -> String {
    format!(
        "it gave no whole answer within {} s: it hangs, or is no `blindray serve --status`",
        PATIENCE.as_secs()
    )
}

/// What happened to a connection, without the system's numbers of errors.
fn broken(error: &IoError) -> String {
    match error.kind() {
        // Which of the two a system calls a time that is over differs.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => late(),
        ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "it cut the connection before its answer was whole".to_owned()
        }
        kind => kind.to_string(),
    }
}

/// The code and the body of an answer of HTTP.
fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let none = || "what answers there is no web server".to_owned();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.ok_or_else(none)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| none())?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let version = words
        .next()
        .filter(|version| version.starts_with("HTTP/1."));
    let code = words.next().and_then(|code| code.parse().ok());
    let (Some(_), Some(code)) = (version, code) else {
        return Err(none());
    };
    Ok((code, answer[end + 4..].to_vec()))
}

/// Samples in the text form of Prometheus, by name.
fn metrics(text: &str) -> Result<Value, String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter_map(|line| {
        let (name, value) = line.trim().rsplit_once(' ')?;
        let value: f64 = value.parse().ok()?;
        let name = name.strip_prefix("blindray_")?;
        // The parts of a distribution are for machines.
        let shown = !name.contains("_bucket{");
        shown.then(|| (name.to_owned(), value.into()))
    });
    let found: serde_json::Map<String, Value> = samples.collect();
    match found.is_empty() {
        true => Err("it has no metrics of this program".into()),
        false => Ok(Value::Object(found)),
    }
}

/// A value as text; a missing one is a dash.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        // Counters of metrics are whole.
        Value::Number(number) => number
            .as_f64()
            .map_or_else(|| number.to_string(), |n| n.to_string()),
        other => other.to_string(),
    }
}

/// Seconds as people say them.
fn lasted(value: &Value) -> String {
    let Some(seconds) = value.as_f64().filter(|s| s.is_finite() && *s >= 0.0) else {
        return word(value);
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is 0 or more, and stops at the largest integer"
    )]
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.0} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3600 % 24),
    }
}

/// The whole status: known fields in their order, and whatever else there is.
fn shown(status: &Value) -> String {
    let mut out = String::new();
    // Metrics name no model.
    if let Some(model) = status.get("model") {
        put(
            &mut out,
            format_args!(
                "{} up {}, digest {}",
                word(model),
                lasted(&status["uptime_s"]),
                word(&status["digest"])
            ),
        );
        let sessions = status["sessions"].as_array().map_or(&[][..], Vec::as_slice);
        put(
            &mut out,
            format_args!(
                "sessions: {}; waiting in line: {}",
                sessions.len(),
                word(&status["waiting"])
            ),
        );
        if !sessions.is_empty() {
            let mut table = Table::new([
                ("client", Side::Left),
                ("since", Side::Right),
                ("images", Side::Right),
            ]);
            for session in sessions {
                table.row([
                    word(&session["client"]),
                    lasted(&session["since_s"]),
                    word(&session["images"]),
                ]);
            }
            out += &table.to_string();
        }
    }
    for (key, value) in status.as_object().into_iter().flatten() {
        let said = ["model", "digest", "uptime_s", "sessions", "waiting"];
        if status.get("model").is_none() || !said.contains(&key.as_str()) {
            match (key.as_str(), &status["stock_fault"]) {
                ("stock_fault", _) => {}
                ("stock", Value::String(why)) => put(
                    &mut out,
                    format_args!("stock: unknown: {}", plain::for_people(why)),
                ),
                _ => put(&mut out, format_args!("{key}: {}", inner(value))),
            }
        }
    }
    out
}

/// A value of one line: `images 3, sessions 2`.
fn inner(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key} {}", inner(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => all.iter().map(inner).collect::<Vec<_>>().join("; "),
        other => word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_care() {
        let good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"model\":\"x\"}\n";
        assert_eq!(parse(good), Ok((200, b"{\"model\":\"x\"}\n".to_vec())));
        assert_eq!(
            parse(b"HTTP/1.0 404 Not Found\r\n\r\n"),
            Ok((404, Vec::new()))
        );
        for bad in [
            &b""[..],
            b"SSH-2.0-x\r\n\r\n",
            b"\xff\xfe\r\n\r\n{}",
            b"HTTP/1.0\r\n\r\n{}",
            b"HTTP/1.0 2000000\r\n\r\n{}",
            b"HTTP/1.0 200 OK\n\n{}",
        ] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn metrics_are_a_status_too() {
        let text = "# HELP blindray_sessions Sessions.\nblindray_sessions 3\nblindray_s_bucket{le=\"1\"} 2\nblindray_bytes{way=\"in\"} 1.5e3\ngo_info 1\n";
        let found = metrics(text).expect("metrics");
        assert_eq!(
            found,
            serde_json::json!({"sessions": 3.0, "bytes{way=\"in\"}": 1500.0})
        );
        assert_eq!(shown(&found), "bytes{way=\"in\"}: 1500\nsessions: 3\n");
        assert!(metrics("go_info 1\n").is_err());
    }

    #[test]
    fn a_status_is_shown_as_far_as_it_goes() {
        let all = serde_json::json!({
            "model": "chestnet", "digest": "0a0b", "uptime_s": 3725.0, "waiting": 2,
            "sessions": [{"client": "St. E\u{1b}[2J", "since_s": 75, "images": 3}],
            "totals": {"images": 12, "sessions": 4}, "stock": []
        });
        let text = shown(&all);
        for words in [
            "chestnet up 1 h 2 min, digest 0a0b",
            "waiting in line: 2",
            "1 min 15 s",
            "totals: images 12, sessions 4",
            "stock: none",
            r"\u001b",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains('\u{1b}'));
        let silent =
            serde_json::json!({"model": "x", "stock": null, "stock_fault": "the disk\nis full"});
        let text = shown(&silent);
        let why = "stock: unknown: the disk";
        assert!(
            text.contains(why) && text.matches("is full").count() == 1,
            "{text}"
        );
        let least = serde_json::json!({"model": "x"});
        assert!(shown(&least).contains("sessions: 0; waiting in line: –"));
    }
}
