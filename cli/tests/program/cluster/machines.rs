//! Two servers behind HAProxy, with PostgreSQL, and their clients.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::Database;

use crate::support::{blindray, json, raw, run, text};

/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is ended with this value.
pub(super) struct Process(pub(super) Child);

impl Process {
    pub(super) fn start(command: &mut Command, errors: &Path) -> Self {
        let errors = File::options().append(true).create(true).open(errors);
        let child = command
            .stdout(Stdio::piped())
            .stderr(errors.expect("a file"))
            .spawn();
        Self(child.expect("it starts"))
    }

    pub(super) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One of the servers.
pub(super) struct Node {
    pub(super) process: Process,
    listening: SocketAddr,
    status: SocketAddr,
}

/// Who asks: a folder with its key, and its log.
pub(super) struct Asker {
    folder: PathBuf,
}

impl Asker {
    pub(super) fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).expect("a folder");
        let asker = Self { folder };
        assert!(
            asker
                .command()
                .args(["identity", "new"])
                .status()
                .expect("it runs")
                .success()
        );
        asker
    }

    pub(super) fn command(&self) -> Command {
        let mut command = blindray();
        command
            .env("XDG_CONFIG_HOME", &self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub(super) fn key(&self) -> String {
        let mut command = self.command();
        let shown = command
            .args(["identity", "show", "--json"])
            .stdout(Stdio::piped())
            .output();
        let shown: Value = serde_json::from_slice(&shown.expect("it runs").stdout).expect("JSON");
        shown["fingerprint"].as_str().expect("text").to_owned()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    fn run(&self, cluster: &Cluster, command: &str, more: &[&str]) -> Output {
        let (balancer, log) = (cluster.balancer.to_string(), self.log());
        let mut run = self.command();
        run.args([command, "--json", "--quiet", "--connect", &balancer])
            .args(["--trust", &cluster.key, "--audit", text(&log)])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run.output().expect("it runs")
    }

    /// Asks about an image, from a preparation where there is one.
    pub(super) fn ask(&self, cluster: &Cluster, image: &Path) -> Output {
        self.run(cluster, "infer", &["--input", text(image)])
    }

    /// The same, not without a preparation.
    pub(super) fn ask_prepared(&self, cluster: &Cluster, image: &Path) -> Output {
        let args = ["--prepared", "only", "--input", text(image)];
        self.run(cluster, "infer", &args)
    }

    pub(super) fn prepare(&self, cluster: &Cluster, images: usize) {
        let made = self.run(cluster, "prepare", &["--images", &images.to_string()]);
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
    }

    /// Its preparations: files by their tokens.
    pub(super) fn shelf(&self) -> BTreeMap<String, PathBuf> {
        let folder = self.folder.join("state/blindray/preparations/client");
        let files = fs::read_dir(folder).into_iter().flatten();
        let files = files.map(|file| file.expect("a file").path());
        let token = |path: &PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy();
            name.split('-').next().unwrap_or_default().to_owned()
        };
        files.map(|path| (token(&path), path)).collect()
    }
}

/// Two servers, a balancer and a database.
pub(super) struct Cluster {
    folder: TempDir,
    pub(super) database: Database,
    pub(super) nodes: Vec<Node>,
    balancer: SocketAddr,
    _haproxy: Process,
    /// The servers' fingerprint.
    key: String,
}

/// The images that are asked about, with what a clear run finds.
pub(super) type Findings = Vec<(PathBuf, Vec<i64>)>;

pub(super) fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn free_port() -> SocketAddr {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    port.expect("a port")
}

fn haproxy() -> Option<PathBuf> {
    let places = [
        "/usr/sbin/haproxy",
        "/usr/local/sbin/haproxy",
        "/usr/bin/haproxy",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: needs HAProxy (the package haproxy of the distribution)");
    }
    found
}

/// The body of an answer over HTTP, if it is one of success.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

pub(super) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Cluster {
    /// `clients` are the lines of the list. `None` where the programs are missing.
    pub(super) fn start(clients: &str) -> Option<Self> {
        let haproxy = haproxy()?;
        let database = Database::start()?;
        let folder = TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("clients"), clients).expect("written");
        assert!(
            run(&["identity", "new", "--out", text(&path("server.pem"))])
                .status
                .success()
        );
        let key_file = path("preparations.key");
        let made = run(&["seal", "key", "--out", text(&key_file)]);
        assert!(made.status.success());
        let shown = json(&["identity", "show", "--json", text(&path("server.pem"))]);
        let key = shown[0]["fingerprint"].as_str().expect("text").to_owned();
        let made = run(&[
            "import",
            "--quiet",
            "--onnx",
            text(&cases().join("good16.onnx")),
            "--mean",
            "0.5",
            "--std",
            "0.5",
            "--calibrate",
            text(&cases().join("cal16")),
            "--out",
            text(&path("net.bray")),
        ]);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let nodes = [0, 1].map(|node| serve(folder.path(), node, &database.url(), any, any));
        let balancer = free_port();
        let config = configuration(balancer, &nodes);
        fs::write(path("haproxy.cfg"), config).expect("written");
        let mut command = Command::new(haproxy);
        command
            .arg("-f")
            .arg(path("haproxy.cfg"))
            .arg("-db")
            .stdin(Stdio::null());
        let process = Process::start(&mut command, &path("haproxy.log"));
        wait_until("HAProxy starts", || TcpStream::connect(balancer).is_ok());
        Some(Self {
            database,
            nodes: nodes.into(),
            balancer,
            _haproxy: process,
            key,
            folder,
        })
    }

    pub(super) fn log(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("server-{node}.jsonl"))
    }

    /// Starts a server again that was killed, at its addresses and with its log.
    pub(super) fn revive(&mut self, node: usize) {
        let Node {
            listening, status, ..
        } = self.nodes[node];
        self.nodes[node] = serve(
            self.folder.path(),
            node,
            &self.database.url(),
            listening,
            status,
        );
    }

    /// Images and what a clear run finds in them.
    pub(super) fn findings(&self) -> Findings {
        let model = self.folder.path().join("net.bray");
        let images = (0..4).map(|i| cases().join(format!("cal16/{i:03}.png")));
        let clear = |image: PathBuf| {
            let found = json(&[
                "clear",
                "--json",
                "--model",
                text(&model),
                "--input",
                text(&image),
            ]);
            (image, raw(&found[0]))
        };
        images.map(clear).collect()
    }
}

