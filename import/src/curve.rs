//! Tables of smooth functions.
//!
//! A function is a ramp, max(x, 0) or nothing, and a rest that is constant far from 0. The rest becomes [`Pieces`]: the line of a piece
//! has the slope of the chord, and lies in the middle between the largest and the least that it would have to be. Where a function, or its
//! rest, is even or odd, there are pieces for positive numbers only.
//!
//! All of it is arithmetic that is the same on every machine, and so are the tables.

use std::cell::RefCell;
use std::rc::Rc;

use nets::{Curve, FloatModel, Op, Operator as _, Pieces, Symmetry};
use ring_arith::Bits;

use crate::options::{ImportOptions, Preset};
use crate::scales::Scales;

/// How far a value may be from the function, in units of the result: as far as that of a hard-swish.
const UNITS: f64 = 2.0;

/// How far a value may be from the function at most, if more units than these are to be less.
pub(crate) const ERROR: f64 = 0.002;

/// How far the constant may be from the function outside of the pieces.
const TAIL: f64 = 1.4;

/// The largest logarithm of the number of pieces.
const MAX_PLACES: u32 = 7;

/// Bits of a value behind the point of the result.
const FRACTION: u32 = 1;

/// Places in a piece, less one, at which the function is looked at.
const SAMPLES: i64 = 16;

/// A function of integers to be made: of which function, on numbers of which ring and scale, at which scale of the result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Wanted {
    pub(crate) curve: Curve,
    pub(crate) bits: u32,
    pub(crate) input: i32,
    pub(crate) output: i32,
}

/// A table, and how far it is from the function, in units of the result.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) pieces: Pieces,
    pub(crate) error: f64,
}

impl Table {
    /// The widest ring of a result.
    pub(crate) const fn widest(&self) -> u32 {
        64 - self.pieces.shift
    }
}

/// The tables that were made: many nodes need the same, and so do many trials of widths.
#[derive(Default)]
pub(crate) struct Tables(RefCell<Vec<(Wanted, Made)>>);

/// A table, or why there is none.
type Made = Rc<Result<Table, String>>;

impl Tables {
    /// As [`Wanted::table`].
    pub(crate) fn table(&self, wanted: Wanted) -> Made {
        let known = |all: &[(Wanted, Made)]| {
            let found = all.iter().find(|(known, _)| *known == wanted);
            found.map(|(_, made)| Rc::clone(made))
        };
        if let Some(made) = known(&self.0.borrow()) {
            return made;
        }
        let made = Rc::new(wanted.table());
        self.0.borrow_mut().push((wanted, Rc::clone(&made)));
        made
    }
}

/// The table that a node of a float network needs, if it is a smooth function. That of a SELU is the one of its ELU.
pub(crate) fn wanted(model: &FloatModel, scales: &Scales, node: usize) -> Option<Wanted> {
    let source = &model.graph.nodes()[node];
    let Op::Curve { curve } = source.op else {
        return None;
    };
    let curve = match curve {
        Curve::Selu => Curve::Elu {
            alpha: Curve::SELU_ALPHA,
        },
        other => other,
    };
    let input = source.inputs[0];
    Some(Wanted {
        curve,
        bits: scales.bits[input],
        input: scales.tensor[input],
        output: scales.tensor[node],
    })
}

/// Why a smooth function has no table, if it has none; `None` for other operations.
pub(crate) fn problem(
    model: &FloatModel,
    scales: &Scales,
    options: &ImportOptions,
    tables: &Tables,
    node: usize,
) -> Option<String> {
    let wanted = wanted(model, scales, node)?;
    let name = model.graph.nodes()[node].op.name();
    if let Curve::Elu { alpha } | Curve::Celu { alpha } = wanted.curve
        && alpha.abs() > 64.0
    {
        return Some(format!("{name} with an alpha of {alpha}"));
    }
    // A uniform ring is wider than its values, which are extended to it.
    let room = match options.preset {
        Preset::Mixed => scales.bits[node] + scales.shift(node).unwrap_or(0),
        Preset::Uniform { .. } => options.activation_bits,
    };
    match &*tables.table(wanted) {
        Err(problem) => Some(format!("{name}: {problem}")),
        Ok(table) if table.widest() < room => Some(format!("{name} in {room} bits")),
        Ok(_) => None,
    }
}

