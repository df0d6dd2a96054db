//! Weights files: read, or refused with the name of what is wrong.

use backbones::Error;
use backbones::backbone;
use nets::StateDict;
use proptest::prelude::*;

/// A safetensors file of `f32` zeros.
fn file(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> Vec<u8> {
    let (mut entries, mut end) = (Vec::new(), 0);
    for (name, shape) in tensors {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        entries.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    let metadata: Vec<String> = metadata
        .iter()
        .map(|(k, v)| format!(r#""{k}":"{v}""#))
        .collect();
    entries.push(format!(r#""__metadata__":{{{}}}"#, metadata.join(",")));
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}

const CHEST: [(&str, &[usize]); 9] = [
    ("conv1.weight", &[2, 1, 3, 3]),
    ("bn1.weight", &[2]),
    ("bn1.bias", &[2]),
    ("bn1.running_mean", &[2]),
    ("bn1.running_var", &[2]),
    ("fc.weight", &[2, 2]),
    ("fc.bias", &[2]),
    ("extra", &[1]),
    ("num_batches_tracked", &[]),
];
const META: [(&str, &str); 4] = [
    ("input", "1,8,8"),
    ("mean", "0.5"),
    ("std", "0.25"),
    ("labels", "well,ill"),
];

fn build(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> Result<nets::Source, Error> {
    backbone("chestnet", StateDict::from_bytes(&file(tensors, metadata))?)
}

#[test]
fn a_whole_file_is_read() {
    let source = build(&CHEST, &META).expect("it builds");
    assert_eq!(source.labels, ["well", "ill"]);
    assert_eq!(
        source.float.graph.types().to_vec().last(),
        Some(&nets::Shape::vector(2))
    );
}

#[test]
fn what_is_wrong_is_named() {
    let named = |tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]| {
        build(tensors, metadata)
            .expect_err("it is wrong")
            .to_string()
    };
    assert_eq!(
        named(&CHEST[1..], &META),
        "tensor `conv1.weight` is missing"
    );
    let mut wrong = CHEST;
    wrong[4].1 = &[3];
    let error = named(&wrong, &META);
    assert_eq!(
        error,
        "tensor `bn1.running_var` has shape [3], the network needs [2]"
    );
    let mut wrong = CHEST;
    wrong[0].1 = &[2, 9];
    assert!(named(&wrong, &META).contains("conv1.weight"));
    assert!(named(&CHEST, &META[1..]).contains("`input`"));
    for (key, value) in [
        ("input", "1,8"),
        ("mean", "x"),
        ("std", "0"),
        ("labels", "a,b,c"),
    ] {
        let mut metadata = META;
        metadata
            .iter_mut()
            .filter(|m| m.0 == key)
            .for_each(|m| m.1 = value);
        assert!(
            named(&CHEST, &metadata).contains(&format!("`{key}`")),
            "{key} = {value}"
        );
    }
    let unknown = backbone("vgg", StateDict::default())
        .expect_err("unknown")
        .to_string();
    let known = backbones::BACKBONES.join(", ");
    assert_eq!(unknown, format!("unknown network `vgg`; known: {known}"));
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    let mut bytes = file(&CHEST, &META);
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = StateDict::from_bytes(&bytes)
        .expect_err("not a number")
        .to_string();
    assert!(error.contains("no finite number"), "{error}");
}

#[test]
fn files_are_named() {
    let error = StateDict::load(std::path::Path::new("no/such.safetensors")).expect_err("no file");
    assert!(
        error
            .to_string()
            .starts_with("cannot read no/such.safetensors"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damage_never_panics(
        cut: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let whole = file(&CHEST, &META);
        let mut bytes = whole[..=cut.index(whole.len())].to_vec();
        let short = bytes.len() < whole.len();
        for (at, value) in changes.iter().filter(|_| !short) {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let read = StateDict::from_bytes(&bytes)
            .map_err(Error::from)
            .and_then(|dict| backbone("chestnet", dict));
        prop_assert!(!short || read.is_err());
    }
}
