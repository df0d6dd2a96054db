//! Scans of cosine coefficients: sequential and progressive (ITU-T T.81, annexes F.2 and G.2).

use super::bits::{Bits, Code};
use super::dct::SIDE;
use super::frame::{Frame, Process, Scan, Tables};
use super::planes::Blocks;
use crate::error::DecodeError;

/// The largest class of a difference: 15 bits, those of a frame of 12 bits.
const MAX_CLASS: u8 = 15;

/// The components of a frame while scans come in.
#[derive(Debug)]
pub(super) struct Picture {
    /// None before the first scan of a component.
    components: Vec<Option<Blocks>>,
    /// For each coefficient of each component, how many bits are still left out; none before its first scan.
    known: Vec<[Option<u8>; 64]>,
}

/// What a block takes from the scan.
struct State<'a> {
    bits: Bits<'a>,
    /// Last DC coefficient of each component of the scan.
    dc: [i32; 3],
    /// Blocks to come without anything new.
    empty: u32,
}

/// The codes of one component, and where its last DC coefficient is.
struct Codes<'a> {
    dc: Option<&'a Code>,
    ac: Option<&'a Code>,
    place: usize,
}

impl Picture {
    pub(super) fn new(frame: &Frame) -> Self {
        let count = frame.components.len();
        Self {
            components: (0..count).map(|_| None).collect(),
            known: vec![[None; 64]; count],
        }
    }

    /// Reads a scan; gives where it ends.
    pub(super) fn scan(
        &mut self,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables,
        bits: Bits<'_>,
    ) -> Result<usize, DecodeError> {
        self.check(frame, scan)?;
        let progressive = frame.process == Process::Progressive;
        let mut codes = Vec::new();
        for (nth, &(place, dc, ac)) in scan.components.iter().enumerate() {
            let component = &frame.components[place];
            if self.components[place].is_none() {
                let steps = tables.steps[component.table].ok_or_else(damaged)?;
                self.components[place] = Some(Blocks::new(frame, component, steps, progressive));
            }
            codes.push(Codes {
                dc: tables.dc.get(dc).and_then(Option::as_ref),
                ac: tables.ac.get(ac).and_then(Option::as_ref),
                place: nth,
            });
        }
        let mut state = State {
            bits,
            dc: [0; 3],
            empty: 0,
        };
        let alone = scan.components.len() == 1;
        let (across, down) = match scan.components[..] {
            [(place, ..)] => {
                let (width, height) = frame.size_of(&frame.components[place]);
                (width.div_ceil(SIDE), height.div_ceil(SIDE))
            }
            _ => frame.units(),
        };
        for unit in 0..across * down {
            if tables.restart > 0 && unit > 0 && unit.is_multiple_of(tables.restart) {
                let number = (unit / tables.restart - 1) % 8;
                if state.empty > 0 {
                    return Err(damaged());
                }
                #[expect(clippy::cast_possible_truncation, reason = "below 8")]
                state.bits.restart(number as u8)?;
                state.dc = [0; 3];
            }
            let (left, top) = (unit % across, unit / across);
            for (&(place, ..), codes) in scan.components.iter().zip(&codes) {
                let component = &frame.components[place];
                let blocks = self.components[place].as_mut().ok_or_else(damaged)?;
                let (wide, high) = match alone {
                    true => (1, 1),
                    false => (component.across, component.down),
                };
                for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
                    let at = (left * wide + x, top * high + y);
                    if progressive {
                        let block = blocks.block_mut(at.0, at.1);
                        state.refine(scan, codes, block)?;
                    } else {
                        let block = state.block(codes)?;
                        blocks.put(at.0, at.1, &block);
                    }
                }
            }
        }
        if state.empty > 0 {
            return Err(damaged());
        }
        Ok(state.bits.at())
    }

    /// Checks that a scan brings what is still missing, and notes it: no work is done twice.
    fn check(&mut self, frame: &Frame, scan: &Scan) -> Result<(), DecodeError> {
        let (first, last) = match frame.process {
            // The header says nothing else (B.2.3).
            Process::Sequential | Process::Lossless => (0, 63),
            Process::Progressive => (usize::from(scan.first), usize::from(scan.last)),
        };
        let (before, after) = match frame.process {
            Process::Sequential | Process::Lossless => (0, 0),
            Process::Progressive => (scan.before, scan.after),
        };
        let separate = (first == 0) == (last == 0) && (first == 0 || scan.components.len() == 1);
        let known = match frame.process {
            Process::Progressive => separate && first <= last && last < 64 && after < 14,
            Process::Sequential | Process::Lossless => true,
        };
        if !known {
            return Err(damaged());
        }
        for &(place, ..) in &scan.components {
            // The DC coefficient comes before the others.
            if first > 0 && self.known[place][0].is_none() {
                return Err(damaged());
            }
            for bits in &mut self.known[place][first..=last] {
                match *bits {
                    None if before == 0 => {}
                    Some(left) if before > 0 && left == before && after + 1 == before => {}
                    _ => return Err(damaged()),
                }
                *bits = Some(after);
            }
        }
        Ok(())
    }

    /// The components, if all scans have come.
    pub(super) fn finish(self) -> Result<Vec<Blocks>, DecodeError> {
        let whole = |known: &[Option<u8>; 64]| known.iter().all(|bits| *bits == Some(0));
        if !self.known.iter().all(whole) {
            return Err(DecodeError::JpegCutOff);
        }
        let blocks: Option<Vec<Blocks>> = self.components.into_iter().collect();
        blocks.ok_or(DecodeError::JpegCutOff)
    }
}

