//! The samples of a scan: prediction, contexts, Golomb codes and runs (ITU-T T.87, annex A).

use super::{cut_off, damaged};
use crate::error::DecodeError;

/// How long a run is that one bit stands for, as a power of two (A.7.1.1).
const RUNS: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];
/// Contexts of three quantised gradients, signs merged.
const CONTEXTS: usize = 365;
/// How far the mean error of a context may move a prediction.
const MOST_BIAS: i32 = 127;
/// The widest binary part of a Golomb code of samples of 16 bits.
const MAX_BINARY: u32 = 16;

/// How the components of a scan alternate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Interleaving {
    /// One component.
    None,
    Line,
    Sample,
}

/// Three thresholds of gradients, and how many samples a context counts before it halves; zero for the usual value.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Thresholds(pub(super) [i32; 4]);

/// What holds for all samples of a scan.
#[derive(Debug)]
pub(super) struct Coding {
    width: usize,
    height: usize,
    /// The largest sample.
    most: i32,
    /// The largest error.
    near: i32,
    interleaving: Interleaving,
    thresholds: [i32; 3],
    reset: i32,
    /// How many errors are told apart, and the bits of one.
    range: i32,
    range_bits: u32,
    /// The most bits of a code.
    limit: u32,
}

impl Coding {
    /// The parameters of a scan, or none where they contradict each other.
    pub(super) fn new(
        (width, height): (usize, usize),
        most: i32,
        near: i32,
        interleaving: Interleaving,
        Thresholds(given): Thresholds,
    ) -> Option<Self> {
        if most < 1 || near > 255.min(most / 2) {
            return None;
        }
        let usual = usual(most, near);
        let [t1, t2, t3, reset] =
            std::array::from_fn(|i| if given[i] == 0 { usual[i] } else { given[i] });
        if !(near < t1 && t1 <= t2 && t2 <= t3 && t3 <= most && reset >= 3) {
            return None;
        }
        let range = (most + 2 * near) / (2 * near + 1) + 1;
        let bits = |count: i32| 32 - (count - 1).leading_zeros();
        let sample_bits = bits(most + 1).max(2);
        Some(Self {
            width,
            height,
            most,
            near,
            interleaving,
            thresholds: [t1, t2, t3],
            reset,
            range,
            range_bits: bits(range),
            limit: 2 * (sample_bits + sample_bits.max(8)),
        })
    }

    /// A gradient as one of nine classes (A.3.3).
    fn class(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.thresholds;
        let size = gradient.abs();
        let class = match size {
            _ if size <= self.near => 0,
            _ if size < t1 => 1,
            _ if size < t2 => 2,
            _ if size < t3 => 3,
            _ => 4,
        };
        class * gradient.signum()
    }

    /// The sample of a prediction and its error (A.4.5).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=65535"
    )]
    fn sample(&self, predicted: i32, error: i32) -> u16 {
        let step = 2 * self.near + 1;
        let mut sample = predicted + error * step;
        if sample < -self.near {
            sample += self.range * step;
        } else if sample > self.most + self.near {
            sample -= self.range * step;
        }
        sample.clamp(0, self.most) as u16
    }
}

/// The usual thresholds (C.2.4.1.1.1).
fn usual(most: i32, near: i32) -> [i32; 4] {
    let basic = if most >= 128 {
        let factor = (most.min(4095) + 128) / 256;
        [
            factor + 2 + 3 * near,
            4 * factor + 3 + 5 * near,
            17 * factor + 4 + 7 * near,
        ]
    } else {
        let factor = 256 / (most + 1);
        [
            (3 / factor + 3 * near).max(2),
            (7 / factor + 5 * near).max(3),
            (21 / factor + 7 * near).max(4),
        ]
    };
    let within = |value: i32, least: i32| match (least..=most).contains(&value) {
        true => value,
        false => least,
    };
    let t1 = within(basic[0], near + 1);
    let t2 = within(basic[1], t1);
    [t1, t2, within(basic[2], t2), 64]
}

/// Reads a scan of `count` components into new planes; gives how many bytes it had.
pub(super) fn read(
    bytes: &[u8],
    coding: &Coding,
    count: usize,
    planes: &mut Vec<Vec<u16>>,
) -> Result<usize, DecodeError> {
    let mut decoder = Decoder::new(bytes, coding);
    let mut done = vec![vec![0_u16; coding.width * coding.height]; count];
    // A sample more on either side: what stands for neighbours beyond the edges.
    let mut above = vec![vec![0_u16; coding.width + 2]; count];
    let mut lines = above.clone();
    let mut runs = vec![0; count];
    for y in 0..coding.height {
        for (line, above) in lines.iter_mut().zip(&mut above) {
            line[0] = above[1];
            above[coding.width + 1] = above[coding.width];
        }
        if coding.interleaving == Interleaving::Sample {
            decoder.line_of_pixels(&mut lines, &above, &mut runs[0])?;
        } else {
            for ((line, above), run) in lines.iter_mut().zip(&above).zip(&mut runs) {
                decoder.line(line, above, run)?;
            }
        }
        for (plane, line) in done.iter_mut().zip(&lines) {
            let row = coding.width * y..coding.width * (y + 1);
            plane[row].copy_from_slice(&line[1..=coding.width]);
        }
        std::mem::swap(&mut lines, &mut above);
    }
    planes.append(&mut done);
    Ok(decoder.bits.end())
}

