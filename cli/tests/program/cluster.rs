//! Several servers behind a balancer, with one database: HAProxy and PostgreSQL as distributions have them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::Database;

use crate::support::{blindray, fails, json, raw, run, signal, text};

/// Sessions of all clients together.
const SESSIONS: usize = 200;
/// Clients, each with a key of its own.
const CLIENTS: usize = 4;
/// How many sessions have ended when a server is killed.
const KILL_AFTER: usize = 80;
/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is ended with this value.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, errors: &Path) -> Self {
        let errors = File::options().append(true).create(true).open(errors);
        let child = command.stdout(Stdio::piped()).stderr(errors.expect("a file")).spawn();
        Self(child.expect("it starts"))
    }

    fn kill(&mut self) {
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
struct Node {
    process: Process,
    listening: SocketAddr,
    status: SocketAddr,
}

/// Who asks: a folder with its key, and its log.
struct Asker {
    folder: PathBuf,
}

impl Asker {
    fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).expect("a folder");
        let asker = Self { folder };
        assert!(asker.command().args(["identity", "new"]).status().expect("it runs").success());
        asker
    }

    fn command(&self) -> Command {
        let mut command = blindray();
        command.env("XDG_CONFIG_HOME", &self.folder).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn key(&self) -> String {
        let mut command = self.command();
        let shown = command.args(["identity", "show", "--json"]).stdout(Stdio::piped()).output();
        let shown: Value = serde_json::from_slice(&shown.expect("it runs").stdout).expect("JSON");
        shown["fingerprint"].as_str().expect("text").to_owned()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    fn ask(&self, cluster: &Cluster, image: &Path) -> Output {
        let mut command = self.command();
        command
            .args(["infer", "--json", "--quiet", "--connect", &cluster.balancer.to_string()])
            .args(["--trust", &cluster.key, "--audit", text(&self.log()), "--input", text(image)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.output().expect("it runs")
    }
}

/// Two servers, a balancer and a database.
struct Cluster {
    folder: TempDir,
    database: Database,
    nodes: Vec<Node>,
    balancer: SocketAddr,
    _haproxy: Process,
    /// The servers' fingerprint.
    key: String,
}

/// The images that are asked about, with what a clear run finds.
type Findings = Vec<(PathBuf, Vec<i64>)>;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn free_port() -> SocketAddr {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    port.expect("a port")
}

fn haproxy() -> Option<PathBuf> {
    let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: needs HAProxy (the package haproxy of the distribution)");
    }
    found
}

/// The body of an answer over HTTP, if it is one of success.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Cluster {
    /// `clients` are the lines of the list. `None` where the programs are missing.
    fn start(clients: &str) -> Option<Self> {
        let haproxy = haproxy()?;
        let database = Database::start()?;
        let folder = TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("clients"), clients).expect("written");
        assert!(run(&["identity", "new", "--out", text(&path("server.pem"))]).status.success());
        let shown = json(&["identity", "show", "--json", text(&path("server.pem"))]);
        let key = shown[0]["fingerprint"].as_str().expect("text").to_owned();
        let made = run(&[
            "import", "--quiet", "--onnx", text(&cases().join("good16.onnx")), "--mean", "0.5", "--std", "0.5", "--calibrate",
            text(&cases().join("cal16")), "--out", text(&path("net.bray")),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let nodes = [0, 1].map(|node| serve(folder.path(), node, &database.url(), any, any));
        let balancer = free_port();
        let config = configuration(balancer, &nodes);
        fs::write(path("haproxy.cfg"), config).expect("written");
        let mut command = Command::new(haproxy);
        command.arg("-f").arg(path("haproxy.cfg")).arg("-db").stdin(Stdio::null());
        let process = Process::start(&mut command, &path("haproxy.log"));
        wait_until("HAProxy starts", || TcpStream::connect(balancer).is_ok());
        Some(Self { database, nodes: nodes.into(), balancer, _haproxy: process, key, folder })
    }

    fn log(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("server-{node}.jsonl"))
    }

    /// Starts a server again that was killed, at its addresses and with its log.
    fn revive(&mut self, node: usize) {
        let Node { listening, status, .. } = self.nodes[node];
        self.nodes[node] = serve(self.folder.path(), node, &self.database.url(), listening, status);
    }

    /// Images and what a clear run finds in them.
    fn findings(&self) -> Findings {
        let model = self.folder.path().join("net.bray");
        let images = (0..4).map(|i| cases().join(format!("cal16/{i:03}.png")));
        let clear = |image: PathBuf| {
            let found = json(&["clear", "--json", "--model", text(&model), "--input", text(&image)]);
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
        .args(["serve", "--json", "--model", text(&path("net.bray")), "--identity", text(&path("server.pem"))])
        .args(["--clients", text(&path("clients")), "--audit", text(&log), "--extension", "softspoken"])
        .args(["--listen", &listen.to_string(), "--status", &status.to_string()]);
    let mut process = Process::start(&mut command, &path(&format!("server-{node}.log")));
    let mut line = String::new();
    let out = process.0.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("its first line");
    let hello: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
        panic!("{}", fs::read_to_string(path(&format!("server-{node}.log"))).unwrap_or_default())
    });
    let address = |key: &str| hello[key].as_str().expect("text").parse().expect("an address");
    let node = Node { process, listening: address("listening"), status: address("status") };
    wait_until("a server is ready", || get(node.status, "/readyz").is_some());
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
        text += &format!("    server node{number} {} port {}\n", node.listening, node.status.port());
    }
    text
}

