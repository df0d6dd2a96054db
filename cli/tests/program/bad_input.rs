//! What goes wrong must be said in one sentence, with exit code 1 or 2, without panic and without result.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{Server, assets, fails, json, run, text, xray};

fn clear(model: &str, input: &str) -> Output {
    run(&["clear", "--model", model, "--input", input])
}

#[test]
fn usage() {
    for args in [
        &["fly"][..],
        &["infer"],
        &["serve", "--model"],
        &["clear", "--model", "chestnet"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
    }
    fails(&run(&["demo", "--xray", "3"]), 2, "numbered from 0");
    let help = run(&["infer", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}

/// What the parser of arguments refuses, with the words that say why.
#[test]
fn numbers_out_of_range() {
    let import = ["import", "--calibrate", ".", "--out", "x", "--onnx", "x"];
    let serve = ["serve", "--model", "chestnet"];
    let infer = ["infer", "--connect", "localhost:1", "--input", "x"];
    for (args, option, value, cause) in [
        (&serve[..], "--parallel", "0", "0 is not in 1.."),
        (&serve, "--sessions", "0", "0 is not in 1.."),
        (&serve, "--max-images", "0", "0 is not in 1.."),
        (&serve, "--modes", "slow", "faithful, fast"),
        (&infer, "--timeout", "0", "0 is not in 1.."),
        (&infer, "--connections", "0", "0 is not in 1..=8"),
        (&infer, "--connections", "9", "9 is not in 1..=8"),
        (&infer, "--max-wait", "0", "0 is not in 1.."),
        (&serve, "--max-session", "0", "0 is not in 1.."),
        (&serve, "--least-rate", "0", "a size above 0"),
        (&infer, "--max-traffic", "0", "a size above 0"),
        (&infer, "--max-traffic", "2 Gbit", "such as 500MB"),
        (&import, "--images", "0", "0 is not in 1.."),
        (&import, "--accuracy", "nan", "above 0 and below 1"),
        (&import, "--accuracy", "0", "above 0 and below 1"),
        (&import, "--accuracy", "1", "above 0 and below 1"),
        (&import, "--mean", "0.5,nan", "no finite number"),
        (&import, "--std", "0.5,0", "no number above 0"),
    ] {
        let output = run(&[args, &[option, value]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {errors}");
        assert!(
            errors.contains(option) && errors.contains(cause),
            "{errors}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// Opening a pipe waits for somebody who writes: a test that hangs here has failed.
#[cfg(unix)]
#[test]
fn pipes_are_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let (pipe, image, out) = (text(&pipe), xray(), folder.path().join("m.bray"));
    let weights = assets().join("chestnet.safetensors");
    let empty = tempfile::tempdir().expect("a folder");
    let (empty, xrays) = (text(empty.path()).to_owned(), assets().join("xrays"));
    let calibrate = ["--calibrate", text(&xrays), "--out", text(&out)];
    let arch = ["import", "--arch", "chestnet-x", "--weights"];
    for args in [
        &["clear", "--model", "chestnet", "--input", pipe][..],
        &["clear", "--model", pipe, "--input", text(&image)],
        &[
            "infer",
            "--connect",
            "127.0.0.1:1",
            "--input",
            text(&image),
            "--public",
            pipe,
        ],
        &["plan", "--model", "chestnet", "--constants", pipe],
        &[&["import", "--onnx", pipe], &calibrate[..]].concat(),
        &[&arch[..], &[pipe], &calibrate].concat(),
    ] {
        fails(&run(args), 2, "pipe.png");
    }
    let nothing = ["--calibrate", &empty, "--out", text(&out)];
    let args = [&arch[..], &[text(&weights)], &nothing].concat();
    fails(&run(&args), 2, "no PNG, JPEG or DICOM files");
}

#[test]
fn models_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = xray();
    let path = folder.path().join("m.bray");
    let whole = std::fs::read(assets().join("chestnet.bray")).expect("the embedded model");
    let name = text(&path).to_owned();

    fails(&clear(&name, text(&image)), 2, "cannot read");
    for (bytes, cause) in [
        (&b""[..], "m.bray"),
        (
            b"PK\x03\x04 no model at all, but long enough to be one",
            "not a Blindray model",
        ),
        (&whole[..whole.len() / 2], "m.bray"),
        (&whole[..whole.len() - 1], "m.bray"),
        (&whole[..20], "m.bray"),
    ] {
        std::fs::write(&path, bytes).expect("a file");
        fails(&clear(&name, text(&image)), 2, cause);
        fails(
            &run(&["serve", "--listen", "127.0.0.1:0", "--model", &name]),
            2,
            cause,
        );
    }
    let mut old = whole.clone();
    old[4] = 1;
    std::fs::write(&path, old).expect("a file");
    fails(&clear(&name, text(&image)), 2, "import the network again");
    for at in [0, 4, 8, 40, whole.len() / 2, whole.len() - 40] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, damaged).expect("a file");
        fails(&clear(&name, text(&image)), 2, "m.bray");
    }
}

#[test]
fn weights_of_another_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = assets().join("chestnet.safetensors");
    let xrays = assets().join("xrays");
    let out = folder.path().join("m.bray");
    let import = |arch: &str, weights: &Path| {
        let args = ["import", "--arch", arch, "--weights", text(weights)];
        run(&[
            &args[..],
            &["--calibrate", text(&xrays), "--out", text(&out)],
        ]
        .concat())
    };
    fails(&import("resnet20", &weights), 2, "tensor");
    fails(
        &import("chestnet", &weights),
        2,
        "it is for --arch chestnet-x",
    );
    fails(&import("vgg", &weights), 2, "`vgg`; known: chestnet,");
    fails(
        &import("vgg", &weights),
        2,
        "with X-operators, such as resnet20-x",
    );
    let cut = folder.path().join("cut.safetensors");
    let bytes = std::fs::read(&weights).expect("weights");
    std::fs::write(&cut, &bytes[..bytes.len() - 4]).expect("a file");
    fails(&import("chestnet-x", &cut), 2, "cut.safetensors");
    fails(
        &import("chestnet-x", Path::new("absent.safetensors")),
        2,
        "absent.safetensors",
    );
    let args = [
        "import",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&weights),
        "--out",
        text(&out),
    ];
    let nothing = tempfile::tempdir().expect("a folder");
    fails(
        &run(&[&args[..], &["--calibrate", text(nothing.path())]].concat()),
        2,
        "no PNG, JPEG or DICOM",
    );
    assert!(!out.exists());
}

#[test]
fn images_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.png");
    let jpeg = std::fs::read(xray()).expect("an X-ray");
    fails(&clear("chestnet", text(&path)), 2, "cannot read image");
    // A PNG header that promises 2^31 - 1 pixels a side.
    let mut enormous =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0".to_vec();
    enormous.extend([0; 64]);
    for bytes in [
        &b""[..],
        b"\0",
        b"no image",
        &jpeg[..jpeg.len() / 3],
        &jpeg[..4],
        &enormous,
    ] {
        std::fs::write(&path, bytes).expect("a file");
        fails(&clear("chestnet", text(&path)), 2, "x.png");
    }
    std::fs::remove_file(&path).expect("it is there");
    fails(
        &clear("chestnet", text(folder.path())),
        2,
        "no PNG, JPEG or DICOM files",
    );
}

/// A server that is none: answers one connection with `bytes` and then stays silent or closes.
fn impostor(bytes: Vec<u8>, linger: Duration) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.write_all(&bytes);
        std::thread::sleep(linger);
    });
    (address, thread)
}

