//! Functions that a file defines, put in the place of the nodes that call them.
//!
//! A call becomes the nodes of the function: what the function takes and gives has the names of the caller, everything
//! else names of its own, and attributes of the function get the values of the call. All calls together may copy
//! [`MAX_NODES`] nodes and [`MAX_BYTES`] bytes, however functions call each other.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use rten_onnx::onnx::TensorProto;

use crate::Error;
use crate::context::MAX_NODES;
use crate::fresh::Fresh;
use crate::load::{OPSETS, own_version};
use crate::node::{Node, given_twice, readable};
use crate::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto, all, each};
use crate::{ops, qlinear};

/// The most bytes that calls copy: names, and constants within functions.
const MAX_BYTES: usize = 1 << 28;
/// The longest name, in bytes, of a tensor that a call takes or gives.
const MAX_NAME: usize = 512;

/// How domains begin of which runtimes have operators of their own, whatever functions a file defines.
const FOREIGN: &[&str] = &["ai.onnx.", "com.microsoft", "com.ms."];

/// A domain, a name and an overload.
type Id<'a> = (&'a str, &'a str, &'a str);

/// The function that a node calls, if there is one.
fn called(node: &NodeProto) -> Id<'_> {
    (
        domain(node.domain.as_deref()),
        node.op_type.as_deref().unwrap_or_default(),
        node.overload.as_deref().unwrap_or_default(),
    )
}

/// A domain. That of ONNX itself has two names.
fn domain(domain: Option<&str>) -> &str {
    domain.filter(|&name| name != "ai.onnx").unwrap_or_default()
}

/// A function of the file.
struct Function<'a> {
    proto: &'a FunctionProto,
    /// The version of the ONNX operator set within it; 0 if it names none.
    opset: i64,
    /// Values of attributes that calls may leave out.
    defaults: HashMap<&'a str, &'a AttributeProto>,
    /// An attribute that one of its nodes has twice.
    twice: Option<&'a str>,
    /// What a call of it copies.
    nodes: usize,
    bytes: usize,
}

impl<'a> Function<'a> {
    fn new(proto: &'a FunctionProto) -> Result<Self, Error> {
        let (nodes, bytes) = weight(&proto.node);
        let values = proto.input.len() + proto.output.len();
        let lists = all(&proto.node).map(|node| &node.attribute);
        let mut lists = lists.chain([&proto.defaults]);
        let mut function = Self {
            proto,
            twice: lists.find_map(|list| given_twice(list)),
            opset: 0,
            defaults: by_name(&proto.defaults),
            nodes: nodes + proto.output.len(),
            bytes: bytes + values * NAME_WEIGHT,
        };
        match own_version(&proto.opset_import) {
            Ok(version) => function.opset = version.unwrap_or(0),
            Err(e) => return function.wrong(e.to_string()),
        }
        Ok(function)
    }

    fn id(&self) -> Id<'a> {
        (
            domain(self.proto.domain.as_deref()),
            self.proto.name.as_deref().unwrap_or_default(),
            self.proto.overload.as_deref().unwrap_or_default(),
        )
    }

    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, Error> {
        Err(Error::Function {
            function: shown(self.id()),
            problem: problem.into(),
        })
    }
}

/// A function's name in messages, as nodes have it that call it.
fn shown((domain, name, overload): Id<'_>) -> String {
    let call = NodeProto {
        domain: Some(domain.to_owned()),
        op_type: Some(name.to_owned()),
        overload: Some(overload.to_owned()),
        ..NodeProto::default()
    };
    Node::new(&call, 0).op()
}

fn by_name(attributes: &[AttributeProto]) -> HashMap<&str, &AttributeProto> {
    let mut found = HashMap::new();
    for attribute in attributes {
        let name = attribute.name.as_deref().unwrap_or_default();
        found.entry(name).or_insert(attribute);
    }
    found
}

/// Whether the value of an attribute is that of one of the function around it.
fn is_reference(attribute: &AttributeProto) -> bool {
    attribute.reference.as_ref().is_some_and(|r| !r.is_empty())
}

fn wrong<T>(node: &NodeProto, problem: impl Into<String>) -> Result<T, Error> {
    let node = Node::new(node, 0);
    Err(Error::Node {
        node: node.label(),
        op: node.op(),
        problem: problem.into(),
    })
}

