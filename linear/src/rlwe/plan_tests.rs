//! Plans of whole networks and of extreme layers.

use ::rlwe::DEGREE;
use proptest::prelude::*;
use ring_arith::Bits;

use super::plan::Plan;
use super::price::Counts;
use crate::{ConvSpec, LinearLayer, LinearShape};

/// The layers of a network with weights of `weight_bits` bits and inputs of `input_bits`.
struct Network {
    layers: Vec<LinearLayer>,
    weight_bits: u32,
    input_bits: u32,
}

impl Network {
    fn new(weight_bits: u32, input_bits: u32) -> Self {
        Self {
            layers: Vec::new(),
            weight_bits,
            input_bits,
        }
    }

    fn conv(
        &mut self,
        channels: [usize; 2],
        size: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> usize {
        self.padded(channels, size, kernel, stride, kernel / 2, groups)
    }

    fn padded(
        &mut self,
        channels: [usize; 2],
        size: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        groups: usize,
    ) -> usize {
        let spec = ConvSpec::new(
            channels,
            [size; 2],
            [kernel; 2],
            [stride; 2],
            [padding; 4],
            groups,
        );
        let spec = spec.expect("possible");
        self.push(LinearShape::Conv(spec), 0);
        spec.output_shape()[1]
    }

    fn connected(&mut self, inputs: usize, outputs: usize) {
        self.push(LinearShape::FullyConnected { inputs, outputs }, 6);
    }

    fn push(&mut self, shape: LinearShape, wider: u32) {
        self.layers.push(LinearLayer {
            shape,
            weight_bits: Bits::of(self.weight_bits),
            bits: Bits::of(self.weight_bits + self.input_bits + wider),
        });
    }

    /// Megabytes of all layers.
    fn megabytes(&self, packed: bool) -> f64 {
        let plans = self.layers.iter();
        let plans = plans.map(|layer| Plan::new(layer, packed).expect("it has a plan"));
        let bytes: usize = plans
            .map(|plan| plan.bytes_up(1) + plan.bytes_down(1))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "compared with a rounded figure")]
        let bytes = bytes as f64;
        bytes / 1e6
    }
}

fn densenet121(size: usize, classes: usize) -> Network {
    let mut network = Network::new(10, 16);
    network.conv([3, 64], size, 7, 2, 1);
    let (mut channels, mut size) = (64, size / 4);
    for (block, layers) in [6, 12, 24, 16].into_iter().enumerate() {
        for _ in 0..layers {
            network.conv([channels, 128], size, 1, 1, 1);
            network.conv([128, 32], size, 3, 1, 1);
            channels += 32;
        }
        if block < 3 {
            network.conv([channels, channels / 2], size, 1, 1, 1);
            (channels, size) = (channels / 2, size / 2);
        }
    }
    network.connected(channels, classes);
    network
}

fn resnet50() -> Network {
    let mut network = Network::new(10, 16);
    network.conv([3, 64], 224, 7, 2, 1);
    let (mut channels, mut size) = (64, 56);
    for (stage, (blocks, width)) in [(3, 64), (4, 128), (6, 256), (3, 512)]
        .into_iter()
        .enumerate()
    {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            network.conv([channels, width], size, 1, 1, 1);
            let next = network.conv([width, width], size, 3, stride, 1);
            if block == 0 {
                network.conv([channels, 4 * width], size, 1, stride, 1);
            }
            size = next;
            network.conv([width, 4 * width], size, 1, 1, 1);
            channels = 4 * width;
        }
    }
    network.connected(channels, 1000);
    network
}

fn squeezenet11() -> Network {
    let pool = |size: usize| (size - 3).div_ceil(2) + 1;
    let mut network = Network::new(10, 16);
    let mut size = pool(network.padded([3, 64], 224, 3, 2, 0, 1));
    let mut channels = 64;
    let fires = [
        (16, 64),
        (16, 64),
        (32, 128),
        (32, 128),
        (48, 192),
        (48, 192),
        (64, 256),
        (64, 256),
    ];
    for (number, (squeeze, expand)) in fires.into_iter().enumerate() {
        network.conv([channels, squeeze], size, 1, 1, 1);
        network.conv([squeeze, expand], size, 1, 1, 1);
        network.conv([squeeze, expand], size, 3, 1, 1);
        channels = 2 * expand;
        if [1, 3].contains(&number) {
            size = pool(size);
        }
    }
    network.conv([channels, 1000], size, 1, 1, 1);
    network
}

fn mobilenet_v2() -> Network {
    let mut network = Network::new(14, 18);
    let mut size = network.conv([3, 32], 224, 3, 2, 1);
    let mut channels = 32;
    let stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    for (times, width, blocks, stride) in stages {
        for block in 0..blocks {
            let wide = channels * times;
            if times > 1 {
                network.conv([channels, wide], size, 1, 1, 1);
            }
            size = network.conv(
                [wide, wide],
                size,
                3,
                if block == 0 { stride } else { 1 },
                wide,
            );
            network.conv([wide, width], size, 1, 1, 1);
            channels = width;
        }
    }
    network.conv([channels, 1280], size, 1, 1, 1);
    network.connected(1280, 1000);
    network
}

