//! The columns of a matrix of the server as messages of vector COTs, in the order column, bit of the
//! client's share.

use channel::{Cost, Role};
use ot::{ReceiveRows, RowRun, RowTally, SendRows};
use ring_arith::{Bits, Word, slices};
use sharing::Session;

use crate::Error;

/// The product W·x_C of the server's matrix and the client's share, whose bits choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    inputs: usize,
    outputs: usize,
    bits: Bits,
}

impl Columns {
    /// For a matrix of `outputs` rows and `inputs` columns.
    pub(crate) fn new(inputs: usize, outputs: usize, bits: Bits) -> Result<Self, Error> {
        let size = inputs.max(1).checked_mul(outputs.max(1));
        // So that the bits of all messages can be counted.
        let countable = size.and_then(|size| size.checked_mul(64));
        countable.ok_or(Error::TooLarge)?;
        Ok(Self {
            inputs,
            outputs,
            bits,
        })
    }

    /// The exact cost.
    pub(crate) fn cost(&self) -> Cost {
        let mut tally = RowTally::new(Role::Server);
        if self.outputs > 0 {
            let column = RowRun {
                len: self.outputs,
                bits: self.bits,
                planes: self.bits.get(),
                times: 1,
            };
            tally.add(&[column], self.inputs);
        }
        tally.finish()
    }

    /// The server's side: its share of W·x_C.
    pub(crate) fn serve(&self, s: &mut Session, weights: &[i32]) -> Result<Vec<u64>, Error> {
        assert_eq!(s.role(), Role::Server, "the server's side");
        s.attempt(|s| match self.bits.get() {
            ..=32 => self.send::<u32>(s, weights),
            _ => self.send::<u64>(s, weights),
        })
    }

    /// The client's side: its share of W·x_C.
    pub(crate) fn request(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        assert_eq!(s.role(), Role::Client, "the client's side");
        s.attempt(|s| match self.bits.get() {
            ..=32 => self.receive::<u32>(s, x),
            _ => self.receive::<u64>(s, x),
        })
    }

    fn send<W: Word>(&self, s: &mut Session, weights: &[i32]) -> Result<Vec<u64>, Error> {
        let mut rows = ServerColumns {
            layer: *self,
            weights,
            column: Vec::new(),
            number: None,
            y: vec![W::default(); self.outputs],
        };
        let (channel, sender, _) = s.ot();
        sender.cot_rows(channel, &mut rows)?;
        Ok(self.reduced(&rows.y))
    }

    fn receive<W: Word>(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let mut rows = ClientBits {
            layer: *self,
            x,
            y: vec![W::default(); self.outputs],
        };
        let (channel, _, receiver) = s.ot();
        receiver.cot_rows(channel, &mut rows)?;
        Ok(self.reduced(&rows.y))
    }

    fn reduced<W: Word>(&self, y: &[W]) -> Vec<u64> {
        y.iter().map(|y| self.bits.reduce(y.to_u64())).collect()
    }

    const fn planes(&self) -> usize {
        self.bits.get() as usize
    }

    /// Number of COTs.
    const fn count(&self) -> usize {
        if self.outputs == 0 {
            return 0;
        }
        self.inputs * self.planes()
    }

    /// Number and width of the elements of a COT.
    const fn shape(&self, i: usize) -> (usize, Bits) {
        (self.outputs, Bits::of(self.bits.get() - self.place(i).1))
    }

    /// The column, and the bit of the client's share, that a COT is for.
    #[expect(clippy::cast_possible_truncation, reason = "a bit number is below 64")]
    const fn place(&self, i: usize) -> (usize, u32) {
        (i / self.planes(), (i % self.planes()) as u32)
    }
}

/// The server's end: it sends, and columns of the weights are the correlations.
struct ServerColumns<'a, W> {
    layer: Columns,
    weights: &'a [i32],
    /// The column that was used last.
    column: Vec<W>,
    /// Its number.
    number: Option<usize>,
    y: Vec<W>,
}

impl<W: Word> SendRows<W> for ServerColumns<'_, W> {
    fn count(&self) -> usize {
        self.layer.count()
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        self.layer.shape(i)
    }

    fn correlation(&mut self, i: usize) -> &[W] {
        let (k, _) = self.layer.place(i);
        if self.number != Some(k) {
            let column = self.weights[k..].iter().step_by(self.layer.inputs);
            self.column.clear();
            self.column.extend(column.map(|&w| W::from_i64(w.into())));
            self.number = Some(k);
        }
        &self.column
    }

    fn absorb(&mut self, i: usize, r: &[W]) {
        slices::accumulate_shifted(&mut self.y, r, self.layer.place(i).1, true);
    }
}

/// The client's end: it receives, and the bits of its share are the choices.
struct ClientBits<'a, W> {
    layer: Columns,
    x: &'a [u64],
    y: Vec<W>,
}

impl<W: Word> ReceiveRows<W> for ClientBits<'_, W> {
    fn count(&self) -> usize {
        self.layer.count()
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
