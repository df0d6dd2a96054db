//! What a network would cost: the layers of a plan, their sum, and both as a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::{Cost, Cots, Role};
use nets::FloatModel;
use secure::{CpuModel, CrypTFlow2, ExtensionChoice, LayerPlan, Limits, Mode, SecureNetwork};
use serde::Serialize;
use service::{Comm, Extension};
use sharing::default_extension;

use super::options::{self, Alternative};
use super::preparation::Preparation;
use super::savings::{self, Saved};
use super::wire::Wire;
use crate::failure::{Failure, Outcome};
use crate::model::Chosen;
use crate::report::{Layer, Planned, Widths, traffic, widths};
use crate::text::{Side, Table, bytes, put};

/// The cost of one image in all its views, before it is run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) model: String,
    pub(crate) preset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    /// What makes the correlated OTs; none for a system that counts them with the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bits: Option<Widths>,
    pub(crate) network: Wire,
    /// How often the network runs for one image; everything below is the sum.
    pub(crate) views: usize,
    pub(crate) parameters: u64,
    pub(crate) macs: u64,
    pub(crate) comm: Comm,
    pub(crate) time: Time,
    /// The same time by its phases, where the plan is of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phases: Option<Phases>,
    /// What a preparation takes that is made before and kept, where the plan is of both phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preparation: Option<Preparation>,
    pub(crate) layers: Vec<Layer>,
    /// Bytes of an image without keys and without a phase ahead: what savings are shares of.
    #[serde(skip)]
    pub(crate) run_bytes: u64,
    /// What other options would save; as `savings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) options: Option<Vec<Alternative>>,
    /// What other operators would save; none for an earlier system, and where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) savings: Option<Vec<Saved>>,
}

/// What the estimated seconds are spent on.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Time {
    /// CPU time of both parties together; none for a system whose CPU time is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s: Option<f64>,
    pub(crate) network_s: f64,
    pub(crate) total_s: f64,
}

/// The estimated seconds before there is an image, and those from then on.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Phases {
    pub(crate) ahead_s: f64,
    pub(crate) online_s: f64,
}

/// What seconds are estimated from.
#[derive(Clone, Debug)]
pub(crate) struct Speed {
    pub(crate) wire: Wire,
    pub(crate) constants: CpuModel,
    pub(crate) extension: ExtensionChoice,
}

/// What a model costs with the algorithms that were chosen.
pub(crate) fn of_choice(
    chosen: &Chosen,
    mode: Mode,
    preset: &'static str,
    parameters: u64,
    speed: &Speed,
) -> Outcome<Estimate> {
    let graph = Arc::new(chosen.model.public.graph.clone());
    let network = SecureNetwork::new(graph, mode, chosen.extension.price());
    let network = network.map_err(Failure::input)?;
    Ok(of_network(
        &network, mode, chosen, preset, parameters, speed,
    ))
}

/// The same with the phase ahead of the image and the rest apart: bytes and flights of either are exact.
pub(crate) fn of_phases(
    chosen: &Chosen,
    mode: Mode,
    preset: &'static str,
    parameters: u64,
    speed: &Speed,
) -> Outcome<Estimate> {
    let whole = of_choice(chosen, mode, preset, parameters, speed)?;
    let graph = Arc::new(chosen.model.public.graph.clone());
    let (limits, price) = (Limits::default(), chosen.extension.price());
    let network = SecureNetwork::ahead(&limits, graph, mode, price).map_err(Failure::input)?;
    let mut online = of_network(&network, mode, chosen, preset, parameters, speed);
    let ahead = ahead(&network, online.views);
    let (views, extension) = (online.views as u64, chosen.extension);
    online.preparation = Some(Preparation::new(&network, &ahead, views, extension)?);
    let comm = &mut online.comm;
    comm.ahead_client_to_server_bytes = ahead.bytes_to_server();
    comm.ahead_server_to_client_bytes = ahead.bytes_to_client();
    comm.ahead_flights = ahead.flights() as u64;
    // What a processor does in both phases together is what it does without them.
    let cpu = |estimate: &Estimate| estimate.time.cpu_s.unwrap_or(0.0);
    let network_s = speed.wire.network.seconds(&ahead, price);
    let phases = Phases {
        ahead_s: (cpu(&whole) - cpu(&online)).max(0.0) + network_s,
        online_s: online.time.total_s,
    };
    online.time.cpu_s = whole.time.cpu_s;
    online.time.network_s += network_s;
    online.time.total_s = phases.ahead_s + phases.online_s;
    online.phases = Some(phases);
    online.run_bytes = whole.run_bytes;
    Ok(online)
}

