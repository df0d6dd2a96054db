//! Public parts of models that are made to take memory.

use nets::{MAX_PUBLIC_BYTES, PublicModel};

/// A public part with these labels and nodes.
fn part(labels: &str, nodes: &str) -> Vec<u8> {
    let preprocessing =
        r#"{"shape":{"channels":1,"height":1,"width":1},"mean":["0.5"],"std":["0.5"]}"#;
    let head = r#""name":"m","arch":"a","head":"softmax""#;
    format!(r#"{{{head},"preprocessing":{preprocessing},"labels":[{labels}],"graph":[{nodes}]}}"#)
        .into_bytes()
}

/// As many copies as fit into a public part.
fn many(copy: &str) -> String {
    let n = (MAX_PUBLIC_BYTES - 1000) / (copy.len() + 1);
    vec![copy; n].join(",")
}

#[test]
fn values_are_counted_before_they_are_kept() {
    let junk = |value| {
        format!(
            r#"{{"name":"","op":"relu","junk":[{}],"inputs":[0]}}"#,
            many(value)
        )
    };
    let parts = [
        part(&many(r#""""#), ""),
        part("", &many(r#"{"name":"","op":"relu","inputs":[0]}"#)),
        part("", &junk("0")),
        part("", &junk("{}")),
        part("", &junk("[[[[[[[[]]]]]]]]")),
    ];
    for part in parts {
        assert!(part.len() <= MAX_PUBLIC_BYTES);
        let error = PublicModel::from_json(&part).expect_err("too many values");
        let said = error.to_string();
        assert!(said.ends_with("values"), "{said}");
    }
    let long = part(
        &many(r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#),
        "",
    );
    assert!(PublicModel::from_json(&long).is_err());
    let error = PublicModel::from_json(&vec![b' '; MAX_PUBLIC_BYTES + 1]);
    assert!(error.expect_err("too long").to_string().contains("bytes"));
}
