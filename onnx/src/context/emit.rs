//! Adding operations and parameters to the network.

use nets::{Op, Operator as _, Shape, Tensor};

use super::Context;
use crate::Error;
use crate::array::{elements, show};
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, readable};
use crate::value::{Feature, View};

impl<'a> Context<'a> {
    /// Adds an operation of one input.
    pub(crate) fn emit(
        &mut self,
        label: &str,
        op: Op,
        input: &Feature,
        dims: Option<Vec<usize>>,
    ) -> Result<Feature, Fault> {
        let shape = op.infer(&[self.shapes[input.node]]);
        let shape = shape.map_err(|problem| nets::Error::shape(label, problem))?;
        Ok(self.emit_shaped(label, op, &[input.node], shape, dims))
    }

    /// Adds an operation whose shape the caller has computed.
    pub(crate) fn emit_shaped(
        &mut self,
        label: &str,
        op: Op,
        inputs: &[usize],
        shape: Shape,
        dims: Option<Vec<usize>>,
    ) -> Feature {
        let node = self.nodes.len();
        self.nodes.push(nets::Node {
            name: self.names.unique(label),
            op,
            inputs: inputs.to_vec(),
        });
        self.shapes.push(shape);
        let dims = dims.unwrap_or_else(|| vec![1, shape.channels, shape.height, shape.width]);
        Feature {
            node,
            dims,
            view: View::Plain,
            label: label.to_owned(),
            alone: true,
        }
    }

    /// Adds an operation of several inputs whose output has these dimensions.
    pub(crate) fn emit_joined(
        &mut self,
        label: &str,
        op: Op,
        inputs: &[usize],
        dims: Vec<usize>,
    ) -> Result<Feature, Fault> {
        let shape = shape_of(&dims)?;
        Ok(self.emit_shaped(label, op, inputs, shape, Some(dims)))
    }

    /// Stores a constant input as it is in the file, and returns its name.
    pub(crate) fn parameter(
        &mut self,
        node: &Node<'a>,
        index: usize,
        shape: &[usize],
    ) -> Result<String, Fault> {
        let array = self.constant(node, index)?;
        let raw = node.input(index).unwrap_or_default();
        if array.dims != shape {
            let (found, expected) = (show(&array.dims), show(shape));
            return invalid(format!(
                "its input {index} has shape {found}, not {expected}"
            ));
        }
        if let Some(name) = self.stored.get(raw) {
            return Ok(name.clone());
        }
        let name = self.parameters.unique(&readable(raw));
        self.store(&name, shape.to_vec(), array.floats())?;
        self.stored.insert(raw, name.clone());
        Ok(name)
    }

    /// Stores a parameter that was computed for one node, and returns its name.
    pub(crate) fn own(
        &mut self,
        label: &str,
        part: &str,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> Result<String, Fault> {
        let name = self.parameters.unique(&format!("{label}:{part}"));
        self.store(&name, shape, values)?;
        Ok(name)
    }

    fn store(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) -> Result<(), Fault> {
        self.charge(4 * values.len())?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(Error::tensor(name, "it holds a value that is no finite number").into());
        }
        self.tensors.insert(name, Tensor::new(shape, values));
        Ok(())
    }
}

/// Channels, rows and columns of a shape with a batch of one.
fn shape_of(dims: &[usize]) -> Result<Shape, Fault> {
    let shape = match *dims {
        [1, c] => Shape::vector(c),
        [1, c, h, w] => Shape::new(c, h, w),
        _ => return unsupported(format!("a tensor of shape {}", show(dims))),
    };
    match elements(dims) {
        Ok(0) => invalid(format!("its output {} is empty", show(dims))),
        Ok(_) => Ok(shape),
        Err(problem) => invalid(problem),
    }
}
