//! Networks that come with scales of their own: what is behind an [`Op::Quantise`] is integers times its scale.
//!
//! The rewriting changes units, so that these integers are the values of the network. Then a layer with integer
//! weights computes what an integer runtime computes: the exact sum, times a factor for each output channel, rounded
//! and clipped. The factors become a depthwise layer behind the sum, and have so many bits that for no input they
//! move a value that is not clipped by more than [`SHARE`]; the ring has room for every input. So of all inputs the
//! result is the integer that a runtime computes with exact arithmetic, except where the exact value is within
//! [`SHARE`] of the middle between two integers. Halves are rounded up, and not to the even integer.
//!
//! The scale of an activation is public, and so is a factor between two of them. Factors of layers depend on the
//! scales of weights, and are secrets as the weights are. What is not on a grid goes the ordinary way.

mod layer;
mod levels;
mod scales;

use std::collections::HashMap;

use nets::{FloatModel, InputGrid, Kind, Op, Rewriter, Tensors};

use crate::Error;

pub(crate) use scales::FixedGroups;

/// By how much of a step the rounding of factors may move a value.
pub(crate) const SHARE: f64 = 1.0 / 1024.0;
/// The most bits of a factor's fraction.
const MAX_FRACTION: u32 = 40;
/// Fractional bits of a mean whose divisor differs from place to place.
const MEAN_BITS: u32 = 14;
/// Bits of the factor that makes numbers of integers.
const REAL_BITS: i32 = 18;

/// What is fixed of a node's integers, before any range is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fixed {
    /// The integers of a grid.
    Levels {
        /// Bits of their ring.
        bits: u32,
    },
    /// A layer whose weights are integers times 2^−scale, and so are its sums.
    Sums {
        /// The scale.
        scale: u32,
        /// Bits of a weight.
        weight_bits: u32,
        /// Bits of the ring of the sums.
        bits: u32,
    },
    /// A value that the next [`Op::Quantise`] rounds. Of an [`Op::Scale`] the factor has at least so many fractional
    /// bits; `most` is the largest magnitude, where it is known of every input.
    Aligned {
        /// Fractional bits.
        fraction: u32,
        /// The largest magnitude.
        most: Option<f64>,
        /// How much larger it is in what follows, if it is not known.
        more: f64,
    },
}

/// A network in units of its own grids.
pub(crate) struct Gridded {
    pub(crate) model: FloatModel,
    /// For each node.
    pub(crate) fixed: Vec<Option<Fixed>>,
    /// The integers that its input is, where it begins with a grid.
    pub(crate) input: Option<InputGrid>,
    /// The most that the rounding of factors moves a value that is not clipped, in steps of its grid.
    pub(crate) moved: f64,
}

impl Gridded {
    /// Whether all that is computed is on grids, or on its way to one, so that nothing depends on widths that are chosen.
    pub(crate) fn is_whole(&self) -> bool {
        let mut nodes = self.model.graph.nodes().iter().zip(&self.fixed);
        let is_own = |kind, fixed: &Option<Fixed>| match kind {
            Kind::Input | Kind::Constant | Kind::Linear | Kind::Norm | Kind::Rescales(_) => {
                fixed.is_some()
            }
            // These take numbers that are not of a grid from one of those.
            Kind::Moves | Kind::Joins | Kind::Averages | Kind::Acts => true,
        };
        self.has_grids() && nodes.all(|(node, fixed)| is_own(node.op.kind(), fixed))
    }

    /// The largest magnitude of an input value, which is `bound` in the network's own unit.
    pub(crate) fn bound(&self, bound: f64) -> f64 {
        let level = |grid: InputGrid| f64::from(grid.high.max(-grid.low));
        self.input.map_or(bound, level)
    }

    /// Whether there is a grid at all.
    pub(crate) fn has_grids(&self) -> bool {
        self.fixed.iter().any(Option::is_some)
    }
}

