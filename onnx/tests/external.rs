//! Weights in files of their own, within the model's folder and nowhere else.

mod common;

use std::fs;
use std::path::Path;

use common::File;
use rten_onnx::onnx::{DataLocation, DataType, StringStringEntryProto, TensorProto};

/// A tensor of four floats somewhere else.
fn elsewhere(entries: &[(&str, &str)]) -> TensorProto {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
        key: Some((*key).into()),
        value: Some((*value).into()),
    };
    TensorProto {
        name: Some("w".into()),
        dims: vec![1, 1, 2, 2],
        data_type: Some(DataType::FLOAT),
        external_data: entries.iter().map(entry).collect(),
        data_location: Some(DataLocation::EXTERNAL),
        ..TensorProto::default()
    }
}

fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let file = File::new(&[1, 1, 2, 2]).tensor(elsewhere(entries));
    file.node("Conv", "x w", "y", &[]).bytes()
}

/// A folder with a model's data, and one beside it with a secret.
fn folders() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let model = root.path().join("model");
    fs::create_dir_all(model.join("deeper")).expect("folders");
    let values: Vec<u8> = (0..5_u8).flat_map(|v| f32::from(v).to_le_bytes()).collect();
    for file in ["model/w.data", "model/deeper/w.data", "secret"] {
        fs::write(root.path().join(file), &values).expect("a file");
    }
    root
}

fn outcome(folder: &Path, entries: &[(&str, &str)]) -> Result<Vec<f32>, String> {
    let model = folder.join("model");
    let network = onnx::from_bytes(&external(entries), Some(&model)).map_err(|e| e.to_string())?;
    network.model.run(&[1.0; 4]).map_err(|e| e.to_string())
}

#[test]
fn external_data_are_read() {
    let root = folders();
    let read = |entries: &[(&str, &str)]| outcome(root.path(), entries);
    assert_eq!(read(&[("location", "w.data")]), Ok(vec![6.0]));
    let whole = [
        ("location", "./deeper/w.data"),
        ("offset", "4"),
        ("length", "16"),
    ];
    assert_eq!(read(&whole), Ok(vec![10.0]));
    // From a file, the folder is its own.
    let path = root.path().join("model/net.onnx");
    fs::write(&path, external(&whole)).expect("a file");
    assert_eq!(
        onnx::load(&path)
            .expect("it loads")
            .model
            .tensors
            .parameters(),
        4
    );
}

#[test]
fn large_external_data_are_read_in_pieces() {
    const SIDE: u32 = 150;
    let root = folders();
    let values = (0..SIDE * SIDE).map(|i| i % 7);
    let floats = values.clone().flat_map(|v| (v as f32).to_le_bytes());
    let doubles = values.clone().flat_map(|v| f64::from(v).to_le_bytes());
    let files = [
        (DataType::FLOAT, floats.collect::<Vec<u8>>()),
        (DataType::DOUBLE, doubles.collect()),
    ];
    let side = i64::from(SIDE);
    for (kind, bytes) in files {
        let before = [vec![0; 8], bytes].concat();
        fs::write(root.path().join("model/large.data"), before).expect("a file");
        let weight = TensorProto {
            dims: vec![1, 1, side, side],
            data_type: Some(kind),
            ..elsewhere(&[("location", "large.data"), ("offset", "8")])
        };
        let file = File::new(&[1, 1, side, side]).tensor(weight);
        let bytes = file.node("Conv", "x w", "y", &[]).bytes();
        let network = onnx::from_bytes(&bytes, Some(&root.path().join("model")));
        let model = network.expect("it is read").model;
        let ones = vec![1.0; (SIDE * SIDE) as usize];
        let sum = values.clone().sum::<u32>() as f32;
        assert_eq!(model.run(&ones).expect("it runs"), [sum]);
    }
}

/// A file with a hole may be as long as it likes.
#[test]
fn a_tensor_that_no_layer_could_have_is_refused_before_it_is_read() {
    let root = folders();
    let hole = fs::File::create(root.path().join("model/hole.data")).expect("a file");
    hole.set_len(2 << 30).expect("a hole");
    let weight = TensorProto {
        dims: vec![2, 1, 1 << 14, 1 << 14],
        ..elsewhere(&[("location", "hole.data")])
    };
    let file = File::new(&[1, 1, 2, 2]).tensor(weight);
    let bytes = file.node("Conv", "x w", "y", &[]).bytes();
    let network = onnx::from_bytes(&bytes, Some(&root.path().join("model")));
    let error = network.expect_err("it is too large").to_string();
    assert!(error.contains("beyond 268435456 values"), "{error}");
}

#[test]
fn external_data_stay_in_the_folder() {
    let root = folders();
    let secret = root.path().join("secret");
    let fails = |entries: &[(&str, &str)], with: &str| {
        let error = outcome(root.path(), entries).expect_err("it is refused");
        assert!(
            error.starts_with("tensor `w`: ") && error.contains(with),
            "{error}"
        );
    };
    fails(&[("location", "../secret")], "not a path within");
    fails(
        &[("location", secret.to_str().expect("UTF-8"))],
        "not a path within",
    );
    fails(&[("location", "deeper/../../secret")], "not a path within");
    fails(&[("location", "")], "not a path within");
    fails(&[("location", "a\0b")], "not a path within");
    fails(&[("location", "deeper")], "is no file");
    fails(&[("location", "gone")], "cannot be read");
    fails(&[], "no external location");
    for (offset, with) in [
        ("5", "beyond the end"),
        ("-1", "no number"),
        ("x", "no number"),
    ] {
        fails(&[("location", "w.data"), ("offset", offset)], with);
    }
    fails(
        &[("location", "w.data"), ("offset", "18446744073709551615")],
        "beyond the end",
    );
    fails(
        &[("location", "w.data"), ("length", "18446744073709551615")],
        "is not 16",
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", root.path().join("model/link")).expect("a link");
        fails(&[("location", "link")], "leads out of");
        std::os::unix::fs::symlink("..", root.path().join("model/up")).expect("a link");
        fails(&[("location", "up/secret")], "leads out of");
    }
    let nowhere = onnx::from_bytes(&external(&[("location", "w.data")]), None);
    assert!(
        nowhere
            .expect_err("no folder")
            .to_string()
            .contains("no folder is given")
    );
}

/// A cache of downloads: what a snapshot names are links to contents that lie elsewhere.
#[cfg(unix)]
#[test]
fn links_into_the_folder_of_the_model_itself_are_followed() {
    use std::os::unix::fs::symlink;

    let root = folders();
    let [snapshot, blobs] = ["snapshot", "blobs"].map(|name| root.path().join(name));
    fs::create_dir(&snapshot).expect("a folder");
    fs::create_dir(&blobs).expect("a folder");
    fs::write(blobs.join("a1"), external(&[("location", "net.onnx.data")])).expect("a file");
    fs::rename(root.path().join("model/w.data"), blobs.join("b2")).expect("it moves");
    symlink("../blobs/a1", snapshot.join("net.onnx")).expect("a link");
    symlink("../blobs/b2", snapshot.join("net.onnx.data")).expect("a link");
    let network = onnx::load(&snapshot.join("net.onnx")).expect("it loads");
    assert_eq!(network.model.run(&[1.0; 4]).expect("it runs"), [6.0]);

    // Only where the model lies itself.
    fs::remove_file(snapshot.join("net.onnx.data")).expect("it goes");
    symlink("../secret", snapshot.join("net.onnx.data")).expect("a link");
    let error = onnx::load(&snapshot.join("net.onnx")).expect_err("it leads out");
    assert!(error.to_string().contains("leads out of"), "{error}");
}
