//! The page of `bench`: what operations take on this machine.

use maud::html;

use super::{document, plot, warning};
use crate::commands::bench::Bench;
use crate::text::{bytes, counted};

/// The page of a measurement.
pub(crate) fn of_bench(bench: &Bench) -> String {
    let most = bench
        .operations
        .iter()
        .map(|one| one.cpu_s.median)
        .fold(0.0, f64::max);
    let body = html! {
        @for words in &bench.warnings { (warning(words)) }
        div class="wide" { table {
            thead { tr {
                th { "operation" } th { "COTs by" } th {} th class="n" { "CPU time" } th class="n" { "wall time" }
                th class="n" { "online" } th class="n" { "refill" } th class="n" { "flights" }
            } }
            tbody {
                @for one in &bench.operations {
                    tr {
                        td class="name" { (one.operation) } td { (one.extension) }
                        td class="bar" { (plot::bar(one.cpu_s.median / most.max(f64::MIN_POSITIVE), "a")) }
                        @for seconds in [one.cpu_s, one.wall_s] {
                            td class="n" { (format!("{:.2} s", seconds.median)) br; span class="sub" { (seconds.spread()) } }
                        }
                        td class="n" { (bytes(one.online_bytes)) } td class="n" { (bytes(one.refill_bytes)) } td class="n" { (one.flights) }
                    }
                }
            }
        } }
        p class="note" { "Medians, and from the least to the most. CPU time is that of both parties together, in steps of 10 ms." }
    };
    let about = format!(
        "Single operations, both parties in one process over loopback; {} of each.",
        counted(bench.runs, "run")
    );
    document("What operations take on this machine", &about, &body)
}
