//! What a command prints: the JSON every command shares, and the same facts as a table for people.

use std::time::Duration;

use channel::Role;
use images::Image;
use nets::{IntGraph, IntOp, PublicModel};
use secure::{LayerReport, SecureNetwork};
use serde::Serialize;
use service::{Comm, Extension, Finding, Preparation, Times};

use crate::text::{Side, Table, bytes, counted, put};

/// The result for one image.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) model: String,
    pub(crate) model_digest: String,
    /// What the server is called here, where its guard knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arithmetic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    /// Where a phase ahead of the images was asked for, whether layers had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<bool>,
    /// What made the correlated OTs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bits: Option<Widths>,
    pub(crate) input: String,
    pub(crate) input_sha256: String,
    /// What there is to know of how the image was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    pub(crate) outputs: Vec<Finding>,
    /// In what the image is unlike those that the model was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unlike: Option<String>,
    /// What was wrong with the model when it was made, and was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<String>,
    /// Values that wrapped where this does harm (only where the integers were computed in the clear).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wrapped: Option<usize>,
    /// Values that a clip of the network cut off (only where the integers were computed in the clear).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clipped: Option<usize>,
    /// Whether the secure integers equal the clear ones (only where both were computed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exact: Option<bool>,
    /// Largest distance of a probability from the float network's (only where both were computed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deviation: Option<f64>,
    /// What the preparations of this image had taken when they were made, if it was computed from these; not in `comm` and `time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preparation: Option<Preparation>,
    /// For how many images there are preparations left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prepared_left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comm: Option<Comm>,
    pub(crate) time: Times,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<Layer>,
}

/// Bits of the widest integers of the network, by kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Widths {
    /// Of what an activation function takes.
    pub(crate) activation: u32,
    pub(crate) weight: u32,
    pub(crate) accumulator: u32,
}

/// What one layer costs: measured in a run, or planned before it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) op: &'static str,
    pub(crate) algorithm: String,
    pub(crate) macs: u64,
    pub(crate) client_to_server_bytes: u64,
    pub(crate) server_to_client_bytes: u64,
    pub(crate) flights: u64,
    pub(crate) seconds: f64,
    /// What a plan says and a run does not.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) planned: Option<Planned>,
}

/// What a plan says of a layer beyond its cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Planned {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight_bits: Option<u32>,
    pub(crate) ring_bits: u32,
    pub(crate) refill_client_to_server_bytes: u64,
    pub(crate) refill_server_to_client_bytes: u64,
    /// Why its algorithm was chosen; empty where there was no choice.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
}

/// The widest activation, weight and accumulator of a network.
pub(crate) fn widths(graph: &IntGraph) -> Widths {
    let mut widest = Widths {
        activation: 0,
        weight: 0,
        accumulator: 0,
    };
    for (node, tensor) in graph.nodes().iter().zip(graph.types()) {
        let bits = tensor.bits().get();
        match node.op {
            IntOp::Linear { weight_bits, .. } => {
                widest.weight = widest.weight.max(weight_bits);
                // Without the guard bits.
                let ring = graph.types()[node.inputs[0]].bits().get();
                widest.accumulator = widest.accumulator.max(ring);
            }
            IntOp::Relu | IntOp::SignedRelu | IntOp::Clip { .. } | IntOp::Curve { .. } => {
                widest.activation = widest.activation.max(bits);
            }
            // Unlike those, it gives a result as wide as an accumulator.
            IntOp::HardSwish { .. } => {
                let ring = graph.types()[node.inputs[0]].bits().get();
                widest.activation = widest.activation.max(ring);
            }
            // Parts of a hard-sigmoid, whose clip counts; products, and sums of them, that are truncated at once.
            IntOp::Affine { .. }
            | IntOp::Gate
            | IntOp::MeanPool { .. }
            | IntOp::TruncReduce { .. }
            | IntOp::Trunc { .. }
            // These pass on what they are given, perhaps in another ring.
            | IntOp::Input { .. }
            | IntOp::Extend { .. }
            | IntOp::Narrow { .. }
            | IntOp::Claim
            | IntOp::MaxPool { .. }
            | IntOp::ArgMax
            | IntOp::Add
            | IntOp::Concat
            | IntOp::ChannelShuffle { .. }
            | IntOp::Slice { .. }
            | IntOp::SumPool { .. }
            | IntOp::Subsample { .. }
            | IntOp::PadChannels { .. }
            | IntOp::Pick { .. }
            | IntOp::Reorder { .. }
            | IntOp::Flatten
            | IntOp::Output => {}
        }
    }
    widest
}

/// In what an image is unlike those that a model was made for.
pub(crate) fn unlike(model: &PublicModel, image: &Image) -> Option<String> {
    let calibration = model.calibration.as_ref()?;
    calibration.unlike(&image.picture, &model.preprocessing)
}

