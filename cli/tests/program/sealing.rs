//! Sealed models as users meet them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::{Server, assets, blindray, fails, json, raw, run, text, xray};

/// A folder with two keys, and the embedded network as a file and sealed with the first of them.
struct Vault {
    _folder: TempDir,
    key: PathBuf,
    other: PathBuf,
    model: PathBuf,
    sealed: PathBuf,
}

impl Vault {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let vault = Self {
            key: path("net.key"),
            other: path("other.key"),
            model: path("net.bray"),
            sealed: path("sealed.bray"),
            _folder: folder,
        };
        fs::copy(assets().join("chestnet.bray"), &vault.model).expect("copied");
        for key in [&vault.key, &vault.other] {
            assert!(run(&["seal", "key", "--out", text(key)]).status.success());
        }
        let sealed = run(&[
            "seal",
            "model",
            text(&vault.model),
            "--key-file",
            text(&vault.key),
            "--out",
            text(&vault.sealed),
        ]);
        let said = String::from_utf8_lossy(&sealed.stderr);
        let next = format!(
            "blindray serve --model {} --key-file {}",
            text(&vault.sealed),
            text(&vault.key)
        );
        assert!(sealed.status.success() && said.contains(&next), "{said}");
        vault
    }

    /// The finding of the embedded X-ray by a model in the clear.
    fn finding(model: &Path, more: &[&str]) -> Vec<i64> {
        let image = xray();
        let command = [
            "clear",
            "--json",
            "--input",
            text(&image),
            "--model",
            text(model),
        ];
        raw(&json(&[&command, more].concat())[0])
    }

    /// Inference in the clear with the sealed model.
    fn clear(&self, more: &[&str]) -> Output {
        let (input, model) = (xray(), text(&self.sealed));
        let words = ["clear", "--input", text(&input), "--model", model];
        run(&[&words, more].concat())
    }
}

#[test]
fn a_sealed_model_says_what_it_said_before() {
    let vault = Vault::new();
    let sealed = fs::read(&vault.sealed).expect("the file");
    let plain = fs::read(&vault.model).expect("the file");
    // Nothing of the weights is left to see: no 32 bytes of the end of the file, where they are.
    let end = &plain[plain.len() - 4096..];
    for piece in end.chunks(32) {
        assert!(!sealed.windows(32).any(|window| window == piece));
    }
    let expected = Vault::finding(Path::new("chestnet"), &[]);
    let key = fs::read_to_string(&vault.key).expect("the key");
    assert_eq!(
        Vault::finding(&vault.sealed, &["--key-file", text(&vault.key)]),
        expected
    );
    // Blanks and quotes as a user writes them.
    let command = format!("cat '{}'", text(&vault.key));
    assert_eq!(
        Vault::finding(&vault.sealed, &["--key-command", &command]),
        expected
    );
    let output = blindray()
        .args([
            "clear",
            "--json",
            "--input",
            text(&xray()),
            "--model",
            text(&vault.sealed),
            "--key-env",
            "NET_KEY",
        ])
        .env("NET_KEY", key)
        .output()
        .expect("it runs");
    assert!(output.status.success());

    let plan = |model: &Path, more: &[&str]| {
        json(&[&["plan", "--json", "--model", text(model)], more].concat())
    };
    assert_eq!(
        plan(&vault.sealed, &["--key-file", text(&vault.key)])[0]["comm"],
        plan(&vault.model, &[])[0]["comm"]
    );
}

#[test]
fn a_sealed_model_is_served() {
    let vault = Vault::new();
    let server = Server::start(&[
        "--model",
        text(&vault.sealed),
        "--key-file",
        text(&vault.key),
        "--sessions",
        "1",
    ]);
    let shown = json(&["identity", "show", "--json"]);
    let key = shown[0]["fingerprint"].as_str().expect("text");
    // Its public part is for all to read.
    let found = json(&[
        "infer",
        "--json",
        "--connect",
        &server.connect(),
        "--trust",
        key,
        "--public",
        text(&vault.sealed),
        "--input",
        text(&xray()),
    ]);
    assert_eq!(raw(&found[0]), Vault::finding(Path::new("chestnet"), &[]));
    #[cfg(target_os = "linux")]
    {
        let server = Server::start(&[
            "--model",
            text(&vault.sealed),
            "--key-file",
            text(&vault.key),
        ]);
        let limits =
            fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("its limits");
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .expect("a line");
        assert_eq!(line.split_whitespace().nth(4), Some("0"), "{line}");
    }
}

#[test]
fn other_keys_and_changed_bytes_are_refused() {
    let vault = Vault::new();
    let clear = |more: &[&str]| vault.clear(more);
    let key = ["--key-file", text(&vault.key)];
    fails(
        &clear(&["--key-file", text(&vault.other)]),
        2,
        "it was sealed with another key, or for another purpose",
    );
    fails(
        &clear(&[]),
        2,
        "is sealed: say where its key is with --key-file, --key-env or --key-command",
    );
    let whole = fs::read(&vault.sealed).expect("the file");
    let write = |bytes: &[u8]| fs::write(&vault.sealed, bytes).expect("written");
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    // Of the weights, and of the public part.
    for at in [whole.len() - 1, whole.len() - 1000, 20] {
        write(&changed(at));
        fails(
            &clear(&key),
            2,
            "it was changed after it was sealed, or belongs elsewhere",
        );
    }
    write(&changed(15));
    fails(
        &clear(&key),
        2,
        "its public part is too long: it was changed",
    );
    for length in [8, 15, 16, 100] {
        write(&whole[..length]);
        fails(&clear(&key), 2, "it was cut off");
    }
    write(&whole[..whole.len() - 1]);
    fails(&clear(&key), 2, "it was cut off, or something was added");
}

