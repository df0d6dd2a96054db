//! The table of what each operation costs, in `docs/prices.md`: made of plans, and held here.

use std::fmt::Write as _;
use std::mem::discriminant;
use std::sync::Arc;

use channel::Cost;
use nets::{Algorithm, GraphBuilder, IntOp, LayerShape, Pieces, Places, Shape, Symmetry, Window};
use secure::{Mode, SecureNetwork};
use sharing::default_extension;

/// Of the input.
const SHAPE: Shape = Shape {
    channels: 16,
    height: 16,
    width: 16,
};
/// Bits of its ring, unless a row says otherwise.
const BITS: u32 = 16;
const SCALE: i32 = 8;

/// Whether an operation is in the table, or says nothing; every one answers. One that is new has a row or is named as free.
fn speaks(op: &IntOp) -> bool {
    match op {
        IntOp::Input { .. }
        | IntOp::Extend { .. }
        | IntOp::Linear { .. }
        | IntOp::TruncReduce { .. }
        | IntOp::Trunc { .. }
        | IntOp::Relu
        | IntOp::SignedRelu
        | IntOp::Clip { .. }
        | IntOp::HardSwish { .. }
        | IntOp::Curve { .. }
        | IntOp::Gate
        | IntOp::MaxPool { .. }
        | IntOp::ArgMax
        | IntOp::Output => true,
        IntOp::Narrow { .. }
        | IntOp::Claim
        | IntOp::Affine { .. }
        | IntOp::MeanPool { .. }
        | IntOp::Add
        | IntOp::Concat
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::SumPool { .. }
        | IntOp::Subsample { .. }
        | IntOp::PadChannels { .. }
        | IntOp::Pick { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten => false,
    }
}

/// Operations behind an input, each with the numbers of those it takes; the input is 0.
type Chain = Vec<(IntOp, Vec<usize>)>;

/// A row: what it says, the bits of the input, the operations, and which of them it counts.
struct Row {
    what: String,
    bits: u32,
    chain: Chain,
    counted: Vec<usize>,
    mode: Mode,
}

impl Row {
    /// Of the last of some operations that follow each other.
    fn of(what: impl Into<String>, bits: u32, ops: impl IntoIterator<Item = IntOp>) -> Self {
        let chain = ops.into_iter().enumerate();
        let chain: Chain = chain.map(|(index, op)| (op, vec![index])).collect();
        Self {
            what: what.into(),
            bits,
            counted: vec![chain.len()],
            chain,
            mode: Mode::Faithful,
        }
    }

    /// Of the last so many together.
    fn last(mut self, count: usize) -> Self {
        let end = self.chain.len() + 1;
        self.counted = (end - count..end).collect();
        self
    }

    fn fast(mut self) -> Self {
        self.mode = Mode::Fast;
        self
    }

    /// How many values come out, and what the counted operations cost together.
    fn planned(&self) -> (usize, Cost) {
        let mut graph = GraphBuilder::new();
        let input = IntOp::Input {
            shape: SHAPE,
            bits: self.bits,
            scale: SCALE,
        };
        graph.push("0", input, &[]);
        for (index, (op, inputs)) in self.chain.iter().enumerate() {
            graph.push((index + 1).to_string(), op.clone(), inputs);
        }
        if self.chain.last().is_none_or(|(op, _)| *op != IntOp::Output) {
            graph.push("output", IntOp::Output, &[self.chain.len()]);
        }
        let graph = Arc::new(graph.finish().expect("it fits"));
        let price = default_extension().price();
        let network = SecureNetwork::new(Arc::clone(&graph), self.mode, price).expect("it plans");
        let mut cost = Cost::default();
        for layer in network.plan() {
            if self.counted.iter().any(|n| layer.name == n.to_string()) {
                cost = cost.then(layer.cost.clone());
            }
        }
        (
            graph.types()[*self.counted.last().expect("one")]
                .shape
                .len(),
            cost,
        )
    }
}

/// Some smooth function's table of so many pieces: the cost is not that of its numbers.
fn curve(pieces: usize, symmetry: Symmetry, ramp: bool) -> IntOp {
    let reach = BITS - 4;
    let width = reach - pieces.ilog2();
    let shift = width + 1;
    IntOp::Curve {
        pieces: Pieces {
            low: match symmetry {
                Symmetry::None => -(1 << (reach - 1)),
                Symmetry::Even | Symmetry::Odd => 0,
            },
            width,
            symmetry,
            values: vec![0; pieces],
            slopes: vec![0; pieces],
            fraction: 1,
            ramp: ramp.then_some(shift),
            shift,
        },
        to: BITS,
        scale: SCALE,
    }
}

fn layer(out_channels: usize, groups: usize, side: usize) -> IntOp {
    IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels,
            groups,
            window: Window::square(side, 1, side / 2),
        },
        weight_bits: 8,
        weight_scale: 7,
        by: Algorithm::DIRECT,
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let cut = |shift| IntOp::TruncReduce {
        shift,
        rounded: true,
    };
    let trunc = |shift| IntOp::Trunc {
        shift,
        rounded: true,
    };
    let pool = |side| IntOp::MaxPool {
        window: Window::square(side, side, 0),
    };
    let extend = IntOp::Extend { to: BITS + 8 };
    let swish = IntOp::HardSwish {
        fraction: 10,
        // At the scale 2·8 + 10, from which 18 bits are cut off.
        to: BITS + 18,
    };
    let whole = IntOp::SumPool {
        window: Window::whole(SHAPE),
    };
    let gate = Row {
        chain: vec![(whole, vec![0]), (IntOp::Gate, vec![0, 1])],
        ..Row::of("gate, 256 values to a factor", BITS, [IntOp::Gate]).only(2)
    };
    vec![
        Row::of("input", BITS, [IntOp::Relu]).of_input(),
        Row::of(
            "linear by `direct`, 1×1 of 16 channels, 8-bit weights, ring of 24",
            24,
            [layer(16, 1, 1)],
        ),
        Row::of(
            "linear by `direct`, depthwise 3×3, 8-bit weights, ring of 24",
            24,
            [layer(16, 16, 3)],
        ),
        Row::of("trunc-reduce by 8, from 24 bits", 24, [cut(8)]),
        Row::of(
            "trunc-reduce by 8, from 24 bits, fast mode",
            24,
            [cut(8), IntOp::Relu],
        )
        .only(1)
        .fast(),
        Row::of(
            "trunc-reduce by 8 from 24 bits, and relu",
            24,
            [cut(8), IntOp::Relu],
        )
        .last(2),
        Row::of("trunc by 8", BITS, [trunc(8)]),
        Row::of(
            "trunc by 8, of values that are not negative",
            BITS,
            [IntOp::Relu, trunc(8)],
        ),
        Row::of("extend to 24", BITS, [extend.clone()]),
        Row::of(
            "extend to 24, of values that are not negative",
            BITS,
            [IntOp::Relu, extend],
        ),
        Row::of("relu", BITS, [IntOp::Relu]),
        Row::of("signed-relu", BITS, [IntOp::SignedRelu]),
        Row::of("clip", BITS, [IntOp::Clip { top: 6 << SCALE }]),
        Row::of("hard-swish", BITS, [swish.clone()]),
        Row::of(
            "hard-swish, and its truncation by 18",
            BITS,
            [swish, cut(18)],
        )
        .last(2),
        Row::of(
            "curve of 16 pieces, odd (tanh, sigmoid)",
            BITS,
            [curve(16, Symmetry::Odd, false)],
        ),
        Row::of(
            "curve of 64 pieces, even with a ramp (silu, gelu, softplus)",
            BITS,
            [curve(64, Symmetry::Even, true)],
        ),
        Row::of(
            "curve of 64 pieces with a ramp (elu, mish)",
            BITS,
            [curve(64, Symmetry::None, true)],
        ),
        gate,
        Row::of("max-pool 2×2, for each result", BITS, [pool(2)]),
        Row::of("max-pool 3×3, for each result", BITS, [pool(3)]),
        Row::of(
            "arg-max of 4,096 values, for all together",
            BITS,
            [IntOp::Flatten, IntOp::ArgMax],
        ),
        Row::of("output", BITS, [IntOp::Output]),
    ]
}

