//! Two real processes over loopback, on a real X-ray and real photographs.

use crate::support::{Server, fails, images, json, models, raw, run, run_watched, top, xray};
use serde_json::Value;

#[test]
fn demo_reads_an_xray_exactly() {
    for n in ["0", "1", "2"] {
        let reports = json(&["demo", "--json", "--xray", n]);
        let [report] = reports.as_slice() else {
            panic!("one report")
        };
        assert_eq!(report["exact"], Value::Bool(true));
        assert_eq!(report["mode"], "faithful");
        let finding = report["outputs"][top(report)]["name"]
            .as_str()
            .expect("name");
        let truth = if n == "0" { "NORMAL" } else { "PNEUMONIA" };
        assert_eq!(finding, truth, "X-ray {n}");
        assert!(report["deviation"].as_f64().expect("deviation") < 0.02);
        let layers = report["layers"].as_array().expect("layers");
        let sum = |key: &str| {
            layers
                .iter()
                .map(|l| l[key].as_u64().expect("number"))
                .sum::<u64>()
        };
        for key in ["client_to_server_bytes", "server_to_client_bytes"] {
            assert_eq!(report["comm"][key].as_u64(), Some(sum(key)), "{key}");
        }
        // Layers share flights.
        let flights = report["comm"]["flights"].as_u64().expect("number");
        assert!(0 < flights && flights < sum("flights"), "{flights}");
        assert!(report["time"]["total_s"].as_f64().expect("time") < 60.0);
    }
}

#[test]
fn demo_speaks_to_people_too() {
    let output = run(&["demo"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success());
    for word in [
        "NORMAL",
        "exact: yes",
        "traffic:",
        "flights",
        "time:",
        "layer kind",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn demo_runs_fast_mode_within_its_law() {
    let reports = json(&["demo", "--json", "--mode", "fast", "--quiet"]);
    assert_eq!(reports[0]["mode"], "fast");
    assert!(reports[0]["deviation"].as_f64().expect("deviation") < 0.02);
}

#[test]
fn serve_and_infer_equal_clear() {
    let server = Server::start(&["--model", "chestnet"]);
    let file = xray();
    let file = file.to_str().expect("UTF-8");
    let address = server.connect();
    let args = [
        "infer",
        "--json",
        "--connect",
        &address,
        "--expect-model",
        &server.digest,
        "--input",
        file,
        file,
    ];
    let secure = images(&args);
    let clear = json(&[
        "clear",
        "--json",
        "--model",
        "chestnet",
        "--input",
        file,
        "--arithmetic",
        "fixed",
    ]);
    assert_eq!(secure.len(), 2);
    for report in &secure {
        assert_eq!(raw(report), raw(&clear[0]));
        assert_eq!(report["input_sha256"], clear[0]["input_sha256"]);
    }
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 images"), "{said}");
}

#[test]
fn several_clients_at_once() {
    let server = Server::start(&["--model", "chestnet"]);
    let file = xray();
    let file = file.to_str().expect("UTF-8");
    let address = server.connect();
    let results: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| json(&["infer", "--json", "--connect", &address, "--input", file]))
            })
            .collect();
        clients
            .into_iter()
            .map(|c| raw(&c.join().expect("a client")[0]))
            .collect()
    });
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

