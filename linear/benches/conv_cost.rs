//! One convolution over loopback TCP: its traffic, its time, and the CPU time of both parties.
//!
//! `cargo bench -p blindray-linear --bench conv_cost -- [real|ideal] [a|b|large|small]`: real or ideal
//! correlated OTs; layer a is 3 × 3, 128 to 32 channels of 28 × 28, layer b 1 × 1, 64 to 128
//! channels of 56 × 56; the large one is 3 × 3, 96 to 256 channels of 112 × 112: 109 GB, a minute
//! or two.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::error::Error;
use std::time::Instant;

use channel::Connection;
use linear::{Conv2d, ConvSpec, clear};
use ndarray::Array4;
use ring_arith::Bits;
use sharing::{Session, default_extension};
use testkit::{elements, ideal_session, rng, run_tcp, seed};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |name: &str| std::env::args().skip(1).any(|a| a == name);
    let spec = if argument("a") {
        ConvSpec::new([128, 32], [28, 28], [3, 3], [1, 1], [1; 4], 1)?
    } else if argument("b") {
        ConvSpec::new([64, 128], [56, 56], [1, 1], [1, 1], [0; 4], 1)?
    } else if argument("large") {
        ConvSpec::new([96, 256], [112, 112], [3, 3], [1, 1], [1; 4], 1)?
    } else {
        ConvSpec::new([16, 16], [28, 28], [3, 3], [1, 1], [1; 4], 1)?
    };
    let conv = Conv2d {
        spec,
        weight_bits: Bits::of(12),
        bits: Bits::of(32),
    };
    let open = |connection: &Connection| {
        if argument("ideal") {
            Ok(ideal_session(connection, 1))
        } else {
            let own = seed(u64::from(connection.role().is_server()));
            Session::establish(connection, own, default_extension())
        }
    };

    let mut rng = rng(1);
    let mut image = || {
        let [c, h, w] = spec.input_shape();
        Array4::from_shape_vec(
            (1, c, h, w),
            elements(spec.input_len(), conv.bits, &mut rng),
        )
    };
    let (xs, xc) = (image()?, image()?);
    let weights = Array4::from_shape_fn(spec.weight_shape(), |(o, c, r, s)| {
        i32::try_from((o * 531 + c * 77 + r * 13 + s * 5) % 4096).expect("small") - 2048
    });

    let (server, client) = run_tcp(
        |connection| {
            let mut s = open(&connection)?;
            s.mark();
            let start = (Instant::now(), cpu_seconds());
            let y = conv.run_server(&mut s, weights.view(), xs.view())?;
            Ok::<_, linear::Error>((y, s.measured(), start))
        },
        |connection| {
            let mut s = open(&connection)?;
            conv.run_client(&mut s, xc.view())
        },
    );
    let ((ys, cost, (start, cpu)), yc) = (server?, client?);
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);

    let y = (ys + yc).mapv(|y| conv.bits.reduce(y));
    let expected = clear::conv2d(&spec, conv.bits, weights.view(), (xs + xc).view());
    assert_eq!(y, expected, "the shares stand for the convolution");
    assert_eq!(cost, conv.cost()?, "the traffic is the predicted one");
    println!("multiplications  {:>12}", spec.macs());
    println!("bytes to server  {:>12}", cost.bytes_to_server());
    println!("bytes to client  {:>12}", cost.bytes_to_client());
    println!("correlated OTs   {:>12}", cost.cots.total());
    println!("wall seconds     {wall:>12.2}");
    println!("CPU seconds      {cpu:>12.2}  (both parties)");
    Ok(())
}

/// CPU seconds of this process so far, which is both parties; 0 where there is no /proc.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, in ticks of 10 ms, counted after the parenthesised name.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}
