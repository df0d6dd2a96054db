//! Graphs of either kind: what is refused, what is asked of them, and how one becomes another.

use nets::{Error, FloatGraph, GraphBuilder, IntGraph, IntOp, Node, Op, PathStep, Rewriter, Shape};
use proptest::prelude::*;
use tests::networks::ints::Rng;

const SHAPE: Shape = Shape::new(2, 3, 3);

fn node(name: &str, op: Op, inputs: &[usize]) -> Node<Op> {
    Node {
        name: name.into(),
        op,
        inputs: inputs.to_vec(),
    }
}

fn input() -> Node<Op> {
    node("input", Op::Input { shape: SHAPE }, &[])
}

/// A random graph of tensors of one shape, some of which may go nowhere.
fn random(rng: &mut Rng) -> FloatGraph {
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape: SHAPE }, &[]);
    for n in 1..=rng.pick(1, 11) {
        let mut some = || rng.pick(0, n - 1);
        let (a, b) = (some(), some());
        let (op, inputs) = match rng.pick(0, 3) {
            0 => (Op::Relu, vec![a]),
            1 => (Op::HardSwish, vec![a]),
            2 => (Op::Concat, vec![a]),
            _ => (Op::Add, vec![a, b]),
        };
        graph.push(format!("node{n}"), op, &inputs);
    }
    graph.finish().expect("every shape is the same")
}

/// The nodes that name `node` among their inputs, once for each time.
fn consumers(graph: &FloatGraph, node: usize) -> Vec<usize> {
    let all = graph.nodes().iter().enumerate();
    all.flat_map(|(i, n)| n.inputs.iter().filter(|&&x| x == node).map(move |_| i))
        .collect()
}

/// [`FloatGraph::all_paths_end`] path by path.
fn all_paths_end(graph: &FloatGraph, node: usize, step: &impl Fn(usize, &Op) -> PathStep) -> bool {
    let goes_on = |consumer: usize| match step(consumer, &graph.nodes()[consumer].op) {
        PathStep::Ends => true,
        PathStep::Passes => all_paths_end(graph, consumer, step),
        PathStep::Blocks => false,
    };
    node + 1 < graph.len() && consumers(graph, node).into_iter().all(goes_on)
}

/// Whether there is a path from `from` to `to`.
fn reaches(graph: &FloatGraph, from: usize, to: usize) -> bool {
    from == to
        || consumers(graph, from)
            .into_iter()
            .any(|t| reaches(graph, t, to))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn questions_are_answered_as_path_by_path(seed: u64, ends in 0_usize..4, blocks in 0_usize..4) {
        let graph = random(&mut Rng::new(seed));
        let names = ["relu", "hard-swish", "concat", "add"];
        let step = |_: usize, op: &Op| match nets::Operator::name(op) {
            name if name == names[ends] => PathStep::Ends,
            name if name == names[blocks] => PathStep::Blocks,
            _ => PathStep::Passes,
        };
        let found = graph.all_paths_end(step);
        for node in 0..graph.len() {
            prop_assert_eq!(found[node], all_paths_end(&graph, node, &step), "{} in {:?}", node, graph);
            prop_assert_eq!(graph.consumers(node), consumers(&graph, node));
            let sole = match *consumers(&graph, node) {
                [consumer] if node + 1 < graph.len() => Some(consumer),
                _ => None,
            };
            prop_assert_eq!(graph.sole_consumer(node), sole);
            let last = consumers(&graph, node).into_iter().max().unwrap_or(node);
            prop_assert_eq!(graph.last_use()[node], last);
            for (from, live) in graph.reaching(node).into_iter().enumerate() {
                prop_assert_eq!(live, from == 0 || reaches(&graph, from, node));
            }
        }
    }

    #[test]
    fn pruning_leaves_what_the_output_depends_on(seed: u64) {
        let rng = &mut Rng::new(seed);
        let graph = random(rng);
        let output = rng.pick(0, graph.len() - 1);
        let pruned = graph.pruned(output).expect("a part of a graph is one");
        let kept = (0..graph.len()).filter(|&n| n == 0 || reaches(&graph, n, output));
        let name = |graph: &FloatGraph, n: usize| graph.nodes()[n].name.clone();
        let names: Vec<String> = kept.map(|n| name(&graph, n)).collect();
        let found: Vec<String> = (0..pruned.len()).map(|n| name(&pruned, n)).collect();
        prop_assert_eq!(&found, &names);
        // Every node takes what it took.
        for new in pruned.nodes() {
            let old = graph.nodes().iter().find(|n| n.name == new.name).expect("an old node");
            let inputs = |graph: &FloatGraph, of: &[usize]| -> Vec<String> {
                of.iter().map(|&i| name(graph, i)).collect()
            };
            prop_assert_eq!(&new.op, &old.op);
            prop_assert_eq!(inputs(&pruned, &new.inputs), inputs(&graph, &old.inputs));
        }
        prop_assert_eq!(&pruned.pruned(pruned.len() - 1).expect("again"), &pruned);
    }

    #[test]
    fn a_graph_is_its_nodes(seed: u64) {
        let graph = random(&mut Rng::new(seed));
        let json = serde_json::to_string(&graph).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<FloatGraph>(&json).expect("it reads"), &graph);
        prop_assert_eq!(&FloatGraph::new(graph.nodes().to_vec()).expect("it was one"), &graph);
        prop_assert_eq!(format!("{graph:?}"), format!("{:?}", graph.nodes()));
    }
}

