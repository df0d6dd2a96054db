//! What a client learns of a network's outputs, and the graphs that open no more than that.

use serde::{Deserialize, Serialize};

use super::public::{Head, PublicModel};
use crate::Error;
use crate::graph::GraphBuilder;
use crate::int::interval::Interval;
use crate::int::op::IntOp;

/// What a client learns of the outputs of a network. Fewer bits opened tell less of the weights, whatever the client
/// does with its shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever shows outputs must show each"
)]
pub enum Opening {
    /// The integers of all outputs, in their whole width.
    #[default]
    All,
    /// All outputs, rounded to the nearest multiple of 1/16 logit. For a [`Head::Sigmoid`] they are clipped to
    /// −8 … 7 15/16 before, so that each has at most 8 bits. For a [`Head::Softmax`], where only differences count
    /// and nothing can be clipped, l-bit outputs at scale s have l + 1 − max(s − 4, 0) bits.
    Rounded,
    /// For a [`Head::Softmax`] the number of the largest output, ceil(log2 n) bits in all; for a [`Head::Sigmoid`]
    /// of each output whether it is above 0, that is whether its probability exceeds a half, one bit each.
    Top,
}

impl Opening {
    /// Whether everything is opened.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

impl std::fmt::Display for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Rounded => "rounded",
            Self::Top => "top",
        })
    }
}

/// Fractional bits of a rounded logit.
const FRACTION: u32 = 4;
/// The base-two logarithm of the bound at which logits are clipped.
const CLIP: u32 = 3;

impl PublicModel {
    /// The same model, which opens no more of its outputs than `opening` says. Its nodes with weights keep their
    /// numbers, so that the weights are those of the model. It is another model to clients: it has another
    /// digest.
    ///
    /// What is rounded is rounded exactly in every mode, and the graph shows what is opened.
    ///
    /// # Errors
    /// [`Error::Opening`] if this model already opens less than all or has several outputs, if several views of a picture would each have
    /// a class of their own, or if there is no room for it in rings of 64 bits.
    pub fn opened(&self, opening: Opening) -> Result<Self, Error> {
        let refused = |problem: &str| Error::Opening {
            opening,
            problem: problem.to_owned(),
        };
        if !self.opening.is_all() {
            return Err(refused("the model opens less than all already"));
        }
        if !opening.is_all() && !self.parts.is_empty() {
            return Err(refused(
                "the network has several outputs, which are all opened",
            ));
        }
        let mut tail = Tail::new(self);
        match (opening, self.head) {
            (Opening::All, _) => return Ok(self.clone()),
            (Opening::Rounded, head) => tail.round(matches!(head, Head::Sigmoid)),
            (Opening::Top, Head::Softmax) => tail.largest(),
            (Opening::Top, Head::Sigmoid) => tail.positive(),
        }
        .map_err(refused)?;
        let opened = Self {
            opening,
            graph: tail.finish()?,
            ..self.clone()
        };
        opened
            .check_opening()
            .map_err(|problem| refused(&problem))?;
        Ok(opened)
    }

    /// Checks that the outputs are what the opening says, for these labels and for pictures of so many views.
    pub(super) fn check_opening(&self) -> Result<(), String> {
        let (labels, output) = (self.labels.len(), self.graph.output());
        if !self.opening.is_all() && !self.parts.is_empty() {
            return Err("it has several outputs and opens less than all".into());
        }
        let expected = match (self.opening, self.head) {
            (Opening::Top, Head::Softmax) => 1,
            (Opening::All | Opening::Rounded, _) | (Opening::Top, Head::Sigmoid) => labels,
        };
        if output.shape.len() != expected {
            let shape = output.shape;
            return Err(format!("{labels} labels for {shape} outputs"));
        }
        let fits = match (self.opening, self.head) {
            (Opening::All, _) | (Opening::Rounded, Head::Softmax) => true,
            (Opening::Rounded, Head::Sigmoid) => output.bits().get() <= 1 + CLIP + FRACTION,
            (Opening::Top, Head::Softmax) => {
                let last = self.graph.len() - 1;
                let before = self.graph.nodes()[last].inputs[0];
                self.graph.nodes()[before].op == IntOp::ArgMax
                    && self.graph.input_type(before, 0).shape.len() == labels
            }
            (Opening::Top, Head::Sigmoid) => output.values.is_within(Interval { low: 0, high: 1 }),
        };
        if !fits {
            return Err(format!("it opens other outputs than {}", self.opening));
        }
        if self.opening == Opening::Top && self.preprocessing.views() > 1 {
            return Err("it opens a class of its own for each of several views".into());
        }
        Ok(())
    }
}

