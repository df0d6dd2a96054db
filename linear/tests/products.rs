//! Batches of products with widths, rings and places of their own, and matrix products.

use channel::Cost;
use linear::{
    ClientChooses, Direct, Error, Item, LinearAlgorithm, LinearLayer, LinearShape, MatMul,
    Products, Rect, add_bias,
};
use ndarray::Array2;
use proptest::prelude::*;
use ring_arith::Bits;
use testkit::{elements, reconstruct, rng, run_sessions, share, weights};

fn item(m: usize, rows: Vec<Rect>, w: u32, l: u32) -> Item {
    Item {
        m,
        rows,
        weight_bits: Bits::of(w),
        bits: Bits::of(l),
        weights: 0,
        input: 0,
        output: 0,
        output_stride: 0,
    }
}

/// Every secret and every share, of one product mod 2^4 with weights of 3 bits.
#[test]
fn one_product_exhaustively() {
    let bits = Bits::of(4);
    let x: Vec<u64> = (0..256).map(|v| v / 16).collect();
    let xc: Vec<u64> = (0..256).map(|v| v % 16).collect();
    let xs: Vec<u64> = x
        .iter()
        .zip(&xc)
        .map(|(x, c)| bits.reduce(x.wrapping_sub(*c)))
        .collect();
    let all: Vec<i32> = (-4..4).collect();
    let mut item = item(8, vec![Rect::line(0, 256)], 3, 4);
    item.output_stride = 256;
    let products = Products::new(vec![item], 256, 8 * 256, 8).expect("fits");
    let (ys, yc, cost) = run_sessions(
        3,
        |s| {
            products
                .run_server(s, &all, &xs)
                .expect("the server succeeds")
        },
        |s| products.run_client(s, &xc).expect("the client succeeds"),
    );
    let expected: Vec<u64> = all
        .iter()
        .flat_map(|&w| {
            x.iter()
                .map(move |&x| bits.from_signed(i64::from(w) * i64::try_from(x).expect("small")))
        })
        .collect();
    assert_eq!(reconstruct(&ys, &yc, bits), expected);
    assert_eq!(cost, products.cost());
}

/// Items of different widths, rings and strides in one batch, narrow and wide words mixed.
#[test]
fn a_mixed_batch() {
    let strided = Rect {
        input: 3,
        output: 1,
        rows: 2,
        columns: 3,
        input_strides: [10, 2],
        output_strides: [4, 1],
    };
    let transposed = Rect {
        input_strides: [1, 7],
        output_strides: [1, 4],
        ..strided
    };
    let mut items = vec![
        item(2, vec![strided, Rect::line(5, 0), transposed], 5, 20),
        item(3, vec![Rect::line(0, 4), Rect::line(9, 4)], 11, 41),
        item(0, vec![Rect::line(0, 4)], 3, 17),
        item(2, vec![], 3, 17),
        item(1, vec![strided, strided], 32, 9),
    ];
    let places = [
        (0, 1, 0, 16),
        (6, 0, 32, 4),
        (0, 0, 0, 0),
        (0, 0, 44, 1),
        (12, 2, 46, 0),
    ];
    for (item, place) in items.iter_mut().zip(places) {
        (item.weights, item.input, item.output, item.output_stride) = place;
    }
    let products = Products::new(items.clone(), 40, 60, 14).expect("fits");
    let mut rng = rng(9);
    let mut w = weights(14, Bits::of(5), &mut rng);
    w[6..12].copy_from_slice(&weights(6, Bits::of(11), &mut rng));
    w[12..].copy_from_slice(&weights(2, Bits::of(32), &mut rng));
    let x = elements(40, Bits::of(64), &mut rng);
    let (xs, xc) = share(&x, Bits::of(64), &mut rng);
    let (ys, yc, cost) = run_sessions(
        3,
        |s| {
            products
                .run_server(s, &w, &xs)
                .expect("the server succeeds")
        },
        |s| products.run_client(s, &xc).expect("the client succeeds"),
    );
    assert_eq!(cost, products.cost());
    assert_eq!(cost.flights(), 2);

    let mut expected = vec![0u64; 60];
    let mut y: Vec<u64> = ys
        .iter()
        .zip(&yc)
        .map(|(s, c)| s.wrapping_add(*c))
        .collect();
    for item in &items {
        let products = (0..item.m).flat_map(|m| item.rows.iter().enumerate().map(move |r| (m, r)));
        for (m, (k, r)) in products {
            let weight = i64::from(w[item.weights + m * item.rows.len() + k]).cast_unsigned();
            for (i, j) in (0..r.rows).flat_map(|i| (0..r.columns).map(move |j| (i, j))) {
                let at = |start: usize, s: [usize; 2]| start + i * s[0] + j * s[1];
                let x = x[item.input + at(r.input, r.input_strides)];
                let at = item.output + m * item.output_stride + at(r.output, r.output_strides);
                expected[at] = item
                    .bits
                    .reduce(expected[at].wrapping_add(x.wrapping_mul(weight)));
                y[at] = item.bits.reduce(y[at]);
            }
        }
    }
    assert_eq!(y, expected);
    assert_eq!(products.clear(&w, &x), expected);
}

