//! Networks with a back-end that has noise, keys and a phase ahead of the inputs, and that hides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Cost;
use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, Places, PrivateWeights,
    Shape, Window, run_integer,
};
use ot::CotPrice;
use rand_core::Rng;
use testkit::{rng, run_sessions};

use crate::{Error, Limits, Mode, RunReport, SecureNetwork, ServerWeights};

const NOISY: Algorithm = Algorithm::named("noisy", 1);

/// The bytes of the keys of that back-end.
const KEYS: u64 = 200;

type Builder = GraphBuilder<IntOp>;

fn begin() -> Builder {
    let mut graph = GraphBuilder::new();
    let (shape, bits, scale) = (Shape::new(2, 5, 5), 30, 0);
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    graph
}

fn conv(by: Algorithm) -> IntOp {
    let window = Window::square(3, 1, 1);
    let (out_channels, groups) = (2, 1);
    IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels,
            groups,
            window,
        },
        weight_bits: 8,
        weight_scale: 0,
        by,
    }
}

fn reduce(shift: u32) -> IntOp {
    let rounded = shift > 1;
    IntOp::TruncReduce { shift, rounded }
}

fn trunc(shift: u32) -> IntOp {
    let rounded = false;
    IntOp::Trunc { shift, rounded }
}

fn finish(mut graph: Builder, last: usize) -> IntGraph {
    graph.push("output", IntOp::Output, &[last]);
    graph.finish().expect("a graph")
}

/// All ways in which a noisy value may be used: cut with more bits and rectified, alone, within its ring, claimed, and by two.
fn network() -> IntGraph {
    let mut g = begin();
    let first = g.push("first", conv(NOISY), &[0]);
    let cut = g.push("first.cut", reduce(12), &[first]);
    let relu = g.push("relu", IntOp::Relu, &[cut]);
    let relu = g.push("extend", IntOp::Extend { to: 30 }, &[relu]);
    let second = g.push("second", conv(NOISY), &[relu]);
    let claim = g.push("second.claim", IntOp::Claim, &[second]);
    let within = g.push("second.cut", trunc(7), &[claim]);
    let within = g.push("second.narrow", IntOp::Narrow { to: 30 }, &[within]);
    let within = g.push("second.relu", IntOp::Relu, &[within]);
    let other = g.push("direct", conv(Algorithm::DIRECT), &[relu]);
    let other = g.push("direct.cut", trunc(6), &[other]);
    let sum = g.push("sum", IntOp::Add, &[within, other]);
    let third = g.push("third", conv(NOISY), &[sum]);
    let plain = g.push("third.cut", reduce(1), &[third]);
    let plain = g.push("third.relu", IntOp::Relu, &[plain]);
    let high = g.push("third.high", trunc(4), &[third]);
    let high = g.push("third.narrow", IntOp::Narrow { to: 30 }, &[high]);
    let scale = IntOp::Affine {
        factor: 1,
        add: 0,
        scale: 3,
    };
    let high = g.push("third.scale", scale, &[high]);
    let sum = g.push("last", IntOp::Add, &[plain, high]);
    let fourth = g.push("fourth", conv(NOISY), &[sum]);
    let fourth = g.push("fourth.cut", reduce(4), &[fourth]);
    finish(g, fourth)
}

fn weights(graph: &IntGraph, small: bool) -> PrivateWeights {
    let mut rng = rng(5);
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        if node.op.is_linear() {
            let mut draw = |n: usize, below: i32| -> Vec<i32> {
                let any =
                    |_| i32::try_from(rng.next_u64() % 1000).expect("small") % (2 * below) - below;
                (0..n).map(any).collect()
            };
            let weights = draw(36, if small { 4 } else { 128 });
            let bias = draw(2, 100).into_iter().map(i64::from).collect();
            layers.insert(index, LayerWeights { weights, bias });
        }
    }
    PrivateWeights::new(graph, layers).expect("the weights of the graph")
}

fn image(seed: u64, below: i64) -> Vec<i64> {
    let mut rng = rng(seed);
    let any = |_| (rng.next_u64() >> 2).cast_signed() % (2 * below) - below;
    (0..50).map(any).collect()
}

/// The outputs of some images in one session, and what the client reports. Both parties must measure what was planned.
fn run(
    network: &SecureNetwork,
    weights: &ServerWeights,
    images: &[Vec<i64>],
) -> Vec<(Vec<i64>, RunReport)> {
    let (at_server, at_client, _) = run_sessions(
        3,
        |s| -> Vec<RunReport> {
            let serve = |_| network.serve(s, weights, &mut |_| {}).expect("it serves");
            images.iter().map(serve).collect()
        },
        |s| -> Vec<(Vec<i64>, RunReport)> {
            let mut infer = |image: &Vec<i64>| network.infer(s, image, &mut |_| {});
            images
                .iter()
                .map(|image| infer(image).expect("it infers"))
                .collect()
        },
    );
    for (number, (server, (_, client))) in at_server.iter().zip(&at_client).enumerate() {
        let set_up = match number {
            0 => network.set_up_cost(),
            _ => Cost::none(),
        };
        for report in [server, client] {
            assert_eq!(report.cost, *network.cost());
            assert_eq!(report.set_up, set_up);
            assert_eq!(report.ahead, network.ahead_cost(1));
            for (planned, done) in network.plan().iter().zip(&report.layers) {
                assert_eq!(planned.cost, done.cost, "{}", planned.name);
            }
        }
    }
    at_client
}