/// A graph without its output, and steps that are added to it.
struct Tail {
    graph: GraphBuilder<IntOp>,
    /// The name of the output.
    output: String,
    /// The node whose value is to be opened.
    at: usize,
}

impl Tail {
    fn new(model: &PublicModel) -> Self {
        let (mut graph, mut nodes) = (GraphBuilder::new(), model.graph.nodes().to_vec());
        let output = nodes.pop().expect("a graph has nodes");
        for node in nodes {
            graph.push(node.name, node.op, &node.inputs);
        }
        let mut tail = Self {
            graph,
            output: output.name,
            at: output.inputs[0],
        };
        if model.graph.output().shape.plane() != 1 {
            tail.push("flatten", IntOp::Flatten);
        }
        tail
    }

    /// Bits and scale of the value.
    fn fixed(&self) -> (u32, i32) {
        let t = self.graph.type_of(self.at).expect("it fitted before");
        (t.bits().get(), t.fixed.scale)
    }

    fn push(&mut self, step: &str, op: IntOp) {
        let name = format!("{}.{step}", self.output);
        self.at = self.graph.push(name, op, &[self.at]);
    }

    fn add(&mut self, step: &str, add: i64) {
        let (factor, scale) = (1, 0);
        self.push(step, IntOp::Affine { factor, add, scale });
    }

    /// To a step of 1/16, and where the value is to be clipped, within −8 … 8.
    fn round(&mut self, clip: bool) -> Result<(), &'static str> {
        let (bits, scale) = self.fixed();
        let scale = match u32::try_from(scale) {
            Ok(scale) => scale,
            // A step is more than a whole logit.
            Err(_) if !clip => return Ok(()),
            Err(_) => return Err("logits that are multiples of more than one cannot be clipped"),
        };
        let cut = scale.saturating_sub(FRACTION);
        if cut == 0 && !clip {
            return Ok(());
        }
        // So that neither the bound nor the rounding constant makes a value wrap.
        let room = if clip { scale + CLIP + 3 } else { 0 };
        self.widen((bits + 1).max(room))?;
        if clip {
            self.add("shift", 1 << (scale + CLIP));
            let top = (1 << (scale + CLIP + 1)) - (1 << cut);
            self.push("clip", IntOp::Clip { top });
        }
        if cut > 0 {
            self.add("half", 1 << (cut - 1));
            let (shift, rounded) = (cut, true);
            self.push("round", IntOp::TruncReduce { shift, rounded });
        }
        if clip {
            let rest = scale - cut;
            self.add("unshift", -(1 << (rest + CLIP)));
            let to = rest + CLIP + 1;
            self.push("narrow", IntOp::Narrow { to });
        }
        Ok(())
    }

    /// The number of the largest value.
    fn largest(&mut self) -> Result<(), &'static str> {
        // So that no difference wraps.
        self.widen(self.fixed().0 + 1)?;
        self.push("top", IntOp::ArgMax);
        Ok(())
    }

    /// 1 where the value is positive, else 0.
    fn positive(&mut self) -> Result<(), &'static str> {
        self.push("clip", IntOp::Clip { top: 1 });
        if self.fixed().0 > 2 {
            self.push("narrow", IntOp::Narrow { to: 2 });
        }
        Ok(())
    }

    fn widen(&mut self, to: u32) -> Result<(), &'static str> {
        if to > 64 {
            return Err("the outputs have no room in rings of 64 bits");
        }
        self.push("extend", IntOp::Extend { to });
        Ok(())
    }

    fn finish(mut self) -> Result<crate::IntGraph, Error> {
        self.graph.push(self.output, IntOp::Output, &[self.at]);
        self.graph.finish()
    }
}
