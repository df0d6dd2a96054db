//! Inputs in their orders, with their batches, and in their types.

mod common;

use common::{Attr, File};
use nets::Shape;

fn image(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| f32::from(u16::try_from(i).expect("small")))
        .collect()
}

/// Rows, columns and channels are an order of the same values: the network takes channels first.
#[test]
fn channels_may_come_last() {
    let turned = |dims: &[i64]| {
        File::new(dims)
            .floats("w", &[1, 3, 1, 1], &[1.0, 10.0, 100.0])
            .node("Transpose", "x", "t", &[Attr::Ints("perm", &[0, 3, 1, 2])])
            .node("Conv", "t w", "y", &[])
    };
    let network = turned(&[1, 2, 2, 3]).load().expect("it loads");
    assert_eq!(*network.model.graph.input(), Shape::new(3, 2, 2));
    let found = network.model.run(&image(12)).expect("it runs");
    assert_eq!(found, [840.0, 951.0, 1062.0, 1173.0]);
    assert!(network.notes[0].contains("rows, columns and channels"));
    // Without a transposition, where the shape says so; the sum goes along channels.
    let last = File::new(&[1, 8, 9, 3])
        .floats("w", &[3], &[1.0, 10.0, 100.0])
        .ints("axis", &[3])
        .node("Mul", "x w", "m", &[])
        .node("ReduceSum", "m axis", "y", &[Attr::Int("keepdims", 0)]);
    let network = last.load().expect("it loads");
    assert_eq!(*network.model.graph.input(), Shape::new(3, 8, 9));
    let found = network.model.run(&image(3 * 72)).expect("it runs");
    let expected = |i: f32| i + 10.0 * (i + 72.0) + 100.0 * (i + 144.0);
    let near = |(i, v): (f32, &f32)| (v - expected(i)).abs() < 0.1;
    assert!(image(72).into_iter().zip(&found).all(near));
    // A flatten of channels that come last is an order of the weights.
    let weights: Vec<f32> = image(12);
    let flat = File::new(&[1, 3, 2, 2])
        .floats("w", &[12, 1], &weights)
        .ints("flat", &[1, -1])
        .node("Transpose", "x", "t", &[Attr::Ints("perm", &[0, 2, 3, 1])])
        .node("Reshape", "t flat", "f", &[])
        .node("MatMul", "f w", "y", &[]);
    // Channel c of pixel p stands at 4·c + p, and its weight at 3·p + c.
    let sum: f32 = (0..12)
        .map(|i| image(12)[i] * weights[i % 4 * 3 + i / 4])
        .sum();
    assert_eq!(flat.run(&image(12)), [sum]);
}

#[test]
fn batches_are_open_or_taken_apart() {
    let network = |batch: i64| {
        File::new(&[batch, 1, 2, 2])
            .ints("flat", &[batch, 4])
            .floats("w", &[4, 2], &[1.0; 8])
            .node("Relu", "x", "r", &[])
            .node("Reshape", "r flat", "f", &[])
            .node("MatMul", "f w", "y", &[])
    };
    for batch in [1, -1, 8] {
        assert_eq!(network(batch).run(&image(4)), [6.0, 6.0], "{batch}");
    }
    let notes = network(8).load().expect("it loads").notes;
    assert!(notes[0].contains("made for 8 images"), "{notes:?}");
    // As the new exporter writes a flatten: a list of all values, from which each image takes its own.
    let strided = |indices: &[i64]| {
        File::new(&[2, 1, 2, 2])
            .ints("list", &[8])
            .ints("flat", indices)
            .ints("rows", &[2, 4])
            .node("Reshape", "x list", "l", &[])
            .node("Reshape", "flat rows", "i", &[])
            .node("Gather", "l i", "y", &[])
    };
    let found = strided(&[3, 1, 2, 0, 7, 5, 6, 4]).run(&image(4));
    assert_eq!(found, [3.0, 1.0, 2.0, 0.0]);
    let error = strided(&[3, 1, 2, 0, 7, 5, 6, 3]).error();
    assert!(error.contains("mixes the images"), "{error}");
    // Whatever mixes images is refused.
    let mixes: [fn(File) -> File; 8] = [
        |f| f.ints("s", &[1, -1]).node("Reshape", "x s", "y", &[]),
        |f| f.node("Flatten", "x", "y", &[Attr::Int("axis", 0)]),
        |f| f.node("Unsqueeze", "x a", "y", &[]),
        |f| f.node("ReduceMean", "x a", "y", &[Attr::Int("keepdims", 0)]),
        |f| f.node("Concat", "x x", "y", &[Attr::Int("axis", 0)]),
        |f| f.node("Transpose", "x", "y", &[Attr::Ints("perm", &[1, 0, 2, 3])]),
        |f| f.ints("s", &[-1]).node("Reshape", "x s", "y", &[]),
        |f| {
            let f = f.ints("s", &[-1]).node("Reshape", "x s", "l", &[]);
            f.ints("i", &[0, 1, 2, 3, 4, 5, 6, 7])
                .node("Gather", "l i", "y", &[])
        },
    ];
    for mix in mixes {
        let file = File::new(&[8, 1, 2, 2]).ints("a", &[0]).opset(18);
        let error = mix(file).error();
        assert!(error.contains("mixes the images"), "{error}");
    }
}

#[test]
fn shapes_that_are_not_there_are_told() {
    for (dims, told) in [
        (&[1, 3, -1, 32][..], "[1, 3, -1, 32]"),
        (&[1, 2, 3, 4, 5], "[1, 2, 3, 4, 5]"),
        (&[7], "[7]"),
    ] {
        let error = File::new(dims).node("Relu", "x", "y", &[]).error();
        assert!(
            error.contains(told) && error.contains("expected"),
            "{error}"
        );
    }
}