#[test]
fn networks_are_as_small_as_the_model_says() {
    let cases = [
        ("DenseNet-121", densenet121(224, 1000), [148.4, 268.8]),
        (
            "DenseNet-121 of 320 pixels",
            densenet121(320, 14),
            [294.4, 419.7],
        ),
        ("ResNet-50", resnet50(), [147.7, 265.5]),
        ("SqueezeNet 1.1", squeezenet11(), [30.2, 44.7]),
        ("MobileNetV2", mobilenet_v2(), [111.0, 283.2]),
    ];
    for (name, network, expected) in cases {
        for (packed, expected) in [true, false].into_iter().zip(expected) {
            let actual = network.megabytes(packed);
            let said = format!("{name}, packed {packed}: {actual} MB, not {expected}");
            assert!(actual < 1.01 * expected, "{said}");
        }
    }
}

#[test]
fn plans_are_those_of_the_model() {
    let networks = [densenet121(224, 1000), resnet50(), mobilenet_v2()];
    // Network, layer, requests, products, responses.
    let cases = [
        // The stem, in four tiles; 1 × 1 and 3 × 3 at 56 × 56; 3 × 3 at 28 × 28.
        (0, 0, [48, 3072, 256]),
        (0, 1, [64, 8192, 128]),
        (0, 2, [128, 4096, 32]),
        (0, 15, [32, 1024, 8]),
        // 1 × 1 by stride 2, which keeps one of four phases; 3 × 3 by stride 2.
        (1, 13, [64, 32768, 128]),
        (1, 12, [128, 16384, 32]),
        // Depthwise at 56 × 56, at 14 × 14, and by stride 2.
        (2, 7, [144, 144, 144]),
        (2, 22, [24, 384, 24]),
        (2, 4, [384, 384, 96]),
    ];
    for (network, layer, expected) in cases {
        let layer = &networks[network].layers[layer];
        let counts = Plan::new(layer, true).expect("it has a plan").counts;
        let actual = [counts.requests, counts.products, counts.responses];
        assert_eq!(actual, expected, "{layer:?}");
    }
}

/// Sizes of any order of magnitude.
fn any_size() -> impl Strategy<Value = usize> {
    (0_u32..28, any::<usize>()).prop_map(|(bits, x)| 1 + x % (1 << bits))
}

/// Convolutions of any size that can be counted. Most sizes are small, so that some are possible.
fn any_conv() -> impl Strategy<Value = LinearShape> {
    let size = || prop_oneof![2 => 1_usize..4, 1 => any_size()];
    let pair = move || [size(), size()];
    // The size of a kernel takes time to count.
    let kernel = [1_usize..4, 1..4].prop_union([1..1 << 14, 1..4]);
    let sizes = (pair(), pair(), kernel, pair(), pair(), size());
    let side = || prop_oneof![2 => 0_usize..4, 1 => any_size()];
    let padding = [side(), side(), side(), side()];
    let all = (sizes, padding).prop_map(|(sizes, padding)| {
        let (channels, input, kernel, stride, dilation, groups) = sizes;
        let channels = channels.map(|c| c.saturating_mul(groups));
        let spec = ConvSpec::new(channels, input, kernel, stride, padding, groups);
        let spec = spec.and_then(|spec| spec.dilated(dilation));
        spec.ok().map(LinearShape::Conv)
    });
    all.prop_filter_map("it can be counted", |shape| shape)
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_local_rejects: u32::MAX,
        ..ProptestConfig::with_cases(5000)
    })]

    /// None takes more time or memory than others, whatever its sizes.
    #[test]
    fn layers_of_any_size_are_planned_or_refused(
        shape in any_conv(),
        widths in [1_u32..=32, 1_u32..=64],
        packed: bool,
    ) {
        let [weight_bits, bits] = widths.map(Bits::of);
        let layer = LinearLayer { shape, weight_bits, bits };
        if let Ok(plan) = Plan::new(&layer, packed) {
            let layout = &plan.layout;
            prop_assert!(layout.used() <= DEGREE && layout.span() <= layout.used());
            prop_assert!(layout.shift() < DEGREE);
            prop_assert!(plan.levels == 0 || packed && 1 << plan.levels == layout.lanes);
            prop_assert!(plan.levels <= plan.format.levels());
            prop_assert_eq!(plan.counts, Counts::new(layout, plan.levels));
        }
    }
}

#[test]
fn layers_that_are_too_large_are_refused() {
    let connected = |inputs, outputs, bits| LinearLayer {
        shape: LinearShape::FullyConnected { inputs, outputs },
        weight_bits: Bits::of(10),
        bits: Bits::of(bits),
    };
    assert!(Plan::new(&connected(usize::MAX, usize::MAX, 26), true).is_err());
    assert!(Plan::new(&connected(1 << 28, 2, 26), true).is_err());
    assert!(Plan::new(&connected(1 << 20, 2, 26), true).is_ok());
    let refusal = Plan::new(&connected(9, 9, 41), true).expect_err("too wide");
    assert!(refusal.to_string().contains("ring of 41"), "{refusal}");
}
