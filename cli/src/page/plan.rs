//! The page of `plan`: what an image will cost.

use maud::{Markup, html};

use super::{document, exact, layers, plot, traffic, widths};
use crate::cost::estimate::Estimate;
use crate::cost::options::Alternative;
use crate::cost::preparation::Preparation;
use crate::cost::savings::Saved;
use crate::cost::wire;
use crate::text::{bytes, grouped};

/// The page of an estimate.
pub(crate) fn of_estimate(estimate: &Estimate) -> String {
    let title = format!("What an image costs · {}", estimate.model);
    let body = html! {
        (facts(estimate))
        (traffic(&estimate.comm, estimate.extension))
        (layers(&estimate.layers, "Time by layer, estimated"))
        @if let Some(rows) = estimate.options.as_deref().filter(|rows| !rows.is_empty()) {
            (options(rows, estimate.run_bytes))
        }
        @if let Some(rows) = estimate.savings.as_deref().filter(|rows| !rows.is_empty()) {
            (savings(rows, estimate))
        }
    };
    document(
        &title,
        "Planned before anything runs. Bytes and flights are exact; seconds are estimates.",
        &body,
    )
}

fn facts(estimate: &Estimate) -> Markup {
    let time = estimate.time;
    let network = &estimate.network;
    html! {
        dl {
            dt { "protocols" } dd { "preset " (estimate.preset) ", " (estimate.mode.as_deref().unwrap_or("by formula")) }
            dt { "network" } dd { (grouped(estimate.macs)) " multiply-accumulates, " (grouped(estimate.parameters)) " parameters" }
            @if estimate.views > 1 { dt { "views" } dd { (estimate.views) " of each image; all figures are of all of them" } }
            @if let Some(bits) = estimate.bits { dt { "bits" } dd { (widths(bits)) } }
            dt { "line" } dd {
                (network.name) " (" (wire::written(network.network)) " there and back)"
            }
            dt { "time" } dd {
                (format!("{:.1} s", time.total_s)) ", an estimate: "
                @if let Some(cpu) = time.cpu_s { "CPU of both parties " (format!("{cpu:.1} s")) ", " }
                "on the line " (format!("{:.1} s", time.network_s))
            }
            @if let Some(ahead) = &estimate.phases {
                dt { "ahead of the image" } dd { (exact(estimate.comm.ahead_bytes())) ", " (format!("{:.1} s", ahead.ahead_s)) }
                dt { "with the image" } dd { (exact(estimate.comm.total_bytes() - estimate.comm.ahead_bytes() - estimate.comm.setup_bytes())) ", " (format!("{:.1} s", ahead.online_s)) }
            }
            @match &estimate.preparation {
                Some(Preparation::Possible { kept_bytes, made, used }) => {
                    dt { "from a preparation" } dd {
                        (exact(made.total_bytes())) " to make it, " (exact(*kept_bytes)) " kept on the disk of either side; with the image "
                        (exact(used.total_bytes())) " in " (used.flights) " flights"
                    }
                }
                Some(Preparation::Impossible { impossible }) => { dt { "no preparation" } dd { (impossible) } }
                None => {}
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length on paper")]
fn options(rows: &[Alternative], total: u64) -> Markup {
    let share = |saved: i64| saved as f64 / total.max(1) as f64;
    html! {
        h2 { "What other options would save" }
        p class="note" { "Each by itself, the largest saving first, with the network as it is." }
        div class="wide" { table {
            thead { tr { th { "option" } th {} th class="n" { "traffic" } th class="n" { "saved" } th class="n" { "flights" } th class="n" { "seconds" } } }
            tbody {
                @for row in rows {
                    tr {
                        td class="name" { (row.option) }
                        td class="bar" { (plot::bar(share(row.saved_bytes.max(0)), "d")) }
                        td class="n" { (bytes(row.bytes)) } td class="n" { (format!("{:.1} %", 100.0 * share(row.saved_bytes))) }
                        td class="n" { (row.flights) } td class="n" { (format!("{:.1}", row.total_s)) }
                    }
                }
            }
        } }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length on paper")]
fn savings(rows: &[Saved], estimate: &Estimate) -> Markup {
    let total = estimate.run_bytes;
    html! {
        h2 { "What other operators would save" }
        p class="note" { "Each change by itself, the largest saving first, before the network is trained again" @if estimate.phases.is_some() { ", planned without a phase ahead" } "." }
        div class="wide" { table {
            thead { tr { th { "change" } th class="n" { "layers" } th {} th class="n" { "now" } th class="n" { "after" } th class="n" { "saved, of all" } th class="n" { "flights" } } }
            tbody {
                @for row in rows {
                    tr {
                        td { (row.change) } td class="n" { (row.layers) }
                        td class="bar" { (plot::bar(row.saved_bytes.max(0) as f64 / total.max(1) as f64, "d")) }
                        td class="n" { (bytes(row.now_bytes)) } td class="n" { (bytes(row.after_bytes)) }
                        td class="n" { (format!("{:.1} %", 100.0 * row.saved_bytes as f64 / total.max(1) as f64)) }
                        td class="n" { (row.now_flights) " to " (row.after_flights) }
                    }
                }
            }
        } }
    }
}
