//! Functions that files define: what they mean, and what is refused.

mod common;

use std::borrow::Borrow;

use common::functions::{Function, count, encoded, field, reference};
use common::{Attr, File};
use rten_onnx::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};

fn model<F: Borrow<Function>>(file: File, functions: &[F]) -> Vec<u8> {
    let functions: Vec<u8> = functions.iter().flat_map(|f| f.borrow().bytes()).collect();
    [file.bytes(), functions].concat()
}

fn run<F: Borrow<Function>>(file: File, functions: &[F], input: &[f32]) -> Vec<f32> {
    let network = onnx::from_bytes(&model(file, functions), None);
    network
        .unwrap_or_else(|e| panic!("{e}"))
        .model
        .run(input)
        .expect("it runs")
}

fn error<F: Borrow<Function>>(file: File, functions: &[F]) -> String {
    let network = onnx::from_bytes(&model(file, functions), None);
    network.expect_err("it is wrong").to_string()
}

fn x() -> File {
    File::new(&[1, 1, 2, 2])
}

const IMAGE: [f32; 4] = [-2.0, -0.5, 1.0, 4.0];

/// `x` to `y` by a function.
fn call(name: &str, attributes: &[Attr<'_>]) -> File {
    x().node(name, "x", "y", attributes)
}

#[test]
fn attributes_have_the_values_of_the_call_or_their_own() {
    let leaky = |function: Function| {
        function.opset(17).node_with(
            "LeakyRelu",
            "a",
            "b",
            &[],
            &[reference("alpha", "slope", 1)],
        )
    };
    let plain = leaky(Function::new("my::Leaky", "a", "b"));
    let with_default = plain.clone().default(Attr::Float("slope", 0.25));
    let given = call("my::Leaky", &[Attr::Float("slope", 0.5)]);
    assert_eq!(
        run(given, &[&with_default], &IMAGE),
        [-1.0, -0.25, 1.0, 4.0]
    );
    assert_eq!(
        run(call("my::Leaky", &[]), &[with_default], &IMAGE),
        [-0.5, -0.125, 1.0, 4.0]
    );
    // Without either the node has no such attribute, and the operator's own default holds.
    assert_eq!(
        run(call("my::Leaky", &[]), &[&plain], &IMAGE),
        [-0.02, -0.005, 1.0, 4.0]
    );

    let other = call("my::Leaky", &[Attr::Int("slope", 1)]);
    // The call does not tell of which type it is, and the operator misses its number.
    assert!(error(other, &[&plain]).contains("no number"));
    let typed = AttributeProto {
        name: Some("slope".into()),
        i: Some(1),
        r#type: Some(rten_onnx::onnx::AttributeType::INT),
        ..AttributeProto::default()
    };
    let other = x().proto(NodeProto {
        attribute: vec![typed],
        ..common::node("my::Leaky", "x", "y", &[])
    });
    assert_eq!(
        error(other, &[&plain]),
        "my::Leaky `y`: its `slope` is of another type than in the function"
    );
    // A value handed on by two functions.
    let outer = Function::new("my::Outer", "a", "b").opset(17);
    let outer = outer.node_with("my::Leaky", "a", "b", &[], &[reference("slope", "by", 1)]);
    let given = call("my::Outer", &[Attr::Float("by", 2.0)]);
    assert_eq!(run(given, &[outer, plain], &IMAGE), [-4.0, -1.0, 1.0, 4.0]);
}

#[test]
fn references_mean_nothing_outside_of_functions() {
    let bytes = call("LeakyRelu", &[]).bytes();
    let network = ModelProto::parse_buf(&bytes)
        .expect("it is a model")
        .graph
        .expect("it has a graph");
    let node = [encoded(&network.node[0]), reference("alpha", "slope", 1)].concat();
    let mut graph = network;
    graph.node.clear();
    let graph = field(7, &[encoded(&graph), field(1, &node)].concat());
    let opset = field(8, &[field(1, b""), count(2, 17)].concat());
    let error = onnx::from_bytes(&[graph, opset].concat(), None).expect_err("it is wrong");
    assert!(
        error
            .to_string()
            .contains("its `alpha` stands for that of a function"),
        "{error}"
    );
}

#[test]
fn inputs_may_be_left_out_and_passed_on() {
    let clip = Function::new("my::Clip", "a low high", "b a").opset(17);
    let clip = clip.node("Clip", "a low high", "b", &[]);
    let bound = |file: File| file.floats("one", &[], &[1.0]).floats("zero", &[], &[0.0]);
    for (inputs, expected) in [
        ("x", IMAGE),
        ("x zero", [0.0, 0.0, 1.0, 4.0]),
        ("x - one", [-2.0, -0.5, 1.0, 1.0]),
        ("x zero one", [0.0, 0.0, 1.0, 1.0]),
    ] {
        let file = bound(x()).node("my::Clip", inputs, "y", &[]);
        assert_eq!(run(file, &[&clip], &IMAGE), expected, "{inputs}");
    }
    let both = bound(x())
        .node("my::Clip", "x zero", "c same", &[])
        .node("Add", "c same", "y", &[]);
    assert_eq!(run(both, &[&clip], &IMAGE), [-2.0, -0.5, 2.0, 8.0]);
    let second = bound(x()).node("my::Clip", "x zero", "- y", &[]);
    assert_eq!(run(second, &[clip], &IMAGE), IMAGE);
    let nothing = Function::new("my::Nothing", "a", "a").opset(17);
    let file = call("my::Nothing", &[]).node("Relu", "y", "z", &[]);
    assert_eq!(run(file, &[nothing], &IMAGE), IMAGE);
}

#[test]
fn names_within_are_of_each_call() {
    // The function's names are also names of the graph, and one is what the name of another would be.
    let twice = Function::new("my::Twice", "y", "x")
        .opset(17)
        .node("Add", "y y", "t", &[]);
    let twice = twice
        .node("Neg", "t", "w/t", &[])
        .node("Neg", "w/t", "x", &[]);
    let file = x()
        .node("my::Twice", "x", "t", &[])
        .node("my::Twice", "t", "w", &[])
        .node("my::Twice", "w", "y", &[]);
    assert_eq!(run(file, &[twice], &IMAGE), IMAGE.map(|v| 8.0 * v));
}

#[test]
fn overloads_and_domains_tell_functions_apart() {
    let twice = |name| {
        Function::new(name, "a", "b")
            .opset(17)
            .node("Add", "a a", "b", &[])
    };
    let minus = |name| {
        Function::new(name, "a", "b")
            .opset(17)
            .node("Neg", "a", "b", &[])
    };
    let relu = Function::new("my::Both", "a", "b").opset(17);
    let overload = |name: &str| field(8, name.as_bytes());
    let both = relu
        .node_with("other::F", "a", "c", &[], &[overload("left")])
        .node("my::F", "c", "b", &[]);
    let functions = [
        twice("other::F").overload("left"),
        twice("my::F"),
        both.clone(),
        minus("other::F"),
    ];
    assert_eq!(
        run(call("my::Both", &[]), &functions, &IMAGE),
        IMAGE.map(|v| 4.0 * v)
    );
    let error = error(
        call("my::Both", &[]),
        &[both, twice("my::F"), minus("other::F")],
    );
    assert_eq!(error, "unsupported operators: other::F:left `y/c`");
}

#[test]
fn a_function_has_an_opset_of_its_own() {
    // Before opset 13 the softmax is over all axes from the second one on.
    let softmax = |version| {
        let function = Function::new("my::Soft", "a", "b").opset(version);
        function.node("Softmax", "a", "b", &[])
    };
    let load = |version| onnx::from_bytes(&model(call("my::Soft", &[]), &[softmax(version)]), None);
    assert_eq!(
        load(11).expect("it loads").head(),
        Some(nets::Head::Softmax)
    );
    assert!(load(17).is_err());
    assert!(
        error(call("my::Soft", &[]), &[softmax(25)])
            .contains("function `my::Soft`: the file has opset 25")
    );
    let none = Function::new("my::None", "a", "b").node("Relu", "a", "b", &[]);
    assert!(error(call("my::None", &[]), &[none]).contains("names no opset"));
    let two = softmax(11).opset(12);
    assert!(
        error(call("my::Soft", &[]), &[two])
            .contains("function `my::Soft`: not a readable ONNX file: it names several opsets")
    );
    // One that nothing calls does no harm.
    assert_eq!(
        run(call("Relu", &[]), &[softmax(25)], &IMAGE),
        [0.0, 0.0, 1.0, 4.0]
    );
}

#[test]
fn what_is_refused_is_named() {
    let relu = |name| {
        Function::new(name, "a", "b")
            .opset(17)
            .node("Relu", "a", "b", &[])
    };
    let neg = |name| {
        Function::new(name, "a", "b")
            .opset(17)
            .node("Neg", "a", "b", &[])
    };
    let f = || call("my::F", &[]);
    assert_eq!(
        error(f(), &[relu("my::F"), relu("my::F")]),
        "function `my::F`: it is defined twice"
    );
    let both = Function::new("my::F", "a", "b").opset(17).node_with(
        "LeakyRelu",
        "a",
        "b",
        &[Attr::Float("alpha", 0.5)],
        &[reference("alpha", "slope", 1)],
    );
    let twice = "function `my::F`: the attribute `alpha` is there twice";
    assert_eq!(error(f(), &[both]), twice);
    let theirs = "in a domain of which runtimes have operators of their own";
    for name in [
        "com.microsoft::Gelu",
        "com.microsoft.nchwc::F",
        "ai.onnx.ml::Binarizer",
    ] {
        let said = error(call(name, &[]), &[relu(name)]);
        assert!(said.contains(theirs) && said.contains(name), "{said}");
        // Also where another function calls it, and not where nothing does.
        let outer = Function::new("my::F", "a", "b")
            .opset(17)
            .node(name, "a", "b", &[]);
        assert!(error(f(), &[outer, relu(name)]).contains(theirs));
        assert_eq!(
            run(f(), &[relu("my::F"), neg(name)], &IMAGE),
            [0.0, 0.0, 1.0, 4.0]
        );
    }
    let twice = "which ONNX has as an operator: readers of ONNX differ";
    assert!(error(call("Relu", &[]), &[neg("::Relu")]).contains(twice));
    assert!(error(call("ai.onnx::Relu", &[]), &[neg("::Relu")]).contains(twice));
    assert!(
        error(
            call("com.microsoft::QGemm", &[]),
            &[relu("com.microsoft::QGemm")]
        )
        .contains(twice)
    );
    let quantize = "com.microsoft::QuantizeLinear";
    assert!(error(call(quantize, &[]), &[relu(quantize)]).contains(twice));

    let file = x().node("my::F", "x x", "y", &[]);
    assert_eq!(
        error(file, &[relu("my::F")]),
        "my::F `y`: it has 2 inputs, and the function has 1"
    );
    let file = x().node("my::F", "x", "y z", &[]);
    assert_eq!(
        error(file, &[relu("my::F")]),
        "my::F `y z`: it has 2 outputs, and the function has 1"
    );
    let file = x().node("my::F", "-", "y", &[]);
    assert!(error(file, &[relu("my::F")]).contains("its input 0 is missing"));
    let long = "n".repeat(600);
    let file = x()
        .node("Relu", "x", &long, &[])
        .node("my::F", &long, "y", &[]);
    assert!(
        error(file, &[relu("my::F")]).contains("names of its inputs are longer than 512 bytes")
    );
}

#[test]
fn what_is_wrong_within_is_named() {
    let f = || call("my::F", &[]);
    let empty = |inputs, outputs| Function::new("my::F", inputs, outputs).opset(17);
    let outside = empty("a", "b").node("Add", "a x", "b", &[]);
    assert_eq!(
        error(f(), &[outside]),
        "function `my::F`: it takes `x`, which nothing in it makes"
    );
    assert_eq!(
        error(f(), &[empty("a", "b")]),
        "function `my::F`: nothing makes its output `b`"
    );
    let function = empty("a", "b").node("Relu", "a", "b", &[]);
    let made_twice = function.clone().node("Neg", "a", "b", &[]);
    assert_eq!(
        error(f(), &[made_twice]),
        "function `my::F`: `b` is made twice"
    );
    let shadowed = function.node("Neg", "b", "a", &[]);
    assert_eq!(
        error(f(), &[shadowed]),
        "function `my::F`: `a` is made twice"
    );
    let same = empty("a a", "b").node("Relu", "a", "b", &[]);
    assert_eq!(
        error(f(), &[same]),
        "function `my::F`: two of its inputs are `a`"
    );
    let later = empty("a", "b")
        .node("Relu", "c", "b", &[])
        .node("Neg", "a", "c", &[]);
    assert!(error(f(), &[later]).contains("which nothing before it makes"));

    let deep = |op| empty("a", "b").node(op, "a", "b", &[]);
    assert_eq!(
        error(f(), &[deep("LSTM")]),
        "unsupported operators: LSTM `y/b`"
    );
    assert_eq!(
        error(call("their::F", &[]), &[deep("Relu")]),
        "unsupported operators: their::F `y`"
    );
}

/// An If by an input, with two branches that each make `c`.
fn choice(condition: &str, output: &str, then: &[NodeProto], otherwise: &[NodeProto]) -> NodeProto {
    let branch = |name: &str, nodes: &[NodeProto]| AttributeProto {
        name: Some(name.into()),
        g: Some(GraphProto {
            node: nodes.to_vec(),
            output: vec![ValueInfoProto {
                name: Some("c".into()),
                r#type: None,
            }],
            ..GraphProto::default()
        }),
        ..AttributeProto::default()
    };
    NodeProto {
        attribute: vec![
            branch("then_branch", then),
            branch("else_branch", otherwise),
        ],
        ..common::node("If", condition, output, &[])
    }
}

#[test]
fn branches_within_functions_and_functions_within_branches() {
    let twice = Function::new("my::Twice", "a", "b")
        .opset(17)
        .node("Add", "a a", "b", &[]);
    let leaf = |name: &str| common::node(name, "a", "c", &[]);
    let either = choice("which", "b", &[leaf("my::Twice")], &[leaf("Neg")]);
    let function = Function::new("my::Either", "a which", "b")
        .opset(17)
        .with(&[field(7, &encoded(&either))]);
    for (which, factor) in [(1, 2.0), (0, -1.0)] {
        let file = x().ints("which", &[which]);
        let called =
            file.node("my::Either", "x which", "z", &[])
                .node("my::Either", "z which", "y", &[]);
        let found = run(called, &[twice.clone(), function.clone()], &IMAGE);
        assert_eq!(found, IMAGE.map(|v| factor * factor * v));
        let in_graph = choice(
            "which",
            "y",
            &[common::node("my::Twice", "x", "c", &[])],
            &[common::node("Neg", "x", "c", &[])],
        );
        let file = x().ints("which", &[which]).proto(in_graph);
        assert_eq!(run(file, &[&twice], &IMAGE), IMAGE.map(|v| factor * v));
    }
    let shadow = choice("which", "b", &[common::node("Neg", "a", "a", &[])], &[]);
    let function = Function::new("my::Either", "a which", "b")
        .opset(17)
        .with(&[field(7, &encoded(&shadow))]);
    let file = x()
        .ints("which", &[1])
        .node("my::Either", "x which", "y", &[]);
    assert_eq!(
        error(file, &[function]),
        "function `my::Either`: `a` is made twice"
    );
}

#[test]
fn functions_that_call_themselves() {
    let calls = |name, of| {
        Function::new(name, "a", "b")
            .opset(17)
            .node(of, "a", "b", &[])
    };
    let itself = "it calls itself, directly or by other functions";
    assert_eq!(
        error(call("my::A", &[]), &[calls("my::A", "my::A")]),
        format!("function `my::A`: {itself}")
    );
    let functions = [
        calls("my::In", "my::A"),
        calls("my::A", "my::B"),
        calls("my::B", "my::A"),
    ];
    let named = error(call("Relu", &[]), &functions);
    assert!(
        named == format!("function `my::A`: {itself}")
            || named == format!("function `my::B`: {itself}")
    );
    // Within the branch of an If.
    let within = choice("a", "b", &[common::node("my::A", "a", "c", &[])], &[]);
    let function = Function::new("my::A", "a", "b")
        .opset(17)
        .with(&[field(7, &encoded(&within))]);
    assert_eq!(
        error(call("my::A", &[]), &[function]),
        format!("function `my::A`: {itself}")
    );
}

#[test]
fn growth_is_bounded() {
    // Each calls the one before it twice.
    let mut functions =
        vec![
            Function::new("my::F0", "a", "b")
                .opset(17)
                .node("Relu", "a", "b", &[]),
        ];
    let double = |level: usize| {
        let before = format!("my::F{}", level - 1);
        let function = Function::new(&format!("my::F{level}"), "a", "b").opset(17);
        function
            .node(&before, "a", "c", &[])
            .node(&before, "c", "b", &[])
    };
    functions.extend((1..60).map(double));
    let few = call("my::F10", &[]);
    assert_eq!(run(few, &functions, &IMAGE), [0.0, 0.0, 1.0, 4.0]);
    let said = error(call("my::F59", &[]), &functions);
    assert!(said.starts_with("my::F"), "{said}");
    assert!(
        said.contains("the functions of the file come to more than 65536 nodes"),
        "{said}"
    );
    // Functions without a node.
    functions[0] = Function::new("my::F0", "a", "a").opset(17);
    let said = error(call("my::F59", &[]), &functions);
    assert!(said.contains("more than 65536 nodes"), "{said}");

    // A constant of a megabyte that is copied by a thousand calls, in the function and in the call.
    let floats: Vec<i64> = vec![0; 1 << 17];
    let constant = Function::new("my::F", "a", "b").opset(17);
    let inside = constant
        .clone()
        .node("Constant", "", "c", &[Attr::Ints("value_ints", &floats)]);
    let inside = inside.node("Relu", "a", "b", &[]);
    let many: Vec<Vec<u8>> = (0..1000)
        .map(|index| reference(&format!("many{index}"), "many", 7))
        .collect();
    let passed = constant.node_with("Relu", "a", "b", &[], &many);
    let chain = |attributes: &[Attr<'_>], length: usize| {
        let mut file = x();
        for index in 0..length {
            let (from, to) = (index.to_string(), (index + 1).to_string());
            let from = if index == 0 { "x" } else { &from };
            let to = if index + 1 == length { "y" } else { &to };
            file = file.node("my::F", from, to, attributes);
        }
        file
    };
    let said = error(chain(&[], 1000), &[inside]);
    assert!(said.contains("268435456 bytes"), "{said}");
    let said = error(chain(&[Attr::Ints("many", &floats)], 1), &[passed]);
    assert!(said.contains("268435456 bytes"), "{said}");
}

#[test]
fn damaged_functions() {
    let relu = || {
        Function::new("my::F", "a", "b")
            .opset(17)
            .node("Relu", "a", "b", &[])
    };
    let refused = |function: Function| {
        let loaded = onnx::from_bytes(&model(call("my::F", &[]), &[function]), None);
        assert!(loaded.is_err());
    };
    // Numbers where names are, and the other way round.
    for tag in [1, 4, 5, 7, 9, 10, 11, 13] {
        refused(relu().with(&[count(tag, 1)]));
    }
    refused(relu().with(&[field(9, &field(2, b"17"))]));
    refused(relu().with(&[field(7, &count(5, 3))]));
    refused(relu().with(&[field(7, &field(5, &count(21, 3)))]));
    refused(relu().with(&[field(7, &count(8, 3))]));
    // A function cut anywhere.
    let whole = relu().0;
    for length in 0..whole.len() {
        let cut = [call("my::F", &[]).bytes(), field(25, &whole[..length])].concat();
        if length != whole.len() {
            assert!(onnx::from_bytes(&cut, None).is_err(), "{length}");
        }
        let bytes = model(call("my::F", &[]), &[relu()]);
        assert!(onnx::from_bytes(&bytes[..bytes.len() - 1 - length], None).is_err());
    }
}