/// What a new node's values are.
#[derive(Clone, Copy)]
struct State {
    /// What one stands for.
    unit: f64,
    /// Whether they are integers of a grid.
    levels: bool,
    /// Between which they lie for every input, where this is known.
    values: Option<(f64, f64)>,
    /// How many times larger the sums may be that stand for them.
    area: f64,
    /// Whether the [`Op::Quantise`] whose unit they have can round them.
    aligned: bool,
    /// By how much factors moved them at most, in their unit.
    moved: f64,
}

const REAL: State = State {
    unit: 1.0,
    levels: false,
    values: None,
    area: 1.0,
    aligned: false,
    moved: 0.0,
};

impl State {
    fn is_real(self) -> bool {
        self.unit == 1.0 && !self.levels
    }

    fn is_within(self, grid: &Grid) -> bool {
        let inside = |(low, high): (f64, f64)| low >= grid.low() && high <= grid.high();
        self.levels && self.unit == grid.scale && self.values.is_some_and(inside)
    }

    /// The largest magnitude of the integers, as sums.
    fn most(self) -> Option<f64> {
        self.values
            .map(|(low, high)| low.abs().max(high.abs()) * self.area)
    }
}

/// The grid of an [`Op::Quantise`], with the clips before it.
#[derive(Clone, Copy)]
struct Grid {
    scale: f64,
    low: i64,
    high: i64,
}

#[expect(clippy::cast_precision_loss, reason = "levels are small")]
impl Grid {
    const fn low(&self) -> f64 {
        self.low as f64
    }

    const fn high(&self) -> f64 {
        self.high as f64
    }

    /// The largest magnitude that is not clipped.
    fn reach(&self) -> f64 {
        self.high().max(-self.low()) + 1.0
    }

    /// The largest magnitude that its lowering meets, of values in this interval.
    fn room(&self, (low, high): (f64, f64)) -> f64 {
        let low = low.min(self.low());
        let high = high.max(self.high());
        (high - self.low())
            .max(self.low() - low)
            .max(high)
            .max(-low)
            + 1.0
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "levels are small, scales were f32"
    )]
    const fn input(&self) -> InputGrid {
        InputGrid {
            scale: self.scale as f32,
            low: self.low as i32,
            high: self.high as i32,
        }
    }

    const fn op(&self) -> Op {
        Op::Quantise {
            scale: 1.0,
            low: self.low,
            high: self.high,
        }
    }

    /// Bits of a ring in which the integers are extended without a comparison.
    const fn bits(&self) -> u32 {
        let span = (self.high - self.low).cast_unsigned();
        u64::BITS - span.leading_zeros() + 1
    }

    const fn state(&self) -> State {
        State {
            unit: self.scale,
            levels: true,
            values: Some((self.low(), self.high())),
            ..REAL
        }
    }
}

/// The same network in units of its grids.
pub(crate) fn gridded(model: FloatModel) -> Result<Gridded, Error> {
    let grids = |op: &Op| matches!(op, Op::Quantise { .. });
    if !model.graph.nodes().iter().any(|node| grids(&node.op)) {
        return Ok(Gridded {
            fixed: vec![None; model.graph.len()],
            model,
            input: None,
            moved: 0.0,
        });
    }
    let mut rewrite = Rewrite {
        model: &model,
        goal: vec![None; model.graph.len()],
        merged: vec![false; model.graph.len()],
        grids: HashMap::new(),
        new: Rewriter::new(&model.graph),
        tensors: model.tensors.clone(),
        states: Vec::new(),
        fixed: Vec::new(),
        reals: HashMap::new(),
        input: None,
        moved: 0.0,
    };
    rewrite.aim();
    for node in 0..model.graph.len() {
        let new = rewrite.node(node)?;
        rewrite.new.stand_in(node, new);
    }
    rewrite.opened(rewrite.new.place(model.graph.len() - 1));
    let model = FloatModel {
        graph: rewrite.new.finish()?.0,
        tensors: rewrite.tensors,
    };
    model.check()?;
    Ok(Gridded {
        model,
        fixed: rewrite.fixed,
        input: rewrite.input,
        moved: rewrite.moved,
    })
}

