//! X-operators in place of a network's convolutions: what is replaced, by what, and what stays.

use std::collections::BTreeMap;

use ::xop::clear::{Weights, evaluate};
use ::xop::{Spatial, Warning, XOp};
use backbones::{Error, Replacement, XOpOptions, backbone_seeded, replace_convolutions};
use ndarray::Array4;
use nets::{
    FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors, Window,
};
use ring_arith::Bits;

const SEED: [u8; 32] = [3; 32];

fn seeded(arch: &str, side: usize) -> Source {
    backbone_seeded(arch, Shape::new(3, side, side), 10, SEED).expect("it builds")
}

fn replaced(arch: &str, options: &XOpOptions) -> Replacement {
    replace_convolutions(&seeded(arch, 64), options, SEED).expect("it replaces")
}

/// Parameters without running statistics, and multiplications, products with padding counted.
fn size(model: &FloatModel) -> (usize, usize) {
    let counted = model
        .tensors
        .iter()
        .filter(|(name, _)| !name.contains(".running_"));
    let shapes = model.graph.types().to_vec();
    let macs = model
        .graph
        .nodes()
        .iter()
        .zip(&shapes)
        .map(|(node, out)| match &node.op {
            Op::Conv2d { weight, .. } | Op::Linear { weight, .. } => {
                let weights = model
                    .tensors
                    .tensor(weight)
                    .expect("it is there")
                    .data()
                    .len();
                weights * out.plane()
            }
            _ => 0,
        });
    (counted.map(|(_, t)| t.data().len()).sum(), macs.sum())
}

/// The replaced convolutions of a network: channels in and out, kernel, stride, output plane, by
/// name.
fn convolutions(source: &Source, names: &[String]) -> BTreeMap<String, (XOp, usize)> {
    let shapes = source.float.graph.types().to_vec();
    let nodes = source.float.graph.nodes().iter().zip(&shapes);
    let of = nodes.filter_map(|(node, out)| match node.op {
        Op::Conv2d { window, .. } if names.contains(&node.name) => {
            let channels = [shapes[node.inputs[0]].channels, out.channels];
            let [kernel, stride] = [window.kernel[0], window.stride[0]];
            let dense = XOp::new(channels, kernel, stride, Spatial::One, 1).expect("it can be");
            Some((node.name.clone(), (dense, out.plane())))
        }
        _ => None,
    });
    of.collect()
}

#[test]
fn shapes_stay_and_counts_are_the_formula() {
    let [half, quarter] = [Spatial::Half, Spatial::Quarter].map(|spatial| XOpOptions {
        spatial,
        ..XOpOptions::default()
    });
    let grouped = XOpOptions {
        groups: 4,
        pointwise: Some(2),
        ..quarter
    };
    for (arch, options, count) in [
        ("densenet121", half, 58),
        ("densenet121", grouped, 58 + 58 + 3),
        ("resnet18", quarter, 16),
        ("resnet18", grouped, 16 + 3),
        ("resnet50", half, 16),
        ("resnet50", grouped, 16 + 36),
        ("squeezenet", half, 8),
        ("squeezenet", grouped, 8 + 16),
    ] {
        let before = seeded(arch, 64);
        let after = replaced(arch, &options);
        assert_eq!(after.replaced.len(), count, "{arch}");
        assert_eq!(after.kept.len(), 1, "{arch}: the stem stays");
        assert_eq!(after.warning, None);
        assert_eq!(after.source.arch, format!("{arch}-x"));

        // Every layer has the shape that it had.
        let shapes = |source: &Source| -> BTreeMap<String, Shape> {
            let shapes = source.float.graph.types().to_vec();
            let nodes = source.float.graph.nodes().iter();
            nodes.map(|n| n.name.clone()).zip(shapes).collect()
        };
        let (old, new) = (shapes(&before), shapes(&after.source));
        for (name, shape) in &old {
            let last = [".shuffle2", ".pointwise", ""].map(|part| format!("{name}{part}"));
            let found = last.iter().find_map(|name| new.get(name));
            assert_eq!(found, Some(shape), "{arch}: {name}");
        }

        let (mut parameters, mut macs) = size(&before.float);
        for (name, (dense, plane)) in convolutions(&before, &after.replaced) {
            let ([c_in, c_out], k) = (dense.channels(), dense.kernel());
            let (spatial, groups) = if k == 1 {
                (Spatial::Zero, options.pointwise.expect("else it stays"))
            } else {
                (options.spatial, options.groups)
            };
            let weights = spatial.channels(c_in) * k * k + c_in * c_out / groups;
            parameters = parameters - c_in * c_out * k * k + weights;
            macs = macs - c_in * c_out * k * k * plane + weights * plane;
            assert!(weights < c_in * c_out * k * k, "{name}");
        }
        assert_eq!(size(&after.source.float), (parameters, macs), "{arch}");
    }
}

