//! The page of `infer` and `clear`: the findings of images, and what they cost.

use maud::{Markup, html};
use service::{Finding, Times};

use super::{document, layers, plot, traffic, warning, widths};
use crate::failure::Failure;
use crate::report::Report;
use crate::summary::Summary;
use crate::text::counted;

/// Findings that are shown at once; the others can be opened.
const SHOWN: usize = 20;

/// The page of some images, with what they cost together; `ended` is why there are no more, if that was a failure.
pub(crate) fn of_reports(
    reports: &[Report],
    summary: Option<Summary>,
    ended: Option<&Failure>,
) -> String {
    let title = match reports {
        [one] => format!("{} · {}", one.input, one.model),
        [first, ..] => format!("{} · {}", counted(reports.len(), "image"), first.model),
        [] => "no image".to_owned(),
    };
    let about = match reports.first() {
        Some(one) if one.mode.is_some() => {
            "Findings by secure two-party inference: the server has not seen the image, and the client not the weights."
        }
        Some(_) => "Findings in the clear, without secrecy.",
        None => "Nothing was found.",
    };
    let body = html! {
        @if let Some(failure) = ended {
            (warning(&format!("it ended before all images were done: {failure}")))
        }
        @if let Some(summary) = summary { p { (summary.text()) "." } }
        @for report in reports {
            section class="image" {
                @if reports.len() > 1 { h2 { (report.input) } }
                (image(report))
            }
        }
    };
    document(&title, about, &body)
}

fn image(report: &Report) -> Markup {
    let order = report.by_rank();
    let (first, rest) = order.split_at(order.len().min(SHOWN));
    let accepted = |words: &str| format!("this was accepted when the model was made: {words}");
    html! {
        (findings(first))
        @if !rest.is_empty() {
            details { summary { (counted(rest.len(), "other output")) } (findings(rest)) }
        }
        @if let Some(unlike) = &report.unlike { (warning(unlike)) }
        @if let Some(words) = &report.accepted { (warning(&accepted(words))) }
        @if report.exact == Some(false) && report.mode.as_deref() == Some("faithful") {
            (warning("the secure integers differ from the clear ones"))
        }
        (facts(report))
        @if let Some(comm) = &report.comm { (traffic(comm, report.extension)) }
        (time(report.time))
        (layers(&report.layers, "Time by layer, at the client"))
    }
}

fn findings(order: &[&Finding]) -> Markup {
    html! {
        div class="wide" { table {
            thead { tr { th { "finding" } th {} th class="n" { "probability" } th class="n" { "logit" } th class="n" { "raw integer" } } }
            tbody {
                @for one in order {
                    tr {
                        td class="name" { (one.name) }
                        td class="bar" { @if let Some(p) = one.probability { (plot::bar(p, "a")) } }
                        td class="n" {
                            @match (one.probability, one.present) {
                                (Some(p), _) => { (format!("{:.2} %", 100.0 * p)) }
                                (None, Some(true)) => { strong { "yes" } }
                                (None, _) => { "no" }
                            }
                        }
                        td class="n" { (one.logit.map_or_else(String::new, |logit| format!("{logit:+.4}"))) }
                        td class="n" { (one.raw.map_or_else(String::new, |raw| raw.to_string())) }
                    }
                }
            }
        } }
    }
}

/// How exact it is, in a sentence.
fn exactness(report: &Report) -> &'static str {
    match (
        report.exact,
        report.mode.as_deref(),
        report.arithmetic.as_deref(),
    ) {
        (Some(true), ..) => {
            "exact: the secure integers equal the clear ones in every bit; both were computed and compared"
        }
        (Some(false), ..) => "the secure integers differ from the clear ones",
        (None, Some("faithful"), _) => {
            "faithful: equal to the integer reference in every bit, as the protocols are made; not compared here, where the weights are not known"
        }
        (None, Some(_), _) => "fast: each truncation may be one unit in the last place too large",
        (None, None, Some("fixed")) => "the integers that secure inference reproduces",
        (None, None, _) => "32-bit floating point, as trained",
    }
}

fn facts(report: &Report) -> Markup {
    html! {
        dl {
            dt { "exactness" } dd { (exactness(report)) }
            @if let Some(deviation) = report.deviation {
                dt { "from the float network" } dd { (format!("{deviation:.6}")) ", the largest difference of a probability" }
            }
            dt { "image" } dd {
                (report.input) br; "SHA-256 " code { (report.input_sha256) }
                @for note in &report.notes { br; (note) }
            }
            dt { "model" } dd { (report.model) br; "digest " code { (report.model_digest) } }
            @if let Some(server) = &report.server { dt { "server" } dd { code { (server) } } }
            @if let Some(bits) = report.bits { dt { "bits" } dd { (widths(bits)) } }
            @if let Some(spent) = report.prepared_before() { dt { "prepared before" } dd { (spent) } }
            @if let Some(left) = report.prepared_for() { dt { "preparations left" } dd { "for " (left) } }
            @if let (Some(wrapped), Some(clipped)) = (report.wrapped, report.clipped) {
                dt { "values that wrapped" } dd { (wrapped) }
                dt { "values cut by a clip" } dd { (clipped) }
            }
        }
    }
}

fn time(time: Times) -> Markup {
    let rows = [
        ("set-up", time.setup_s, "b"),
        ("ahead of the image", time.ahead_s, "d"),
        ("preprocessing", time.preprocess_s, "c"),
        ("online", time.online_s, "a"),
    ];
    html! {
        h3 { "Time" }
        div class="wide" { table { tbody {
            @for (name, seconds, colour) in rows.into_iter().filter(|(_, seconds, _)| *seconds > 0.0) {
                tr {
                    td { (name) }
                    td class="bar" { (plot::bar(seconds / time.total_s.max(f64::MIN_POSITIVE), colour)) }
                    td class="n" { (format!("{seconds:.3} s")) }
                }
            }
            tr { th { "all" } td {} td class="n" { (format!("{:.3} s", time.total_s)) } }
        } } }
    }
}
