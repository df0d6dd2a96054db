//! One node of the file: its label, attributes and inputs.

use std::collections::HashSet;

use rten_onnx::onnx::TensorProto;

use crate::error::{Fault, invalid};
use crate::proto::{AttributeProto, GraphProto, NodeProto};

/// The most bytes of a text that is shown. Model files refuse names of nodes that are much longer.
const MAX_TEXT: usize = 96;

/// A text of the file as it may be shown: cut short, and without control characters.
pub(crate) fn readable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let end = (0..=MAX_TEXT.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    let (kept, rest) = text.split_at(end.unwrap_or(0));
    let mut out: String = kept.chars().map(clean).collect();
    if !rest.is_empty() {
        out.push('…');
    }
    out
}

/// A node of the file.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) proto: &'a NodeProto,
    /// Its number in the file.
    pub(crate) index: usize,
    /// The version of the ONNX operator set.
    pub(crate) opset: i64,
}

impl<'a> Node<'a> {
    pub(crate) fn new(proto: &'a NodeProto, index: usize) -> Self {
        let opset = proto.opset;
        Self {
            proto,
            index,
            opset,
        }
    }

    /// The operator, with its domain unless it is of ONNX itself, and its overload if it has one.
    pub(crate) fn op(&self) -> String {
        let op = self.proto.op_type.as_deref().unwrap_or_default();
        let mut text = match self.proto.domain.as_deref() {
            None | Some("" | "ai.onnx") => op.to_owned(),
            Some(domain) => format!("{domain}::{op}"),
        };
        if let Some(overload) = self.proto.overload.as_deref().filter(|o| !o.is_empty()) {
            text = format!("{text}:{overload}");
        }
        readable(&text)
    }

    /// Its name, or that of its output, or its number.
    pub(crate) fn label(&self) -> String {
        let named = |n: &&str| !n.is_empty();
        let name = self.proto.name.as_deref().filter(named);
        let name = name.or_else(|| self.proto.output.first().map(String::as_str).filter(named));
        name.map_or_else(|| format!("node {}", self.index), readable)
    }

    /// The name of an input that is given.
    pub(crate) fn input(&self, index: usize) -> Option<&'a str> {
        self.proto
            .input
            .get(index)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.proto
            .attribute
            .iter()
            .find(|a| a.name.as_deref() == Some(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> Result<i64, Fault> {
        match self.attribute(name).map(AttributeProto::int) {
            None => Ok(default),
            Some(Some(value)) => Ok(value),
            Some(None) => invalid(format!("its `{name}` is no integer")),
        }
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32, Fault> {
        match self.attribute(name).map(AttributeProto::float) {
            None => Ok(default),
            Some(Some(value)) => Ok(value),
            Some(None) => invalid(format!("its `{name}` is no number")),
        }
    }

    pub(crate) fn text(&self, name: &str, default: &'a str) -> Result<&'a str, Fault> {
        match self.attribute(name).map(AttributeProto::text) {
            None => Ok(default),
            Some(Some(value)) => Ok(value),
            Some(None) => invalid(format!("its `{name}` is no text")),
        }
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(crate) fn floats(&self, name: &str) -> Option<&'a [f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }

    pub(crate) fn graph(&self, name: &str) -> Option<&'a GraphProto> {
        self.attribute(name).and_then(|a| a.g.as_ref())
    }

    /// Exactly `N` integers, none negative.
    pub(crate) fn sizes<const N: usize>(
        &self,
        name: &str,
        default: [usize; N],
    ) -> Result<[usize; N], Fault> {
        let Some(values) = self.ints(name) else {
            return Ok(default);
        };
        let values: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
        let values: Option<[usize; N]> = values.and_then(|v| v.try_into().ok());
        // The bound is far beyond any image, and sums of such sizes do not overflow.
        match values {
            Some(values) if values.iter().all(|&v| v <= 1 << 20) => Ok(values),
            _ => invalid(format!("its `{name}` are not {N} sizes")),
        }
    }
}

/// The name of an attribute that a list has twice, if there is one.
pub(crate) fn given_twice(attributes: &[AttributeProto]) -> Option<&str> {
    let mut seen = HashSet::new();
    let mut names = attributes.iter().filter_map(|a| a.name.as_deref());
    names.find(|&name| !seen.insert(name))
}

/// An axis of a tensor of this many dimensions, counted from the end when negative.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let signed = i64::try_from(rank).unwrap_or(i64::MAX);
    let positive = if axis < 0 {
        axis.saturating_add(signed)
    } else {
        axis
    };
    match usize::try_from(positive) {
        Ok(a) if a < rank => Ok(a),
        _ => invalid(format!("axis {axis} is not one of {rank}")),
    }
}
