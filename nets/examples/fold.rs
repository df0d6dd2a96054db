//! A small network of floats: built node by node, folded, and run before and after.
//!
//! `cargo run --release -p blindray-nets --example fold`

#![expect(clippy::print_stdout, reason = "an example prints")]

use nets::{FloatModel, GraphBuilder, Op, Operator as _, Shape, Tensor, Tensors, Window, fold};

fn main() -> Result<(), nets::Error> {
    // Parameters are tensors by name; nodes refer to them.
    let mut tensors = Tensors::new();
    for (name, shape) in [
        ("conv", &[8, 1, 3, 3][..]),
        ("gamma", &[8]),
        ("beta", &[8]),
        ("mean", &[8]),
        ("pointwise", &[4, 8, 1, 1]),
    ] {
        let values = (0..shape.iter().product()).map(|i: u8| f32::from(i % 5) / 4.0 - 0.5);
        tensors.insert(name, Tensor::new(widths(shape), values.collect()));
    }
    tensors.insert("var", Tensor::new(vec![8], vec![2.0; 8]));

    // A builder checks every node as it comes, and tells the first problem at the end.
    let mut graph = GraphBuilder::new();
    let input = Shape::new(1, 12, 12);
    let x = graph.push("input", Op::Input { shape: input }, &[]);
    let x = graph.push("conv", conv(8, 3, "conv"), &[x]);
    let [gamma, beta, mean, var] = ["gamma", "beta", "mean", "var"].map(String::from);
    let norm = Op::BatchNorm {
        gamma,
        beta,
        mean,
        var,
        eps: 1e-5,
    };
    let x = graph.push("norm", norm, &[x]);
    let x = graph.push("relu", Op::Relu, &[x]);
    let window = Window::square(2, 2, 0);
    let x = graph.push("max", Op::MaxPool { window }, &[x]);
    let x = graph.push("pointwise", conv(4, 1, "pointwise"), &[x]);
    graph.push("mean", Op::GlobalAvgPool, &[x]);
    let model = FloatModel {
        graph: graph.finish()?,
        tensors,
    };

    let folded = fold(&model)?;
    for (what, model) in [("as built", &model), ("folded", &folded)] {
        println!("{what}:");
        for (node, shape) in model.graph.nodes().iter().zip(model.graph.types()) {
            println!("  {:<10} {:<16} {shape}", node.name, node.op.name());
        }
    }

    let image: Vec<f32> = (0..144_u8).map(|i| f32::from(i % 7) / 3.0 - 1.0).collect();
    let (before, after) = (model.run(&image)?, folded.run(&image)?);
    println!("{before:?} before, {after:?} after");
    let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(before.iter().zip(&after).all(close));
    Ok(())
}

/// A convolution that keeps rows and columns.
fn conv(out_channels: usize, kernel: usize, weight: &str) -> Op {
    Op::Conv2d {
        out_channels,
        groups: 1,
        window: Window::square(kernel, 1, kernel / 2),
        weight: weight.into(),
        bias: None,
    }
}

fn widths(shape: &[u8]) -> Vec<usize> {
    shape.iter().map(|&n| n.into()).collect()
}
