//! Correlated OT with vectors as messages, streamed row by row. Linear layers are made of it.

use std::ops::Range;

use channel::Channel;
use ring_arith::{BitVec, Bits, Word, packed_len};

use crate::endpoint::Keys;
use crate::kernel::row::RowBuffers;
use crate::{Error, OtReceiver, OtSender};

/// Rows whose choice corrections travel in one message. AGREEMENT.
pub const SUPER_TILE: usize = 1 << 21;

/// Rows hashed at a time. LOCAL.
const SUB_TILE: usize = 1024;

/// Bytes sent or received at a time, longer rows aside. LOCAL.
const CHUNK: usize = 1 << 17;

/// What the sender of [`OtSender::cot_rows`] supplies. Every method is called with ascending `i`.
pub trait SendRows<W> {
    /// Number of rows.
    fn count(&self) -> usize;

    /// Length and width of row `i`, which are public and the same on both sides.
    fn shape(&self, i: usize) -> (usize, Bits);

    /// The correlation of row `i`, as long as its shape says. Bits above its width are ignored.
    fn correlation(&mut self, i: usize) -> &[W];

    /// Is given the sender's random row r, reduced mod 2^l, right after the correlation of the same
    /// row was asked for.
    fn absorb(&mut self, i: usize, r: &[W]);
}

/// What the receiver of [`OtReceiver::cot_rows`] supplies. Every method is called with ascending
/// `i`.
pub trait ReceiveRows<W> {
    /// Number of rows.
    fn count(&self) -> usize;

    /// Length and width of row `i`, which are public and the same on both sides.
    fn shape(&self, i: usize) -> (usize, Bits);

    /// The secret choice of row `i`.
    fn choice(&self, i: usize) -> bool;

    /// Is given r + choice·correlation mod 2^l.
    fn absorb(&mut self, i: usize, y: &[W]);
}

/// Rows of one super-tile that are supplied by one value.
struct Part {
    /// Number of the first row there.
    row: usize,
    /// Which correlations of the super-tile they take.
    range: Range<usize>,
    /// Number of the super-tile's first correlation, if they are from a pool.
    first: u64,
}

impl Part {
    /// The parts of a super-tile that are before and from row `at` on, each with its own numbers.
    fn split(self, at: usize) -> [Self; 2] {
        let Self { row, range, first } = self;
        let middle = at.saturating_sub(row).min(range.end);
        let part = |row, range| Self { row, range, first };
        [
            part(row, range.start..middle),
            part(row.saturating_sub(at), middle..range.end),
        ]
    }
}

impl OtSender {
    /// COT over vectors in Z_2^l, each row with its own length and l.
    ///
    /// **Functionality.** The sender has rows x_i, the receiver choices b_i. The sender gets random
    /// rows r_i, the receiver r_i + b_i·x_i mod 2^l. The number of rows, their lengths and their widths
    /// are public.
    ///
    /// **Protocol.** [ALSZ13] on random OTs: the receiver sends d_i = b_i ^ c_i, which renames the
    /// sender's keys; both expand keys to rows (the lowest bits of the key itself where a row has
    /// at most 128 bits, AES-CTR otherwise); the sender sends G(k) + x - G(k') and keeps r = G(k).
    /// Rows are handled in super-tiles of [`SUPER_TILE`] and streamed in their order, so that memory
    /// stays bounded.
    ///
    /// **Security.** Semi-honest, see [`OtSender`]; AES-128 as PRG on up to 2^32 blocks of a key.
    ///
    /// **Cost.** [`cot_rows_cost`](crate::cot_rows_cost): per super-tile of n rows n bits to the
    /// sender, rounded up to a byte, then ceil(len·l / 8) bytes back per row.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// If a correlation is not as long as its shape, or a width exceeds the word.
    ///
    /// [ALSZ13]: crate#papers
    pub fn cot_rows<W: Word>(
        &mut self,
        chan: &mut Channel,
        rows: &mut impl SendRows<W>,
    ) -> Result<(), Error> {
        let (mut buffers, mut message) = (RowBuffers::new(), Vec::new());
        for tile in super_tiles(rows.count()) {
            let width = widest(tile.clone(), |i| rows.shape(i));
            let part = self.begin(chan, tile, width)?;
            self.send_rows(chan, rows, &part, &mut buffers, &mut message)?;
            // The receiver reads this tile before it draws for the next, in which both may refill.
            chan.flush()?;
        }
        Ok(())
    }

