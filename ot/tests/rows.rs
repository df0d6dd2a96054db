//! COT with vector messages.

mod common;

use channel::Role;
use common::{Pool, bits, run_form, words};
use ot::{ReceiveRows, SUPER_TILE, SendRows, cot_rows_cost};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits, Word};

struct Sender<'a, W> {
    shapes: &'a [(usize, Bits)],
    x: Vec<Vec<W>>,
    r: Vec<Vec<W>>,
}

impl<W: Word> SendRows<W> for Sender<'_, W> {
    fn count(&self) -> usize {
        self.shapes.len()
    }
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.shapes[i]
    }
    fn correlation(&mut self, i: usize) -> &[W] {
        assert_eq!(i, self.r.len(), "rows come in order");
        &self.x[i]
    }
    fn absorb(&mut self, i: usize, r: &[W]) {
        assert_eq!(i, self.r.len(), "rows come in order");
        self.r.push(r.to_vec());
    }
}

struct Receiver<'a, W> {
    shapes: &'a [(usize, Bits)],
    choices: BitVec,
    y: Vec<Vec<W>>,
}

impl<W: Word> ReceiveRows<W> for Receiver<'_, W> {
    fn count(&self) -> usize {
        self.shapes.len()
    }
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.shapes[i]
    }
    fn choice(&self, i: usize) -> bool {
        self.choices.bit(i)
    }
    fn absorb(&mut self, i: usize, y: &[W]) {
        assert_eq!(i, self.y.len(), "rows come in order");
        self.y.push(y.to_vec());
    }
}

impl<'a, W: Word> Sender<'a, W> {
    fn new(shapes: &'a [(usize, Bits)], x: &[Vec<u64>]) -> Self {
        let row = |x: &Vec<u64>| x.iter().map(|&x| W::from_u64(x)).collect();
        Self {
            shapes,
            x: x.iter().map(row).collect(),
            r: Vec::new(),
        }
    }
}

impl<'a, W: Word> Receiver<'a, W> {
    fn new(shapes: &'a [(usize, Bits)], choices: &BitVec, from: usize) -> Self {
        Self {
            shapes,
            choices: BitVec::from_fn(shapes.len(), |i| choices.bit(from + i)),
            y: Vec::new(),
        }
    }
}

fn widen<W: Word>(rows: &[Vec<W>]) -> Vec<Vec<u64>> {
    let widen = |row: &Vec<W>| row.iter().map(|x| x.to_u64()).collect();
    rows.iter().map(widen).collect()
}

fn correlations(shapes: &[(usize, Bits)], seed: u64) -> Vec<Vec<u64>> {
    let lens = shapes.iter().map(|&(len, _)| len);
    lens.zip(0..).map(|(len, i)| words(seed ^ i, len)).collect()
}

fn check<W: Word>(pool: Pool, shapes: &[(usize, Bits)], seed: u64) {
    let x = correlations(shapes, seed);
    let choices = bits(!seed, shapes.len());
    let (r, y, cost) = run_form(
        pool,
        |ot, chan| {
            let mut rows = Sender::<W>::new(shapes, &x);
            ot.cot_rows(chan, &mut rows).expect("the protocol succeeds");
            widen(&rows.r)
        },
        |ot, chan| {
            let mut rows = Receiver::<W>::new(shapes, &choices, 0);
            ot.cot_rows(chan, &mut rows).expect("the protocol succeeds");
            widen(&rows.y)
        },
    );
    check_rows(shapes, &x, &choices, &r, &y);
    assert_eq!(cost, cot_rows_cost(shapes.iter().copied(), Role::Server));
}

/// As [`check`], the rows from `middle` on in wide words.
fn check_mixed(pool: Pool, shapes: &[(usize, Bits)], middle: usize, seed: u64) {
    let x = correlations(shapes, seed);
    let choices = bits(!seed, shapes.len());
    let (narrow, wide) = shapes.split_at(middle);
    let (r, y, cost) = run_form(
        pool,
        |ot, chan| {
            let mut narrow = Sender::new(narrow, &x[..middle]);
            let mut wide = Sender::new(wide, &x[middle..]);
            ot.cot_rows_mixed(chan, &mut narrow, &mut wide)
                .expect("the protocol succeeds");
            [widen(&narrow.r), wide.r].concat()
        },
        |ot, chan| {
            let mut narrow = Receiver::new(narrow, &choices, 0);
            let mut wide = Receiver::new(wide, &choices, middle);
            ot.cot_rows_mixed(chan, &mut narrow, &mut wide)
                .expect("the protocol succeeds");
            [widen(&narrow.y), wide.y].concat()
        },
    );
    check_rows(shapes, &x, &choices, &r, &y);
    assert_eq!(cost, cot_rows_cost(shapes.iter().copied(), Role::Server));
}