fn plans(graph: &Arc<IntGraph>, mode: Mode) -> [SecureNetwork; 2] {
    let plain = SecureNetwork::new(Arc::clone(graph), mode, CotPrice::FREE);
    let ahead = SecureNetwork::ahead(&Limits::default(), Arc::clone(graph), mode, CotPrice::FREE);
    [plain, ahead].map(|network| network.expect("it plans"))
}

#[test]
fn noise_changes_nothing() {
    let graph = Arc::new(network());
    let secrets = weights(&graph, true);
    let kept = ServerWeights::new(Arc::new(secrets.clone()));
    let images: Vec<Vec<i64>> = (0..3).map(|seed| image(seed, 1 << 18)).collect();
    for network in plans(&graph, Mode::Faithful) {
        for (image, (output, _)) in images.iter().zip(run(&network, &kept, &images)) {
            let expected = run_integer(&graph, &secrets, image).expect("it runs");
            assert_eq!(output, expected);
        }
    }
}

#[test]
fn keys_are_planned_once_and_products_leave_the_run() {
    let graph = Arc::new(network());
    for mode in [Mode::Faithful, Mode::Fast] {
        let [plain, ahead] = plans(&graph, mode);
        assert_eq!(plain.set_up_cost(), Cost::to_server(KEYS));
        assert_eq!(ahead.set_up_cost(), Cost::to_server(KEYS));
        assert!(!plain.runs_ahead() && plain.ahead_cost(7).is_silent());
        assert!(ahead.runs_ahead());
        // Four layers in one window: two flights, whatever the images.
        let (request, response) = ((50_u64 * 30).div_ceil(8), (50_u64 * 31).div_ceil(8));
        let one = ahead.ahead_cost(1);
        let four = Cost::to_server(4 * request).then(Cost::to_client(4 * response));
        assert_eq!((one.flights(), &one), (2, &four));
        assert_eq!(ahead.ahead_cost(8).bytes(), 4 * 50 * (30 + 31));
        assert_eq!(plain.cost().bytes() - ahead.cost().bytes(), 4 * response);
        assert!(ahead.cost().flights() < plain.cost().flights());
        let (bytes, _) = ahead.ahead_total(3);
        assert_eq!(bytes, ahead.ahead_cost(3).bytes());
    }
}

/// Fast truncations take the noise off first, at a cost; what cuts off noise alone is exact by itself.
#[test]
fn fast_truncations_see_no_noise() {
    let of = |by: &Algorithm, guard: u32| {
        let mut g = begin();
        let layer = g.push("layer", conv(by.clone()), &[0]);
        let cut = g.push("cut", reduce(6 + guard), &[layer]);
        let relu = g.push("relu", IntOp::Relu, &[cut]);
        finish(g, relu)
    };
    let [direct, noisy] = [(Algorithm::DIRECT, 0), (NOISY, 1)];
    let direct = Arc::new(of(&direct.0, direct.1));
    let graph = Arc::new(of(&noisy.0, noisy.1));
    let secrets = weights(&graph, false);
    let kept = ServerWeights::new(Arc::new(secrets.clone()));
    let images: Vec<Vec<i64>> = (0..4).map(|seed| image(seed, 1 << 8)).collect();
    // The floor of the sum without the rounding constant, or one more if anything was cut off: the law of a fast truncation.
    let mut sums = begin();
    let layer = sums.push("layer", conv(Algorithm::DIRECT), &[0]);
    let sums = finish(sums, layer);
    let layer = secrets.layer(1).expect("its weights").clone();
    let sums_of = PrivateWeights::new(&sums, [(1, layer)].into()).expect("the weights");
    let mut above = 0;
    for network in plans(&graph, Mode::Fast) {
        let cut = &network.plan()[1];
        assert_eq!(
            (cut.name.as_str(), cut.algorithm.as_ref()),
            ("cut", "carry")
        );
        for (image, (output, _)) in images.iter().zip(run(&network, &kept, &images)) {
            let sums = run_integer(&sums, &sums_of, image).expect("it runs");
            for (sum, y) in sums.iter().zip(output) {
                let sum = sum - (1 << 5);
                let (floor, whole) = (sum >> 6, sum & 63 == 0);
                let one_more = !whole && y == (floor + 1).max(0);
                assert!(y == floor.max(0) || one_more, "{sum}: {y}");
                above += usize::from(one_more);
            }
        }
    }
    assert!(above > 40, "{above}");
    let [local, _] = plans(&direct, Mode::Fast);
    assert!(
        local
            .plan()
            .iter()
            .all(|layer| layer.name != "cut" || layer.algorithm == "local")
    );
}