/// A 1 × 1 layer, the convolution to look at, one that can be replaced, and another 1 × 1 layer.
fn sandwich(channels: [usize; 2], window: Window, groups: usize, side: usize) -> Source {
    let [c_in, c_out] = channels;
    let shape = Shape::new(2, side, side);
    let mut graph = GraphBuilder::new();
    let mut tensors = Tensors::new();
    graph.push("input", Op::Input { shape }, &[]);
    let layers = [
        ("first", [2, c_in], Window::square(1, 1, 0), 1),
        ("middle", channels, window, groups),
        ("more", [c_out; 2], Window::square(3, 1, 1), 1),
        ("last", [c_out, 3], Window::square(1, 1, 0), 1),
    ];
    for (i, (name, [from, to], window, groups)) in layers.into_iter().enumerate() {
        let shape = vec![to, from / groups, window.kernel[0], window.kernel[1]];
        let count = shape.iter().product();
        tensors.insert(
            format!("{name}.weight"),
            Tensor::new(shape, vec![1.0; count]),
        );
        let op = Op::Conv2d {
            out_channels: to,
            groups,
            window,
            weight: format!("{name}.weight"),
            bias: None,
        };
        graph.push(name, op, &[i]);
    }
    let graph = graph.finish().expect("it fits");
    let float = FloatModel { graph, tensors };
    float.check().expect("it fits");
    Source {
        arch: "sandwich".into(),
        float,
        preprocessing: Preprocessing::new(shape, vec![0.0; 2], vec![1.0; 2]),
        labels: vec![],
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

/// The lowered graph computes what the operator's own evaluation does.
#[test]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "small integers"
)]
fn the_graph_is_the_operator() {
    for (channels, k, stride, spatial, groups) in [
        ([4, 6], 3, 1, Spatial::Half, 1),
        ([6, 4], 3, 2, Spatial::Quarter, 2),
        ([5, 10], 5, 2, Spatial::Half, 5),
        ([8, 8], 3, 3, Spatial::One, 4),
        ([8, 4], 3, 2, Spatial::Zero, 4),
    ] {
        let window = Window::square(k, stride, k / 2);
        let source = sandwich(channels, window, 1, 9);
        let options = XOpOptions {
            spatial,
            groups,
            pointwise: None,
        };
        let found = replace_convolutions(&source, &options, SEED).expect("it replaces");
        let blind = Warning::OnePixel { kernel: k };
        assert_eq!(found.warning, (spatial == Spatial::Zero).then_some(blind));
        let mut float = found.source.float;
        // Small integers, which floats compute exactly.
        let weight = |name: &str, i: usize| ((i * 7 + name.len() * 3) % 11) as f32 - 5.0;
        let names: Vec<_> = float
            .tensors
            .iter()
            .map(|(n, t)| (n.to_owned(), t.shape().to_vec()))
            .collect();
        for (name, shape) in names {
            let values = (0..shape.iter().product())
                .map(|i| weight(&name, i))
                .collect();
            float.tensors.insert(name, Tensor::new(shape, values));
        }
        let image: Vec<f32> = (0..2 * 81).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
        let mut values: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        let nodes = float.graph.nodes().to_vec();
        let mut observe = |i: usize, v: &[f32]| {
            values.insert(nodes[i].name.clone(), v.to_vec());
        };
        float.run_observed(&image, &mut observe).expect("it runs");

        let bits = Bits::of(60);
        let integers = |name: &str| -> Array4<i32> {
            match float.tensors.tensor(name) {
                Ok(t) => {
                    let shape: [usize; 4] = t.shape().try_into().expect("four");
                    let v: Vec<i32> = (0..t.data().len())
                        .map(|i| weight(name, i) as i32)
                        .collect();
                    Array4::from_shape_vec(shape, v).expect("as many")
                }
                Err(_) => Array4::zeros((0, 1, k, k)),
            }
        };
        let [dw, pw] =
            ["depthwise", "pointwise"].map(|part| integers(&format!("middle.{part}.weight")));
        let x = values["first"]
            .iter()
            .map(|&v| bits.from_signed(v as i64))
            .collect();
        let x = Array4::from_shape_vec((1, channels[0], 9, 9), x).expect("as many");
        let op = XOp::new(channels, k, stride, spatial, groups).expect("possible");
        let weights = Weights {
            depthwise: dw.view(),
            pointwise: pw.view(),
        };
        let y = evaluate(&op, bits, 0, weights, x.view()).expect("it lowers");
        let expected: Vec<f32> = y.iter().map(|&y| bits.to_signed(y) as f32).collect();
        let last = if groups > 1 {
            "middle.shuffle2"
        } else {
            "middle.pointwise"
        };
        let last = if values.contains_key(last) {
            last
        } else {
            "middle.shuffle"
        };
        assert_eq!(values[last], expected, "{op:?}");
    }
}

