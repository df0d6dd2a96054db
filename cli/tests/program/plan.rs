//! `plan` says before what a run costs, and what it would have cost in 2022.

use crate::support::{blindray, fails, json, run};
use serde_json::Value;
use service::EXTENSIONS;

/// Small enough to be imported in moments.
const SMALL: [&str; 4] = ["--size", "64", "--classes", "3"];

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key}"))
}

fn plan(args: &[&str]) -> Value {
    json(&[&["plan", "--json", "--quiet"], args].concat()).remove(0)
}

/// Bytes of both directions, refill included.
fn traffic(report: &Value) -> u64 {
    let comm = report["comm"].as_object().expect("comm");
    let bytes = comm.iter().filter(|(key, _)| key.ends_with("bytes"));
    bytes.map(|(_, v)| v.as_u64().expect("bytes")).sum()
}

#[test]
fn totals_are_the_sums_of_layers() {
    let small = |args: &[&'static str]| plan(&[args, &SMALL].concat());
    for report in [
        plan(&["--model", "chestnet"]),
        plan(&["--model", "chestnet", "--preset", "cryptflow2"]),
        small(&["--model", "mobilenet-v3-small", "--network", "wan"]),
        small(&["--model", "densenet121", "--preset", "cryptflow2-2022"]),
    ] {
        let layers = report["layers"].as_array().expect("layers");
        let sum = |key: &str| layers.iter().map(|l| number(l, key)).sum::<u64>();
        for key in [
            "client_to_server_bytes",
            "server_to_client_bytes",
            "refill_client_to_server_bytes",
            "refill_server_to_client_bytes",
        ] {
            assert_eq!(number(&report["comm"], key), sum(key), "{key}");
        }
        assert_eq!(number(&report, "macs"), sum("macs"));
        // Layers of our own share flights, and with them seconds.
        let shared = report["preset"] == "auto";
        let flights = number(&report["comm"], "flights");
        assert!(flights <= sum("flights") && (shared || flights == sum("flights")));
        let seconds: f64 = (layers.iter())
            .map(|l| l["seconds"].as_f64().expect("seconds"))
            .sum();
        let total = report["time"]["total_s"].as_f64().expect("seconds");
        let less = (seconds - total) / total;
        assert!(less > -1e-6 && (shared || less < 1e-6), "{seconds} {total}");
        assert!(total > 0.0 && number(&report, "parameters") > 0);
        assert_eq!(report["views"], 1);
    }
}

#[test]
fn what_is_planned_is_what_is_measured() {
    let layers = |report: &Value| -> Vec<Value> {
        let mut layers = report["layers"].as_array().expect("layers").clone();
        for layer in &mut layers {
            let layer = layer.as_object_mut().expect("an object");
            layer.retain(|key, _| {
                let planned = ["seconds", "why", "weight_bits", "ring_bits"];
                !planned.contains(&key.as_str()) && !key.starts_with("refill")
            });
        }
        layers
    };
    let usual = ("auto", "softspoken");
    let mut refills = Vec::new();
    for (option, extension) in EXTENSIONS
        .map(|one| (one.name(), one.name()))
        .into_iter()
        .chain([usual])
    {
        let planned = plan(&["--model", "chestnet", "--extension", option]);
        let measured = json(&["demo", "--json", "--quiet", "--extension", option]).remove(0);
        assert_eq!(
            [&planned["extension"], &measured["extension"]],
            [extension; 2]
        );
        assert_eq!(measured["exact"], true, "{extension}");
        assert!(layers(&planned).len() > 10);
        assert_eq!(layers(&planned), layers(&measured), "{extension}");
        assert_eq!(planned["comm"], measured["comm"], "{extension}");
        assert_eq!(planned["bits"], measured["bits"]);
        let refill = |way: &str| number(&planned["comm"], &format!("refill_{way}_bytes"));
        refills.push(refill("client_to_server") + refill("server_to_client"));
    }
    // In the order of their names: each needs less than the one before, but that two small instances do no better than one.
    assert!(
        refills[0] > 10 * refills[1] && refills[2] > refills[4],
        "{refills:?}"
    );
}

/// A row of other options is the plan with that option.
#[test]
fn other_options_have_their_price() {
    let model = ["--model", "mobilenet-v3-small", "--network", "20Mbit,30ms"];
    let model = [&model[..], &SMALL].concat();
    let report = plan(&model);
    let rows = report["options"].as_array().expect("rows");
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["option"].as_str().expect("text"))
        .collect();
    assert_eq!(names.len(), EXTENSIONS.len() - 1 + 1 + 2, "{names:?}");
    let without_keys = |report: &Value| {
        let comm = &report["comm"];
        let keys = [
            "setup_client_to_server_bytes",
            "setup_server_to_client_bytes",
        ];
        traffic(report) - keys.map(|key| number(comm, key)).iter().sum::<u64>()
    };
    let now = without_keys(&report).cast_signed();
    let mut saved = Vec::new();
    for row in rows {
        let option: Vec<&str> = row["option"].as_str().expect("text").split(' ').collect();
        let other = plan(&[&model[..], &option].concat());
        assert_eq!(number(row, "bytes"), without_keys(&other), "{option:?}");
        assert_eq!(number(row, "flights"), number(&other["comm"], "flights"));
        assert_eq!(row["total_s"], other["time"]["total_s"]);
        let difference = row["saved_bytes"].as_i64().expect("bytes");
        assert_eq!(difference, now - without_keys(&other).cast_signed());
        saved.push(difference);
    }
    assert!(saved.is_sorted_by(|a, b| a >= b), "{saved:?}");
}

