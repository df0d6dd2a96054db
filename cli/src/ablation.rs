//! From CrypTFlow2 of 2022 to an affordable X-ray: one lever at a time.

use std::fmt::Write as _;
use std::path::Path;

use nets::{Algorithms, Constants, CrypTFlow2, Error, Model, Source};
use serde::Serialize;

use crate::args::PlanArgs;
use crate::estimate::{self, Estimate, Speed};
use crate::failure::{Failure, Outcome};
use crate::model::{self, CostOptions};
use crate::network::Link;
use crate::report::{Widths, bytes};
use crate::svg::{Bar, Chart};
use crate::ui::Ui;

/// Rows and columns of the image, unless said otherwise: those of the `CheXpert` network.
const SIZE: u32 = 320;

/// The network whose weights stay while the protocols change.
const BASE: &str = "densenet121";

/// Networks with every lever of the protocols on, and groups for 1 x 1 layers; one that does not exist is
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

#[derive(Clone, Debug, Serialize)]
struct Ablation {
    size: u32,
    classes: u32,
    networks: [Link; 2],
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    lever: &'static str,
    model: String,
    /// Whether the trained network of the first row can be run so.
    keeps_weights: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<Widths>,
    online_bytes: u64,
    refill_bytes: u64,
    flights: u64,
    lan_s: f64,
    wan_s: f64,
    /// Within both; unknown for CrypTFlow2.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_s: Option<f64>,
    parameters: u64,
    macs: u64,
}

/// Prints the table, and draws it where asked.
pub(crate) fn run(args: &PlanArgs, constants: Constants, ui: Ui) -> Outcome<()> {
    let table = Ablation {
        size: args.size.unwrap_or(SIZE),
        classes: args.classes,
        networks: [Link::lan(), Link::wan()],
        rows: Rows::new(args, constants, ui).all()?,
    };
    if let Some(path) = &args.svg {
        table.draw(path)?;
    }
    if ui.is_json() {
        return ui.json_line(&table);
    }
    ui.text(&table.text())
}

/// Makes the rows.
struct Rows {
    size: usize,
    classes: usize,
    options: CostOptions,
    lan: Speed,
    wan: Speed,
    ui: Ui,
}

impl Rows {
    fn new(args: &PlanArgs, constants: Constants, ui: Ui) -> Self {
        let speed = |link| Speed { link, constants };
        Self {
            size: args.size.unwrap_or(SIZE) as usize,
            classes: args.classes as usize,
            options: CostOptions::of(args),
            lan: speed(Link::lan()),
            wan: speed(Link::wan()),
            ui,
        }
    }

    fn all(&self) -> Outcome<Vec<Row>> {
        let base = model::seeded(BASE, self.size, self.classes, None).map_err(Failure::input)?;
        let mut rows = Vec::new();
        for (lever, settings) in [
            ("CrypTFlow2 as released, 2022", CrypTFlow2::RELEASED),
            ("one cross term", CrypTFlow2::ONE_CROSS_TERM),
        ] {
            let estimate = |speed| {
                estimate::of_history(BASE.into(), &base.float, "cryptflow2-2022", settings, speed)
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
        for (lever, algorithms) in [
            ("narrow widths, our protocols", Algorithms::Direct),
            ("exact Winograd", Algorithms::default()),
        ] {
            let model = model::with(&model, &algorithms)?;
            rows.push(self.ours(lever, true, &model, BASE, parameters)?);
        }
        for (lever, name, groups) in NETWORKS {
            let source = match model::seeded(name, self.size, self.classes, groups) {
                // Not every network has something to replace.
                Err(Error::UnknownNetwork { .. } | Error::Option { .. }) => continue,
                source => source.map_err(Failure::input)?,
            };
            let parameters = source.float.parameters();
            let model = self.quantised(source)?;
            let name = groups.map_or_else(|| name.into(), |groups| format!("{name}, g = {groups}"));
            rows.push(self.ours(lever, false, &model, &name, parameters)?);
        }
        Ok(rows)
    }

    fn quantised(&self, source: Source) -> Outcome<Model> {
        self.ui.note(&format!(
            "{}: random weights, and widths from noise",
            source.arch
        ));
        model::quantised(source, self.options)
    }

    fn ours(
        &self,
        lever: &'static str,
        keeps_weights: bool,
        model: &Model,
        name: &str,
        parameters: u64,
    ) -> Outcome<Row> {
        let estimate = |speed| estimate::of_model(model, nets::Mode::Faithful, parameters, speed);
        let (lan, wan) = (estimate(&self.lan)?, estimate(&self.wan)?);
        let row = row(lever, keeps_weights, &lan, &wan);
        Ok(Row {
            model: name.to_owned(),
            ..row
        })
    }
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
    fn text(&self) -> String {
        let mut out = format!(
            "{BASE}, {0} x {0}, {1} outputs, and what it becomes; bytes of one image\n{2:<30} {3:<28} {4:>10} {5:>10} {6:>8} {7:>9} {8:>9} {9:>11} {10:>14}\n",
            self.size,
            self.classes,
            "lever",
            "network",
            "online",
            "refill",
            "flights",
            "LAN s",
            "WAN s",
            "parameters",
            "MACs"
        );
        for row in &self.rows {
            let unknown = if row.cpu_s.is_none() { ">" } else { "" };
            writeln!(
                out,
                "{:<30} {:<28} {:>10} {:>10} {:>8} {:>9} {:>9} {:>11} {:>14}",
                row.lever,
                row.model,
                bytes(row.online_bytes),
                bytes(row.refill_bytes),
                row.flights,
                format!("{unknown}{:.0}", row.lan_s),
                format!("{unknown}{:.0}", row.wan_s),
                row.parameters,
                row.macs
            )
            .expect("writing to a string cannot fail");
        }
        out + "LAN: 3 Gbit/s, 0.3 ms; WAN: 100 Mbit/s, 40 ms. Seconds are estimates, CPU of both parties and network; those with > are of the network alone.\nWeights of every row after the fourth must be trained anew.\n"
    }

    fn draw(&self, path: &Path) -> Outcome<()> {
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
        std::fs::write(path, chart.svg())
            .map_err(|e| Failure::run(format!("cannot write {}: {e}", path.display())))
    }
}
