//! Both parties of a secure run in one process.

use std::sync::Arc;

use channel::{Connection, Role};
use nets::{IntGraph, PrivateWeights};
use secure::{Ahead, AheadReport, Limits, Mode, RunReport, SecureNetwork, ServerWeights};
use sharing::{CotPrice, Draws, Session, default_extension};

/// What both parties got.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What the client learns.
    pub output: Vec<i64>,
    /// The server's account.
    pub server: RunReport,
    /// The client's account.
    pub client: RunReport,
}

/// Runs a network with ideal correlations over small pipes; checks both parties' accounts against
/// the plan, layer by layer.
///
/// # Panics
/// If a party fails, or spends something else than planned.
#[must_use]
pub fn run(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
    mode: Mode,
    seed: u8,
) -> Outcome {
    let open = |connection: &Connection, own| Session::ideal(connection, [seed; 32], own);
    run_in(open, graph, weights, input, mode)
}

/// As [`run`], with base OTs and extension as in production.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_real(graph: &IntGraph, weights: &PrivateWeights, input: &[i64], mode: Mode) -> Outcome {
    let open =
        |connection: &Connection, own| Session::establish(connection, own, default_extension());
    run_in(open, graph, weights, input, mode)
}

/// Runs a network for some images in one session with ideal correlations, the phase ahead for all of them together where layers run ahead.
/// Checks both parties' accounts against the plan. Returns what the client learns.
///
/// # Panics
/// If a party fails, or spends something else than planned.
#[must_use]
pub fn run_many(
    network: &SecureNetwork,
    weights: &PrivateWeights,
    images: &[Vec<i64>],
    seed: u64,
) -> Vec<Vec<i64>> {
    let weights = ServerWeights::new(Arc::new(weights.clone()));
    let n = images.len();
    let check_ahead = |report: &AheadReport| {
        assert_eq!(report.set_up, network.set_up_cost(), "the set-up");
        assert_eq!(report.cost, network.ahead_cost(n), "the phase ahead");
    };
    let check = |report: &RunReport| {
        assert_eq!(&report.cost, network.cost(), "a run");
        assert!(report.set_up.is_silent() && report.ahead.is_silent());
        for (layer, plan) in report.layers.iter().zip(network.plan()) {
            assert_eq!(layer.cost, plan.cost, "{} ({})", layer.name, layer.op);
        }
    };
    let ((), outputs, _): ((), Vec<_>, _) = testkit::run_sessions(
        seed,
        |s| {
            let (left, report) = (network.serve_ahead(s, &weights, n, &mut |_| {})).expect("ahead");
            check_ahead(&report);
            for ahead in left {
                let served = network.serve_after(s, &weights, ahead, &mut |_| {});
                check(&served.expect("the server serves"));
            }
        },
        |s| {
            let (left, report) = network.prepare_ahead(s, n, &mut |_| {}).expect("ahead");
            check_ahead(&report);
            let outputs = images.iter().zip(left).map(|(image, ahead)| {
                let found = network.infer_after(s, image, ahead, &mut |_| {});
                let (output, report) = found.expect("the client infers");
                check(&report);
                output
            });
            outputs.collect()
        },
    );
    let price = CotPrice::FREE;
    if network.cost().bytes() * (n as u64) < SMALL {
        let network = prepared_plan(network.graph(), network.mode(), price);
        let open = |connection: &Connection, own| Session::ideal(connection, [9; 32], own);
        let stocked = run_stocked(open, &network, &weights, images);
        if network.mode() == Mode::Faithful {
            assert_eq!(stocked, outputs, "with and without a preparation");
        }
    }
    outputs
}

/// Runs of at most so many bytes are run once more from a preparation.
const SMALL: u64 = 1 << 26;