/// Puts the nodes of functions in the place of the calls of them.
pub(crate) fn inline(graph: &mut GraphProto, functions: &mut [FunctionProto]) -> Result<(), Error> {
    for node in all(&graph.node) {
        if let Some(name) = given_twice(&node.attribute) {
            let problem = format!("it has the attribute `{}` twice", readable(name));
            return wrong(node, problem);
        }
        if let Some(attribute) = node.attribute.iter().find(|a| is_reference(a)) {
            let name = readable(attribute.name.as_deref().unwrap_or_default());
            let problem = format!("its `{name}` stands for that of a function, and it is in none");
            return wrong(node, problem);
        }
    }
    if functions.is_empty() {
        return Ok(());
    }
    for function in &mut *functions {
        without_types(&mut function.node);
    }
    let functions = functions.iter().map(Function::new);
    let functions = functions.collect::<Result<Vec<_>, Error>>()?;
    let mut known = HashMap::new();
    for (index, function) in functions.iter().enumerate() {
        if known.insert(function.id(), index).is_some() {
            return function.wrong("it is defined twice");
        }
    }
    check_recursion(&functions, &known)?;
    let mut inliner = Inliner {
        functions,
        known,
        fresh: Fresh::of(graph),
        nodes: MAX_NODES,
        bytes: MAX_BYTES,
    };
    let mut open = vec![graph];
    while let Some(graph) = open.pop() {
        graph.node = inliner.inlined(std::mem::take(&mut graph.node))?;
        let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
        open.extend(attributes.filter_map(|attribute| attribute.g.as_mut()));
    }
    Ok(())
}

/// Takes away what graphs within nodes tell of the types of values, which nothing needs and every call would copy.
fn without_types(nodes: &mut [NodeProto]) {
    let Ok(()) = each(nodes, |node| {
        for graph in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
            graph.value_info.clear();
            for value in graph.input.iter_mut().chain(&mut graph.output) {
                value.r#type = None;
            }
        }
        Ok::<(), Infallible>(())
    });
}

/// The bytes of a name in a copy, at most.
const NAME_WEIGHT: usize = size_of::<String>() + MAX_NAME;

/// How many nodes there are in a list and within its nodes, and how many bytes a copy of them takes at most.
fn weight(nodes: &[NodeProto]) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for node in all(nodes) {
        count += 1;
        let names = 1 + node.input.len() + node.output.len();
        let texts = [&node.op_type, &node.domain, &node.overload];
        bytes += size_of::<NodeProto>() + names * NAME_WEIGHT;
        bytes += texts.into_iter().flatten().map(String::len).sum::<usize>();
        bytes += node.attribute.iter().map(attribute_weight).sum::<usize>();
    }
    (count, bytes)
}

/// The bytes of an attribute, without the nodes of a graph in it.
fn attribute_weight(attribute: &AttributeProto) -> usize {
    let texts = [&attribute.name, &attribute.reference, &attribute.s];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    let numbers = 8 * (attribute.floats.len() + attribute.ints.len());
    let tensor = attribute.t.as_ref().map_or(0, tensor_weight);
    let graph = attribute.g.as_ref().map_or(0, |graph| {
        let values = graph.input.len() + graph.output.len();
        let constants = graph.initializer.iter().map(tensor_weight);
        values * 2 * NAME_WEIGHT + constants.sum::<usize>()
    });
    size_of::<AttributeProto>() + texts + numbers + tensor + graph
}

fn tensor_weight(tensor: &TensorProto) -> usize {
    let entries = tensor.external_data.iter();
    let texts = entries.flat_map(|entry| [&entry.key, &entry.value]);
    let texts = texts.map(|text| size_of::<String>() + text.as_ref().map_or(0, String::len));
    let numbers = tensor.dims.len()
        + tensor.float_data.len()
        + tensor.int32_data.len()
        + tensor.int64_data.len()
        + tensor.double_data.len();
    let raw = tensor.raw_data.as_ref().map_or(0, |raw| raw.borrow().len());
    let name = tensor.name.as_ref().map_or(0, String::len);
    size_of::<TensorProto>() + texts.sum::<usize>() + 8 * numbers + raw + name + NAME_WEIGHT
}

/// Refuses functions that call themselves, directly or by others.
fn check_recursion(
    functions: &[Function<'_>],
    known: &HashMap<Id<'_>, usize>,
) -> Result<(), Error> {
    let calls = |function: &Function<'_>| -> Vec<usize> {
        let nodes = all(&function.proto.node);
        nodes
            .filter_map(|node| known.get(&called(node)).copied())
            .collect()
    };
    let calls: Vec<Vec<usize>> = functions.iter().map(calls).collect();
    let mut callers = vec![Vec::new(); functions.len()];
    for (caller, callees) in calls.iter().enumerate() {
        for &callee in callees {
            callers[callee].push(caller);
        }
    }
    // A function is done when all that it calls are.
    let mut left: Vec<usize> = calls.iter().map(Vec::len).collect();
    let mut open: Vec<usize> = (0..left.len()).filter(|&index| left[index] == 0).collect();
    while let Some(done) = open.pop() {
        for &caller in &callers[done] {
            left[caller] -= 1;
            if left[caller] == 0 {
                open.push(caller);
            }
        }
    }
    let stuck = |&index: &usize| left[index] > 0;
    let Some(mut at) = (0..left.len()).find(stuck) else {
        return Ok(());
    };
    // Each that is stuck calls one that is stuck, so that this comes to one for the second time.
    let mut seen = HashSet::new();
    while seen.insert(at) {
        let mut callees = calls[at].iter().copied();
        at = callees.find(stuck).expect("it would not be stuck");
    }
    functions[at].wrong("it calls itself, directly or by other functions")
}

