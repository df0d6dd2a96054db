//! What an import says of networks that it could not make well.

use import::{Fault, ImportOptions, Rounding, WeightBits, quantise};
use nets::{FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors};

const SIDE: usize = 6;

/// A layer without a bias and a rectifier, and another such layer: black gives 0, exactly.
fn source() -> Source {
    let shape = Shape::new(1, SIDE, SIDE);
    let mut state = 5_u32;
    let mut weights = |shape: [usize; 2]| {
        let value = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
        };
        let values = (0..shape[0] * shape[1]).map(value).collect();
        Tensor::new(shape.to_vec(), values)
    };
    let mut tensors = Tensors::new();
    tensors.insert("a", weights([8, shape.len()]));
    tensors.insert("b", weights([3, 8]));
    let layer = |out_features, weight: &str| Op::Linear {
        out_features,
        weight: weight.into(),
        bias: None,
    };
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("flat", Op::Flatten, &[0]);
    graph.push("a", layer(8, "a"), &[1]);
    graph.push("relu", Op::Relu, &[2]);
    graph.push("b", layer(3, "b"), &[3]);
    Source {
        arch: "black".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.0], vec![1.0]),
        labels: ["a", "b", "c"].map(String::from).to_vec(),
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

/// Eight images; those at the places of a list are black.
fn images(black: &[usize]) -> Vec<Vec<f32>> {
    let pixel =
        |i: usize, p: usize| f32::from(u8::try_from((37 * p + 101 * i) % 256).expect("a byte"));
    let image = |i: usize| match black.contains(&i) {
        true => vec![0.0; SIDE * SIDE],
        false => (0..SIDE * SIDE).map(|p| pixel(i, p) / 255.0).collect(),
    };
    (0..8).map(image).collect()
}

/// The accuracy that was not held, if there is one.
fn missed(accuracy: f64, black: &[usize]) -> Option<f64> {
    let options = ImportOptions {
        weight_bits: WeightBits::Auto { accuracy },
        rounding: Rounding::Nearest,
        ..ImportOptions::default()
    };
    let (_, report) = quantise(&source(), &images(black), &options).expect("it imports");
    assert_eq!(report.held_out, 2);
    let found = report.faults.iter().find_map(|fault| match fault {
        Fault::Accuracy { found, .. } => Some(*found),
        _ => None,
    });
    assert_eq!(
        found.is_some(),
        report.max_probability_difference > accuracy
    );
    found
}

/// The images at places 3 and 7 are not shown to the rounding of weights and are compared first. Here these are black, on which no
/// width is wrong; on the others no width is as near as this.
#[test]
fn an_accuracy_holds_on_images_that_were_seen_too() {
    let found = missed(1e-9, &[3, 7]).expect("it is not held on the other images");
    assert!(found > 1e-9, "{found}");
    // And the other way round.
    assert!(missed(1e-9, &[0, 1, 2, 4, 5, 6]).is_some());
    assert!(missed(0.01, &[3, 7]).is_none());
    assert!(missed(0.01, &[]).is_none());
}
