//! A plan is made once, for any number of images and sessions; what does not fit it is refused before
//! anything is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Cost;
use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, Model, PrivateWeights,
    Shape, Window,
};
use secure::{Error, Mode, SecureNetwork, ServerWeights};
use sharing::CotPrice;
use testkit::run_sessions;
use tests::networks::ints::Rng;
use tests::networks::tiles;

/// The price of correlations in ideal sessions.
const PRICE: CotPrice = CotPrice::FREE;

/// A network with convolutions by Winograd's algorithm, whose weights are prepared, and images for it.
fn network() -> (Model, Vec<Vec<i64>>) {
    (0..)
        .map(|seed| {
            let mut rng = Rng::new(seed);
            let (model, _) = tiles::network(&mut rng);
            let (model, tiled) = tiles::rewritten(&mut rng, &model);
            let n = model.public.graph.input().shape.len();
            let mut image = || (0..n).map(|_| rng.next().cast_signed()).collect();
            (tiled, (model, (0..3).map(|_| image()).collect()))
        })
        .find(|(tiled, _)| *tiled > 1)
        .expect("one")
        .1
}

#[test]
fn one_plan_serves_images_and_sessions() {
    let (model, images) = network();
    let clear = |image: &Vec<i64>| model.run_integer(image).expect("it runs");
    let expected: Vec<Vec<i64>> = images.iter().map(clear).collect();
    let graph = Arc::new(model.public.graph.clone());
    let network = SecureNetwork::new(graph, Mode::Faithful, PRICE).expect("it plans");
    let weights = ServerWeights::new(Arc::new(model.weights.clone()));
    for session in 0..2 {
        let ((), found, _) = run_sessions(
            session,
            |s| {
                for _ in &images {
                    network.serve(s, &weights, &mut |_| {}).expect("it serves");
                }
            },
            |s| {
                let infer = |image: &Vec<i64>| network.infer(s, image, &mut |_| {});
                let found = images.iter().map(infer);
                found.collect::<Result<Vec<_>, _>>().expect("it infers")
            },
        );
        for ((output, report), expected) in found.iter().zip(&expected) {
            assert_eq!(output, expected);
            let (up, down, flights) = report.totals();
            let planned = network.cost();
            assert_eq!(up + down, planned.bytes());
            assert_eq!(flights, planned.flights() as u64);
            assert_eq!(report.cots(), planned.cots);
        }
    }
}

/// Sessions live in threads of their own, and a server keeps its weights and plans as long as it likes.
#[test]
fn what_a_server_keeps_is_its_own() {
    const fn keeps<T: Send + Sync + 'static>() {}
    keeps::<SecureNetwork>();
    keeps::<ServerWeights>();
    keeps::<Error>();
}

/// One party acts in a session in which the other says nothing; what it returned, and what it sent.
fn alone<T: Send>(server: bool, act: impl FnOnce(&mut sharing::Session) -> T + Send) -> (T, Cost) {
    if server {
        let (found, (), cost) = run_sessions(1, act, |_| ());
        (found, cost)
    } else {
        let ((), found, cost) = run_sessions(1, |_| (), act);
        (found, cost)
    }
}

#[test]
fn what_does_not_fit_the_plan_is_refused_before_anything_is_sent() {
    let (model, images) = network();
    let graph = Arc::new(model.public.graph);
    let network = SecureNetwork::new(graph, Mode::Faithful, PRICE).expect("it plans");
    let nothing = ServerWeights::new(Arc::new(PrivateWeights::default()));
    let (found, cost) = alone(true, |s| network.serve(s, &nothing, &mut |_| {}));
    assert!(
        matches!(found, Err(Error::Nets(nets::Error::Weights { .. }))),
        "{found:?}"
    );
    assert_eq!(cost, Cost::none());

    let n = images[0].len();
    for length in [0, n - 1, n + 1] {
        let image = vec![1; length];
        let (found, cost) = alone(false, |s| network.infer(s, &image, &mut |_| {}));
        let Err(Error::Nets(nets::Error::InputLength { expected, found })) = found else {
            panic!("{found:?}");
        };
        assert_eq!((expected, found), (n, length));
        assert_eq!(cost, Cost::none());
    }
}

#[test]
#[should_panic(expected = "the plan is for another price")]
fn a_plan_for_another_price_is_a_mistake() {
    let (model, images) = network();
    let (graph, price) = (Arc::new(model.public.graph), CotPrice::bits(77));
    let network = SecureNetwork::new(graph, Mode::Faithful, price).expect("it plans");
    let mut session = testkit::ideal_session(&channel::memory_pair(64).1, 1);
    let _ = network.infer(&mut session, &images[0], &mut |_| {});
}

