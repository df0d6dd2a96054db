//! Calibration: how large the tensors of a float graph get on sample images.

use nets::FloatModel;

use crate::Error;

/// The largest magnitude of every node's output over the samples.
pub(crate) fn ranges(model: &FloatModel, samples: &[Vec<f32>]) -> Result<Vec<f64>, Error> {
    let mut ranges = vec![0.0_f64; model.graph.len()];
    for sample in samples {
        model.run_observed(sample, &mut |node, values| {
            ranges[node] = ranges[node].max(f64::from(largest(values)));
        })?;
    }
    Ok(ranges)
}

/// Magnitudes by node and channel, and outputs of the network by sample.
type Peaks = (Vec<Vec<f64>>, Vec<Vec<f64>>);

/// The largest magnitude of every channel of every node's output over the samples, and the outputs of
/// the network.
pub(crate) fn peaks(model: &FloatModel, samples: &[Vec<f32>]) -> Result<Peaks, Error> {
    let shapes = model.graph.types();
    let mut peaks: Vec<Vec<f64>> = shapes.iter().map(|s| vec![0.0; s.channels]).collect();
    let mut outputs = Vec::with_capacity(samples.len());
    for sample in samples {
        let output = model.run_observed(sample, &mut |node, values| {
            let channels = values.chunks_exact(shapes[node].plane());
            for (peak, channel) in peaks[node].iter_mut().zip(channels) {
                *peak = peak.max(f64::from(largest(channel)));
            }
        })?;
        outputs.push(output.into_iter().map(f64::from).collect());
    }
    Ok((peaks, outputs))
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
