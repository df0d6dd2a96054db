//! What a batch of products is made of: pure index arithmetic.

use ring_arith::Bits;

/// A rectangle of elements of the flat input, and where its products go in the flat output.
///
/// Element `(i, j)` is `input + i·input_strides[0] + j·input_strides[1]` from the item's base in
/// the input, and its products go to `output + i·output_strides[0] + j·output_strides[1]` from
/// the base of each output row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain index arithmetic")]
pub struct Rect {
    /// Offset of the first element in the input.
    pub input: usize,
    /// Offset of its product in an output row.
    pub output: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Steps in the input from row to row and from column to column.
    pub input_strides: [usize; 2],
    /// Steps in the output from row to row and from column to column.
    pub output_strides: [usize; 2],
}

impl Rect {
    /// `n` consecutive elements whose products lie consecutively from the start of a row.
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

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0 || self.columns == 0
    }
}

/// One product of a server matrix with a shared matrix:
/// `y[m] += Σ_k weight[m, k] · row_k(x)` mod 2^bits.
///
/// The rows of x may differ in length and place: [`Rect`] says which elements they are and to
/// which part of an output row they contribute. Weight (m, k) is number
/// `weights + m·rows.len() + k` of the batch's weights, output row m starts at
/// `output + m·output_stride` of the batch's output.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain index arithmetic")]
pub struct Item {
    /// Rows of the server's matrix.
    pub m: usize,
    /// The rows of the shared matrix.
    pub rows: Vec<Rect>,
    /// Width of the weights, two's complement.
    pub weight_bits: Bits,
    /// The ring of inputs and outputs.
    pub bits: Bits,
    /// Number of the first weight.
    pub weights: usize,
    /// Offset of the item in the input, added to that of its rows.
    pub input: usize,
    /// Offset of the first output row.
    pub output: usize,
    /// Distance of output rows.
    pub output_stride: usize,
}

impl Item {
    /// Bits of a weight that matter: none beyond the ring.
    pub(crate) fn planes(&self) -> u32 {
        self.weight_bits.min(self.bits).get()
    }

    /// The COT's width for bit `j` of a weight.
    pub(crate) const fn width(&self, j: u32) -> Bits {
        Bits::of(self.bits.get() - j)
    }

    /// Whether bit `j` of a weight counts negatively.
    pub(crate) fn is_sign(&self, j: u32) -> bool {
        j + 1 == self.weight_bits.get()
    }

    /// COTs of one row of x.
    pub(crate) fn cots_of_row(&self) -> Option<usize> {
        self.m.checked_mul(self.planes() as usize)
    }

    /// The end of what the item reads of the input.
    pub(crate) fn input_end(&self) -> Option<usize> {
        let rows = self.rows.iter().filter(|row| !row.is_empty());
        let mut ends = rows.map(|row| reach(row.input, row.input_strides, row));
        let end = ends.try_fold(0, |most, end| Some(end?.max(most)))?;
        self.input.checked_add(end)
    }

    /// The end of the weights it uses.
    pub(crate) fn weight_end(&self) -> Option<usize> {
        self.weights
            .checked_add(self.m.checked_mul(self.rows.len())?)
    }

    /// How far an output row is written.
    pub(crate) fn span(&self) -> Option<usize> {
        let rows = self.rows.iter().filter(|row| !row.is_empty());
        let mut ends = rows.map(|row| reach(row.output, row.output_strides, row));
        ends.try_fold(0, |most, end| Some(end?.max(most)))
    }

    /// The end of what it writes of the output.
    pub(crate) fn output_end(&self) -> Option<usize> {
        let Some(before) = self.m.checked_sub(1) else {
            return Some(self.output);
        };
        let rows = before.checked_mul(self.output_stride)?;
        self.output.checked_add(rows)?.checked_add(self.span()?)
    }

    /// Multiplications.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.m as u64 * self.rows.iter().map(|row| row.len() as u64).sum::<u64>()
    }
}

/// One past the last element of a rectangle that is not empty.
fn reach(start: usize, strides: [usize; 2], rect: &Rect) -> Option<usize> {
    let down = strides[0].checked_mul(rect.rows - 1)?;
    let right = strides[1].checked_mul(rect.columns - 1)?;
    start.checked_add(down)?.checked_add(right)?.checked_add(1)
}
