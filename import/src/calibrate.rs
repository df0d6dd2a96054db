//! What values the tensors of a float graph take on sample images.

use nets::FloatModel;

use crate::Error;

/// The largest magnitude of every node's output over the samples.
pub(crate) fn ranges(model: &FloatModel, samples: &[Vec<f32>]) -> Result<Vec<f64>, Error> {
    let mut ranges = vec![0.0_f64; model.graph.len()];
    for sample in samples {
        model.run_observed(sample, &mut |node, values| {
            let top = values.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
            ranges[node] = ranges[node].max(f64::from(top));
        })?;
    }
    Ok(ranges)
}

/// The largest magnitude of every channel of every node's output over the samples.
pub(crate) fn peaks(model: &FloatModel, samples: &[Vec<f32>]) -> Result<Vec<Vec<f64>>, Error> {
    let shapes = model.graph.types();
    let mut peaks: Vec<Vec<f64>> = shapes.iter().map(|s| vec![0.0; s.channels]).collect();
    for sample in samples {
        model.run_observed(sample, &mut |node, values| {
            let channels = values.chunks_exact(shapes[node].plane());
            for (peak, channel) in peaks[node].iter_mut().zip(channels) {
                let top = channel.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
                *peak = peak.max(f64::from(top));
            }
        })?;
    }
    Ok(peaks)
}