fn infer(address: SocketAddr, more: &[&str]) -> Output {
    let (address, image) = (address.to_string(), xray());
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--timeout",
        "1",
        "--input",
        text(&image),
    ];
    run(&[&args[..], more].concat())
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    fails(
        &infer(address, &[]),
        1,
        "is `blindray serve` running there?",
    );
    let image = xray();
    let to = |name| run(&["infer", "--input", text(&image), "--connect", name]);
    for name in ["127.0.0.1", "localhost", "localhost:http", "::1:7700"] {
        fails(&to(name), 2, "give HOST:PORT, as in localhost:7700");
    }
    fails(
        &to("nowhere.invalid:7700"),
        2,
        "no address of nowhere.invalid",
    );
}

#[test]
fn a_peer_that_speaks_something_else() {
    for (more, said) in [
        (&[][..], "does not speak TLS"),
        (&["--insecure"], "does not speak the Blindray protocol"),
    ] {
        let (address, thread) = impostor(
            b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(20),
            Duration::ZERO,
        );
        fails(&infer(address, more), 1, said);
        thread.join().expect("the impostor");
    }
}

#[test]
fn a_peer_that_stalls_or_closes_at_once() {
    let begin = Instant::now();
    let (address, thread) = impostor(Vec::new(), Duration::from_secs(4));
    fails(&infer(address, &[]), 1, "");
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "the time-out is one second"
    );
    thread.join().expect("the impostor");
    let (address, thread) = impostor(Vec::new(), Duration::ZERO);
    fails(&infer(address, &[]), 1, "closed");
    thread.join().expect("the impostor");
}

#[test]
fn another_model_digest() {
    let mut server = Server::start(&["--model", "chestnet", "--sessions", "1"]);
    let other = infer(server.address, &["--expect-model", &"00".repeat(32)]);
    for cause in [&server.digest, &"00".repeat(32), "ask its provider"] {
        fails(&other, 1, cause);
    }
    fails(
        &infer(server.address, &["--expect-model", "abc"]),
        2,
        "digest",
    );
    // The server is still there for a client that wants what it has.
    let (address, image) = (server.connect(), xray());
    let good = json(&[
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ]);
    assert_eq!(good.len(), 1);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn too_many_images() {
    let server = Server::start(&["--model", "chestnet", "--max-images", "1"]);
    let image = xray();
    fails(
        &infer(server.address, &["--input", text(&image)]),
        1,
        "refused",
    );
}

#[test]
fn clients_that_are_none_do_not_stop_the_server() {
    let server = Server::start(&["--model", "chestnet", "--timeout", "1"]);
    for bytes in [&b""[..], b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 4096]] {
        let mut stream = TcpStream::connect(server.address).expect("the server listens");
        // It may hang up before it has all of it.
        let _ = stream.write_all(bytes);
    }
    let mut silent = TcpStream::connect(server.address).expect("the server listens");
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time-out");
    let (address, image) = (server.connect(), xray());
    let good = json(&[
        "infer",
        "--json",
        "--connect",
        &address,
        "--input",
        text(&image),
    ]);
    assert_eq!(good.len(), 1);
    // The server hangs up on the silent one by itself.
    let mut rest = Vec::new();
    assert!(
        silent.read_to_end(&mut rest).is_ok(),
        "hung up within its time-out"
    );
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