struct Inliner<'a> {
    functions: Vec<Function<'a>>,
    known: HashMap<Id<'a>, usize>,
    fresh: Fresh,
    /// Nodes and bytes that may still be copied.
    nodes: usize,
    bytes: usize,
}

impl Inliner<'_> {
    /// The nodes of a list with those of functions in the place of calls, but for the graphs that nodes hold.
    fn inlined(&mut self, nodes: Vec<NodeProto>) -> Result<Vec<NodeProto>, Error> {
        let mut made = Vec::with_capacity(nodes.len());
        // No function calls itself: there are never more levels than functions.
        let mut levels = vec![nodes.into_iter()];
        while let Some(level) = levels.last_mut() {
            let Some(node) = level.next() else {
                levels.pop();
                continue;
            };
            match self.known.get(&called(&node)) {
                None => made.push(node),
                Some(&index) => levels.push(self.body(&node, index)?.into_iter()),
            }
        }
        Ok(made)
    }

    /// The nodes of a function for one call.
    fn body(&mut self, call: &NodeProto, index: usize) -> Result<Vec<NodeProto>, Error> {
        let function = &self.functions[index];
        check(call, function)?;
        charge(call, &mut self.nodes, 1 + function.nodes)?;
        charge(call, &mut self.bytes, function.bytes)?;
        let label = Node::new(call, 0).label();
        let within = |name: &str| readable(&format!("{label}/{name}"));
        let bound = bind(function, call, |name| self.fresh.like(&within(name)))?;
        let given = by_name(&call.attribute);
        let mut made = function.proto.node.clone();
        each(&mut made, |node| {
            node.opset = function.opset;
            node.name = Some(within(&Node::new(node, 0).label()));
            for name in taken_and_made(node) {
                match bound.names.get(name.as_str()) {
                    Some(outside) => name.clone_from(outside),
                    None => {
                        let name = readable(name);
                        return function
                            .wrong(format!("it takes `{name}`, which nothing in it makes"));
                    }
                }
            }
            for attribute in node.attribute.iter_mut().filter(|a| is_reference(a)) {
                let name = attribute.reference.as_deref().unwrap_or_default();
                if let Some(value) = given.get(name).or_else(|| function.defaults.get(name)) {
                    charge(call, &mut self.bytes, attribute_weight(value))?;
                    substitute(attribute, value).or_else(|problem| wrong(call, problem))?;
                }
            }
            // An attribute of which the call says nothing is left out.
            node.attribute.retain(|attribute| !is_reference(attribute));
            Ok(())
        })?;
        made.extend(bound.passed);
        Ok(made)
    }
}

/// Takes nodes or bytes from what a call may copy.
fn charge(call: &NodeProto, left: &mut usize, taken: usize) -> Result<(), Error> {
    match left.checked_sub(taken) {
        Some(rest) => *left = rest,
        None => {
            let problem = "the functions of the file come to more than";
            return wrong(
                call,
                format!("{problem} {MAX_NODES} nodes, or {MAX_BYTES} bytes"),
            );
        }
    }
    Ok(())
}

/// Refuses calls that do not fit their function.
fn check(call: &NodeProto, function: &Function<'_>) -> Result<(), Error> {
    let is_operator = ops::known(&Node::new(call, 0).op()) || qlinear::renamed(call);
    if is_operator || function.id().0.is_empty() {
        let problem = "the file defines a function of this name, which ONNX has as an operator: readers of ONNX differ on which is meant";
        return wrong(call, problem);
    }
    if FOREIGN
        .iter()
        .any(|&start| function.id().0.starts_with(start))
    {
        let problem = "the file defines a function in a domain of which runtimes have operators of their own: readers of ONNX differ on which is meant";
        return wrong(call, problem);
    }
    if function.opset != 0 && !OPSETS.contains(&function.opset) {
        return function.wrong(
            Error::Opset {
                found: function.opset,
            }
            .to_string(),
        );
    }
    let proto = function.proto;
    if let Some(name) = function.twice {
        return function.wrong(format!("the attribute `{}` is there twice", readable(name)));
    }
    for (what, given, taken) in [
        ("inputs", &call.input, &proto.input),
        ("outputs", &call.output, &proto.output),
    ] {
        if given.len() > taken.len() {
            let (given, taken) = (given.len(), taken.len());
            return wrong(
                call,
                format!("it has {given} {what}, and the function has {taken}"),
            );
        }
        if given.iter().any(|name| name.len() > MAX_NAME) {
            return wrong(
                call,
                format!("names of its {what} are longer than {MAX_NAME} bytes"),
            );
        }
    }
    Ok(())
}

