//! `blindray bench`: what one operation takes on this machine, both parties in this process.

mod fit;
mod measure;
mod operations;
mod spread;

use channel::Role;
use linear::{Work, work};
use secure::{CpuModel, ExtensionChoice, NetworkSpeed, fastest_extension};
use serde::Serialize;
use service::EXTENSIONS;

use crate::args::BenchArgs;
use crate::cost::machine::Machine;
use crate::csv;
use crate::failure::{Failure, Outcome};
use crate::host::{Host, Load};
use crate::identity::quoted;
use crate::page;
use crate::text::{Side, Table, bytes, counted, put};
use crate::ui::Ui;
pub(crate) use measure::{Part, Phases};
use operations::{COTS, Name};

/// The cost of an operation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) operation: &'static str,
    /// What made the COTs.
    pub(crate) extension: &'static str,
    #[serde(flatten)]
    pub(crate) whole: Part,
    /// The same by phases, where these were asked for and the operation has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phases: Option<Phases>,
    #[serde(skip)]
    work: Work,
}

/// What the command prints.
#[derive(Debug, Serialize)]
pub(crate) struct Bench {
    /// Runs of each operation.
    pub(crate) runs: usize,
    host: Host,
    /// What else the machine did when it began.
    load: Load,
    /// What makes the figures worth less.
    pub(crate) warnings: Vec<String>,
    pub(crate) operations: Vec<Measured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constants: Option<CpuModel>,
}

/// Measures every operation, prints what it took, and with `--calibrate` stores the constants for `plan`.
pub(crate) fn bench(args: &BenchArgs, ui: Ui) -> Outcome<()> {
    if args.calibrate && measure::cpu_seconds().is_none() {
        return Err(Failure::run(
            "this system does not tell the CPU time of a process: nothing to calibrate with",
        ));
    }
    let place = (args.calibrate)
        .then(|| Machine::place(args.out.as_deref()))
        .transpose()?;
    let out = args.out.as_deref().map(|out| ("--out", out));
    let page = page::Place::find(args.report.as_deref(), &Vec::from_iter(out))?;
    let load = Load::now();
    let warnings = load.warnings();
    for warning in &warnings {
        ui.note(&format!("WARNING: {warning}"));
    }
    let mut operations = Vec::new();
    let extension = match args.extension.on(NetworkSpeed::LAN) {
        ExtensionChoice::Always(extension) => extension,
        // That of a large demand, so that the operations have the same.
        _ => fastest_extension(ot::rot_cost(COTS, Role::Server).cots, &NetworkSpeed::LAN),
    };
    for operation in operations::all()? {
        let by = match operation.name {
            Name::Refill => &EXTENSIONS[..],
            _ => &[extension],
        };
        for &extension in by {
            ui.note(&format!("{}, {}", operation.name.text(), extension.name()));
            let (whole, work) = measure::whole(&operation, extension, args.runs)?;
            let phases = match args.ahead {
                true => measure::phases(&operation, extension, args.runs)?,
                false => None,
            };
            operations.push(Measured {
                operation: operation.name.text(),
                extension: extension.name(),
                whole,
                phases,
                work,
            });
        }
    }
    let constants = args.calibrate.then(|| fit::fit(&operations, extension));
    if let (Some(place), Some(constants)) = (place, constants.clone()) {
        Machine::new(constants).save(&place)?;
        let constants = match &args.out {
            Some(file) => format!(" --constants {}", quoted(&file.to_string_lossy())),
            None => String::new(),
        };
        ui.note(&format!(
            "wrote {place}; estimates for this machine: blindray plan --model MODEL.bray{constants}"
        ));
    }
    let bench = Bench {
        runs: args.runs as usize,
        host: Host::here(),
        load,
        warnings,
        operations,
        constants,
    };
    if let Some(page) = page {
        page.write(&page::of_bench(&bench), ui)?;
    }
    if args.csv {
        ui.csv(&csv::MEASUREMENTS)?;
        let mut rows = bench.operations.iter().flat_map(csv::measurements);
        return rows.try_for_each(|row| ui.csv(&row));
    }
    if ui.is_json() {
        return ui.json_line(&bench);
    }
    ui.text(&bench.table())
}

impl Bench {
    fn table(&self) -> String {
        let mut table = Table::new([
            ("operation, both parties over loopback", Side::Left),
            ("COTs by", Side::Left),
            ("CPU s", Side::Right),
            ("from – to", Side::Right),
            ("wall s", Side::Right),
            ("from – to", Side::Right),
            ("traffic", Side::Right),
            ("keys", Side::Right),
            ("refill", Side::Right),
            ("flights", Side::Right),
            ("COTs", Side::Right),
        ]);
        for m in &self.operations {
            table.row(cells(m.operation.to_owned(), m.extension, &m.whole));
            for (phase, part) in m.phases.iter().flat_map(Phases::named) {
                table.row(cells(format!("  {phase}"), m.extension, part));
            }
        }
        let mut text = table.to_string();
        put(
            &mut text,
            format_args!(
                "medians of {}, and the least and the most of them",
                counted(self.runs, "run")
            ),
        );
        if let Some(c) = &self.constants {
            let units = [
                work::ROWS,
                work::WORDS,
                work::ELEMENTS,
                work::COTS,
                work::BYTES,
            ];
            let [row, word, element, cot, byte] = units.map(|unit| c.unit(unit) * 1e9);
            let [request, product] =
                [work::RLWE_REQUESTS, work::RLWE_PRODUCTS].map(|unit| c.unit(unit) * 1e6);
            let others = EXTENSIONS[1..].iter().map(|&extension| {
                let cot = c.clone().of_extension(extension).unit(work::COTS);
                format!("{:.1} by {}", cot * 1e9, extension.name())
            });
            let others = others.collect::<Vec<_>>().join(", ");
            put(
                &mut text,
                format_args!(
                    "nanoseconds: a COT with a vector {row:.1}, a word of the vector {word:.2}, a transformed value {element:.2}, another COT {cot:.1} by softspoken, {others}, a byte of a non-linear protocol {byte:.1}; microseconds: a request by ring-LWE {request:.0}, a product of one {product:.2}"
                ),
            );
        }
        text
    }
}

/// A row of the table.
fn cells(what: String, extension: &str, part: &Part) -> [String; 11] {
    let traffic = part.traffic;
    [
        what,
        extension.to_owned(),
        format!("{:.3}", part.cpu_s.median),
        part.cpu_s.spread(),
        format!("{:.3}", part.wall_s.median),
        part.wall_s.spread(),
        bytes(traffic.bytes),
        bytes(traffic.setup_bytes),
        bytes(traffic.refill_bytes),
        traffic.flights.to_string(),
        traffic.cots.to_string(),
    ]
}