struct Rewrite<'a> {
    model: &'a FloatModel,
    /// The [`Op::Quantise`] that alone takes an old node's value, through nothing but clips.
    goal: Vec<Option<usize>>,
    /// Whether an old node is a clip that the grid behind it contains.
    merged: Vec<bool>,
    /// What each [`Op::Quantise`] rounds to.
    grids: HashMap<usize, Grid>,
    new: Rewriter<'a, Op>,
    tensors: Tensors,
    /// Of each new node.
    states: Vec<State>,
    fixed: Vec<Option<Fixed>>,
    /// The numbers that a new node's integers stand for.
    reals: HashMap<usize, usize>,
    input: Option<InputGrid>,
    moved: f64,
}

impl Rewrite<'_> {
    fn push(
        &mut self,
        name: String,
        op: Op,
        inputs: &[usize],
        state: State,
        fixed: Option<Fixed>,
    ) -> usize {
        self.states.push(state);
        self.fixed.push(fixed);
        self.new.push(name, op, inputs)
    }

    /// Finds goals, and puts the clips before an [`Op::Quantise`] into its grid: rounding is monotone.
    #[expect(clippy::cast_possible_truncation, reason = "the grid is narrower")]
    fn aim(&mut self) {
        let graph = &self.model.graph;
        for (index, node) in graph.nodes().iter().enumerate() {
            let Op::Quantise { scale, low, high } = node.op else {
                continue;
            };
            let mut grid = Grid { scale, low, high };
            let (mut at, mut taker) = (node.inputs[0], index);
            while graph.sole_consumer(at) == Some(taker) {
                let top = match graph.nodes()[at].op {
                    Op::Relu => grid.high,
                    Op::Clip { top } => (top / scale).round_ties_even() as i64,
                    _ => 0,
                };
                self.goal[at] = Some(index);
                // A clip that leaves nothing but zero is none that a grid could have.
                if top <= 0 || grid.high == 0 {
                    break;
                }
                self.merged[at] = true;
                grid.low = 0;
                grid.high = grid.high.min(top);
                (taker, at) = (at, graph.nodes()[at].inputs[0]);
            }
            self.grids.insert(index, grid);
        }
    }

    /// The new node for an old one.
    fn node(&mut self, old: usize) -> Result<usize, Error> {
        let node = &self.model.graph.nodes()[old];
        let (name, inputs) = (node.name.clone(), self.new.inputs(old));
        let goal = self.goal[old].map(|goal| self.grids[&goal]);
        let first = inputs.first().map_or(REAL, |&x| self.states[x]);
        let alike = inputs.iter().all(|&x| self.is_like(x, first));
        match (node.op.kind(), &node.op, goal) {
            (_, Op::Quantise { .. }, _) => {
                let grid = self.grids[&old];
                Ok(self.rounded(name, inputs[0], &grid))
            }
            (_, Op::Relu | Op::Clip { .. }, _) if self.merged[old] => Ok(inputs[0]),
            (Kind::Linear, op, _) => self.linear(old, op.clone(), inputs[0], goal),
            (_, Op::Add, Some(grid)) if !inputs.iter().all(|&x| self.states[x].is_real()) => {
                Ok(self.sum(name, &inputs, &grid))
            }
            (Kind::Joins, op, Some(grid)) if !inputs.iter().all(|&x| self.states[x].is_real()) => {
                let parts = inputs.iter().enumerate();
                let parts: Vec<usize> = parts
                    .map(|(k, &x)| self.rounded(format!("{name}.part{k}"), x, &grid))
                    .collect();
                let fixed = Some(Fixed::Levels { bits: grid.bits() });
                Ok(self.push(name, op.clone(), &parts, grid.state(), fixed))
            }
            (Kind::Joins | Kind::Moves, op, _) if alike => {
                let fixed = self.fixed[inputs[0]].filter(|_| first.levels);
                let values = inputs.iter().map(|&x| self.states[x].values);
                let values = values.fold(Some((0.0, 0.0)), hull);
                let moved = inputs.iter().map(|&x| self.states[x].moved);
                let moved = moved.fold(0.0, f64::max);
                let state = State {
                    values,
                    moved,
                    ..first
                };
                Ok(self.push(name, op.clone(), &inputs, state, fixed))
            }
            (_, op @ (Op::Relu | Op::MaxPool { .. }), _) if first.area == 1.0 => {
                let positive = |(low, high): (f64, f64)| match op {
                    Op::Relu => (low.max(0.0), high.max(0.0)),
                    _ => (low, high),
                };
                let state = State {
                    values: first.values.map(positive),
                    ..first
                };
                let fixed = self.fixed[inputs[0]].filter(|_| first.levels);
                Ok(self.push(name, op.clone(), &inputs, state, fixed))
            }
            (Kind::Averages, op, _) => Ok(self.mean(name, op.clone(), old, inputs[0])),
            (Kind::Input, op, goal) => {
                let op = op.clone();
                let Some(grid) = goal else {
                    return Ok(self.push(name, op, &[], REAL, None));
                };
                // The client rounds it.
                self.input = Some(grid.input());
                let fixed = Some(Fixed::Levels { bits: grid.bits() });
                Ok(self.push(name, op, &[], grid.state(), fixed))
            }
            (_, op, _) => {
                let inputs: Vec<usize> = inputs.iter().map(|&x| self.real(x)).collect();
                Ok(self.push(name, op.clone(), &inputs, REAL, None))
            }
        }
    }

    /// Whether a new node's values are of the same kind as others.
    fn is_like(&self, x: usize, other: State) -> bool {
        let x = self.states[x];
        x.unit == other.unit && x.levels == other.levels && x.area == other.area
    }

    /// The values of a new node on a grid.
    fn rounded(&mut self, name: String, x: usize, grid: &Grid) -> usize {
        let state = self.states[x];
        if state.is_within(grid) {
            return x;
        }
        let x = match state.aligned && state.unit == grid.scale {
            true => x,
            false => self.aligned(format!("{name}.unit"), x, grid, SHARE),
        };
        self.moved = self.moved.max(self.states[x].moved);
        let fixed = Some(Fixed::Levels { bits: grid.bits() });
        self.push(name, grid.op(), &[x], grid.state(), fixed)
    }

    /// The values of a new node in units of a grid, with an error of at most `share`.
    fn aligned(&mut self, name: String, x: usize, grid: &Grid, share: f64) -> usize {
        let state = self.states[x];
        let factor = state.unit / grid.scale;
        let by = factor / state.area;
        let reach = state.most().unwrap_or(f64::INFINITY).min(grid.reach() / by);
        let before = state.moved * factor;
        let (fraction, error) = fraction(&[(by, reach)], share - before);
        let values = state
            .values
            .map(|(low, high)| (low * factor, high * factor));
        let fixed = Fixed::Aligned {
            fraction,
            most: values.map(|values| grid.room(values)),
            more: grid.room((0.0, 0.0)),
        };
        let state = State {
            unit: grid.scale,
            values,
            aligned: true,
            moved: before + error,
            ..REAL
        };
        self.push(name, Op::Scale { factor }, &[x], state, Some(fixed))
    }

    /// A sum in units of the grid behind it.
    fn sum(&mut self, name: String, inputs: &[usize], grid: &Grid) -> usize {
        let parts = inputs.iter().enumerate();
        let parts: Vec<usize> = parts
            .map(|(k, &x)| self.aligned(format!("{name}.part{k}"), x, grid, SHARE / 2.0))
            .collect();
        let values = parts.iter().map(|&x| self.states[x].values);
        let both = |a: Option<(f64, f64)>, b: Option<(f64, f64)>| Some((a?.0 + b?.0, a?.1 + b?.1));
        let values = values.fold(Some((0.0, 0.0)), both);
        let state = State {
            values,
            moved: parts.iter().map(|&x| self.states[x].moved).sum(),
            ..self.states[parts[0]]
        };
        let fixed = Fixed::Aligned {
            fraction: 0,
            most: values.map(|values| grid.room(values)),
            more: grid.room((0.0, 0.0)),
        };
        self.push(name, Op::Add, &parts, state, Some(fixed))
    }

    /// A mean keeps the unit of its input. It may become a sum, on a grid or not.
    #[expect(clippy::cast_precision_loss, reason = "windows are small")]
    fn mean(&mut self, name: String, op: Op, old: usize, x: usize) -> usize {
        let shape = *self.model.graph.input_type(old, 0);
        let (window, is_uniform) = op.mean_window(shape).expect("it is a mean");
        let state = State {
            levels: false,
            values: hull(Some((0.0, 0.0)), self.states[x].values),
            ..self.states[x]
        };
        if is_uniform {
            let area = state.area * window.area() as f64;
            return self.push(name, op, &[x], State { area, ..state }, None);
        }
        if state.is_real() {
            return self.push(name, op, &[x], State { area: 1.0, ..state }, None);
        }
        let fixed = Fixed::Aligned {
            fraction: MEAN_BITS,
            most: state.values.map(|(low, high)| high.max(-low)),
            more: 0.0,
        };
        let state = State {
            area: 1.0,
            // Half a unit of its reciprocal, and half of its rounding.
            moved: state.moved + 2f64.powi(-MEAN_BITS.cast_signed()),
            ..state
        };
        self.push(name, op, &[x], state, Some(fixed))
    }

    /// The numbers that a new node's values stand for.
    fn real(&mut self, x: usize) -> usize {
        let factor = self.states[x].unit;
        if self.states[x].is_real() {
            return x;
        }
        if let Some(&real) = self.reals.get(&x) {
            return real;
        }
        let name = format!("{}.real", self.new.new_graph().nodes()[x].name);
        let real = self.push(name, Op::Scale { factor }, &[x], REAL, None);
        self.reals.insert(x, real);
        real
    }

    /// The numbers that the output stands for, which are not rounded again.
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm")]
    fn opened(&mut self, x: usize) {
        let (state, factor) = (self.states[x], self.states[x].unit);
        if state.is_real() {
            return;
        }
        let name = format!("{}.opened", self.new.new_graph().nodes()[x].name);
        let fraction = REAL_BITS - (factor / state.area).log2().floor() as i32;
        let fixed = Fixed::Aligned {
            fraction: fraction
                .clamp(0, MAX_FRACTION.cast_signed())
                .cast_unsigned(),
            most: state.most().map(|most| most * factor / state.area),
            more: 0.0,
        };
        self.push(name, Op::Scale { factor }, &[x], REAL, Some(fixed));
    }
}

/// The interval that contains two others, where they are known.
fn hull(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let ((a, b), (c, d)) = (a?, b?);
    Some((a.min(c), b.max(d)))
}

/// The fewest fractional bits with which rounding moves no product of a factor and a number up to its reach by more
/// than `share`, if there are any; and by how much it does.
fn fraction(factors: &[(f64, f64)], share: f64) -> (u32, f64) {
    let error = |fraction: u32| {
        let one = 2f64.powi(fraction.cast_signed());
        let of = |&(by, reach): &(f64, f64)| ((by * one).round() / one - by).abs() * reach;
        factors.iter().map(of).fold(0.0, f64::max)
    };
    let enough = (0..MAX_FRACTION).find(|&fraction| error(fraction) <= share);
    let fraction = enough.unwrap_or(MAX_FRACTION);
    (fraction, error(fraction))
}
