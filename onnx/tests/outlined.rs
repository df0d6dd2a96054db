//! Networks of exporters, parts of which are made functions that call each other: they stay the same networks.

mod common;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use common::functions::{Function, encoded, field, reference};
use proptest::prelude::*;
use rten_onnx::onnx::{AttributeProto, ModelProto, NodeProto};

/// The networks of the folder of data that have no functions yet.
fn exported() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| {
        let name = file.file_name().expect("a name").to_string_lossy();
        name.ends_with(".onnx") && !name.ends_with("-functions.onnx")
    });
    files.sort();
    files
}

/// The names that nodes take but do not make, and those that they make.
fn borders(nodes: &[NodeProto]) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut made) = (Vec::new(), Vec::new());
    for node in nodes {
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            if !made.contains(name) && !taken.contains(name) {
                taken.push(name.clone());
            }
        }
        made.extend(node.output.iter().filter(|name| !name.is_empty()).cloned());
    }
    (taken, made)
}

/// A part of a list of nodes as a function, in which every name is another one of the list, and a call of it in the list.
/// Attributes become those of the call, or have their values as defaults.
fn outlined(
    nodes: &mut Vec<NodeProto>,
    from: usize,
    to: usize,
    name: &str,
    needed: &[String],
    opset: usize,
    turn: usize,
) -> Function {
    let everything = borders(nodes);
    let mut all: Vec<String> = [everything.0, everything.1].concat();
    all.dedup();
    let inner: Vec<NodeProto> = nodes.splice(from..to, []).collect();
    let (taken, made) = borders(&inner);
    let outside = borders(nodes).0;
    let given: Vec<String> = made
        .iter()
        .filter(|name| outside.contains(name) || needed.contains(name))
        .cloned()
        .collect();
    let ours: Vec<&String> = taken.iter().chain(&made).collect();
    let mut turned: HashMap<String, String> = HashMap::new();
    let mut unused = all.iter().cycle().skip(turn).filter({
        let mut seen = HashSet::new();
        move |name| seen.insert((*name).clone())
    });
    for name in ours {
        turned.insert(
            name.clone(),
            unused.next().expect("as many as there are").clone(),
        );
    }
    let rename = |names: &[String]| -> Vec<String> {
        names
            .iter()
            .map(|name| turned.get(name).cloned().unwrap_or_default())
            .collect()
    };
    let mut function = Function::new(&format!("my::{name}"), "", "").opset(opset);
    function = function.with(
        &rename(&taken)
            .iter()
            .map(|name| field(4, name.as_bytes()))
            .collect::<Vec<_>>(),
    );
    function = function.with(
        &rename(&given)
            .iter()
            .map(|name| field(5, name.as_bytes()))
            .collect::<Vec<_>>(),
    );
    let (mut attributes, mut count) = (Vec::new(), 0);
    for mut node in inner {
        let mut references = Vec::new();
        let kept = node.attribute.len() / 2;
        for attribute in node.attribute.drain(kept..) {
            count += 1;
            let (own, of) = (attribute.name.clone().expect("a name"), format!("a{count}"));
            references.push(reference(&own, &of, 0));
            let renamed = AttributeProto {
                name: Some(of),
                ..attribute
            };
            if count % 3 == turn % 3 {
                function = function.with(&[field(11, &encoded(&renamed))]);
            } else {
                attributes.push(renamed);
            }
        }
        node.input = rename(&node.input);
        node.output = rename(&node.output);
        function = function.with(&[field(7, &[encoded(&node), references.concat()].concat())]);
    }
    let call = NodeProto {
        domain: Some("my".into()),
        op_type: Some(name.into()),
        input: taken,
        output: given,
        attribute: attributes,
        ..NodeProto::default()
    };
    nodes.insert(from, call);
    function
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Parts of exporters' networks as functions that call each other.
    #[test]
    fn a_network_in_functions_is_the_same_network(
        which in any::<prop::sample::Index>(),
        parts in prop::collection::vec(any::<([prop::sample::Index; 2], usize)>(), 1..5),
    ) {
        let files = exported();
        let file = &files[which.index(files.len())];
        let bytes = std::fs::read(file).expect("a file");
        let whole = onnx::from_bytes(&bytes, None).expect("it loads");
        let mut model = ModelProto::parse_buf(&bytes).expect("a model");
        let graph = model.graph.as_mut().expect("a graph");
        let needed: Vec<String> = graph.output.iter().filter_map(|v| v.name.clone()).collect();
        let opset = usize::try_from(whole.opset).expect("small");
        let mut functions = Vec::new();
        for (index, ([from, length], turn)) in parts.into_iter().enumerate() {
            let from = from.index(graph.node.len());
            let to = from + 1 + length.index(graph.node.len() - from);
            let name = format!("F{index}");
            let function = outlined(&mut graph.node, from, to, &name, &needed, opset, turn % 1000);
            functions.extend(function.bytes());
        }
        let bytes = [encoded(&model), functions].concat();
        let inlined = onnx::from_bytes(&bytes, None).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let input: Vec<f32> = (0..192_u8).map(|v| f32::from(v % 23) / 11.0 - 1.0).collect();
        let run = |network: &onnx::Network| network.model.run(&input).expect("it runs");
        prop_assert_eq!(run(&inlined), run(&whole));
        prop_assert_eq!(&inlined.outputs, &whole.outputs);
        prop_assert_eq!(inlined.model.graph.types(), whole.model.graph.types());
    }
}
