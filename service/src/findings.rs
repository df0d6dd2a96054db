//! What a client learns of an image, and what it cost.

use nets::{Head, Opening, PublicModel};
use secure::LayerReport;
use serde::Serialize;

use crate::Preparation;

/// One output of a network, as far as the model opens it ([`nets::Opening`]).
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its label.
    pub name: String,
    /// The integer that the network gives, summed over the views; a float network has none, and neither has a model
    /// that opens only which output is the largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<i64>,
    /// Its logit, the mean over the views; rounded and clipped where the model opens no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit: Option<f64>,
    /// Its probability, of that mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Of a model that opens no probabilities: whether this is the class, or whether it is more probable than not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

impl Finding {
    /// All outputs of an integer network that saw one or more views of an image. Raw outputs are
    /// summed (and would stop at the ends of `i64`), logits are averaged.
    ///
    /// # Panics
    /// If there is no view, or one has not as many outputs as the model.
    #[must_use]
    pub fn of_integers(model: &PublicModel, views: &[Vec<i64>]) -> Vec<Self> {
        let sum = |i: usize| views.iter().fold(0_i64, |sum, v| sum.saturating_add(v[i]));
        let raw: Vec<i64> = (0..model.graph.output().shape.len()).map(sum).collect();
        match (model.opening, model.head) {
            (Opening::Top, Head::Sigmoid) => {
                Self::each(model, |i| (Some(raw[i]), Some(raw[i] > 0), None))
            }
            (Opening::Top, _) => {
                let class = usize::try_from(raw[0]).ok();
                Self::each(model, |i| (None, Some(class == Some(i)), None))
            }
            (Opening::All | Opening::Rounded, _) => {
                let mut logits = model.logits(&raw);
                for logit in &mut logits {
                    *logit /= count(views.len());
                }
                Self::of_logits(model, &logits, Some(&raw))
            }
        }
    }

    /// All outputs of a float network that saw one or more views of an image; logits are averaged.
    ///
    /// # Panics
    /// If there is no view, or one has not an output for every label.
    #[must_use]
    pub fn of_floats(model: &PublicModel, views: &[Vec<f32>]) -> Vec<Self> {
        let sum = |i: usize| views.iter().map(|v| f64::from(v[i])).sum::<f64>();
        let mean = |i| sum(i) / count(views.len());
        let logits: Vec<f64> = (0..model.labels.len()).map(mean).collect();
        Self::of_logits(model, &logits, None)
    }

    fn of_logits(model: &PublicModel, logits: &[f64], raw: Option<&[i64]>) -> Vec<Self> {
        let probabilities = model.probabilities(logits);
        Self::each(model, |i| {
            (
                raw.map(|raw| raw[i]),
                None,
                Some((logits[i], probabilities[i])),
            )
        })
    }

    /// One for each label: its integer, whether it is present, and its logit and probability.
    fn each(
        model: &PublicModel,
        of: impl Fn(usize) -> (Option<i64>, Option<bool>, Option<(f64, f64)>),
    ) -> Vec<Self> {
        let each = model.labels.iter().enumerate();
        each.map(|(i, name)| {
            let (raw, present, value) = of(i);
            Self {
                name: name.clone(),
                raw,
                logit: value.map(|(logit, _)| logit),
                probability: value.map(|(_, probability)| probability),
                present,
            }
        })
        .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most ten views")]
fn count(views: usize) -> f64 {
    assert!(views > 0, "an image has a view");
    views as f64
}

/// Traffic of one or more runs, and of what had to be done before them. The refills of correlations are on streams of their own and
/// counted apart; what sets these up is not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Comm {
    /// Online bytes up.
    pub client_to_server_bytes: u64,
    /// Online bytes down.
    pub server_to_client_bytes: u64,
    /// Maximal runs of online bytes in one direction.
    pub flights: u64,
    /// Bytes up that linear layers need once in a session, such as keys; counted with the first image.
    pub setup_client_to_server_bytes: u64,
    /// Bytes down that linear layers need once in a session; counted with the first image.
    pub setup_server_to_client_bytes: u64,
    /// Bytes up of the phase ahead, and of the correlations of preparations, counted with the first of the images that it was for.
    pub ahead_client_to_server_bytes: u64,
    /// Bytes down of the phase ahead, and of the correlations of preparations, counted with the first of the images that it was for.
    pub ahead_server_to_client_bytes: u64,
    /// Flights of the phase ahead.
    pub ahead_flights: u64,
    /// Bytes up that refilled the pools meanwhile.
    pub refill_client_to_server_bytes: u64,
    /// Bytes down that refilled the pools meanwhile.
    pub refill_server_to_client_bytes: u64,
}

impl Comm {
    /// All bytes, both directions, refills included.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        let online = self.client_to_server_bytes + self.server_to_client_bytes;
        online + self.setup_bytes() + self.ahead_bytes() + self.refill_bytes()
    }

    /// The bytes that linear layers need once in a session, both directions.
    #[must_use]
    pub const fn setup_bytes(&self) -> u64 {
        self.setup_client_to_server_bytes + self.setup_server_to_client_bytes
    }

    /// The bytes of the phase ahead, both directions.
    #[must_use]
    pub const fn ahead_bytes(&self) -> u64 {
        self.ahead_client_to_server_bytes + self.ahead_server_to_client_bytes
    }

    /// The bytes of refills, both directions.
    #[must_use]
    pub const fn refill_bytes(&self) -> u64 {
        self.refill_client_to_server_bytes + self.refill_server_to_client_bytes
    }
}

/// Wall time at this party, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "reports of other runs have the same"
)]
pub struct Times {
    /// Of connecting and of setting up the session; counted with the first image.
    pub setup_s: f64,
    /// Of the phase ahead, counted with the first of the images that it was for.
    pub ahead_s: f64,
    /// Of turning the picture into the network's input.
    pub preprocess_s: f64,
    /// Of the runs.
    pub online_s: f64,
    /// Of all that.
    pub total_s: f64,
}

/// What a client learns of one image, and what that cost.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Findings {
    /// The outputs in the order of the labels.
    pub outputs: Vec<Finding>,
    /// The raw outputs of each view.
    pub views: Vec<Vec<i64>>,
    /// What its preparations had taken, if it was computed from these; not in `comm` and `time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preparation: Option<Preparation>,
    /// Traffic.
    pub comm: Comm,
    /// Time.
    pub time: Times,
    /// The layers, each summed over the views.
    pub layers: Vec<LayerReport>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_count_everything() {
        let comm = Comm {
            client_to_server_bytes: 1,
            server_to_client_bytes: 20,
            flights: 4000,
            refill_client_to_server_bytes: 300,
            refill_server_to_client_bytes: 50_000,
            setup_client_to_server_bytes: 600_000,
            setup_server_to_client_bytes: 7_000_000,
            ahead_client_to_server_bytes: 80_000_000,
            ahead_server_to_client_bytes: 900_000_000,
            ahead_flights: 5000,
        };
        assert_eq!(
            (comm.total_bytes(), comm.refill_bytes()),
            (987_650_321, 50_300)
        );
        assert_eq!(
            (comm.setup_bytes(), comm.ahead_bytes()),
            (7_600_000, 980_000_000)
        );
    }
}
