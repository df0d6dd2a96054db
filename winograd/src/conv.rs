//! The convolution of a shared image with the server's weights.

use channel::Cost;
use linear::{AlikeRows, ConvSpec, Item, Products, Rect, products_cost};
use ndarray::{Array4, ArrayView4};
use ring_arith::{Bits, Word};
use sharing::Session;

use crate::layout::Layout;
use crate::transform::{backward, forward};
use crate::{Error, Filters, Tile};

/// A convolution on arrays by Winograd's algorithm: stride and dilation 1; dense, grouped or depthwise;
/// any padding and any size.
///
/// **Functionality.** The server inputs weights of `weight_bits` bits, and both parties input shares of x
/// mod 2^(l+g), where g is the number of [`guard_bits`](Tile::guard_bits) of the tile. Each obtains a
/// fresh share mod 2^(l+g) of 2^g times the convolution; a truncation that removes g bits more then has
/// the convolution mod 2^l. Shares of x mod 2^l can be input unchanged: there they add up to x or to
/// x + 2^l, and the result depends on x mod 2^l only. The result is exact for every input, also where
/// sums overflow. Batch size 1, NCHW. Shapes, tile and widths are public.
///
/// **Protocol.** \[LG16\], as Aᵀ[(G·w·Gᵀ) ⊙ (Bᵀ·d·B)]A on integers. Bᵀ and Aᵀ consist of small integers,
/// and both parties apply them to their shares by additions and shifts. Every row of G becomes small
/// integers by a public factor; with those the server multiplies, in one batch with one item of
/// [`Products`] per position of the tile and group. The factors, and the inverse of the odd part of
/// their common denominator, are applied to the shares of the products. Departures from the paper:
/// integers are exact; a product whose factor is a multiple of 2^v is taken mod 2^(l+g−v) only, because
/// the other bits vanish; weights grow only by the bits that their own position needs. Where tiles do
/// not divide the output, the last one is smaller and uses *fewer points of the same tile*: its products
/// are with the same transformed weights, so they lengthen rows that are there already and need no
/// correlated OT of their own.
///
/// **Security.** Semi-honest, as [`Products`]; everything else is local.
///
/// **Cost.** That of [`Products`], where every pair of channels has (rows of points) · (columns of points)
/// products. With tiles of m outputs and a kernel of k, an axis of n outputs takes (m + k − 1) · ⌊n/m⌋
/// points, and n mod m + k − 1 more if m does not divide n. Products with padding *are* paid for, because
/// the transforms mix them. Two flights per super-tile of correlated OTs. [`WinogradConv::cost`] is exact.
///
/// ```
/// use linear::ConvSpec;
/// use ndarray::Array4;
/// use ring_arith::Bits;
/// use testkit::run_sessions;
/// use winograd::{Tile, WinogradConv};
///
/// // Two channels of 8 x 8 to three, 3 x 3, padded by one, results of 20 bits.
/// let spec = ConvSpec::new([2, 3], [8, 8], [3, 3], [1, 1], [1; 4], 1)?;
/// let conv = WinogradConv::new(spec, Tile::F4x4_3x3, Bits::of(5), Bits::of(20))?;
/// let weights = Array4::from_shape_fn((3, 2, 3, 3), |(o, c, ..)| o as i32 * 7 - c as i32);
/// let at_client = Array4::from_shape_fn((1, 2, 8, 8), |(_, c, i, j)| (c + 3 * i + j) as u64);
/// let at_server = Array4::from_elem((1, 2, 8, 8), 1000);
///
/// let (ys, yc, cost) = run_sessions(
///     1,
///     |s| conv.run_server(s, weights.view(), at_server.view()).unwrap(),
///     |s| conv.run_client(s, at_client.view()).unwrap(),
/// );
/// let x = &at_client + &at_server;
/// let y = (ys + yc).mapv(|y| conv.ring().reduce(y) >> conv.guard_bits());
/// assert_eq!(y, linear::clear::conv2d(&spec, conv.bits(), weights.view(), x.view()));
/// assert_eq!(cost, conv.cost());
/// # Ok::<(), winograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WinogradConv {
    spec: ConvSpec,
    tile: Tile,
    weight_bits: Bits,
    bits: Bits,
    ring: Bits,
    layout: Layout,
    /// Number and products of each position of the tile that some product has.
    positions: Vec<(usize, AlikeRows)>,
}

