//! What a network would cost: the layers of a plan, their sum, and both as a table.

use std::fmt::Write as _;

use channel::Role;
use nets::{Constants, CrypTFlow2, FloatModel, LayerPlan, Mode, Model, SecureNetwork};
use ot::{refill_cost, refills};
use serde::Serialize;
use sharing::Options;

use crate::args::SpeedArgs;
use crate::failure::{Failure, Outcome};
use crate::machine::Machine;
use crate::network::Link;
use crate::report::{Comm, Layer, Widths, bytes, widths};

/// The cost of one image, before it is run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) model: String,
    pub(crate) preset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bits: Option<Widths>,
    pub(crate) network: Link,
    pub(crate) parameters: u64,
    pub(crate) macs: u64,
    pub(crate) comm: Comm,
    pub(crate) time: Time,
    pub(crate) layers: Vec<PlannedLayer>,
}

/// Where the seconds would go.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Time {
    /// Of both parties together; none where nobody measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s: Option<f64>,
    pub(crate) network_s: f64,
    pub(crate) total_s: f64,
}

/// A layer of the plan.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PlannedLayer {
    #[serde(flatten)]
    pub(crate) layer: Layer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight_bits: Option<u32>,
    pub(crate) ring_bits: u32,
    pub(crate) refill_client_to_server_bytes: u64,
    pub(crate) refill_server_to_client_bytes: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
}

impl PlannedLayer {
    /// Of weights, if there are any, and of the ring.
    fn bits(&self) -> String {
        let weights = self.weight_bits.map(|bits| format!("{bits} x "));
        weights.unwrap_or_default() + &self.ring_bits.to_string()
    }
}

/// What the seconds are computed from.
#[derive(Clone, Debug)]
pub(crate) struct Speed {
    pub(crate) link: Link,
    pub(crate) constants: Constants,
}

impl Speed {
    /// As on the command line.
    pub(crate) fn of(args: &SpeedArgs) -> Outcome<Self> {
        Ok(Self {
            link: args.network.clone(),
            constants: Machine::find(args.constants.as_deref())?,
        })
    }

    /// CPU seconds and seconds on the wire.
    pub(crate) fn seconds(&self, layer: &LayerPlan) -> (f64, f64) {
        let price = Options::default().cot_price();
        let network = self.link.network.seconds(&layer.cost, price);
        (self.constants.seconds(&layer.work), network)
    }
}

/// What a model's graph costs as it stands.
pub(crate) fn of_model(
    model: &Model,
    mode: Mode,
    parameters: u64,
    speed: &Speed,
) -> Outcome<Estimate> {
    let public = &model.public;
    let price = Options::default().cot_price();
    let network = SecureNetwork::new(&public.graph, mode, price).map_err(Failure::input)?;
    let mut estimate = sum(public.name.clone(), "ot", network.plan(), speed);
    estimate.mode = Some(mode.to_string());
    estimate.bits = Some(widths(&public.graph));
    estimate.parameters = parameters;
    Ok(estimate)
}

/// What a network cost in an earlier system; what its CPU did is not known.
pub(crate) fn of_history(
    model: String,
    float: &FloatModel,
    preset: &'static str,
    settings: CrypTFlow2,
    speed: &Speed,
) -> Outcome<Estimate> {
    let layers = settings.plan(float).map_err(Failure::input)?;
    let mut estimate = sum(model, preset, &layers, speed);
    estimate.time.cpu_s = None;
    estimate.parameters = float.parameters();
    Ok(estimate)
}