/// What a function is made of.
struct Shape {
    symmetry: Symmetry,
    ramp: bool,
    /// What is added to the table's values.
    offset: f64,
}

impl Wanted {
    /// The table with the fewest pieces that is near enough, or else the nearest.
    pub(crate) fn table(self) -> Result<Table, String> {
        let mut best: Option<Table> = None;
        for places in 1..=MAX_PLACES {
            let Some(table) = self.with_pieces(places) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| table.error < best.error) {
                best = Some(table);
            }
            if best.as_ref().is_some_and(|best| best.error <= UNITS) {
                break;
            }
        }
        let none = || {
            let Self {
                bits,
                input,
                output,
                ..
            } = self;
            format!("{bits} bits at scale {input} leave no table at scale {output}")
        };
        best.ok_or_else(none)
    }

    /// What is added to the values of the table, as an integer.
    pub(crate) fn offset(self) -> i64 {
        round(self.shape().offset * exp2(self.output))
    }

    fn shape(self) -> Shape {
        let (symmetry, ramp, offset) = match self.curve {
            Curve::Sigmoid => (Symmetry::Odd, false, 0.5),
            Curve::Tanh => (Symmetry::Odd, false, 0.0),
            Curve::Silu | Curve::Gelu | Curve::GeluTanh | Curve::Softplus => {
                (Symmetry::Even, true, 0.0)
            }
            Curve::Elu { .. } | Curve::Celu { .. } | Curve::Selu | Curve::Mish => {
                (Symmetry::None, true, 0.0)
            }
        };
        Shape {
            symmetry,
            ramp,
            offset,
        }
    }

    /// The rest of the function at an integer, in units of the result.
    fn rest(self, x: i64) -> f64 {
        let shape = self.shape();
        let x = float(x) * exp2(-self.input);
        let ramp = if shape.ramp { x.max(0.0) } else { 0.0 };
        (self.curve.value(x) - ramp - shape.offset) * exp2(self.output)
    }

    /// Half of the distance between the least and the largest rest from x to the end of the ring on its side.
    fn tail(self, x: i64) -> f64 {
        let (low, high) = extremes(self.steps(x).map(|x| self.rest(x)));
        (high - low) / 2.0
    }

    /// The last number on the side of x.
    fn far(self, x: i64) -> i64 {
        let ring = Bits::of(self.bits);
        if x < 0 {
            ring.min_signed()
        } else {
            ring.max_signed()
        }
    }

    /// The nearer of the tables of 2^places pieces that reach to where the function is nearly constant, and half as far.
    fn with_pieces(self, places: u32) -> Option<Table> {
        let is_symmetric = self.shape().symmetry != Symmetry::None;
        let most = if is_symmetric {
            self.bits - 1
        } else {
            self.bits
        };
        let far = (places + 1..=most).find(|&reach| {
            let (low, end) = self.ends(reach, places);
            let outside = [low - 1, end].into_iter();
            let mut outside =
                outside.filter(|&x| i128::from(self.far(x)).abs() > i128::from(x).abs());
            reach == most || outside.all(|x| self.tail(x) <= TAIL)
        })?;
        let reaches = far.saturating_sub(1).max(places + 1)..=far;
        let tables = reaches.filter_map(|reach| self.reaching(reach, places));
        tables.reduce(|a, b| if a.error < b.error { a } else { b })
    }

    /// The table of 2^places pieces that are 2^reach numbers together.
    fn reaching(self, reach: u32, places: u32) -> Option<Table> {
        let symmetry = self.shape().symmetry;
        let is_symmetric = symmetry != Symmetry::None;
        let (low, width) = (self.ends(reach, places).0, reach - places);
        // Steps of half a unit at the ends of a piece, and none of the ramp below the point.
        let ramp = self.shape().ramp;
        let behind = if ramp { self.input - self.output } else { 0 };
        let shift = (width + 1).max(u32::try_from(behind).unwrap_or(0));
        let ramp = match ramp {
            true => Some(u32::try_from(shift.cast_signed() - behind).ok()?),
            false => None,
        };
        let mut pieces = Pieces {
            low: if is_symmetric { 0 } else { low },
            width,
            symmetry,
            values: Vec::new(),
            slopes: Vec::new(),
            fraction: FRACTION,
            ramp,
            shift,
        };
        let mut error = 0.0_f64;
        for piece in 0..1_i64 << places {
            let from = pieces.low + (piece << width);
            let is_last = piece + 1 == 1 << places;
            let end = from + (1 << width);
            let outside = match (is_last, piece == 0 && !is_symmetric) {
                (true, _) if end <= self.far(1) => Some(end),
                (_, true) if from > self.far(-1) => Some(from),
                _ => None,
            };
            let line = self.line(from, width, shift, outside);
            pieces.values.push(line.value);
            pieces.slopes.push(line.slope);
            error = line.error.max(error);
        }
        let to = Bits::new(64_u32.checked_sub(shift)?)?;
        pieces.check(Bits::of(self.bits), to).ok()?;
        Some(Table { pieces, error })
    }

    /// Where pieces of 2^reach numbers in all begin and end.
    fn ends(self, reach: u32, places: u32) -> (i64, i64) {
        let all = 1_i64
            .checked_shl(reach)
            .filter(|&all| all > 0)
            .unwrap_or(i64::MAX);
        match self.curve {
            // To the right of 0 there is nothing but the ramp, which takes one piece.
            Curve::Elu { .. } | Curve::Celu { .. } | Curve::Selu => {
                let low = ((all >> places) - all).max(self.far(-1));
                (low, low.saturating_add(all))
            }
            Curve::Mish => (-all / 2, all / 2),
            Curve::Sigmoid
            | Curve::Tanh
            | Curve::Silu
            | Curve::Gelu
            | Curve::GeluTanh
            | Curve::Softplus => (-all, all),
        }
    }

    /// The line of the piece that begins at `from`; if it stands for all up to the end of the ring on this side of 0, a level one.
    fn line(self, from: i64, width: u32, shift: u32, outside: Option<i64>) -> Line {
        let half = exp2(width.cast_signed() - 1);
        let samples = places(from, width).map(|x| (float(x - from) - half, self.rest(x)));
        let samples: Vec<(f64, f64)> = samples.collect();
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let unit = exp2(-shift.cast_signed());
        let slope = match outside {
            Some(_) => 0,
            None => {
                let slope = (last.1 - first.1) / (last.0 - first.0);
                round((slope / unit - 1.0) / 2.0)
            }
        };
        // Outside c can be anything.
        let (steep, any) = match outside {
            Some(_) => (0.0, half * unit),
            None => (float(2 * slope + 1) * unit, 0.0),
        };
        let levels = samples.iter().map(|(c, y)| y - steep * c);
        let outside = outside.into_iter().flat_map(|x| self.steps(x));
        let (low, high) = extremes(levels.chain(outside.map(|x| self.rest(x))));
        let parts = exp2(FRACTION.cast_signed() + 1);
        let value = round((f64::midpoint(low, high) * parts - 1.0) / 2.0);
        let level = float(2 * value + 1) / parts;
        Line {
            value,
            slope,
            error: (high - level).max(level - low) + any + 0.5,
        }
    }

    /// From a number on, ever further, to the end of the ring on its side.
    fn steps(self, x: i64) -> impl Iterator<Item = i64> {
        let far = self.far(x);
        let ahead = move |x: i64| {
            let is_near = x.unsigned_abs() < far.unsigned_abs() / 2;
            if is_near { 2 * x } else { far }
        };
        std::iter::successors(Some(x), move |&x| (x != far).then(|| ahead(x)))
    }
}