impl State<'_> {
    /// The next DC coefficient.
    fn dc(&mut self, codes: &Codes<'_>) -> Result<i32, DecodeError> {
        let class = self.bits.symbol(codes.dc.ok_or_else(damaged)?)?;
        if class > MAX_CLASS {
            return Err(damaged());
        }
        let difference = self.bits.signed(u32::from(class))?;
        let last = &mut self.dc[codes.place];
        *last = last.wrapping_add(difference);
        Ok(*last)
    }

    /// A block of a sequential scan, in the order of the code (F.2.2).
    fn block(&mut self, codes: &Codes<'_>) -> Result<[i16; 64], DecodeError> {
        let mut block = [0; 64];
        block[0] = short(self.dc(codes)?);
        let code = codes.ac.ok_or_else(damaged)?;
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(code)?;
            let (run, class) = (usize::from(symbol >> 4), symbol & 15);
            if class == 0 {
                if run < 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let value = self.bits.signed(u32::from(class))?;
            *block.get_mut(k).ok_or_else(damaged)? = short(value);
            k += 1;
        }
        Ok(block)
    }

    /// What a progressive scan adds to a block (G.1.2, G.2).
    fn refine(
        &mut self,
        scan: &Scan,
        codes: &Codes<'_>,
        block: &mut [i16; 64],
    ) -> Result<(), DecodeError> {
        match (scan.first, scan.before) {
            (0, 0) => block[0] = short(self.dc(codes)?.wrapping_shl(u32::from(scan.after))),
            (0, _) => {
                let bit = self.bits.take(1)?;
                block[0] |= short(bit.cast_signed()) << scan.after;
            }
            (_, 0) => self.first_bits(scan, codes, block)?,
            _ => self.next_bit(scan, codes, block)?,
        }
        Ok(())
    }

    /// The first bits of AC coefficients.
    fn first_bits(
        &mut self,
        scan: &Scan,
        codes: &Codes<'_>,
        block: &mut [i16; 64],
    ) -> Result<(), DecodeError> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let code = codes.ac.ok_or_else(damaged)?;
        let (mut k, last) = (usize::from(scan.first), usize::from(scan.last));
        while k <= last {
            let symbol = self.bits.symbol(code)?;
            let (run, class) = (symbol >> 4, symbol & 15);
            if class == 0 {
                if run < 15 {
                    self.empty = (1 << run) - 1 + self.bits.take(u32::from(run))?;
                    break;
                }
                k += 16;
                continue;
            }
            k += usize::from(run);
            if k > last {
                return Err(damaged());
            }
            let value = self.bits.signed(u32::from(class))?;
            block[k] = short(value.wrapping_shl(u32::from(scan.after)));
            k += 1;
        }
        Ok(())
    }

    /// One more bit of AC coefficients.
    fn next_bit(
        &mut self,
        scan: &Scan,
        codes: &Codes<'_>,
        block: &mut [i16; 64],
    ) -> Result<(), DecodeError> {
        let (mut k, last) = (usize::from(scan.first), usize::from(scan.last));
        let one = 1_i16 << scan.after;
        if self.empty == 0 {
            let code = codes.ac.ok_or_else(damaged)?;
            while k <= last {
                let symbol = self.bits.symbol(code)?;
                let (run, class) = (symbol >> 4, symbol & 15);
                let new = match (class, run) {
                    (0, 15) => 0,
                    (0, _) => {
                        // This block is the first of the empty ones.
                        self.empty = (1 << run) + self.bits.take(u32::from(run))?;
                        break;
                    }
                    (1, _) if self.bits.take(1)? == 1 => one,
                    (1, _) => -one,
                    _ => return Err(damaged()),
                };
                // As many zeros as the run says are stepped over, and what is no zero gets its bit.
                k = self.correct(block, k..=last, Some(run), one)?;
                if k <= last {
                    block[k] = new;
                } else if new != 0 {
                    return Err(damaged());
                }
                k += 1;
            }
        }
        if self.empty > 0 {
            self.correct(block, k..=last, None, one)?;
            self.empty -= 1;
        }
        Ok(())
    }

    /// Gives coefficients that are not zero their next bit, until `zeros` zeros were passed; gives the place of the zero after them.
    fn correct(
        &mut self,
        block: &mut [i16; 64],
        range: std::ops::RangeInclusive<usize>,
        zeros: Option<u8>,
        one: i16,
    ) -> Result<usize, DecodeError> {
        let mut passed = 0;
        let (first, last) = range.into_inner();
        for k in first..=last {
            let value = &mut block[k];
            if *value == 0 {
                if zeros == Some(passed) {
                    return Ok(k);
                }
                passed = passed.wrapping_add(1);
            } else if self.bits.take(1)? == 1 && *value & one == 0 {
                *value = value.wrapping_add(if *value > 0 { one } else { -one });
            }
        }
        Ok(last + 1)
    }
}

fn damaged() -> DecodeError {
    DecodeError::damaged("the JPEG data is damaged")
}

/// A coefficient; what does not fit is damage that shows.
#[expect(clippy::cast_possible_truncation, reason = "16 bits are meant")]
const fn short(value: i32) -> i16 {
    value as i16
}