/// What a peer's graph may not do with noise.
#[test]
fn noise_goes_nowhere_else() {
    let refused = |use_it: &dyn Fn(&mut Builder, usize) -> usize| {
        let mut g = begin();
        let layer = g.push("layer", conv(NOISY), &[0]);
        let last = use_it(&mut g, layer);
        let graph = Arc::new(finish(g, last));
        for mode in [Mode::Faithful, Mode::Fast] {
            let plan = SecureNetwork::new(Arc::clone(&graph), mode, CotPrice::FREE);
            let error = plan.expect_err("it is refused");
            let Error::Algorithm { layer, problem } = error else {
                panic!("another error: {error}");
            };
            assert_eq!(layer, "layer", "{problem}");
            assert!(problem.contains("must be cut off"), "{problem}");
        }
    };
    refused(&|_, layer| layer);
    refused(&|g, layer| g.push("claim", IntOp::Claim, &[layer]));
    refused(&|g, layer| g.push("relu", IntOp::Relu, &[layer]));
    refused(&|g, layer| g.push("sum", IntOp::Add, &[layer, layer]));
    refused(&|g, layer| g.push("joined", IntOp::Concat, &[layer, layer]));
    refused(&|g, layer| g.push("narrow", IntOp::Narrow { to: 20 }, &[layer]));
    refused(&|g, layer| {
        let [channels, rows, columns] = [const { Places::All }; 3];
        let pick = IntOp::Pick {
            channels,
            rows,
            columns,
        };
        g.push("pick", pick, &[layer])
    });
    refused(&|g, layer| {
        let shape = g.type_of(layer).expect("it fits").shape;
        let order = [0, 1, 2];
        g.push("reorder", IntOp::Reorder { order, shape }, &[layer])
    });
    refused(&|g, layer| {
        let cut = g.push("cut", reduce(3), &[layer]);
        let relu = g.push("relu", IntOp::Relu, &[cut]);
        let also = g.push("also", IntOp::Flatten, &[layer]);
        g.push(
            "output of both",
            IntOp::Slice {
                start: 0,
                channels: 1,
            },
            &[also],
        );
        relu
    });
    refused(&|g, layer| {
        let claim = g.push("claim", IntOp::Claim, &[layer]);
        let cut = g.push("cut", trunc(2), &[claim]);
        let cut = g.push("narrow", IntOp::Narrow { to: 30 }, &[cut]);
        g.push("next", conv(Algorithm::DIRECT), &[claim]);
        cut
    });
}

#[test]
fn one_phase_ahead_is_for_many_images() {
    let graph = Arc::new(network());
    let secrets = weights(&graph, true);
    let kept = ServerWeights::new(Arc::new(secrets.clone()));
    let [_, network] = plans(&graph, Mode::Faithful);
    let images: Vec<Vec<i64>> = (0..3).map(|seed| image(10 + seed, 1 << 18)).collect();
    let (mut told, planned) = (Vec::new(), network.ahead_cost(3));
    let (server, outputs, _) = run_sessions(
        8,
        |s| {
            let (left, report) = (network.serve_ahead(s, &kept, 3, &mut |_| {})).expect("ahead");
            let runs = left.into_iter().map(|ahead| {
                let run = network.serve_after(s, &kept, ahead, &mut |_| {});
                run.expect("it serves").cost
            });
            (report, runs.collect::<Vec<_>>())
        },
        |s| {
            let mut tell =
                |step: crate::Progress<'_>| told.push((step.ahead, step.layer, step.layers));
            let (left, report) = network.prepare_ahead(s, 3, &mut tell).expect("ahead");
            assert_eq!((&report.cost, report.set_up.bytes()), (&planned, KEYS));
            let runs = images.iter().zip(left).map(|(image, ahead)| {
                let run = network.infer_after(s, image, ahead, &mut |_| {});
                run.expect("it infers").0
            });
            runs.collect::<Vec<_>>()
        },
    );
    assert_eq!(told, [(true, 0, 4)]);
    assert_eq!((&server.0.cost, server.0.images), (&planned, 3));
    assert_eq!(server.1, vec![network.cost().clone(); 3]);
    for (image, output) in images.iter().zip(outputs) {
        assert_eq!(
            output,
            run_integer(&graph, &secrets, image).expect("it runs")
        );
    }
}

#[test]
#[should_panic(expected = "what the phase ahead of another network left")]
fn what_was_left_for_another_network_is_noticed() {
    let graph = Arc::new(network());
    let kept = ServerWeights::new(Arc::new(weights(&graph, true)));
    let [plain, ahead] = plans(&graph, Mode::Faithful);
    run_sessions(
        8,
        |s| {
            let (left, _) = plain
                .serve_ahead(s, &kept, 1, &mut |_| {})
                .expect("of nothing");
            let left = left.into_iter().next().expect("one");
            drop(ahead.serve_after(s, &kept, left, &mut |_| {}));
        },
        |s| drop(plain.prepare_ahead(s, 1, &mut |_| {})),
    );
}
