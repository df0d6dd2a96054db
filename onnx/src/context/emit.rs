//! Adding operations and parameters to the network.

use std::rc::Rc;

use nets::{Op, Operator as _, Shape, Tensor};

use super::Context;
use crate::Error;
use crate::array::show;
use crate::error::{Fault, invalid};
use crate::layout::Layout;
use crate::node::{Node, readable};
use crate::value::{Feature, Form};

impl<'a> Context<'a> {
    /// Adds an operation of one input. A result of the same shape has the values of the input in their places.
    pub(crate) fn emit(&mut self, label: &str, op: Op, input: &Feature) -> Result<Feature, Fault> {
        let before = self.shapes[input.node];
        let shape = op.infer(&[before]).map_err(Fault::Unsupported)?;
        let made = self.emit_shaped(label, op, &[input.node], shape);
        Ok(if shape == before {
            Feature {
                layout: input.layout.clone(),
                ..made
            }
        } else {
            made
        })
    }

    /// Adds an operation whose shape the caller has computed.
    pub(crate) fn emit_shaped(
        &mut self,
        label: &str,
        op: Op,
        inputs: &[usize],
        shape: Shape,
    ) -> Feature {
        let node = self.nodes.len();
        self.nodes.push(nets::Node {
            name: self.names.unique(label),
            op,
            inputs: inputs.to_vec(),
        });
        self.shapes.push(shape);
        Feature {
            node,
            layout: Layout::row_major(vec![1, shape.channels, shape.height, shape.width]),
            form: Form::Itself,
            scale: 1.0,
            shift: 0.0,
            label: label.to_owned(),
            origin: label.to_owned(),
            alone: true,
        }
    }

    /// Adds an operation of several inputs.
    pub(crate) fn emit_joined(
        &mut self,
        label: &str,
        op: Op,
        inputs: &[usize],
    ) -> Result<Feature, Fault> {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shapes[input]).collect();
        let shape = op.infer(&shapes).map_err(Fault::Unsupported)?;
        Ok(self.emit_shaped(label, op, inputs, shape))
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
        // What nothing else takes goes when it is stored.
        if self.uses(raw) == 1 {
            self.values.remove(raw);
        }
        // The last to hold it gives its values away: a large one is not copied.
        let values = match Rc::try_unwrap(array) {
            Ok(array) => array.into_floats(),
            Err(array) => array.floats(),
        };
        self.store(&name, shape.to_vec(), values)?;
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
