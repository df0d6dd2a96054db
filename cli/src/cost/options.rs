//! What other options would save, with the network as it is.

use secure::{Algorithms, ExtensionChoice, Mode};
use serde::Serialize;
use service::EXTENSIONS;

use super::estimate::{self, Estimate, Speed};
use crate::args::{Objective, Preset};
use crate::failure::Outcome;
use crate::model::{self, Chosen};
use crate::text::{Side, Table, bytes};

/// The same plan with one option changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Alternative {
    /// As it is written.
    pub(crate) option: String,
    /// Bytes of an image, refill included, keys not.
    pub(crate) bytes: u64,
    /// Negative where it costs more.
    pub(crate) saved_bytes: i64,
    pub(crate) flights: u64,
    /// An estimate.
    pub(crate) total_s: f64,
}

/// What was planned.
pub(crate) struct Planned<'a> {
    pub(crate) model: &'a nets::Model,
    pub(crate) chosen: &'a Chosen,
    pub(crate) algorithms: &'a Algorithms,
    pub(crate) preset: Preset,
    pub(crate) objective: Objective,
    pub(crate) mode: Mode,
    pub(crate) speed: &'a Speed,
}

impl Planned<'_> {
    /// Each other OT extension, mode and objective; what saves most comes first.
    pub(crate) fn alternatives(&self, now: u64) -> Outcome<Vec<Alternative>> {
        let mut found = Vec::new();
        let same = self.speed.extension;
        for extension in EXTENSIONS {
            if extension.name() != self.chosen.extension.name() {
                let option = format!("--extension {}", extension.name());
                let by = ExtensionChoice::Always(extension);
                found.push((option, self.plan(self.algorithms, self.mode, by)?));
            }
        }
        if self.mode == Mode::Faithful {
            let fast = self.plan(self.algorithms, Mode::Fast, same)?;
            found.push(("--mode fast".to_owned(), fast));
        }
        let objectives = [
            ("bytes", Objective::Bytes),
            ("time", Objective::Time),
            ("flights", Objective::Flights),
        ];
        for (name, objective) in objectives {
            if objective != self.objective {
                let algorithms = self.preset.by(objective, self.speed.wire.network);
                let planned = self.plan(&algorithms, self.mode, same)?;
                found.push((format!("--objective {name}"), planned));
            }
        }
        let row = |(option, plan): (String, Estimate)| Alternative {
            option,
            bytes: plan.run_bytes,
            saved_bytes: now.cast_signed() - plan.run_bytes.cast_signed(),
            flights: plan.comm.flights,
            total_s: plan.time.total_s,
        };
        let mut rows: Vec<_> = found.into_iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.saved_bytes));
        Ok(rows)
    }

    fn plan(&self, algorithms: &Algorithms, mode: Mode, by: ExtensionChoice) -> Outcome<Estimate> {
        let constants = &self.speed.constants;
        let chosen = model::choose(self.model, algorithms, mode, by, constants)?;
        estimate::of_choice(&chosen, mode, "", 0, self.speed)
    }
}

/// The rows as a table; `total` are the bytes of an image now.
pub(crate) fn table(rows: &[Alternative], total: u64) -> String {
    let mut table = Table::new([
        ("option", Side::Left),
        ("traffic", Side::Right),
        ("saved", Side::Right),
        ("flights", Side::Right),
        ("seconds", Side::Right),
    ]);
    for row in rows {
        table.row([
            row.option.clone(),
            bytes(row.bytes),
            super::savings::percent(row.saved_bytes, total),
            row.flights.to_string(),
            format!("{:.1}", row.total_s),
        ]);
    }
    format!("\nwhat other options would save, each by itself, with the network as it is:\n{table}")
}
