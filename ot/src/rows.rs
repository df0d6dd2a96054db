//! Correlated OT with vector messages, streamed row by row: what linear layers are made of.

use channel::Channel;
use ring_arith::{BitVec, Bits, Word, packed_len};

use crate::endpoint::{Keys, tweak};
use crate::kernel::row::RowBuffers;
use crate::{Block, Error, OtReceiver, OtSender};

/// Rows whose choice corrections travel in one message. AGREEMENT.
pub const SUPER_TILE: usize = 1 << 20;

/// Rows hashed at a time. LOCAL.
const SUB_TILE: usize = 1024;

/// Bytes sent or received at a time, longer rows aside. LOCAL.
const CHUNK: usize = 1 << 17;

/// What the sender of [`OtSender::cot_rows`] supplies; every method is called with ascending `i`.
pub trait SendRows<W> {
    /// Number of rows.
    fn count(&self) -> usize;

    /// Length and width of row `i`; public, the same on both sides.
    fn shape(&self, i: usize) -> (usize, Bits);

    /// The correlation of row `i`, as long as its shape says; bits above its width are ignored.
    fn correlation(&mut self, i: usize) -> &[W];

    /// Takes the sender's random row r, reduced. Called right after the correlation of the same
    /// row.
    fn absorb(&mut self, i: usize, r: &[W]);
}

/// What the receiver of [`OtReceiver::cot_rows`] supplies; every method is called with ascending
/// `i`.
pub trait ReceiveRows<W> {
    /// Number of rows.
    fn count(&self) -> usize;

    /// Length and width of row `i`; public, the same on both sides.
    fn shape(&self, i: usize) -> (usize, Bits);

    /// The secret choice of row `i`.
    fn choice(&self, i: usize) -> bool;

    /// Takes r + choice·correlation mod 2^l.
    fn absorb(&mut self, i: usize, y: &[W]);
}

impl OtSender {
    /// COT over vectors in Z_2^l, each row with its own length and l.
    ///
    /// **Functionality.** The sender has rows x_i, the receiver choices b_i. The sender gets random
    /// rows r_i, the receiver r_i + b_i·x_i mod 2^l. Public: how many, lengths and widths.
    ///
    /// **Protocol.** [ALSZ13] on random OTs: the receiver sends d_i = b_i ^ c_i, which renames the
    /// sender's keys; both expand keys to rows (the lowest bits of the key itself where a row has
    /// at most 128 bits, AES-CTR else); the sender sends G(k) + x - G(k') and keeps r = G(k). In
    /// super-tiles of [`SUPER_TILE`] rows, whose rows are streamed in order, so memory stays
    /// bounded.
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
        let mut buffers = RowBuffers::new();
        let mut message = Vec::new();
        for start in (0..rows.count()).step_by(SUPER_TILE) {
            let n = (rows.count() - start).min(SUPER_TILE);
            self.q.resize(n.max(self.q.len()), 0);
            let first = self.pool.draw(&mut self.q[..n])?;
            let mut swaps = vec![0; BitVec::byte_len(n)];
            chan.recv(&mut swaps)?;
            self.swap(n, &swaps);
            self.send_rows(chan, rows, start, first, n, &mut buffers, &mut message)?;
            // The receiver reads this tile before it draws for the next, in which both may refill.
            chan.flush()?;
        }
        Ok(())
    }

    /// Renames key pairs: q ^= delta where the receiver says so.
    fn swap(&mut self, n: usize, swaps: &[u8]) {
        let delta = self.pool.delta();
        for (q, swap) in self.q[..n].chunks_mut(8).zip(swaps) {
            for (i, q) in q.iter_mut().enumerate() {
                *q ^= delta & Block::from(swap >> i & 1).wrapping_neg();
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one loop")]
    fn send_rows<W: Word>(
        &self,
        chan: &mut Channel,
        rows: &mut impl SendRows<W>,
        start: usize,
        first: u64,
        n: usize,
        buffers: &mut RowBuffers<W>,
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let delta = self.pool.delta();
        let mut keys = Keys::new(2 * SUB_TILE.min(n));
        let (k0, k1) = keys.0.split_at_mut(SUB_TILE.min(n));
        for at in (0..n).step_by(SUB_TILE) {
            let len = (n - at).min(SUB_TILE);
            let (k0, k1) = (&mut k0[..len], &mut k1[..len]);
            let from = tweak(self.sender, first + at as u64);
            self.hash
                .hash_pair_range(from, &self.q[at..at + len], delta, k0, k1);
            for (i, (&k0, &k1)) in (start + at..).zip(k0.iter().zip(k1.iter())) {
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
        let mut buffers = RowBuffers::new();
        let mut message = Vec::new();
        for start in (0..rows.count()).step_by(SUPER_TILE) {
            let n = (rows.count() - start).min(SUPER_TILE);
            self.t.resize(n.max(self.t.len()), 0);
            let mut swaps = BitVec::zeros(n);
            let first = self.pool.draw(&mut swaps, &mut self.t[..n])?;
            swaps.xor_assign(&BitVec::from_fn(n, |i| rows.choice(start + i)));
            chan.send(&swaps.to_bytes())?;
            chan.flush()?;
            self.receive_rows(chan, rows, start, first, n, &mut buffers, &mut message)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one loop")]
    fn receive_rows<W: Word>(
        &self,
        chan: &mut Channel,
        rows: &mut impl ReceiveRows<W>,
        start: usize,
        first: u64,
        n: usize,
        buffers: &mut RowBuffers<W>,
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut keys = Keys::new(SUB_TILE.min(n));
        let mut hashed = 0;
        let mut at = 0;
        while at < n {
            let end = fetch(chan, rows, start, at, n, message)?;
            let mut rest = message.as_slice();
            for i in at..end {
                if i == hashed {
                    let len = (n - i).min(SUB_TILE);
                    let from = tweak(self.sender, first + i as u64);
                    self.hash
                        .hash_range(from, &self.t[i..i + len], &mut keys.0[..len]);
                    hashed += len;
                }
                let (len, bits) = rows.shape(start + i);
                let bytes;
                (bytes, rest) = rest.split_at(packed_len(len, bits));
                let key = keys.0[i % SUB_TILE];
                buffers.decode(key, rows.choice(start + i), bytes, len, bits);
                rows.absorb(start + i, buffers.row(len));
            }
            at = end;
        }
        Ok(())
    }
}

/// Receives whole rows from number `at` on, about [`CHUNK`] bytes of them; returns the number of
/// the row after them.
fn fetch<W>(
    chan: &mut Channel,
    rows: &impl ReceiveRows<W>,
    start: usize,
    at: usize,
    n: usize,
    message: &mut Vec<u8>,
) -> Result<usize, Error> {
    let (mut end, mut bytes) = (at, 0);
    while end < n && bytes < CHUNK {
        let (len, bits) = rows.shape(start + end);
        bytes += packed_len(len, bits);
        end += 1;
    }
    message.resize(bytes, 0);
    chan.recv(message)?;
    Ok(end)
}
