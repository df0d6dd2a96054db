//! The part of the report that lists the widths chosen.

use serde::Serialize;

use nets::{IntOp, Interval, Node, proved};

use crate::lower::Lowered;
use crate::scales::bits_for;

/// The widths of one linear layer: chosen, proved and calibrated.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct LayerWidths {
    /// The layer.
    pub name: String,
    /// Bits of its weights.
    pub weight_bits: u32,
    /// Scale of its weights.
    pub weight_scale: i32,
    /// Bits of the accumulator's ring.
    pub ring_bits: u32,
    /// Bits that would hold its accumulator for every image.
    pub proved_bits: u32,
    /// Bits that hold the largest accumulator seen in calibration, times the margin.
    pub calibrated_bits: u32,
    /// Bits of its output after truncation.
    pub output_bits: u32,
    /// Scale of its output after truncation.
    pub output_scale: i32,
    /// The name of the algorithm that computes it.
    pub algorithm: String,
}

/// The widths of every linear layer.
pub(crate) fn widths(
    lowered: &Lowered,
    ranges: &[f64],
    bound: f64,
    margin: f64,
) -> Vec<LayerWidths> {
    let graph = &lowered.graph;
    let top = graph.input().fixed.encode(bound);
    let images = Interval {
        low: -top,
        high: top,
    };
    let proofs = proved(graph, &lowered.weights, images);
    let widths = |(index, node): (usize, &Node<IntOp>)| {
        let IntOp::Linear {
            weight_bits,
            weight_scale,
            ref by,
            ..
        } = node.op
        else {
            return None;
        };
        let cuts = |n: &usize| {
            let op = &graph.nodes()[*n].op;
            matches!(op, IntOp::TruncReduce { .. } | IntOp::Trunc { .. })
        };
        let after = graph.sole_consumer(index).filter(cuts);
        let accumulator = graph.types()[index].fixed;
        let output = graph.types()[after.unwrap_or(index)].fixed;
        let seen = ranges[lowered.origin[&index]] * margin;
        Some(LayerWidths {
            name: node.name.clone(),
            weight_bits,
            weight_scale,
            ring_bits: accumulator.bits.get(),
            proved_bits: proofs[index].bits,
            calibrated_bits: bits_for(seen * 2f64.powi(accumulator.scale)),
            output_bits: output.bits.get(),
            output_scale: output.scale,
            algorithm: by.to_string(),
        })
    };
    graph
        .nodes()
        .iter()
        .enumerate()
        .filter_map(widths)
        .collect()
}