/// One convolution by an algorithm that is named in the graph.
fn by(name: &'static str, guard_bits: u32, window: Window) -> Result<IntGraph, nets::Error> {
    on((20, 6), name, guard_bits, window)
}

/// As [`by`], on so many bits, rows and columns.
fn on(
    (bits, side): (u32, usize),
    name: &'static str,
    guard_bits: u32,
    window: Window,
) -> Result<IntGraph, nets::Error> {
    let mut graph = GraphBuilder::new();
    let input = IntOp::Input {
        shape: Shape::new(2, side, side),
        bits,
        scale: 0,
    };
    let conv = IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 2,
            groups: 1,
            window,
        },
        weight_bits: 8,
        weight_scale: 0,
        by: Algorithm::named(name, guard_bits),
    };
    graph.push("input", input, &[]);
    graph.push("convolution", conv, &[0]);
    graph.push("output", IntOp::Output, &[1]);
    graph.finish()
}

/// Guard bits that are not those of the algorithm, algorithms that there are not, and layers that the
/// algorithm cannot do: a graph may say so, and no plan is made of it.
#[test]
fn algorithms_that_lie_are_refused() {
    let three = Window::square(3, 1, 1);
    let plan = |name, guard_bits, window| {
        let graph = Arc::new(by(name, guard_bits, window).expect("a graph knows names only"));
        SecureNetwork::new(graph, Mode::Faithful, PRICE)
    };
    for (name, guard_bits) in [
        ("direct", 0),
        ("winograd-f2x2-3x3", 2),
        ("winograd-f4x4-3x3", 6),
    ] {
        plan(name, guard_bits, three).expect("it plans");
        // Any other number of guard bits.
        for lie in (0..=44).filter(|&lie| lie != guard_bits) {
            let error = plan(name, lie, three).expect_err("it lies").to_string();
            let said = format!("layer `convolution`: there is no algorithm {name} with");
            assert!(error.starts_with(&said), "{error}");
        }
    }
    for name in ["winograd", "f2x2-3x3", "winograd-f6x6-3x3", "direct-", "x"] {
        let error = plan(name, 0, three).expect_err("there is none");
        assert!(matches!(error, Error::Algorithm { .. }), "{error}");
    }
    let gaps = Window {
        dilation: [2, 2],
        ..three
    };
    for (name, guard_bits, window, said) in [
        ("client-chooses", 0, three, "fully connected"),
        (
            "winograd-f2x2-3x3",
            2,
            Window::square(3, 2, 1),
            "stride 1 x 1",
        ),
        ("winograd-f2x2-3x3", 2, Window::square(5, 1, 2), "5 x 5"),
        ("winograd-f2x2-5x5", 6, three, "3 x 3"),
        ("winograd-f4x4-3x3", 6, gaps, "dilation 1 x 1"),
    ] {
        let error = plan(name, guard_bits, window).expect_err(said).to_string();
        assert!(error.starts_with("layer `convolution`: "), "{error}");
        assert!(error.contains(said), "{error}, not {said}");
    }
}

/// Weights that are prepared for one algorithm are not taken for another, and serve every graph that they
/// are the weights of.
#[test]
fn prepared_weights_serve_every_graph_of_theirs() {
    let three = Window::square(3, 1, 1);
    let mut rng = Rng::new(5);
    let weight = |_| i32::try_from(rng.below(256) - 128).expect("small");
    let layer = LayerWeights {
        weights: (0..36).map(weight).collect(),
        bias: vec![7, -9],
    };
    let graph = by("direct", 0, three).expect("it fits");
    let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
    let kept = ServerWeights::new(Arc::new(weights.clone()));
    for (size, name, guard_bits) in [
        ((20, 6), "winograd-f2x2-3x3", 2),
        ((20, 6), "winograd-f4x4-3x3", 6),
        ((20, 6), "direct", 0),
        ((20, 6), "winograd-f2x2-3x3", 2),
        // Words of 32 and of 64 bits, and other planes.
        ((58, 6), "winograd-f4x4-3x3", 6),
        ((12, 9), "winograd-f4x4-3x3", 6),
        ((62, 3), "winograd-f2x2-3x3", 2),
    ] {
        let graph = on(size, name, guard_bits, three).expect("it fits");
        let image = (0..graph.input().shape.len()).map(|_| rng.next().cast_signed());
        let image: Vec<i64> = image.collect();
        let expected = nets::run_integer(&graph, &weights, &image).expect("it runs");
        let network = SecureNetwork::new(Arc::new(graph), Mode::Faithful, PRICE);
        let network = network.expect("it plans");
        let (served, found, _) = run_sessions(
            3,
            |s| network.serve(s, &kept, &mut |_| {}).map(drop),
            |s| network.infer(s, &image, &mut |_| {}),
        );
        served.expect("it serves");
        assert_eq!(found.expect("it infers").0, expected, "{size:?} {name}");
    }
}