/// What the phases ahead of the views of an image take: as few as there is room for.
fn ahead(network: &SecureNetwork, views: usize) -> Cost {
    let mut cost = Cost::none();
    let mut left = if network.runs_ahead() { views } else { 0 };
    while left > 0 {
        let now = left.min(network.ahead_images());
        cost = cost.then(network.ahead_cost(now));
        left -= now;
    }
    cost
}

fn of_network(
    network: &SecureNetwork,
    mode: Mode,
    chosen: &Chosen,
    preset: &'static str,
    parameters: u64,
    speed: &Speed,
) -> Estimate {
    let Chosen {
        model, extension, ..
    } = chosen;
    let why = chosen.layers.iter().map(|c| (c.node, c.why.clone()));
    let (why, extension) = (why.collect(), *extension);
    let public = &model.public;
    let views = public.preprocessing.views();
    let estimate = Estimate {
        mode: Some(mode.to_string()),
        extension: Some(extension.name()),
        bits: Some(widths(&public.graph)),
        parameters,
        ..sum(
            public.name.clone(),
            preset,
            network.plan(),
            views,
            &why,
            (speed, extension),
        )
    };
    let mut estimate = estimate.with_shared_flights(network.cost(), speed, extension);
    estimate.run_bytes = estimate.comm.total_bytes();
    let keys = network.set_up_cost();
    estimate.comm.setup_client_to_server_bytes = keys.bytes_to_server();
    estimate.comm.setup_server_to_client_bytes = keys.bytes_to_client();
    estimate
}

/// What a network cost in an earlier system; what its CPU did is not known.
pub(crate) fn of_history(
    model: String,
    float: &FloatModel,
    views: usize,
    preset: &'static str,
    settings: CrypTFlow2,
    speed: &Speed,
) -> Outcome<Estimate> {
    let layers = settings.plan(float).map_err(Failure::input)?;
    // Its costs contain its correlations.
    let by = (speed, default_extension());
    let mut estimate = sum(model, preset, &layers, views, &BTreeMap::new(), by);
    estimate.time.cpu_s = None;
    estimate.parameters = float.parameters();
    Ok(estimate)
}

/// The layers, each summed over the views as a run reports them, and their sum.
fn sum(
    model: String,
    preset: &'static str,
    plan: &[LayerPlan],
    views: usize,
    why: &BTreeMap<usize, String>,
    (speed, extension): (&Speed, &dyn Extension),
) -> Estimate {
    let mut estimate = Estimate {
        model,
        preset,
        mode: None,
        extension: None,
        bits: None,
        network: speed.wire.clone(),
        views,
        parameters: 0,
        macs: 0,
        comm: Comm::default(),
        time: Time::default(),
        phases: None,
        preparation: None,
        layers: Vec::with_capacity(plan.len()),
        run_bytes: 0,
        options: None,
        savings: None,
    };
    let constants = speed.constants.clone().of_extension(extension);
    let mut cpu_s = 0.0;
    let mut refills = Refills::new(extension, plan, views);
    for _ in 0..views {
        for (place, planned) in plan.iter().enumerate() {
            let cpu = constants.seconds(&planned.work);
            let network = (speed.wire.network).seconds(&planned.cost, extension.price());
            cpu_s += cpu;
            estimate.time.network_s += network;
            let why = why.get(&planned.node).cloned().unwrap_or_default();
            let refill = refills.draw(planned.cost.cots);
            estimate.add(place, layer(planned, refill, cpu + network, why));
        }
    }
    estimate.time.cpu_s = Some(cpu_s);
    estimate.time.total_s = cpu_s + estimate.time.network_s;
    estimate
}

