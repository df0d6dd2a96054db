//! The layering of ARCHITECTURE.md, held by the build's own metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom, lowest layer first. `testkit` is for tests only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ring-arith", &[]),
    ("channel", &[]),
    ("ot", &["ring-arith", "channel"]),
    ("sharing", &["ring-arith", "channel", "ot"]),
    ("nonlinear", &["ring-arith", "channel", "sharing"]),
    ("linear", &["ring-arith", "channel", "ot", "sharing"]),
    ("winograd", &["ring-arith", "channel", "sharing", "linear"]),
    ("xop", &["ring-arith", "channel", "linear", "winograd"]),
    (
        "nets",
        &[
            "ring-arith",
            "channel",
            "sharing",
            "nonlinear",
            "linear",
            "winograd",
            "xop",
        ],
    ),
    ("onnx", &["nets"]),
    ("images", &["nets"]),
    (
        "cli",
        &[
            "channel",
            "ot",
            "sharing",
            "nonlinear",
            "nets",
            "onnx",
            "images",
        ],
    ),
    ("testkit", &["ring-arith", "channel", "sharing"]),
    ("tests", &[]),
];

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(tests::WORKSPACE)
        .output()
        .expect("cargo metadata runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON")
}

fn packages(metadata: &Value) -> BTreeMap<String, &Value> {
    let list = metadata["packages"].as_array().expect("packages");
    list.iter()
        .map(|p| (folder(p["name"].as_str().expect("name")), p))
        .collect()
}

/// The folder of a package: `blindray-ot` is in `ot`, the program `blindray` in `cli`.
fn folder(package: &str) -> String {
    match package.strip_prefix("blindray") {
        Some("") => "cli".to_owned(),
        Some(rest) => rest.trim_start_matches('-').to_owned(),
        None => package.to_owned(),
    }
}

#[test]
fn edges_only_point_downwards() {
    let metadata = metadata();
    let packages = packages(&metadata);
    let listed: BTreeSet<_> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(packages.keys().cloned().collect::<BTreeSet<_>>(), listed);

    for (name, allowed) in ALLOWED {
        for dependency in packages[*name]["dependencies"].as_array().expect("list") {
            let on = folder(dependency["name"].as_str().expect("name"));
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if dependency["path"].is_null() || for_tests {
                continue;
            }
            assert!(
                allowed.contains(&on.as_str()),
                "{name} must not depend on {on}"
            );
        }
    }
}

#[test]
fn testkit_is_for_tests_only() {
    let metadata = metadata();
    for (name, package) in packages(&metadata) {
        for dependency in package["dependencies"].as_array().expect("list") {
            if dependency["name"].as_str() == Some("blindray-testkit") {
                assert_eq!(dependency["kind"].as_str(), Some("dev"), "{name}");
            }
        }
    }
}

#[test]
fn manifests_inherit_from_the_workspace() {
    let root = std::path::Path::new(tests::WORKSPACE);
    for (name, _) in ALLOWED {
        let text = std::fs::read_to_string(root.join(name).join("Cargo.toml")).expect("manifest");
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{name} has its own lints"
        );
        for key in ["version", "edition", "rust-version", "license", "authors"] {
            assert!(
                text.contains(&format!("{key}.workspace = true")),
                "{name} does not inherit {key}"
            );
        }
        for line in text.lines().skip_while(|l| !l.ends_with("dependencies]")) {
            assert!(
                !line.contains("version ="),
                "{name} pins a version of its own: {line}"
            );
        }
    }
}
