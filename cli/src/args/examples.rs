//! Examples of help texts and of documents, held against the parser.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};

use crate::args::Cli;

/// The commands of this program in lines that a shell reads. What stands for something is replaced by such a thing.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut script = script.replace("\\\n", " ");
    for (stands, thing) in [
        ("5f3c…", "5f".repeat(32)),
        ("HASH", "5f".repeat(32)),
        ("SHA256:…", format!("SHA256:{}", "A".repeat(43))),
        (
            "$(blindray identity show -q company.pem)",
            format!("SHA256:{}", "A".repeat(43)),
        ),
    ] {
        script = script.replace(stands, &thing);
    }
    let mut all = Vec::new();
    let mut open = String::new();
    for line in script.lines() {
        open += line;
        open.push('\n');
        // Until its quotes are closed.
        let Some(words) = shlex::split(&open) else {
            continue;
        };
        open.clear();
        let ends = |word: &String| matches!(word.as_str(), ">" | "|" | "&" | "&&" | ";" | "||");
        for words in words.split(ends) {
            let is_set =
                |word: &&String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
            let words = words.iter().skip_while(is_set).cloned();
            let words: Vec<String> = words.collect();
            if words.first().is_some_and(|word| word == "blindray") {
                all.push(words);
            }
        }
    }
    assert!(open.is_empty(), "quotes have ends: {open}");
    all
}

/// As variables of the environment have it.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// The parser takes it.
fn is_command(mut words: Vec<String>, place: &str) {
    if words.iter().any(|word| word == "--config") {
        // The file says it.
        words.extend(["--model", "net.bray"].map(str::to_owned));
    }
    if let Err(error) = Cli::try_parse_from(&words) {
        use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
        let shown = matches!(error.kind(), DisplayHelp | DisplayVersion);
        assert!(shown, "{place}: {words:?}: {error}");
    }
}

/// Every example of a help text is a command of this program, on lines that an 80-column terminal does not wrap.
#[test]
fn of_help() {
    let program = Cli::command();
    let all = program.get_subcommands().chain([&program]);
    let mut count = 0;
    for command in all {
        let Some(help) = command.get_after_help() else {
            continue;
        };
        let text = help.to_string();
        let lines = text.lines().filter(|line| line.starts_with("  "));
        let lines = lines.collect::<Vec<_>>();
        for line in &lines {
            assert!(line.chars().count() < 80, "too long to be pasted: {line}");
        }
        for words in commands(&lines.join("\n")) {
            is_command(words, command.get_name());
            count += 1;
        }
    }
    assert!(count > 50, "{count} examples");
}

/// Every command of this program in a document of the repository is one, as far as the documents are there: a package has but its own.
#[test]
fn of_documents() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut count = 0;
    for path in documents(&repository) {
        let text = fs::read_to_string(&path).expect("a document");
        // What stands between fences of a shell.
        for block in text.split("\n```sh\n").skip(1) {
            let (script, _) = block.split_once("\n```").expect("fences have ends");
            for words in commands(script) {
                is_command(words, &path.display().to_string());
                count += 1;
            }
        }
    }
    let whole = repository.join("deploy").exists();
    assert!(count > if whole { 40 } else { 15 }, "{count} examples");
}

/// The units of systemd and the containers begin with one as well.
#[test]
fn of_deployments() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/blindray.service");
    let Ok(unit) = fs::read_to_string(unit) else {
        return;
    };
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start = start.expect("it starts something");
    let all = commands(&start.replace("/usr/local/bin/blindray", "blindray"));
    assert_eq!(all.len(), 1, "{start}");
    all.into_iter()
        .for_each(|words| is_command(words, "blindray.service"));
}

/// The Markdown of the repository: beside its root and each of its folders, and in their `docs`.
fn documents(repository: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut folders = vec![repository.to_owned()];
    let crates = entries(repository).into_iter();
    let crates = crates.filter(|path| path.join("README.md").exists());
    folders.extend(crates.flat_map(|path| [path.join("docs"), path]));
    let files = folders.iter().flat_map(|folder| entries(folder));
    let is_text = |path: &PathBuf| path.extension().is_some_and(|end| end == "md");
    files.filter(is_text).collect()
}
