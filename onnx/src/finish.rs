//! The finished network: only what reaches the output, and checked as a whole.

use nets::{FloatModel, Graph, Op, Shape, Tensors};

use crate::Error;

/// Keeps the nodes and parameters that `output` needs.
pub(crate) fn finish(
    graph: &Graph,
    shapes: &[Shape],
    tensors: &Tensors,
    output: usize,
) -> Result<FloatModel, Error> {
    let mut live = vec![false; graph.nodes.len()];
    live[output] = true;
    for index in (0..=output).rev().filter(|&i| i > 0) {
        if live[index] {
            graph.nodes[index]
                .inputs
                .iter()
                .for_each(|&i| live[i] = true);
        }
    }
    if !live[0] {
        return Err(Error::Graph(
            "the output does not depend on the input".into(),
        ));
    }
    let mut new = vec![usize::MAX; graph.nodes.len()];
    let mut kept = Graph::new();
    let mut parameters = Tensors::new();
    let mut expected = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|&(i, _)| live[i]) {
        let inputs: Vec<usize> = node.inputs.iter().map(|&i| new[i]).collect();
        for name in names(&node.op) {
            parameters.insert(name, tensors.tensor(name)?.clone());
        }
        expected.push(shapes[index]);
        new[index] = kept.push(node.name.clone(), node.op.clone(), &inputs);
    }
    let found = kept.shapes()?;
    for (node, (found, expected)) in kept.nodes.iter().zip(found.iter().zip(&expected)) {
        if found != expected {
            let problem = format!("its output is {found}, the file means {expected}");
            return Err(Error::Graph(format!("layer `{}`: {problem}", node.name)));
        }
    }
    let model = FloatModel {
        graph: kept,
        tensors: parameters,
    };
    model.check()?;
    Ok(model)
}

/// The parameters of an operation; one that is forgotten here fails the check above.
fn names(op: &Op) -> Vec<&str> {
    match op {
        Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias, .. } => {
            std::iter::once(weight.as_str())
                .chain(bias.as_deref())
                .collect()
        }
        Op::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            ..
        } => vec![gamma, beta, mean, var],
        Op::SignedRelu { shift, sign } => vec![shift, sign],
        Op::AddMap { map } => vec![map],
        _ => Vec::new(),
    }
}
