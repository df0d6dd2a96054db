//! Plots of a page: bars, and a column for each layer. Lengths are numbers of ours; words go through the escaping of `maud`.

use maud::{Markup, html};

/// Colours by their class, in the order of the series.
const COLOURS: [&str; 4] = ["a", "b", "c", "d"];

/// One thing that a column is made of: what it is called, and its value for each layer.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) values: Vec<f64>,
}

/// A bar of a part of a whole.
pub(super) fn bar(part: f64, colour: &str) -> Markup {
    let width = place(100.0 * share(part, 1.0));
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" width="100" height="10" {}
            rect class=(colour) width=(width) height="10" {}
        }
    }
}

/// A column for each layer, the series one above the other. Hovering over one says what it is.
pub(super) fn columns(
    title: &str,
    names: &[String],
    series: &[Series],
    shown: fn(f64) -> String,
) -> Markup {
    let sums: Vec<f64> = (0..names.len())
        .map(|i| series.iter().filter_map(|s| s.values.get(i)).sum())
        .collect();
    let most = sums.iter().copied().fold(0.0, f64::max);
    let said = format!(
        "{title}: {} layers, the most of one {}",
        names.len(),
        shown(most)
    );
    html! {
        figure {
            figcaption {
                b { (title) }
                @if series.len() > 1 {
                    @for (one, colour) in series.iter().zip(COLOURS) {
                        span class={"key " (colour)} {} (one.name)
                    }
                }
            }
            div class="plot" {
                div class="axis y" { span { (shown(most)) } span { "0" } }
                svg viewBox={"0 0 " (names.len().max(1)) " 100"} preserveAspectRatio="none" role="img" aria-label=(said) {
                    @for (i, name) in names.iter().enumerate() {
                        (column(i, name, series, most, shown))
                    }
                }
                div class="axis x" {
                    span { (names.first().map_or("", String::as_str)) }
                    span { (names.last().map_or("", String::as_str)) }
                }
            }
        }
    }
}

fn column(i: usize, name: &str, series: &[Series], most: f64, shown: fn(f64) -> String) -> Markup {
    let mut top = 100.0;
    let mut said = name.to_owned();
    let mut parts = Vec::new();
    for (one, colour) in series.iter().zip(COLOURS) {
        let value = one.values.get(i).copied().unwrap_or(0.0);
        let height = 100.0 * share(value, most);
        top -= height;
        said += &format!(", {} {}", one.name, shown(value));
        parts.push((place(top), place(height), colour));
    }
    html! {
        g {
            title { (said) }
            @for (y, height, colour) in parts {
                rect class=(colour) x=(format!("{i}.05")) y=(y) width="0.9" height=(height) {}
            }
        }
    }
}

/// A part of a whole, between 0 and 1 whatever they are.
fn share(part: f64, whole: f64) -> f64 {
    let share = part / whole;
    match share.is_finite() {
        true => share.clamp(0.0, 1.0),
        false => 0.0,
    }
}

/// A place on paper.
fn place(value: f64) -> String {
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_has_a_place() {
        for values in [
            vec![],
            vec![0.0, 0.0],
            vec![f64::NAN, 1.0],
            vec![f64::MAX, 1.0],
        ] {
            let names: Vec<String> = values.iter().map(|v| format!("<{v}>")).collect();
            let series = [Series { name: "x", values }];
            let svg = columns("t", &names, &series, |v| format!("{v:.0}")).into_string();
            for number in svg.split('"').filter(|word| word.parse::<f64>().is_ok()) {
                let number: f64 = number.parse().expect("a number");
                assert!(number.is_finite() && number >= 0.0, "{svg}");
            }
            assert!(!svg.contains("<1>"), "{svg}");
        }
        assert!(bar(0.5, "a").into_string().contains("width=\"50.000\""));
    }

    #[test]
    fn columns_stand_on_each_other() {
        let series = [
            Series {
                name: "up",
                values: vec![1.0, 2.0],
            },
            Series {
                name: "down",
                values: vec![3.0, 0.0],
            },
        ];
        let svg =
            columns("t", &["p".into(), "q".into()], &series, |v| format!("{v}")).into_string();
        assert!(
            svg.contains(r#"class="a" x="0.05" y="75.000" width="0.9" height="25.000""#),
            "{svg}"
        );
        assert!(
            svg.contains(r#"class="b" x="0.05" y="0.000" width="0.9" height="75.000""#),
            "{svg}"
        );
        assert!(svg.contains("<title>q, up 2, down 0</title>"), "{svg}");
    }
}
