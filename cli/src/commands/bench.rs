//! `blindray bench`: what one operation takes on this machine, both parties in this process.

mod operations;

use std::sync::Arc;
use std::time::Instant;

use channel::{Config, Connection, Cost, Listener, Role, connect};
use linear::{Work, work};
use nets::run_integer;
use ot::CotPrice;
use secure::{
    CHUNK, CpuModel, ExtensionChoice, Mode, NetworkSpeed, SecureNetwork, ServerWeights,
    fastest_extension,
};
use serde::Serialize;
use service::{EXTENSIONS, Extension, Request};
use sharing::Session;

use crate::args::BenchArgs;
use crate::cost::machine::Machine;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::host::{Host, Load};
use crate::identity::quoted;
use crate::page;
use crate::report::seconds;
use crate::text::{Side, Table, bytes, counted, middle, put};
use crate::ui::Ui;
use operations::{COTS, Name, Operation};

/// Seconds of several runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    /// The one in the middle, or the mean of both.
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of one run at least.
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self {
            least: all[0],
            median: middle(&all, f64::total_cmp, f64::midpoint),
            most: all[all.len() - 1],
        }
    }

    /// From the least to the most, for people.
    pub(crate) fn spread(&self) -> String {
        format!("{:.2} – {:.2}", self.least, self.most)
    }
}

/// The cost of an operation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) operation: &'static str,
    /// What made the COTs.
    pub(crate) extension: &'static str,
    /// CPU time of both parties together.
    pub(crate) cpu_s: Spread,
    pub(crate) wall_s: Spread,
    pub(crate) online_bytes: u64,
    /// Of both directions.
    pub(crate) refill_bytes: u64,
    pub(crate) flights: u64,
    cots: u64,
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
    if args.calibrate && cpu_seconds().is_none() {
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
            operations.push(measured(&operation, extension, args.runs)?);
        }
    }
    let constants = args.calibrate.then(|| fit(&operations, extension));
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
    if ui.is_json() {
        return ui.json_line(&bench);
    }
    ui.text(&bench.table())
}

/// What some runs of an operation take; each sends the same bytes.
fn measured(
    operation: &Operation,
    extension: &'static dyn Extension,
    runs: u32,
) -> Outcome<Measured> {
    let (cost, work) = operation.planned(extension.price())?;
    let (mut cpu_s, mut wall_s) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (cpu, wall) = measure(operation, extension, &cost)?;
        cpu_s.push(cpu);
        wall_s.push(wall);
    }
    let refills = [
        extension.refill_cost(cost.cots.server_sends, Role::Server),
        extension.refill_cost(cost.cots.client_sends, Role::Client),
    ];
    Ok(Measured {
        operation: operation.name.text(),
        extension: extension.name(),
        cpu_s: Spread::of(cpu_s),
        wall_s: Spread::of(wall_s),
        online_bytes: cost.bytes(),
        refill_bytes: refills.iter().map(Cost::bytes).sum(),
        flights: cost.flights() as u64,
        cots: cost.cots.total(),
        work,
    })
}

/// The seconds of each unit of work with which the estimate of every operation equals its least measured time; all but the refills
/// used this extension. The least counts: the clock of CPU time is coarse, and other programs use the machine too.
fn fit(all: &[Measured], extension: &dyn Extension) -> CpuModel {
    let by = |name: Name, extension: &dyn Extension| -> (f64, Work) {
        let mut all = all.iter();
        let found = all.find(|m| m.operation == name.text() && m.extension == extension.name());
        found.map_or((0.0, Work::default()), |m| (m.cpu_s.least, m.work.clone()))
    };
    let of = |name| by(name, extension);
    let per = |rest: f64, count: u64| (rest / float(count.max(1))).max(0.0);
    let cot = |extension: &dyn Extension| {
        let (cot_s, cots) = by(Name::Refill, extension);
        per(cot_s, cots.get(work::COTS))
    };
    let model = EXTENSIONS
        .iter()
        .fold(CpuModel::default(), |model, &extension| {
            model.with_extension(extension, cot(extension))
        });
    let cot = cot(extension);
    let (relu_s, relu) = of(Name::Relu);
    let (truncation_s, truncation) = of(Name::Truncation);
    let made = float(relu.get(work::COTS) + truncation.get(work::COTS)) * cot;
    let bytes = relu.get(work::BYTES) + truncation.get(work::BYTES);
    let byte = per(relu_s + truncation_s - made, bytes);
    // Two convolutions, one of long vectors and one of short ones, give row and word.
    let elementwise = |w: &Work| float(w.get(work::COTS)) * cot + float(w.get(work::BYTES)) * byte;
    let (long_s, long) = of(Name::Direct);
    let (short_s, short) = of(Name::Short);
    let (a, b) = (float(long.get(work::ROWS)), float(long.get(work::WORDS)));
    let (c, d) = (float(short.get(work::ROWS)), float(short.get(work::WORDS)));
    let (p, q) = (long_s - elementwise(&long), short_s - elementwise(&short));
    let determinant = a * d - b * c;
    let row = ((p * d - b * q) / determinant).max(0.0);
    let word = ((a * q - c * p) / determinant).max(0.0);
    let (transform_s, transform) = of(Name::Transforms);
    let products =
        float(transform.get(work::ROWS)) * row + float(transform.get(work::WORDS)) * word;
    let rest = transform_s - products - elementwise(&transform);
    // What ring-LWE does is known by its parts; how fast this machine is at it, by one factor.
    let (homomorphic_s, homomorphic) = of(Name::RingLwe);
    let usual = model.ring_lwe_seconds(&homomorphic).max(f64::MIN_POSITIVE);
    let factor = ((homomorphic_s - elementwise(&homomorphic)) / usual).max(0.0);
    model
        .with_ring_lwe(factor)
        .with(work::ROWS, row)
        .with(work::WORDS, word)
        .with(work::ELEMENTS, per(rest, transform.get(work::ELEMENTS)))
        .with(work::BYTES, byte)
        .of_extension(EXTENSIONS[0])
}

