//! Preparations that are not what they should be. That runs from preparations are those without is part of every run of
//! `tests::networks::parties`.

use std::sync::Arc;

use channel::Role;
use nets::Model;
use ot::Error as Ot;
use proptest::prelude::*;
use secure::{Error, Limits, Mode, SecureNetwork, ServerWeights};
use sharing::{CotPrice, Error as Sharing, Session};
use tests::networks::ints::Rng;
use tests::networks::tiles;
use zeroize::Zeroizing;

const PRICE: CotPrice = CotPrice::FREE;

fn plan(model: &Model, mode: Mode) -> SecureNetwork {
    let graph = Arc::new(model.public.graph.clone());
    SecureNetwork::ahead(&Limits::default(), graph, mode, PRICE).expect("it plans")
}

fn weights(model: &Model) -> ServerWeights {
    ServerWeights::new(Arc::new(model.weights.clone()))
}

/// The bytes of a preparation at server and client.
fn prepared(network: &SecureNetwork, weights: &ServerWeights) -> [Zeroizing<Vec<u8>>; 2] {
    let draws = network.client_draws().expect("a dry run");
    let fill = |s: &mut Session, mut left: Vec<_>| {
        let ahead = left.pop().expect("of one image");
        network.stock(s, ahead, &draws).expect("it is prepared").0
    };
    let (server, client, _) = testkit::run_sessions(
        3,
        |s| {
            let (left, _) = network
                .serve_ahead(s, weights, 1, &mut |_| {})
                .expect("ahead");
            fill(s, left)
        },
        |s| {
            let (left, _) = network.prepare_ahead(s, 1, &mut |_| {}).expect("ahead");
            fill(s, left)
        },
    );
    [server, client]
}

fn network(seed: u64) -> (Model, Vec<i64>) {
    tiles::network(&mut Rng::new(seed))
}

const fn is_bad(error: &Error) -> bool {
    matches!(error, Error::Sharing(Sharing::Ot(Ot::BadStock)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A store may give anything back.
    #[test]
    fn whatever_the_bytes_are_nothing_panics(
        seed in 0..6_u64,
        at in any::<proptest::sample::Index>(),
        change in 1..=255_u8,
        cut in any::<proptest::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (model, input) = network(seed);
        let (network, weights) = (plan(&model, Mode::Faithful), weights(&model));
        let [server, client] = prepared(&network, &weights);
        for (role, bytes) in [(Role::Server, &server), (Role::Client, &client)] {
            let open = |bytes: &[u8]| network.open_stock(role, Zeroizing::new(bytes.to_vec()));
            prop_assert!(is_bad(&open(&noise).expect_err("noise")));
            prop_assert!(is_bad(&open(&bytes[..cut.index(bytes.len())]).expect_err("cut off")));
            let other = network.open_stock(role.peer(), bytes.clone());
            prop_assert!(is_bad(&other.expect_err("the other party's")));
        }
        let mut changed = client;
        let at = at.index(changed.len());
        changed[at] ^= change;
        let Ok(stock) = network.open_stock(Role::Client, changed) else {
            return Ok(());
        };
        let server = network.open_stock(Role::Server, server).expect("it is one");
        // The server may wait for what the client does not say.
        let _ = testkit::run_over(
            channel::Memory {
                capacity: 1 << 20,
                timeout: std::time::Duration::from_secs(20),
                relay: None,
            }
            .pair(),
            |connection| {
                let mut s = Session::without_pools(&connection, [1; 32], PRICE).expect("a session");
                network.serve_stocked(&mut s, &weights, server, &mut |_| {}).is_ok()
            },
            |connection| {
                let mut s = Session::without_pools(&connection, [2; 32], PRICE).expect("a session");
                network.infer_stocked(&mut s, &input, stock, &mut |_| {}).is_ok()
            },
        );
    }
}

/// A preparation for one plan is of no use to another one: it is refused at once, or at the first draw that differs.
#[test]
fn a_preparation_of_another_plan_is_refused() {
    let draws = |plan: &SecureNetwork| plan.client_draws().expect("a dry run");
    let mut networks = (0..).map(network);
    let found = networks.find_map(|(model, input)| {
        let plans = [Mode::Faithful, Mode::Fast].map(|mode| plan(&model, mode));
        let differ = draws(&plans[0]) != draws(&plans[1]);
        differ.then_some((model, input, plans))
    });
    let (model, input, [faithful, fast]) = found.expect("one where modes differ");
    let [_, client] = prepared(&faithful, &weights(&model));
    let stock = fast.open_stock(Role::Client, client);
    let stock = stock.expect("the layers that ran ahead are the same");
    let mut session = Session::rehearsal(Role::Client, PRICE);
    let found = fast.infer_stocked(&mut session, &input, stock, &mut |_| {});
    let error = found.expect_err("another plan").to_string();
    assert!(error.contains("are of another run"), "{error}");
    assert!(session.is_dead());
}

/// Linear layers by OT would take more space than anybody has: they are refused before anything is computed.
#[test]
fn what_would_take_too_much_is_refused() {
    use nets::{Algorithm, GraphBuilder, IntOp, LayerShape, Shape};
    let mut g = GraphBuilder::new();
    let (bits, scale, shape) = (24, 0, Shape::new(4096, 1, 1));
    g.push("input", IntOp::Input { shape, bits, scale }, &[]);
    let linear = IntOp::Linear {
        shape: LayerShape::FullyConnected { out_features: 4096 },
        weight_bits: 10,
        weight_scale: 0,
        by: Algorithm::DIRECT,
    };
    g.push("layer", linear, &[0]);
    g.push("output", IntOp::Output, &[1]);
    let graph = Arc::new(g.finish().expect("a graph"));
    let network = SecureNetwork::ahead(&Limits::default(), graph, Mode::Faithful, PRICE);
    let network = network.expect("it plans");
    let error = network.client_draws().expect_err("many");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}
