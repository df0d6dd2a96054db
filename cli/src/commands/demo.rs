//! `blindray demo`: the main job in one command.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use channel::Config;
use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use identity::{Fingerprint, Identity, ServerTrust, Tls};
use images::Image;
use serde::Deserialize;
use service::Request;

use crate::args::{Arithmetic, DemoArgs};
use crate::commands::clear;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Scrap;
use crate::model::{self, EMBEDDED, XRAYS};
use crate::page;
use crate::report::Report;
use crate::text::hex;
use crate::ui::Ui;
use crate::{client, entropy};

/// Seconds either party waits for the other.
const TIMEOUT: u64 = 60;

/// Starts the server as a process of its own, reads an X-ray with it, and compares with the clear run.
pub(crate) fn demo(args: &DemoArgs, ui: Ui) -> Outcome<()> {
    let (name, bytes) = XRAYS.get(args.xray).ok_or_else(|| {
        Failure::input(format!("there are {} X-rays, numbered from 0", XRAYS.len()))
    })?;
    let page = page::Place::find(args.report.as_deref(), &[])?;
    let picture = Image::decode(*name, bytes)?;
    let own = Identity::generate("the demo's client")?;
    let mut server = ServerProcess::start(args, own.fingerprint())?;
    ui.note(&format!(
        "server: process {} on {}, network {EMBEDDED}; client: process {}, X-ray {name}",
        server.process.id(),
        server.address,
        std::process::id()
    ));
    let request = Request {
        mode: args.mode.into(),
        extensions: args.extension.accepted(),
        background: args.threads.background,
        ahead: args.ahead,
        ..Request::default()
    };
    let trust = ServerTrust::Pinned(server.key);
    let config = Config {
        timeout: Duration::from_secs(TIMEOUT),
        guard: Some(Arc::new(Tls::client(&own, &trust)?)),
        ..Config::default()
    };
    let address = server.address;
    let mut session = client::dial(
        &address.to_string(),
        &[address],
        &request,
        &config,
        None,
        ui,
    )?;
    client::run_ahead(&mut session, ui)?;
    let mut report = client::infer(&mut session, &picture, ui)?;
    drop(session);
    server.finish()?;

    let model = model::embedded()?;
    let fixed = clear::run(&model, &picture, Arithmetic::Fixed)?;
    let float = clear::run(&model, &picture, Arithmetic::Float)?;
    compare(&mut report, &fixed, &float);
    ui.result(&report)?;
    ui.text(&format!("\n{}", report.kinds()))?;
    if let Some(page) = page {
        page.write(
            &page::of_reports(std::slice::from_ref(&report), None, None),
            ui,
        )?;
    }
    if args.mode == crate::args::Mode::Faithful && report.exact != Some(true) {
        return Err(Failure::run(
            "the secure output differs from the integer reference",
        ));
    }
    Ok(())
}

fn compare(report: &mut Report, fixed: &Report, float: &Report) {
    let raw = |r: &Report| r.outputs.iter().map(|f| f.raw).collect::<Vec<_>>();
    report.exact = Some(raw(report) == raw(fixed));
    let distances = report
        .outputs
        .iter()
        .zip(&float.outputs)
        .filter_map(|(a, b)| Some((a.probability? - b.probability?).abs()));
    report.deviation = Some(distances.fold(0.0, f64::max));
}

/// The server's process; ended with this value, and with this process however it ends.
struct ServerProcess {
    process: Child,
    /// Its standard input: it ends when this is closed.
    _lifeline: Option<ChildStdin>,
    address: SocketAddr,
    key: Fingerprint,
}

#[derive(Deserialize)]
struct Listening {
    listening: SocketAddr,
}

/// What the server reads at its start: its key, made for this run, and the client that it serves. Gone with this value.
struct Files {
    folder: PathBuf,
    _scrap: Scrap,
}

impl Files {
    fn new(server: &Identity, client: Fingerprint) -> Outcome<Self> {
        let name = format!("blindray-demo-{}", hex(&entropy::bytes::<16>()?));
        let folder = std::env::temp_dir().join(name);
        let files = Self {
            _scrap: Scrap::new(&folder),
            folder,
        };
        server.save(&files.identity())?;
        let list = format!("{client} the demo's client\n");
        std::fs::write(files.clients(), list).map_err(Failure::run)?;
        Ok(files)
    }

    fn identity(&self) -> PathBuf {
        self.folder.join("identity.pem")
    }

    fn clients(&self) -> PathBuf {
        self.folder.join("clients")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl ServerProcess {
    fn start(args: &DemoArgs, client: Fingerprint) -> Outcome<Self> {
        let own = Identity::generate("the demo's server")?;
        let files = Files::new(&own, client)?;
        let failed = |cause: String| Failure::run(format!("cannot start the server: {cause}"));
        let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let timeout = TIMEOUT.to_string();
        let extension = args.extension.to_possible_value();
        let extension = extension.as_ref().map_or("auto", PossibleValue::get_name);
        let preset = args.preset.to_possible_value();
        let preset = preset.as_ref().map_or("auto", PossibleValue::get_name);
        let mut process = Command::new(program)
            .args(["serve", "--model", EMBEDDED, "--listen", "127.0.0.1:0"])
            .arg("--identity")
            .arg(files.identity())
            .arg("--clients")
            .arg(files.clients())
            // It keeps nothing, and so needs no folder of the user's.
            .args(["--sessions", "1", "--max-prepared", "0"])
            .args(["--timeout", &timeout])
            .args(["--extension", extension])
            .args(["--preset", preset])
            .args(args.threads.background.then_some("--background"))
            .args(["--end-with-stdin", "--json", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let mut line = String::new();
        let read = process
            .stdout
            .take()
            .map(|out| BufReader::new(out).read_line(&mut line));
        let address = match read {
            Some(Ok(_)) => serde_json::from_str::<Listening>(&line)
                .map(|l| l.listening)
                .ok(),
            _ => None,
        };
        let Some(address) = address else {
            // Already gone, or about to be.
            let _ = process.kill();
            let _ = process.wait();
            return Err(failed("it did not say where it listens".into()));
        };
        Ok(Self {
            // Waiting for a process would close it.
            _lifeline: process.stdin.take(),
            process,
            address,
            key: own.fingerprint(),
        })
    }

    /// Waits for the server to end by itself.
    fn finish(&mut self) -> Outcome<()> {
        let status = self.process.wait().map_err(Failure::run)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::run(format!("the server failed: {status}")))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // No effect on a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
