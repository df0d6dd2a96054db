//! Correlated OT over Z_2^l, one ring element each.

use channel::Channel;
use ring_arith::{BitVec, Bits, pack, packed_len, unpack};
use zeroize::Zeroizing;

use crate::endpoint::TILE;
use crate::kernel::bits::low;
use crate::{Error, OtReceiver, OtSender};

impl OtSender {
    /// COT over Z_2^l.
    ///
    /// **Functionality.** The sender has correlations x_i, the receiver choices b_i. The sender
    /// gets random r_i, the receiver r_i + b_i·x_i mod 2^l. Bits of x_i above l are
    /// ignored. Public: how many, and l.
    ///
    /// **Protocol.** [ALSZ13] on random OTs: the receiver sends d_i = b_i ^ c_i, which renames the
    /// sender's keys so that r_i is key 0; the sender sends r_i + x_i - r'_i, where r'_i is key 1.
    /// The lowest l bits of a key are the pad.
    ///
    /// **Security.** Semi-honest, see [`OtSender`].
    ///
    /// **Cost.** [`cot_words_cost`](crate::cot_words_cost): n bits to the sender, then n·l bits
    /// back, each rounded up to a byte.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// [ALSZ13]: crate#papers
    pub fn cot_words(
        &mut self,
        chan: &mut Channel,
        corr: &[u64],
        bits: Bits,
    ) -> Result<Vec<u64>, Error> {
        let n = corr.len();
        let mut r = Vec::with_capacity(n);
        let mut other = Zeroizing::new(Vec::with_capacity(n));
        self.keys(n, TILE, |_, k0, k1| {
            r.extend(k0.iter().map(|&k| low(k)));
            other.extend(k1.iter().map(|&k| low(k)));
        })?;
        let swaps = recv_bits(chan, n)?;
        let rows = r
            .chunks_mut(64)
            .zip(other.chunks_mut(64))
            .zip(corr.chunks(64));
        for (&swap, ((r, other), x)) in swaps.words().iter().zip(rows) {
            for (i, ((r, other), &x)) in r.iter_mut().zip(other).zip(x).enumerate() {
                let difference = (*r ^ *other) & (swap >> i & 1).wrapping_neg();
                *r ^= difference;
                *other = r.wrapping_add(x).wrapping_sub(*other ^ difference);
                *r = bits.reduce(*r);
            }
        }
        let mut message = vec![0; packed_len(n, bits)];
        pack(&other, bits, &mut message);
        chan.send(&message)?;
        chan.flush()?;
        Ok(r)
    }
}

impl OtReceiver {
    /// COT over Z_2^l: r_i + b_i·x_i mod 2^l for every choice b_i; see [`OtSender::cot_words`].
    ///
    /// # Errors
    /// The channel or the pool failed.
    pub fn cot_words(
        &mut self,
        chan: &mut Channel,
        choices: &BitVec,
        bits: Bits,
    ) -> Result<Vec<u64>, Error> {
        let n = choices.len();
        let mut y: Vec<u64> = Vec::with_capacity(n);
        let random = self.keys(n, TILE, |_, k| y.extend(k.iter().map(|&k| low(k))))?;
        send_bits(chan, random, choices)?;
        let mut message = vec![0; packed_len(n, bits)];
        chan.recv(&mut message)?;
        let mut corr = vec![0_u64; n];
        unpack(&message, bits, &mut corr);
        for (&choice, (y, corr)) in choices
            .words()
            .iter()
            .zip(y.chunks_mut(64).zip(corr.chunks(64)))
        {
            for (i, (y, &corr)) in y.iter_mut().zip(corr).enumerate() {
                let selected = corr & (choice >> i & 1).wrapping_neg();
                *y = bits.reduce(y.wrapping_add(selected));
            }
        }
        Ok(y)
    }
}

/// Receives `n` choice corrections.
pub(crate) fn recv_bits(chan: &mut Channel, n: usize) -> Result<BitVec, Error> {
    let mut bytes = vec![0; BitVec::byte_len(n)];
    chan.recv(&mut bytes)?;
    Ok(BitVec::from_bytes(n, &bytes))
}

/// Sends the choice corrections `random ^ wanted`.
pub(crate) fn send_bits(
    chan: &mut Channel,
    mut random: BitVec,
    wanted: &BitVec,
) -> Result<(), Error> {
    random.xor_assign(wanted);
    chan.send(&random.to_bytes())?;
    chan.flush()?;
    Ok(())
}
