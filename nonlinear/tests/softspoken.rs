//! The same on real oblivious transfers.

mod common;

use common::{edge_shares, signed, values};
use nonlinear::{MaxPool, Pool2d, Relu, TruncFaithful, clear};
use ring_arith::Bits;
use sharing::{Session, default_extension};
use testkit::{rng, run_sessions_real};

#[test]
fn relu_truncation_and_max_pool_on_softspoken_ot() {
    let bits = Bits::of(32);
    let inputs = edge_shares(bits, 64 * 64, &mut rng(8));
    let price = default_extension().price();
    let relu = Relu::new(bits, price);
    let truncation = TruncFaithful::new(bits, 12, price);
    let window = Pool2d::new(64, 64, [3, 3], [2, 2], [1; 4]).expect("a window");
    let pool = MaxPool::new(window, bits, price);
    let network = |s: &mut Session, x: &[u64]| {
        assert_eq!(s.cot_price(), price);
        let outcome = s.run(async |party| {
            let x = relu.run(party, x).await?;
            let x = truncation.run(party, &x).await?;
            pool.run(party, &x).await
        });
        outcome.expect("an honest run succeeds")
    };
    let (server, client, cost) = run_sessions_real(
        4,
        default_extension(),
        |s| network(s, &inputs.0),
        |s| network(s, &inputs.1),
    );
    let n = inputs.0.len();
    let rounds = (relu.rounds(n))
        .then(truncation.rounds(n))
        .then(pool.rounds(1));
    assert_eq!(cost, rounds.cost());
    let x = values(&inputs, bits).into_iter();
    let x: Vec<i64> = x.map(|x| clear::truncate(clear::relu(x), 12)).collect();
    assert_eq!(signed(&server, &client, bits), clear::max_pool(&pool, &x));
}
