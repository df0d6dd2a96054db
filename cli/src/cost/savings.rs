//! What a change of operators would save: the rows of `plan`.

use secure::{Algorithms, Mode, savings};
use serde::Serialize;

use super::estimate::Speed;
use crate::failure::{Failure, Outcome};
use crate::model::Chosen;
use crate::text::{Side, Table, bytes};

/// One change, of all layers of a network that can be changed so, in all views of an image.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Saved {
    /// In words.
    pub(crate) change: &'static str,
    /// How many layers are changed.
    pub(crate) layers: usize,
    /// Bytes, refill included, of all layers that would not be there, or would cost something else.
    pub(crate) now_bytes: u64,
    /// Bytes of those in their place.
    pub(crate) after_bytes: u64,
    /// Negative where it costs more.
    pub(crate) saved_bytes: i64,
    /// Flights of an image now.
    pub(crate) now_flights: u64,
    /// Flights of an image after the change.
    pub(crate) after_flights: u64,
    /// Estimated CPU seconds of both parties for an image now.
    pub(crate) now_cpu_s: f64,
    /// Those after the change.
    pub(crate) after_cpu_s: f64,
}

/// What each change would save in a model, most first.
pub(crate) fn of_choice(
    chosen: &Chosen,
    algorithms: &Algorithms,
    mode: Mode,
    speed: &Speed,
) -> Outcome<Vec<Saved>> {
    let public = &chosen.model.public;
    let (price, constants) = (chosen.extension.price(), speed.constants.clone());
    let constants = constants.of_extension(chosen.extension);
    let found = savings(&public.graph, algorithms, mode, price, &constants);
    let views = public.preprocessing.views() as u64;
    let times = public.preprocessing.views() as f64;
    let rows = found.map_err(Failure::input)?.into_iter().map(|one| Saved {
        change: one.change,
        layers: one.operators,
        now_bytes: one.now_bytes * views,
        after_bytes: one.after_bytes * views,
        saved_bytes: one.saved_bytes() * views.cast_signed(),
        now_flights: one.now_flights as u64 * views,
        after_flights: one.after_flights as u64 * views,
        now_cpu_s: one.now_cpu_s * times,
        after_cpu_s: one.after_cpu_s * times,
    });
    Ok(rows.collect())
}

/// The rows as a table; `total` are the bytes of an image.
pub(crate) fn table(rows: &[Saved], total: u64) -> String {
    let mut table = Table::new([
        ("change", Side::Left),
        ("layers", Side::Right),
        ("now", Side::Right),
        ("after", Side::Right),
        ("saved", Side::Right),
        ("of all", Side::Right),
        ("flights", Side::Right),
        ("CPU seconds", Side::Right),
    ]);
    for row in rows {
        table.row([
            row.change.to_owned(),
            row.layers.to_string(),
            bytes(row.now_bytes),
            bytes(row.after_bytes),
            percent(row.saved_bytes, row.now_bytes),
            percent(row.saved_bytes, total),
            format!("{} to {}", row.now_flights, row.after_flights),
            format!("{:.1} to {:.1}", row.now_cpu_s, row.after_cpu_s),
        ]);
    }
    format!(
        "\nwhat other operators would save, each change by itself, before the network is trained again:\n{table}"
    )
}

#[expect(clippy::cast_precision_loss, reason = "a share of a whole")]
pub(super) fn percent(part: i64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}