#[test]
fn what_is_no_graph_is_refused_by_name() {
    let relu = |inputs: &[usize]| node("it", Op::Relu, inputs);
    let clip = |top| node("it", Op::Clip { top }, &[0]);
    let leaky = |slope| node("it", Op::LeakyRelu { slope }, &[0]);
    let shape = |channels, height, width| Op::Input {
        shape: Shape::new(channels, height, width),
    };
    for (nodes, said) in [
        (vec![], "has no nodes"),
        (vec![relu(&[])], "is the input"),
        (vec![relu(&[0])], "is the input"),
        (vec![input(), node("it", shape(1, 1, 1), &[])], "no other"),
        (
            vec![node("it", shape(1, 1, 1), &[0])],
            "layer `it`: it takes 0 inputs",
        ),
        (vec![node("it", shape(1, 0, 1), &[])], "empty"),
        (
            vec![node("it", shape(usize::MAX, 2, 2), &[])],
            "is too large",
        ),
        (vec![input(), relu(&[])], "it takes 1 inputs"),
        (vec![input(), relu(&[0, 0])], "it takes 1 inputs"),
        (vec![input(), node("it", Op::Add, &[0])], "it takes 2"),
        (
            vec![input(), node("it", Op::Concat, &[])],
            "it takes an input",
        ),
        (vec![input(), relu(&[1])], "a later node"),
        (vec![input(), relu(&[usize::MAX])], "a later node"),
        (vec![input(), clip(0.0)], "it clips at 0"),
        (vec![input(), clip(f64::NAN)], "it clips at NaN"),
        (vec![input(), leaky(f64::INFINITY)], "its slope is inf"),
        (vec![input(), node("input", Op::Relu, &[0])], "this name"),
    ] {
        let error = FloatGraph::new(nodes).expect_err(said);
        assert!(matches!(error, Error::Shape { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}, not {said}");
    }
}

/// The first problem is told, whatever is pushed after it.
#[test]
fn the_first_problem_is_kept() {
    let mut graph = GraphBuilder::new();
    assert_eq!(graph.push("input", Op::Input { shape: SHAPE }, &[]), 0);
    assert_eq!(graph.push("first", Op::Add, &[0]), 1);
    assert_eq!(graph.push("second", Op::Clip { top: -1.0 }, &[0]), 2);
    assert_eq!(graph.push("sound", Op::Relu, &[0]), 3);
    assert_eq!(graph.nodes().len(), 4);
    let types: Vec<_> = (0..5).map(|n| graph.type_of(n).copied()).collect();
    assert_eq!(types, [Some(SHAPE), None, None, None, None]);
    let error = graph.finish().expect_err("two problems");
    assert_eq!(error.to_string(), "layer `first`: it takes 2 inputs");
}

#[test]
fn no_graph_has_too_many_nodes() {
    let chain = |n: usize| {
        let relus = (1..n).map(|i| node(&i.to_string(), Op::Relu, &[i - 1]));
        FloatGraph::new([input()].into_iter().chain(relus).collect())
    };
    assert_eq!(chain(1 << 16).expect("as many as may be").len(), 1 << 16);
    let error = chain((1 << 16) + 1).expect_err("one too many");
    assert!(error.to_string().contains("more than 65536"), "{error}");
}

#[test]
fn an_integer_graph_has_one_output_at_its_end() {
    let input = || IntOp::Input {
        shape: SHAPE,
        bits: 8,
        scale: 0,
    };
    let graph = |ops: &[IntOp]| {
        let mut graph = GraphBuilder::new();
        graph.push("input", input(), &[]);
        for (n, op) in ops.iter().enumerate() {
            graph.push(format!("node{n}"), op.clone(), &[n]);
        }
        graph.finish()
    };
    let (relu, output) = (IntOp::Relu, IntOp::Output);
    graph(&[relu.clone(), output.clone()]).expect("a network");
    for ops in [
        &[][..],
        std::slice::from_ref(&relu),
        &[output.clone(), output.clone()],
        &[output, relu.clone()],
    ] {
        let error = graph(ops).expect_err("no network");
        assert!(matches!(error, Error::Width { .. }), "{error}");
    }
}

#[test]
fn a_graph_is_rewritten_node_by_node() {
    let old = FloatGraph::new(vec![
        input(),
        node("first", Op::Relu, &[0]),
        node("idle", Op::Flatten, &[1]),
        node("sum", Op::Add, &[1, 1]),
        node("last", Op::Concat, &[2]),
    ])
    .expect("it fits");
    // As it is.
    let mut same = Rewriter::new(&old);
    (0..old.len()).for_each(|n| assert_eq!(same.keep(n), n));
    let (graph, places) = same.finish().expect("it was a graph");
    assert_eq!((&graph, places[3]), (&old, Some(3)));

    // To integers, with a node before the first, none for the second, and one left out.
    let mut rewriter: Rewriter<'_, Op, IntOp> = Rewriter::new(&old);
    let op = IntOp::Input {
        shape: SHAPE,
        bits: 8,
        scale: 0,
    };
    rewriter.put(0, op);
    let wide = rewriter.push("wide", IntOp::Extend { to: 12 }, &[0]);
    rewriter.stand_in(0, wide);
    rewriter.put(1, IntOp::Relu);
    rewriter.bypass(2);
    rewriter.put(4, IntOp::Output);
    assert_eq!(rewriter.new_graph().nodes().len(), 4);
    assert_eq!((rewriter.place(2), rewriter.inputs(4)), (2, vec![2]));
    let (graph, places) = rewriter.finish().expect("it fits");
    assert_eq!(places, [Some(1), Some(2), Some(2), None, Some(3)]);
    let found: Vec<_> = (graph.nodes().iter())
        .map(|n| (n.name.as_str(), n.inputs.as_slice()))
        .collect();
    let expected: [(&str, &[usize]); 4] = [
        ("input", &[]),
        ("wide", &[0]),
        ("first", &[1]),
        ("last", &[2]),
    ];
    assert_eq!(found, expected);
}

#[test]
#[should_panic(expected = "rewritten after its inputs")]
fn an_input_that_was_not_taken_over_is_no_input() {
    let old = FloatGraph::new(vec![input(), node("relu", Op::Relu, &[0])]).expect("it fits");
    Rewriter::<Op>::new(&old).keep(1);
}

/// Files speak of graphs; what they say is checked as it is read.
#[test]
fn files_cannot_bring_what_is_no_graph() {
    let read = |text: &str| serde_json::from_str::<IntGraph>(text).map_err(|e| e.to_string());
    let input = r#"{"name":"x","op":"input","shape":{"channels":1,"height":1,"width":1},"bits":8,"scale":0}"#;
    let output =
        |from: &str| format!(r#"[{input},{{"name":"y","op":"output","inputs":[{from}]}}]"#);
    read(&output("0")).expect("a network");
    for (text, said) in [
        ("[]".to_owned(), "no nodes"),
        (output("1"), "a later node"),
        (output("18446744073709551615"), "a later node"),
        (output("0,0"), "it takes 1 inputs"),
        (output("-1"), "invalid value"),
        (output("0").replace("output", "outptu"), "unknown variant"),
    ] {
        let error = read(&text).expect_err(said);
        assert!(error.contains(said), "{error}, not {said}");
    }
}
