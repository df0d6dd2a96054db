//! What grids fix of scales and widths.

use nets::{FloatGraph, Op};

use super::Fixed;
use crate::scales::{LinearScale, bits_for};

/// The groups of nodes with one scale of which something is fixed.
pub(crate) struct FixedGroups<'a> {
    graph: &'a FloatGraph,
    fixed: &'a [Option<Fixed>],
    /// The number of each node's group.
    root: &'a [usize],
}

impl<'a> FixedGroups<'a> {
    pub(crate) const fn new(
        graph: &'a FloatGraph,
        fixed: &'a [Option<Fixed>],
        root: &'a [usize],
    ) -> Self {
        Self { graph, fixed, root }
    }

    /// The nodes of which something is fixed.
    fn nodes(&self) -> impl Iterator<Item = (usize, Fixed)> {
        let all = self.fixed.iter().enumerate();
        all.filter_map(|(node, fixed)| Some((node, (*fixed)?)))
    }

    /// For each group, by its number, whether something of it is fixed.
    pub(crate) fn contained(&self) -> Vec<bool> {
        let mut contained = vec![false; self.root.len()];
        for (node, _) in self.nodes() {
            contained[self.root[node]] = true;
        }
        contained
    }

    /// Sets the scales of groups that do not depend on others, and the scales of weights.
    pub(crate) fn set(&self, scale: &mut [i32], weight: &mut [Option<i32>]) {
        for (node, fixed) in self.nodes() {
            match fixed {
                Fixed::Levels { .. } => scale[self.root[node]] = 0,
                Fixed::Sums { scale: own, .. } => {
                    scale[self.root[node]] = own.cast_signed();
                    weight[node] = Some(own.cast_signed());
                }
                Fixed::Aligned { .. } => {}
            }
        }
    }

    /// Sets the scales of aligned groups, once those of their inputs are known.
    pub(crate) fn align(&self, scale: &mut [i32]) {
        let aligned = self.nodes().filter_map(|(node, fixed)| match fixed {
            Fixed::Aligned { fraction, .. } => Some((node, fraction.cast_signed())),
            Fixed::Levels { .. } | Fixed::Sums { .. } => None,
        });
        let aligned: Vec<(usize, i32)> = aligned.collect();
        for &(node, _) in &aligned {
            scale[self.root[node]] = 0;
        }
        for (node, fraction) in aligned {
            let group = self.root[node];
            let input = self.root[self.graph.nodes()[node].inputs[0]];
            if input != group {
                scale[group] = scale[group].max(scale[input] + fraction);
            }
        }
    }

    /// Bits of the rings of the groups, where they are fixed. `seen` is the largest magnitude of each node where no
    /// other is known.
    pub(crate) fn bits(&self, scale: &[i32], seen: &[f64]) -> Vec<Option<u32>> {
        let mut all: Vec<Option<u32>> = vec![None; self.root.len()];
        for (node, fixed) in self.nodes() {
            let group = self.root[node];
            let bits = match fixed {
                Fixed::Levels { bits } | Fixed::Sums { bits, .. } => bits,
                Fixed::Aligned { most, more, .. } => {
                    bits_for(most.unwrap_or(seen[node] + more) * 2f64.powi(scale[group]))
                }
            };
            all[group] = all[group].max(Some(bits));
        }
        all
    }

    /// How a layer with integer weights is quantised.
    pub(crate) fn linear(&self, node: usize) -> Option<LinearScale> {
        match self.fixed[node]? {
            Fixed::Sums {
                scale, weight_bits, ..
            } => Some(LinearScale {
                weight: scale.cast_signed(),
                bits: weight_bits,
                shift: 0,
            }),
            Fixed::Levels { .. } | Fixed::Aligned { .. } => None,
        }
    }

    /// Fractional bits of the factor of an aligned node: the whole way from its input to its group.
    pub(crate) fn fraction(&self, node: usize, scale: &[i32]) -> Option<u32> {
        let op = &self.graph.nodes()[node];
        let is_scale = matches!(op.op, Op::Scale { .. });
        match self.fixed[node]? {
            Fixed::Aligned { .. } if is_scale => {
                let way = scale[self.root[node]] - scale[self.root[op.inputs[0]]];
                Some(way.cast_unsigned())
            }
            Fixed::Aligned { .. } | Fixed::Levels { .. } | Fixed::Sums { .. } => None,
        }
    }
}