/// `ResNet`-20 on ten photographs: secure = integer reference in every bit, the class that of the float network.
#[test]
fn resnet20_on_ten_images() {
    let Some(models) = models() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let photographs = folder.path().join("photographs");
    unpack(&models.join("images/cifar10_test_jpg.tar"), &photographs);
    let weights = text(&models.join("weights/resnet20_cifar10/resnet20_cifar10.safetensors"));
    let (photos, model) = (
        text(&photographs),
        text(&folder.path().join("resnet20.bray")),
    );
    let imported = json(&[
        "import",
        "--json",
        "--arch",
        "resnet20",
        "--weights",
        &weights,
        "--calibrate",
        &photos,
        "--out",
        &model,
    ]);
    assert_eq!(imported[0]["wrapped"], 0);

    let reference =
        std::fs::read(models.join("reference/resnet20_cifar10.json")).expect("reference");
    let reference: Value = serde_json::from_slice(&reference).expect("JSON");
    let names = reference["rows"].as_array().expect("rows").iter();
    let root = find(&photographs, "airplane");
    let files: Vec<String> = names
        .take(10)
        .map(|row| text(&root.join(row["image"].as_str().expect("image"))))
        .collect();
    let with = |first: &[&str]| -> Vec<String> {
        first
            .iter()
            .map(|a| (*a).to_owned())
            .chain(files.iter().cloned())
            .collect()
    };

    let server = Server::start(&["--model", &model, "--max-images", "10"]);
    let address = server.connect();
    let args = with(&["infer", "--json", "--connect", &address, "--input"]);
    let (output, client_peak) = run_watched(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    // The last line sums them up.
    let secure: Vec<Value> = lines
        .lines()
        .take(10)
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!((secure.len(), lines.lines().count()), (10, 11));

    let clear = |arithmetic| {
        let args = with(&[
            "clear",
            "--json",
            "--model",
            &model,
            "--arithmetic",
            arithmetic,
            "--input",
        ]);
        json(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for (secure, clear) in secure.iter().zip(&clear("fixed")) {
        assert_eq!(raw(secure), raw(clear), "{}", secure["input"]);
    }
    let same = secure
        .iter()
        .zip(&clear("float"))
        .filter(|(a, b)| top(a) == top(b))
        .count();
    assert!(same >= 9, "{same} of 10 classes as in float");

    let server_peak = server.peak();
    eprintln!("peak memory: client {client_peak}, server {server_peak}");
    for peak in [client_peak, server_peak] {
        assert!(peak > 0 && peak < 300 << 20, "{peak}");
    }
}

/// Trained networks from their `PyTorch` exports, without any code: import, serve, infer.
#[test]
fn networks_from_onnx() {
    let Some(models) = models() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let photographs = folder.path().join("photographs");
    unpack(&models.join("images/cifar10_test_jpg.tar"), &photographs);
    let airplane = find(&photographs, "airplane").join("airplane/0000.jpg");
    let xrays = models.join("images/nih_1024");
    let xray = xrays.join("00000075_000.png");
    let of_photographs = (
        photographs.as_path(),
        airplane.as_path(),
        "0.485,0.456,0.406",
        "0.229,0.224,0.225",
    );
    let of_densenet = (
        photographs.as_path(),
        airplane.as_path(),
        "0.4914,0.4822,0.4465",
        "0.2023,0.1994,0.201",
    );
    let of_xrays = (
        xrays.as_path(),
        xray.as_path(),
        "0.5,0.5,0.5",
        "0.5,0.5,0.5",
    );
    let of_grey_xrays = (xrays.as_path(), xray.as_path(), "0.485", "0.229");
    for (export, like) in [
        ("resnet20_cifar10/resnet20_cifar10.onnx", of_photographs),
        (
            "resnet20_cifar10/resnet20_cifar10.dynamo.onnx",
            of_photographs,
        ),
        (
            "densenet_bc100_k12_cifar10/densenet_bc100_k12_cifar10.dynamo.onnx",
            of_densenet,
        ),
        (
            "tm_mobilenetv2_035_cxr3/tm_mobilenetv2_035_cxr3.onnx",
            of_xrays,
        ),
        (
            "mobilenetv3s_nih15/mobilenetv3s_nih15_float.onnx",
            of_grey_xrays,
        ),
    ] {
        from_onnx(&models.join("weights").join(export), like);
    }
}

fn text(path: &std::path::Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// A folder that calibrates, an image, mean and deviation.
type Images<'a> = (
    &'a std::path::Path,
    &'a std::path::Path,
    &'static str,
    &'static str,
);

fn from_onnx(onnx: &std::path::Path, (calibrate, image, mean, std): Images<'_>) {
    let (folder, onnx) = (tempfile::tempdir().expect("a folder"), text(onnx));
    let model = text(&folder.path().join("network.bray"));
    let (calibrate, image) = (text(calibrate), text(image));
    let imported = json(&[
        "import",
        "--json",
        "--onnx",
        &onnx,
        "--mean",
        mean,
        "--std",
        std,
        "--calibrate",
        &calibrate,
        "--images",
        "6",
        "--out",
        &model,
    ]);
    assert_eq!(imported[0]["wrapped"], 0, "{onnx}");
    let clear = |arithmetic| {
        json(&[
            "clear",
            "--json",
            "--model",
            &model,
            "--input",
            &image,
            "--arithmetic",
            arithmetic,
        ])
    };
    let (float, fixed) = (clear("float"), clear("fixed"));
    assert_eq!(top(&float[0]), top(&fixed[0]), "{onnx}");
    let server = Server::start(&["--model", &model]);
    let address = server.connect();
    let args = ["infer", "--json", "--connect", &address, "--input", &image];
    let (output, client_peak) = run_watched(&args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let secure: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(raw(&secure), raw(&fixed[0]), "{onnx}");
    follows_its_plan(std::path::Path::new(&model), &secure);
    let said = ["comm", "time"].map(|key| secure[key].to_string());
    let peaks = [client_peak, server.peak()].map(|peak| peak >> 20);
    let widths = ["weight_bits", "activation_bits"].map(|key| imported[0][key].to_string());
    eprintln!("{onnx}: {widths:?} bits, {said:?}, peak memory {peaks:?} MiB");
}

/// What a run reports of its layers, against the plan of the model file.
fn follows_its_plan(model: &std::path::Path, report: &Value) {
    let model = nets::Model::load(model).expect("it loads");
    let name = report["extension"].as_str().expect("an extension");
    let extension = service::EXTENSIONS.iter().find(|one| one.name() == name);
    let price = extension.expect("one of all").price();
    let graph = std::sync::Arc::new(model.public.graph);
    let network = secure::SecureNetwork::new(graph, secure::Mode::Faithful, price);
    let network = network.expect("it plans");
    let layers = report["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), network.plan().len());
    for (layer, plan) in layers.iter().zip(network.plan()) {
        assert_eq!(layer["name"], plan.name.as_str());
        let measured = [
            "client_to_server_bytes",
            "server_to_client_bytes",
            "flights",
        ];
        let measured = measured.map(|key| layer[key].as_u64().expect("a number"));
        let (up, down) = (plan.cost.bytes_to_server(), plan.cost.bytes_to_client());
        assert_eq!(
            measured,
            [up, down, plan.cost.flights() as u64],
            "{}",
            plan.name
        );
    }
}

fn unpack(archive: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    let status = std::process::Command::new("tar")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(to)
        .status()
        .expect("tar runs");
    assert!(status.success());
}

/// The folder under `from` that holds the folder `name`.
fn find(from: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![from.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if folder.join(name).is_dir() {
            return folder;
        }
        let entries = std::fs::read_dir(&folder).expect("a folder");
        folders.extend(
            entries
                .map(|e| e.expect("an entry").path())
                .filter(|p| p.is_dir()),
        );
    }
    panic!("no {name} under {}", from.display());
}

#[test]
fn what_is_not_encrypted_stays_on_this_machine() {
    let file = xray();
    let file = file.to_str().expect("UTF-8");
    let infer = ["infer", "--connect", "192.0.2.1:7700", "--input", file];
    let serve = ["serve", "--model", "chestnet", "--listen", "0.0.0.0:0"];
    for command in [&infer[..], &serve] {
        let said = "--insecure is for those alone";
        fails(&run(&[command, &["--insecure"]].concat()), 2, said);
    }
}
