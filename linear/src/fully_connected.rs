//! A server matrix times a shared vector, by the cheaper of two forms.

use channel::{Cost, Role};
use ndarray::{Array1, ArrayView1, ArrayView2};
use ot::{CotPrice, ReceiveRows, SendRows, cot_rows_cost};
use ring_arith::{Bits, Word, slices};
use sharing::Session;

use crate::products::check_weights;
use crate::{Error, MatMul, clear};

/// A fully connected layer, `W · x` for one shared vector x.
///
/// **Functionality.** Fresh shares mod 2^bits of W·x.
///
/// **Protocol.** y = W·x_S + W·x_C, the first term local. Either the bits of the weights choose,
/// as in [`Products`](crate::Products), in COTs of one element. Or the bits of the client's share
/// choose, as in [RRK+20]: bit j of element k selects column k of W, all outputs in one COT mod
/// 2^(l−j). [`FullyConnected::chooser`] says which, and
/// [`FullyConnected::cheapest`] chooses.
///
/// **Security.** Semi-honest, from the security of [`ot::OtSender::cot_rows`].
///
/// **Cost.** The server chooses: `inputs·outputs·min(w, l)` COTs in which the client sends, each
/// with 1 bit to the client and ceil((l−j)/8) bytes back. The client chooses: `inputs·l` COTs in
/// which the server sends, each with 1 bit to the server and ceil(outputs·(l−j)/8) bytes back.
/// [`FullyConnected::cost`] is exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct FullyConnected {
    /// Length of x.
    pub inputs: usize,
    /// Length of y.
    pub outputs: usize,
    /// Width of the weights.
    pub weight_bits: Bits,
    /// The ring of inputs and outputs.
    pub bits: Bits,
    /// Whose bits choose.
    pub chooser: Role,
}

impl FullyConnected {
    /// The same with the cheaper chooser, given the price of a COT.
    ///
    /// # Errors
    /// If the sizes overflow.
    pub fn cheapest(self, cot_price: CotPrice) -> Result<Self, Error> {
        let total = |chooser| {
            let layer = Self { chooser, ..self };
            let cost = layer.cost()?;
            let total = cot_price.total(8 * cost.bytes(), cost.cots.total());
            Ok::<_, Error>((layer, total))
        };
        let (server, client) = (total(Role::Server)?, total(Role::Client)?);
        Ok(if client.1 < server.1 {
            client.0
        } else {
            server.0
        })
    }

    /// The exact cost.
    ///
    /// # Errors
    /// If the sizes overflow.
    pub fn cost(&self) -> Result<Cost, Error> {
        match self.chooser {
            Role::Server => self.as_matmul().cost(),
            Role::Client => self.client_chooses_cost(),
        }
    }

    /// The server's side: its share of y.
    ///
    /// # Errors
    /// If a weight exceeds its width (before anything is sent), or the session fails.
    ///
    /// # Panics
    /// If the operands do not have the declared shapes.
    pub fn run_server(
        &self,
        s: &mut Session,
        weights: ArrayView2<'_, i32>,
        x: ArrayView1<'_, u64>,
    ) -> Result<Array1<u64>, Error> {
        assert_eq!(
            weights.dim(),
            (self.outputs, self.inputs),
            "outputs x inputs"
        );
        assert_eq!(x.len(), self.inputs, "wrong number of inputs");
        let column = x.insert_axis(ndarray::Axis(1));
        if self.chooser == Role::Server {
            let y = self.as_matmul().run_server(s, weights, column)?;
            return Ok(Array1::from_vec(y.into_raw_vec_and_offset().0));
        }
        Ok(Array1::from_vec(self.serve_columns(s, weights, x)?))
    }

    /// The server's side where the client's bits choose.
    pub(crate) fn serve_columns(
        &self,
        s: &mut Session,
        weights: ArrayView2<'_, i32>,
        x: ArrayView1<'_, u64>,
    ) -> Result<Vec<u64>, Error> {
        assert_eq!(s.role(), Role::Server, "the server's side");
        let cross = s.attempt(|s| {
            let flat = weights.as_standard_layout();
            check_weights(self.weight_bits, flat.as_slice().expect("contiguous"), 0)?;
            if self.bits.get() <= 32 {
                self.send::<u32>(s, weights)
            } else {
                self.send::<u64>(s, weights)
            }
        })?;
        let mine = clear::matmul(self.bits, weights, x.insert_axis(ndarray::Axis(1)));
        let mut y = mine.into_raw_vec_and_offset().0;
        slices::add_assign(self.bits, &mut y, &cross);
        Ok(y)
    }