#[test]
fn a_layer_of_several_super_tiles() {
    let (bits, w) = (Bits::of(16), Bits::of(11));
    let matmul = MatMul {
        m: 2000,
        k: 97,
        n: 1,
        weight_bits: w,
        bits,
    };
    let mut rng = rng(2);
    let weights = Array2::from_shape_vec((2000, 97), weights(194_000, w, &mut rng)).expect("fits");
    let x = elements(97, bits, &mut rng);
    let (xs, xc) = share(&x, bits, &mut rng);
    let column = |x| Array2::from_shape_vec((97, 1), x).expect("fits");
    let (x, xs, xc) = (column(x), column(xs), column(xc));
    let (ys, yc, cost) = run_sessions(
        2,
        |s| {
            matmul
                .run_server(s, weights.view(), xs.view())
                .expect("the server succeeds")
        },
        |s| {
            matmul
                .run_client(s, xc.view())
                .expect("the client succeeds")
        },
    );
    let y = (ys + yc).mapv(|y| bits.reduce(y));
    assert_eq!(y, linear::clear::matmul(bits, weights.view(), x.view()));
    assert_eq!(cost, matmul.cost().expect("countable"));
    assert_eq!(cost.flights(), 4);
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let line = |at, n| vec![Rect::line(at, n)];
    let new = |item, input, output, weights| Products::new(vec![item], input, output, weights);
    let operand = |result: Result<Products, Error>| match result {
        Err(Error::OutOfBounds { item: 0, operand }) => operand,
        other => panic!("{other:?}"),
    };
    assert_eq!(operand(new(item(1, line(1, 4), 2, 8), 4, 9, 9)), "input");
    assert_eq!(
        operand(new(item(1, line(usize::MAX, 4), 2, 8), 4, 9, 9)),
        "input"
    );
    assert_eq!(operand(new(item(1, line(0, 4), 2, 8), 4, 3, 9)), "output");
    assert_eq!(operand(new(item(2, line(0, 4), 2, 8), 4, 9, 1)), "weights");
    let two = |l| {
        Products::new(
            vec![item(1, line(0, 4), 2, 8), item(1, line(0, 2), 2, l)],
            4,
            4,
            1,
        )
    };
    assert!(two(8).is_ok());
    assert!(matches!(two(9), Err(Error::MixedRings)));
    // Rows of items of different rings may take turns, but not meet.
    let turns = |at| {
        let mut items = [8, 9].map(|l| item(2, line(0, 4), 2, l));
        items.iter_mut().for_each(|item| item.output_stride = 10);
        items[1].output = at;
        Products::new(items.to_vec(), 4, 20, 2)
    };
    assert!(turns(4).is_ok());
    assert!(matches!(turns(3), Err(Error::MixedRings)));
}

