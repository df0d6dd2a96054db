//! The public part of a model, which both parties know.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::calibration::Calibration;
use super::opening::Opening;
use super::part::Part;
use super::preprocess::{Picture, Preprocessing};
use crate::Error;
use crate::IntGraph;
use crate::int::rewrite::graph_without_algorithms;

/// The most bytes of JSON that a public part may have.
pub const MAX_PUBLIC_BYTES: usize = 16 << 20;
/// The most values that it may have: numbers, texts, lists and objects, each counted at least once. Those that
/// the reader does not know take memory until it has read the node they are in.
const MAX_PUBLIC_VALUES: usize = 1 << 20;
/// The longest name or label.
const MAX_TEXT: usize = 256;

/// How raw outputs become probabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Head {
    /// Exactly one of the labels applies.
    Softmax,
    /// Each label applies or not, by itself.
    Sigmoid,
}

/// The public part of a model: structure, widths, scales, preprocessing and labels, but no weights.
///
/// It is the same for faithful and for fast runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PublicModel {
    /// What the model is called.
    pub name: String,
    /// The network it was made from.
    pub arch: String,
    /// The names of the outputs.
    pub labels: Vec<String>,
    /// How outputs become probabilities.
    pub head: Head,
    /// The network's outputs, one after the other, where it has several; then each has its own head.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// What happens to a picture before the network.
    pub preprocessing: Preprocessing,
    /// The network.
    pub graph: IntGraph,
    /// What the client learns of its outputs. The graph computes no more than that.
    #[serde(default, skip_serializing_if = "Opening::is_all")]
    pub opening: Opening,
    /// What inputs the model was made for, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

impl PublicModel {
    /// The model as JSON, the form in which it travels.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "every public model has a JSON form"
    )]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a public model has no value that JSON lacks")
    }

    /// Reads the JSON of a peer or a file, and checks all of it.
    ///
    /// # Errors
    /// [`Error::Damaged`] for anything that is no consistent public model.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_PUBLIC_BYTES {
            return Err(Error::Damaged(format!(
                "a public part of {} bytes",
                bytes.len()
            )));
        }
        // Every value has a comma before it, or is the first in brackets.
        let marks = bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{'));
        if marks.count() > MAX_PUBLIC_VALUES {
            let problem = format!("a public part of more than {MAX_PUBLIC_VALUES} values");
            return Err(Error::Damaged(problem));
        }
        let public: Self =
            serde_json::from_slice(bytes).map_err(|e| Error::Damaged(e.to_string()))?;
        public.check()?;
        Ok(public)
    }

    /// Whether a text can be a name or a label. These are shown to people: they hold no escape sequences and are not long.
    #[must_use]
    pub fn is_shown(text: &str) -> bool {
        text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn check(&self) -> Result<(), Error> {
        self.preprocessing.check()?;
        let bad = |problem: String| Err(Error::Damaged(problem));
        let parts = self.parts.iter().map(|part| &part.name);
        let texts = [&self.name, &self.arch].into_iter().chain(&self.labels);
        let texts = texts.chain(parts);
        for text in texts.chain(self.graph.nodes().iter().map(|n| &n.name)) {
            if !Self::is_shown(text) {
                return bad("a name or label is too long or unprintable".into());
            }
        }
        let values = self.parts.iter().map(|part| part.outputs);
        let all = values.clone().try_fold(0_usize, usize::checked_add);
        if !self.parts.is_empty() && (all != Some(self.labels.len()) || values.min() == Some(0)) {
            return bad("its outputs are not as many as its labels".into());
        }
        let input = self.graph.input();
        if input.shape != self.preprocessing.shape {
            return bad(format!(
                "{} pixels for {}",
                self.preprocessing.shape, input.shape
            ));
        }
        if let Some(grid) = &self.preprocessing.grid {
            let ring = input.bits();
            let held = |v: i32| (ring.min_signed()..=ring.max_signed()).contains(&v.into());
            if input.fixed.scale != 0 || !held(grid.low) || !held(grid.high) {
                return bad("its inputs are not the integers that it takes".into());
            }
        }
        if let Some(calibration) = &self.calibration {
            let checked = calibration.check(self.preprocessing.shape.channels);
            checked.or_else(bad)?;
        }
        self.check_opening().or_else(bad)
    }

    /// The digest that the parties compare: BLAKE3 of [`PublicModel::to_json`], of the graph without its choice of algorithms. A server may
    /// choose others than the model file has: the findings are the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let hash = |model: &Self| blake3::hash(&model.to_json()).into();
        match graph_without_algorithms(&self.graph) {
            Ok((graph, _)) => hash(&Self {
                graph,
                ..self.clone()
            }),
            // It is no graph that a check lets pass.
            Err(_) => hash(self),
        }
    }

    /// The network's input for one view of a picture, as floats and as integers.
    ///
    /// # Panics
    /// If the model does not pass [`PublicModel::check`], or has no such view
    /// ([`Preprocessing::views`]).
    #[must_use]
    pub fn prepare(&self, picture: &Picture, view: usize) -> Prepared {
        let mut pixels = self.preprocessing.pixels(picture, view);
        let values = self.preprocessing.values(&pixels);
        pixels.zeroize();
        let values = values.expect("pixels() fills the shape");
        let fixed = self.encode(&values).expect("check() compared the shapes");
        Prepared { values, fixed }
    }

    /// The integers, of the input's width and scale, for float input values.
    ///
    /// # Errors
    /// [`Error::InputLength`].
    pub fn encode(&self, values: &[f32]) -> Result<Vec<i64>, Error> {
        let input = self.graph.input();
        if values.len() != input.shape.len() {
            return Err(Error::InputLength {
                expected: input.shape.len(),
                found: values.len(),
            });
        }
        let encode = |&v: &f32| match &self.preprocessing.grid {
            Some(grid) => grid.encode(v),
            None => input.fixed.encode(f64::from(v)),
        };
        Ok(values.iter().map(encode).collect())
    }

    /// The logits that the integers of the output stand for.
    #[must_use]
    pub fn logits(&self, raw: &[i64]) -> Vec<f64> {
        raw.iter()
            .map(|&v| self.graph.output().fixed.decode(v))
            .collect()
    }

    /// The probabilities that logits stand for, by the model's head, or by those of its several outputs.
    #[must_use]
    pub fn probabilities(&self, logits: &[f64]) -> Vec<f64> {
        if self.parts.is_empty() {
            return self.head.probabilities(logits);
        }
        let mut rest = logits;
        let mut probabilities = Vec::with_capacity(logits.len());
        for part in &self.parts {
            let (own, others) = rest.split_at(part.outputs.min(rest.len()));
            probabilities.extend(part.head.probabilities(own));
            rest = others;
        }
        probabilities
    }
}

impl Head {
    /// The probabilities that logits stand for.
    fn probabilities(self, logits: &[f64]) -> Vec<f64> {
        match self {
            Self::Sigmoid => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            Self::Softmax => {
                let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = logits.iter().map(|x| (x - top).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.iter().map(|p| p / sum).collect()
            }
        }
    }
}

/// A picture made ready for the network. `Debug` prints no value, and both forms are erased when it is
/// dropped.
#[derive(Clone, PartialEq)]
pub struct Prepared {
    values: Vec<f32>,
    fixed: Vec<i64>,
}

impl Prepared {
    /// The values for the float executor.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The integers for the clear and the secure executor.
    #[must_use]
    pub fn fixed(&self) -> &[i64] {
        &self.fixed
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("len", &self.fixed.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.values.zeroize();
        self.fixed.zeroize();
    }
}
