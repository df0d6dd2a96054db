//! Max-pool, average pool and arg-max.

mod common;

use common::{Shares, edge_shares, random_shares, run, run_signed, signed, values};
use nonlinear::{ArgMax, MaxPool, Pool2d, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::CotPrice;
use testkit::{rng, share};

/// Values that are less than half of the ring apart, in random shares.
fn modest(bits: Bits, n: usize, seed: u64) -> (Shares, Vec<i64>) {
    let (full, client) = random_shares(bits, n, seed);
    let x: Vec<i64> = full.iter().map(|&x| bits.to_signed(x) / 2).collect();
    let encoded: Vec<u64> = x.iter().map(|&x| bits.from_signed(x)).collect();
    let server = ring_arith::slices::sub(bits, &encoded, &client);
    ((server, client), x)
}

/// The largest value of every window, as one would write it down.
fn plain_max_pool(window: &Geometry, x: &[i64]) -> Vec<i64> {
    window.map(x, |values, _| {
        values.iter().copied().max().expect("no window is empty")
    })
}

/// Windows enumerated position by position.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
}

impl Geometry {
    fn pool(&self) -> Option<Pool2d> {
        let [height, width] = self.input;
        Pool2d::new(height, width, self.kernel, self.stride, self.padding).ok()
    }

    /// `f` of the values in every window and of its number of positions.
    fn map(&self, x: &[i64], f: impl Fn(&[i64], usize) -> i64) -> Vec<i64> {
        let [height, width] = self.input;
        let [top, left, bottom, right] = self.padding;
        let mut results = Vec::new();
        for plane in x.chunks(height * width) {
            for y in (0..=height + top + bottom - self.kernel[0]).step_by(self.stride[0]) {
                for x in (0..=width + left + right - self.kernel[1]).step_by(self.stride[1]) {
                    let mut values = Vec::new();
                    for row in y..y + self.kernel[0] {
                        for column in x..x + self.kernel[1] {
                            let at = (row.checked_sub(top), column.checked_sub(left));
                            if let (Some(row), Some(column)) = at
                                && row < height
                                && column < width
                            {
                                values.push(plane[row * width + column]);
                            }
                        }
                    }
                    results.push(f(&values, self.kernel[0] * self.kernel[1]));
                }
            }
        }
        results
    }
}

fn check_max_pool(geometry: &Geometry, bits: Bits, planes: usize, seed: u64) {
    let Some(window) = geometry.pool() else {
        return;
    };
    let n = planes * geometry.input[0] * geometry.input[1];
    let pool = MaxPool::new(window, bits, CotPrice::bits(32));
    let rounds = pool.rounds(planes);
    // Any input at all: the oracle.
    let inputs = edge_shares(bits, n, &mut rng(seed));
    let result = run_signed(&inputs, bits, &rounds, async |party, x| {
        pool.run(party, x).await
    });
    assert_eq!(
        result,
        clear::max_pool(&pool, &values(&inputs, bits)),
        "{geometry:?}"
    );
    // Inputs in range: the maximum.
    let (inputs, x) = modest(bits, n, seed);
    let result = run_signed(&inputs, bits, &rounds, async |party, x| {
        pool.run(party, x).await
    });
    assert_eq!(result, plain_max_pool(geometry, &x), "{geometry:?}");
}

const THREE_BY_TWO: Geometry = Geometry {
    input: [7, 6],
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1; 4],
};

#[test]
fn the_pools_of_common_networks() {
    let shapes = [
        THREE_BY_TWO,
        Geometry {
            kernel: [2, 2],
            padding: [0; 4],
            ..THREE_BY_TWO
        },
        Geometry {
            stride: [1, 1],
            ..THREE_BY_TWO
        },
        Geometry {
            kernel: [5, 5],
            stride: [1, 1],
            padding: [2; 4],
            ..THREE_BY_TWO
        },
        Geometry {
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0; 4],
            ..THREE_BY_TWO
        },
        Geometry {
            kernel: [1, 2],
            stride: [3, 4],
            padding: [0; 4],
            ..THREE_BY_TWO
        },
        Geometry {
            kernel: [7, 6],
            stride: [1, 1],
            padding: [0; 4],
            ..THREE_BY_TWO
        },
        Geometry {
            padding: [0, 0, 1, 1],
            ..THREE_BY_TWO
        },
    ];
    for geometry in shapes {
        for l in [2, 16, 37, 64] {
            for planes in [0, 1, 3] {
                check_max_pool(&geometry, Bits::of(l), planes, 5);
            }
        }
    }
}

