//! Several outputs of one network, each with a head of its own.

use nets::{GraphBuilder, Head, IntOp, Opening, Part, Preprocessing, PublicModel, Shape};

fn part(name: &str, outputs: usize, head: Head) -> Part {
    Part {
        name: name.into(),
        outputs,
        head,
    }
}

/// Five outputs, which are the pixels, as a softmax over three and two of yes or no.
fn model(parts: Vec<Part>) -> PublicModel {
    let shape = Shape::new(1, 1, 5);
    let mut graph = GraphBuilder::new();
    let (bits, scale) = (16, 4);
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    graph.push("output", IntOp::Output, &[0]);
    PublicModel {
        name: "test".into(),
        arch: "test".into(),
        labels: (0..5).map(|i| i.to_string()).collect(),
        head: Head::Softmax,
        parts,
        preprocessing: Preprocessing::new(shape, vec![0.0], vec![1.0]),
        graph: graph.finish().expect("it fits"),
        opening: Opening::All,
        calibration: None,
    }
}

#[test]
fn probabilities_are_those_of_each_output() {
    let parts = vec![
        part("kind", 3, Head::Softmax),
        part("signs", 2, Head::Sigmoid),
    ];
    let model = model(parts);
    model.check().expect("it fits");
    let found = model.probabilities(&[1.0, 1.0, 1.0, 0.0, 100.0]);
    let third = 1.0 / 3.0;
    let expected = [third, third, third, 0.5, 1.0];
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-9),
        "{found:?}"
    );
    let read = PublicModel::from_json(&model.to_json()).expect("it is read");
    assert_eq!(read, model);
    // Less than all is opened of one output only.
    for opening in [Opening::Top, Opening::Rounded] {
        let error = model
            .opened(opening)
            .expect_err("there are several outputs");
        assert!(error.to_string().contains("several outputs"), "{error}");
        let lying = PublicModel {
            opening,
            ..model.clone()
        };
        assert!(lying.check().is_err());
    }
}

#[test]
fn parts_are_as_many_as_labels() {
    let softmax = |n| part("kind", n, Head::Softmax);
    for parts in [
        vec![softmax(3)],
        vec![softmax(3), softmax(3)],
        vec![softmax(5), softmax(0)],
        vec![softmax(usize::MAX), softmax(6)],
        vec![softmax(3), part(&"long".repeat(100), 2, Head::Sigmoid)],
    ] {
        assert!(model(parts).check().is_err());
    }
    model(Vec::new()).check().expect("one output has no parts");
}
