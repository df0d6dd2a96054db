//! Convolution of a shared image with the server's weights.

use channel::{Cost, Role};
use ndarray::{Array4, ArrayView4};
use ot::{RowRun, RowTally};
use ring_arith::{Bits, slices};
use sharing::Session;

use crate::item::{Item, Rect};
use crate::{ConvSpec, Error, Products, clear};

/// A convolution on arrays: dense, grouped, depthwise, strided, padded or dilated, as its [`ConvSpec`]
/// says.
///
/// **Functionality.** The server inputs weights of `weight_bits` bits, and both parties input shares of
/// x mod 2^bits. Each obtains a fresh share mod 2^bits of [`clear::conv2d`]. Batch size 1, NCHW.
///
/// **Protocol.** [`Products`] with one item per group. Every pair of an input channel and a kernel
/// position has one row of x: the rectangle of inputs that it meets, without padding.
///
/// **Security.** As [`Products`].
///
/// **Cost.** As [`Products`]: `macs · Σ_{j<w} (l−j)` bits to the server, each row rounded up to whole
/// bytes, and one bit to the client per bit of a weight. [`Conv2d::cost`] is exact.
///
/// ```
/// use linear::{Conv2d, ConvSpec, clear};
/// use ndarray::Array4;
/// use ring_arith::Bits;
/// use testkit::run_sessions;
///
/// // Two channels of 4 x 4 to three, 3 x 3, padded by one.
/// let spec = ConvSpec::new([2, 3], [4, 4], [3, 3], [1, 1], [1; 4], 1)?;
/// let conv = Conv2d { spec, weight_bits: Bits::of(5), bits: Bits::of(20) };
/// let weights = Array4::from_shape_fn((3, 2, 3, 3), |(o, c, ..)| o as i32 * 7 - c as i32);
/// let at_client = Array4::from_shape_fn((1, 2, 4, 4), |(_, c, i, j)| (c + 3 * i + j) as u64);
/// let at_server = Array4::from_elem((1, 2, 4, 4), 1000);
///
/// let (ys, yc, cost) = run_sessions(
///     1,
///     |s| conv.run_server(s, weights.view(), at_server.view()).unwrap(),
///     |s| conv.run_client(s, at_client.view()).unwrap(),
/// );
/// let x = &at_client + &at_server;
/// let y = (ys + yc).mapv(|y| conv.bits.reduce(y));
/// assert_eq!(y, clear::conv2d(&spec, conv.bits, weights.view(), x.view()));
/// assert_eq!(cost, conv.cost()?);
/// # Ok::<(), linear::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Conv2d {
    /// The shapes of the convolution.
    pub spec: ConvSpec,
    /// Width of the weights.
    pub weight_bits: Bits,
    /// Width of the ring of inputs and outputs.
    pub bits: Bits,
}

impl Conv2d {
    /// The convolution as a batch of products on flat tensors.
    ///
    /// # Errors
    /// If the oblivious transfers cannot be counted.
    pub fn products(&self) -> Result<Products, Error> {
        let spec = &self.spec;
        let [m, channels, height, width] = spec.weight_shape();
        let m = m / spec.groups();
        let plane = spec.input_len() / spec.input_shape()[0];
        let output_plane = spec.output_len() / spec.output_shape()[0];
        let mut rows = Vec::with_capacity(channels * height * width);
        for c in 0..channels {
            for (r, s) in (0..height).flat_map(|r| (0..width).map(move |s| (r, s))) {
                let rect = spec.rect(r, s).unwrap_or(Rect::line(0, 0));
                let input = rect.input + c * plane;
                rows.push(Rect { input, ..rect });
            }
        }
        let items = (0..spec.groups())
            .map(|group| Item {
                m,
                weight_bits: self.weight_bits,
                bits: self.bits,
                weights: group * m * rows.len(),
                input: group * channels * plane,
                output: group * m * output_plane,
                output_stride: output_plane,
                rows: rows.clone(),
            })
            .collect();
        Products::new(
            items,
            spec.input_len(),
            spec.output_len(),
            spec.weight_len(),
        )
    }

    /// The server's side: its share of the output.
    ///
    /// # Errors
    /// If a weight exceeds its width (before anything is sent), or the session fails.
    ///
    /// # Panics
    /// If the weights or x do not have the shapes of the spec.
    pub fn run_server(
        &self,
        s: &mut Session,
        weights: ArrayView4<'_, i32>,
        x: ArrayView4<'_, u64>,
    ) -> Result<Array4<u64>, Error> {
        let weights = weights.as_standard_layout();
        let flat = weights.as_slice().expect("standard layout is contiguous");
        let products = self.products()?;
        let mut y = clear::conv2d(&self.spec, self.bits, weights.view(), x);
        let cross = products.run_server_cross(s, flat)?;
        let out = y.as_slice_mut().expect("a fresh array is contiguous");
        slices::add_assign(self.bits, out, &cross);
        Ok(y)
    }

    /// The client's side: its share of the output.
    ///
    /// # Errors
    /// If the session fails.
    ///
    /// # Panics
    /// If x does not have the shape of the spec.
    pub fn run_client(
        &self,
        s: &mut Session,
        x: ArrayView4<'_, u64>,
    ) -> Result<Array4<u64>, Error> {
        clear::check_image(&self.spec, x.dim());
        let x = x.as_standard_layout();
        let x = x.as_slice().expect("standard layout is contiguous");
        let y = self.products()?.run_client(s, x)?;
        Ok(clear::image(self.spec.output_shape(), y))
    }

    /// The exact cost.
    ///
    /// # Errors
    /// If the oblivious transfers cannot be counted.
    pub fn cost(&self) -> Result<Cost, Error> {
        let spec = &self.spec;
        // So that their bits can be counted.
        let countable = spec.weight_len().checked_mul(64);
        countable.ok_or(Error::TooLarge)?;
        let mut tally = RowTally::new(Role::Client);
        // Every channel of the input has the same rows.
        tally.add(&self.rows_of_channel(), spec.input_shape()[0]);
        Ok(tally.finish())
    }

    /// The COTs for the rows of one channel of the input, those of neighbours with equal rows in one run.
    fn rows_of_channel(&self) -> Vec<RowRun> {
        let spec = &self.spec;
        let [height, width] = spec.kernel();
        let met = |axis, k| spec.valid(axis, k).map_or(0, |positions| positions.len());
        let outputs = spec.output_shape()[0] / spec.groups();
        let mut runs: Vec<RowRun> = Vec::new();
        for (r, s) in (0..height).flat_map(|r| (0..width).map(move |s| (r, s))) {
            let len = met(0, r) * met(1, s);
            match runs.last_mut() {
                Some(last) if last.len == len => last.times += outputs,
                _ if len == 0 => {}
                _ => runs.push(RowRun {
                    len,
                    bits: self.bits,
                    planes: self.weight_bits.min(self.bits).get(),
                    times: outputs,
                }),
            }
        }
        runs
    }
}
