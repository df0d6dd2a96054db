//! What a shell and `man` read, and what a user is asked who mistyped.

use crate::support::{fails, run, text};

const COMMANDS: [&str; 12] = [
    "demo",
    "serve",
    "infer",
    "identity",
    "clear",
    "import",
    "plan",
    "bench",
    "doctor",
    "ps",
    "completions",
    "man",
];

fn printed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn shells_complete_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("max-traffic"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(run(&["man", "--out", text(folder.path())]).status.success());
    for command in COMMANDS {
        let page = printed(&["man", command]);
        assert!(
            page.contains(".TH") && page.contains("DESCRIPTION"),
            "{page}"
        );
        let file = folder.path().join(format!("blindray-{command}.1"));
        assert_eq!(std::fs::read_to_string(file).expect("a page"), page);
    }
    let new = printed(&["man", "identity", "new"]);
    let file = folder.path().join("blindray-identity-new.1");
    assert_eq!(std::fs::read_to_string(file).expect("a page"), new);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("blindray.1")).expect("a page"),
        printed(&["man"])
    );
    fails(&run(&["man", "inver"]), 2, "did you mean infer?");
}

#[test]
fn slips_of_the_fingers_are_asked_about() {
    fails(
        &run(&["plan", "--model", "chesnet"]),
        2,
        "did you mean chestnet?",
    );
    fails(
        &run(&["plan", "--model", "denset121"]),
        2,
        "did you mean densenet121?",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("ward.bray");
    std::fs::write(&there, "x").expect("written");
    let meant = format!("did you mean {}?", text(&there));
    let wrong = folder.path().join("wrad.bray");
    fails(&run(&["plan", "--model", text(&wrong)]), 2, &meant);
    let image = crate::support::xray();
    let infer = ["infer", "--input", text(&image), "--connect"];
    fails(
        &run(&[&infer[..], &["http://localhost:7711/"]].concat()),
        2,
        "did you mean localhost:7711?",
    );
}
