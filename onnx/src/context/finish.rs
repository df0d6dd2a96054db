//! The finished network: its outputs, reduced to what they need, and checked as a whole.

use nets::{FloatGraph, FloatModel, Head, Op, Shape};

use super::{Context, Lowered};
use crate::error::Fault;
use crate::load::Output;
use crate::node::readable;
use crate::value::{Feature, Form, Value};
use crate::{Error, Unsupported};

impl<'a> Context<'a> {
    /// The network, if all of it could be lowered.
    pub(super) fn finish(mut self) -> Result<Lowered, Error> {
        let (mut outputs, mut nodes) = (Vec::new(), Vec::new());
        let names = self.outputs.clone();
        for &name in &names {
            let (feature, head) = match self.output(name, names.len() > 1) {
                Ok(found) => found,
                Err(Fault::Other(error)) => return Err(error),
                Err(Fault::Elsewhere(Unsupported { op, node, why, .. })) => {
                    self.record(&op, &node, why);
                    continue;
                }
                Err(Fault::Invalid(why) | Fault::Unsupported(why)) => {
                    self.record("output", &readable(name), why);
                    continue;
                }
            };
            outputs.push(Output {
                name: readable(name),
                len: self.shapes[feature.node].len(),
                head,
            });
            nodes.push(feature.node);
        }
        if !self.missing.is_empty() {
            return Err(Error::Unsupported(self.missing));
        }
        let output = match nodes[..] {
            [only] => only,
            _ => {
                let joined = self.emit_joined("outputs", Op::Concat, &nodes);
                joined
                    .map_err(|_| Error::Graph("the outputs do not fit together".into()))?
                    .node
            }
        };
        let (model, notes) = (self.reduced(output)?, self.notes);
        Ok(Lowered {
            model,
            outputs,
            notes,
        })
    }

    /// An output with its values in order, and the head that stood before it. One of several is a vector.
    fn output(&mut self, name: &'a str, several: bool) -> Result<(Feature, Option<Head>), Fault> {
        let mut feature = match self.values.get(name) {
            Some(Value::Feature(feature)) => feature.clone(),
            // It was recorded why.
            Some(Value::Unknown) if !self.missing.is_empty() => {
                return Err(Fault::Other(Error::Unsupported(std::mem::take(
                    &mut self.missing,
                ))));
            }
            _ => {
                let problem = format!(
                    "the output `{}` does not depend on the input",
                    readable(name)
                );
                return Err(Fault::Other(Error::Graph(problem)));
            }
        };
        let head = match feature.form {
            Form::Softmax | Form::LogSoftmax => Some(Head::Softmax),
            Form::Sigmoid(1.0) => Some(Head::Sigmoid),
            _ => None,
        }
        .filter(|_| feature.is_unscaled());
        if head.is_some() || feature.form == Form::ArgMax {
            feature.form = Form::Itself;
        }
        let feature = if head.is_some() || feature.is_plain() {
            feature
        } else {
            self.realize(name, feature)?
        };
        let label = readable(name);
        if !several && feature.layout.is_row_major() {
            return Ok((feature, head));
        }
        Ok((self.vector(&label, &feature)?, head))
    }

    /// Keeps the nodes and parameters that the output needs.
    fn reduced(&mut self, output: usize) -> Result<FloatModel, Error> {
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.truncate(output + 1);
        let graph = FloatGraph::new(nodes)?;
        let expected = graph.types().iter().zip(&self.shapes);
        for (node, (found, expected)) in graph.nodes().iter().zip(expected) {
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
        let kept = names.map(|(name, _)| Ok((name.to_owned(), self.tensors.tensor(name)?.clone())));
        let tensors = kept.collect::<Result<_, nets::Error>>()?;
        let model = FloatModel { graph, tensors };
        model.check()?;
        Ok(model)
    }
}
