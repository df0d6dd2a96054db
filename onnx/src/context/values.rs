//! The inputs of a node.

use std::rc::Rc;

use nets::Shape;

use super::Context;
use crate::array::{Array, show};
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::ops;
use crate::value::{Feature, Form, Value};

impl<'a> Context<'a> {
    /// The value of an input; `None` where it is left out.
    pub(crate) fn value(&self, node: &Node<'a>, index: usize) -> Option<&Value> {
        node.input(index).and_then(|name| self.values.get(name))
    }

    /// A constant input that may be left out.
    pub(crate) fn optional(
        &self,
        node: &Node<'a>,
        index: usize,
    ) -> Result<Option<Rc<Array>>, Fault> {
        match self.value(node, index) {
            None => Ok(None),
            Some(Value::Const(array)) => Ok(Some(Rc::clone(array))),
            Some(_) => unsupported(format!("its input {index} is computed from the image")),
        }
    }

    /// A constant input.
    pub(crate) fn constant(&self, node: &Node<'a>, index: usize) -> Result<Rc<Array>, Fault> {
        let missing = || Fault::Invalid(format!("its input {index} is missing"));
        self.optional(node, index)?.ok_or_else(missing)
    }

    /// A constant input of integers; `None` where it is left out.
    pub(crate) fn ints(&self, node: &Node<'a>, index: usize) -> Result<Option<Vec<i64>>, Fault> {
        let Some(array) = self.optional(node, index)? else {
            return Ok(None);
        };
        match array.as_ints() {
            Some(values) => Ok(Some(values.to_vec())),
            None => invalid(format!("its input {index} is not of integers")),
        }
    }

    /// An input that is computed from the image, with its view not carried out yet.
    pub(crate) fn viewed(&self, node: &Node<'a>, index: usize) -> Result<Feature, Fault> {
        match self.value(node, index) {
            Some(Value::Feature(feature)) => Ok(feature.clone()),
            Some(_) => unsupported(format!("its input {index} is constant")),
            None => invalid(format!("its input {index} is missing")),
        }
    }

    /// An input that is computed from the image, with nothing left to be done to it.
    pub(crate) fn plain(&mut self, node: &Node<'a>, index: usize) -> Result<Feature, Fault> {
        let feature = self.viewed(node, index)?;
        self.realize(node.input(index).unwrap_or_default(), feature)
    }

    /// An input that is computed from the image, whose values may be moved before what is left is done to them.
    pub(crate) fn movable(&mut self, node: &Node<'a>, index: usize) -> Result<Feature, Fault> {
        let x = self.viewed(node, index)?;
        match x.form {
            Form::Padded(..) | Form::Batched => self.plain(node, index),
            _ => Ok(x),
        }
    }

    /// As [`Context::plain`], for an input of four dimensions: as the output of a node of these channels, rows and columns.
    pub(crate) fn image(&mut self, node: &Node<'a>, index: usize) -> Result<Feature, Fault> {
        let x = self.plain(node, index)?;
        self.as_image(&node.label(), &x)
    }

    pub(crate) fn as_image(&mut self, label: &str, x: &Feature) -> Result<Feature, Fault> {
        match *x.dims() {
            [1, c, h, w] => self.arranged(label, x, &[0, 1, 2, 3], Shape::new(c, h, w)),
            [batch, _, _, _] => unsupported(format!("of {batch} images at once")),
            _ => unsupported(format!("its input has shape {}", show(x.dims()))),
        }
    }

    /// Carries out what is left to be done to a value and keeps the result, so that it is done once.
    pub(super) fn realize(&mut self, name: &'a str, feature: Feature) -> Result<Feature, Fault> {
        if feature.is_plain() {
            return Ok(feature);
        }
        let mut done = ops::realize(self, feature)?;
        done.alone = self.uses(name) == 1;
        self.values.insert(name, Value::Feature(done.clone()));
        Ok(done)
    }
}
