//! A server that is operated: a file of options, quotas, signals, logs, and how it says that it is well.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nets::Model;
use serde_json::Value;
use service::{Client, Request};
use testkit::{Database, MiddleBox};

use crate::support::{
    Server, as_client, assets, blindray, fails, run, settings, signal, text, xray,
};

fn infer(server: &Server, more: &[&str]) -> Output {
    let (address, image) = (server.connect(), xray());
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ];
    run(&[&args[..], more].concat())
}

fn served(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The status and the body of an answer over HTTP.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it answers");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

/// Waits for an answer, as a probe does.
fn wait_for(address: SocketAddr, path: &str, status: u16) -> String {
    let begin = Instant::now();
    loop {
        let (found, body) = get(address, path);
        if found == status {
            return body;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{path} stays {found}: {body}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn status(server: &Server) -> SocketAddr {
    server.status.expect("it was asked for")
}

#[test]
fn a_file_of_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("blindray.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write(
        "model = \"chestnet\"\nlisten = \"127.0.0.1:1\"\nmax-images = 1\nmodes = [\"faithful\"]\n",
    );
    let name = text(&file);
    // The address of the command line counts, not that of the file.
    let server = Server::start(&["--config", name]);
    served(&infer(&server, &[]));
    fails(
        &infer(&server, &["--mode", "fast"]),
        1,
        "does not compute in fast mode",
    );
    let image = xray();
    fails(&infer(&server, &[text(&image)]), 1, "allows 1 alone");
    let serve = |text: &str| {
        write(text);
        run(&["serve", "--config", name])
    };
    fails(
        &serve("modell = \"chestnet\"\n"),
        2,
        "modell is no option of serve; did you mean model?",
    );
    fails(&serve("model = [\n"), 2, "blindray.toml, line 1, column ");
    // What is wrong with a value is said with the file and the key.
    for (line, said) in [
        ("parallel = 0", "blindray.toml: parallel: invalid value '0'"),
        ("parallel = \"two\"", "blindray.toml: parallel: invalid"),
        ("parallel = 4000000000", "is not in 1..=1000000"),
        ("waiting = 4000000000", "blindray.toml: waiting: "),
        ("max-images = 2000000", "blindray.toml: max-images: "),
        (
            "quota-bytes = 50",
            "blindray.toml: quota-bytes: invalid value '50'",
        ),
        (
            "quota-bytes = \"50\"",
            "give its unit, such as 50MB or 50GiB",
        ),
        (
            "quota-bytes = \"99999999999TB\"",
            "blindray.toml: quota-bytes: ",
        ),
        ("least-rate = \"900TB\"", "blindray.toml: least-rate: "),
        ("modes = [\"quick\"]", "[possible values: faithful, fast]"),
        ("modes = []", "blindray.toml: modes: a value is required"),
        (
            "clients = \"x\"\ninsecure = true",
            "blindray.toml: clients: ",
        ),
    ] {
        let text = format!("model = \"chestnet\"\n{line}\n");
        let output = serve(&text);
        fails(&output, 2, said);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(errors.trim_end().lines().count(), 1, "{errors}");
    }
    fails(
        &run(&["serve", "--config", "/nowhere.toml"]),
        2,
        "/nowhere.toml",
    );
    // What clap finds wrong.
    let zero = serve("model = \"chestnet\"\nparallel = 0\n");
    assert!(
        zero.status.code() == Some(2) && said(&zero).contains("--parallel"),
        "{}",
        said(&zero)
    );
}

#[test]
fn quotas_outlive_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("serve.redb");
    let serve = || {
        let quota = ["--quota-images-per-hour", "1", "--store", text(&store)];
        Server::start(&[&["--model", "chestnet"], &quota[..]].concat())
    };
    let server = serve();
    served(&infer(&server, &[]));
    fails(
        &infer(&server, &[]),
        1,
        "the quota is 1 image an hour, 1 is used",
    );
    let (code, notes) = server.stop();
    assert_eq!(code, Some(0));
    assert!(notes.contains("come again in"), "{notes}");
    let server = serve();
    let again = infer(&server, &[]);
    fails(&again, 1, "come again in");
    // A second server has no use of the same file.
    let other = [
        "serve",
        "--model",
        "chestnet",
        "--listen",
        "127.0.0.1:0",
        "--store",
        text(&store),
    ];
    fails(&run(&other), 2, "in use by another process");
    drop(server);
    std::fs::set_permissions(&store, Permissions::from_mode(0o644)).expect("ours");
    fails(&run(&other), 2, "chmod 600");
    // A slip of the pen is no new store.
    let folder = folder.path().join("sotre");
    let store = folder.join("serve.redb");
    let other = [&other[..other.len() - 1], &[text(&store)]].concat();
    fails(
        &run(&other),
        2,
        &format!("there is no folder {}", folder.display()),
    );
    assert!(!folder.exists());
}

/// The fingerprint of the key of all these programs.
fn own_key() -> String {
    let shown = run(&["identity", "show", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    shown["fingerprint"].as_str().expect("text").to_owned()
}

#[test]
fn files_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (list, net) = (
        folder.path().join("clients"),
        folder.path().join("net.bray"),
    );
    let store = folder.path().join("serve.redb");
    std::fs::copy(assets().join("chestnet.bray"), &net).expect("copied");
    // Another test may not have made it yet.
    drop(run(&["identity", "new"]));
    let write = |text: &str| std::fs::write(&list, text).expect("written");
    write("# nobody yet\n");
    let mut server = Server::start(&[
        "--model",
        text(&net),
        "--clients",
        text(&list),
        "--store",
        text(&store),
    ]);
    assert!(
        !infer(&server, &[]).status.success(),
        "it is not on the list"
    );
    write(&format!("{} Ward 3 images=1\n", own_key()));
    let mut other = Model::load(&net).expect("a model");
    other.public.name = "exchanged".to_owned();
    let new = folder.path().join("new.bray");
    other.save(&new).expect("written");
    // In one step, so that nobody reads half of it.
    std::fs::rename(&new, &net).expect("renamed");
    signal("-HUP", server.pid());
    server.says("read the list of clients again: 1 client");
    server.says("new sessions get exchanged, model digest");
    let report = served(&infer(&server, &[]));
    assert_eq!(
        report["model"]["name"]
            .as_str()
            .or(report["model"].as_str()),
        Some("exchanged"),
        "{report}"
    );
    // Its rule holds.
    fails(&infer(&server, &[]), 1, "the quota is 1 image, 1 is used");
    // What is broken stays as it was.
    write(&format!("{} Ward 3 images=many\n", own_key()));
    std::fs::write(&net, b"half a model").expect("written");
    signal("-HUP", server.pid());
    server.says("the list of clients stays as it was");
    server.says("the model stays as it was");
    write(&format!("{} Ward 3 images=2\n", own_key()));
    signal("-HUP", server.pid());
    server.says("read the list of clients again");
    server.says("the model stays as it was");
    served(&infer(&server, &[]));
    let (code, notes) = server.stop();
    assert_eq!(code, Some(0));
    assert!(notes.contains("(Ward 3): 1 image in"), "{notes}");
}

#[test]
fn a_stop_waits_no_longer_than_it_may() {
    let mut server = Server::start(&[
        "--model",
        "chestnet",
        "--stop-after",
        "1",
        "--status",
        "127.0.0.1:0",
    ]);
    let request = Request::default();
    let mut client =
        Client::dial(server.address, &as_client(), &request, [2; 32]).expect("a session");
    let status = status(&server);
    assert_eq!(get(status, "/readyz").0, 200);
    signal("-TERM", server.pid());
    server.says("waiting for 1 session to end, for 1 s at most");
    // Until it ends, it is alive and takes nobody.
    assert_eq!(get(status, "/livez").0, 200);
    assert_eq!(get(status, "/readyz"), (503, "stopping\n".to_owned()));
    let begin = Instant::now();
    let (code, notes) = server.wait();
    assert_eq!(code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(20), "{notes}");
    assert!(notes.contains("1 session did not end in time"), "{notes}");
    let picture = images::Image::open(&xray()).expect("an X-ray").picture;
    let cut = client.infer(&picture, &mut |_| {}).expect_err("it was cut");
    assert!(matches!(cut, service::Error::Transport(_)), "{cut:?}");
}

#[test]
fn it_says_how_it_is() {
    let server = Server::start(&[
        "--model",
        "chestnet",
        "--status",
        "localhost:0",
        "--quota-images",
        "1",
        "--store",
        &store(),
    ]);
    let status = status(&server);
    assert_eq!(get(status, "/livez"), (200, "ok\n".to_owned()));
    assert_eq!(wait_for(status, "/readyz", 200), "ok\n");
    assert_eq!(get(status, "/").0, 404);
    served(&infer(&server, &[]));
    assert!(!infer(&server, &[]).status.success());
    let (_, metrics) = get(status, "/metrics");
    for line in [
        "# TYPE blindray_sessions_total counter",
        "blindray_sessions_total{outcome=\"served\"} 1",
        "blindray_refusals_total{reason=\"images\"} 1",
        "blindray_images_total 1",
        "blindray_store_up 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in\n{metrics}"
        );
    }
    // Those who say nothing, nonsense or too much keep nobody waiting for long.
    let silent: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(status).expect("it listens"))
        .collect();
    for words in [
        &b"POST / HTTP/1.1\r\n\r\n"[..],
        b"\0\xff\r\n\r\n",
        &[b'a'; 100_000],
    ] {
        let mut stream = TcpStream::connect(status).expect("it listens");
        // It may hang up before it has all of it.
        let _ = stream.write_all(words);
    }
    let begin = Instant::now();
    assert_eq!(get(status, "/livez").0, 200);
    assert!(begin.elapsed() < Duration::from_secs(25));
    drop(silent);
    let open = [
        "serve",
        "--model",
        "chestnet",
        "--listen",
        "127.0.0.1:0",
        "--status",
        "0.0.0.0:0",
    ];
    fails(&run(&open), 2, "is not a loopback address");
}

/// While its model is loaded, a server lives and is not ready.
#[test]
fn it_is_not_ready_before_its_model() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let status = port.local_addr().expect("its address");
    drop(port);
    let mut server = blindray()
        .args(["serve", "--model", "densenet121", "--size", "224"])
        .args(["--listen", "127.0.0.1:0", "--status", &status.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let begin = Instant::now();
    while TcpStream::connect(status).is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "it does not answer"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let ready = get(status, "/readyz");
    let alive = get(status, "/livez");
    server.kill().expect("it is ours");
    server.wait().expect("it ends");
    assert_eq!(ready, (503, "the model is being loaded\n".to_owned()));
    assert_eq!(alive.0, 200);
}

/// A store that lasts as long as the tests.
fn store() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    text(&folder.keep().join("serve.redb")).to_owned()
}

#[test]
fn logs_are_objects() {
    let server = Server::start(&[
        "--model",
        "chestnet",
        "--log-format",
        "json",
        "--log-level",
        "debug",
    ]);
    let report = served(&infer(&server, &[]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let message = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
    let ended = lines.iter().find(|line| line["seconds"].is_number());
    let ended = ended.expect("the session is logged");
    assert_eq!(ended["level"], "INFO");
    assert_eq!(
        (&ended["session"], &ended["images"]),
        (&1.into(), &1.into())
    );
    assert!(
        ended["seconds"].is_number() && ended["key"].is_string() && ended["timestamp"].is_string()
    );
    assert!(
        lines
            .iter()
            .any(|line| message(line).contains("may ask about 1 image"))
    );
    // Nothing of what was found.
    for output in report["outputs"].as_array().expect("outputs") {
        let raw = output["raw"].to_string();
        let told = raw.len() > 4 && log.contains(&raw);
        assert!(!told, "{raw} is in the log: {log}");
    }
}

/// Several servers with one PostgreSQL share the quotas; without it they serve nobody, and with it again they do.
#[test]
fn a_database_that_goes_and_comes_back() {
    let Some(mut database) = Database::start() else {
        return;
    };
    let url = database.url();
    let serve = || {
        let args = [
            "--model",
            "chestnet",
            "--status",
            "127.0.0.1:0",
            "--quota-images",
            "2",
            "--store",
            &url,
        ];
        Server::start(&args)
    };
    let (first, second) = (serve(), serve());
    served(&infer(&first, &[]));
    served(&infer(&second, &[]));
    fails(&infer(&first, &[]), 1, "the quota is 2 images, 2 are used");
    database.down();
    fails(
        &infer(&first, &[]),
        1,
        "the server's store does not work now",
    );
    let why = wait_for(status(&first), "/readyz", 503);
    assert!(why.contains("not available"), "{why}");
    assert_eq!(get(status(&first), "/livez").0, 200);
    database.up();
    wait_for(status(&first), "/readyz", 200);
    fails(&infer(&second, &[]), 1, "the quota is 2 images, 2 are used");
    let _ = database.run("DELETE FROM blindray_accounts");
    served(&infer(&first, &[]));
    let notes = first.stop().1;
    assert!(notes.contains("the store is available again"), "{notes}");
    assert!(!notes.contains("panicked"), "{notes}");
}

/// A server whose database takes connections and does not answer says so, lets no client wait for long, and serves again with it.
#[test]
fn a_database_that_hangs() {
    let Some(database) = Database::start() else {
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], database.port()));
    let way = MiddleBox::balancer(&[address]);
    let url = format!("postgres://blindray@{}/postgres", way.address());
    let args = ["--model", "chestnet", "--status", "127.0.0.1:0"];
    let server = Server::start(&[&args[..], &["--store", &url]].concat());
    served(&infer(&server, &[]));
    way.hold(true);
    let begin = Instant::now();
    let why = "the server's store does not work now; come again later";
    fails(&infer(&server, &[]), 1, why);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(40), "the client waits {took:?}");
    let why = wait_for(status(&server), "/readyz", 503);
    assert!(why.contains("did not answer in time"), "{why}");
    assert_eq!(get(status(&server), "/livez").0, 200);
    way.hold(false);
    wait_for(status(&server), "/readyz", 200);
    served(&infer(&server, &[]));
    let (code, notes) = server.stop();
    assert_eq!(code, Some(0), "{notes}");
    assert!(notes.contains("the store is available again"), "{notes}");
}

