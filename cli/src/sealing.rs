//! Keys that seal models: where they come from.

use std::io::{Error as IoError, Read as _, Result as IoResult};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use sealed::{Error, Key};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};
use crate::identity::quoted;

/// No key is longer, with whatever stands around it.
const MAX_TEXT: usize = 4096;
/// How long a command may take to give a key: the services that have them are asked over networks, and by nobody who sits there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the key of a sealed model comes from. One of the three, or none for models that are not sealed.
#[derive(Clone, Debug, Args)]
pub(crate) struct SealArgs {
    /// The key of a sealed model: a file that you alone can read, with 32 bytes in base64, as `seal key` makes it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_env", "key_command"])]
    pub(crate) key_file: Option<PathBuf>,
    /// The same from this variable of the environment.
    #[arg(long, value_name = "NAME", conflicts_with = "key_command")]
    pub(crate) key_env: Option<String>,
    /// The same from what this command prints, the client of a key management service for example. It is run without a shell: words are
    /// split at blanks, and quotes hold them together. It has to end within a minute.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) key_command: Option<String>,
}

impl SealArgs {
    /// Whether one was named.
    pub(crate) const fn is_given(&self) -> bool {
        self.key_file.is_some() || self.key_env.is_some() || self.key_command.is_some()
    }

    /// The same on the command line of another command, after a blank.
    pub(crate) fn words(&self) -> String {
        let file = self.key_file.as_ref().map(|file| file.to_string_lossy());
        let all = [
            ("--key-file", file.as_deref()),
            ("--key-env", self.key_env.as_deref()),
            ("--key-command", self.key_command.as_deref()),
        ];
        let given = all
            .into_iter()
            .filter_map(|(option, value)| Some(format!(" {option} {}", quoted(value?))));
        given.collect()
    }

    /// The key, if one was named.
    pub(crate) fn key(&self) -> Outcome<Option<Key>> {
        if let Some(path) = &self.key_file {
            return from_file(path).map(Some);
        }
        if let Some(name) = &self.key_env {
            return from_environment(name).map(Some);
        }
        let command = self.key_command.as_deref();
        command.map(|line| from_command(line, PATIENCE)).transpose()
    }

    /// The same where there must be one.
    pub(crate) fn needed(&self) -> Outcome<Key> {
        let none =
            || Failure::input("say where the key is: --key-file, --key-env or --key-command");
        self.key()?.ok_or_else(none)
    }
}

/// The key in a file.
pub(crate) fn from_file(path: &Path) -> Outcome<Key> {
    identity::read_private(path, |text| {
        Key::from_text(text.as_bytes()).map_err(|error| no_key(&path.display().to_string(), error))
    })
}

fn from_environment(name: &str) -> Outcome<Key> {
    let text = std::env::var(name)
        .map_err(|cause| Failure::input(format!("--key-env {name}: {cause}")))?;
    Key::from_text(Zeroizing::new(text).as_bytes())
        .map_err(|error| no_key(&format!("--key-env {name}"), error))
}

/// What a command prints. Its errors go where ours do. One that takes longer than `patience` is ended.
fn from_command(line: &str, patience: Duration) -> Outcome<Key> {
    let failed = |what: String| Failure::input(format!("--key-command: {what}"));
    let words = shlex::split(line).ok_or_else(|| failed("a quote has no end".into()))?;
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| failed("it is empty".into()))?;
    let broken = |cause: IoError| failed(format!("{program}: {cause}"));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let until = Instant::now() + patience;
    let mut child = command.spawn().map_err(broken)?;
    let out = child.stdout.take().expect("it is piped");
    let (said, hears) = channel();
    // Apart, since nobody knows whether it ever prints or closes anything. The pipe closes behind the longest text that could be a key, so that one
    // that prints without end comes to it.
    thread::spawn(move || {
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT + 1));
        let read = out.take(MAX_TEXT as u64 + 1).read_to_end(&mut text);
        // Where nobody hears it, it was too late.
        let _ = said.send(read.map(|_| text));
    });
    let heard = hears.recv_timeout(patience).ok();
    let ended = heard.as_ref().and_then(|_| end_of(&mut child, until));
    let (Some(text), Some(status)) = (heard, ended) else {
        // It may have ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!(
            "{program} gave no key within {} s, and was ended: run it by itself, and see what it waits for",
            patience.as_secs()
        )));
    };
    let (text, status) = (text.map_err(broken)?, status.map_err(broken)?);
    if text.len() > MAX_TEXT {
        return Err(failed(format!("{program} printed more than a key")));
    }
    if !status.success() {
        return Err(failed(format!("{program} failed: {status}")));
    }
    Key::from_text(&text).map_err(|error| no_key(&format!("--key-command {program}"), error))
}

/// How a process ends, if it does so in time.
fn end_of(child: &mut Child, until: Instant) -> Option<IoResult<ExitStatus>> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Ok(status)),
            Err(cause) => return Some(Err(cause)),
            Ok(None) if Instant::now() >= until => return None,
            Ok(None) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn no_key(name: &str, error: Error) -> Failure {
    Failure::input(format!("{name}: {error}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let patience = Duration::from_secs(1);
        for command in [
            "sleep 60",
            // It has closed what it prints to, and does not end.
            "sh -c 'exec >&-; sleep 60'",
            // Another process has the pipe.
            "sh -c 'sleep 60 & echo AAAA'",
        ] {
            let begin = Instant::now();
            let failure = from_command(command, patience).expect_err(command);
            let said = failure.to_string();
            assert!(said.contains("gave no key within 1 s"), "{said}");
            assert!(begin.elapsed() < Duration::from_secs(20), "{command}");
        }
        // What comes in time is read, and what is no key is said.
        let failure = from_command("echo AAAA", Duration::from_secs(60));
        let said = failure.expect_err("no key").to_string();
        assert!(said.contains("32 bytes in base64"), "{said}");
    }
}