impl Row {
    fn of_input(mut self) -> Self {
        self.counted = vec![0];
        self
    }

    fn only(mut self, operation: usize) -> Self {
        self.counted = vec![operation];
        self
    }
}

/// Operations that say nothing, by name.
fn silent() -> Vec<IntOp> {
    let window = Window::square(2, 2, 0);
    vec![
        IntOp::Narrow { to: 8 },
        IntOp::Claim,
        IntOp::Affine {
            factor: 3,
            add: 1,
            scale: 0,
        },
        IntOp::MeanPool {
            window,
            counts_padding: true,
            divisor: 1,
            fraction: 4,
        },
        IntOp::Add,
        IntOp::Concat,
        IntOp::ChannelShuffle { groups: 2 },
        IntOp::Slice {
            start: 0,
            channels: 2,
        },
        IntOp::SumPool { window },
        IntOp::Subsample { stride: 2 },
        IntOp::PadChannels { front: 1, back: 1 },
        IntOp::Pick {
            channels: Places::All,
            rows: Places::zeros(1, 16, 1),
            columns: Places::All,
        },
        IntOp::Reorder {
            order: [1, 2, 0],
            shape: Shape::new(16, 16, 16),
        },
        IntOp::Flatten,
    ]
}

#[expect(clippy::cast_precision_loss, reason = "bits for a value")]
fn table() -> String {
    use nets::Operator as _;
    let mut table = "| operation | bits to the server | bits to the client | COTs | rounds |\n|---|--:|--:|--:|--:|\n".to_owned();
    for row in rows() {
        let (values, cost) = row.planned();
        let each = |count: u64, unit: f64| format!("{:.1}", count as f64 * unit / values as f64);
        let cots = cost.cots.server_sends + cost.cots.client_sends;
        writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            row.what,
            each(cost.bytes_to_server(), 8.0),
            each(cost.bytes_to_client(), 8.0),
            each(cots, 1.0),
            cost.flights(),
        )
        .expect("a text takes everything");
    }
    let names: Vec<&str> = silent().iter().map(|op| op.name()).collect();
    writeln!(table, "\nEach party does by itself: {}.", names.join(", ")).expect("as above");
    table
}

