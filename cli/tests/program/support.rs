//! Running the program from tests.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use channel::Config;
use identity::{ClientTrust, Identity, ServerTrust, Tls};
use serde_json::Value;

/// An embedded X-ray as a file.
pub(crate) fn xray() -> PathBuf {
    assets().join("xrays/person142_bacteria_684.jpeg")
}

pub(crate) fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The folder of trained networks beside the checkout; prints a note when it is not there.
pub(crate) fn models() -> Option<PathBuf> {
    let path = std::env::var_os("BLINDRAY_MODELS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models"),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: needs the model folder at {} (or $BLINDRAY_MODELS)",
        path.display()
    );
    None
}

/// The settings of all programs that tests run, with one key for all of them: each serves and trusts the others.
pub(crate) fn settings() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("settings")
}

pub(crate) fn blindray() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindray"));
    command
        .env("XDG_CONFIG_HOME", settings())
        .env("XDG_STATE_HOME", settings().join("state"))
        .stdin(Stdio::null());
    command
}

/// That key, for the party of a test in its own process.
fn own() -> Identity {
    let file = settings().join("blindray/identity.pem");
    if !file.exists() {
        // Another test may be faster.
        drop(run(&["identity", "new"]));
    }
    Identity::open(&file).expect("an identity")
}

/// A client of the program, in the process of a test.
pub(crate) fn as_client() -> Config {
    let guard = Tls::client(&own(), &ServerTrust::Unknown).expect("a client");
    guarded(guard)
}

/// A server to the program, in the process of a test.
pub(crate) fn as_server() -> Config {
    guarded(Tls::server(&own(), &ClientTrust::Own).expect("a server"))
}

fn guarded(guard: Tls) -> Config {
    Config {
        guard: Some(Arc::new(guard)),
        ..Config::default()
    }
}

/// Runs to the end.
pub(crate) fn run(args: &[&str]) -> Output {
    blindray().args(args).output().expect("the program starts")
}

/// Runs, expects success, and reads one JSON object per line.
pub(crate) fn json(args: &[&str]) -> Vec<Value> {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object per line"))
        .collect()
}

/// The same of `infer` for several images, without the last line, which sums them up.
pub(crate) fn images(args: &[&str]) -> Vec<Value> {
    let mut reports = json(args);
    let summary = reports.pop().expect("a line");
    assert_eq!(summary["summary"]["images"], reports.len(), "{summary}");
    reports
}

/// Expects a failure as a user must see it: the exit code, one sentence with `cause`, no result, no panic.
pub(crate) fn fails(output: &Output, code: i32, cause: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = errors
        .lines()
        .rfind(|line| line.starts_with("blindray: "))
        .unwrap_or_default();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(said.contains(cause), "expected `{cause}` in: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The raw integers of a report.
pub(crate) fn raw(report: &Value) -> Vec<i64> {
    let outputs = report["outputs"].as_array().expect("outputs");
    outputs
        .iter()
        .map(|o| o["raw"].as_i64().expect("raw"))
        .collect()
}

/// The number of the most probable output.
pub(crate) fn top(report: &Value) -> usize {
    let outputs = report["outputs"].as_array().expect("outputs");
    let logits: Vec<f64> = outputs
        .iter()
        .map(|o| o["logit"].as_f64().expect("logit"))
        .collect();
    (0..logits.len())
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .expect("outputs")
}

/// A server process; ended with this value.
pub(crate) struct Server {
    process: Child,
    errors: BufReader<ChildStderr>,
    /// What came of its standard error so far.
    said: String,
    pub(crate) address: SocketAddr,
    pub(crate) digest: String,
    /// Where it says how it is, if it does.
    pub(crate) status: Option<SocketAddr>,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = blindray();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args);
        Self::spawn(command)
    }

    /// A server by its command, to which `--json` is added.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut process = command
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("its first line");
        let hello: Value = serde_json::from_str(&line).expect("JSON");
        let word = |key: &str| hello[key].as_str().expect("text");
        Self {
            errors: BufReader::new(process.stderr.take().expect("piped")),
            said: String::new(),
            process,
            address: word("listening").parse().expect("address"),
            digest: word("digest").to_owned(),
            status: hello["status"]
                .as_str()
                .map(|address| address.parse().expect("address")),
        }
    }

    pub(crate) const fn process(&mut self) -> &mut Child {
        &mut self.process
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says something.
    pub(crate) fn says(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.errors.read_line(&mut line).expect("UTF-8");
            self.said += &line;
            assert!(read > 0, "it never says `{words}`: {}", self.said);
        }
    }

    pub(crate) fn connect(&self) -> String {
        self.address.to_string()
    }

    /// Peak resident memory so far, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        peak(self.process.id())
    }

    /// Asks it to stop, and gives its exit code and what it said.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        signal("-TERM", self.pid());
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        self.errors.read_to_string(&mut self.said).expect("UTF-8");
        let code = self.process.wait().expect("it ends").code();
        (code, std::mem::take(&mut self.said))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal, `-INT` for example.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Peak resident memory of a running process in bytes; 0 when it is gone.
pub(crate) fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Runs to the end, watching the peak memory.
pub(crate) fn run_watched(args: &[&str]) -> (Output, u64) {
    let child = blindray()
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        loop {
            let now = peak(pid);
            if now == 0 {
                return most;
            }
            most = most.max(now);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let output = child.wait_with_output().expect("it ends");
    (output, watch.join().expect("the watcher ends"))
}
