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
        let (counted, wrapped) = run_integer_counting(&graph, &weights, &input).expect("it runs");
        if wrapped == 0 {
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
    let (output, wrapped) = run_integer_counting(&graph, &weights, &input).expect("it runs");
    assert_eq!(
        output,
        run_integer(&graph, &weights, &input).expect("it runs")
    );
    wrapped
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
