//! Calibration images for networks with random weights.

use nets::Source;

/// Images of noise.
///
/// # Panics
/// Never.
#[must_use]
pub fn noise(source: &Source, count: usize) -> Vec<Vec<f32>> {
    let n = source.preprocessing.shape.len();
    let pixel = |i: usize| u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 255).expect("a byte");
    let image = |k: usize| {
        (0..n)
            .map(|i| pixel(i * 31 + k * 7919))
            .collect::<Vec<u8>>()
    };
    let values = |k: usize| {
        source
            .preprocessing
            .values(&image(k))
            .expect("the right size")
    };
    (0..count).map(values).collect()
}