/// What was learnt of the samples that have one context.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Sum of the sizes of the errors.
    sizes: i32,
    /// Sum of the errors, kept small.
    errors: i32,
    /// What predictions are moved by.
    bias: i32,
    /// How many there were.
    count: i32,
}

/// The state of a scan.
struct Decoder<'a> {
    bits: Bits<'a>,
    coding: &'a Coding,
    contexts: Vec<Context>,
    /// Of samples that end a run; `errors` counts those below zero.
    ends: [Context; 2],
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8], coding: &'a Coding) -> Self {
        let fresh = Context {
            sizes: 2.max((coding.range + 32) / 64),
            errors: 0,
            bias: 0,
            count: 1,
        };
        Self {
            bits: Bits::new(bytes),
            coding,
            contexts: vec![fresh; CONTEXTS],
            ends: [fresh; 2],
        }
    }

    /// A row of one component.
    fn line(
        &mut self,
        line: &mut [u16],
        above: &[u16],
        run: &mut usize,
    ) -> Result<(), DecodeError> {
        let mut x = 1;
        while x <= self.coding.width {
            let near = Neighbours::of(line, above, x);
            let context = near.context(self.coding);
            if context != 0 {
                line[x] = self.regular(&near, context)?;
                x += 1;
                continue;
            }
            let length = self.run(self.coding.width + 1 - x, run)?;
            let left = line[x - 1];
            line[x..x + length].fill(left);
            x += length;
            if x <= self.coding.width {
                let near = Neighbours::of(line, above, x);
                let (left, up) = (near.left, near.up);
                line[x] = if (left - up).abs() <= self.coding.near {
                    let error = self.end_of_run(1, *run)?;
                    self.coding.sample(left, error)
                } else {
                    let error = self.end_of_run(0, *run)?;
                    let sign = if left > up { -1 } else { 1 };
                    self.coding.sample(up, sign * error)
                };
                *run = run.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    /// A row of three components, sample by sample.
    fn line_of_pixels(
        &mut self,
        lines: &mut [Vec<u16>],
        above: &[Vec<u16>],
        run: &mut usize,
    ) -> Result<(), DecodeError> {
        let mut x = 1;
        while x <= self.coding.width {
            let mut flat = true;
            for (line, above) in lines.iter().zip(above) {
                flat &= Neighbours::of(line, above, x).context(self.coding) == 0;
            }
            if !flat {
                for (line, above) in lines.iter_mut().zip(above) {
                    let near = Neighbours::of(line, above, x);
                    line[x] = self.regular(&near, near.context(self.coding))?;
                }
                x += 1;
                continue;
            }
            let length = self.run(self.coding.width + 1 - x, run)?;
            for line in lines.iter_mut() {
                let left = line[x - 1];
                line[x..x + length].fill(left);
            }
            x += length;
            if x <= self.coding.width {
                for (line, above) in lines.iter_mut().zip(above) {
                    let near = Neighbours::of(line, above, x);
                    let error = self.end_of_run(0, *run)?;
                    let sign = if near.left > near.up { -1 } else { 1 };
                    line[x] = self.coding.sample(near.up, sign * error);
                }
                *run = run.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    /// A sample by its prediction (A.4 to A.6).
    fn regular(&mut self, near: &Neighbours, context: i32) -> Result<u16, DecodeError> {
        let coding = self.coding;
        let sign = if context < 0 { -1 } else { 1 };
        let state = &mut self.contexts[context.unsigned_abs() as usize];
        let predicted = (near.predict() + sign * state.bias).clamp(0, coding.most);
        let binary = binary_bits(state.count, state.sizes)?;
        let code = self.bits.golomb(binary, coding.limit, coding.range_bits)?;
        let odd = code & 1;
        let half = (code >> 1).cast_signed();
        let error = if coding.near == 0 && binary == 0 && 2 * state.errors <= -state.count {
            if odd == 1 { half } else { -half - 1 }
        } else if odd == 1 {
            -half - 1
        } else {
            half
        };
        state.errors = state
            .errors
            .saturating_add(error.saturating_mul(2 * coding.near + 1));
        state.sizes = state.sizes.saturating_add(error.abs());
        if state.count == coding.reset {
            state.sizes >>= 1;
            state.errors >>= 1;
            state.count >>= 1;
        }
        state.count += 1;
        if state.errors <= -state.count {
            state.errors = (state.errors + state.count).max(1 - state.count);
            state.bias = (state.bias - 1).max(-MOST_BIAS - 1);
        } else if state.errors > 0 {
            state.errors = (state.errors - state.count).min(0);
            state.bias = (state.bias + 1).min(MOST_BIAS);
        }
        bounded(error)?;
        Ok(coding.sample(predicted, sign * error))
    }

    /// How many samples equal the one before them, of those left in the row (A.7.1).
    fn run(&mut self, left: usize, run: &mut usize) -> Result<usize, DecodeError> {
        let mut length = 0;
        while self.bits.take(1)? == 1 {
            let whole = 1 << RUNS[*run];
            length += whole;
            if length > left {
                return Ok(left);
            }
            *run = (*run + 1).min(RUNS.len() - 1);
            if length == left {
                return Ok(left);
            }
        }
        length += self.bits.take(RUNS[*run])? as usize;
        if length >= left {
            return Err(damaged());
        }
        Ok(length)
    }

    /// The error of the sample that ends a run (A.7.2).
    fn end_of_run(&mut self, kind: usize, run: usize) -> Result<i32, DecodeError> {
        let coding = self.coding;
        let state = &mut self.ends[kind];
        let type_ = u32::from(kind == 1);
        let more = if kind == 1 { state.count >> 1 } else { 0 };
        let binary = binary_bits(state.count, state.sizes.saturating_add(more))?;
        let limit = coding.limit - RUNS[run] - 1;
        let code = self.bits.golomb(binary, limit, coding.range_bits)?;
        let told = code + type_;
        let odd = told & 1;
        let size = told.div_ceil(2).cast_signed();
        let below = (binary != 0 || 2 * state.errors >= state.count) == (odd == 1);
        let error = if below { -size } else { size };
        if error < 0 {
            state.errors += 1;
        }
        let grown = ((code + 1 - type_) >> 1).cast_signed();
        state.sizes = state.sizes.saturating_add(grown);
        if state.count == coding.reset {
            state.sizes >>= 1;
            state.errors >>= 1;
            state.count >>= 1;
        }
        state.count += 1;
        bounded(error)?;
        Ok(error)
    }
}

/// An error of 17 bits is larger than any.
fn bounded(error: i32) -> Result<(), DecodeError> {
    if error.unsigned_abs() >> 17 > 0 {
        return Err(damaged());
    }
    Ok(())
}

/// The bits of the binary part of a code (A.5.1).
fn binary_bits(count: i32, sizes: i32) -> Result<u32, DecodeError> {
    (0..=MAX_BINARY)
        .find(|&bits| i64::from(count) << bits >= i64::from(sizes))
        .ok_or_else(damaged)
}

/// The samples around one that is to come.
struct Neighbours {
    left: i32,
    up: i32,
    corner: i32,
    ahead: i32,
}

impl Neighbours {
    fn of(line: &[u16], above: &[u16], x: usize) -> Self {
        Self {
            left: i32::from(line[x - 1]),
            up: i32::from(above[x]),
            corner: i32::from(above[x - 1]),
            ahead: i32::from(above[x + 1]),
        }
    }

    /// The number of the context, below zero where the errors change sign.
    fn context(&self, coding: &Coding) -> i32 {
        let [a, b, c] = [
            self.ahead - self.up,
            self.up - self.corner,
            self.corner - self.left,
        ]
        .map(|gradient| coding.class(gradient));
        (a * 9 + b) * 9 + c
    }

    /// The median of three predictions (A.4.1).
    fn predict(&self) -> i32 {
        let (least, most) = (self.left.min(self.up), self.left.max(self.up));
        (self.left + self.up - self.corner).clamp(least, most)
    }
}

/// Bits, of which one is left out after each byte of ones.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let after_ones = self.at > 0 && self.bytes[self.at - 1] == 0xFF;
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            // A marker: the end.
            let marker = byte == 0xFF && self.bytes.get(self.at + 1).is_none_or(|&b| b >= 0x80);
            if marker || after_ones && byte >= 0x80 {
                return;
            }
            let bits = if after_ones { 7 } else { 8 };
            self.held = self.held << bits | u64::from(byte);
            self.count += bits;
            self.at += 1;
        }
    }

    /// The next bits, at most 16.
    fn take(&mut self, count: u32) -> Result<u32, DecodeError> {
        if self.count < count {
            self.fill();
        }
        self.count = self.count.checked_sub(count).ok_or_else(cut_off)?;
        let bits = self.held >> self.count & ((1 << count) - 1);
        u32::try_from(bits).map_err(|_| damaged())
    }

    /// A number by its Golomb code of limited length (A.5.3).
    fn golomb(&mut self, binary: u32, limit: u32, whole: u32) -> Result<u32, DecodeError> {
        let most = limit.checked_sub(whole + 1).ok_or_else(damaged)?;
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > most {
                return Err(damaged());
            }
        }
        if zeros == most {
            return Ok(self.take(whole)? + 1);
        }
        Ok((zeros << binary) + self.take(binary)?)
    }

    /// Where the next marker is to be looked for.
    fn end(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let marker = rest
            .windows(2)
            .position(|pair| pair[0] == 0xFF && pair[1] >= 0x80);
        self.at + marker.unwrap_or(rest.len())
    }
}
