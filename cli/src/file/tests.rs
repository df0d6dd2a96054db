use super::*;

fn find(outputs: &[(&'static str, &Path)]) -> Outcome<Outputs> {
    Outputs::find(outputs, &[])
}

fn said<T: fmt::Debug>(outcome: Outcome<T>) -> String {
    outcome.expect_err("it must fail").to_string()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().expect("a folder");
    let names = entries.map(|e| {
        e.expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn files_are_written_together_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let [old, new, gone] = ["old", "new", "gone/file"].map(|name| folder.path().join(name));
    fs::write(&old, b"before").expect("a file");
    fs::create_dir(folder.path().join("gone")).expect("a folder");
    let outputs = find(&[("--a", &old), ("--b", &new), ("--c", &gone)]).expect("good places");
    // Nothing changes by trying.
    assert_eq!(names(folder.path()), ["gone", "old"]);
    assert_eq!(fs::read(&old).expect("there"), b"before");
    fs::remove_dir(folder.path().join("gone")).expect("it is empty");
    let error = said(outputs.write(&[b"after", b"new", b""]));
    assert!(error.contains("gone"), "{error}");
    assert_eq!(names(folder.path()), ["old"]);
    assert_eq!(fs::read(&old).expect("there"), b"before");

    let outputs = find(&[("--a", &old), ("--b", &new)]).expect("good places");
    outputs
        .write(&[b"after", b"new"])
        .expect("both can be written");
    assert_eq!(names(folder.path()), ["new", "old"]);
    assert_eq!(fs::read(&old).expect("there"), b"after");
    assert_eq!(fs::read(&new).expect("there"), b"new");
}

#[test]
fn places_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_folder = |name: &str| folder.path().join(name);
    fs::write(in_folder("file"), b"").expect("a file");
    for bad in ["", ".", "new/", "absent/new", "file/new"] {
        let path = in_folder(bad);
        let error = said(find(&[("--out", &path)]));
        assert!(error.contains("cannot write"), "{bad}: {error}");
    }
    // A name as long as names may be.
    let long = in_folder(&"n".repeat(255));
    let outputs = find(&[("--out", &long)]).expect("a good place");
    outputs.write(&[b"content"]).expect("it is written");
    assert_eq!(fs::read(&long).expect("there"), b"content");
}

#[test]
fn two_names_of_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("sub")).expect("a folder");
    fs::write(path("there"), b"").expect("a file");
    let mut pairs = vec![
        (path("new"), path("new")),
        (path("new"), path("./sub/../new")),
        (path("there"), path("sub/../there")),
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("there", path("link")).expect("a link");
        symlink("../new", path("sub/ahead")).expect("a link to nothing");
        symlink("sub", path("same")).expect("a link to a folder");
        fs::hard_link(path("there"), path("hard")).expect("a second name");
        pairs.extend([
            (path("there"), path("link")),
            (path("new"), path("sub/ahead")),
            (path("sub/x"), path("same/x")),
            (path("there"), path("hard")),
        ]);
    }
    for (a, b) in pairs {
        let error = said(find(&[("--out", &a), ("--public", &b)]));
        assert!(
            error.contains("--out and --public name the same file"),
            "{error}"
        );
        let inputs: [Named<'_>; 1] = [("--onnx", &b)];
        let error = said(Outputs::find(&[("--out", &a)], &inputs));
        assert!(error.contains("--out would overwrite"), "{error}");
    }
    assert!(find(&[("--out", &path("new")), ("--public", &path("sub/new"))]).is_ok());
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("sub")).expect("a folder");
    fs::write(path("sub/file"), b"before").expect("a file");
    symlink("sub/file", path("link")).expect("a link");
    symlink("sub/new", path("ahead")).expect("a link to nothing");
    for mode in [0o600, 0o640, 0o666, 0o755] {
        fs::set_permissions(path("sub/file"), fs::Permissions::from_mode(mode)).expect("mine");
        let (link, ahead) = (path("link"), path("ahead"));
        let outputs = find(&[("--out", &link), ("--public", &ahead)]).expect("good places");
        outputs
            .write(&[b"after", b"new"])
            .expect("they are written");
        assert_eq!(
            path("sub/file").metadata().expect("there").mode() & 0o7777,
            mode
        );
        assert!(link.is_symlink() && ahead.is_symlink());
        assert_eq!(names(&path("sub")), ["file", "new"]);
    }
    // A new file has the permissions of any other new file.
    let other = path("other");
    fs::write(&other, b"").expect("a file");
    let mode = |path: &Path| path.metadata().expect("there").mode();
    assert_eq!(mode(&path("sub/new")), mode(&other));
    // Devices are written to.
    let null = Path::new("/dev/null");
    let outputs = find(&[("--out", null), ("--public", &other)]).expect("good places");
    outputs
        .write(&[b"nothing", b"text"])
        .expect("they are written");
    assert!(!null.is_file() && null.exists());
    symlink("loop", path("loop")).expect("a link to itself");
    assert!(find(&[("--out", &path("loop"))]).is_err());
}

#[test]
fn names_without_their_ending() {
    for (name, left) in [
        ("net.bray", "net"),
        ("folder.x/net.BRAY", "net"),
        ("net-1.0", "net-1.0"),
        ("net-1.0.bray", "net-1.0"),
        (".bray", ".bray"),
        ("bray", "bray"),
        ("né.bray", "né"),
        ("\u{1fa7b}x", "\u{1fa7b}x"),
    ] {
        assert_eq!(stem(Path::new(name), ".bray"), left);
    }
}

#[test]
fn bounds_and_kinds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, b"12345").expect("a file");
    assert_eq!(read(&path, 5).expect("five bytes"), b"12345");
    assert!(read(&path, 4).is_err());
    assert!(read(folder.path(), 5).is_err());
}