/// A key in the environment of a server is not shown by its help.
#[test]
fn a_store_may_be_named_by_the_environment() {
    let mut command = blindray();
    command
        .args(["serve", "--model", "chestnet", "--listen", "127.0.0.1:0"])
        .env("BLINDRAY_STORE", "postgres://user:secret@db.example/d");
    let refused = command.output().expect("it runs");
    fails(&refused, 2, "sslrootcert");
    assert!(!said(&refused).contains("secret"), "{}", said(&refused));
    let mut help = blindray();
    help.args(["serve", "--help"])
        .env("BLINDRAY_STORE", "postgres://user:secret@db.example/d");
    let help = help.output().expect("it runs");
    assert!(!String::from_utf8_lossy(&help.stdout).contains("secret"));
}

/// A file that may grow no more is as good as a full disk: an error that names it, and no end without a word.
#[test]
fn a_limit_of_files_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let limited = |args: &[&str]| {
        let script = "ulimit -f 1; exec \"$0\" \"$@\"";
        let output = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_blindray")])
            .args(args)
            .env("XDG_CONFIG_HOME", settings())
            .output();
        output.expect("the shell starts")
    };
    let page = path("page.html");
    let plan = ["plan", "--json", "--model", "chestnet", "--report"];
    fails(
        &limited(&[&plan[..], &[text(&page)]].concat()),
        1,
        &format!("cannot write {}", page.display()),
    );
    let store = path("serve.redb");
    let serve = ["serve", "--model", "chestnet", "--listen", "127.0.0.1:0"];
    fails(
        &limited(&[&serve[..], &["--store", text(&store)]].concat()),
        2,
        &format!("{}: ", store.display()),
    );
}
