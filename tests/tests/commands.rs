//! The commands that documents and comments give name what there is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tests::{WORKSPACE, folder, metadata, text};

/// Files of the workspace with one of these endings, builds left out.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(WORKSPACE)];
    let mut found = Vec::new();
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(&path).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found
}

/// Packages, and their targets as `package kind name`.
fn targets() -> BTreeSet<String> {
    let metadata = metadata();
    let mut targets = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        targets.insert(name.to_owned());
        for target in package["targets"].as_array().expect("targets") {
            let kind = target["kind"][0].as_str().expect("a kind");
            let target = target["name"].as_str().expect("a name");
            targets.insert(format!("{name} {kind} {target}"));
        }
    }
    targets
}

/// What the commands of a line need: a package, and a target of it.
fn needs(line: &str) -> Vec<String> {
    let mut needs = Vec::new();
    for verb in ["cargo run ", "cargo test ", "cargo bench "] {
        for command in line.split(verb).skip(1) {
            let end = |c: char| matches!(c, '`' | '"' | '#' | '&' | ')');
            let command = command.split(end).next().unwrap_or_default();
            // What follows is for the program itself.
            let command = command.split(" -- ").next().unwrap_or_default();
            let words: Vec<&str> = command.split_whitespace().collect();
            let after = |flag: &str| {
                let at = words.iter().position(|&word| word == flag)?;
                words.get(at + 1).copied()
            };
            let package = after("-p").unwrap_or("blindray");
            needs.push(package.to_owned());
            for (flag, kind) in [
                ("--example", "example"),
                ("--test", "test"),
                ("--bench", "bench"),
            ] {
                needs.extend(after(flag).map(|name| format!("{package} {kind} {name}")));
            }
        }
    }
    needs
}

#[test]
fn commands_name_what_there_is() {
    let targets = targets();
    let mut count = 0;
    for path in files(&[".md", ".rs"]) {
        if path.ends_with(Path::new(file!()).file_name().expect("a file")) {
            continue;
        }
        for line in text(&path).lines() {
            for need in needs(line) {
                assert!(
                    targets.contains(&need),
                    "{}: no {need}: {line}",
                    path.display()
                );
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} commands are found");
}

/// Every example says how it is run.
#[test]
fn examples_give_their_command() {
    for target in targets() {
        if let [package, "example", name] = target.split(' ').collect::<Vec<_>>()[..] {
            let source = text(format!("{}/examples/{name}.rs", folder(package)));
            let given = source.lines().any(|line| needs(line).contains(&target));
            assert!(given, "{target}");
        }
    }
}

#[test]
fn a_command_is_taken_apart() {
    let line =
        "x `cargo run -q -p a --example b -- --test c` and cargo test --test d -- --ignored # -p e";
    assert_eq!(
        needs(line),
        ["a", "a example b", "blindray", "blindray test d"]
    );
    assert_eq!(needs("cargo is a tool"), [""; 0]);
}