    /// [`OtSender::cot_rows`] with the `narrow` rows first and then the `wide` ones, as one batch:
    /// each kind is computed in words of its own, and they share super-tiles.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// If a correlation is not as long as its shape, or a width exceeds the word.
    pub fn cot_rows_mixed(
        &mut self,
        chan: &mut Channel,
        narrow: &mut impl SendRows<u32>,
        wide: &mut impl SendRows<u64>,
    ) -> Result<(), Error> {
        let (mut narrow_buffers, mut wide_buffers) = (RowBuffers::new(), RowBuffers::new());
        let (middle, mut message) = (narrow.count(), Vec::new());
        for tile in super_tiles(middle + wide.count()) {
            let width = widest(tile.clone(), |i| match i.checked_sub(middle) {
                None => narrow.shape(i),
                Some(i) => wide.shape(i),
            });
            let [before, after] = self.begin(chan, tile, width)?.split(middle);
            self.send_rows(chan, narrow, &before, &mut narrow_buffers, &mut message)?;
            self.send_rows(chan, wide, &after, &mut wide_buffers, &mut message)?;
            chan.flush()?;
        }
        Ok(())
    }

    /// Draws the random OTs of a super-tile and takes the receiver's corrections.
    fn begin(
        &mut self,
        chan: &mut Channel,
        tile: Range<usize>,
        width: usize,
    ) -> Result<Part, Error> {
        let n = tile.len();
        let first = self.draw_rows(n, width)?;
        let mut swaps = vec![0; BitVec::byte_len(n)];
        chan.recv(&mut swaps)?;
        self.swap_rows(n, &swaps);
        Ok(Part {
            row: tile.start,
            range: 0..n,
            first,
        })
    }

    fn send_rows<W: Word>(
        &self,
        chan: &mut Channel,
        rows: &mut impl SendRows<W>,
        part: &Part,
        buffers: &mut RowBuffers<W>,
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let n = part.range.len();
        let most = SUB_TILE.min(n);
        let mut keys = Keys::new(2 * most);
        let (k0, k1) = keys.0.split_at_mut(most);
        for at in (0..n).step_by(SUB_TILE) {
            let len = SUB_TILE.min(n - at);
            let (k0, k1) = (&mut k0[..len], &mut k1[..len]);
            self.row_keys(part.first, part.range.start + at, [k0, k1]);
            for (i, (&k0, &k1)) in (part.row + at..).zip(k0.iter().zip(k1.iter())) {
                let (len, bits) = rows.shape(i);
                buffers.encode(k0, k1, rows.correlation(i), len, bits, message);
                rows.absorb(i, buffers.row(len));
                if message.len() >= CHUNK {
                    chan.send(message)?;
                    message.clear();
                }
            }
        }
        chan.send(message)?;
        message.clear();
        Ok(())
    }
}

impl OtReceiver {
    /// COT over vectors in Z_2^l: r_i + b_i·x_i for every row; see [`OtSender::cot_rows`].
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// If a width exceeds the word.
    pub fn cot_rows<W: Word>(
        &mut self,
        chan: &mut Channel,
        rows: &mut impl ReceiveRows<W>,
    ) -> Result<(), Error> {
        let (mut buffers, mut message) = (RowBuffers::new(), Vec::new());
        for tile in super_tiles(rows.count()) {
            let width = widest(tile.clone(), |i| rows.shape(i));
            let part = self.begin(chan, tile, width, |i| rows.choice(i))?;
            self.receive_rows(chan, rows, &part, &mut buffers, &mut message)?;
        }
        Ok(())
    }