#[test]
fn other_operators_have_their_price() {
    let args = ["--model", "squeezenet", "--preset", "ot"];
    let args = [&args[..], &SMALL].concat();
    let report = plan(&args);
    let rows = report["savings"].as_array().expect("rows");
    let signed = |row: &Value, key: &str| row[key].as_i64().expect("bytes");
    let mut saved = Vec::new();
    for row in rows {
        let difference = signed(row, "now_bytes") - signed(row, "after_bytes");
        assert_eq!(signed(row, "saved_bytes"), difference, "{row}");
        assert!(number(row, "layers") > 0 && number(row, "after_flights") > 0);
        assert!(number(row, "now_bytes") <= traffic(&report), "{row}");
        assert_eq!(
            number(row, "now_flights"),
            number(&report["comm"], "flights"),
            "it is the plan that is changed"
        );
        for key in ["now_cpu_s", "after_cpu_s"] {
            assert!(row[key].as_f64().expect("seconds") > 0.0, "{key}: {row}");
        }
        saved.push(difference);
    }
    assert!(saved.is_sorted_by(|a, b| a >= b), "{saved:?}");
    // By oblivious transfer alone a multiplication is what costs.
    let pointwise = rows.iter().find(|row| row["change"] == "1 x 1 in 4 groups");
    let pointwise = pointwise.expect("it has such layers");
    assert!(signed(pointwise, "saved_bytes") * 2 > signed(pointwise, "now_bytes"));

    let output = run(&[&["plan", "--quiet"], &args[..]].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, table) = text.split_once("what other operators").expect("a table");
    for row in rows {
        let change = row["change"].as_str().expect("text");
        assert!(table.contains(change), "{change}: {table}");
    }
    let earlier = plan(&[&args[..2], &["--preset", "cryptflow2"], &SMALL].concat());
    assert!(earlier.get("savings").is_none(), "it is for our protocols");
}

#[test]
fn the_network_chooses_the_extension() {
    let by = |args: &[&str]| plan(args)["extension"].as_str().expect("a name").to_owned();
    let net = ["--model", "chestnet", "--network"];
    assert_eq!(by(&[&net[..], &["1000Gbit,0s"]].concat()), "softspoken");
    assert_eq!(by(&[&net[..], &["lan"]].concat()), "softspoken");
    assert_eq!(
        by(&[&net[..], &["1Gbit,1ms"]].concat()),
        "silent-small-twice"
    );
    assert_eq!(by(&[&net[..], &["10Mbit,20ms"]].concat()), "silent-large");
    let given = ["10Mbit,20ms", "--extension", "silent-small"];
    assert_eq!(by(&[&net[..], &given].concat()), "silent-small");
}

