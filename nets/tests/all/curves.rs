//! Smooth functions: their values, and networks of floats that have them.

use nets::{Curve, FloatModel, GraphBuilder, Op, Shape, Tensors};

/// The numbers at which values are known.
const X: [f64; 5] = [-6.0, -1.0, 0.0, 0.5, 3.0];

/// From the definitions, by another program.
const VALUES: [(Curve, [f64; 5]); 10] = [
    (
        Curve::Sigmoid,
        [
            0.00247262315663477,
            0.268941421369995,
            0.5,
            0.622459331201855,
            0.952574126822433,
        ],
    ),
    (
        Curve::Tanh,
        [
            -0.999987711650796,
            -0.761594155955765,
            0.0,
            0.46211715726001,
            0.99505475368673,
        ],
    ),
    (
        Curve::Silu,
        [
            -0.0148357389398086,
            -0.268941421369995,
            0.0,
            0.311229665600927,
            2.8577223804673,
        ],
    ),
    (
        Curve::Elu { alpha: 0.5 },
        [-0.498760623911667, -0.316060279414279, 0.0, 0.5, 3.0],
    ),
    (
        Curve::Celu { alpha: 2.0 },
        [-1.90042586326427, -0.786938680574733, 0.0, 0.5, 3.0],
    ),
    (
        Curve::Selu,
        [
            -1.75374144827946,
            -1.11133073781256,
            0.0,
            0.52535049367774,
            3.15210296206644,
        ],
    ),
    (
        Curve::Gelu,
        [
            -5.91952587022621e-09,
            -0.158655253931457,
            0.0,
            0.345731230637007,
            2.99595030590511,
        ],
    ),
    (
        Curve::GeluTanh,
        [
            -8.43964897967453e-11,
            -0.158808009391723,
            0.0,
            0.345714009825144,
            2.99636260791823,
        ],
    ),
    (
        Curve::Softplus,
        [
            0.00247568513773045,
            0.313261687518223,
            std::f64::consts::LN_2,
            0.974076984180107,
            3.04858735157374,
        ],
    ),
    (
        Curve::Mish,
        [
            -0.014854080479425,
            -0.303401461374109,
            0.0,
            0.375245211304895,
            2.98653500496796,
        ],
    ),
];

#[test]
fn values_follow_the_definitions() {
    for (curve, values) in VALUES {
        for (x, expected) in X.into_iter().zip(values) {
            let found = curve.value(x);
            assert!(
                (found - expected).abs() < 1e-14,
                "{curve:?} of {x}: {found}"
            );
        }
        for x in [-1e300, -800.0, 800.0, 1e300] {
            assert!(curve.value(x).is_finite(), "{curve:?} of {x}");
        }
    }
}

#[test]
fn networks_apply_them_to_each_value() {
    #[expect(clippy::cast_possible_truncation, reason = "values are f32")]
    for (curve, values) in VALUES {
        let mut graph = GraphBuilder::new();
        let shape = Shape::new(1, 1, X.len());
        graph.push("input", Op::Input { shape }, &[]);
        graph.push("curve", Op::Curve { curve }, &[0]);
        let (graph, tensors) = (graph.finish().expect("it fits"), Tensors::new());
        let found = FloatModel { graph, tensors }.run(&X.map(|x| x as f32));
        for (found, expected) in found.expect("it runs").iter().zip(values) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{curve:?}");
        }
    }
}

#[test]
fn parameters_without_meaning_are_refused() {
    let bad = [
        Curve::Elu { alpha: f64::NAN },
        Curve::Elu {
            alpha: f64::INFINITY,
        },
        Curve::Celu { alpha: 0.0 },
        Curve::Celu { alpha: -1.0 },
    ];
    for curve in bad {
        let mut graph = GraphBuilder::new();
        let shape = Shape::new(1, 1, 1);
        graph.push("input", Op::Input { shape }, &[]);
        graph.push("curve", Op::Curve { curve }, &[0]);
        let problem = graph.finish().expect_err("it is refused").to_string();
        assert!(problem.contains("its alpha is"), "{problem}");
    }
}

#[test]
fn files_name_them() {
    let op = Op::Curve {
        curve: Curve::Elu { alpha: 0.5 },
    };
    let text = serde_json::to_string(&op).expect("it is written");
    assert_eq!(text, r#"{"op":"curve","curve":{"elu":{"alpha":0.5}}}"#);
    assert_eq!(serde_json::from_str::<Op>(&text).expect("it is read"), op);
}