#[test]
fn a_weight_beyond_its_width_ends_the_session_with_an_error() {
    let matmul = MatMul {
        m: 1,
        k: 2,
        n: 3,
        weight_bits: Bits::of(4),
        bits: Bits::of(16),
    };
    let x = Array2::zeros((2, 3));
    let w = Array2::from_shape_vec((1, 2), vec![7, -9]).expect("two weights");
    let products = matmul.products().expect("fits");
    let (server, client) = testkit::run_2pc(
        |connection| {
            let mut s = testkit::ideal_session(&connection, 1);
            products.run_server(&mut s, w.as_slice().expect("contiguous"), &[0_u64; 6])
        },
        |connection| matmul.run_client(&mut testkit::ideal_session(&connection, 1), x.view()),
    );
    assert!(
        matches!(server, Err(Error::WeightRange { index: 1, bits: 4 })),
        "{server:?}"
    );
    assert!(matches!(client, Err(Error::Sharing(_))), "{client:?}");
}

/// Which bits should choose in a fully connected layer depends on the widths, the outputs and the price
/// of a COT.
#[test]
fn either_party_may_be_the_cheaper_chooser() {
    let cost = |algorithm: &dyn LinearAlgorithm, outputs, w, l| {
        let inputs = 33;
        let layer = LinearLayer {
            shape: LinearShape::FullyConnected { inputs, outputs },
            weight_bits: Bits::of(w),
            bits: Bits::of(l),
        };
        algorithm.plan(&layer).expect("possible").cost()
    };
    let cheaper = |outputs, w, l, price: u64| {
        let total = |cost: Cost| cost.bytes() * 8 + cost.cots.total() * price;
        let client = total(cost(&ClientChooses, outputs, w, l));
        client < total(cost(&Direct, outputs, w, l))
    };
    assert!(!cheaper(1, 8, 32, 0));
    assert!(cheaper(10, 12, 32, 32));
    assert!(cheaper(10, 32, 32, 0));
    assert!(!cheaper(10, 2, 32, 0));
    let cots = |outputs| cost(&ClientChooses, outputs, 8, 32).cots;
    assert_eq!(cots(10), cots(1));
    assert_eq!(cots(1).server_sends, 33 * 32);
    assert_eq!(cots(0).total(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn matrix_products(m in 0usize..5, k in 0usize..5, n in prop_oneof![0usize..20, prop::sample::select(vec![127usize, 128, 129])], w in 1u32..=32, l in 1u32..=64, seed: u64) {
        let matmul = MatMul { m, k, n, weight_bits: Bits::of(w), bits: Bits::of(l) };
        let mut rng = rng(seed);
        let weights = Array2::from_shape_vec((m, k), weights(m * k, matmul.weight_bits, &mut rng)).expect("fits");
        let x = elements(k * n, matmul.bits, &mut rng);
        let (xs, xc) = share(&x, matmul.bits, &mut rng);
        let shaped = |x| Array2::from_shape_vec((k, n), x).expect("fits");
        let (x, xs, xc) = (shaped(x), shaped(xs), shaped(xc));
        let (ys, yc, cost) = run_sessions(
            seed,
            |s| matmul.run_server(s, weights.view(), xs.view()).expect("the server succeeds"),
            |s| matmul.run_client(s, xc.view()).expect("the client succeeds"),
        );
        let expected = linear::clear::matmul(matmul.bits, weights.view(), x.view());
        let y = (&ys + &yc).mapv(|y| matmul.bits.reduce(y));
        prop_assert_eq!(y, expected);
        prop_assert_eq!(cost, matmul.cost().expect("countable"));
    }
}

#[test]
fn biases_wrap() {
    let bits = Bits::of(5);
    let mut y = vec![0, 31, 7, 8];
    add_bias(bits, &mut y, &[1, -8]);
    assert_eq!(y, [1, 0, 31, 0]);
    add_bias(bits, &mut y, &[-1, 0, 1, 16]);
    assert_eq!(y, [0, 0, 0, 16]);
    add_bias(bits, &mut [], &[]);
}
