//! Direct convolution against every tile: traffic, flights, and CPU time of both parties.
//!
//! `cargo bench -p blindray-winograd --bench compare -- [large] [real]`: with a large layer of
//! `DenseNet-121` as well; with real correlated OTs, whose making is then part of the CPU time (not
//! of the traffic). The last column is the transforms' part of the CPU time.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::error::Error;

use channel::{Connection, Cost, Role};
use linear::{Conv2d, ConvSpec, clear};
use ndarray::{Array4, ArrayView4};
use ring_arith::{Bits, Word};
use sharing::{Session, default_extension};
use testkit::{elements, ideal_session, rng, run_tcp, seed};
use winograd::{Tile, WinogradConv};

/// Width of the weights and of the accumulators.
const WIDTHS: (u32, u32) = (8, 26);

/// Others, with which the rings of the positions are on both sides of a word.
const MIXED: (u32, u32) = (12, 30);

type Image = Array4<u64>;

fn main() -> Result<(), Box<dyn Error>> {
    let spec = |channels, size, kernel: usize, groups| {
        let padding = [kernel / 2; 4];
        ConvSpec::new(channels, [size; 2], [kernel; 2], [1, 1], padding, groups)
    };
    let mut layers = [
        ("dense 3x3, 32 to 32, 32x32", spec([32, 32], 32, 3, 1)?),
        ("dense 3x3, 32 to 32, 14x14", spec([32, 32], 14, 3, 1)?),
        ("dense 3x3, 64 to 64, 8x8", spec([64, 64], 8, 3, 1)?),
        ("depthwise 3x3, 384, 56x56", spec([384, 384], 56, 3, 384)?),
        ("depthwise 3x3, 384, 28x28", spec([384, 384], 28, 3, 384)?),
        ("depthwise 3x3, 384, 14x14", spec([384, 384], 14, 3, 384)?),
        ("depthwise 5x5, 384, 28x28", spec([384, 384], 28, 5, 384)?),
    ]
    .map(|(name, spec)| (name, spec, WIDTHS))
    .to_vec();
    if std::env::args().any(|a| a == "large") {
        let large = spec([128, 32], 56, 3, 1)?;
        layers.extend([WIDTHS, MIXED].map(|widths| ("dense 3x3, 128 to 32, 56x56", large, widths)));
    }
    for (name, spec, (weight_bits, bits)) in layers {
        println!("\n{name}, weights of {weight_bits} bits, results of {bits}");
        println!(
            "{:>16} {:>14} {:>6} {:>7} {:>9} {:>8} {:>11}",
            "", "bits", "saves", "flights", "COTs", "CPU s", "transforms"
        );
        compare(&spec, Bits::of(weight_bits), Bits::of(bits))?;
    }
    Ok(())
}

fn compare(spec: &ConvSpec, weight_bits: Bits, bits: Bits) -> Result<(), Box<dyn Error>> {
    let weights = Array4::from_shape_fn(spec.weight_shape(), |(o, c, r, s)| {
        i32::try_from((o * 531 + c * 77 + r * 13 + s * 5) % 256).expect("small") - 128
    });
    let direct = Conv2d {
        spec: *spec,
        weight_bits,
        bits,
    };
    let run = |s: &mut Session, x: ArrayView4<'_, u64>| match s.role() {
        Role::Server => direct.run_server(s, weights.view(), x).expect("runs"),
        Role::Client => direct.run_client(s, x).expect("runs"),
    };
    let (_, _, cost, cpu) = both(spec, bits, run);
    assert_eq!(cost, direct.cost()?, "the traffic is the predicted one");
    let plain = cost.bytes();
    print_row("direct", &cost, plain, cpu, None);

    for tile in Tile::for_kernel(spec.kernel()) {
        let conv = WinogradConv::new(*spec, tile, weight_bits, bits)?;
        let filters = conv.prepare(weights.view())?;
        let run = |s: &mut Session, x: ArrayView4<'_, u64>| match s.role() {
            Role::Server => conv.run_server_prepared(s, &filters, x).expect("runs"),
            Role::Client => conv.run_client(s, x).expect("runs"),
        };
        let (x, y, cost, cpu) = both(spec, conv.ring(), run);
        assert_eq!(cost, conv.cost(), "the traffic is the predicted one");
        let y = y.mapv(|y| conv.ring().reduce(y) >> conv.guard_bits());
        assert_eq!(y, clear::conv2d(spec, bits, weights.view(), x.view()));
        let name = tile.to_string();
        let seconds = match conv.ring().get() {
            ..=32 => transform_seconds::<u32>(&conv, x.view()),
            _ => transform_seconds::<u64>(&conv, x.view()),
        };
        let part = 2.0 * seconds / cpu;
        print_row(&name, &cost, plain, cpu, Some(part));
    }
    Ok(())
}

/// Runs both parties over loopback TCP: the sums of input and output, the cost and the CPU seconds
/// of both.
fn both(
    spec: &ConvSpec,
    bits: Bits,
    run: impl Fn(&mut Session, ArrayView4<'_, u64>) -> Image + Sync,
) -> (Image, Image, Cost, f64) {
    let [c, h, w] = spec.input_shape();
    let image = |seed| {
        let x = elements(spec.input_len(), bits, &mut rng(seed));
        Array4::from_shape_vec((1, c, h, w), x).expect("the length fits")
    };
    let (xs, xc) = (image(1), image(2));
    let party = |connection: &Connection, x: &Image| {
        let mut s = if std::env::args().any(|a| a == "real") {
            let own = seed(u64::from(connection.role().is_server()));
            Session::establish(connection, own, default_extension()).expect("set up")
        } else {
            ideal_session(connection, 1)
        };
        s.mark();
        let start = cpu_seconds();
        (run(&mut s, x.view()), s.measured(), start)
    };
    let ((ys, cost, start), (yc, ..)) = run_tcp(|c| party(&c, &xs), |c| party(&c, &xc));
    (xs + xc, ys + yc, cost, cpu_seconds() - start)
}

/// CPU seconds of one party's transforms, the mean of some runs: the clock is coarse.
fn transform_seconds<W: Word>(conv: &WinogradConv, x: ArrayView4<'_, u64>) -> f64 {
    const RUNS: u32 = 10;
    let products = vec![W::from_u64(1); conv.products().expect("countable").output_len()];
    let start = thread_seconds();
    for _ in 0..RUNS {
        let transformed: Vec<W> = conv.transform_input(x);
        let y = conv.transform_output(&products);
        std::hint::black_box((transformed, y));
    }
    (thread_seconds() - start) / f64::from(RUNS)
}

/// CPU seconds of this thread so far; 0 where there is no /proc.
fn thread_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|t| t.parse().ok());
    nanoseconds.unwrap_or(0.0) * 1e-9
}

fn print_row(name: &str, cost: &Cost, plain: u64, cpu: f64, transforms: Option<f64>) {
    let (bytes, flights, cots) = (cost.bytes(), cost.flights(), cost.cots.total());
    #[expect(clippy::cast_precision_loss, reason = "only printed")]
    let saves = plain as f64 / bytes as f64;
    let part = transforms.map_or_else(String::new, |part| format!("{:.1} %", part * 100.0));
    println!(
        "{name:>16} {:>14} {saves:>6.2} {flights:>7} {cots:>9} {cpu:>8.2} {part:>11}",
        bytes * 8
    );
}

/// CPU seconds of this process so far, which is both parties; 0 where there is no /proc.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, in ticks of 10 ms, counted after the parenthesised name.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}
