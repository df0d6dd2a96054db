//! What wraps, and where it does harm.

use nets::{
    GraphBuilder, IntOp, Operator as _, PrivateWeights, Shape, Window, run_integer,
    run_integer_counting,
};
use proptest::prelude::*;
use tests::networks::ints;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Where nothing wrapped that is read, it makes no difference whether the values between are
    /// reduced: operations called modular are.
    #[test]
    fn what_is_not_read_may_wrap(seed: u64, range in 1..=40_u32) {
        let (graph, weights, mut input) = ints::network(seed);
        input.iter_mut().for_each(|v| *v >>= 64 - range);
        let (counted, counts) = run_integer_counting(&graph, &weights, &input).expect("it runs");
        if counts.wrapped == 0 {
            prop_assert_eq!(counted, run_integer(&graph, &weights, &input).expect("it runs"));
        }
    }
}

/// How many values wrap where it matters, in a chain of operations on two numbers of 16 bits.
fn wrapped(operations: &[&IntOp], input: [i64; 2]) -> usize {
    let mut graph = GraphBuilder::new();
    let first = IntOp::Input {
        shape: Shape::new(1, 1, 2),
        bits: 16,
        scale: 0,
    };
    let mut last = graph.push("input", first, &[]);
    for &op in operations.iter().chain([&&IntOp::Output]) {
        last = graph.push(op.name(), op.clone(), &[last]);
    }
    let graph = graph.finish().expect("a good graph");
    let weights = PrivateWeights::default();
    let (output, counts) = run_integer_counting(&graph, &weights, &input).expect("it runs");
    assert_eq!(
        output,
        run_integer(&graph, &weights, &input).expect("it runs")
    );
    counts.wrapped
}

#[test]
fn a_wrap_counts_where_numbers_are_read() {
    let narrow = &IntOp::Narrow { to: 4 };
    let sum = &IntOp::SumPool {
        window: Window::whole(Shape::new(1, 1, 2)),
    };
    // The client reads the output, and a comparison its input.
    assert_eq!(wrapped(&[narrow], [100, 7]), 1);
    assert_eq!(wrapped(&[narrow, &IntOp::Relu], [100, 7]), 1);
    // A sum of what wrapped is right if the sum fits, and wrong once if it does not.
    assert_eq!(wrapped(&[narrow, sum], [100, -97]), 0);
    assert_eq!(wrapped(&[narrow, sum], [100, 100]), 1);
    // Not so where a comparison comes first.
    assert_eq!(wrapped(&[narrow, &IntOp::Relu, sum], [100, -97]), 2);
    // An input beyond its ring.
    assert_eq!(wrapped(&[], [40_000, 1]), 1);
}

/// A maximum compares differences, which need a bit more than the values.
#[test]
fn a_wrong_maximum_counts() {
    let window = Window::whole(Shape::new(1, 1, 2));
    let pool = &IntOp::MaxPool { window };
    assert_eq!(wrapped(&[pool], [20_000, -12_000]), 0);
    assert_eq!(wrapped(&[pool], [20_000, -13_000]), 1);
    assert_eq!(
        wrapped(&[&IntOp::Flatten, &IntOp::ArgMax], [20_000, -12_000]),
        0
    );
    assert_eq!(
        wrapped(&[&IntOp::Flatten, &IntOp::ArgMax], [20_000, -13_000]),
        1
    );
}

#[test]
fn what_a_clip_cuts_off_counts() {
    let mut graph = GraphBuilder::new();
    let (shape, bits, scale) = (Shape::new(1, 1, 4), 16, 0);
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    graph.push("clip", IntOp::Clip { top: 6 }, &[0]);
    graph.push("output", IntOp::Output, &[1]);
    let graph = graph.finish().expect("a good graph");
    let found = run_integer_counting(&graph, &PrivateWeights::default(), &[-9, 6, 7, 40]);
    let (output, counts) = found.expect("it runs");
    assert_eq!(
        (output, counts.clipped, counts.wrapped),
        (vec![0, 6, 6, 6], 2, 0)
    );
}
