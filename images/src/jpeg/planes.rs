//! The components of a frame: coefficients while scans come in, and samples.

use super::dct::{SIDE, inverse};
use super::frame::{Component, Frame};

/// Samples of one component.
#[derive(Debug)]
pub(crate) struct Plane {
    /// Samples of a row that belong to the picture.
    pub(super) width: usize,
    /// Rows that belong to the picture.
    pub(super) height: usize,
    /// Samples of a row, those beyond the edge included.
    stride: usize,
    samples: Vec<u16>,
}

impl Plane {
    /// Zeros.
    pub(super) fn new(width: usize, height: usize, stride: usize, rows: usize) -> Self {
        Self {
            width,
            height,
            stride,
            samples: vec![0; stride * rows],
        }
    }

    /// A row of the picture.
    pub(super) fn row(&self, y: usize) -> &[u16] {
        &self.samples[self.stride * y..][..self.width]
    }

    /// All samples, where none is beyond the edge.
    pub(super) fn samples_mut(&mut self) -> &mut [u16] {
        &mut self.samples
    }

    /// The samples of the picture alone.
    pub(super) fn into_samples(mut self) -> Vec<u16> {
        if self.stride > self.width {
            for y in 1..self.height {
                let start = self.stride * y;
                let row = start..start + self.width;
                self.samples.copy_within(row, self.width * y);
            }
        }
        self.samples.truncate(self.width * self.height);
        self.samples
    }
}

/// The component of a frame of cosine transforms.
#[derive(Debug)]
pub(super) struct Blocks {
    plane: Plane,
    /// Blocks of a row, those included that only fill up a unit of the scan.
    across: usize,
    /// Coefficients, where several scans bring them: in the order of the code.
    coefficients: Vec<[i16; 64]>,
    table: [u16; 64],
    precision: u8,
}

impl Blocks {
    /// Samples of a component, and its coefficients where they are kept.
    pub(super) fn new(frame: &Frame, component: &Component, table: [u16; 64], kept: bool) -> Self {
        let (width, height) = frame.size_of(component);
        let (units_across, units_down) = frame.units();
        let across = units_across * component.across;
        let down = units_down * component.down;
        Self {
            plane: Plane::new(width, height, SIDE * across, SIDE * down),
            across,
            coefficients: vec![[0; 64]; if kept { across * down } else { 0 }],
            table,
            precision: frame.precision,
        }
    }

    /// The coefficients of a block.
    pub(super) fn block_mut(&mut self, x: usize, y: usize) -> &mut [i16; 64] {
        &mut self.coefficients[self.across * y + x]
    }

    /// Turns the coefficients of a block into samples.
    pub(super) fn put(&mut self, x: usize, y: usize, coefficients: &[i16; 64]) {
        let mut block = [0_i64; 64];
        for (k, (&value, &step)) in coefficients.iter().zip(&self.table).enumerate() {
            block[super::dct::ZIGZAG[k]] = i64::from(value) * i64::from(step);
        }
        let middle = 1_i64 << (self.precision - 1);
        let samples = inverse(&block, self.precision);
        for (row, values) in samples.as_chunks::<SIDE>().0.iter().enumerate() {
            let start = (SIDE * y + row) * self.plane.stride + SIDE * x;
            let out = &mut self.plane.samples[start..start + SIDE];
            for (out, value) in out.iter_mut().zip(values) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to the precision"
                )]
                let sample = (value + middle).clamp(0, 2 * middle - 1) as u16;
                *out = sample;
            }
        }
    }

    /// The samples; of coefficients that were kept, they are made now.
    pub(super) fn finish(mut self) -> Plane {
        let coefficients = std::mem::take(&mut self.coefficients);
        for (i, block) in coefficients.iter().enumerate() {
            self.put(i % self.across, i / self.across, block);
        }
        self.plane
    }
}
