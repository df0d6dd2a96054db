//! The layering of ARCHITECTURE.md, held by the build's own metadata.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::{folder, metadata, text};

/// Who may depend on whom, lowest layer first. `testkit` is for tests only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ring-arith", &[]),
    ("channel", &[]),
    ("ot", &["ring-arith", "channel"]),
    ("rlwe", &["ring-arith"]),
    ("sharing", &["ring-arith", "channel", "ot"]),
    ("nonlinear", &["ring-arith", "channel", "sharing"]),
    (
        "linear",
        &["ring-arith", "channel", "ot", "rlwe", "sharing"],
    ),
    ("winograd", &["ring-arith", "channel", "sharing", "linear"]),
    ("xop", &["ring-arith", "channel", "linear", "winograd"]),
    ("nets", &["ring-arith"]),
    ("backbones", &["linear", "nets", "xop"]),
    ("import", &["ring-arith", "nets"]),
    (
        "secure",
        &[
            "ring-arith",
            "channel",
            "ot",
            "sharing",
            "nonlinear",
            "linear",
            "winograd",
            "xop",
            "nets",
        ],
    ),
    ("onnx", &["nets"]),
    ("images", &["nets"]),
    ("identity", &["channel"]),
    ("sealed", &[]),
    (
        "service",
        &[
            "channel",
            "ot",
            "sharing",
            "nonlinear",
            "linear",
            "nets",
            "secure",
            "sealed",
        ],
    ),
    ("store", &["service"]),
    (
        "cli",
        &[
            "channel",
            "ot",
            "sharing",
            "linear",
            "winograd",
            "nets",
            "backbones",
            "import",
            "secure",
            "onnx",
            "images",
            "identity",
            "sealed",
            "service",
            "store",
        ],
    ),
    ("testkit", &["ring-arith", "channel", "sharing", "linear"]),
    (
        "tests",
        &[
            "channel",
            "sharing",
            "nets",
            "backbones",
            "import",
            "secure",
            "onnx",
            "testkit",
        ],
    ),
];

/// Crates that are not published.
const PRIVATE: [&str; 2] = ["testkit", "tests"];

fn packages(metadata: &Value) -> BTreeMap<String, &Value> {
    let list = metadata["packages"].as_array().expect("packages");
    list.iter()
        .map(|p| (folder(p["name"].as_str().expect("name")), p))
        .collect()
}

#[test]
fn edges_are_those_of_the_list() {
    let metadata = metadata();
    let packages = packages(&metadata);
    let listed: BTreeSet<_> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(packages.keys().cloned().collect::<BTreeSet<_>>(), listed);

    let root = text("Cargo.toml");
    // Where it stands among the members of the workspace.
    let order = |member: &str| {
        root.find(&format!("\n    \"{member}\",\n"))
            .expect("a member")
    };
    for (name, allowed) in ALLOWED {
        let mut used = BTreeSet::new();
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
            used.insert(on);
        }
        // Lowest first is the order in which packages are published.
        for on in *allowed {
            assert!(order(on) < order(name), "{on} must stand before {name}");
        }
        // A list that allows more than is needed says nothing.
        let allowed: BTreeSet<String> = allowed.iter().map(|on| (*on).to_owned()).collect();
        assert_eq!(used, allowed, "{name}");
    }
}

#[test]
fn testkit_is_for_tests_only() {
    let metadata = metadata();
    for (name, package) in packages(&metadata) {
        for dependency in package["dependencies"].as_array().expect("list") {
            let on_testkit = dependency["name"].as_str() == Some("blindray-testkit");
            if on_testkit && name != "tests" {
                assert_eq!(dependency["kind"].as_str(), Some("dev"), "{name}");
            }
        }
    }
}

#[test]
fn manifests_inherit_from_the_workspace() {
    for (name, _) in ALLOWED {
        let text = text(format!("{name}/Cargo.toml"));
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

/// What <https://doc.rust-lang.org/cargo/reference/manifest.html> and the registry ask of a package.
#[test]
fn packages_can_be_published() {
    let metadata = metadata();
    for (name, package) in packages(&metadata) {
        let private = PRIVATE.contains(&name.as_str());
        let publish = &package["publish"];
        assert_eq!(
            publish.as_array().map(Vec::len),
            private.then_some(0),
            "{name}"
        );
        if private {
            continue;
        }
        for key in ["description", "license", "readme", "rust_version"] {
            assert!(
                !package[key].as_str().unwrap_or_default().is_empty(),
                "{name}: {key}"
            );
        }
        // Links to the files of the root, which a package takes along as files.
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert_eq!(text(format!("{name}/{licence}")), text(licence), "{name}");
        }
        let keywords = package["keywords"].as_array().expect("a list");
        assert!((1..=5).contains(&keywords.len()), "{name}");
        for keyword in keywords {
            let keyword = keyword.as_str().expect("text");
            let plain = keyword
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'));
            assert!(plain && keyword.len() <= 20, "{name}: {keyword}");
        }
        let categories = package["categories"].as_array().expect("a list");
        assert!((1..=5).contains(&categories.len()), "{name}");
        for category in categories {
            let category = category.as_str().expect("text");
            assert!(CATEGORIES.contains(&category), "{name}: {category}");
        }
    }
}

/// Those of the registry's categories (<https://crates.io/category_slugs>) that are in use here; it refuses others.
const CATEGORIES: [&str; 7] = [
    "command-line-utilities",
    "cryptography",
    "mathematics",
    "multimedia::images",
    "network-programming",
    "parser-implementations",
    "science",
];

/// A path dependency without a version cannot be published, unless it is for tests only, where it is left out. So
/// it has to be where it is on a package that comes later, which the registry does not have yet.
#[test]
fn dependencies_within_the_workspace_have_versions() {
    let metadata = metadata();
    let root = text("Cargo.toml");
    let place = |member: &str| root.find(&format!("\n    \"{member}\",\n"));
    for (name, package) in packages(&metadata) {
        for dependency in package["dependencies"].as_array().expect("a list") {
            if dependency["path"].is_null() || PRIVATE.contains(&name.as_str()) {
                continue;
            }
            let versioned = dependency["req"].as_str() != Some("*");
            let on = folder(dependency["name"].as_str().expect("a name"));
            let left_out = PRIVATE.contains(&on.as_str()) || place(&on) > place(&name);
            assert_eq!(versioned, !left_out, "{name} on {on}");
        }
    }
}