/// No wider than a product of a weight and an activation, but where sums of a pool come in.
#[test]
fn accumulators_are_narrow() {
    for (weight_bits, most) in [("10", 26), ("8", 24)] {
        let args = ["--model", "densenet121", "--weight-bits", weight_bits];
        let report = plan(&[&args[..], &SMALL].concat());
        let layers = report["layers"].as_array().expect("layers");
        let linear = layers.iter().filter(|l| l.get("weight_bits").is_some());
        let mut count = 0;
        for layer in linear {
            let name = layer["name"].as_str().expect("a name");
            let sums = match name {
                "classifier" => 6,
                _ if name.contains("transition") => 2,
                _ => 0,
            };
            let ring = number(layer, "ring_bits");
            assert!(ring <= most + sums, "{name}: {ring}");
            count += 1;
        }
        assert_eq!(count, 121);
    }
}

#[test]
fn three_terabytes_in_2022() {
    let base = ["--model", "densenet121", "--size", "320"];
    let report = plan(&[&base[..], &["--preset", "cryptflow2-2022"]].concat());
    let terabytes = traffic(&report) / 1_000_000_000;
    assert!((2_900..=3_000).contains(&terabytes), "{terabytes} GB");
    assert_eq!(number(&report, "parameters"), 6_968_206);
    assert!(report["time"].get("cpu_s").is_none(), "nobody measured it");
}

#[test]
fn every_layer_says_why_it_is_computed_so() {
    // The correlations that its algorithms were chosen for.
    let by = ["--extension", "softspoken", "--preset", "ot"];
    let plan = |args: &[&str]| plan(&[&by, args].concat());
    let report = plan(&["--model", "chestnet", "--objective", "bytes"]);
    let layers = report["layers"].as_array().expect("layers");
    let convolutions = layers.iter().filter(|l| l["op"] == "conv");
    let mut winograd = 0;
    for layer in convolutions {
        let why = layer["why"].as_str().expect("a reason");
        assert!(
            why.contains("times the bytes") || why.contains("direct: "),
            "{why}"
        );
        winograd += usize::from(
            layer["algorithm"]
                .as_str()
                .expect("text")
                .contains("winograd"),
        );
    }
    assert!(winograd > 0);
    let embedded = plan(&["--model", "chestnet"]);
    assert_eq!(
        traffic(&report),
        traffic(&embedded),
        "it was chosen by bytes"
    );
    let flights = plan(&["--model", "chestnet", "--objective", "flights"]);
    assert!(number(&flights["comm"], "flights") <= number(&report["comm"], "flights"));
    let slow = [
        "--model",
        "chestnet",
        "--objective",
        "time",
        "--network",
        "1Mbit,0s",
    ];
    assert_eq!(traffic(&plan(&slow)), traffic(&report), "all time is bytes");
}

#[test]
fn levers_that_keep_the_weights_only_save() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.svg");
    let draw = || {
        let svg = [
            "--ablation",
            "--size",
            "64",
            "--svg",
            file.to_str().expect("UTF-8"),
        ];
        let report = plan(&svg);
        (
            report,
            std::fs::read_to_string(&file).expect("it was drawn"),
        )
    };
    let (report, svg) = draw();
    let rows = report["rows"].as_array().expect("rows");
    let total = |row: &Value| number(row, "online_bytes") + number(row, "refill_bytes");
    let kept: Vec<u64> = (rows.iter())
        .filter(|row| row["keeps_weights"] == true)
        .map(total)
        .collect();
    // By OT, and by ring-LWE.
    assert_eq!(kept.len(), 6);
    assert!(kept.is_sorted_by(|a, b| a >= b), "{kept:?}");
    assert!(rows.len() >= 8, "{} rows", rows.len());
    assert!(rows.iter().skip(5).all(|row| total(row) < kept[4]));

    well_formed(&svg);
    for row in rows {
        let model = row["model"].as_str().expect("a name");
        assert!(svg.contains(model), "{model}");
    }
    assert_eq!(draw(), (report, svg), "the same every time");
}

