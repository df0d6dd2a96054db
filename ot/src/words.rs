//! Correlated OT over Z_2^l, one ring element each.

use core::fmt;

use channel::Channel;
use ring_arith::{BitVec, Bits, packed_len};
use zeroize::Zeroizing;

use crate::kernel::bits::copy_bits;
use crate::kernel::correct::{correct, select};
use crate::{Error, OtReceiver, OtSender};

/// The sender's end of a batch of COTs whose random OTs are drawn, between [`OtSender::begin_cot_words`] and
/// [`SendingWords::answer`].
pub struct SendingWords {
    parts: Vec<Keys>,
}

/// Both keys of every OT of a part.
struct Keys {
    bits: Bits,
    first: Zeroizing<Vec<u64>>,
    second: Zeroizing<Vec<u64>>,
}

/// The receiver's end of a batch of COTs whose random OTs are drawn, between [`OtReceiver::begin_cot_words`] or
/// [`OtReceiver::random_cot_words`] and [`ReceivingWords::finish`].
pub struct ReceivingWords {
    parts: Vec<(BitVec, Bits)>,
    keys: Vec<Zeroizing<Vec<u64>>>,
}

impl OtSender {
    /// COT over Z_2^l.
    ///
    /// **Functionality.** The sender has correlations x_i, the receiver choices b_i. The sender
    /// gets random r_i, the receiver r_i + b_i·x_i mod 2^l. Bits of x_i above l are
    /// ignored. The number of OTs and l are public.
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
        Ok(self.cot_words_batch(chan, &[(corr, bits)])?.swap_remove(0))
    }

    /// COTs over several rings, each part with its own correlations and l, in two flights for all of them; otherwise
    /// as [`OtSender::cot_words`].
    ///
    /// **Cost.** [`cot_words_batch_cost`](crate::cot_words_batch_cost): one bit for each COT to the sender, rounded up to a
    /// byte over all parts, then n·l bits back for each part, rounded up to a byte.
    ///
    /// # Errors
    /// The channel or the pool failed.
    pub fn cot_words_batch(
        &mut self,
        chan: &mut Channel,
        parts: &[(&[u64], Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        let pending = self.begin_cot_words(parts.iter().map(|part| (part.0.len(), part.1)))?;
        let mut flips = vec![0; BitVec::byte_len(pending.len())];
        chan.recv(&mut flips)?;
        let flips = BitVec::from_bytes(pending.len(), &flips);
        let (mut at, mut bytes) = (0, Vec::new());
        let mut all = Vec::with_capacity(parts.len());
        for (&(x, bits), keys) in parts.iter().zip(pending.parts) {
            bytes.resize(packed_len(x.len(), bits), 0);
            all.push(keys.answer(x, bits, (&flips, at), &mut bytes));
            chan.send(&bytes)?;
            at += x.len();
        }
        chan.flush()?;
        Ok(all)
    }

    /// The first step of [`OtSender::cot_words_batch`], for protocols that send the messages in flights of their own:
    /// draws the random OTs for parts of these lengths and widths.
    ///
    /// # Errors
    /// The pool failed.
    pub fn begin_cot_words(
        &mut self,
        parts: impl IntoIterator<Item = (usize, Bits)>,
    ) -> Result<SendingWords, Error> {
        let draw = |(n, bits)| {
            let [first, second] = self.words(n, bits)?;
            Ok(Keys {
                bits,
                first,
                second,
            })
        };
        let parts = parts.into_iter().map(draw).collect::<Result<_, Error>>()?;
        Ok(SendingWords { parts })
    }
}

impl SendingWords {
    /// The number of COTs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|keys| keys.first.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last step: from the receiver's message and the correlations of the parts that were begun, the random r of
    /// every part and the message to the receiver, of ceil(n·l / 8) bytes for each part.
    ///
    /// # Panics
    /// If the message has not one bit for each COT, rounded up to a byte, or the correlations are not those that were
    /// begun, in number or width.
    #[must_use]
    pub fn answer(self, flips: &[u8], parts: &[(&[u64], Bits)]) -> (Vec<Vec<u64>>, Vec<u8>) {
        let flips = BitVec::from_bytes(self.len(), flips);
        self.correct(&flips, parts)
    }

    /// The only step where the receiver's choices are random ([`OtReceiver::random_cot_words`]); otherwise as
    /// [`SendingWords::answer`].
    ///
    /// # Panics
    /// If the correlations are not those that were begun, in number or width.
    #[must_use]
    pub fn offer(self, parts: &[(&[u64], Bits)]) -> (Vec<Vec<u64>>, Vec<u8>) {
        let flips = BitVec::zeros(self.len());
        self.correct(&flips, parts)
    }

    fn correct(self, flips: &BitVec, parts: &[(&[u64], Bits)]) -> (Vec<Vec<u64>>, Vec<u8>) {
        assert_eq!(parts.len(), self.parts.len(), "the parts that were begun");
        let mut message = vec![0; message_len(parts.iter().map(|part| (part.0.len(), part.1)))];
        let (mut at, mut rest) = (0, message.as_mut_slice());
        let mut all = Vec::with_capacity(parts.len());
        for (&(x, bits), keys) in parts.iter().zip(self.parts) {
            let bytes;
            (bytes, rest) = rest.split_at_mut(packed_len(x.len(), bits));
            all.push(keys.answer(x, bits, (flips, at), bytes));
            at += x.len();
        }
        (all, message)
    }
}

impl Keys {
    /// The random r; writes the packed corrections to `out`. Those of the choices begin at bit `at` of `flips`.
    fn answer(
        mut self,
        x: &[u64],
        bits: Bits,
        flips: (&BitVec, usize),
        out: &mut [u8],
    ) -> Vec<u64> {
        assert_eq!(bits, self.bits, "the width that was begun");
        let mut r = core::mem::take(&mut *self.first);
        // It will hold what is sent, which needs no erasure.
        let mut other = core::mem::take(&mut *self.second);
        correct([&mut r, &mut other], x, bits, flips, out);
        r
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
        let mut y = self.cot_words_batch(chan, &[(choices, bits)])?;
        Ok(y.swap_remove(0))
    }

    /// COTs over several rings in two flights, each part with its own choices and l; see
    /// [`OtSender::cot_words_batch`].
    ///
    /// # Errors
    /// The channel or the pool failed.
    pub fn cot_words_batch(
        &mut self,
        chan: &mut Channel,
        parts: &[(&BitVec, Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        let (pending, flips) = self.begin_cot_words(parts)?;
        chan.send(&flips)?;
        chan.flush()?;
        let mut message = vec![0; pending.message_len()];
        chan.recv(&mut message)?;
        Ok(pending.finish(&message))
    }

    /// The first step of [`OtReceiver::cot_words_batch`], for protocols that send the messages in flights of their own:
    /// draws the random OTs, and returns the message to the sender, one bit for each COT.
    ///
    /// # Errors
    /// The pool failed.
    pub fn begin_cot_words(
        &mut self,
        parts: &[(&BitVec, Bits)],
    ) -> Result<(ReceivingWords, Vec<u8>), Error> {
        let mut flips = BitVec::zeros(parts.iter().map(|part| part.0.len()).sum());
        let mut pending = ReceivingWords::new();
        let mut at = 0;
        for &(choices, bits) in parts {
            let mut random = self.draw_words(&mut pending, choices.len(), bits)?;
            random.xor_assign(choices);
            copy_bits(flips.words_mut(), at, random.words(), 0, choices.len());
            at += choices.len();
            pending.parts.push((choices.clone(), bits));
        }
        Ok((pending, flips.to_bytes()))
    }

    /// As [`OtReceiver::begin_cot_words`] for parts of these lengths, with random choices
    /// ([`ReceivingWords::choices`]). Nothing is sent; the sender answers with [`SendingWords::offer`].
    ///
    /// # Errors
    /// The pool failed.
    pub fn random_cot_words(&mut self, parts: &[(usize, Bits)]) -> Result<ReceivingWords, Error> {
        let mut pending = ReceivingWords::new();
        for &(n, bits) in parts {
            let choices = self.draw_words(&mut pending, n, bits)?;
            pending.parts.push((choices, bits));
        }
        Ok(pending)
    }

    /// Draws the random OTs of a part. Its random choices.
    fn draw_words(
        &mut self,
        pending: &mut ReceivingWords,
        n: usize,
        bits: Bits,
    ) -> Result<BitVec, Error> {
        let (random, own) = self.words(n, bits)?;
        pending.keys.push(own);
        Ok(random)
    }
}

impl ReceivingWords {
    const fn new() -> Self {
        Self {
            parts: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// The choices of every part.
    pub fn choices(&self) -> impl Iterator<Item = &BitVec> {
        self.parts.iter().map(|part| &part.0)
    }

    /// Bytes of the sender's message.
    #[must_use]
    pub fn message_len(&self) -> usize {
        message_len(self.parts.iter().map(|part| (part.0.len(), part.1)))
    }

    /// The last step: from the sender's message, r + b·x mod 2^l of every part.
    ///
    /// # Panics
    /// If the message is not [`ReceivingWords::message_len`] bytes long.
    #[must_use]
    pub fn finish(self, message: &[u8]) -> Vec<Vec<u64>> {
        assert_eq!(message.len(), self.message_len(), "the whole message");
        let (mut all, mut rest) = (Vec::with_capacity(self.parts.len()), message);
        for ((choices, bits), mut keys) in self.parts.into_iter().zip(self.keys) {
            let bytes;
            (bytes, rest) = rest.split_at(packed_len(choices.len(), bits));
            select(&mut keys, &choices, bits, bytes);
            all.push(core::mem::take(&mut *keys));
        }
        all
    }
}

/// Bytes of the corrections of parts of these lengths and widths.
pub(crate) fn message_len(parts: impl IntoIterator<Item = (usize, Bits)>) -> usize {
    parts.into_iter().map(|(n, bits)| packed_len(n, bits)).sum()
}

impl fmt::Debug for SendingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendingWords")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReceivingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivingWords")
            .field("message_len", &self.message_len())
            .finish_non_exhaustive()
    }
}