impl WinogradConv {
    /// The convolution `spec` by `tile`, for weights of `weight_bits` bits and results mod 2^bits once
    /// the guard bits are removed. The ring of the shares is [`WinogradConv::ring`].
    ///
    /// # Errors
    /// If the tile is for another kernel, stride or dilation is not 1, `bits` and the guard bits exceed
    /// 64, the transformed weights would exceed 32 bits, or the layer is too large.
    pub fn new(spec: ConvSpec, tile: Tile, weight_bits: Bits, bits: Bits) -> Result<Self, Error> {
        if spec.kernel() != tile.kernel() {
            let kernel = spec.kernel();
            return Err(Error::Kernel { tile, kernel });
        }
        if spec.stride() != [1, 1] {
            let stride = spec.stride();
            return Err(Error::Stride { tile, stride });
        }
        if spec.dilation() != [1, 1] {
            let dilation = spec.dilation();
            return Err(Error::Dilation { tile, dilation });
        }
        let ring = Bits::new(bits.get() + tile.guard_bits()).ok_or(Error::Guard {
            tile,
            bits: bits.get(),
        })?;
        let layout = Layout::new(&spec, tile).ok_or(linear::Error::TooLarge)?;
        let positions = positions(&spec, tile, weight_bits, ring, &layout)?;
        // So that the bits of the transformed weights can be counted.
        let weights = spec.weight_len().checked_mul(64 * layout.positions.len());
        weights.ok_or(linear::Error::TooLarge)?;
        Ok(Self {
            spec,
            tile,
            weight_bits,
            bits,
            ring,
            layout,
            positions,
        })
    }

    /// The shapes of the convolution.
    #[must_use]
    pub const fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// The tile.
    #[must_use]
    pub const fn tile(&self) -> Tile {
        self.tile
    }

    /// Width of the weights.
    #[must_use]
    pub const fn weight_bits(&self) -> Bits {
        self.weight_bits
    }

    /// Width of the ring of the convolution, which results are in once the guard bits are removed.
    #[must_use]
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// Width of the ring of the shares, both of input and of output: `bits` plus the guard bits.
    #[must_use]
    pub const fn ring(&self) -> Bits {
        self.ring
    }

    /// The number of guard bits: the output is 2^guard_bits times the convolution.
    #[must_use]
    pub const fn guard_bits(&self) -> u32 {
        self.tile.guard_bits()
    }

    /// Number of multiplications by oblivious transfer.
    #[must_use]
    pub fn multiplications(&self) -> u64 {
        self.batch().iter().map(AlikeRows::macs).sum()
    }

    /// Bits to the server that the multiplications take before rows are rounded up to bytes: the sum of
    /// Σ_{j<w} (l−j) over all of them, each with its own w and l.
    #[must_use]
    pub fn multiplication_bits(&self) -> u64 {
        let bits = |rows: &AlikeRows| -> u64 {
            let (w, l) = (rows.weight_bits.min(rows.bits).get(), rows.bits.get());
            rows.macs() * (0..w).map(|j| u64::from(l - j)).sum::<u64>()
        };
        self.batch().iter().map(bits).sum()
    }

    /// The products between the two transforms: of the weights in [`Filters`] with what
    /// [`WinogradConv::transform_input`] makes, for [`WinogradConv::transform_output`]. It has an entry for every
    /// row of inputs and is made anew by every call and every run, so that a plan takes no memory.
    ///
    /// # Errors
    /// [`linear::Error`] if memory cannot count the oblivious transfers.
    pub fn products(&self) -> Result<Products, Error> {
        let [c_out, c_in, ..] = self.spec.weight_shape();
        Ok(Products::new(
            self.items(),
            self.layout.input_len,
            self.layout.output_len,
            self.layout.positions.len() * c_out * c_in,
        )?)
    }

    /// The sizes of the products, position by position.
    pub(crate) fn batch(&self) -> Vec<AlikeRows> {
        self.positions.iter().map(|&(_, rows)| rows).collect()
    }

    /// Transforms the weights, once for any number of runs.
    ///
    /// # Errors
    /// If a weight exceeds its width.
    ///
    /// # Panics
    /// If the weights do not have the shape of the spec.
    pub fn prepare(&self, weights: ArrayView4<'_, i32>) -> Result<Filters, Error> {
        Filters::new(&self.spec, self.tile, self.weight_bits, weights)
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
        self.run_server_prepared(s, &self.prepare(weights)?, x)
    }

    /// As [`WinogradConv::run_server`], with weights that are transformed already.
    ///
    /// # Errors
    /// If the session fails.
    ///
    /// # Panics
    /// If the filters are another layer's or x does not have the shape of the spec.
    pub fn run_server_prepared(
        &self,
        s: &mut Session,
        filters: &Filters,
        x: ArrayView4<'_, u64>,
    ) -> Result<Array4<u64>, Error> {
        assert_eq!(
            filters.tile(),
            self.tile,
            "the filters are for another tile"
        );
        if self.narrow() {
            self.server::<u32>(s, filters, x)
        } else {
            self.server::<u64>(s, filters, x)
        }
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
        if self.narrow() {
            self.client::<u32>(s, x)
        } else {
            self.client::<u64>(s, x)
        }
    }

