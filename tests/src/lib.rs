//! Tests that no single crate can hold: the layering of the workspace, the seeds of the fuzz targets, and the documents
//! that speak of several crates. End-to-end runs of two processes are in `cli/tests`, beside the program they start.

pub mod networks;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The root of the workspace.
pub const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What cargo says of the members of the workspace.
///
/// # Panics
/// When cargo does not run.
#[must_use]
pub fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(WORKSPACE)
        .output()
        .expect("cargo metadata runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON")
}

/// The folder of a package: `blindray-ot` is in `ot`, the program `blindray` in `cli`.
#[must_use]
pub fn folder(package: &str) -> String {
    match package.strip_prefix("blindray") {
        Some("") => "cli".to_owned(),
        Some(rest) => rest.trim_start_matches('-').to_owned(),
        None => package.to_owned(),
    }
}

/// The text of a file of the workspace.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(WORKSPACE).join(path);
    let read = std::fs::read_to_string(&path);
    read.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rows of the first table of a Markdown text whose header begins with `header`, as trimmed cells; the header is not
/// among them.
///
/// # Panics
/// When there is no such table.
#[must_use]
pub fn table(markdown: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = markdown.lines();
    let found = lines.any(|line| line.starts_with(header));
    assert!(found, "no table that begins with {header}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}
