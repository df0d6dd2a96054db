//! Linear layers by ring-LWE: large ones with extreme weights, and what a wrong peer says.

use channel::Cost;
use linear::{
    ConvSpec, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, RingLwe,
    clear,
};
use ring_arith::{Bits, slices};
use sharing::Session;
use testkit::{elements, rng, run_sessions};

fn layer(channels: [usize; 2], size: usize, kernel: usize, groups: usize) -> LinearLayer {
    let padding = [kernel / 2; 4];
    let spec = ConvSpec::new(channels, [size; 2], [kernel; 2], [1; 2], padding, groups);
    LinearLayer {
        shape: LinearShape::Conv(spec.expect("possible")),
        weight_bits: Bits::of(10),
        bits: Bits::of(26),
    }
}

fn set_up(protocol: &dyn LinearProtocol, session: &mut Session) {
    for item in protocol.set_up() {
        item.run(session).expect("the set-up succeeds");
    }
    session.mark();
}

/// A run with weights that are given; checks every result and the cost, and gives it.
fn run(algorithm: RingLwe, layer: &LinearLayer, weights: &[i32]) -> Cost {
    let protocol = &*algorithm.plan(layer).expect("it has a plan");
    let mut rng = rng(5);
    let [server, client] = [0; 2].map(|_| elements(layer.shape.input_len(), layer.bits, &mut rng));
    let bias: Vec<i64> = (0..layer.shape.channels()).map(|c| c as i64 - 9).collect();
    let parameters = LayerParameters {
        weights,
        bias: &bias,
    };
    let (ys, yc, cost) = run_sessions(
        1,
        |s| {
            set_up(protocol, s);
            let prepared = protocol.prepare(parameters).expect("the layer's");
            s.run(async |party| protocol.serve(party, parameters, &prepared, &server).await)
        },
        |s| {
            set_up(protocol, s);
            s.run(async |party| protocol.request(party, &client).await)
        },
    );
    let (ys, yc) = (
        ys.expect("the server succeeds"),
        yc.expect("the client succeeds"),
    );
    assert_eq!(cost, protocol.cost());
    let x = slices::add(layer.bits, &server, &client);
    let mut expected = clear::layer(layer, weights, &x);
    linear::add_bias(layer.bits, &mut expected, &bias);
    let ring = protocol.output_bits();
    let y: Vec<u64> = slices::add(ring, &ys, &yc).iter().map(|y| y >> 1).collect();
    assert_eq!(y, expected);
    cost
}

/// All weights at one end of their range, or at either.
fn extreme(layer: &LinearLayer) -> [Vec<i32>; 2] {
    let n = layer.shape.weight_len();
    let ends = elements(n, Bits::of(1), &mut rng(3));
    let either = ends.iter().map(|&end| if end == 0 { -512 } else { 511 });
    [vec![-512; n], either.collect()]
}

#[test]
fn large_layers_are_exact() {
    let cases = [
        (layer([128, 32], 28, 3, 1), 900_000),
        (layer([64, 128], 56, 1, 1), 3_800_000),
    ];
    for (layer, most) in cases {
        for weights in extreme(&layer) {
            let bytes = run(RingLwe { packed: true }, &layer, &weights).bytes();
            assert!(bytes <= most, "{bytes} bytes");
        }
        run(RingLwe { packed: false }, &layer, &extreme(&layer)[0]);
    }
}
