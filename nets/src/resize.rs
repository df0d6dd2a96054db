//! Antialiased bilinear resize of 8-bit planes, bit-compatible with Pillow's `BILINEAR`.
//!
//! Columns first, then rows, as Pillow does up to version 12 (13 takes the cheaper order, which can
//! change a sample by one).

/// Fractional bits of the filter weights: 8-bit samples and the sum leave this much of 32 bits.
const PRECISION: u32 = 32 - 8 - 2;

/// The weights of one output sample: where they start in the input, and their values.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// The triangle filter for resizing `input` samples to `output`: its support is one output sample
/// to either side when shrinking (that is the antialiasing), one input sample when enlarging.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sides of pictures are small and the ends are clamped"
)]
fn taps(input: usize, output: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    (0..output)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let triangle = |x: usize| (1.0 - ((x as f64 - centre + 0.5) / support).abs()).max(0.0);
            let weights: Vec<f64> = (start..end).map(triangle).collect();
            let sum: f64 = weights.iter().sum();
            let one = f64::from(1 << PRECISION);
            let weights = weights
                .iter()
                .map(|w| (w / sum * one + 0.5) as i32)
                .collect();
            Taps { start, weights }
        })
        .collect()
}

/// One output sample from `line`, samples `stride` apart, rounded and clipped to 8 bits.
#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn sample(taps: &Taps, line: &[u8], stride: usize) -> u8 {
    let inputs = line[taps.start * stride..].iter().step_by(stride);
    let products = inputs.zip(&taps.weights).map(|(&p, &w)| i32::from(p) * w);
    let sum = (1 << (PRECISION - 1)) + products.sum::<i32>();
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resizes a plane of `[rows, columns]`: columns first, each pass rounded to 8 bits.
///
/// # Panics
/// When the plane does not have `from[0] * from[1]` samples.
#[must_use]
pub fn resize(plane: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    assert_eq!(
        plane.len(),
        from[0] * from[1],
        "the plane has from[0] * from[1] samples"
    );
    let mut columns = plane.to_vec();
    if from[1] != to[1] {
        let taps = taps(from[1], to[1]);
        let line = |row| taps.iter().map(move |t| sample(t, row, 1));
        columns = plane.chunks_exact(from[1]).flat_map(line).collect();
    }
    if from[0] == to[0] {
        return columns;
    }
    let taps = taps(from[0], to[0]);
    let row = |t| {
        (0..to[1])
            .map(|c| sample(t, &columns[c..], to[1]))
            .collect::<Vec<_>>()
    };
    taps.iter().flat_map(row).collect()
}