    /// [`OtReceiver::cot_rows`] with the `narrow` rows first and then the `wide` ones; see
    /// [`OtSender::cot_rows_mixed`].
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// If a width exceeds the word.
    pub fn cot_rows_mixed(
        &mut self,
        chan: &mut Channel,
        narrow: &mut impl ReceiveRows<u32>,
        wide: &mut impl ReceiveRows<u64>,
    ) -> Result<(), Error> {
        let (mut narrow_buffers, mut wide_buffers) = (RowBuffers::new(), RowBuffers::new());
        let (middle, mut message) = (narrow.count(), Vec::new());
        for tile in super_tiles(middle + wide.count()) {
            let width = widest(tile.clone(), |i| match i.checked_sub(middle) {
                None => narrow.shape(i),
                Some(i) => wide.shape(i),
            });
            let part = self.begin(chan, tile, width, |i| match i.checked_sub(middle) {
                None => narrow.choice(i),
                Some(i) => wide.choice(i),
            })?;
            let [before, after] = part.split(middle);
            self.receive_rows(chan, narrow, &before, &mut narrow_buffers, &mut message)?;
            self.receive_rows(chan, wide, &after, &mut wide_buffers, &mut message)?;
        }
        Ok(())
    }

    /// Draws the random OTs of a super-tile and sends the corrections to these choices.
    fn begin(
        &mut self,
        chan: &mut Channel,
        tile: Range<usize>,
        width: usize,
        choice: impl Fn(usize) -> bool,
    ) -> Result<Part, Error> {
        let n = tile.len();
        let (mut swaps, first) = self.draw_rows(n, width)?;
        swaps.xor_assign(&BitVec::from_fn(n, |i| choice(tile.start + i)));
        chan.send(&swaps.to_bytes())?;
        chan.flush()?;
        Ok(Part {
            row: tile.start,
            range: 0..n,
            first,
        })
    }

    fn receive_rows<W: Word>(
        &self,
        chan: &mut Channel,
        rows: &mut impl ReceiveRows<W>,
        part: &Part,
        buffers: &mut RowBuffers<W>,
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let n = part.range.len();
        let mut keys = Keys::new(SUB_TILE.min(n));
        let mut hashed = 0;
        let mut at = 0;
        while at < n {
            let end = fetch(chan, rows, part.row + at..part.row + n, message)? - part.row;
            let mut rest = message.as_slice();
            for i in at..end {
                if i == hashed {
                    let len = (n - i).min(SUB_TILE);
                    self.row_keys(part.first, part.range.start + i, &mut keys.0[..len]);
                    hashed += len;
                }
                let row = part.row + i;
                let (len, bits) = rows.shape(row);
                let bytes;
                (bytes, rest) = rest.split_at(packed_len(len, bits));
                let key = keys.0[i % SUB_TILE];
                buffers.decode(key, rows.choice(row), bytes, len, bits);
                rows.absorb(row, buffers.row(len));
            }
            at = end;
        }
        Ok(())
    }
}

/// How many of the lowest bits of its key any of these rows needs: 128 where one is longer than a key.
fn widest(rows: Range<usize>, shape: impl Fn(usize) -> (usize, Bits)) -> usize {
    let bits = rows.map(|row| {
        let (len, bits) = shape(row);
        len.saturating_mul(bits.get() as usize)
    });
    bits.max().unwrap_or(0).min(128)
}

/// All rows, by the super-tile.
fn super_tiles(count: usize) -> impl Iterator<Item = Range<usize>> {
    let tile = move |start| start..count.min(start + SUPER_TILE);
    (0..count).step_by(SUPER_TILE).map(tile)
}

/// Receives the first of some rows whole, about [`CHUNK`] bytes of them; returns the number of
/// the row after them.
fn fetch<W>(
    chan: &mut Channel,
    rows: &impl ReceiveRows<W>,
    range: Range<usize>,
    message: &mut Vec<u8>,
) -> Result<usize, Error> {
    let (mut at, mut bytes) = (range.start, 0);
    while at < range.end && bytes < CHUNK {
        let (len, bits) = rows.shape(at);
        bytes += packed_len(len, bits);
        at += 1;
    }
    message.resize(bytes, 0);
    chan.recv(message)?;
    Ok(at)
}