/// The names of a function in one call of it.
struct Bound<'a> {
    /// What each name in the function is outside; nothing for an input that the call leaves out.
    names: HashMap<&'a str, String>,
    /// Nodes that give what the function passes on.
    passed: Vec<NodeProto>,
}

/// Gives names to what a function takes, makes and gives.
fn bind<'a>(
    function: &Function<'a>,
    call: &NodeProto,
    mut fresh: impl FnMut(&str) -> String,
) -> Result<Bound<'a>, Error> {
    let proto = function.proto;
    let mut names = HashMap::new();
    for (index, name) in proto.input.iter().enumerate() {
        let outside = call.input.get(index).cloned().unwrap_or_default();
        if names.insert(name.as_str(), outside).is_some() {
            return function.wrong(format!("two of its inputs are `{}`", readable(name)));
        }
    }
    let given = proto.output.iter().map(String::as_str).zip(&call.output);
    let given: Vec<_> = given.filter(|(_, outside)| !outside.is_empty()).collect();
    let mut outputs: HashMap<&str, &String> = given.iter().copied().collect();
    let made = proto.node.iter().flat_map(|node| &node.output);
    for name in made.filter(|name| !name.is_empty()) {
        let outside = outputs.remove(name.as_str()).cloned();
        let outside = outside.unwrap_or_else(|| fresh(name));
        if names.insert(name, outside).is_some() {
            return function.wrong(format!("`{}` is made twice", readable(name)));
        }
    }
    let mut passed = Vec::new();
    for name in &proto.output {
        if !names.contains_key(name.as_str()) {
            return function.wrong(format!("nothing makes its output `{}`", readable(name)));
        }
    }
    for (name, outside) in given {
        if names[name] != *outside {
            passed.push(NodeProto {
                op_type: Some("Identity".to_owned()),
                input: vec![names[name].clone()],
                output: vec![outside.clone()],
                name: call.name.clone(),
                opset: function.opset.max(1),
                ..NodeProto::default()
            });
        }
    }
    let mut inner = HashMap::new();
    for name in made_within(&proto.node) {
        if names.contains_key(name) {
            return function.wrong(format!("`{}` is made twice", readable(name)));
        }
        inner.entry(name).or_insert_with(|| fresh(name));
    }
    names.extend(inner);
    Ok(Bound { names, passed })
}

/// The names of values that graphs within nodes make.
fn made_within(nodes: &[NodeProto]) -> impl Iterator<Item = &str> {
    let attributes = all(nodes).flat_map(|node| &node.attribute);
    let graphs = attributes.filter_map(|attribute| attribute.g.as_ref());
    let names = graphs.flat_map(|graph| {
        let constants = graph.initializer.iter().filter_map(|t| t.name.as_ref());
        let inputs = graph.input.iter().filter_map(|v| v.name.as_ref());
        let made = graph.node.iter().flat_map(|node| &node.output);
        constants.chain(inputs).chain(made)
    });
    names.map(String::as_str).filter(|name| !name.is_empty())
}

/// Every name of a value in a node and in the graphs that it holds, but for the nodes of these.
fn taken_and_made(node: &mut NodeProto) -> impl Iterator<Item = &mut String> {
    let graphs = node.attribute.iter_mut().filter_map(|a| a.g.as_mut());
    let within = graphs.flat_map(|graph| {
        let constants = graph.initializer.iter_mut().filter_map(|t| t.name.as_mut());
        let values = graph.input.iter_mut().chain(&mut graph.output);
        constants.chain(values.filter_map(|v| v.name.as_mut()))
    });
    let own = node.input.iter_mut().chain(&mut node.output);
    own.chain(within).filter(|name| !name.is_empty())
}

/// Puts a value in the place of a reference to it.
fn substitute(attribute: &mut AttributeProto, value: &AttributeProto) -> Result<(), String> {
    let name = || readable(value.name.as_deref().unwrap_or_default());
    let differ = |(wanted, given): (i32, i32)| wanted != 0 && given != 0 && wanted != given;
    if attribute.kind.zip(value.kind).is_some_and(differ) {
        return Err(format!(
            "its `{}` is of another type than in the function",
            name()
        ));
    }
    if value.g.is_some() || is_reference(value) {
        return Err(format!(
            "its `{}` is no value that a function can use",
            name()
        ));
    }
    *attribute = AttributeProto {
        name: attribute.name.take(),
        reference: None,
        ..value.clone()
    };
    Ok(())
}