/// A layer; `refill` are the bytes to the server and to the client that refill the pools meanwhile.
fn layer(planned: &LayerPlan, refill: [u64; 2], seconds: f64, why: String) -> Layer {
    Layer {
        name: planned.name.clone(),
        op: planned.op,
        algorithm: planned.algorithm.to_string(),
        macs: planned.macs,
        client_to_server_bytes: planned.cost.bytes_to_server(),
        server_to_client_bytes: planned.cost.bytes_to_client(),
        flights: planned.cost.flights() as u64,
        seconds,
        planned: Some(Planned {
            weight_bits: planned.weight_bits,
            ring_bits: planned.ring_bits,
            refill_client_to_server_bytes: refill[0],
            refill_server_to_client_bytes: refill[1],
            why,
        }),
    }
}

/// The refills of a session, followed draw by draw.
struct Refills<'a> {
    extension: &'a dyn Extension,
    /// What both parties are told before the first draw.
    announced: Cots,
    drawn: Cots,
    /// Bytes to the server and to the client so far.
    bytes: [u64; 2],
}

impl<'a> Refills<'a> {
    fn new(extension: &'a dyn Extension, plan: &[LayerPlan], views: usize) -> Self {
        let layers = plan.iter().map(|layer| layer.cost.cots);
        Self {
            extension,
            announced: layers.fold(Cots::default(), Cots::plus).times(views as u64),
            drawn: Cots::default(),
            bytes: [0; 2],
        }
    }

    /// Bytes to the server and to the client of a draw.
    fn draw(&mut self, cots: Cots) -> [u64; 2] {
        self.drawn = self.drawn.plus(cots);
        let pool = |announced, drawn, sender| {
            let announced = Some(announced);
            let cost = (self.extension).refill_cost_announced(announced, drawn, sender);
            [cost.bytes_to_server(), cost.bytes_to_client()]
        };
        let (all, now) = (self.announced, self.drawn);
        let first = pool(all.server_sends, now.server_sends, Role::Server);
        let second = pool(all.client_sends, now.client_sends, Role::Client);
        let before = self.bytes;
        self.bytes = [first[0] + second[0], first[1] + second[1]];
        [self.bytes[0] - before[0], self.bytes[1] - before[1]]
    }
}

impl Estimate {
    /// Counts flights as a whole run has them, in which layers share some.
    fn with_shared_flights(mut self, one: &Cost, speed: &Speed, extension: &dyn Extension) -> Self {
        let price = extension.price();
        let runs = u32::try_from(self.views).expect("few views");
        self.comm.flights = one.flights() as u64 * u64::from(runs);
        self.time.network_s = speed.wire.network.seconds(one, price) * f64::from(runs);
        self.time.total_s = self.time.cpu_s.unwrap_or(0.0) + self.time.network_s;
        self
    }

    /// Adds one run of the layer at a place.
    fn add(&mut self, place: usize, layer: Layer) {
        let comm = &mut self.comm;
        self.macs += layer.macs;
        comm.client_to_server_bytes += layer.client_to_server_bytes;
        comm.server_to_client_bytes += layer.server_to_client_bytes;
        comm.flights += layer.flights;
        if let Some(planned) = &layer.planned {
            comm.refill_client_to_server_bytes += planned.refill_client_to_server_bytes;
            comm.refill_server_to_client_bytes += planned.refill_server_to_client_bytes;
        }
        match self.layers.get_mut(place) {
            Some(sum) => sum.add(&layer),
            None => self.layers.push(layer),
        }
    }

