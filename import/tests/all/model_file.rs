//! The model file: what is written is read, and nothing damaged is.

use nets::{
    Error, FloatModel, GraphBuilder, Head, Model, Op, Picture, Preprocessing, PublicModel, Samples,
    Shape, StateDict, Tensor, Tensors, Window,
};
use proptest::prelude::*;
use tests::networks::ints;

/// A small model, imported.
fn model() -> Model {
    let rng = &mut ints::Rng::new(1);
    let mut tensor = |shape: &[usize]| {
        let n = shape.iter().product();
        let value = |_| f32::from(i16::try_from(rng.below(2000) - 1000).expect("small")) / 1000.0;
        Tensor::new(shape.to_vec(), (0..n).map(value).collect())
    };
    let mut tensors = Tensors::new();
    tensors.insert("conv", tensor(&[4, 1, 3, 3]));
    tensors.insert("fc", tensor(&[2, 4]));
    tensors.insert("bias", tensor(&[2]));
    let shape = Shape::new(1, 6, 6);
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    let window = Window::square(3, 1, 1);
    let conv = Op::Conv2d {
        out_channels: 4,
        groups: 1,
        window,
        weight: "conv".into(),
        bias: None,
    };
    graph.push("conv", conv, &[0]);
    graph.push("relu", Op::Relu, &[1]);
    graph.push("pool", Op::GlobalAvgPool, &[2]);
    let bias = Some("bias".into());
    graph.push(
        "fc",
        Op::Linear {
            out_features: 2,
            weight: "fc".into(),
            bias,
        },
        &[3],
    );
    let source = nets::Source {
        arch: "test".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.1 + 0.2], vec![0.3]),
        labels: vec!["no".into(), "yes".into()],
        head: Head::Softmax,
        parts: Vec::new(),
    };
    let sample: Vec<f32> = tensor(&[36]).data().to_vec();
    let (model, report) = import::quantise(&source, &[sample], &import::ImportOptions::default())
        .expect("it imports");
    assert_eq!((report.wrapped, report.same_top), (0, 1));
    model
}

#[test]
fn what_is_written_is_read() {
    let model = model();
    let bytes = model.to_bytes();
    assert_eq!(Model::from_bytes(&bytes).expect("it reads"), model);
    assert_eq!(
        Model::from_bytes(&bytes).expect("it reads").to_bytes(),
        bytes
    );
}

#[test]
fn tensors_of_many_pieces_are_read() {
    let mut model = model();
    for (name, length) in [("a", 40_001), ("b", 3), ("c", 16_384), ("d", 65_537)] {
        let values = (0..length).map(|i: u32| (i as f32).sin()).collect();
        let tensor = Tensor::new(vec![length as usize], values);
        model.float.tensors.insert(name, tensor);
    }
    let bytes = model.to_bytes();
    assert_eq!(Model::from_bytes(&bytes).expect("it reads"), model);
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let bytes = model().to_bytes();
    let end = 56 + usize::from_le_bytes(bytes[8..16].try_into().expect("eight bytes"));
    let header = String::from_utf8(bytes[56..end].to_vec()).expect("JSON is text");
    let at = header.rfind("\"offset\":").expect("an index") + "\"offset\":".len();
    let digits = header[at..].bytes().take_while(u8::is_ascii_digit).count();
    assert!(digits > 1);
    let mut other = bytes;
    let offset = &mut other[56 + at..][..digits];
    offset.fill(b' ');
    offset[0] = b'8';
    let error = Model::from_bytes(&resealed(other)).expect_err("it shares bytes");
    assert!(error.to_string().contains("within another"), "{error}");
}

#[test]
fn the_public_part_travels_with_its_digest() {
    let public = model().public;
    let read = PublicModel::from_json(&public.to_json()).expect("it reads");
    assert_eq!(read, public);
    assert_eq!(read.digest(), public.digest());
}

#[test]
fn a_picture_becomes_an_input() {
    let public = model().public;
    let samples = Samples::Sixteen((0..300_u16).map(|v| v * 200).collect());
    let picture = Picture::new(20, 15, 1, samples).expect("a picture");
    let prepared = public.prepare(&picture, 0);
    assert_eq!(
        public.encode(prepared.values()).expect("the right size"),
        prepared.fixed()
    );
    assert!(!format!("{prepared:?}{picture:?}").contains("200"));
}

