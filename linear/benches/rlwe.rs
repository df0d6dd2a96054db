//! Layers by ring-LWE: their traffic, and the CPU time of both parties together on one thread.
//!
//! `cargo bench -p blindray-linear --bench rlwe -- [unpacked] [densenet]`: a 3 × 3 layer of 128 to 32 channels of 28 × 28, a 1 × 1 layer
//! of 64 to 128 channels of 56 × 56, and one of 640 to 128 channels of 14 × 14, with weights of 10 bits in a ring of 26: in one run, and
//! ahead of the input for eight images together, each image's part. Then the layers of DenseNet-121, one run of each.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::error::Error;

use linear::{
    ConvSpec, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, RingLwe,
};
use ring_arith::Bits;
use sharing::{Party, Session};
use testkit::{elements, rng, run_sessions};

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()?;
    let argument = |name: &str| std::env::args().any(|argument| argument == name);
    let algorithm = RingLwe {
        packed: !argument("unpacked"),
    };
    let named = [
        layer([128, 32], 28, 3, 1)?,
        layer([64, 128], 56, 1, 1)?,
        layer([640, 128], 14, 1, 1)?,
    ];
    for layer in &named {
        measure(algorithm, layer, 20)?;
        let seconds = ahead(algorithm, layer, 8, 5)?;
        println!("{:>36.1} ms  ahead, each of 8 images", 1e3 * seconds);
    }
    if argument("densenet") {
        let mut total = [0.0; 2];
        for layer in densenet121()? {
            let each = measure(algorithm, &layer, 1)?;
            total
                .iter_mut()
                .zip(each)
                .for_each(|(total, each)| *total += each);
        }
        println!(
            "DenseNet-121: {:.1} MB, {:.2} CPU seconds",
            total[0], total[1]
        );
    }
    Ok(())
}

fn layer(
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
) -> Result<LinearLayer, linear::Error> {
    let (strides, padding) = ([stride; 2], [kernel / 2; 4]);
    let spec = ConvSpec::new(channels, [size; 2], [kernel; 2], strides, padding, 1)?;
    Ok(LinearLayer {
        shape: LinearShape::Conv(spec),
        weight_bits: Bits::of(10),
        bits: Bits::of(26),
    })
}

/// The linear layers of DenseNet-121 for pictures of 224 × 224.
fn densenet121() -> Result<Vec<LinearLayer>, linear::Error> {
    let mut layers = vec![layer([3, 64], 224, 7, 2)?];
    let (mut channels, mut size) = (64, 56);
    for (block, blocks) in [6, 12, 24, 16].into_iter().enumerate() {
        for _ in 0..blocks {
            layers.push(layer([channels, 128], size, 1, 1)?);
            layers.push(layer([128, 32], size, 3, 1)?);
            channels += 32;
        }
        if block < 3 {
            layers.push(layer([channels, channels / 2], size, 1, 1)?);
            (channels, size) = (channels / 2, size / 2);
        }
    }
    layers.push(LinearLayer {
        shape: LinearShape::FullyConnected {
            inputs: channels,
            outputs: 1000,
        },
        weight_bits: Bits::of(10),
        bits: Bits::of(32),
    });
    Ok(layers)
}

/// Megabytes and CPU seconds of a layer, the set-up not included.
fn measure(
    algorithm: RingLwe,
    layer: &LinearLayer,
    times: u32,
) -> Result<[f64; 2], Box<dyn Error>> {
    let protocol = &*algorithm.plan(layer)?;
    let shape = &layer.shape;
    let mut rng = rng(1);
    let [server, client] = [0; 2].map(|_| elements(shape.input_len(), layer.bits, &mut rng));
    let parameters = LayerParameters {
        weights: &testkit::weights(shape.weight_len(), layer.weight_bits, &mut rng),
        bias: &vec![0; shape.channels()],
    };
    let prepared = protocol.prepare(parameters)?;
    let (outcome, start, _) = run_sessions(
        1,
        |s| {
            set_up(protocol, s)?;
            for _ in 0..times {
                s.run(async |party| protocol.serve(party, parameters, &prepared, &server).await)?;
            }
            Ok::<_, linear::Error>(())
        },
        |s| {
            set_up(protocol, s)?;
            let start = cpu_seconds();
            for _ in 0..times {
                s.run(async |party| protocol.request(party, &client).await)?;
            }
            Ok::<_, linear::Error>(start)
        },
    );
    outcome?;
    let seconds = (cpu_seconds() - start?) / f64::from(times);
    let cost = protocol.cost();
    let megabytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6;
    let [up, down] = [cost.bytes_to_server(), cost.bytes_to_client()].map(megabytes);
    println!(
        "{up:8.3} MB up {down:8.3} MB down {:8.1} ms  {:?} {shape:?}",
        1e3 * seconds,
        protocol.work(),
    );
    Ok([up + down, seconds])
}

/// CPU seconds of the phase ahead for each of some images, the set-up not included.
fn ahead(
    algorithm: RingLwe,
    layer: &LinearLayer,
    images: u32,
    times: u32,
) -> Result<f64, Box<dyn Error>> {
    let protocol = &*algorithm.plan(layer)?;
    let protocol = protocol.ahead().ok_or("there is a phase ahead")?;
    let shape = &layer.shape;
    let mut rng = rng(1);
    let r: Vec<_> = (0..images)
        .map(|_| elements(shape.input_len(), layer.bits, &mut rng))
        .collect();
    let parameters = LayerParameters {
        weights: &testkit::weights(shape.weight_len(), layer.weight_bits, &mut rng),
        bias: &vec![0; shape.channels()],
    };
    let prepared = protocol.prepare(parameters)?;
    let (outcome, start, _) = run_sessions(
        1,
        |s| {
            set_up(protocol, s)?;
            for _ in 0..times {
                let serve = async |party: &Party<'_>| {
                    let images = r.len();
                    protocol
                        .serve_ahead(party, parameters, &prepared, images)
                        .await
                };
                s.run(serve)?;
            }
            Ok::<_, linear::Error>(())
        },
        |s| {
            set_up(protocol, s)?;
            let start = cpu_seconds();
            for _ in 0..times {
                s.run(async |party| protocol.request_ahead(party, &r).await)?;
            }
            Ok::<_, linear::Error>(start)
        },
    );
    outcome?;
    Ok((cpu_seconds() - start?) / f64::from(times * images))
}

fn set_up<P: LinearProtocol + ?Sized>(
    protocol: &P,
    session: &mut Session,
) -> Result<(), linear::Error> {
    protocol
        .set_up()
        .iter()
        .try_for_each(|item| item.run(session))
}

/// CPU seconds of this process so far, which is both parties; 0 where there is no /proc.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, in ticks of 10 ms, counted after the parenthesised name.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}
