//! The product of a matrix of the server with a shared matrix.

use channel::Cost;
use ndarray::{Array2, ArrayView2};
use ring_arith::Bits;
use sharing::Session;

use crate::item::{Item, Rect};
use crate::{AlikeRows, Error, Products, products_cost};

/// `W · x` for an m × k matrix of the server and a shared k × n matrix.
///
/// **Functionality.** The server inputs W, and both parties input shares of x mod 2^bits. Each obtains a
/// fresh share mod 2^bits of W·x, an m × n matrix.
///
/// **Protocol, Security.** As [`Products`], with one item.
///
/// **Cost.** As [`Products`]: m·k·w COTs with n elements each. [`MatMul::cost`] is exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct MatMul {
    /// Rows of the server's matrix.
    pub m: usize,
    /// The inner dimension.
    pub k: usize,
    /// Columns of the shared matrix.
    pub n: usize,
    /// Width of the server's entries.
    pub weight_bits: Bits,
    /// Width of the ring of inputs and outputs.
    pub bits: Bits,
}

impl MatMul {
    /// The product as a batch of one item on flat row-major matrices.
    ///
    /// # Errors
    /// If the sizes overflow.
    pub fn products(&self) -> Result<Products, Error> {
        let size = |a: usize, b: usize| a.checked_mul(b).ok_or(Error::TooLarge);
        let (input, output) = (size(self.k, self.n)?, size(self.m, self.n)?);
        let weights = size(self.m, self.k)?;
        let item = Item {
            m: self.m,
            rows: (0..self.k)
                .map(|k| Rect::line(k * self.n, self.n))
                .collect(),
            weight_bits: self.weight_bits,
            bits: self.bits,
            weights: 0,
            input: 0,
            output: 0,
            output_stride: self.n,
        };
        Products::new(vec![item], input, output, weights)
    }

    /// The server's side: its share of the product.
    ///
    /// # Errors
    /// If a weight exceeds its width (before anything is sent), or the session fails.
    ///
    /// # Panics
    /// If the matrices do not have the declared shapes.
    pub fn run_server(
        &self,
        s: &mut Session,
        weights: ArrayView2<'_, i32>,
        x: ArrayView2<'_, u64>,
    ) -> Result<Array2<u64>, Error> {
        assert_eq!(weights.dim(), (self.m, self.k), "the weights are m x k");
        assert_eq!(x.dim(), (self.k, self.n), "x is k x n");
        let (weights, x) = (weights.as_standard_layout(), x.as_standard_layout());
        let y = self.products()?.run_server(
            s,
            weights.as_slice().expect("standard layout is contiguous"),
            x.as_slice().expect("standard layout is contiguous"),
        )?;
        Ok(self.shaped(y))
    }

    /// The client's side: its share of the product.
    ///
    /// # Errors
    /// If the session fails.
    ///
    /// # Panics
    /// If x does not have the declared shape.
    pub fn run_client(
        &self,
        s: &mut Session,
        x: ArrayView2<'_, u64>,
    ) -> Result<Array2<u64>, Error> {
        assert_eq!(x.dim(), (self.k, self.n), "x is k x n");
        let x = x.as_standard_layout();
        let x = x.as_slice().expect("standard layout is contiguous");
        Ok(self.shaped(self.products()?.run_client(s, x)?))
    }

    /// The exact cost.
    ///
    /// # Errors
    /// If the sizes overflow.
    pub fn cost(&self) -> Result<Cost, Error> {
        let sizes = [(self.k, self.n), (self.m, self.n), (self.m, self.k)];
        // So that the bits of the weights can be counted.
        let countable = |(a, b): (usize, usize)| a.checked_mul(b)?.checked_mul(64);
        if sizes.into_iter().any(|size| countable(size).is_none()) {
            return Err(Error::TooLarge);
        }
        let rows = AlikeRows {
            rows: self.k,
            len: self.n,
            m: self.m,
            weight_bits: self.weight_bits,
            bits: self.bits,
        };
        Ok(products_cost(&[rows]))
    }

    fn shaped(&self, y: Vec<u64>) -> Array2<u64> {
        Array2::from_shape_vec((self.m, self.n), y).expect("the length is m * n")
    }
}