/// A piece of a table.
struct Line {
    value: i64,
    slope: i64,
    /// How far it is from the function, with the rounding of the result.
    error: f64,
}

/// Some places of a piece, from its first to the one after its last.
fn places(from: i64, width: u32) -> impl Iterator<Item = i64> {
    let all = 1_i64 << width;
    let steps = all.min(SAMPLES);
    (0..=steps).map(move |i| from + all / steps * i)
}

/// The least and the largest.
fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    values.fold(none, |(low, high), y| (low.min(y), high.max(y)))
}

/// A power of two.
fn exp2(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(1023 + exponent).unwrap_or(0).min(2046) << 52)
}

/// The nearest integer.
#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn round(x: f64) -> i64 {
    x.round() as i64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an operand of a smooth function"
)]
const fn float(x: i64) -> f64 {
    x as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [Curve; 10] = [
        Curve::Sigmoid,
        Curve::Tanh,
        Curve::Silu,
        Curve::Elu { alpha: 1.0 },
        Curve::Celu { alpha: 0.5 },
        Curve::Elu {
            alpha: Curve::SELU_ALPHA,
        },
        Curve::Gelu,
        Curve::GeluTanh,
        Curve::Softplus,
        Curve::Mish,
    ];

    /// Every number of rings of 16 bits and less, with as many fractional bits as import takes by default, and fewer.
    #[test]
    fn tables_are_as_near_as_a_hard_swish() {
        let scales = [
            (16, 10, 10),
            (16, 8, 8),
            (14, 8, 10),
            (16, 11, 8),
            (12, 6, 6),
            (12, 10, 10),
            (10, 3, 3),
            (8, 0, 2),
            (6, -1, 1),
        ];
        for curve in CURVES {
            for (bits, input, output) in scales {
                let wanted = Wanted {
                    curve,
                    bits,
                    input,
                    output,
                };
                let table = wanted.table().expect("it fits");
                let ring = Bits::of(bits);
                let (mut largest, mut at) = (0.0_f64, 0);
                for x in ring.min_signed()..=ring.max_signed() {
                    let found = table.pieces.value(x) + i128::from(wanted.offset());
                    let exact = curve.value(float(x) * exp2(-input)) * exp2(output);
                    let error = (found as f64 - exact).abs();
                    if error > largest {
                        (largest, at) = (error, x);
                    }
                }
                assert!(
                    largest <= UNITS,
                    "{wanted:?} at {at}: {largest}, {} pieces",
                    table.pieces.values.len()
                );
                assert!(
                    largest <= table.error + 0.05,
                    "{wanted:?}: {largest}, not {}",
                    table.error
                );
            }
        }
    }

    /// With more fractional bits the number of pieces is the limit.
    #[test]
    fn the_largest_tables_are_near() {
        for curve in CURVES {
            for (bits, scale) in [(17, 11), (18, 12), (20, 14), (24, 18)] {
                let wanted = Wanted {
                    curve,
                    bits,
                    input: scale,
                    output: scale,
                };
                let table = wanted.table().expect("it fits");
                let error = table.error * exp2(-scale);
                assert!(error < ERROR, "{wanted:?}: {error}");
            }
        }
    }

    #[test]
    fn what_leaves_no_table_is_refused() {
        let wanted = Wanted {
            curve: Curve::Silu,
            bits: 16,
            input: 60,
            output: -20,
        };
        let problem = wanted.table().expect_err("it is refused");
        assert!(problem.contains("leave no table"), "{problem}");
    }
}
