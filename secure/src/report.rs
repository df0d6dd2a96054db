//! Plans and reports of secure runs, layer by layer.

use std::borrow::Cow;

use channel::{Cost, Cots};
use linear::Work;
use serde::{Deserialize, Serialize};

use crate::ahead::AheadReport;

/// How exact a secure run is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the two modes there are")]
pub enum Mode {
    /// Equal to the integer reference bit for bit, on every input.
    #[default]
    Faithful,
    /// Truncations into a narrower ring are done by each party alone: the floor, or one more where the bits that are
    /// cut off exceed a random threshold, which the client knows. Each result is off by less than one unit and
    /// right on average, provided that nothing overflows. Truncations whose results are opened are exact.
    Fast,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Faithful => "faithful",
            Self::Fast => "fast",
        })
    }
}

/// One layer of a plan: what it will cost.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LayerPlan {
    /// Its node in the graph.
    pub node: usize,
    /// Its name.
    pub name: String,
    /// Its operation.
    pub op: &'static str,
    /// The protocol that computes it.
    pub algorithm: Cow<'static, str>,
    /// Multiply-accumulates, not counting products with padding.
    pub macs: u64,
    /// Bits of a weight, if the layer has weights.
    pub weight_bits: Option<u32>,
    /// Bits of the ring of its input, which for a product is the ring of the accumulator without guard bits.
    pub ring_bits: u32,
    /// Traffic and correlations, without the traffic that refills the pools.
    pub cost: Cost,
    /// The work of the CPUs, counted in units; [`crate::CpuModel::seconds`] estimates its time.
    pub work: Work,
}

impl LayerPlan {
    /// Adds what is computed of the same layer for other channels.
    pub(crate) fn add(&mut self, other: Self) {
        self.macs += other.macs;
        self.work = std::mem::take(&mut self.work).plus(&other.work);
        self.cost = std::mem::take(&mut self.cost).beside(other.cost);
    }
}

/// One layer of a run: what it cost.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct LayerReport {
    /// Its name.
    pub name: String,
    /// Its operation.
    pub op: &'static str,
    /// The protocol that computed it.
    pub algorithm: Cow<'static, str>,
    /// Multiply-accumulates, not counting products with padding.
    pub macs: u64,
    /// Bytes from the client to the server.
    pub client_to_server_bytes: u64,
    /// Bytes from the server to the client.
    pub server_to_client_bytes: u64,
    /// Flights: maximal runs of bytes in one direction, some of which other layers share.
    pub flights: u64,
    /// Correlations drawn with the server as sender.
    pub server_cots: u64,
    /// Correlations drawn with the client as sender.
    pub client_cots: u64,
    /// Seconds of this party: its computing, and the waiting while no earlier layer was under way.
    pub seconds: f64,
    /// The same as a cost, with every flight.
    #[serde(skip)]
    pub cost: Cost,
}

impl LayerReport {
    pub(crate) fn new(plan: &LayerPlan, cost: Cost, seconds: f64) -> Self {
        Self {
            name: plan.name.clone(),
            op: plan.op,
            algorithm: plan.algorithm.clone(),
            macs: plan.macs,
            client_to_server_bytes: cost.bytes_to_server(),
            server_to_client_bytes: cost.bytes_to_client(),
            flights: cost.flights() as u64,
            server_cots: cost.cots.server_sends,
            client_cots: cost.cots.client_sends,
            seconds,
            cost,
        }
    }
}

/// The report of a whole run.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct RunReport {
    /// How exact the run was.
    pub mode: Mode,
    /// The layers of the plan, in order.
    pub layers: Vec<LayerReport>,
    /// All of it, with every flight: those that layers share are counted once.
    #[serde(skip)]
    pub cost: Cost,
    /// What the session needed before, [`crate::SecureNetwork::set_up_cost`] where nothing had been made; not in `cost`.
    #[serde(skip)]
    pub set_up: Cost,
    /// The phase ahead, if it was part of the call; not in `cost`.
    #[serde(skip)]
    pub ahead: Cost,
}

impl RunReport {
    /// Adds what came before the run.
    pub(crate) fn after(mut self, before: AheadReport) -> Self {
        self.set_up = before.set_up.then(self.set_up);
        self.ahead = before.cost;
        self
    }

    /// Bytes to the server, bytes to the client, and flights.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let (up, down) = (self.cost.bytes_to_server(), self.cost.bytes_to_client());
        (up, down, self.cost.flights() as u64)
    }

    /// The correlations drawn.
    #[must_use]
    pub const fn cots(&self) -> Cots {
        self.cost.cots
    }

    /// Seconds of all layers together.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.layers.iter().map(|l| l.seconds).sum()
    }
}

/// How far a secure run has come, told before each layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Whether this is the phase ahead of the input, in which several layers may begin at once.
    pub ahead: bool,
    /// The number of the layer that begins, from 0.
    pub layer: usize,
    /// How many begin at once, this one and those after it: in the phase ahead several, else one.
    pub together: usize,
    /// Number of layers; in the phase ahead, of those that have a part in it.
    pub layers: usize,
    /// Its name.
    pub name: &'a str,
    /// Its operation.
    pub op: &'static str,
    /// Online bytes, in both directions, of the layers before.
    pub done_bytes: u64,
    /// Online bytes, in both directions, of all layers, as planned.
    pub total_bytes: u64,
}
