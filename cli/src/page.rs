//! A result as one page for people: a file that needs no network, no script and no other file, for the screen in either theme and
//! for paper. It is made of the value that `--json` prints.
//!
//! Names of models, layers and outputs come from the peer. `maud` escapes every word that is put into a page; what would turn the
//! direction of text is escaped as on a terminal; and the page itself forbids browsers to run or load anything.

mod bench;
mod findings;
mod plan;
mod plot;

use std::path::Path;
use std::time::SystemTime;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use service::{Comm, Request, WIRE_VERSION};

use crate::failure::Outcome;
use crate::file::{Named, Outputs};
use crate::host::Host;
use crate::plain;
use crate::report::{Layer, Widths};
use crate::text::{bytes, grouped, hex, utc};
use crate::ui::Ui;
use plot::Series;

pub(crate) use bench::of_bench;
pub(crate) use findings::of_reports;
pub(crate) use plan::of_estimate;

const STYLE: &str = include_str!("page/style.css");

/// Where a page goes, found good before the work.
#[derive(Debug)]
pub(crate) struct Place(Outputs);

impl Place {
    /// The place of `--report`, if it was given; the inputs are not to be overwritten.
    pub(crate) fn find(report: Option<&Path>, inputs: &[Named<'_>]) -> Outcome<Option<Self>> {
        let found = report.map(|path| Outputs::find(&[("--report", path)], inputs));
        Ok(found.transpose()?.map(Self))
    }

    /// Writes a page.
    pub(crate) fn write(&self, page: &str, ui: Ui) -> Outcome<()> {
        self.0.write(&[page.as_bytes()])?;
        ui.note(&format!("the report is in {}", self.0));
        Ok(())
    }
}

/// What made a result.
#[derive(Debug, Serialize)]
pub(crate) struct Origin {
    pub(crate) version: &'static str,
    pub(crate) wire_version: u32,
    /// Digest of the constants of the protocols, which both parties must have in common.
    pub(crate) constants: String,
    pub(crate) host: Host,
}

impl Origin {
    pub(crate) fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            wire_version: WIRE_VERSION,
            constants: hex(&Request::default().terms().parameters),
            host: Host::here(),
        }
    }
}

/// The whole page: a title, what it is about, and who made it.
fn document(title: &str, about: &str, body: &Markup) -> String {
    let origin = Origin::here();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content={"blindray " (origin.version)};
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p class="sub" { (about) }
                }
                main { (body) }
                footer {
                    dl {
                        dt { "made" } dd { (utc(SystemTime::now())) }
                        dt { "program" } dd { "blindray " (origin.version) ", wire version " (origin.wire_version) }
                        dt { "protocol constants" } dd { code { (origin.constants) } }
                        dt { "machine" } dd { (machine(&origin.host)) }
                    }
                    p class="note" { "Research software, not audited, and no medical device." }
                }
            }
        }
    };
    plain::lines(&page.into_string())
}

fn machine(host: &Host) -> String {
    let cpu = host.cpu.as_deref().unwrap_or("unknown processor");
    let memory = host
        .memory_bytes
        .map_or_else(String::new, |size| format!(", {} of memory", bytes(size)));
    let cores = crate::text::counted(host.cores, "core");
    format!("{cpu}, {cores}{memory}, {}", host.system)
}

/// A warning, as it stands in the text.
fn warning(words: &str) -> Markup {
    html! { p class="warn" role="note" { strong { "Warning: " } (words) } }
}

/// Exact bytes, and the same in words where that is shorter.
fn exact(count: u64) -> Markup {
    html! {
        (bytes(count))
        @if count >= 1000 { " " span class="sub" { "(" (grouped(count)) ")" } }
    }
}

fn widths(bits: Widths) -> String {
    format!(
        "weights {}, activations {}, accumulators {} at most",
        bits.weight, bits.activation, bits.accumulator
    )
}

/// What a traffic is made of.
fn traffic(comm: &Comm, extension: Option<&str>) -> Markup {
    let refill = extension.map_or("refill of COTs".to_owned(), |name| {
        format!("refill of COTs by {name}")
    });
    let rows: [(&str, &str, u64, u64); 4] = [
        (
            "ahead of the image",
            "d",
            comm.ahead_client_to_server_bytes,
            comm.ahead_server_to_client_bytes,
        ),
        (
            "online",
            "a",
            comm.client_to_server_bytes,
            comm.server_to_client_bytes,
        ),
        (
            &refill,
            "c",
            comm.refill_client_to_server_bytes,
            comm.refill_server_to_client_bytes,
        ),
        (
            "keys, once in a session",
            "b",
            comm.setup_client_to_server_bytes,
            comm.setup_server_to_client_bytes,
        ),
    ];
    let total = comm.total_bytes();
    let flights = match comm.ahead_flights {
        0 => format!("{} online", comm.flights),
        ahead => format!("{} online, {ahead} ahead", comm.flights),
    };
    html! {
        h3 { "Traffic" }
        div class="wide" { table {
            thead { tr { th { "part" } th {} th class="n" { "to the server" } th class="n" { "to the client" } th class="n" { "both" } } }
            tbody {
                @for (name, colour, up, down) in rows.into_iter().filter(|(_, _, up, down)| up + down > 0) {
                    tr {
                        td { (name) }
                        td class="bar" { (plot::bar(share(up + down, total), colour)) }
                        td class="n" { (bytes(up)) } td class="n" { (bytes(down)) } td class="n" { (exact(up + down)) }
                    }
                }
                tr { th { "all" } td {} td {} td {} td class="n" { (exact(total)) } }
            }
        } }
        p class="note" { "Flights (messages that the other party waits for): " (flights) "." }
    }
}