/// A number with separators of thousands.
fn separated(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Tenths of 10^9, rounded, with separators.
fn gigabytes(bytes: u64) -> String {
    if bytes < 995_000_000 {
        return format!("0.{:02} GB", (bytes + 5_000_000) / 10_000_000);
    }
    let tenths = (bytes + 50_000_000) / 100_000_000;
    format!("{}.{} GB", separated(tenths / 10), tenths % 10)
}

/// A row of the ablation as README.md has it, but for the spelling of the network.
fn readme_row(row: &Value) -> [String; 9] {
    let measured = row.get("cpu_s").is_some();
    let seconds = |key: &str| {
        let whole = format!("{:.0}", row[key].as_f64().expect("seconds"));
        let whole = separated(whole.parse().expect("a number"));
        format!("{}{whole}", if measured { "" } else { ">" })
    };
    let text = |key: &str| row[key].as_str().expect("text").to_owned();
    [
        text("lever").replace("1x1", "1×1"),
        spelled(&text("model")),
        gigabytes(number(row, "online_bytes")),
        if measured {
            gigabytes(number(row, "refill_bytes"))
        } else {
            "within".to_owned()
        },
        separated(number(row, "flights")),
        seconds("lan_s"),
        seconds("wan_s"),
        separated(number(row, "parameters")),
        separated((number(row, "macs") + 500_000) / 1_000_000),
    ]
}

/// The name of a network without hyphens, spaces and capitals.
fn spelled(network: &str) -> String {
    let kept = network.chars().filter(|c| !matches!(c, '-' | ' '));
    kept.collect::<String>().to_lowercase()
}

#[test]
#[ignore = "a minute: cargo test --release -p blindray --test program plan::the_ablation_of_the_readme -- --ignored"]
fn the_ablation_of_the_readme() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let rows = readme
        .lines()
        .skip_while(|line| !line.starts_with("| lever |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.map(|line| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        let mut cells: Vec<String> = cells.map(str::to_owned).collect();
        cells[1] = spelled(&cells[1]);
        cells
    });
    // Without the constants that this machine's user may have measured.
    let empty = tempfile::tempdir().expect("a folder");
    let output = blindray()
        .args(["plan", "--ablation", "--json", "--quiet"])
        .env("XDG_CONFIG_HOME", empty.path())
        .output()
        .expect("the program starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let planned = report["rows"].as_array().expect("rows").iter();
    let planned: Vec<Vec<String>> = planned.map(|row| readme_row(row).to_vec()).collect();
    assert_eq!(rows.collect::<Vec<_>>(), planned);
}

/// Bytes with three digits, as `plan` prints them.
fn short(bytes: u64) -> String {
    let (unit, size) = match bytes {
        1_000_000_000.. => ("GB", 10_000_000),
        _ => ("MB", 10_000),
    };
    let hundredths = (bytes + size / 2) / size;
    format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100)
}

/// The row of `savings` that begins so, or the first.
fn saving<'a>(report: &'a Value, change: &str) -> &'a Value {
    let rows = report["savings"].as_array().expect("rows");
    let begins = |row: &&Value| row["change"].as_str().expect("text").starts_with(change);
    rows.iter().find(begins).unwrap_or(&rows[0])
}

#[test]
#[ignore = "a minute: cargo test --release -p blindray --test program plan::the_tables_of_the_x_operators -- --ignored"]
fn the_tables_of_the_x_operators() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../xop/README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let rows = |header: &str| -> Vec<String> {
        let table = readme.lines().skip_while(|line| !line.starts_with(header));
        let rows = table.skip(2).take_while(|line| line.starts_with('|'));
        rows.map(str::to_owned).collect()
    };
    // Without the constants that this machine's user may have measured.
    let empty = tempfile::tempdir().expect("a folder");
    let plan = |name: &str, preset: &str| -> Value {
        let output = blindray()
            .args(["plan", "--json", "--quiet"])
            .args(["--model", name, "--preset", preset])
            .env("XDG_CONFIG_HOME", empty.path())
            .output()
            .expect("the program starts");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let name = |row: &str| row.split('|').nth(1).expect("a cell").trim().to_owned();

    let found = rows("| network | layers | by oblivious transfer alone |");
    let planned = found.iter().map(|row| {
        let name = name(row);
        let [ot, auto] = ["ot", "auto"].map(|preset| plan(&name, preset));
        let [ot, auto] = [&ot, &auto].map(|report| saving(report, "X-operators"));
        let cell = |row: &Value, key: &str| short(number(row, key));
        format!(
            "| {name} | {} | {} | {} | {} | {} |",
            number(auto, "layers"),
            cell(ot, "now_bytes"),
            cell(ot, "after_bytes"),
            cell(auto, "now_bytes"),
            cell(auto, "after_bytes"),
        )
    });
    let planned: Vec<String> = planned.collect();
    assert_eq!(found, planned);

    let found = rows("| network | bytes | flights | changed |");
    let planned = found.iter().map(|row| {
        let name = name(row);
        let report = plan(&name, "auto");
        let all = saving(&report, "all that save together");
        let after =
            traffic(&report).strict_add_signed(-all["saved_bytes"].as_i64().expect("bytes"));
        format!(
            "| {name} | {} | {} | {} | {} |",
            short(traffic(&report)),
            number(&report["comm"], "flights"),
            short(after),
            number(all, "after_flights"),
        )
    });
    let planned: Vec<String> = planned.collect();
    assert_eq!(found, planned);
}