/// The table is made by `table()`: copy what this prints into the document.
#[test]
fn the_document_has_the_table() {
    let document = include_str!("../../docs/prices.md");
    let table = table();
    assert!(document.contains(&table), "the table is now\n\n{table}");
}

/// Every operation that speaks has a row, and those that do not cost nothing.
#[test]
fn every_operation_is_in_the_table() {
    let rows = rows();
    let in_rows: Vec<&IntOp> = rows
        .iter()
        .flat_map(|row| row.chain.iter().map(|(op, _)| op))
        .collect();
    let silent = silent();
    let mut met = Vec::new();
    for op in in_rows.into_iter().chain(&silent) {
        if !met.contains(&discriminant(op)) {
            met.push(discriminant(op));
        }
    }
    // The input is the first of every row.
    assert_eq!(met.len() + 1, OPERATIONS);
    for op in silent
        .iter()
        .filter(|op| **op != IntOp::Add && **op != IntOp::Concat)
    {
        assert!(!speaks(op), "{op:?}");
        // What is claimed follows from secret weights.
        let before = (*op == IntOp::Claim).then(|| layer(16, 1, 1));
        let ops = before.into_iter().chain([op.clone()]);
        let (_, cost) = Row::of("", BITS, ops).planned();
        assert_eq!((cost.bytes(), cost.flights()), (0, 0), "{op:?}");
    }
}

/// How many operations there are.
const OPERATIONS: usize = 28;
