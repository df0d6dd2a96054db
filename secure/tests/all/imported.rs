//! Random float networks of every operation, imported and run: the secure run equals the clear integers bit for bit, at
//! exactly the planned cost.

use import::{Error, ImportOptions, Preset, WeightBits, quantise};
use nets::{Head, Model, Preprocessing, Source};
use proptest::prelude::*;
use secure::{Algorithms, CpuModel, Mode, Objective, choose_algorithms};
use tests::networks::ints::Rng;
use tests::networks::tiles::PRICE;
use tests::networks::{floats, parties};

/// A network, and images of it; `None` if it cannot be lowered in such widths.
fn imported(seed: u64, preset: Preset) -> Option<(Model, Vec<Vec<f32>>)> {
    let rng = &mut Rng::new(seed);
    let (float, first) = floats::network(rng);
    let (shape, outputs) = (*float.graph.input(), float.graph.output().len());
    let images = vec![first, floats::values(rng, shape.len())];
    let colours = shape.channels;
    let source = Source {
        arch: "random".into(),
        float,
        preprocessing: Preprocessing::new(shape, vec![0.5; colours], vec![0.25; colours]),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    };
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(8),
        activation_bits: 12,
        fraction_bits: 8,
        preset,
        ..ImportOptions::default()
    };
    match quantise(&source, &images, &options) {
        Ok((model, _)) => Some((model, images)),
        Err(Error::Unsupported(_) | Error::Nets(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn check(model: &Model, images: &[Vec<f32>], mode: Mode) {
    for image in images {
        let input = model.public.encode(image).expect("an image");
        let expected = model.run_integer(&input).expect("it runs");
        let found = parties::run(&model.public.graph, &model.weights, &input, mode, 3);
        if mode == Mode::Faithful {
            assert_eq!(found.output, expected, "{:?}", model.public.graph);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn secure_runs_equal_imported_integers(seed: u64, uniform: bool) {
        let preset = if uniform { Preset::Uniform { bits: 44 } } else { Preset::Mixed };
        let Some((model, images)) = imported(seed, preset) else {
            return Ok(());
        };
        // What is stored is what was imported.
        let read = Model::from_bytes(&model.to_bytes()).expect("it is read");
        prop_assert_eq!(&read, &model);
        check(&model, &images, Mode::Faithful);
        check(&model, &images[..1], Mode::Fast);
        let by = Algorithms::Ot(Objective::Bytes);
        let chosen = choose_algorithms(&model, &by, PRICE, &CpuModel::default());
        check(&chosen.expect("it chooses").0, &images, Mode::Faithful);
    }
}

/// What the test above is worth.
#[test]
fn nearly_all_are_imported() {
    let imports = |seed: &u64| imported(*seed, Preset::Mixed).is_some();
    let count = (0..100).filter(imports).count();
    assert!(count > 90, "{count} of 100");
}
