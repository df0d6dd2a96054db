//! 1-of-2^k OT of short table entries, XOR-shared: the leaves of the millionaires' protocol.

use channel::Channel;
use ring_arith::BitVec;
use zeroize::Zeroizing;

use crate::kernel::bits::words_of;
use crate::kernel::leaf::Shape;
use crate::words::{recv_bits, send_bits};
use crate::{Error, OtReceiver, OtSender};

/// Instances handled at a time, so that a tile of keys is a multiple of 64. LOCAL.
const INSTANCES: usize = 512;

pub(crate) fn check_shape(k: u32, width: u32) -> Shape {
    Shape::new(k, width).unwrap_or_else(|| {
        panic!("no leaves of 2^{k} entries of {width} bits: a table has at most 64 bits")
    })
}

impl OtSender {
    /// 1-of-2^k OT on shares.
    ///
    /// **Functionality.** The sender has tables f_i of 2^k entries of `width` bits, the receiver
    /// values y_i < 2^k. Both get random XOR shares of f_i(y_i). Public: how many, k and `width`.
    /// Entry v of table i is in bits `[v * width, (v + 1) * width)` of `tables[i]`; its other bits
    /// are ignored. The result has `width` planes of one bit per instance.
    ///
    /// **Protocol.** [NP99] from k random OTs with choices c: the pad of entry w is the XOR over j
    /// of chunk w of key w_j of OT j, so that all chunks in use are disjoint. The receiver sends d
    /// = y ^ c; message w is pad_w ^ f(w ^ d) ^ r. The sender's share r is pad_0 ^ f(d), which
    /// makes message 0 zero: 2^k - 1 messages travel ([RRK+20] sends 2^k).
    ///
    /// **Security.** Semi-honest, see [`OtSender`]: for every w other than c the pad holds a chunk
    /// of a key that the receiver does not know.
    ///
    /// **Cost.** [`leaves_cost`](crate::leaves_cost): m·k bits to the sender, then m·(2^k -
    /// 1)·width bits back, each rounded up to a byte; m·k correlations.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// Unless 1 <= k <= 6, `width` >= 1 and `width << k` <= 64.
    ///
    /// [NP99]: crate#papers
    pub fn leaves(
        &mut self,
        chan: &mut Channel,
        k: u32,
        width: u32,
        tables: &[u64],
    ) -> Result<Vec<BitVec>, Error> {
        let shape = check_shape(k, width);
        let (m, k) = (tables.len(), k as usize);
        let mut pads = Zeroizing::new(Vec::with_capacity(m));
        self.keys(m * k, INSTANCES * k, |_, k0, k1| {
            shape.all_pads(k0, k1, &mut pads);
        })?;
        let swaps = recv_bits(chan, m * k)?;
        let (message, shares) = shape.mask(&pads, tables, &swaps);
        chan.send(&message)?;
        chan.flush()?;
        Ok(shares)
    }
}

impl OtReceiver {
    /// 1-of-2^k OT on shares: this party's shares of f_i(y_i) for `values[i]` = y_i; see
    /// [`OtSender::leaves`]. Bits of a value above the lowest k are ignored.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// # Panics
    /// Unless 1 <= k <= 6, `width` >= 1 and `width << k` <= 64.
    pub fn leaves(
        &mut self,
        chan: &mut Channel,
        k: u32,
        width: u32,
        values: &[u8],
    ) -> Result<Vec<BitVec>, Error> {
        let shape = check_shape(k, width);
        let (m, k) = (values.len(), k as usize);
        let mut pads = Zeroizing::new(Vec::with_capacity(m));
        let random = self.keys(m * k, INSTANCES * k, |_, keys| {
            shape.own_pads(keys, &mut pads);
        })?;
        send_bits(chan, random.clone(), &shape.concatenate(values))?;
        let mut message = vec![0; (m * shape.payload() as usize).div_ceil(8)];
        chan.recv(&mut message)?;
        Ok(shape.unmask(&pads, &random, &words_of(&message)))
    }
}
