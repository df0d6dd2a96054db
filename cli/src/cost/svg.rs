//! A bar chart as SVG: logarithmic, readable without colours, the same bytes for the same numbers.

use crate::text::put;

/// Width of the labels, of the bars, and of the numbers behind the bars, in pixels.
const LABELS: f64 = 360.0;
const BARS: f64 = 480.0;
const NUMBERS: f64 = 90.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 34.0;
/// Colours of the bars; they differ in brightness too.
const COLOURS: [&str; 2] = ["#1f4e79", "#e08214"];

/// Horizontal bars, one under the other.
pub(crate) struct Chart {
    pub(crate) title: String,
    /// A value as text, for the axis.
    pub(crate) unit: fn(u64) -> String,
    /// What the two colours mean.
    pub(crate) legend: [&'static str; 2],
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: u64,
    pub(crate) text: String,
    /// Whether it has the second colour.
    pub(crate) second: bool,
}

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let width = LABELS + BARS + NUMBERS;
        let bottom = self.bars.iter().fold(TOP, |y, _| y + ROW);
        let height = bottom + BOTTOM;
        let mut out = String::new();
        let svg = &mut out;
        put(
            svg,
            format_args!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="13">"#
            ),
        );
        let title = escaped(&self.title);
        put(svg, format_args!(r#"<title id="title">{title}</title>"#));
        let all: Vec<String> = (self.bars.iter())
            .map(|bar| format!("{}, {}", bar.label, bar.text))
            .collect();
        put(
            svg,
            format_args!(
                r#"<desc id="desc">Bars on a logarithmic scale. {}.</desc>"#,
                escaped(&all.join("; "))
            ),
        );
        put(
            svg,
            format_args!(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##),
        );
        put(
            svg,
            format_args!(r#"<text x="12" y="26" font-size="17" font-weight="bold">{title}</text>"#),
        );
        for (x, (meaning, colour)) in [12.0, 232.0].iter().zip(self.legend.iter().zip(COLOURS)) {
            put(
                svg,
                format_args!(
                    r#"<rect x="{x:.0}" y="42" width="14" height="14" fill="{colour}"/><text x="{:.0}" y="54">{}</text>"#,
                    x + 20.0,
                    escaped(meaning)
                ),
            );
        }
        self.axis(svg, bottom);
        self.rows(svg);
        put(svg, format_args!("</svg>"));
        out
    }

    /// The powers of ten around all values.
    fn decades(&self) -> (u32, u32) {
        let values = || self.bars.iter().map(|bar| bar.value.max(1));
        let low = values().min().unwrap_or(1).ilog10();
        let high = values().max().unwrap_or(1).ilog10() + 1;
        (low, high)
    }

    fn x(&self, value: u64) -> f64 {
        let (low, high) = self.decades();
        #[expect(clippy::cast_precision_loss, reason = "a place on paper")]
        let place = (value.max(1) as f64).log10() - f64::from(low);
        LABELS + BARS * place / f64::from(high - low)
    }

    fn axis(&self, svg: &mut String, bottom: f64) {
        let (low, high) = self.decades();
        for decade in low..=high {
            // 10^20 does not fit, and no bar reaches it.
            let value = 10_u64.saturating_pow(decade);
            let x = self.x(value);
            put(
                svg,
                format_args!(
                    r##"<line x1="{x:.1}" y1="{TOP:.0}" x2="{x:.1}" y2="{bottom:.0}" stroke="#bbbbbb"/><text x="{x:.1}" y="{:.0}" text-anchor="middle" fill="#444444">{}</text>"##,
                    bottom + 18.0,
                    escaped(&(self.unit)(value))
                ),
            );
        }
    }

    fn rows(&self, svg: &mut String) {
        let mut y = TOP;
        for bar in &self.bars {
            let (end, colour) = (self.x(bar.value), COLOURS[usize::from(bar.second)]);
            put(
                svg,
                format_args!(
                    r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{}</text><rect x="{LABELS:.0}" y="{:.0}" width="{:.1}" height="{BAR:.0}" fill="{colour}"/><text x="{:.1}" y="{:.0}">{}</text>"#,
                    LABELS - 8.0,
                    y + 18.0,
                    escaped(&bar.label),
                    y + 5.0,
                    end - LABELS,
                    end + 6.0,
                    y + 18.0,
                    escaped(&bar.text)
                ),
            );
            y += ROW;
        }
    }
}

/// Text that XML does not take for markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[u64]) -> Chart {
        let bar = |&value: &u64| Bar {
            label: format!("<{value}> & \"more\""),
            value,
            text: value.to_string(),
            second: value % 2 == 1,
        };
        Chart {
            title: "1 < 2".into(),
            unit: |v| v.to_string(),
            legend: ["even", "odd"],
            bars: values.iter().map(bar).collect(),
        }
    }

    #[test]
    fn bars_are_as_long_as_their_logarithms() {
        let (chart, again) = (chart(&[10, 1000, 31]), chart(&[10, 1000, 31]));
        assert_eq!(chart.decades(), (1, 4));
        assert!((chart.x(10) - LABELS).abs() < 1e-9);
        assert!((chart.x(1000) - LABELS - BARS * 2.0 / 3.0).abs() < 1e-9);
        let svg = chart.svg();
        assert_eq!(svg, again.svg());
        assert!(svg.contains("1 &lt; 2") && svg.contains("&lt;31&gt; &amp; &quot;more&quot;"));
        assert_eq!(svg.matches(COLOURS[1]).count(), 2, "one bar, one key");
    }

    #[test]
    fn any_value_has_a_place() {
        for values in [&[][..], &[0], &[u64::MAX], &[1, u64::MAX]] {
            let svg = chart(values).svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
