//! The files of `deploy/` say what this program understands.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::run;

/// What a file says, one option on a line.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        line.split([' ', '=', ':'])
            .next()
            .unwrap_or_default()
            .trim_matches('"')
    })
}

/// The part of a text between two lines.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).expect("its begin");
    rest.split_once(end).expect("its end").0
}

#[test]
fn options_are_those_of_serve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
    let [compose, systemd] = ["compose/serve.toml", "systemd/serve.toml"].map(read);
    let (values, helpers) = (
        read("chart/values.yaml"),
        read("chart/templates/_helpers.tpl"),
    );
    let of_values = between(&values, "\noptions:\n", "\n\n");
    let of_chart = between(&helpers, "$options := dict\n", "\n-}}");
    let of_unit = read("systemd/blindray.service");
    let of_unit: Vec<_> = of_unit
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .collect();
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).expect("UTF-8");
    let known: Vec<_> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .collect();
    let mut count = 0;
    for text in [&*compose, &systemd, of_values, of_chart] {
        for option in options(text) {
            assert!(known.contains(&option), "there is no --{option}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} options");
    for option in of_unit {
        assert!(known.contains(&option), "there is no --{option}");
    }
}

/// By the programs that they are for, as far as these are there.
#[cfg(unix)]
#[test]
fn files_are_well_formed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/check.sh");
    let output = Command::new("sh").arg(script).stdin(Stdio::null()).output();
    let output = output.expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    for line in said.lines().filter(|line| line.starts_with("SKIPPED")) {
        eprintln!("{line}");
    }
}