/// What was wrong with a model when it was made, and was accepted.
pub(crate) fn accepted(model: &PublicModel) -> Option<String> {
    model.calibration.as_ref()?.accepted.clone()
}

/// What a finding says besides its name.
fn opened(finding: &Finding) -> String {
    let raw = finding
        .raw
        .map_or_else(String::new, |r| format!("   raw {r:>8}"));
    match (finding.probability, finding.logit, finding.present) {
        (Some(probability), Some(logit), _) => {
            format!("{:6.2} %   logit {logit:+8.4}{raw}", 100.0 * probability)
        }
        (_, _, Some(true)) => "yes".to_owned(),
        _ => "no".to_owned(),
    }
}

/// The total of a traffic, the parts it is made of, and what makes the correlated OTs.
pub(crate) fn traffic(comm: &Comm, extension: Option<&str>) -> String {
    let by = extension.map_or_else(String::new, |name| format!(" by {name}"));
    let ahead = match comm.ahead_bytes() {
        0 => String::new(),
        _ => format!(
            "ahead: client to server {}, server to client {}, {} flights; ",
            bytes(comm.ahead_client_to_server_bytes),
            bytes(comm.ahead_server_to_client_bytes),
            comm.ahead_flights
        ),
    };
    let keys = match comm.setup_bytes() {
        0 => String::new(),
        keys => format!("; keys {}", bytes(keys)),
    };
    format!(
        "{} ({ahead}online: client to server {}, server to client {}, {} flights; COT refill {}{by}{keys})",
        bytes(comm.total_bytes()),
        bytes(comm.client_to_server_bytes),
        bytes(comm.server_to_client_bytes),
        comm.flights,
        bytes(comm.refill_bytes()),
    )
}

/// The bytes of a session of so many runs of a network: keys, phases ahead, runs, and the refills for them.
pub(crate) fn traffic_of(network: &SecureNetwork, runs: u64, extension: &dyn Extension) -> u64 {
    let (ahead, cots) = network.ahead_total(runs);
    let cots = network.cost().cots.times(runs).plus(cots);
    let pools = [
        (Role::Server, cots.server_sends),
        (Role::Client, cots.client_sends),
    ];
    let refills = pools.into_iter().map(|(sender, n)| {
        extension.setup_cost(sender).bytes() + extension.refill_cost(n, sender).bytes()
    });
    let once = network.set_up_cost().bytes().saturating_add(ahead);
    let runs = network.cost().bytes().saturating_mul(runs);
    refills.fold(once.saturating_add(runs), u64::saturating_add)
}

/// Seconds of a duration.
pub(crate) const fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

impl From<&LayerReport> for Layer {
    fn from(layer: &LayerReport) -> Self {
        Self {
            name: layer.name.clone(),
            op: layer.op,
            algorithm: layer.algorithm.to_string(),
            macs: layer.macs,
            client_to_server_bytes: layer.client_to_server_bytes,
            server_to_client_bytes: layer.server_to_client_bytes,
            flights: layer.flights,
            seconds: layer.seconds,
            planned: None,
        }
    }
}

impl Layer {
    /// Bytes of both directions, without refill.
    pub(crate) const fn online_bytes(&self) -> u64 {
        self.client_to_server_bytes + self.server_to_client_bytes
    }

    /// Adds the cost of another layer.
    pub(crate) fn add(&mut self, other: &Self) {
        self.macs += other.macs;
        self.client_to_server_bytes += other.client_to_server_bytes;
        self.server_to_client_bytes += other.server_to_client_bytes;
        self.flights += other.flights;
        self.seconds += other.seconds;
        if let (Some(planned), Some(other)) = (&mut self.planned, &other.planned) {
            planned.refill_client_to_server_bytes += other.refill_client_to_server_bytes;
            planned.refill_server_to_client_bytes += other.refill_server_to_client_bytes;
        }
    }
}

