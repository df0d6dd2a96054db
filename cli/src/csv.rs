//! Results as CSV (RFC 4180), for tables of other programs.
//!
//! Some of those run what begins with `=`, `+`, `-` or `@`. A text that begins so, whoever chose it, gets an apostrophe in front,
//! which they take for the mark of a text; numbers stay as they are.

use crate::commands::bench::{Measured, Part};
use crate::plain;
use crate::report::{Layer, Report};

/// The columns of findings.
pub(crate) const FINDINGS: [Cell<'static>; 13] = [
    Cell::Text("input"),
    Cell::Text("input_sha256"),
    Cell::Text("model"),
    Cell::Text("model_digest"),
    Cell::Text("mode"),
    Cell::Text("name"),
    Cell::Text("probability"),
    Cell::Text("logit"),
    Cell::Text("raw"),
    Cell::Text("present"),
    Cell::Text("unlike"),
    Cell::Text("accepted"),
    Cell::Text("total_s"),
];

/// The columns of layers.
pub(crate) const LAYERS: [Cell<'static>; 13] = [
    Cell::Text("layer"),
    Cell::Text("op"),
    Cell::Text("algorithm"),
    Cell::Text("weight_bits"),
    Cell::Text("ring_bits"),
    Cell::Text("macs"),
    Cell::Text("client_to_server_bytes"),
    Cell::Text("server_to_client_bytes"),
    Cell::Text("refill_client_to_server_bytes"),
    Cell::Text("refill_server_to_client_bytes"),
    Cell::Text("flights"),
    Cell::Text("seconds"),
    Cell::Text("why"),
];

/// The columns of measurements.
pub(crate) const MEASUREMENTS: [Cell<'static>; 14] = [
    Cell::Text("operation"),
    Cell::Text("phase"),
    Cell::Text("extension"),
    Cell::Text("cpu_least_s"),
    Cell::Text("cpu_median_s"),
    Cell::Text("cpu_most_s"),
    Cell::Text("wall_least_s"),
    Cell::Text("wall_median_s"),
    Cell::Text("wall_most_s"),
    Cell::Text("bytes"),
    Cell::Text("setup_bytes"),
    Cell::Text("refill_bytes"),
    Cell::Text("flights"),
    Cell::Text("cots"),
];

/// A cell of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Number(String),
    Nothing,
}

impl<'a> Cell<'a> {
    fn text(text: Option<&'a String>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text))
    }

    fn number(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Nothing, |value| Self::Number(value.to_string()))
    }

    fn write(&self, line: &mut String) {
        match self {
            Self::Nothing => {}
            Self::Number(number) => *line += number,
            Self::Text(text) => {
                let text = plain::line(text);
                let runs = text.trim_start().starts_with(['=', '+', '-', '@']);
                let text = if runs { format!("'{text}") } else { text };
                match text.contains(['"', ',']) || text.trim() != text {
                    true => *line += &format!("\"{}\"", text.replace('"', "\"\"")),
                    false => *line += &text,
                }
            }
        }
    }
}

/// A row as a line, with its end.
pub(crate) fn line(cells: &[Cell<'_>]) -> String {
    let mut line = String::new();
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        cell.write(&mut line);
    }
    line + "\r\n"
}

/// A row for each output of an image.
pub(crate) fn findings(report: &Report) -> impl Iterator<Item = [Cell<'_>; 13]> {
    let mode = report.mode.as_ref().or(report.arithmetic.as_ref());
    report.outputs.iter().map(move |output| {
        [
            Cell::Text(&report.input),
            Cell::Text(&report.input_sha256),
            Cell::Text(&report.model),
            Cell::Text(&report.model_digest),
            Cell::text(mode),
            Cell::Text(&output.name),
            Cell::number(output.probability),
            Cell::number(output.logit),
            Cell::number(output.raw),
            Cell::number(output.present),
            Cell::text(report.unlike.as_ref()),
            Cell::text(report.accepted.as_ref()),
            Cell::number(Some(report.time.total_s)),
        ]
    })
}

/// A row for each layer.
pub(crate) fn layer(layer: &Layer) -> [Cell<'_>; 13] {
    let planned = layer.planned.as_ref();
    [
        Cell::Text(&layer.name),
        Cell::Text(layer.op),
        Cell::Text(&layer.algorithm),
        Cell::number(planned.and_then(|p| p.weight_bits)),
        Cell::number(planned.map(|p| p.ring_bits)),
        Cell::number(Some(layer.macs)),
        Cell::number(Some(layer.client_to_server_bytes)),
        Cell::number(Some(layer.server_to_client_bytes)),
        Cell::number(planned.map(|p| p.refill_client_to_server_bytes)),
        Cell::number(planned.map(|p| p.refill_server_to_client_bytes)),
        Cell::number(Some(layer.flights)),
        Cell::number(Some(layer.seconds)),
        planned.map_or(Cell::Nothing, |p| Cell::Text(&p.why)),
    ]
}

/// A row for whole runs of an operation, and one for each of its phases, where these were measured.
pub(crate) fn measurements(measured: &Measured) -> impl Iterator<Item = [Cell<'_>; 14]> {
    let phases = measured.phases.iter().flat_map(|phases| {
        let parts = [&phases.ahead, &phases.online, &phases.both];
        ["ahead", "online", "both"].into_iter().zip(parts)
    });
    let parts = std::iter::once(("whole", &measured.whole)).chain(phases);
    parts.map(|(phase, part)| measurement(measured, phase, part))
}

fn measurement<'a>(measured: &'a Measured, phase: &'a str, part: &Part) -> [Cell<'a>; 14] {
    let (cpu, wall, traffic) = (part.cpu_s, part.wall_s, part.traffic);
    [
        Cell::Text(measured.operation),
        Cell::Text(phase),
        Cell::Text(measured.extension),
        Cell::number(Some(cpu.least)),
        Cell::number(Some(cpu.median)),
        Cell::number(Some(cpu.most)),
        Cell::number(Some(wall.least)),
        Cell::number(Some(wall.median)),
        Cell::number(Some(wall.most)),
        Cell::number(Some(traffic.bytes)),
        Cell::number(Some(traffic.setup_bytes)),
        Cell::number(Some(traffic.refill_bytes)),
        Cell::number(Some(traffic.flights)),
        Cell::number(Some(traffic.cots)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_run_nothing() {
        let cells = [
            Cell::Text("plain"),
            Cell::Text("a, \"b\""),
            Cell::Text("=HYPERLINK(\"x\")"),
            Cell::Text(" +1"),
            Cell::Text("-x"),
            Cell::Text("@x"),
            Cell::Text("two\r\nlines\u{202e}"),
            Cell::Number("-0.5".into()),
            Cell::Nothing,
        ];
        let expected = "plain,\"a, \"\"b\"\"\",\"'=HYPERLINK(\"\"x\"\")\",' +1,'-x,'@x,two\\u000d\\u000alines\\u202e,-0.5,\r\n";
        assert_eq!(line(&cells), expected);
    }
}
