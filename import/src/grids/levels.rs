//! Weights that are integers times a scale.

/// The largest magnitude of such an integer: that of an 8-bit number less a zero point.
const MAX_LEVEL: u16 = 255;
/// How far a weight may be from its integer times the scale, relative to it: an `f32` holds a product to 2⁻²⁴, and
/// the scale is found from another.
const TOLERANCE: f64 = 1.0 / 4_194_304.0;

/// The smallest integers of which the weights of a row are multiples, and the scale; `None` if there are none of 8
/// bits and a sign. A row of zeros has the scale 0.
pub(super) fn levels(row: &[f32]) -> Option<(Vec<f32>, f64)> {
    let top = row
        .iter()
        .fold(0.0_f64, |top, &w| top.max(f64::from(w).abs()));
    if top == 0.0 {
        return Some((vec![0.0; row.len()], 0.0));
    }
    let fits = |&scale: &f64| {
        let near = |w: &f32| {
            let w = f64::from(*w);
            ((w / scale).round() * scale - w).abs() <= TOLERANCE * w.abs()
        };
        row.iter().all(near)
    };
    let scale = (1..=MAX_LEVEL).map(|n| top / f64::from(n)).find(fits)?;
    #[expect(clippy::cast_possible_truncation, reason = "a level is small")]
    let level = |w: &f32| (f64::from(*w) / scale).round() as f32;
    Some((row.iter().map(level).collect(), scale))
}

#[cfg(test)]
mod tests {
    use super::levels;

    #[test]
    fn integers_are_found_again() {
        for scale in [0.0123_f32, 1.0, 3.7e-5, 0.001_953_125] {
            for row in [&[-127.0_f32, 3.0, 0.0, 88.0][..], &[255.0, -254.0], &[1.0]] {
                let weights: Vec<f32> = row.iter().map(|n| n * scale).collect();
                let (found, unit) = levels(&weights).expect("they are multiples");
                assert_eq!(found, row);
                assert!((unit / f64::from(scale) - 1.0).abs() < 1e-6);
            }
        }
        // The smallest integers: all of these are even.
        let (found, unit) = levels(&[0.5, -1.5]).expect("they are multiples");
        assert_eq!((found.as_slice(), unit), (&[1.0, -3.0][..], 0.5));
        assert_eq!(levels(&[0.0; 3]), Some((vec![0.0; 3], 0.0)));
    }

    #[test]
    fn other_weights_have_none() {
        assert_eq!(levels(&[1.0, 0.618_034, 0.333]), None);
        assert_eq!(levels(&[1.0, 1.0 / 256.0]), None);
    }
}
