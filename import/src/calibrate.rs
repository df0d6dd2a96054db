//! Calibration: how large the tensors of a float graph get on sample images.

use nets::FloatModel;

use crate::Error;

/// The largest magnitude of every channel of every node's output.
pub(crate) type Peaks = Vec<Vec<f64>>;

/// The peaks of a graph that has seen nothing.
pub(crate) fn no_peaks(model: &FloatModel) -> Peaks {
    let shapes = model.graph.types();
    shapes.iter().map(|s| vec![0.0; s.channels]).collect()
}

/// Runs a sample, raises the peaks to what it causes, and returns the outputs of the network.
pub(crate) fn observe(
    model: &FloatModel,
    sample: &[f32],
    peaks: &mut Peaks,
) -> Result<Vec<f64>, Error> {
    let shapes = model.graph.types();
    let output = model.run_observed(sample, &mut |node, values| {
        let channels = values.chunks_exact(shapes[node].plane());
        for (peak, channel) in peaks[node].iter_mut().zip(channels) {
            *peak = peak.max(f64::from(largest(channel)));
        }
    })?;
    Ok(output.into_iter().map(f64::from).collect())
}

/// The largest of each node's peaks.
pub(crate) fn tops(peaks: &[Vec<f64>]) -> Vec<f64> {
    let top = |channels: &Vec<f64>| channels.iter().copied().fold(0.0, f64::max);
    peaks.iter().map(top).collect()
}

/// The largest magnitude of some values.
fn largest(values: &[f32]) -> f32 {
    let (lanes, rest) = values.as_chunks::<8>();
    let mut tops = [0.0_f32; 8];
    for lane in lanes {
        for (top, v) in tops.iter_mut().zip(lane) {
            *top = top.max(v.abs());
        }
    }
    rest.iter()
        .chain(&tops)
        .fold(0.0, |top, v| top.max(v.abs()))
}