/// Every element is closed, in the right order; nothing but names follows `<`.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray >");
        let end = start + rest[start..].find('>').expect("an element ends");
        let element = &rest[start + 1..end];
        let name = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        if let Some(closed) = element.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else {
            assert!(element.starts_with(char::is_alphabetic), "{element}");
            assert_eq!(element.matches('"').count() % 2, 0, "{element}");
            if !element.ends_with('/') {
                open.push(name(element));
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
    for part in ["<title id=\"title\">", "<desc id=\"desc\">", "role=\"img\""] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn bad_requests_say_what_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let garbage = file("garbage.json", "{}");
    let negative = file(
        "negative.json",
        r#"{"version":4,"constants":{"row":-1,"word":0,"element":0,"cot":0,"byte":0}}"#,
    );
    let fine = ["--model", "chestnet"];
    for (args, cause) in [
        (&["--model", "vgg"][..], "densenet121"),
        (&["--model", "chestnet", "--size", "64"], "leave it out"),
        (&["--model", "chestnet", "--classes", "2"], "leave it out"),
        (&["--model", "squeezenet", "--size", "8"], "a larger --size"),
        (
            &[
                "--model",
                "mobilenet-v3-small",
                "--preset",
                "cryptflow2",
                "--size",
                "64",
            ],
            "hard-swish",
        ),
        (
            &[
                "--model",
                "mobilenet-v3-small",
                "--size",
                "32",
                "--weight-bits",
                "24",
                "--activation-bits",
                "32",
            ],
            "take fewer bits",
        ),
        (
            &[&fine[..], &["--constants", &garbage]].concat(),
            "bench --calibrate",
        ),
        (
            &[&fine[..], &["--constants", &negative]].concat(),
            "not all seconds",
        ),
        (
            &[&fine[..], &["--constants", "/nowhere"]].concat(),
            "bench --calibrate",
        ),
    ] {
        fails(&run(&[&["plan"], args].concat()), 2, cause);
    }
    for (args, cause) in [
        (
            &["--model", "chestnet", "--preset", "rlwe2030"][..],
            "cryptflow2-2022",
        ),
        (&["--model", "chestnet", "--network", "dsl"], "1Gbit,20ms"),
        (&["--ablation", "--model", "chestnet"], "cannot be used"),
        (&["--model", "chestnet", "--svg", "x"], "cannot be used"),
        (&[], "--model"),
    ] {
        let output = run(&[&["plan"], args].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(cause), "{cause}: {errors}");
    }
}

#[test]
fn a_measured_machine_changes_seconds_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("machine.json");
    let path = path.to_str().expect("UTF-8");
    let measured = json(&["bench", "--calibrate", "--out", path, "--json", "--quiet"]).remove(0);
    let operations = measured["operations"].as_array().expect("operations");
    let bytes = |name: &str, key| -> Vec<u64> {
        let is_it = |o: &&Value| o["operation"].as_str().expect("a name").contains(name);
        let found = operations.iter().filter(is_it);
        found.map(|o| number(o, key)).collect()
    };
    let [direct, winograd] = [", direct", "F(4x4, 3x3)"].map(|name| bytes(name, "bytes")[0]);
    assert!(winograd < direct, "Winograd saves");
    let refills = bytes("random COTs", "refill_bytes");
    assert_eq!(refills.len(), EXTENSIONS.len());
    assert!(refills[0] > 10 * refills[1] && refills[1] > refills[4]);
    let usual = plan(&["--model", "chestnet"]);
    let mine = plan(&["--model", "chestnet", "--constants", path]);
    assert_eq!(usual["comm"], mine["comm"]);
    assert_ne!(usual["time"], mine["time"]);
    let cpu = mine["time"]["cpu_s"].as_f64().expect("seconds");
    assert!(cpu > 0.0 && cpu < 600.0, "{cpu}");
}
