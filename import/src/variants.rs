//! Inputs like the calibration images, but not the same: what else may come.
//!
//! Values of tensors reach further on pictures that are darker, brighter or of more contrast than those that happened
//! to be at hand, on negatives, and on pictures the other way round. The declared preprocessing says where black and
//! white lie, so that each variant is an input that a picture can have.

use nets::Preprocessing;

/// With this many images or more, each is shown in some of the variants only.
const ENOUGH: usize = 8;
/// Variants of all images together, where there are enough images.
const IN_ALL: usize = 24;
/// Variants of all images together, where there are few.
const OF_FEW: usize = 40;

/// A variant of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    Mirrored,
    Stretched,
    Negative,
    Squared,
    UpsideDown,
    Rooted,
    Darker,
    Brighter,
}

const VARIANTS: [Variant; 8] = [
    Variant::Mirrored,
    Variant::Stretched,
    Variant::Negative,
    Variant::Squared,
    Variant::UpsideDown,
    Variant::Rooted,
    Variant::Darker,
    Variant::Brighter,
];

impl Variant {
    /// What becomes of a value between 0, black, and 1, white.
    fn tone(self, v: f64) -> f64 {
        match self {
            Self::Mirrored | Self::UpsideDown => v,
            Self::Stretched => (2.0 * v - 0.5).clamp(0.0, 1.0),
            Self::Negative => 1.0 - v,
            Self::Squared => v * v,
            Self::Rooted => v.sqrt(),
            Self::Darker => v / 2.0,
            Self::Brighter => f64::midpoint(v, 1.0),
        }
    }

    /// The variant of an input.
    #[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
    fn of(self, input: &[f32], preprocessing: &Preprocessing) -> Vec<f32> {
        let shape = preprocessing.shape;
        let mut values = Vec::with_capacity(input.len());
        let scales = preprocessing.mean.iter().zip(&preprocessing.std);
        for (plane, (mean, std)) in input.chunks_exact(shape.plane()).zip(scales) {
            let toned = |&v: &f32| {
                let value = f64::from(v).mul_add(*std, *mean).clamp(0.0, 1.0);
                ((self.tone(value) - mean) / std) as f32
            };
            let mut toned: Vec<f32> = plane.iter().map(toned).collect();
            match self {
                Self::Mirrored => toned
                    .chunks_exact_mut(shape.width)
                    .for_each(<[f32]>::reverse),
                // Rows in reverse order: all values in reverse, and each row again.
                Self::UpsideDown => {
                    toned.reverse();
                    toned
                        .chunks_exact_mut(shape.width)
                        .for_each(<[f32]>::reverse);
                }
                Self::Stretched
                | Self::Negative
                | Self::Squared
                | Self::Rooted
                | Self::Darker
                | Self::Brighter => {}
            }
            values.extend(toned);
        }
        values
    }
}

/// Which variant of which sample: every variant of few samples; of many, so many that all variants have their turn.
fn chosen(samples: usize) -> Vec<(usize, Variant)> {
    let all = match samples {
        0 => 0,
        n if n < ENOUGH => OF_FEW.min(n * VARIANTS.len()),
        _ => IN_ALL,
    };
    // The step between variants lets a sample have others in the next round.
    let pair = |i: usize| {
        let (round, sample) = (i / samples, i % samples);
        (sample, VARIANTS[(round + sample) % VARIANTS.len()])
    };
    (0..all).map(pair).collect()
}

/// Variants of samples, made one after the other, with the number of the sample that each is made of.
pub(crate) fn variants<'a>(
    samples: &'a [Vec<f32>],
    preprocessing: &'a Preprocessing,
) -> impl Iterator<Item = (usize, Vec<f32>)> + 'a {
    let variant =
        |(sample, variant): (usize, Variant)| (sample, variant.of(&samples[sample], preprocessing));
    chosen(samples.len()).into_iter().map(variant)
}

/// The inputs of a black and of a white picture.
#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
pub(crate) fn extremes(preprocessing: &Preprocessing) -> [Vec<f32>; 2] {
    [0.0, 1.0].map(|level| {
        let channels = preprocessing.mean.iter().zip(&preprocessing.std);
        let plane = preprocessing.shape.plane();
        channels
            .flat_map(|(mean, std)| std::iter::repeat_n(((level - mean) / std) as f32, plane))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nets::Shape;

    #[test]
    fn variants_are_inputs_of_pictures() {
        let preprocessing = Preprocessing::new(Shape::new(1, 2, 3), vec![0.5], vec![0.25]);
        let pixels = [0, 51, 102, 153, 204, 255];
        let input = preprocessing.values(&pixels).expect("six pixels");
        let found = |variant: Variant| variant.of(&input, &preprocessing);
        let expected = |pixels: [u8; 6]| preprocessing.values(&pixels).expect("six pixels");
        for (variant, pixels) in [
            (Variant::Mirrored, [102, 51, 0, 255, 204, 153]),
            (Variant::UpsideDown, [153, 204, 255, 0, 51, 102]),
            (Variant::Negative, [255, 204, 153, 102, 51, 0]),
        ] {
            for (found, expected) in found(variant).iter().zip(expected(pixels)) {
                assert!((found - expected).abs() < 1e-5, "{variant:?}");
            }
        }
        let [black, white] = extremes(&preprocessing);
        assert_eq!((black, white), (vec![-2.0; 6], vec![2.0; 6]));
        for variant in VARIANTS {
            assert!(found(variant).iter().all(|v| v.abs() <= 2.0), "{variant:?}");
        }
    }

    #[test]
    fn every_variant_has_its_turn() {
        for n in 1..100 {
            let chosen = chosen(n);
            let seen = |v: &Variant| chosen.iter().any(|(_, variant)| variant == v);
            assert!(VARIANTS.iter().all(seen), "{n}");
            assert!(chosen.len() <= OF_FEW.max(IN_ALL) && chosen.iter().all(|(s, _)| *s < n));
            let mut once = chosen.clone();
            once.dedup();
            assert_eq!(once.len(), chosen.len());
        }
        assert_eq!(chosen(3).len(), 24);
    }
}