/// Runs a network for some images from preparations that were made in a session of their own, in one session without pools. Checks both
/// parties' accounts against the plan of the same network with a phase ahead. Returns what the client learns.
///
/// # Panics
/// If a party fails, or spends something else than planned.
#[must_use]
pub fn run_stocked(
    open: impl Fn(&Connection, [u8; 32]) -> Result<Session, sharing::Error> + Sync,
    network: &SecureNetwork,
    weights: &ServerWeights,
    images: &[Vec<i64>],
) -> Vec<Vec<i64>> {
    let n = images.len();
    let fill = |s: &mut Session, left: Vec<Ahead>, draws: &Draws| {
        let stocks = left.into_iter().map(|ahead| {
            let (stock, cost) = network.stock(s, ahead, draws).expect("it is prepared");
            assert_eq!(stock.len() as u64, network.stock_bytes(draws));
            assert_eq!(cost, draws.cost(), "a preparation");
            stock
        });
        let stocks: Vec<_> = stocks.collect();
        stocks
    };
    let draws = network.client_draws().expect("a dry run");
    let (at_server, at_client) = testkit::run_over(
        channel::memory_pair(LINE),
        |connection| {
            let mut s = open(&connection, [3; 32]).expect("a session");
            let draws = network.server_draws(weights).expect("a dry run");
            let left = network.serve_ahead(&mut s, weights, n, &mut |_| {});
            (fill(&mut s, left.expect("ahead").0, &draws), draws)
        },
        |connection| {
            let mut s = open(&connection, [4; 32]).expect("a session");
            let left = network.prepare_ahead(&mut s, n, &mut |_| {});
            fill(&mut s, left.expect("ahead").0, &draws)
        },
    );
    assert_eq!(at_server.1, draws, "both parties draw the same");
    let check = |report: &RunReport| {
        assert_eq!(&report.cost, network.cost(), "a run from a preparation");
        for (layer, plan) in report.layers.iter().zip(network.plan()) {
            assert_eq!(layer.cost, plan.cost, "{} ({})", layer.name, layer.op);
        }
    };
    let opened = |role, bytes| network.open_stock(role, bytes).expect("it is one");
    let session = |connection: &Connection| {
        let seed = [if connection.role().is_server() { 5 } else { 6 }; 32];
        Session::without_pools(connection, seed, network.cot_price()).expect("a session")
    };
    let ((), outputs) = testkit::run_over(
        channel::memory_pair(LINE),
        |connection| {
            let mut s = session(&connection);
            for bytes in at_server.0 {
                let stock = opened(Role::Server, bytes);
                let served = network.serve_stocked(&mut s, weights, stock, &mut |_| {});
                check(&served.expect("the server serves"));
            }
        },
        |connection| {
            let mut s = session(&connection);
            let outputs = images.iter().zip(at_client).map(|(image, bytes)| {
                let stock = opened(Role::Client, bytes);
                let found = network.infer_stocked(&mut s, image, stock, &mut |_| {});
                let (output, report) = found.expect("the client infers");
                check(&report);
                output
            });
            outputs.collect()
        },
    );
    outputs
}

/// Bytes that each direction of a line holds.
const LINE: usize = 1 << 20;

fn prepared_plan(graph: &Arc<IntGraph>, mode: Mode, price: CotPrice) -> SecureNetwork {
    let network = SecureNetwork::ahead(&Limits::default(), Arc::clone(graph), mode, price);
    network.expect("it plans")
}

fn run_in(
    open: impl Fn(&Connection, [u8; 32]) -> Result<Session, sharing::Error> + Sync,
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
    mode: Mode,
) -> Outcome {
    let graph = Arc::new(graph.clone());
    let weights = ServerWeights::new(Arc::new(weights.clone()));
    let plan = |s: &Session| {
        SecureNetwork::new(Arc::clone(&graph), mode, s.cot_price()).expect("it plans")
    };
    // Wide lines: gigabytes pass.
    let (server, (output, client, price)) = testkit::run_over(
        channel::memory_pair(LINE),
        |connection| {
            let mut s = open(&connection, [1; 32]).expect("a session");
            plan(&s)
                .serve(&mut s, &weights, &mut |_| {})
                .expect("the server serves")
        },
        |connection| {
            let mut s = open(&connection, [2; 32]).expect("a session");
            let mut last = 0;
            let network = plan(&s);
            let result = network.infer(&mut s, input, &mut |p| {
                assert!(
                    p.done_bytes >= last && p.done_bytes <= p.total_bytes && p.layer < p.layers
                );
                last = p.done_bytes;
            });
            let (output, report) = result.expect("the client infers");
            assert_eq!(&report.cost, network.cost(), "the whole run");
            assert_eq!(report.set_up, network.set_up_cost(), "the set-up");
            assert_eq!(report.layers.len(), network.plan().len());
            for (layer, plan) in report.layers.iter().zip(network.plan()) {
                assert_eq!(layer.cost, plan.cost, "{} ({})", layer.name, layer.op);
            }
            (output, report, s.cot_price())
        },
    );
    for (a, b) in server.layers.iter().zip(&client.layers) {
        assert_eq!((&a.name, &a.cost), (&b.name, &b.cost));
    }
    if client.cost.bytes() < SMALL {
        let network = prepared_plan(&graph, mode, price);
        let image = [input.to_vec()];
        let stocked = run_stocked(&open, &network, &weights, &image).swap_remove(0);
        if mode == Mode::Faithful {
            assert_eq!(stocked, output, "with and without a preparation");
        }
    }
    Outcome {
        output,
        server,
        client,
    }
}