/// The lines of a log, found whole by `audit verify`.
fn lines(log: &Path) -> Vec<Value> {
    let verified = run(&["audit", "verify", text(log)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let text = fs::read_to_string(log).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Which sessions have which event in a log, with its outcome.
fn sessions(lines: &[Value], event: &str) -> BTreeMap<String, String> {
    let of_event = lines.iter().filter(|line| line["event"] == event);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_event.map(|line| (text(&line["session"]), text(&line["outcome"]))).collect()
}

/// One client's sessions: how many were answered, and with what error the others failed.
fn asks(asker: &Asker, cluster: &Cluster, findings: &Findings, left: &AtomicUsize) -> (usize, Vec<String>) {
    let (mut answered, mut failed) = (0, Vec::new());
    loop {
        let Ok(before) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) else {
            return (answered, failed);
        };
        let (image, expected) = &findings[before % findings.len()];
        let output = asker.ask(cluster, image);
        if output.status.success() {
            let report: Value = serde_json::from_slice(&output.stdout).expect("one report");
            assert_eq!(&raw(&report), expected);
            answered += 1;
        } else {
            // One clear error, and no part of a finding.
            fails(&output, 1, "");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(said.lines().count(), 1, "{said}");
            failed.push(said);
        }
    }
}

#[test]
fn a_server_is_killed_and_nobody_else_notices() {
    let folder = TempDir::new().expect("a folder");
    let askers: Vec<_> = (0..CLIENTS).map(|i| Asker::new(folder.path().join(i.to_string()))).collect();
    let lines_of = |(i, asker): (usize, &Asker)| format!("{} client {i} images=1000\n", asker.key());
    let clients: String = askers.iter().enumerate().map(lines_of).collect();
    let Some(mut cluster) = Cluster::start(&clients) else { return };
    let findings = cluster.findings();
    let left = AtomicUsize::new(SESSIONS);
    let done: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let pid = cluster.nodes[0].process.0.id();
        let (cluster, findings, left) = (&cluster, &findings, &left);
        let asking = askers.iter().map(|asker| scope.spawn(move || asks(asker, cluster, findings, left)));
        let asking: Vec<_> = asking.collect();
        wait_until("sessions end", || left.load(Ordering::Relaxed) <= SESSIONS - KILL_AFTER);
        // Sessions that it has when it stands still do not end before it is killed.
        signal("-STOP", pid);
        std::thread::sleep(Duration::from_millis(700));
        signal("-KILL", pid);
        asking.into_iter().map(|asking| asking.join().expect("no panic")).collect()
    });
    let answered: usize = done.iter().map(|(answered, _)| answered).sum();
    let failed: Vec<&String> = done.iter().flat_map(|(_, failed)| failed).collect();
    // Of each client one session was at hand, and half of them at that server.
    assert!((1..=CLIENTS).contains(&failed.len()), "{failed:?}");
    assert_eq!(answered + failed.len(), SESSIONS);

    cluster.nodes[0].process.kill();
    cluster.revive(0);
    let begin = Instant::now();
    let before = sessions(&lines(&cluster.log(0)), "opened").len();
    let mut more = 0;
    while sessions(&lines(&cluster.log(0)), "opened").len() == before {
        assert!(begin.elapsed() < PATIENCE, "it gets no session any more");
        let output = askers[0].ask(&cluster, &findings[0].0);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        more += 1;
    }
    check_logs(&cluster, &askers, answered + more);

    // Charged is what was asked for, whether it was answered or not.
    let charged = SESSIONS + more;
    let used = used(&cluster, &askers);
    assert!((answered + more..=charged).contains(&used), "{used} of {charged}");
}

/// Images that the database says clients have used.
fn used(cluster: &Cluster, askers: &[Asker]) -> usize {
    let store = store::open(&cluster.database.url()).expect("the store");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let of = |asker: &Asker| {
        let key: identity::Fingerprint = asker.key().parse().expect("a fingerprint");
        let usage = store.usage(&service::ClientKey(*key.as_bytes()), now).expect("it answers");
        usize::try_from(usage.images).expect("a few")
    };
    askers.iter().map(of).sum()
}

/// What clients and servers have recorded is the same.
fn check_logs(cluster: &Cluster, askers: &[Asker], answered: usize) {
    let (mut opened, mut done) = (BTreeSet::new(), BTreeSet::new());
    for node in 0..2 {
        let lines = lines(&cluster.log(node));
        let sessions_of = sessions(&lines, "opened");
        // None is at two servers.
        assert!(sessions_of.keys().all(|session| opened.insert(session.clone())));
        let ended = sessions(&lines, "answered");
        done.extend(ended.into_iter().filter(|(_, outcome)| outcome == "done").map(|(session, _)| session));
    }
    let mut found = 0;
    for asker in askers {
        let lines = lines(&asker.log());
        for (session, outcome) in sessions(&lines, "answered") {
            if outcome == "done" {
                assert!(done.contains(&session), "a session of a client is in no server's log");
                found += 1;
            }
        }
    }
    assert_eq!(found, answered);
}

#[test]
fn servers_share_quotas() {
    let folder = TempDir::new().expect("a folder");
    let asker = Asker::new(folder.path().join("asker"));
    let Some(cluster) = Cluster::start(&format!("{} a client images=5\n", asker.key())) else { return };
    let findings = cluster.findings();
    let outcomes: Vec<Output> = (0..8).map(|i| asker.ask(&cluster, &findings[i % 4].0)).collect();
    let (served, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|output| output.status.success());
    assert_eq!((served.len(), refused.len()), (5, 3));
    for output in refused {
        fails(output, 1, "images");
    }
    // Both have served.
    for node in 0..2 {
        assert!(lines(&cluster.log(node)).iter().any(|line| line["event"] == "answered" && line["outcome"] == "done"));
    }
    assert_eq!(used(&cluster, &[asker]), 5);
}
