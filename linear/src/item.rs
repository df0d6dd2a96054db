//! The items of a batch of products: index arithmetic only.

use ot::RowRun;
use ring_arith::Bits;

/// A rectangle of elements of the flat input, and where its products belong in the flat output.
///
/// Element `(i, j)` lies `input + i·input_strides[0] + j·input_strides[1]` after the item's start in
/// the input. Its products belong `output + i·output_strides[0] + j·output_strides[1]` after the start
/// of each output row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain index arithmetic")]
pub struct Rect {
    /// Offset of the first element, from the item's start in the input.
    pub input: usize,
    /// Offset of the first element's product, from the start of an output row.
    pub output: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Distances in the input from row to row and from column to column.
    pub input_strides: [usize; 2],
    /// Distances in the output from row to row and from column to column.
    pub output_strides: [usize; 2],
}

impl Rect {
    /// `n` consecutive elements, whose products are consecutive from the start of an output row.
    #[must_use]
    pub const fn line(input: usize, n: usize) -> Self {
        Self {
            input,
            output: 0,
            rows: 1,
            columns: n,
            input_strides: [n, 1],
            output_strides: [n, 1],
        }
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0 || self.columns == 0
    }
}

/// One product of a matrix of the server with a shared matrix:
/// `y[m] += Σ_k weight[m, k] · row_k(x)` mod 2^bits.
///
/// The rows of x may differ in length and place: a [`Rect`] says which elements a row has, and to
/// which part of an output row its products are added. Weight (m, k) is number
/// `weights + m·rows.len() + k` of the batch's weights; output row m starts at
/// `output + m·output_stride` of the batch's output.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain index arithmetic")]
pub struct Item {
    /// Number of rows of the server's matrix.
    pub m: usize,
    /// The rows of the shared matrix, one for each column of the server's.
    pub rows: Vec<Rect>,
    /// Width of the weights, in two's complement.
    pub weight_bits: Bits,
    /// Width of the ring of inputs and outputs.
    pub bits: Bits,
    /// Number of the first weight.
    pub weights: usize,
    /// Start of the item in the input, to which the offsets of its rows are added.
    pub input: usize,
    /// Start of the first output row.
    pub output: usize,
    /// Distance from one output row to the next.
    pub output_stride: usize,
}

impl Item {
    /// The number of bits of a weight that matter, which is none beyond the ring.
    pub(crate) fn planes(&self) -> u32 {
        self.weight_bits.min(self.bits).get()
    }

    /// Width of the elements of the COT for bit `j` of a weight.
    pub(crate) const fn width(&self, j: u32) -> Bits {
        Bits::of(self.bits.get() - j)
    }

    /// Whether bit `j` of a weight counts negatively.
    pub(crate) fn is_sign(&self, j: u32) -> bool {
        j + 1 == self.weight_bits.get()
    }

    /// The COTs for row `k` of x.
    pub(crate) fn run(&self, k: usize) -> RowRun {
        RowRun {
            len: self.rows[k].len(),
            bits: self.bits,
            planes: self.planes(),
            times: self.m,
        }
    }

    /// Number of COTs for one row of x.
    pub(crate) fn cots_of_row(&self) -> Option<usize> {
        self.m.checked_mul(self.planes() as usize)
    }

    /// One past the last element of the input that the item reads.
    pub(crate) fn input_end(&self) -> Option<usize> {
        let rows = self.rows.iter().filter(|row| !row.is_empty());
        let mut ends = rows.map(|row| reach(row.input, row.input_strides, row));
        let end = ends.try_fold(0, |most, end| Some(end?.max(most)))?;
        self.input.checked_add(end)
    }

    /// One past the last weight that the item uses.
    pub(crate) fn weight_end(&self) -> Option<usize> {
        self.weights
            .checked_add(self.m.checked_mul(self.rows.len())?)
    }

    /// One past the last element that is written, from the start of an output row.
    pub(crate) fn span(&self) -> Option<usize> {
        let rows = self.rows.iter().filter(|row| !row.is_empty());
        let mut ends = rows.map(|row| reach(row.output, row.output_strides, row));
        ends.try_fold(0, |most, end| Some(end?.max(most)))
    }

    /// One past the last element of the output that the item writes.
    pub(crate) fn output_end(&self) -> Option<usize> {
        let Some(before) = self.m.checked_sub(1) else {
            return Some(self.output);
        };
        let rows = before.checked_mul(self.output_stride)?;
        self.output.checked_add(rows)?.checked_add(self.span()?)
    }

    /// Number of multiplications.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.m as u64 * self.rows.iter().map(|row| row.len() as u64).sum::<u64>()
    }
}

/// One past the last element of a non-empty rectangle that begins at `start`.
fn reach(start: usize, strides: [usize; 2], rect: &Rect) -> Option<usize> {
    let down = strides[0].checked_mul(rect.rows - 1)?;
    let right = strides[1].checked_mul(rect.columns - 1)?;
    start.checked_add(down)?.checked_add(right)?.checked_add(1)
}
