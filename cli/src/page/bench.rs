//! The page of `bench`: what operations take on this machine.

use maud::{Markup, html};

use super::{document, plot, warning};
use crate::commands::bench::{Bench, Part, Phases};
use crate::text::{bytes, counted};

/// The page of a measurement.
pub(crate) fn of_bench(bench: &Bench) -> String {
    let most = bench
        .operations
        .iter()
        .map(|one| one.whole.cpu_s.median)
        .fold(0.0, f64::max);
    let body = html! {
        @for words in &bench.warnings { (warning(words)) }
        div class="wide" { table {
            thead { tr {
                th { "operation" } th { "COTs by" } th {} th class="n" { "CPU time" } th class="n" { "wall time" }
                th class="n" { "traffic" } th class="n" { "keys" } th class="n" { "refill" } th class="n" { "flights" }
            } }
            tbody {
                @for one in &bench.operations {
                    (row(one.operation, one.extension, &one.whole, most))
                    @for (phase, part) in one.phases.iter().flat_map(Phases::named) {
                        (row(&format!("— {phase}"), one.extension, part, most))
                    }
                }
            }
        } }
        p class="note" { "Medians, and from the least to the most. CPU time is that of both parties together. Every run took exactly the bytes and flights that were planned." }
    };
    let about = format!(
        "Single operations, both parties in one process over loopback; {} of each.",
        counted(bench.runs, "run")
    );
    document("What operations take on this machine", &about, &body)
}

fn row(what: &str, extension: &str, part: &Part, most: f64) -> Markup {
    let traffic = part.traffic;
    html! {
        tr {
            td class="name" { (what) } td { (extension) }
            td class="bar" { (plot::bar(part.cpu_s.median / most.max(f64::MIN_POSITIVE), "a")) }
            @for seconds in [part.cpu_s, part.wall_s] {
                td class="n" { (format!("{:.3} s", seconds.median)) br; span class="sub" { (seconds.spread()) } }
            }
            td class="n" { (bytes(traffic.bytes)) } td class="n" { (bytes(traffic.setup_bytes)) }
            td class="n" { (bytes(traffic.refill_bytes)) } td class="n" { (traffic.flights) }
        }
    }
}