fn serve(folder: &Path, node: usize, store: &str, listen: SocketAddr, status: SocketAddr) -> Node {
    let path = |name: &str| folder.join(name);
    let log = path(&format!("server-{node}.jsonl"));
    let mut command = blindray();
    command
        .env("BLINDRAY_STORE", store)
        // Another machine has other settings.
        .env("XDG_CONFIG_HOME", path(&format!("settings-{node}")))
        .args([
            "serve",
            "--json",
            "--model",
            text(&path("net.bray")),
            "--identity",
            text(&path("server.pem")),
        ])
        .args([
            "--clients",
            text(&path("clients")),
            "--audit",
            text(&log),
            "--extension",
            "softspoken",
            "--max-prepared",
            "100",
            "--preparations-key",
            text(&path("preparations.key")),
        ])
        .args([
            "--listen",
            &listen.to_string(),
            "--status",
            &status.to_string(),
        ]);
    let mut process = Process::start(&mut command, &path(&format!("server-{node}.log")));
    let mut line = String::new();
    let out = process.0.stdout.take().expect("piped");
    BufReader::new(out)
        .read_line(&mut line)
        .expect("its first line");
    let hello: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
        panic!(
            "{}",
            fs::read_to_string(path(&format!("server-{node}.log"))).unwrap_or_default()
        )
    });
    let address = |key: &str| {
        hello[key]
            .as_str()
            .expect("text")
            .parse()
            .expect("an address")
    };
    let node = Node {
        process,
        listening: address("listening"),
        status: address("status"),
    };
    wait_until("a server is ready", || {
        get(node.status, "/readyz").is_some()
    });
    node
}

/// As `deploy/compose/haproxy.cfg`, with shorter times.
fn configuration(balancer: SocketAddr, nodes: &[Node]) -> String {
    let mut text = format!(
        "global\n    maxconn 256\ndefaults\n    mode tcp\n    retries 2\n    option redispatch\n    timeout connect 3s\n    \
         timeout client 15m\n    timeout server 15m\n    timeout check 1s\nfrontend blindray\n    bind {balancer}\n    default_backend servers\n\
         backend servers\n    balance leastconn\n    option httpchk GET /readyz\n    http-check expect status 200\n    \
         default-server check inter 200ms fall 2 rise 1\n"
    );
    for (number, node) in nodes.iter().enumerate() {
        text += &format!(
            "    server node{number} {} port {}\n",
            node.listening,
            node.status.port()
        );
    }
    text
}
