//! From CrypTFlow2 of 2022 to an affordable X-ray: one lever at a time.

use backbones::Error;
use nets::{Model, Source};
use secure::{Algorithms, CpuModel, CrypTFlow2, ExtensionChoice, Mode, NetworkSpeed, Objective};
use serde::Serialize;
use sharing::default_extension;

use super::estimate::{self, Estimate, Speed};
use super::svg::{Bar, Chart};
use super::wire::Wire;
use crate::failure::{Failure, Outcome};
use crate::file::Outputs;
use crate::model::{self, CostWidths};
use crate::report::Widths;
use crate::text::{Side, Table, bytes};
use crate::ui::Ui;

/// The network of the first rows, which keeps its weights while the protocols change.
const BASE: &str = "densenet121";

/// The networks of the other rows: lever, backbone, and groups of the 1 x 1 layers. A backbone that cannot be changed so is
/// left out.
const NETWORKS: [(&str, &str, Option<usize>); 10] = [
    ("X-operator", "densenet121-x", None),
    ("grouped 1x1 layers too", "densenet121-x", Some(4)),
    ("backbone", "mobilenet-v2", None),
    ("backbone and X-operator", "mobilenet-v2-x", Some(4)),
    ("backbone", "mobilenet-v3-large", None),
    ("backbone and X-operator", "mobilenet-v3-large-x", Some(4)),
    ("backbone", "mobilenet-v3-small", None),
    ("backbone and X-operator", "mobilenet-v3-small-x", Some(4)),
    ("backbone", "shufflenet-v2", None),
    ("backbone and X-operator", "shufflenet-v2-x", Some(2)),
];

/// The networks of the last rows, by ring-LWE as well: lever and backbone.
const HOMOMORPHIC: [(&str, &str); 7] = [
    ("ring-LWE", BASE),
    ("ring-LWE and X-operator", "densenet121-x"),
    ("ring-LWE and backbone", "mobilenet-v2"),
    ("ring-LWE and backbone", "mobilenet-v3-large"),
    ("ring-LWE and backbone", "squeezenet"),
    ("ring-LWE and backbone", "mobilenet-v3-small"),
    ("ring-LWE and backbone", "shufflenet-v2"),
];

/// What the networks of the table have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Rows and columns of the image.
    pub(crate) size: u32,
    /// Outputs.
    pub(crate) classes: u32,
    pub(crate) widths: CostWidths,
}

impl Settings {
    /// Rows and columns of the image of the `CheXpert` network.
    pub(crate) const SIZE: u32 = 320;
}

/// One row for each lever.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ablation {
    size: u32,
    classes: u32,
    networks: [Wire; 2],
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    lever: &'static str,
    model: String,
    /// Whether the trained weights of the first row's network can be used.
    keeps_weights: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<Widths>,
    online_bytes: u64,
    refill_bytes: u64,
    flights: u64,
    lan_s: f64,
    wan_s: f64,
    /// Contained in `lan_s` and `wan_s`; unknown for CrypTFlow2.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_s: Option<f64>,
    parameters: u64,
    macs: u64,
}

impl Ablation {
    /// Plans every row.
    pub(crate) fn new(settings: Settings, constants: CpuModel, ui: Ui) -> Outcome<Self> {
        let speed = |wire| Speed {
            wire,
            constants: constants.clone(),
            extension: silent(),
        };
        let rows = Rows {
            settings,
            lan: speed(Wire::lan()),
            wan: speed(Wire::wan()),
            ui,
        };
        Ok(Self {
            size: settings.size,
            classes: settings.classes,
            networks: [Wire::lan(), Wire::wan()],
            rows: rows.all()?,
        })
    }
}

/// Makes the rows.
struct Rows {
    settings: Settings,
    lan: Speed,
    wan: Speed,
    ui: Ui,
}

impl Rows {
    fn all(&self) -> Outcome<Vec<Row>> {
        let base = self.seeded(BASE, None).map_err(Failure::input)?;
        let mut rows = Vec::new();
        for (lever, settings) in [
            ("CrypTFlow2 as released, 2022", CrypTFlow2::RELEASED),
            ("one cross term", CrypTFlow2::ONE_CROSS_TERM),
        ] {
            let estimate = |speed| {
                let (name, views) = (BASE.into(), base.preprocessing.views());
                let preset = "cryptflow2-2022";
                estimate::of_history(name, &base.float, views, preset, settings, speed)
            };
            rows.push(row(
                lever,
                true,
                &estimate(&self.lan)?,
                &estimate(&self.wan)?,
            ));
        }
        let parameters = base.float.parameters();
        let model = self.quantised(base)?;
        for (lever, algorithms, choice) in [
            ("narrow widths, our protocols", Algorithms::Direct, usual()),
            ("exact Winograd", ot(), usual()),
            ("silent OT", ot(), silent()),
        ] {
            let by = (&algorithms, choice);
            rows.push(self.ours(lever, true, (&model, BASE), by, parameters)?);
        }
        for (lever, name, groups) in NETWORKS {
            let source = match self.seeded(name, groups) {
                // Not every network has something to replace.
                Err(Error::UnknownNetwork { .. } | Error::NothingToReplace) => continue,
                source => source.map_err(Failure::input)?,
            };
            let parameters = source.float.parameters();
            let model = self.quantised(source)?;
            let name = groups.map_or_else(|| name.into(), |groups| format!("{name}, g = {groups}"));
            let by = (&ot(), silent());
            rows.push(self.ours(lever, false, (&model, &name), by, parameters)?);
        }
        for (lever, name) in HOMOMORPHIC {
            let source = self.seeded(name, None).map_err(Failure::input)?;
            let (parameters, keeps) = (source.float.parameters(), name == BASE);
            let model = self.quantised(source)?;
            let by = (&Algorithms::default(), silent());
            rows.push(self.ours(lever, keeps, (&model, name), by, parameters)?);
        }
        Ok(rows)
    }