#[test]
fn damage_is_named() {
    let bytes = model().to_bytes();
    let read = |bytes: &[u8]| Model::from_bytes(bytes).expect_err("it is damaged");
    assert!(matches!(read(b""), Error::NotAModel(_)));
    assert!(matches!(read(b"PNG and more"), Error::NotAModel(_)));
    assert!(matches!(read(&bytes[..20]), Error::Damaged(_)));
    assert!(matches!(read(&bytes[..bytes.len() - 1]), Error::Damaged(_)));
    let mut other = bytes.clone();
    other[4] = 9;
    assert!(matches!(
        read(&other),
        Error::FormatVersion {
            expected: 2,
            found: 9
        }
    ));
    let mut long = bytes;
    long[8..16].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert!(matches!(read(&long), Error::Damaged(_)));
    let missing = Model::load(std::path::Path::new("no/such.bray")).expect_err("no such file");
    assert!(
        missing.to_string().starts_with("cannot read no/such.bray"),
        "{missing}"
    );
}

#[test]
fn a_public_part_that_lies_is_refused() {
    let json = String::from_utf8(model().public.to_json()).expect("JSON is text");
    let lies = [
        ("\"labels\":[\"no\",\"yes\"]", "\"labels\":[\"no\"]"),
        (
            "\"labels\":[\"no\",\"yes\"]",
            "\"labels\":[\"no\",\"\\u001b[2J\"]",
        ),
        ("\"std\":[\"0.3\"]", "\"std\":[\"0\"]"),
        ("\"std\":[\"0.3\"]", "\"std\":[\"NaN\"]"),
        ("\"out_features\":2", "\"out_features\":3"),
        ("\"out_channels\":4", "\"out_channels\":4000000000000"),
        ("\"op\":\"relu\"", "\"op\":\"output\""),
        ("\"inputs\":[1]", "\"inputs\":[7]"),
        ("\"kernel\":[3,3]", "\"kernel\":[18446744073709551615,3]"),
        ("\"height\":6", "\"height\":7"),
    ];
    for (truth, lie) in lies {
        assert!(json.contains(truth), "{truth} in {json}");
        let lied = json.replacen(truth, lie, 1);
        let error = PublicModel::from_json(lied.as_bytes()).expect_err(lie);
        assert!(matches!(error, Error::Damaged(_)), "{error}");
    }
}

/// Puts the right lengths and checksum on a changed file, so that the parts behind are reached.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = blake3::hash(&bytes[56..]);
    bytes[24..56].copy_from_slice(hash.as_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_byte_is_noticed(at: prop::sample::Index, flip in 1_u8..) {
        let mut bytes = MODEL.with(Clone::clone);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Model::from_bytes(&bytes).is_err(), "byte {at}");
    }

    #[test]
    fn a_resealed_change_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = MODEL.with(Clone::clone);
        for (at, value) in changes {
            let at = 56 + at.index(bytes.len() - 56);
            bytes[at] = value;
        }
        // Changed weights are still weights: reading may succeed, and then running must.
        if let Ok(model) = Model::from_bytes(&resealed(bytes)) {
            let input = vec![1; model.public.graph.input().shape.len()];
            prop_assert!(model.run_integer(&input).is_ok());
        }
    }

    #[test]
    fn digits_of_the_public_part_never_panic(at: prop::sample::Index, digit in b'0'..=b'9') {
        let mut json = PUBLIC.with(Clone::clone);
        let digits: Vec<usize> = (0..json.len()).filter(|&i| json[i].is_ascii_digit()).collect();
        json[digits[at.index(digits.len())]] = digit;
        let _ = PublicModel::from_json(&json);
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
        prop_assert!(StateDict::from_bytes(&bytes).is_err());
        prop_assert!(PublicModel::from_json(&bytes).is_err());
    }
}

thread_local! {
    static MODEL: Vec<u8> = model().to_bytes();
    static PUBLIC: Vec<u8> = model().public.to_json();
}
