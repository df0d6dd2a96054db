//! The choice of algorithms: the same integers, at the cost that was planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use nets::{Algorithm, IntOp, Model, Shape, Window};
use proptest::prelude::*;
use secure::{
    Algorithms, CpuModel, Error, Mode, NetworkSpeed, Objective, SecureNetwork, choose_algorithms,
};
use sharing::CotPrice;
use tests::networks::ints::Rng;
use tests::networks::tiles::PRICE;
use tests::networks::{parties, tiles};

fn chosen(model: &Model, algorithms: &Algorithms) -> Result<Model, Error> {
    Ok(choose_algorithms(model, algorithms, PRICE, &CpuModel::default())?.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_integers_stay_and_the_way_back_is_exact(seed: u64) {
        let mut rng = Rng::new(seed);
        let (model, input) = tiles::network(&mut rng);
        let expected = model.run_integer(&input).expect("it runs");
        let (other, count) = tiles::rewritten(&mut rng, &model);
        let found = other.run_integer(&input).expect("it runs");
        prop_assert_eq!(found, expected, "{:?}", other.public.graph);
        let tiled = |n: &&nets::Node<IntOp>| matches!(&n.op, IntOp::Linear { by, .. } if by.guard_bits() > 0);
        prop_assert_eq!(other.public.graph.nodes().iter().filter(tiled).count(), count);
        prop_assert_eq!(&chosen(&other, &Algorithms::Direct).expect("it chooses"), &model);
        // Clients pin the network and not the choice.
        prop_assert_eq!(other.public.digest(), model.public.digest());
        // What travels is what was chosen.
        let json = serde_json::to_vec(&other.public.graph).expect("JSON");
        let read: nets::IntGraph = serde_json::from_slice(&json).expect("it reads");
        prop_assert_eq!(&read, &other.public.graph);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn secure_equals_the_integers_at_the_planned_cost(seed: u64) {
        let mut rng = Rng::new(seed);
        let (model, input) = tiles::network(&mut rng);
        let expected = model.run_integer(&input).expect("it runs");
        let (other, _) = tiles::rewritten(&mut rng, &model);
        let graph = &other.public.graph;
        let found = parties::run(graph, &other.weights, &input, Mode::Faithful, 3);
        prop_assert_eq!(found.output, expected, "{:?}", graph);
        // Weights transformed in the first run serve the second.
        let again = parties::run(graph, &other.weights, &input, Mode::Fast, 4);
        prop_assert_eq!(again.output.len(), graph.output().shape.len());
    }

    #[test]
    fn the_price_of_a_layer_is_that_of_its_plan(seed: u64) {
        let mut rng = Rng::new(seed);
        let (model, _) = tiles::network(&mut rng);
        let (_, layers) =
            choose_algorithms(&model, &Algorithms::default(), PRICE, &CpuModel::default()).expect("it chooses");
        for layer in layers {
            for candidate in &layer.candidates {
                let one = BTreeMap::from([(layer.name.clone(), candidate.algorithm.clone())]);
                let other = chosen(&model, &Algorithms::Layers(one)).expect("possible");
                let network = SecureNetwork::new(Arc::new(other.public.graph.clone()), Mode::Faithful, PRICE);
                let network = network.expect("it plans");
                // The convolution and the truncation that follows it.
                let at = network.plan().iter().position(|l| l.name == layer.name);
                let mut cost = network.plan()[at.expect("planned")].cost.clone();
                let next = &network.plan()[at.expect("planned") + 1];
                // What a truncation shares with rectifiers is planned, and not chosen.
                if network.plan().iter().any(|l| l.algorithm.starts_with("shared")) {
                    continue;
                }
                if cost != candidate.cost {
                    cost = cost.then(next.cost.clone());
                }
                prop_assert_eq!(&cost, &candidate.cost, "{} {}", layer.name, candidate.algorithm);
            }
        }
    }

    #[test]
    fn a_fast_truncation_after_a_tile_keeps_its_law(seed: u64, shift in 1_u32..10) {
        let input: Vec<i64> = {
            let mut rng = Rng::new(seed);
            (0..42).map(|_| rng.below(1 << 10) - (1 << 9)).collect()
        };
        let exact = one_layer(seed, None).run_integer(&input).expect("it runs");
        let model = chosen(&one_layer(seed, Some(shift)), &Algorithms::Winograd { outputs: 4 });
        let model = model.expect("it is possible");
        let fast = parties::run(&model.public.graph, &model.weights, &input, Mode::Fast, 7).output;
        for (x, y) in exact.iter().zip(fast) {
            let floor = x >> shift;
            let whole = x & ((1 << shift) - 1) == 0;
            prop_assert!(y == floor || (!whole && y == floor + 1), "{x} by {shift}: {y}");
        }
    }
}

/// A convolution with random weights, whose bias is the rounding constant of the truncation.
fn one_layer(seed: u64, shift: Option<u32>) -> Model {
    let mut rng = Rng::new(seed);
    let mut net = tiles::Net::default();
    let (shape, bits, scale) = (Shape::new(1, 6, 7), 30, 0);
    let input = IntOp::Input { shape, bits, scale };
    let x = net.push(input, &[]).expect("it fits");
    let y = net.conv(&mut rng, x, Window::square(3, 1, 1));
    let y = y.expect("it fits");
    let half = shift.map_or(0, |shift| 1 << (shift - 1));
    let layer = net.layers.get_mut(&y).expect("its weights");
    layer.bias.fill(half);
    if let Some(shift) = shift {
        let rounded = true;
        net.push(IntOp::TruncReduce { shift, rounded }, &[y])
            .expect("it fits");
    }
    net.finish()
}

/// A convolution of 2 x 8 x 8 in a ring.
fn layer(bits: u32, window: Window) -> Model {
    let mut net = tiles::Net::default();
    let (shape, scale) = (Shape::new(2, 8, 8), 0);
    let input = IntOp::Input { shape, bits, scale };
    let x = net.push(input, &[]).expect("it fits");
    net.conv(&mut Rng::new(1), x, window).expect("it fits");
    net.finish()
}

#[test]
fn what_cannot_be_is_refused_with_advice() {
    let four = Algorithms::Winograd { outputs: 4 };
    let refused = |model: &Model, algorithms: &Algorithms| {
        chosen(model, algorithms).expect_err("refused").to_string()
    };
    for (bits, window, said) in [
        (
            20,
            Window::square(3, 2, 1),
            "needs stride 1 x 1, not 2 x 2; the direct",
        ),
        (
            20,
            Window::square(5, 1, 2),
            "F(2x2, 5x5) and the direct convolution do",
        ),
        (20, Window::square(7, 1, 3), "the direct convolution does"),
        (
            60,
            Window::square(3, 1, 1),
            "F(2x2, 3x3) or the direct convolution",
        ),
    ] {
        let model = layer(bits, window);
        let error = refused(&model, &four);
        assert!(error.contains("`node1`") && error.contains(said), "{error}");
        assert!(matches!(
            chosen(&model, &four),
            Err(Error::Refused(layers)) if layers.len() == 1
        ));
        chosen(&model, &Algorithms::default()).expect("auto always finds one");
    }
    let model = layer(20, Window::square(3, 1, 1));
    let three = refused(&model, &Algorithms::Winograd { outputs: 3 });
    assert!(three.contains("none of 3 x 3"), "{three}");
    let direct = BTreeMap::from([("nobody".to_owned(), Algorithm::DIRECT)]);
    let nobody = refused(&model, &Algorithms::Layers(direct));
    assert!(nobody.contains("`nobody`"), "{nobody}");
    for (bytes_per_s, rtt_s) in [
        (0.0, 0.0),
        (f64::NAN, 0.0),
        (1.0, -1.0),
        (1.0, f64::INFINITY),
    ] {
        let network = Objective::Time(NetworkSpeed { bytes_per_s, rtt_s });
        let error = chosen(&model, &Algorithms::Auto(network)).expect_err("refused");
        assert!(
            matches!(
                error,
                Error::Option {
                    option: "network",
                    ..
                }
            ),
            "{error}"
        );
    }
    // A 1 x 1 convolution is a matrix product whatever is asked for.
    let point = layer(20, Window::square(1, 1, 0));
    assert_eq!(chosen(&point, &four).expect("it is possible"), point);
}

#[test]
fn the_reason_is_told() {
    let reason = |model: &Model| {
        let ot = Algorithms::Ot(Objective::Bytes);
        let chosen = choose_algorithms(model, &ot, PRICE, &CpuModel::default());
        chosen.expect("it chooses").1[0].why.clone()
    };
    for (bits, window, said) in [
        (20, Window::square(1, 1, 0), "direct: ring-lwe takes"),
        (20, Window::square(3, 2, 1), "stride 2 x 2"),
        (20, Window::square(7, 1, 3), "direct: ring-lwe takes"),
        (
            63,
            Window::square(3, 1, 1),
            "a ring of 63 + 2 bits exceeds 64",
        ),
    ] {
        let why = reason(&layer(bits, window));
        assert!(why.starts_with("direct: ") && why.contains(said), "{why}");
    }
    let why = reason(&layer(20, Window::square(3, 1, 1)));
    assert!(why.contains("times the bytes"), "{why}");
}

#[test]
fn the_objective_decides() {
    // Many channels of a small image: F(4x4) takes fewest bytes online, and most correlations.
    let mut net = tiles::Net::default();
    let (shape, bits, scale) = (Shape::new(64, 28, 28), 26, 0);
    let input = IntOp::Input { shape, bits, scale };
    let x = net.push(input, &[]).expect("it fits");
    net.conv(&mut Rng::new(1), x, Window::square(3, 1, 1))
        .expect("it fits");
    let (model, constants) = (net.finish(), CpuModel::default());
    let by = |algorithms: &Algorithms, price| {
        let chosen = choose_algorithms(&model, algorithms, price, &constants);
        chosen.expect("it chooses").1[0].chosen.clone()
    };
    let best = |objective, price| by(&Algorithms::Ot(objective), price);
    let f4 = Algorithm::named("winograd-f4x4-3x3", 6);
    assert_eq!(best(Objective::Bytes, CotPrice::FREE), f4);
    assert_eq!(best(Objective::Flights, CotPrice::FREE), Algorithm::DIRECT);
    let (bytes_per_s, rtt_s) = (1e12, 10.0);
    let far = Objective::Time(NetworkSpeed { bytes_per_s, rtt_s });
    assert_eq!(best(far, CotPrice::FREE), Algorithm::DIRECT);
    // At this price of a correlation nothing but their number counts.
    assert_eq!(
        best(Objective::Bytes, CotPrice::bits(1 << 20)),
        Algorithm::DIRECT
    );
    let all = by(&Algorithms::default(), CotPrice::FREE);
    assert_eq!(all, Algorithm::named("ring-lwe", 1));
}

/// Keys are sent once, so that they do not pay for a single small layer.
#[test]
fn keys_count_for_all_layers_together() {
    let homomorphic = |layers: usize| {
        let mut net = tiles::Net::default();
        let (shape, bits, scale) = (Shape::new(8, 24, 24), 24, 0);
        let input = IntOp::Input { shape, bits, scale };
        let x = net.push(input, &[]).expect("it fits");
        for _ in 0..layers {
            // By OT it takes half as much again as by ring-LWE, which saves less than keys take.
            let window = Window::square(1, 1, 0);
            net.conv(&mut Rng::new(4), x, window).expect("it fits");
        }
        let chosen = choose_algorithms(
            &net.finish(),
            &Algorithms::default(),
            PRICE,
            &CpuModel::default(),
        );
        let choices = chosen.expect("it chooses").1;
        let names = choices.iter().map(|choice| choice.chosen.name());
        names.filter(|name| name.starts_with("ring-lwe")).count()
    };
    assert_eq!(homomorphic(1), 0);
    assert_eq!(homomorphic(24), 24);
}

#[test]
fn a_tile_that_lies_is_refused() {
    let model = layer(20, Window::square(3, 1, 1));
    let model = chosen(&model, &Algorithms::Winograd { outputs: 4 }).expect("it is possible");
    let json = String::from_utf8(serde_json::to_vec(&model.public.graph).expect("JSON"));
    let json = json.expect("text");
    for (truth, lie) in [
        ("winograd-f4x4-3x3", "winograd-f2x2-5x5"),
        ("winograd-f4x4-3x3", "winograd-f9x9-3x3"),
        ("winograd-f4x4-3x3", "Winograd\\u001b[2J"),
        ("\"guard_bits\":6", "\"guard_bits\":5"),
        ("\"guard_bits\":6", "\"guard_bits\":4294967295"),
        ("\"stride\":[1,1]", "\"stride\":[2,1]"),
        ("\"bits\":20", "\"bits\":59"),
    ] {
        assert!(json.contains(truth), "{truth} in {json}");
        let lied = json.replacen(truth, lie, 1);
        // Either the graph does not hold together, or there is no such protocol.
        let planned = serde_json::from_str::<nets::IntGraph>(&lied)
            .map_err(|e| e.to_string())
            .and_then(|graph| {
                let network = SecureNetwork::new(Arc::new(graph), Mode::Faithful, PRICE);
                network.map(drop).map_err(|e| e.to_string())
            });
        assert!(planned.is_err(), "{lie}");
    }
}
