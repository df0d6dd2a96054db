//! What the documents say twice, or of every crate, is the same everywhere.

use std::collections::BTreeSet;

use tests::{folder, metadata, table, text};

/// The members of the workspace by their folders.
fn members() -> BTreeSet<String> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let names = packages.iter().map(|p| p["name"].as_str().expect("a name"));
    names.map(folder).collect()
}

/// What stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn every_crate_is_in_the_tables_of_crates() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        let rows = table(&text(document), "| crate |");
        let named: Vec<String> = rows.iter().flat_map(|row| code(&row[0])).collect();
        let distinct: BTreeSet<String> = named.iter().cloned().collect();
        assert_eq!(
            distinct.len(),
            named.len(),
            "{document} names a crate twice"
        );
        assert_eq!(distinct, members(), "{document}");
    }
}

#[test]
fn every_readme_is_the_front_page_of_its_crate() {
    for member in members() {
        if member == "tests" {
            continue;
        }
        let readme = text(format!("{member}/README.md"));
        let first = readme.lines().next().unwrap_or_default();
        assert!(first.starts_with("# "), "{member}: {first}");
        let lib = text(format!("{member}/src/lib.rs"));
        let included = lib.contains("#![doc = include_str!(\"../README.md\")]");
        assert!(included, "{member}");
    }
}

#[test]
fn readme_and_benchmarks_have_the_same_ablation() {
    let [readme, benchmarks] = ["README.md", "BENCHMARKS.md"].map(text);
    let rows = table(&readme, "| lever |");
    assert_eq!(rows.len(), 22);
    assert_eq!(rows, table(&benchmarks, "| lever |"));
    let header = |document: &str| {
        let mut lines = document.lines();
        lines
            .find(|line| line.starts_with("| lever |"))
            .map(str::to_owned)
    };
    assert_eq!(header(&readme), header(&benchmarks));
}

/// The number that a text begins with or contains first, separators of thousands left out.
fn number(text: &str) -> f64 {
    let start = text.find(|c: char| c.is_ascii_digit()).expect("a number");
    let digits = text[start..].chars().filter(|c| *c != ',');
    let digits = digits.take_while(|c| c.is_ascii_digit() || *c == '.');
    let digits: String = digits.collect();
    digits.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Megabytes as README.md writes them, with the unit and as many decimals as `like` has.
fn rounded(megabytes: f64, like: &str) -> String {
    let (digits, unit) = like.split_once(' ').expect("a unit");
    let value = if unit == "GB" {
        megabytes / 1000.0
    } else {
        megabytes
    };
    let decimals = digits.split_once('.').map_or(0, |(_, d)| d.len());
    format!("{value:.decimals$} {unit}")
}

#[test]
fn trained_networks_cost_the_same_in_both() {
    let measured = table(
        &text("BENCHMARKS.md"),
        "| network | w, activations | COTs by | online up / down |",
    );
    let told = table(&text("README.md"), "| network | traffic, refill and keys");
    assert!(told.len() >= 4);
    for row in told {
        let found = |m: &Vec<String>| !m[0].is_empty() && row[0].starts_with(&m[0]);
        let found = measured.iter().position(found);
        let found = found.unwrap_or_else(|| panic!("{} is not in BENCHMARKS.md", row[0]));
        // By SoftSpokenOT, and in the next row by silent OT.
        for (found, told) in measured[found..].iter().zip([&row[1..3], &row[3..5]]) {
            let (up, down) = found[3].split_once('/').expect("up / down");
            let total = number(up) + number(down) + number(&found[4]) + number(&found[5]);
            assert_eq!(rounded(total, &told[0]), told[0], "{}", row[0]);
            assert_eq!(found[7], told[1], "{}", row[0]);
        }
    }
}

/// The widths behind the rows of "What it costs" stand in BENCHMARKS.md too, where tests of `nonlinear` hold them.
#[test]
fn formulas_have_the_values_of_the_table_by_width() {
    let told = table(&text("README.md"), "| operation | traffic, both ways |");
    let by_width = table(&text("BENCHMARKS.md"), "| protocol |");
    let told = |name: &str| -> &str {
        let row = told.iter().find(|row| row[0].starts_with(name));
        &row.unwrap_or_else(|| panic!("no {name}"))[1]
    };
    // At 32 bits: online, and with 32 bits of refill for each COT.
    for (name, protocol) in [
        ("ReLU, ", "ReLU"),
        ("faithful truncation by 12", "faithful truncation by 12"),
        (
            "exact truncate-and-reduce by 12",
            "exact truncate-and-reduce by 12",
        ),
    ] {
        let row = by_width.iter().find(|row| row[0] == protocol);
        let cell = &row.unwrap_or_else(|| panic!("no {protocol}"))[2];
        let (online, whole) = cell.split_once(" / ").expect("online / with refill");
        let cots = (number(whole) - number(online)) / 32.0;
        let expected = format!("{online} bits and {cots} COTs: {whole} bits");
        assert!(told(name).starts_with(&expected), "{name}: {expected}");
    }
    let bits: u32 = (0..12).map(|j| 32 - j).sum();
    assert_eq!(
        told("convolution by OT"),
        format!("Σ_{{j<w}} (ℓ − j) bits: {bits} at w = 12, ℓ = 32")
    );
}