/// Traffic and time of the layers as plots, and all figures in a table.
fn layers(layers: &[Layer], seconds: &'static str) -> Markup {
    if layers.is_empty() {
        return html! {};
    }
    let names: Vec<String> = layers.iter().map(|layer| layer.name.clone()).collect();
    let of = |value: fn(&Layer) -> f64| layers.iter().map(value).collect::<Vec<_>>();
    let planned = layers.iter().any(|layer| layer.planned.is_some());
    let mut traffic = vec![
        Series {
            name: "to the server",
            values: of(|l| float(l.client_to_server_bytes)),
        },
        Series {
            name: "to the client",
            values: of(|l| float(l.server_to_client_bytes)),
        },
    ];
    if planned {
        let values = of(|l| l.planned.as_ref().map_or(0.0, |p| float(p.refill_bytes())));
        traffic.push(Series {
            name: "refill of COTs",
            values,
        });
    }
    let time = [Series {
        name: "seconds",
        values: of(|l| l.seconds),
    }];
    let most = layers.iter().map(Layer::online_bytes).max().unwrap_or(0);
    html! {
        (plot::columns(if planned { "Traffic by layer" } else { "Traffic by layer, without refills" }, &names, &traffic, |value| bytes(whole(value))))
        (plot::columns(seconds, &names, &time, |value| format!("{value:.3} s")))
        details {
            summary { "All " (layers.len()) " layers" }
            div class="wide" { table {
                thead { tr {
                    th { "layer" } th { "operation" } th { "algorithm" } th class="n" { "MACs" }
                    th {} th class="n" { "to the server" } th class="n" { "to the client" }
                    @if planned { th class="n" { "refill" } }
                    th class="n" { "flights" } th class="n" { "seconds" }
                    @if planned { th { "why" } }
                } }
                tbody {
                    @for layer in layers {
                        tr {
                            td class="name" { (layer.name) } td { (layer.op) } td { (layer.algorithm) } td class="n" { (grouped(layer.macs)) }
                            td class="bar" { (plot::bar(share(layer.online_bytes(), most), "a")) }
                            td class="n" { (bytes(layer.client_to_server_bytes)) } td class="n" { (bytes(layer.server_to_client_bytes)) }
                            @if planned { td class="n" { (bytes(layer.planned.as_ref().map_or(0, |p| p.refill_bytes()))) } }
                            td class="n" { (layer.flights) } td class="n" { (format!("{:.3}", layer.seconds)) }
                            @if planned { td { (layer.planned.as_ref().map_or("", |p| &p.why)) } }
                        }
                    }
                }
            } }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length on paper")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was a number of bytes"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

fn share(part: u64, whole: u64) -> f64 {
    float(part) / float(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that could be an element, an attribute or a script, in a title, in text and in a plot.
    #[test]
    fn words_of_others_are_words() {
        let hostile = "<script>alert(1)</script>\" onload=\"x' & \u{202e}drawkcab\u{1b}[2J";
        let layer = Layer {
            name: hostile.to_owned(),
            op: "conv",
            algorithm: hostile.to_owned(),
            macs: 1,
            client_to_server_bytes: 1,
            server_to_client_bytes: 2,
            flights: 1,
            seconds: 0.1,
            planned: None,
        };
        let body = html! { (warning(hostile)) (layers(&[layer], "time")) };
        let page = document(hostile, hostile, &body);
        assert!(
            !page.contains("<script") && !page.contains("onload=\""),
            "{page}"
        );
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x' &amp; \\u202edrawkcab\\u001b[2J";
        assert!(page.matches(shown).count() >= 8, "{page}");
    }

    /// Nothing is loaded from anywhere.
    #[test]
    fn a_page_stands_alone() {
        let page = document("title", "about", &html! {});
        for outside in ["http://", "https://", "url(", "@import", "src=", "href="] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'") && page.ends_with("</html>"));
    }
}