    fn seeded(&self, name: &str, groups: Option<usize>) -> Result<Source, Error> {
        let Settings { size, classes, .. } = self.settings;
        model::seeded(name, size as usize, classes as usize, groups)
    }

    fn quantised(&self, source: Source) -> Outcome<Model> {
        self.ui.note(&format!(
            "{}: random weights, and widths from noise",
            source.arch
        ));
        model::quantised(source, self.settings.widths)
    }

    fn ours(
        &self,
        lever: &'static str,
        keeps_weights: bool,
        (model, name): (&Model, &str),
        (algorithms, choice): (&Algorithms, ExtensionChoice),
        parameters: u64,
    ) -> Outcome<Row> {
        let (mode, constants) = (Mode::Faithful, &CpuModel::default());
        let chosen = model::choose(model, algorithms, mode, choice, constants)?;
        let estimate = |speed| estimate::of_choice(&chosen, mode, "auto", parameters, speed);
        let (lan, wan) = (estimate(&self.lan)?, estimate(&self.wan)?);
        let row = row(lever, keeps_weights, &lan, &wan);
        Ok(Row {
            model: name.to_owned(),
            ..row
        })
    }
}

/// The extension of the rows from silent OT on: the fastest one between a LAN and a WAN.
fn silent() -> ExtensionChoice {
    ExtensionChoice::Auto(NetworkSpeed {
        bytes_per_s: 1.25e8,
        ..NetworkSpeed::LAN
    })
}

/// The extension of the rows before silent OT.
fn usual() -> ExtensionChoice {
    ExtensionChoice::Always(default_extension())
}

/// The algorithms of the rows before ring-LWE.
fn ot() -> Algorithms {
    Algorithms::Ot(Objective::Bytes)
}

fn row(lever: &'static str, keeps_weights: bool, lan: &Estimate, wan: &Estimate) -> Row {
    let comm = lan.comm;
    Row {
        lever,
        model: lan.model.clone(),
        keeps_weights,
        bits: lan.bits,
        online_bytes: comm.total_bytes() - comm.refill_bytes(),
        refill_bytes: comm.refill_bytes(),
        flights: comm.flights,
        lan_s: lan.time.total_s,
        wan_s: wan.time.total_s,
        cpu_s: lan.time.cpu_s,
        parameters: lan.parameters,
        macs: lan.macs,
    }
}

impl Ablation {
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new([
            ("lever", Side::Left),
            ("network", Side::Left),
            ("online", Side::Right),
            ("refill", Side::Right),
            ("flights", Side::Right),
            ("LAN s", Side::Right),
            ("WAN s", Side::Right),
            ("parameters", Side::Right),
            ("MACs", Side::Right),
        ]);
        for row in &self.rows {
            let unknown = if row.cpu_s.is_none() { ">" } else { "" };
            table.row([
                row.lever.to_owned(),
                row.model.clone(),
                bytes(row.online_bytes),
                bytes(row.refill_bytes),
                row.flights.to_string(),
                format!("{unknown}{:.0}", row.lan_s),
                format!("{unknown}{:.0}", row.wan_s),
                row.parameters.to_string(),
                row.macs.to_string(),
            ]);
        }
        format!(
            "{BASE}, {0} x {0}, {1} outputs, and what it becomes; bytes of one image\n\
             {table}\
             LAN: 3 Gbit/s, 0.3 ms; WAN: 100 Mbit/s, 40 ms. Seconds are estimates: the CPU of both parties and the network; \
             those with > are of the network alone.\n\
             Rows after the fifth are of networks that must be trained anew, but for the one of ring-LWE and {BASE}.\n",
            self.size, self.classes
        )
    }

    /// Draws the traffic of every row as SVG.
    pub(crate) fn draw(&self, place: &Outputs) -> Outcome<()> {
        let bars = self.rows.iter().map(|row| {
            let total = row.online_bytes + row.refill_bytes;
            Bar {
                label: format!("{}: {}", row.lever, row.model),
                value: total,
                text: bytes(total),
                second: !row.keeps_weights,
            }
        });
        let chart = Chart {
            title: format!(
                "Traffic of one X-ray of {0} x {0} pixels, lever by lever",
                self.size
            ),
            unit: bytes,
            legend: ["the same weights", "weights trained anew"],
            bars: bars.collect(),
        };
        place.write(&[chart.svg().as_bytes()])
    }
}
