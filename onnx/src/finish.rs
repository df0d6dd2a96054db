//! The finished network: reduced to what the output needs, and checked as a whole.

use nets::{FloatGraph, FloatModel, Node, Op, Shape, Tensors};

use crate::Error;

/// Keeps the nodes and parameters that `output` needs.
pub(crate) fn finish(
    mut nodes: Vec<Node<Op>>,
    shapes: &[Shape],
    tensors: &Tensors,
    output: usize,
) -> Result<FloatModel, Error> {
    nodes.truncate(output + 1);
    let graph = FloatGraph::new(nodes)?;
    for ((node, found), expected) in graph.nodes().iter().zip(graph.types()).zip(shapes) {
        if found != expected {
            let problem = format!("its output is {found}, and the file expects {expected}");
            return Err(Error::Graph(format!("layer `{}`: {problem}", node.name)));
        }
    }
    let graph = graph.pruned(output)?;
    if graph.len() > 1 && graph.consumers(0).is_empty() {
        let problem = "the output does not depend on the input";
        return Err(Error::Graph(problem.into()));
    }
    let names = graph.nodes().iter();
    let names = names.flat_map(|node| node.op.parameters(Shape::vector(1)));
    let kept = names.map(|(name, _)| Ok((name.to_owned(), tensors.tensor(name)?.clone())));
    let tensors = kept.collect::<Result<_, nets::Error>>()?;
    let model = FloatModel { graph, tensors };
    model.check()?;
    Ok(model)
}