fn sum(model: String, preset: &'static str, plan: &[LayerPlan], speed: &Speed) -> Estimate {
    let mut estimate = Estimate {
        model,
        preset,
        mode: None,
        bits: None,
        network: speed.link.clone(),
        parameters: 0,
        macs: 0,
        comm: Comm::default(),
        time: Time {
            cpu_s: Some(0.0),
            network_s: 0.0,
            total_s: 0.0,
        },
        layers: Vec::with_capacity(plan.len()),
    };
    let (mut cpu_s, mut drawn) = (0.0, channel::Cots::default());
    for layer in plan {
        let (cpu, network) = speed.seconds(layer);
        let before = drawn;
        drawn = drawn.plus(layer.cost.cots);
        let planned = PlannedLayer {
            layer: Layer {
                name: layer.name.clone(),
                op: layer.op.to_owned(),
                algorithm: layer.algorithm.to_owned(),
                macs: layer.macs,
                client_to_server_bytes: layer.cost.bytes_to_server(),
                server_to_client_bytes: layer.cost.bytes_to_client(),
                flights: layer.cost.flights() as u64,
                seconds: cpu + network,
            },
            weight_bits: layer.weight_bits,
            ring_bits: layer.ring_bits,
            // Corrections travel from the receiver to the sender.
            refill_client_to_server_bytes: refill(before.server_sends, drawn.server_sends),
            refill_server_to_client_bytes: refill(before.client_sends, drawn.client_sends),
            why: layer.why.clone(),
        };
        cpu_s += cpu;
        estimate.time.network_s += network;
        estimate.add(&planned);
        estimate.layers.push(planned);
    }
    estimate.time.cpu_s = Some(cpu_s);
    estimate.time.total_s = cpu_s + estimate.time.network_s;
    estimate
}

/// Bytes that a pool of a fresh session takes to go from so many COTs drawn to so many.
fn refill(before: u64, after: u64) -> u64 {
    let times = refills(after) - refills(before);
    refill_cost(Options::default().softspoken_k, times, Role::Server).bytes()
}

impl Estimate {
    fn add(&mut self, planned: &PlannedLayer) {
        let (comm, layer) = (&mut self.comm, &planned.layer);
        self.macs += layer.macs;
        comm.client_to_server_bytes += layer.client_to_server_bytes;
        comm.server_to_client_bytes += layer.server_to_client_bytes;
        comm.flights += layer.flights;
        comm.refill_client_to_server_bytes += planned.refill_client_to_server_bytes;
        comm.refill_server_to_client_bytes += planned.refill_server_to_client_bytes;
    }

    /// Layer by layer with reasons, and the sums.
    pub(crate) fn table(&self) -> String {
        let width = (self.layers.iter())
            .map(|l| l.layer.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut out = format!(
            "{:<width$} {:<14} {:<24} {:>7} {:>14} {:>10} {:>10} {:>10} {:>8} {:>9}  why\n",
            "layer",
            "op",
            "algorithm",
            "bits",
            "MACs",
            "up",
            "down",
            "refill",
            "flights",
            "seconds"
        );
        for planned in &self.layers {
            let l = &planned.layer;
            let refill =
                planned.refill_client_to_server_bytes + planned.refill_server_to_client_bytes;
            let line = format!(
                "{:<width$} {:<14} {:<24} {:>7} {:>14} {:>10} {:>10} {:>10} {:>8} {:>9.3}  {}",
                l.name,
                l.op,
                l.algorithm,
                planned.bits(),
                l.macs,
                bytes(l.client_to_server_bytes),
                bytes(l.server_to_client_bytes),
                bytes(refill),
                l.flights,
                l.seconds,
                planned.why
            );
            put(&mut out, format_args!("{}", line.trim_end()));
        }
        out + &self.summary()
    }

    fn summary(&self) -> String {
        let (comm, time, mut out) = (self.comm, self.time, String::new());
        let how = self.mode.as_deref().unwrap_or("by formula");
        put(
            &mut out,
            format_args!("\n{} · preset {} · {how}", self.model, self.preset),
        );
        if let Some(bits) = self.bits {
            put(
                &mut out,
                format_args!(
                    "widths: weights {} bits, activations {}, accumulators {} at most",
                    bits.weight, bits.activation, bits.accumulator
                ),
            );
        }
        put(
            &mut out,
            format_args!(
                "network: {} multiply-accumulates, {} parameters",
                self.macs, self.parameters
            ),
        );
        put(
            &mut out,
            format_args!(
                "traffic of one image: {} (online: client to server {}, server to client {}, {} flights; COT refill {})",
                bytes(comm.total_bytes()),
                bytes(comm.client_to_server_bytes),
                bytes(comm.server_to_client_bytes),
                comm.flights,
                bytes(comm.refill_bytes())
            ),
        );
        let cpu = time.cpu_s.map_or_else(
            || "CPU time unknown".to_owned(),
            |cpu| format!("CPU of both parties {cpu:.1}"),
        );
        put(
            &mut out,
            format_args!(
                "time on {}: {:.1} s ({cpu}, network {:.1}), an estimate",
                self.network.name, time.total_s, time.network_s
            ),
        );
        out
    }
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("writing to a string cannot fail");
}