#[test]
fn windows_share_the_rows_they_have_in_common() {
    // 3×3 with stride 2 on 112×112: 56 windows a row; 2 matches per used row and window, 2 along
    // the rows; fewer at the border. Window by window there would be 8 each.
    let window = Pool2d::new(112, 112, [3, 3], [2, 2], [1; 4]).expect("a window");
    let cots = MaxPool::new(window, Bits::of(32), CotPrice::bits(32))
        .rounds(1)
        .cots
        .total();
    let one = nonlinear::Relu::new(Bits::of(32), CotPrice::bits(32))
        .rounds(1)
        .cots
        .total();
    let matches = 112 * (2 * 56 - 1) + 56 * (2 * 56 - 1);
    assert_eq!(cots, matches * one);
    assert!(matches < 6 * 56 * 56);
}

#[test]
fn every_row_of_three_has_its_winner() {
    let bits = Bits::of(3);
    let ring = || (0..8_u64).map(|x| bits.to_signed(x));
    let rows = ring().flat_map(|a| ring().flat_map(move |b| ring().map(move |c| [a, b, c])));
    let x: Vec<i64> = rows.flatten().collect();
    check_arg_max(3, bits, &x);
}

fn check_arg_max(classes: usize, bits: Bits, x: &[i64]) {
    let encoded: Vec<u64> = x.iter().map(|&x| bits.from_signed(x)).collect();
    let inputs = share(&encoded, bits, &mut rng(3));
    let protocol = ArgMax::new(classes, bits, CotPrice::bits(32));
    let (server, client) = run(
        &inputs,
        &protocol.rounds(x.len() / classes),
        async |party, x| protocol.run(party, x).await,
    );
    let index_bits = protocol.index_bits();
    let index = testkit::reconstruct(&server.index, &client.index, index_bits);
    let index = index
        .into_iter()
        .map(|i| usize::try_from(i).expect("a small number"));
    let index: Vec<usize> = index.collect();
    let value = signed(&server.value, &client.value, bits);
    assert_eq!(index.len(), x.len() / classes);
    for ((row, index), value) in x.chunks(classes).zip(index).zip(value) {
        assert_eq!((index, value), clear::arg_max(bits, row));
        let most = row.iter().copied().max().expect("a row");
        let least = row.iter().copied().min().expect("a row");
        if i128::from(most) - i128::from(least) <= i128::from(bits.max_signed()) {
            let first = row.iter().position(|&x| x == most).expect("it is there");
            assert_eq!((index, value), (first, most), "the first of the largest");
        }
    }
}

#[test]
fn rows_of_every_length_have_their_winner() {
    for classes in (1..=17).chain([100]) {
        for l in [2, 16, 64] {
            let bits = Bits::of(l);
            for rows in [0, 1, 5] {
                let inputs = edge_shares(bits, classes * rows, &mut rng(classes as u64));
                check_arg_max(classes, bits, &values(&inputs, bits));
                check_arg_max(classes, bits, &modest(bits, classes * rows, 1).1);
            }
        }
    }
    // Ties.
    check_arg_max(
        5,
        Bits::of(8),
        &[1, 7, 7, 7, 2, 0, 0, 0, 0, 0, -1, -1, -2, -1, -1],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_window(
        input in [1_usize..9, 1_usize..9],
        kernel in [1_usize..6, 1_usize..6],
        stride in [1_usize..5, 1_usize..5],
        padding in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        l in 2_u32..=64,
        planes in 0_usize..3,
        seed: u64,
    ) {
        let geometry = Geometry { input, kernel, stride, padding };
        check_max_pool(&geometry, Bits::of(l), planes, seed);
    }

    #[test]
    fn any_row(classes in 1_usize..20, l in 2_u32..=64, rows in 0_usize..20, seed: u64) {
        let bits = Bits::of(l);
        let inputs = edge_shares(bits, classes * rows, &mut rng(seed));
        check_arg_max(classes, bits, &values(&inputs, bits));
    }
}