    /// Layer by layer with reasons, and the sums.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new([
            ("layer", Side::Left),
            ("op", Side::Left),
            ("algorithm", Side::Left),
            ("bits", Side::Right),
            ("MACs", Side::Right),
            ("up", Side::Right),
            ("down", Side::Right),
            ("refill", Side::Right),
            ("flights", Side::Right),
            ("seconds", Side::Right),
            ("why", Side::Left),
        ]);
        for layer in &self.layers {
            let planned = layer.planned.as_ref();
            table.row([
                layer.name.clone(),
                layer.op.to_owned(),
                layer.algorithm.clone(),
                planned.map(Planned::bits).unwrap_or_default(),
                layer.macs.to_string(),
                bytes(layer.client_to_server_bytes),
                bytes(layer.server_to_client_bytes),
                bytes(planned.map_or(0, Planned::refill_bytes)),
                layer.flights.to_string(),
                format!("{:.3}", layer.seconds),
                planned.map_or_else(String::new, |planned| planned.why.clone()),
            ]);
        }
        format!("{table}{}{}", self.summary(), self.savings())
    }

    fn savings(&self) -> String {
        let total = self.run_bytes;
        let mut text = match self.options.as_deref() {
            None | Some([]) => String::new(),
            Some(rows) => options::table(rows, total),
        };
        if let Some(rows @ [_, ..]) = self.savings.as_deref() {
            text += &savings::table(rows, total);
        }
        text
    }

    fn summary(&self) -> String {
        let mut out = String::from("\n");
        let how = self.mode.as_deref().unwrap_or("by formula");
        put(
            &mut out,
            format_args!("{} · preset {} · {how}", self.model, self.preset),
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
        let views = match self.views {
            1 => String::new(),
            views => {
                put(
                    &mut out,
                    format_args!(
                        "views: the network runs {views} times for one image; all figures, those of layers too, are of the {views} together"
                    ),
                );
                format!(" in {views} views")
            }
        };
        put(
            &mut out,
            format_args!(
                "network: {} multiply-accumulates{views}, {} parameters",
                self.macs, self.parameters
            ),
        );
        put(
            &mut out,
            format_args!(
                "traffic of one image{views}: {}",
                traffic(&self.comm, self.extension)
            ),
        );
        let cpu = self.time.cpu_s.map_or_else(
            || "CPU time unknown".to_owned(),
            |cpu| format!("CPU of both parties {cpu:.1}"),
        );
        put(
            &mut out,
            format_args!(
                "time on {}: {:.1} s ({cpu}, network {:.1}), an estimate",
                self.network.name, self.time.total_s, self.time.network_s
            ),
        );
        if let Some(Phases { ahead_s, online_s }) = self.phases {
            let (ahead, keys) = (self.comm.ahead_bytes(), self.comm.setup_bytes());
            put(
                &mut out,
                format_args!(
                    "ahead of the image: {} in {} flights, {ahead_s:.1} s; with the image: {} in {} flights, {online_s:.1} s",
                    bytes(ahead),
                    self.comm.ahead_flights,
                    bytes(self.comm.total_bytes() - ahead - keys),
                    self.comm.flights
                ),
            );
        }
        if let Some(preparation) = &self.preparation {
            put(&mut out, format_args!("{}", preparation.text()));
        }
        out
    }
}

impl Planned {
    /// Bits of weights, if there are any, and of the ring.
    fn bits(&self) -> String {
        let weights = self.weight_bits.map(|bits| format!("{bits} x "));
        weights.unwrap_or_default() + &self.ring_bits.to_string()
    }

    /// Bytes of both directions.
    pub(crate) const fn refill_bytes(&self) -> u64 {
        self.refill_client_to_server_bytes + self.refill_server_to_client_bytes
    }
}
