//! A slip of the user is said before the work begins, and not after it.

use std::net::TcpListener;
use std::process::Output;

use crate::support::{assets, blindray, fails, run, text};

/// A failure with `cause`, and with no note that work has begun before it.
fn fails_first(output: &Output, cause: &str) {
    fails(output, 2, cause);
    let errors = String::from_utf8_lossy(&output.stderr);
    let notes = errors
        .lines()
        .filter(|line| !line.starts_with("blindray: "));
    assert_eq!(notes.count(), 0, "{errors}");
}

#[test]
fn imports() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let weights = text(&assets().join("chestnet.safetensors")).to_owned();
    let images = text(&assets().join("xrays")).to_owned();
    let (out, absent) = (path("net.bray"), path("absent"));
    let into_absent = path("absent/net.bray");
    let import = |weights: &str, calibrate: &str, out: &str, more: &[&str]| {
        let args = ["import", "--arch", "chestnet-x", "--weights", weights];
        let args = [&args[..], &["--calibrate", calibrate, "--out", out], more].concat();
        run(&args)
    };
    fails_first(&import(&absent, &images, &out, &[]), "absent");
    fails_first(&import(&weights, &absent, &out, &[]), "absent");
    fails_first(
        &import(&weights, &images, &into_absent, &[]),
        "cannot write",
    );
    fails_first(
        &import(&weights, &images, &(out.clone() + "/"), &[]),
        "directory",
    );
    for (more, cause) in [
        (
            &["--labels", "a"][..],
            "a name for each output of the network: 2, and 1",
        ),
        (
            &["--labels", "a,b,c"],
            "a name for each output of the network: 2, and 3",
        ),
        (&["--labels", "a,b\tc"], "--labels: `b"),
        (&["--resize", "0"], "--resize"),
        (&["--crop", "ten"], "--crop ten needs --resize"),
        (&["--constants", &absent], "absent"),
        (&["--public", &path("absent/public.json")], "cannot write"),
    ] {
        fails_first(&import(&weights, &images, &out, more), cause);
    }
    // A picture that is none, among those that are sound.
    let some = folder.path().join("some");
    std::fs::create_dir(&some).expect("a folder");
    for name in ["a.jpeg", "b.jpeg"] {
        std::fs::copy(crate::support::xray(), some.join(name)).expect("a copy");
    }
    std::fs::write(some.join("c.png"), b"").expect("a file");
    fails_first(&import(&weights, text(&some), &out, &[]), "c.png");
    assert!(!folder.path().join("net.bray").exists());
    // The place of the public part of what is no file is not guessed.
    #[cfg(unix)]
    fails_first(
        &import(&weights, &images, "/dev/null", &[]),
        "say with --public",
    );
}

#[test]
fn measurements() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("absent/machine.json");
    fails_first(
        &run(&["bench", "--calibrate", "--out", text(&nowhere)]),
        "cannot write",
    );
    let bench = |home: Option<&str>| {
        let mut command = blindray();
        command
            .args(["bench", "--calibrate"])
            .env_remove("XDG_CONFIG_HOME");
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        command.output().expect("the program starts")
    };
    for home in [None, Some(""), Some("relative")] {
        fails_first(&bench(home), "say where with --out FILE");
    }
    // A file stands where the folder for settings would be.
    std::fs::write(folder.path().join(".config"), b"").expect("a file");
    fails_first(&bench(Some(text(folder.path()))), "cannot make");
}

#[test]
fn plans_and_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let svg = folder.path().join("absent/ablation.svg");
    fails_first(
        &run(&["plan", "--ablation", "--svg", text(&svg)]),
        "cannot write",
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    // A backbone that would take a while to make.
    let serve = ["serve", "--model", "densenet121", "--listen", &address];
    fails_first(&run(&serve), "cannot listen on");
}
