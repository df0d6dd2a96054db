//! `blindray ps`: what a running server does, as its status port tells it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::args::PsArgs;
use crate::failure::{Failure, Outcome};
use crate::link::addresses;
use crate::text::{Side, Table, put};
use crate::ui::Ui;

/// The most that is read of an answer.
const MOST: u64 = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server, and shows what it says.
pub(crate) fn ps(args: &PsArgs, ui: Ui) -> Outcome<()> {
    let found = addresses(&args.status)?;
    if let Some(open) = found.iter().find(|address| !address.ip().is_loopback()) {
        return Err(Failure::input(format!(
            "{open} is not of this machine: a server tells its status on loopback addresses alone; ask there, or through `ssh -L`"
        )));
    }
    let status = ask(&args.status, &found)?;
    if ui.is_json() {
        return ui.json_line(&status);
    }
    ui.text(&shown(&status))
}

/// The answer to `GET /status`.
fn ask(name: &str, found: &[SocketAddr]) -> Outcome<Value> {
    let failed = |cause: String| Failure::run(format!("{name}: {cause}"));
    let connect = |address| TcpStream::connect_timeout(address, PATIENCE);
    let mut last = Err(ErrorKind::NotFound.into());
    for address in found {
        last = connect(address);
        if last.is_ok() {
            break;
        }
    }
    let mut stream = last.map_err(|error| {
        failed(format!("no server tells its status there: {error}; is `blindray serve --status {name}` running?"))
    })?;
    let io = |error: std::io::Error| failed(error.to_string());
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
    // Of this version an answer ends with its connection.
    let request =
        format!("GET /status HTTP/1.0\r\nHost: {name}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(io)?;
    let mut answer = Vec::new();
    stream.take(MOST + 1).read_to_end(&mut answer).map_err(io)?;
    if answer.len() as u64 > MOST {
        return Err(failed("the answer is too long".into()));
    }
    parse(&answer)
        .map_err(|cause| failed(format!("{cause}; is it the --status of `blindray serve`?")))
}

/// The JSON in an answer of HTTP.
fn parse(answer: &[u8]) -> Result<Value, String> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.ok_or("what answers there is no web server")?;
    let head =
        std::str::from_utf8(&answer[..end]).map_err(|_| "what answers there is no web server")?;
    let first = head.lines().next().unwrap_or_default();
    let mut words = first.split(' ');
    match (words.next(), words.next()) {
        (Some(version), Some("200")) if version.starts_with("HTTP/") => {}
        (Some(version), Some(code)) if version.starts_with("HTTP/") => {
            return Err(format!("it answers with the code {code}"));
        }
        _ => return Err("what answers there is no web server".into()),
    }
    let value: Value = serde_json::from_slice(&answer[end + 4..])
        .map_err(|e| format!("its answer is no JSON: {e}"))?;
    match value.is_object() {
        true => Ok(value),
        false => Err("its answer is no object".into()),
    }
}

/// A value as text; a missing one is a dash.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
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
    let model = &status["model"];
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
    for (key, value) in status.as_object().into_iter().flatten() {
        if !["model", "digest", "uptime_s", "sessions", "waiting"].contains(&key.as_str()) {
            put(&mut out, format_args!("{key}: {}", inner(value)));
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
        assert_eq!(parse(good).expect("an object")["model"], "x");
        for (bad, cause) in [
            (&b""[..], "no web server"),
            (b"SSH-2.0-x\r\n\r\n", "no web server"),
            (b"\xff\xfe\r\n\r\n{}", "no web server"),
            (b"HTTP/1.0 404 Not Found\r\n\r\n{}", "code 404"),
            (b"HTTP/1.0 200 OK\r\n\r\n<html>", "no JSON"),
            (b"HTTP/1.0 200 OK\r\n\r\n[1]", "no object"),
        ] {
            let error = parse(bad).expect_err(cause);
            assert!(error.contains(cause), "{error}");
        }
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
        assert!(shown(&serde_json::json!({})).contains("sessions: 0"));
    }
}
