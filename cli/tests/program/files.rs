//! What is on the disk after a command that was refused, that failed, or that was killed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Server, assets, blindray, fails, run, text, xray};

/// The arguments that import the embedded network's weights anew, in as little time as can be.
fn arguments(out: &Path) -> Vec<String> {
    let (weights, xrays) = (
        assets().join("chestnet.safetensors"),
        assets().join("xrays"),
    );
    let words = [
        "import",
        "--quiet",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&weights),
    ];
    let more = [
        "--weight-bits",
        "8",
        "--calibrate",
        text(&xrays),
        "--out",
        text(out),
    ];
    let all = words.iter().chain(&more);
    all.map(ToString::to_string).collect()
}

fn import(out: &Path, more: &[&str]) -> Output {
    let command = arguments(out);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    run(&[&command, more].concat())
}

/// A folder with a model and its public part.
struct Models {
    folder: TempDir,
    model: PathBuf,
    public: PathBuf,
}

impl Models {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (model, public) = (path("net.bray"), path("net.public.json"));
        let made = import(&model, &[]);
        let errors = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{errors}");
        Self {
            folder,
            model,
            public,
        }
    }

    fn contents(&self) -> [Vec<u8>; 2] {
        [&self.model, &self.public].map(|file| fs::read(file).expect("it is there"))
    }

    fn names(&self) -> Vec<String> {
        let entries = self.folder.path().read_dir().expect("a folder");
        let names = entries.map(|e| e.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|n| n.into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

#[test]
fn versions_with_dots_have_public_parts_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for (out, public) in [
        ("x-1.0", "x-1.0.public.json"),
        ("x-1.1", "x-1.1.public.json"),
        ("x-1.2.bray", "x-1.2.public.json"),
    ] {
        let made = import(&folder.path().join(out), &[]);
        assert!(made.status.success());
        let json = fs::read_to_string(folder.path().join(public)).expect("its public part");
        let name = out.trim_end_matches(".bray");
        assert!(json.contains(&format!("\"name\":\"{name}\"")), "{out}");
    }
}

#[test]
fn outputs_overwrite_neither_each_other_nor_what_is_read() {
    let models = Models::new();
    let path = |name: &str| models.folder.path().join(name);
    let before = models.contents();
    symlink("net.bray", path("link.bray")).expect("a link");
    symlink("later.bray", path("ahead")).expect("a link to nothing");
    fs::create_dir(path("sub")).expect("a folder");
    let round = path("sub/../net.bray");
    for (out, public) in [
        ("net.bray", path("net.bray")),
        ("net.bray", round),
        ("net.bray", path("link.bray")),
        ("later.bray", path("ahead")),
    ] {
        let output = import(&path(out), &["--public", text(&public)]);
        fails(&output, 2, "--out and --public name the same file");
    }
    // Weights, images and constants, each under another name.
    for name in ["net.safetensors", "xray.jpeg", "machine.json"] {
        fs::write(path(name), b"precious").expect("a file");
        fs::hard_link(path(name), path(&format!("same-{name}"))).expect("a second name");
    }
    let calibrate = path("images");
    fs::create_dir(&calibrate).expect("a folder");
    fs::copy(xray(), calibrate.join("xray.jpeg")).expect("a copy");
    let weights = [
        "import",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&path("net.safetensors")),
    ]
    .map(str::to_owned);
    let weights: Vec<&str> = weights.iter().map(String::as_str).collect();
    let from = ["--calibrate", text(&calibrate)].map(str::to_owned);
    let from: Vec<&str> = from.iter().map(String::as_str).collect();
    for (option, out) in [
        ("--weights", "same-net.safetensors"),
        ("--constants", "same-machine.json"),
        ("--calibrate", "images/xray.jpeg"),
    ] {
        let (out, constants) = (path(out), path("machine.json"));
        let more = ["--out", text(&out), "--constants", text(&constants)];
        let output = run(&[&weights[..], &from, &more].concat());
        fails(&output, 2, &format!("which {option} reads"));
    }
    assert_eq!(
        fs::read(path("net.safetensors")).expect("there"),
        b"precious"
    );
    assert_eq!(models.contents(), before);
}

/// A disk with no room for the model: the limit on the length of a file stands for it.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let models = Models::new();
    let (before, names) = (models.contents(), models.names());
    assert!(before[0].len() > 8192);
    // The signal that comes with it may be ignored, or not: a write fails.
    for trap in ["trap '' XFSZ; ", ""] {
        for out in [&models.model, &models.folder.path().join("new.bray")] {
            let script = format!("{trap}ulimit -f 4; exec \"$0\" \"$@\"");
            let output = Command::new("sh")
                .args(["-c", &script, env!("CARGO_BIN_EXE_blindray")])
                .args(arguments(out))
                .args(["--labels", "left,right"])
                .stdin(Stdio::null())
                .output()
                .expect("the shell starts");
            fails(&output, 1, &format!("cannot write {}", out.display()));
            assert_eq!(models.names(), names);
            assert_eq!(models.contents(), before);
        }
    }
    assert!(!models.folder.path().join("new.bray").exists());
    assert!(!models.folder.path().join("new.public.json").exists());
}

/// Whenever it is killed, each file is that of before or that of after.
#[test]
fn a_kill_leaves_whole_files() {
    let models = Models::new();
    let before = models.contents();
    let other = ["--labels", "left,right"];
    assert!(import(&models.model, &other).status.success());
    let after = models.contents();
    assert!(before[0] != after[0] && before[1] != after[1]);
    let took = {
        let begin = std::time::Instant::now();
        assert!(import(&models.model, &[]).status.success());
        begin.elapsed()
    };
    for step in 1..=20 {
        let mut process = blindray()
            .args(arguments(&models.model))
            .args(other)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // The files are written in the last moments.
        std::thread::sleep(took.mul_f64(0.8 + f64::from(step) * 0.015) + Duration::from_millis(1));
        process.kill().expect("it is there or was");
        process.wait().expect("it ends");
        for (now, (before, after)) in models.contents().iter().zip(before.iter().zip(&after)) {
            assert!(now == before || now == after, "a file that is neither");
        }
        for name in models.names() {
            let draft = name.starts_with(".blindray-") && name.ends_with(".tmp");
            assert!(
                draft || name == "net.bray" || name == "net.public.json",
                "{name}"
            );
        }
    }
    assert!(import(&models.model, &other).status.success());
    assert_eq!(models.contents(), after);
}

/// What a crash between the two files of a model, or a copy of one of them, would leave.
#[test]
fn a_public_part_of_another_model_is_noticed() {
    let models = Models::new();
    let public = fs::read(&models.public).expect("there");
    assert!(
        import(&models.model, &["--labels", "left,right"])
            .status
            .success()
    );
    let serve = || {
        let args = ["--model", text(&models.model), "--sessions", "1"];
        Server::start(&args)
    };
    let (code, said) = serve().stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
    fs::write(&models.public, public).expect("it is written");
    let (_, said) = serve().stop();
    let warning = format!("{} belongs to another model", models.public.display());
    assert!(said.contains(&warning), "{said}");
}
