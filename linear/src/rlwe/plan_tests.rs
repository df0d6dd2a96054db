//! Plans of whole networks and of extreme layers.

use ring_arith::Bits;

use super::plan::Plan;
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
            println!("{said}");
            assert!(actual < 1.01 * expected, "{said}");
        }
    }
}
