//! Linear layers by ring-LWE: large ones with extreme weights, and every kind of layout.

use channel::{Cost, Role};
use linear::{
    ConvSpec, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, RingLwe,
    clear,
};
use ring_arith::{Bits, slices};
use sharing::{Party, Session};
use testkit::{Transcript, elements, rng, run_sessions, run_sessions_over};

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
    let bias: Vec<i64> = (-9..).take(layer.shape.channels()).collect();
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

/// Layers that differ in all that a layout knows of, with weights and rings of other widths.
#[test]
fn layers_of_all_kinds_are_exact() {
    let conv = |channels, input, kernel: [usize; 2], stride, dilation, groups| {
        let [rows, columns] = kernel.map(|k| k / 2);
        let padding = [rows, columns, rows, columns];
        let spec = ConvSpec::new(channels, input, kernel, stride, padding, groups);
        LinearShape::Conv(
            spec.and_then(|spec| spec.dilated(dilation))
                .expect("possible"),
        )
    };
    let shapes = [
        // Depthwise, packed; depthwise in several tiles; groups that share ciphertexts.
        conv([96, 96], [14, 14], [3, 3], [1, 1], [1, 1], 96),
        conv([4, 4], [90, 100], [3, 3], [2, 2], [1, 1], 4),
        conv([24, 48], [9, 9], [3, 3], [1, 1], [1, 1], 8),
        // Strides: phases of the input, and positions that nothing needs.
        conv([3, 16], [64, 64], [7, 7], [2, 2], [1, 1], 1),
        conv([32, 48], [28, 28], [1, 1], [2, 2], [1, 1], 1),
        // Dilated, also beyond the input; a kernel with one row; two strides.
        conv([8, 8], [20, 20], [3, 3], [1, 1], [4, 4], 1),
        conv([2, 3], [5, 5], [3, 3], [1, 1], [1, 1], 1),
        conv([5, 7], [13, 90], [1, 5], [1, 3], [1, 2], 1),
        // Wide outputs of few channels.
        conv([2, 100], [10, 10], [1, 1], [1, 1], [1, 1], 1),
        LinearShape::FullyConnected {
            inputs: 600,
            outputs: 130,
        },
    ];
    for (weight_bits, bits) in [(8, 24), (12, 30), (14, 40)] {
        for shape in shapes {
            let (weight_bits, bits) = (Bits::of(weight_bits), Bits::of(bits));
            let layer = LinearLayer {
                shape,
                weight_bits,
                bits,
            };
            let weights = testkit::weights(shape.weight_len(), weight_bits, &mut rng(4));
            for packed in [false, true] {
                run(RingLwe { packed }, &layer, &weights);
            }
        }
    }
}

/// However the work is split among threads.
#[test]
fn threads_do_not_change_what_is_said() {
    let layer = layer([24, 40], 20, 3, 1);
    let protocol = &*RingLwe { packed: true }
        .plan(&layer)
        .expect("it has a plan");
    let x = &vec![77; layer.shape.input_len()];
    let parameters = LayerParameters {
        weights: &vec![-3; layer.shape.weight_len()],
        bias: &[0; 40],
    };
    let prepared = &protocol.prepare(parameters).expect("the layer's");
    let said = [1, 3].map(|threads| {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let [server, client] = [pool(), pool()].map(|pool| pool.expect("threads are there"));
        let transcript = Transcript::new();
        run_sessions_over(
            &transcript.line(),
            1,
            |s| {
                set_up(protocol, s);
                let serve =
                    async |party: &Party<'_>| protocol.serve(party, parameters, prepared, x).await;
                server
                    .install(|| s.run(serve))
                    .expect("the server succeeds")
            },
            |s| {
                set_up(protocol, s);
                let request = async |party: &Party<'_>| protocol.request(party, x).await;
                client
                    .install(|| s.run(request))
                    .expect("the client succeeds")
            },
        );
        [Role::Server, Role::Client].map(|role| transcript.digest(role))
    });
    assert_eq!(said[0], said[1]);
}

/// The same layer with the same inputs, twice in a session.
#[test]
fn nothing_is_said_twice() {
    let layer = layer([2, 3], 8, 3, 1);
    let protocol = &*RingLwe { packed: true }
        .plan(&layer)
        .expect("it has a plan");
    let weights = testkit::weights(layer.shape.weight_len(), layer.weight_bits, &mut rng(4));
    let parameters = LayerParameters {
        weights: &weights,
        bias: &[0; 3],
    };
    let x = vec![1; layer.shape.input_len()];
    let (server, client, _) = run_sessions(
        1,
        |s| {
            set_up(protocol, s);
            let prepared = protocol.prepare(parameters).expect("the layer's");
            [(); 2].map(|()| {
                s.run(async |party| protocol.serve(party, parameters, &prepared, &x).await)
                    .expect("the server succeeds")
            })
        },
        |s| {
            set_up(protocol, s);
            [(); 2].map(|()| {
                s.run(async |party| protocol.request(party, &x).await)
                    .expect("the client succeeds")
            })
        },
    );
    for shares in [server, client] {
        let equal = shares[0].iter().zip(&shares[1]).filter(|(a, b)| a == b);
        assert_eq!(equal.count(), 0, "shares are equal by chance only");
    }
}