/// Runs both parties of one operation over loopback: seconds of CPU time and of wall time.
fn measure(
    operation: &Operation,
    extension: &'static dyn Extension,
    cost: &Cost,
) -> Outcome<(f64, f64)> {
    let price = extension.price();
    let (terms, config) = (Request::default().terms(), Config::default());
    let listener = Listener::bind("127.0.0.1:0", config.clone()).map_err(Failure::run)?;
    let address = listener.local_addr();
    let (at_server, at_client) = (entropy::bytes()?, entropy::bytes()?);
    let session = |connection: &Connection| -> Outcome<Session> {
        let session = Session::establish(connection, entropy::bytes()?, extension);
        let mut session = session.map_err(Failure::run)?;
        session.reserve(cost.cots);
        Ok(session)
    };
    let begin = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let connection = listener.accept(&terms, at_server).map_err(Failure::run)?;
            let mut session = session(&connection)?;
            let begin = (cpu_seconds().unwrap_or_default(), Instant::now());
            operation.serve(&mut session, price)?;
            Ok(begin)
        });
        let client = || {
            let connection = connect(address, &terms, &config, at_client).map_err(Failure::run)?;
            operation.infer(&mut session(&connection)?, price)
        };
        let mine: Outcome<()> = client();
        let theirs = (server.join())
            .unwrap_or_else(|_| Err(Failure::run("the other party's thread failed")));
        mine.and(theirs)
    })?;
    Ok((
        cpu_seconds().unwrap_or_default() - begin.0,
        seconds(begin.1.elapsed()),
    ))
}

impl Operation {
    fn network(&self, price: CotPrice) -> Outcome<SecureNetwork> {
        SecureNetwork::new(Arc::clone(&self.graph), Mode::Faithful, price).map_err(Failure::run)
    }

    /// Cost and work as counted before the run; the bytes of the run equal them.
    fn planned(&self, price: CotPrice) -> Outcome<(Cost, Work)> {
        if self.cots > 0 {
            let work = Work::of([(work::COTS, self.cots as u64)]);
            return Ok((ot::rot_cost(self.cots, Role::Server), work));
        }
        let network = self.network(price)?;
        Ok((network.cost().clone(), network.work()))
    }

    fn serve(&self, session: &mut Session, price: CotPrice) -> Outcome<()> {
        if self.cots > 0 {
            for _ in 0..self.cots / CHUNK {
                session.ot().1.rot(CHUNK).map_err(Failure::run)?;
            }
            return Ok(());
        }
        let weights = ServerWeights::new(Arc::clone(&self.weights));
        (self.network(price)?)
            .serve(session, &weights, &mut |_| {})
            .map_err(Failure::run)?;
        Ok(())
    }

    /// The client's side, which compares the result with the clear integers.
    fn infer(&self, session: &mut Session, price: CotPrice) -> Outcome<()> {
        if self.cots > 0 {
            for _ in 0..self.cots / CHUNK {
                session.ot().2.rot(CHUNK).map_err(Failure::run)?;
            }
            return Ok(());
        }
        let (found, _) = (self.network(price)?)
            .infer(session, &self.input, &mut |_| {})
            .map_err(Failure::run)?;
        let expected =
            run_integer(&self.graph, &self.weights, &self.input).map_err(Failure::run)?;
        if found == expected {
            return Ok(());
        }
        Err(Failure::run(format!(
            "{}: the result is wrong",
            self.name.text()
        )))
    }
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
            ("online", Side::Right),
            ("refill", Side::Right),
            ("flights", Side::Right),
            ("COTs", Side::Right),
        ]);
        for m in &self.operations {
            table.row([
                m.operation.to_owned(),
                m.extension.to_owned(),
                format!("{:.2}", m.cpu_s.median),
                m.cpu_s.spread(),
                format!("{:.2}", m.wall_s.median),
                m.wall_s.spread(),
                bytes(m.online_bytes),
                bytes(m.refill_bytes),
                m.flights.to_string(),
                m.cots.to_string(),
            ]);
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

/// CPU seconds of this process so far, in which both parties run; none on systems without /proc.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15, in ticks of 10 ms, counted after the parenthesised name.
    let fields = stat.rsplit(')').next()?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    Some(ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn float(count: u64) -> f64 {
    count as f64
}
