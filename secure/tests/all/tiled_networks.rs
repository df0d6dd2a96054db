//! What Winograd's algorithm saves of trained networks, which compute the same integers with it.

use std::sync::Arc;

use backbones::backbone;
use import::{ImportOptions, Preset};
use nets::{IntOp, LayerShape, Model, Source, StateDict};
use secure::{Algorithms, CpuModel, Mode, SecureNetwork, choose_algorithms};
use sharing::CotPrice;
use tests::networks::trained;

/// Bits of refill per correlated OT, as with SoftSpokenOT at k = 4.
const PRICE: CotPrice = CotPrice::bits(32);

/// Traffic of the convolutions that a test is about: online, and with the refill.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    online: f64,
    whole: f64,
}

/// Of the convolutions with these kernels, and of the whole network.
fn traffic(model: &Model, kernels: &[usize]) -> [Traffic; 2] {
    let graph = &model.public.graph;
    let network =
        SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, PRICE).expect("it plans");
    let mut sums = [Traffic::default(); 2];
    for layer in network.plan() {
        let online = layer.cost.bytes() as f64;
        let refill = layer.cost.cots.total() as f64 * PRICE.as_bits() / 8.0;
        let node = graph.nodes().iter().find(|n| n.name == layer.name);
        let window = match node.expect("planned from the graph").op {
            IntOp::Linear {
                shape: LayerShape::Conv { window, .. },
                ..
            } => Some(window),
            _ => None,
        };
        let counts = window.is_some_and(|w| kernels.contains(&w.kernel[0]));
        for sum in sums.iter_mut().skip(usize::from(!counts)) {
            sum.online += online;
            sum.whole += online + refill;
        }
    }
    sums
}

fn by(model: &Model, algorithms: &Algorithms) -> Model {
    let constants = CpuModel::default();
    choose_algorithms(model, algorithms, PRICE, &constants)
        .expect("it chooses")
        .0
}

/// Checks that the integers of the first samples are the same; returns how many times less the
/// convolutions take online.
fn saving(name: &str, model: &Model, samples: &[Vec<f32>], kernels: &[usize]) -> f64 {
    let direct = by(model, &Algorithms::Direct);
    for sample in samples.iter().take(2) {
        let input = model.public.encode(sample).expect("the right size");
        let found = model.run_integer(&input).expect("it runs");
        assert_eq!(found, direct.run_integer(&input).expect("it runs"));
    }
    let (before, after) = (traffic(&direct, kernels), traffic(model, kernels));
    let ratios = |what: &str, k: usize| {
        eprintln!(
            "{name}, {what}: online {:.1} -> {:.1} MB, {:.3} times less; with refill {:.1} -> {:.1} MB, {:.3}",
            before[k].online / 1e6,
            after[k].online / 1e6,
            before[k].online / after[k].online,
            before[k].whole / 1e6,
            after[k].whole / 1e6,
            before[k].whole / after[k].whole,
        );
    };
    ratios("convolutions", 0);
    ratios("whole network", 1);
    before[0].online / after[0].online
}

fn densenet() -> Option<(Source, trained::Reference)> {
    let (folder, name) = (trained::models()?, "densenet_bc100_k12_cifar10");
    let weights = folder.join(format!("weights/{name}/{name}.safetensors"));
    let dict = StateDict::load(&weights).expect("the weights load");
    let source = backbone("densenet-bc100", dict).expect("the weights are of a DenseNet-BC");
    Some((source, trained::reference(&folder, name)))
}

#[test]
fn resnet20_takes_half_the_convolution_traffic() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let (model, _) = trained::imported(&source, &samples, &ImportOptions::default());
    let saving = saving("ResNet-20", &model, &samples, &[1, 3]);
    assert!(saving >= 2.0, "{saving}");
}

#[test]
fn densenet_takes_half_the_traffic_of_its_3x3_layers() {
    let Some((source, reference)) = densenet() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let (model, _) = trained::imported(&source, &samples, &ImportOptions::default());
    let saving = saving("DenseNet-BC-100", &model, &samples, &[3]);
    assert!(saving >= 2.0, "{saving}");
}

#[test]
fn one_ring_for_all_keeps_its_integers() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let options = ImportOptions {
        preset: Preset::Uniform { bits: 37 },
        ..ImportOptions::default()
    };
    let (model, _) = trained::imported(&source, &samples[..3], &options);
    saving("ResNet-20, one ring of 37 bits", &model, &samples, &[1, 3]);
}