#[test]
fn keys_are_refused_that_are_none() {
    let vault = Vault::new();
    let clear = |more: &[&str]| vault.clear(more);
    fs::set_permissions(&vault.key, fs::Permissions::from_mode(0o644)).expect("set");
    fails(&clear(&["--key-file", text(&vault.key)]), 2, "mode 0644");
    fs::set_permissions(&vault.key, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&vault.key, "a password").expect("written");
    fails(
        &clear(&["--key-file", text(&vault.key)]),
        2,
        "a key is 32 bytes in base64",
    );
    fails(
        &clear(&["--key-env", "NO_SUCH_VARIABLE"]),
        2,
        "--key-env NO_SUCH_VARIABLE",
    );
    for (command, cause) in [
        ("false", "false failed"),
        ("echo a password", "a key is 32 bytes in base64"),
        // No shell: this is one word for `echo`.
        (
            "echo $(cat /etc/passwd); true",
            "a key is 32 bytes in base64",
        ),
        ("no-such-program", "no-such-program"),
        ("cat /dev/zero", "printed more than a key"),
        ("echo 'no end", "a quote has no end"),
        ("", "it is empty"),
    ] {
        fails(&clear(&["--key-command", command]), 2, cause);
    }
    fails(&clear(&["--key-env", "A", "--key-file", "b"]), 2, "");
    // A key where nothing is sealed is a mistake that somebody should know of.
    for model in [text(&vault.model), "chestnet"] {
        let output = run(&[
            "clear",
            "--input",
            text(&xray()),
            "--model",
            model,
            "--key-file",
            text(&vault.other),
        ]);
        fails(&output, 2, "not sealed");
    }
}

#[test]
fn keys_change_and_models_open() {
    let vault = Vault::new();
    let sealed = text(&vault.sealed);
    let before = fs::read(&vault.sealed).expect("the file");
    let again = run(&["seal", "model", sealed, "--key-file", text(&vault.key)]);
    fails(&again, 2, "is sealed already");
    let rekeyed = run(&[
        "seal",
        "rekey",
        sealed,
        "--key-file",
        text(&vault.key),
        "--new-key-file",
        text(&vault.other),
    ]);
    assert!(
        rekeyed.status.success(),
        "{}",
        String::from_utf8_lossy(&rekeyed.stderr)
    );
    assert_ne!(fs::read(&vault.sealed).expect("the file"), before);
    let opened = vault.model.with_file_name("opened.bray");
    let open = |key: &Path| {
        run(&[
            "seal",
            "open",
            sealed,
            "--key-file",
            text(key),
            "--out",
            text(&opened),
        ])
    };
    fails(&open(&vault.key), 2, "another key");
    assert!(open(&vault.other).status.success());
    assert_eq!(
        fs::read(&opened).expect("the model"),
        fs::read(&vault.model).expect("the model")
    );
    // In its place.
    let sealed = run(&[
        "seal",
        "model",
        text(&opened),
        "--key-file",
        text(&vault.key),
    ]);
    assert!(sealed.status.success());
    assert!(
        fs::read(&opened)
            .expect("the file")
            .starts_with(b"SEALBRAY")
    );
    // A key is never overwritten, and its owner's alone.
    let key = fs::read(&vault.key).expect("the key");
    let output = run(&["seal", "key", "--out", text(&vault.key)]);
    fails(&output, 2, "exists");
    assert_eq!(fs::read(&vault.key).expect("the key"), key);
    assert_eq!(
        fs::metadata(&vault.key)
            .expect("its mode")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn an_import_is_sealed_before_it_is_written() {
    let vault = Vault::new();
    let (weights, xrays) = (
        assets().join("chestnet.safetensors"),
        assets().join("xrays"),
    );
    let out = vault.model.with_file_name("new.bray");
    let import = [
        "import",
        "--quiet",
        "--arch",
        "chestnet-x",
        "--weights",
        text(&weights),
        "--weight-bits",
        "8",
        "--calibrate",
        text(&xrays),
        "--out",
        text(&out),
    ];
    let key = ["--key-file", text(&vault.key)];
    fails(
        &run(&[&import[..], &["--seal"]].concat()),
        2,
        "say where the key is",
    );
    fails(&run(&[&import[..], &key].concat()), 2, "say --seal too");
    assert!(!out.exists());
    let made = run(&[&import[..], &["--seal"], &key].concat());
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    assert!(fs::read(&out).expect("the file").starts_with(b"SEALBRAY"));
    assert!(out.with_file_name("new.public.json").exists());
    Vault::finding(&out, &key);
}