    /// The same function on clear integers.
    ///
    /// # Panics
    /// If the filters are another layer's or x does not have the shape of the spec.
    #[must_use]
    pub fn clear(&self, filters: &Filters, x: ArrayView4<'_, u64>) -> Array4<u64> {
        assert_eq!(
            filters.tile(),
            self.tile,
            "the filters are for another tile"
        );
        let products = self.products().expect("they were counted");
        if self.narrow() {
            let v: Vec<u32> = self.transform_input(x);
            self.transform_output(&products.clear(filters.values(), &v))
        } else {
            let v: Vec<u64> = self.transform_input(x);
            self.transform_output(&products.clear(filters.values(), &v))
        }
    }

    /// The local step before the products, on a share or on clear integers. Its values are not reduced to
    /// the rings of their positions.
    ///
    /// # Panics
    /// If x does not have the shape of the spec, or the ring exceeds the word.
    #[must_use]
    pub fn transform_input<W: Word>(&self, x: ArrayView4<'_, u64>) -> Vec<W> {
        self.check_word::<W>();
        let [c, h, w] = self.spec.input_shape();
        assert_eq!(x.dim(), (1, c, h, w), "x is one image of the spec's shape");
        let x = x.as_standard_layout();
        let x = x.as_slice().expect("standard layout is contiguous");
        forward(&self.layout, x)
    }

    /// The local step after the products, on a share or on clear integers.
    ///
    /// # Panics
    /// If there is not one product for every output of [`WinogradConv::products`], or the ring
    /// exceeds the word.
    #[must_use]
    pub fn transform_output<W: Word>(&self, products: &[W]) -> Array4<u64> {
        self.check_word::<W>();
        assert_eq!(
            products.len(),
            self.layout.output_len,
            "wrong number of products"
        );
        let y = backward(&self.layout, self.ring, products);
        let [c, h, w] = self.spec.output_shape();
        Array4::from_shape_vec((1, c, h, w), y).expect("the length is that of the shape")
    }

    /// Whether the ring fits into words of 32 bits, which halves the memory between the transforms.
    const fn narrow(&self) -> bool {
        self.ring.get() <= u32::BITS
    }

    fn check_word<W: Word>(&self) {
        assert!(self.ring.get() <= W::BITS, "the ring exceeds the word");
    }

    fn server<W: Word>(
        &self,
        s: &mut Session,
        filters: &Filters,
        x: ArrayView4<'_, u64>,
    ) -> Result<Array4<u64>, Error> {
        let v: Vec<W> = self.transform_input(x);
        let y = self.products()?.run_server(s, filters.values(), &v)?;
        // Before the output is made, so that memory need not hold both.
        drop(v);
        Ok(self.transform_output(&y))
    }

    fn client<W: Word>(
        &self,
        s: &mut Session,
        x: ArrayView4<'_, u64>,
    ) -> Result<Array4<u64>, Error> {
        let v: Vec<W> = self.transform_input(x);
        let y = self.products()?.run_client(s, &v)?;
        // Before the output is made, so that memory need not hold both.
        drop(v);
        Ok(self.transform_output(&y))
    }

    /// The exact cost.
    #[must_use]
    pub fn cost(&self) -> Cost {
        products_cost(&self.batch())
    }

    /// One item for each position of the tile and each group.
    fn items(&self) -> Vec<Item> {
        let ([c_out, channels, ..], groups) = (self.spec.weight_shape(), self.spec.groups());
        let layout = &self.layout;
        let mut items = Vec::with_capacity(self.positions.len() * groups);
        for &(number, at) in &self.positions {
            let start = layout.positions[number].start;
            let row = |c| Rect::line(c * layout.stride, at.len);
            let rows: Vec<_> = (0..channels).map(row).collect();
            items.extend((0..groups).map(|group| Item {
                m: at.m,
                rows: rows.clone(),
                weight_bits: at.weight_bits,
                bits: at.bits,
                weights: (number * c_out + group * at.m) * channels,
                input: start + group * channels * layout.stride,
                output: start + group * at.m * layout.stride,
                output_stride: layout.stride,
            }));
        }
        items
    }
}

/// Number and products of each position of the tile that some product has.
fn positions(
    spec: &ConvSpec,
    tile: Tile,
    weight_bits: Bits,
    ring: Bits,
    layout: &Layout,
) -> Result<Vec<(usize, AlikeRows)>, Error> {
    let mut positions = Vec::with_capacity(layout.positions.len());
    for (number, position) in layout.positions.iter().enumerate() {
        let at = [number / tile.points(), number % tile.points()];
        let weight_bits = tile.weight_bits(weight_bits, at).ok_or(Error::WeightBits {
            tile,
            bits: weight_bits.get(),
        })?;
        if position.len > 0 {
            let rows = AlikeRows {
                rows: spec.input_shape()[0],
                len: position.len,
                m: spec.weight_shape()[0] / spec.groups(),
                weight_bits,
                bits: Bits::of(ring.get() - position.twos),
            };
            positions.push((number, rows));
        }
    }
    Ok(positions)
}