impl Report {
    /// The findings, most probable first, and what they cost.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        let line = &mut out;
        let how = self
            .mode
            .as_deref()
            .or(self.arithmetic.as_deref())
            .unwrap_or("");
        put(
            line,
            format_args!("{} · {} · {how}", self.input, self.model),
        );
        let order = self.by_rank();
        let width = order
            .iter()
            .map(|f| f.name.chars().count())
            .max()
            .unwrap_or(0);
        for finding in order {
            let opened = opened(finding);
            put(line, format_args!("  {:<width$}  {opened}", finding.name));
        }
        self.put_worth(line);
        if let Some(comm) = &self.comm {
            put(
                line,
                format_args!("traffic: {}", traffic(comm, self.extension)),
            );
        }
        if let Some(spent) = self.prepared_before() {
            put(line, format_args!("prepared before: {spent}"));
        }
        if let Some(left) = self.prepared_for() {
            put(line, format_args!("preparations left: for {left}"));
        }
        let time = self.time;
        let ahead = match time.ahead_s > 0.0 {
            true => format!("ahead {:.2}, ", time.ahead_s),
            false => String::new(),
        };
        put(
            line,
            format_args!(
                "time: {:.2} s (set-up {:.2}, {ahead}preprocessing {:.2}, online {:.2})",
                time.total_s, time.setup_s, time.preprocess_s, time.online_s
            ),
        );
        out
    }

    /// What its preparations had taken, alone and together with the rest, if there were any.
    pub(crate) fn prepared_before(&self) -> Option<String> {
        let (spent, comm) = (self.preparation.as_ref()?, self.comm.as_ref()?);
        Some(format!(
            "{} in {:.2} s; with it {} in {:.2} s",
            bytes(spent.bytes()),
            spent.seconds,
            bytes(spent.bytes() + comm.total_bytes()),
            spent.seconds + self.time.total_s
        ))
    }

    /// For what there are preparations left.
    pub(crate) fn prepared_for(&self) -> Option<String> {
        let left = self.prepared_left?;
        Some(counted(
            usize::try_from(left).unwrap_or(usize::MAX),
            "image",
        ))
    }

    /// What the findings are worth.
    fn put_worth(&self, line: &mut String) {
        if let Some(unlike) = &self.unlike {
            put(line, format_args!("WARNING: {unlike}"));
        }
        if let Some(accepted) = &self.accepted {
            put(
                line,
                format_args!("WARNING: this was accepted when the model was made: {accepted}"),
            );
        }
        if let (Some(wrapped), Some(clipped)) = (self.wrapped, self.clipped) {
            put(
                line,
                format_args!(
                    "values that wrapped: {wrapped}; that a clip of the network cut off: {clipped}"
                ),
            );
        }
        if let Some(exact) = self.exact {
            let verdict = if exact { "yes" } else { "no" };
            put(
                line,
                format_args!("exact: {verdict} (secure integers against the clear ones)"),
            );
        }
        if let Some(deviation) = self.deviation {
            put(
                line,
                format_args!(
                    "deviation: {deviation:.6} (largest, of a probability, from the float network)"
                ),
            );
        }
    }

    /// The findings, most probable first; where no probability is opened, what is present comes first.
    pub(crate) fn by_rank(&self) -> Vec<&Finding> {
        let mut order: Vec<_> = self.outputs.iter().collect();
        let rank = |f: &Finding| {
            let present = f64::from(u8::from(f.present == Some(true)));
            f.probability.unwrap_or(present)
        };
        order.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        order
    }

    /// Cost by kind of layer, the slowest kind first.
    pub(crate) fn kinds(&self) -> String {
        let mut kinds: Vec<(usize, Layer)> = Vec::new();
        for layer in &self.layers {
            match kinds.iter_mut().find(|(_, kind)| kind.op == layer.op) {
                Some((count, kind)) => {
                    *count += 1;
                    kind.add(layer);
                }
                None => kinds.push((1, layer.clone())),
            }
        }
        kinds.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
        let mut table = Table::new([
            ("layer kind", Side::Left),
            ("layers", Side::Right),
            ("MACs", Side::Right),
            ("online", Side::Right),
            ("flights", Side::Right),
            ("seconds", Side::Right),
        ]);
        for (count, kind) in kinds {
            table.row([
                kind.op.to_owned(),
                count.to_string(),
                kind.macs.to_string(),
                bytes(kind.online_bytes()),
                kind.flights.to_string(),
                format!("{:.3}", kind.seconds),
            ]);
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use nets::{GraphBuilder, Shape};

    use super::*;

    /// The activation bits of a network of one operation, on 16 bits, and a truncation that leaves 20.
    fn activation(op: IntOp) -> u32 {
        let (shape, bits, scale) = (Shape::new(2, 1, 1), 16, 4);
        let mut builder = GraphBuilder::new();
        let input = builder.push("input", IntOp::Input { shape, bits, scale }, &[]);
        let acts = builder.push("acts", op, &[input]);
        let wide = builder.push("wide", IntOp::Extend { to: 24 }, &[acts]);
        let (shift, rounded) = (4, false);
        let cut = builder.push("cut", IntOp::TruncReduce { shift, rounded }, &[wide]);
        builder.push("output", IntOp::Output, &[cut]);
        widths(&builder.finish().expect("a network")).activation
    }

    #[test]
    fn activation_functions_have_the_width_of_their_input() {
        let (fraction, top) = (2, 6 << 4);
        for op in [
            IntOp::Relu,
            IntOp::Clip { top },
            IntOp::HardSwish { fraction, to: 22 },
        ] {
            assert_eq!(activation(op.clone()), 16, "{op:?}");
        }
        assert_eq!(activation(IntOp::ChannelShuffle { groups: 2 }), 0);
    }
}
