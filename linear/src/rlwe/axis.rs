//! One spatial axis of a convolution without its stride and dilation.

use crate::ConvSpec;

/// The most kernel positions of an axis that may meet inputs, so that a layer from a peer cannot take all memory. AGREEMENT.
pub(super) const MAX_TAPS: usize = 1 << 10;

/// One spatial axis of a convolution, as correlations of stride 1.
///
/// Kernel position r meets input o·stride + r·dilation − padding for output o. With r·dilation − padding = tap·stride + phase,
/// 0 <= phase < stride, that is element o + tap of the inputs of that phase: every stride-th, from the phase on. So the inputs of a phase are a
/// channel of their own, and nothing of stride or dilation remains. Kernel positions that meet padding only are left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Axis {
    /// Inputs.
    pub(crate) size: usize,
    /// Inputs from one element of a phase to the next.
    pub(crate) stride: usize,
    /// Outputs.
    pub(crate) outputs: usize,
    /// The phases that kernel positions use, by rising first input.
    pub(crate) phases: Vec<Phase>,
    /// Elements before and behind that of an output itself which it depends on.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// Elements of a phase that outputs depend on, from the first.
    pub(crate) held: usize,
}

/// Every stride-th input of an axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Phase {
    /// The first input.
    pub(crate) first: usize,
    /// What the phase meets: positions in the kernel, each with its distance from the output's own element.
    pub(crate) taps: Vec<(usize, isize)>,
}

impl Axis {
    /// An axis of one input and one output, as of a fully connected layer.
    pub(crate) fn point() -> Self {
        let phase = Phase {
            first: 0,
            taps: vec![(0, 0)],
        };
        Self::of(1, 1, 1, vec![phase])
    }

    /// An axis of a convolution; `None` if its kernel is beyond all reason.
    pub(crate) fn new(spec: &ConvSpec, axis: usize) -> Option<Self> {
        let (size, outputs) = (spec.input_shape()[axis + 1], spec.output_shape()[axis + 1]);
        let (stride, dilation) = (spec.stride()[axis], spec.dilation()[axis]);
        let padding = spec.padding()[axis];
        // Before these positions and behind them there is only padding, for every output.
        let reach = (outputs - 1).checked_mul(stride)?;
        let first = padding.saturating_sub(reach).div_ceil(dilation);
        let last = (padding.checked_add(size - 1)? / dilation).min(spec.kernel()[axis] - 1);
        if last.saturating_sub(first) >= MAX_TAPS {
            return None;
        }
        let mut phases: Vec<Phase> = Vec::new();
        for r in (first..=last).filter(|&r| spec.valid(axis, r).is_some()) {
            let place = (r * dilation).checked_signed_diff(padding)?;
            let stride = isize::try_from(stride).ok()?;
            let (first, tap) = (place.rem_euclid(stride), place.div_euclid(stride));
            let first = usize::try_from(first).ok()?;
            match phases.iter_mut().find(|phase| phase.first == first) {
                Some(phase) => phase.taps.push((r, tap)),
                None => phases.push(Phase {
                    first,
                    taps: vec![(r, tap)],
                }),
            }
        }
        phases.sort_by_key(|phase| phase.first);
        Some(Self::of(size, stride, outputs, phases))
    }

    fn of(size: usize, stride: usize, outputs: usize, phases: Vec<Phase>) -> Self {
        let taps = || phases.iter().flat_map(|phase| &phase.taps);
        let before = taps().map(|&(_, tap)| tap.min(0).unsigned_abs()).max();
        let after = taps().map(|&(_, tap)| tap.max(0).unsigned_abs()).max();
        let elements = phases.iter().map(|p| (size - p.first).div_ceil(stride));
        let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
        Self {
            size,
            stride,
            outputs,
            before,
            after,
            held: elements.max().unwrap_or(0).min(outputs + after),
            phases,
        }
    }

    /// Slots of the whole axis: what is held, and as many zeros as an output reaches to in front of it or behind it. The zeros behind a row are
    /// those in front of the next.
    pub(crate) fn extent(&self) -> usize {
        (self.held + self.before).max(self.outputs + self.after)
    }

    /// Slots of a tile of some outputs, or of the whole axis.
    pub(crate) fn extent_of(&self, outputs: usize) -> usize {
        match outputs >= self.outputs {
            true => self.extent(),
            false => outputs + self.before + self.after,
        }
    }

    /// Whether there is one kernel position at most, so that no two outputs share an input.
    pub(crate) fn is_point(&self) -> bool {
        self.phases
            .iter()
            .map(|phase| phase.taps.len())
            .sum::<usize>()
            <= 1
    }

    /// The tap of an axis that has one at most.
    pub(crate) fn only_tap(&self) -> isize {
        let mut taps = self.phases.iter().flat_map(|phase| &phase.taps);
        taps.next().map_or(0, |&(_, tap)| tap)
    }

    /// The input that is element `place` of a phase, if it is not padding.
    pub(crate) fn input(&self, phase: &Phase, place: isize) -> Option<usize> {
        let place = usize::try_from(place).ok()?;
        let input = place.checked_mul(self.stride)?.checked_add(phase.first)?;
        (input < self.size).then_some(input)
    }
}
