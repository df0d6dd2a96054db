//! The speed of this machine, from what operations took.

use linear::{Work, work};
use secure::CpuModel;
use service::{EXTENSIONS, Extension};

use super::Measured;
use super::operations::Name;

/// The seconds of each unit of work with which the estimate of every operation equals its least measured time; all but the refills
/// used this extension. The least counts: other programs use the machine too.
pub(super) fn fit(all: &[Measured], extension: &dyn Extension) -> CpuModel {
    let by = |name: Name, extension: &dyn Extension| -> (f64, Work) {
        let mut all = all.iter();
        let found = all.find(|m| m.operation == name.text() && m.extension == extension.name());
        found.map_or((0.0, Work::default()), |m| {
            (m.whole.cpu_s.least, m.work.clone())
        })
    };
    let of = |name| by(name, extension);
    let per = |rest: f64, count: u64| (rest / float(count.max(1))).max(0.0);
    let cot = |extension: &dyn Extension| {
        let (cot_s, cots) = by(Name::Refill, extension);
        per(cot_s, cots.get(work::COTS))
    };
    let model = EXTENSIONS
        .iter()
        .fold(CpuModel::default(), |model, &extension| {
            model.with_extension(extension, cot(extension))
        });
    let cot = cot(extension);
    let (relu_s, relu) = of(Name::Relu);
    let (truncation_s, truncation) = of(Name::Truncation);
    let made = float(relu.get(work::COTS) + truncation.get(work::COTS)) * cot;
    let bytes = relu.get(work::BYTES) + truncation.get(work::BYTES);
    let byte = per(relu_s + truncation_s - made, bytes);
    // Two convolutions, one of long vectors and one of short ones, give row and word.
    let elementwise = |w: &Work| float(w.get(work::COTS)) * cot + float(w.get(work::BYTES)) * byte;
    let (long_s, long) = of(Name::Direct);
    let (short_s, short) = of(Name::Short);
    let (a, b) = (float(long.get(work::ROWS)), float(long.get(work::WORDS)));
    let (c, d) = (float(short.get(work::ROWS)), float(short.get(work::WORDS)));
    let (p, q) = (long_s - elementwise(&long), short_s - elementwise(&short));
    let determinant = a * d - b * c;
    let row = ((p * d - b * q) / determinant).max(0.0);
    let word = ((a * q - c * p) / determinant).max(0.0);
    let (transform_s, transform) = of(Name::Transforms);
    let products =
        float(transform.get(work::ROWS)) * row + float(transform.get(work::WORDS)) * word;
    let rest = transform_s - products - elementwise(&transform);
    // What ring-LWE does is known by its parts; how fast this machine is at it, by one factor.
    let (homomorphic_s, homomorphic) = of(Name::RingLwe);
    let usual = model.ring_lwe_seconds(&homomorphic).max(f64::MIN_POSITIVE);
    let factor = ((homomorphic_s - elementwise(&homomorphic)) / usual).max(0.0);
    model
        .with_ring_lwe(factor)
        .with(work::ROWS, row)
        .with(work::WORDS, word)
        .with(work::ELEMENTS, per(rest, transform.get(work::ELEMENTS)))
        .with(work::BYTES, byte)
        .of_extension(EXTENSIONS[0])
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn float(count: u64) -> f64 {
    count as f64
}
