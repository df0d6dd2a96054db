//! Keys that seal models: where they come from.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use sealed::{Error, Key};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// No key is longer, with whatever stands around it.
const MAX_TEXT: usize = 4096;

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
    /// split at blanks, and quotes hold them together.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) key_command: Option<String>,
}

impl SealArgs {
    /// Whether one was named.
    pub(crate) const fn is_given(&self) -> bool {
        self.key_file.is_some() || self.key_env.is_some() || self.key_command.is_some()
    }

    /// The key, if one was named.
    pub(crate) fn key(&self) -> Outcome<Option<Key>> {
        if let Some(path) = &self.key_file {
            return from_file(path).map(Some);
        }
        if let Some(name) = &self.key_env {
            return from_environment(name).map(Some);
        }
        self.key_command.as_deref().map(from_command).transpose()
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

/// What a command prints. Its errors go where ours do.
fn from_command(line: &str) -> Outcome<Key> {
    let failed = |what: String| Failure::input(format!("--key-command: {what}"));
    let words = shlex::split(line).ok_or_else(|| failed("a quote has no end".into()))?;
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| failed("it is empty".into()))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|cause| failed(format!("{program}: {cause}")))?;
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT + 1));
    if let Some(out) = child.stdout.take() {
        let read = out.take(MAX_TEXT as u64 + 1).read_to_end(&mut text);
        read.map_err(|cause| failed(format!("{program}: {cause}")))?;
    }
    // Its end of the pipe is closed: one that prints without end comes to it.
    let status = child
        .wait()
        .map_err(|cause| failed(format!("{program}: {cause}")))?;
    if text.len() > MAX_TEXT {
        return Err(failed(format!("{program} printed more than a key")));
    }
    if !status.success() {
        return Err(failed(format!("{program} failed: {status}")));
    }
    Key::from_text(&text).map_err(|error| no_key(&format!("--key-command {program}"), error))
}

fn no_key(name: &str, error: Error) -> Failure {
    Failure::input(format!("{name}: {error}"))
}