fn check_rows(
    shapes: &[(usize, Bits)],
    x: &[Vec<u64>],
    choices: &BitVec,
    r: &[Vec<u64>],
    y: &[Vec<u64>],
) {
    assert_eq!((r.len(), y.len()), (shapes.len(), shapes.len()));
    for (i, &(len, l)) in shapes.iter().enumerate() {
        assert_eq!((r[i].len(), y[i].len()), (len, len));
        for j in 0..len {
            let expected = r[i][j].wrapping_add(x[i][j] * u64::from(choices.bit(i)));
            let expected = l.reduce(expected);
            assert_eq!(y[i][j], expected, "row {i} of {len} × {l}, word {j}");
            assert_eq!(l.reduce(r[i][j]), r[i][j]);
        }
    }
}

fn shapes(most_bits: u32) -> impl Strategy<Value = Vec<(usize, Bits)>> {
    let len = prop_oneof![
        4 => 0..6_usize,
        2 => prop_oneof![Just(127_usize), Just(128), Just(129)],
        1 => 0..3000_usize,
    ];
    let shape = (len, (1..=most_bits).prop_map(Bits::of));
    prop_oneof![Just(0_usize), Just(1), 0..80_usize]
        .prop_flat_map(move |n| proptest::collection::vec(shape.clone(), n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_of_u32(shapes in shapes(32), seed: u64) {
        check::<u32>(Pool::Ideal, &shapes, seed);
    }

    #[test]
    fn rows_of_u64(shapes in shapes(64), seed: u64) {
        check::<u64>(Pool::Ideal, &shapes, seed);
    }

    #[test]
    fn rows_of_both(narrow in shapes(32), wide in shapes(64), seed: u64) {
        let shapes = [narrow.as_slice(), &wide].concat();
        check_mixed(Pool::Ideal, &shapes, narrow.len(), seed);
    }

    #[test]
    fn rows_on_a_real_pool(shapes in shapes(32), k in 1..=8_u32, seed: u64) {
        check::<u32>(Pool::SoftSpoken(k), &shapes, seed);
    }
}

#[test]
fn every_width() {
    for l in 1..=64 {
        let l = Bits::of(l);
        let shapes = [(0, l), (1, l), (2, l), (33, l), (129, l)];
        check::<u64>(Pool::Ideal, &shapes, 5);
        if l.get() <= 32 {
            check::<u32>(Pool::Ideal, &shapes, 6);
        }
    }
}

#[test]
fn many_short_rows_cross_a_super_tile() {
    let mut shapes = vec![(1, Bits::of(5)); SUPER_TILE + 70];
    shapes[0].0 = 5;
    check::<u32>(Pool::Ideal, &shapes, 9);
    // The second super-tile needs a refill, while the end of the first, which fills no chunk, is
    // still to be sent.
    check::<u32>(Pool::SoftSpoken(2), &shapes, 9);
    assert_eq!(cot_rows_cost(shapes, Role::Client).flights(), 4);
}

#[test]
fn both_kinds_of_rows_share_super_tiles() {
    let l = |l| (1, Bits::of(l));
    for narrow in [SUPER_TILE - 9, SUPER_TILE, SUPER_TILE + 9] {
        let shapes = [vec![l(5); narrow], vec![l(40); 70]].concat();
        check_mixed(Pool::SoftSpoken(4), &shapes, narrow, 9);
        assert_eq!(cot_rows_cost(shapes, Role::Client).flights(), 4);
    }
    let shapes = [vec![l(5); 1500], vec![l(40); 1500]].concat();
    check_mixed(Pool::SoftSpoken(4), &shapes, 1500, 9);
    assert_eq!(cot_rows_cost(shapes, Role::Client).flights(), 2);
}

#[test]
fn long_rows_cross_chunks() {
    check::<u32>(Pool::SoftSpoken(8), &[(100_000, Bits::of(31)); 5], 9);
}
