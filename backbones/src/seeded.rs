//! Random weights from a seed, for studies of costs.

use nets::Tensor;

use crate::Error;
use crate::builder::Parameters;

/// Makes every tensor from the hash of its name under the seed, so that the order does not matter.
pub(crate) struct Seeded(pub(crate) [u8; 32]);

impl Parameters for Seeded {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let count: usize = shape.iter().product();
        let mut bytes = vec![0; 4 * count];
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(name.as_bytes()).finalize_xof().fill(&mut bytes);
        let (low, high) = range(name, shape);
        let value = |word: &[u8; 4]| {
            let [_, a, b, c] = word.map(f32::from);
            let unit = (a / 256.0 + b) / 256.0;
            let unit = (unit + c) / 256.0;
            (high - low).mul_add(unit, low)
        };
        let values = bytes.as_chunks::<4>().0.iter().map(value).collect();
        Ok(Tensor::new(shape.to_vec(), values))
    }
}

/// The range of a tensor's values: that of He et al. for weights, around 1 for factors and variances, around 0
/// for all else.
#[expect(
    clippy::cast_precision_loss,
    reason = "a layer has less than 2^24 inputs"
)]
fn range(name: &str, shape: &[usize]) -> (f32, f32) {
    let inputs: usize = shape.iter().skip(1).product();
    if shape.len() > 1 {
        let top = (6.0 / inputs as f32).sqrt();
        (-top, top)
    } else if name.ends_with(".weight") || name.ends_with(".running_var") {
        (0.5, 1.5)
    } else {
        (-0.1, 0.1)
    }
}