#[test]
fn what_stays_is_named() {
    let options = XOpOptions::default();
    let wide = Window {
        kernel: [3, 1],
        padding: [1, 0, 1, 0],
        ..Window::square(1, 1, 0)
    };
    for (window, groups, reason) in [
        (Window::square(3, 1, 1), 4, "grouped already"),
        (wide, 1, "not square"),
        (Window::square(3, 1, 0), 1, "not padded to keep the size"),
    ] {
        let source = sandwich([4, 4], window, groups, 9);
        let found = replace_convolutions(&source, &options, SEED).expect("it replaces");
        assert_eq!(found.replaced, ["more"]);
        assert_eq!(found.kept, [("middle".to_owned(), reason)]);
    }
    let mobilenet = seeded("mobilenet-v2", 64);
    let error = backbone_seeded("mobilenet-v2-x", Shape::new(3, 64, 64), 10, SEED);
    let error = error.expect_err("nothing to replace");
    assert!(matches!(error, Error::NothingToReplace));
    let text = error.to_string();
    assert!(
        text.contains("`pointwise` replaces those of 1 x 1"),
        "{text}"
    );
    let grouped = XOpOptions {
        pointwise: Some(4),
        ..options
    };
    let found = replace_convolutions(&mobilenet, &grouped, SEED).expect("it replaces");
    assert_eq!(found.replaced.len(), 16 + 17 + 1);
    let count = |reason| found.kept.iter().filter(|(_, r)| *r == reason).count();
    assert_eq!(
        (
            count("grouped already"),
            count("the first or the last layer")
        ),
        (17, 1)
    );
}

#[test]
fn what_cannot_be_says_what_would_work() {
    let options = XOpOptions {
        groups: 5,
        ..XOpOptions::default()
    };
    let error = replace_convolutions(&seeded("resnet18", 64), &options, SEED);
    assert_eq!(
        error.expect_err("impossible").to_string(),
        "layer `layer1.0.conv1`: 5 groups do not divide 64 input and 64 output channels; \
         1, 2, 4, 8, 16, 32, 64 would"
    );
    for arch in ["vgg-x", "resnet18-x-x"] {
        assert!(
            backbone_seeded(arch, Shape::new(3, 64, 64), 10, SEED).is_err(),
            "{arch}"
        );
    }
}