    /// The client's side where its bits choose.
    pub(crate) fn request_columns(
        &self,
        s: &mut Session,
        x: ArrayView1<'_, u64>,
    ) -> Result<Vec<u64>, Error> {
        assert_eq!(s.role(), Role::Client, "the client's side");
        s.attempt(|s| {
            if self.bits.get() <= 32 {
                self.receive::<u32>(s, x)
            } else {
                self.receive::<u64>(s, x)
            }
        })
    }

    /// The client's side: its share of y.
    ///
    /// # Errors
    /// If the session fails.
    ///
    /// # Panics
    /// If x does not have the declared length.
    pub fn run_client(
        &self,
        s: &mut Session,
        x: ArrayView1<'_, u64>,
    ) -> Result<Array1<u64>, Error> {
        assert_eq!(x.len(), self.inputs, "wrong number of inputs");
        if self.chooser == Role::Server {
            let y = self
                .as_matmul()
                .run_client(s, x.insert_axis(ndarray::Axis(1)))?;
            return Ok(Array1::from_vec(y.into_raw_vec_and_offset().0));
        }
        Ok(Array1::from_vec(self.request_columns(s, x)?))
    }

    const fn as_matmul(&self) -> MatMul {
        MatMul {
            m: self.outputs,
            k: self.inputs,
            n: 1,
            weight_bits: self.weight_bits,
            bits: self.bits,
        }
    }

    fn client_chooses_cost(&self) -> Result<Cost, Error> {
        let shapes = (0..self.count()?).map(|i| self.shape(i));
        Ok(cot_rows_cost(shapes, Role::Server))
    }

    /// COTs of the form in which the client chooses.
    fn count(&self) -> Result<usize, Error> {
        if self.outputs == 0 {
            return Ok(0);
        }
        let planes = self.bits.get() as usize;
        self.inputs.checked_mul(planes).ok_or(Error::TooLarge)
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        (self.outputs, Bits::of(self.bits.get() - self.place(i).1))
    }

    /// Element and bit of a COT.
    #[expect(clippy::cast_possible_truncation, reason = "a bit number is below 64")]
    const fn place(&self, i: usize) -> (usize, u32) {
        let planes = self.bits.get() as usize;
        (i / planes, (i % planes) as u32)
    }

    fn send<W: Word>(
        &self,
        s: &mut Session,
        weights: ArrayView2<'_, i32>,
    ) -> Result<Vec<u64>, Error> {
        let column = |k| {
            weights
                .column(k)
                .iter()
                .map(|&w| W::from_i64(w.into()))
                .collect()
        };
        let mut rows = ServerColumns {
            layer: *self,
            count: self.count()?,
            columns: &column,
            column: (usize::MAX, Vec::new()),
            y: vec![W::default(); self.outputs],
        };
        let (channel, sender, _) = s.ot();
        sender.cot_rows(channel, &mut rows)?;
        Ok(rows
            .y
            .iter()
            .map(|y| self.bits.reduce(y.to_u64()))
            .collect())
    }

    fn receive<W: Word>(&self, s: &mut Session, x: ArrayView1<'_, u64>) -> Result<Vec<u64>, Error> {
        let mut rows = ClientBits {
            layer: *self,
            count: self.count()?,
            x,
            y: vec![W::default(); self.outputs],
        };
        let (channel, _, receiver) = s.ot();
        receiver.cot_rows(channel, &mut rows)?;
        Ok(rows
            .y
            .iter()
            .map(|y| self.bits.reduce(y.to_u64()))
            .collect())
    }
}

/// The server's end where the client's bits choose: columns of the weights.
struct ServerColumns<'a, W> {
    layer: FullyConnected,
    count: usize,
    columns: &'a dyn Fn(usize) -> Vec<W>,
    column: (usize, Vec<W>),
    y: Vec<W>,
}

impl<W: Word> SendRows<W> for ServerColumns<'_, W> {
    fn count(&self) -> usize {
        self.count
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        self.layer.shape(i)
    }

    fn correlation(&mut self, i: usize) -> &[W] {
        let (k, _) = self.layer.place(i);
        if self.column.0 != k {
            self.column = (k, (self.columns)(k));
        }
        &self.column.1
    }

    fn absorb(&mut self, i: usize, r: &[W]) {
        slices::accumulate_shifted(&mut self.y, r, self.layer.place(i).1, true);
    }
}

/// The client's end where its bits choose.
struct ClientBits<'a, W> {
    layer: FullyConnected,
    count: usize,
    x: ArrayView1<'a, u64>,
    y: Vec<W>,
}

impl<W: Word> ReceiveRows<W> for ClientBits<'_, W> {
    fn count(&self) -> usize {
        self.count
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        self.layer.shape(i)
    }

    fn choice(&self, i: usize) -> bool {
        let (k, j) = self.layer.place(i);
        self.x[k] >> j & 1 == 1
    }

    fn absorb(&mut self, i: usize, y: &[W]) {
        slices::accumulate_shifted(&mut self.y, y, self.layer.place(i).1, false);
    }
}
