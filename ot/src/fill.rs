//! Making stocks.

use channel::{Channel, Cost, Role};
use ring_arith::{BitVec, Bits, pack, packed_len, unpack};
use zeroize::Zeroizing;

use crate::prg::{Prg, xor_into};
use crate::stock::{Draw, End, Form, begin, seeded_choices, seeded_message, stock_len};
use crate::{Block, Error, OtReceiver, OtSender};

/// The most bytes of masked messages that are said at a time when a stock is made, longer draws aside (AGREEMENT).
pub(crate) const BATCH: usize = 1 << 24;

impl OtSender {
    /// Makes the random OTs of these draws, and appends them to `out` as the bytes of a [`Stock`](crate::Stock),
    /// [`stock_len`] of them. `seed` must be fresh and secret: messages 1 come from it.
    ///
    /// **Functionality.** That of [`OtSender::rot`], for each draw in its form.
    ///
    /// **Protocol.** As in [Bea95], the receiver sends c'_i ^ c_i, where c' are the choices of its seed and c those of the pool, which says
    /// whether the two keys change places. The sender keeps key 0 as message 0, and sends message 1 masked by key 1.
    ///
    /// **Security.** Semi-honest, see [`OtSender`]; AES-128 as PRG, for messages 1 and for the choices. A choice of the pool masks one
    /// choice, a key one message, and neither is used again. A peer that says something else changes what the parties have of these OTs, and no
    /// length.
    ///
    /// **Cost.** [`fill_cost`]: one bit for each OT to the sender, and one message for each back, a batch of draws at a
    /// time.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// [Bea95]: crate#papers
    pub fn fill(
        &mut self,
        chan: &mut Channel,
        draws: &[Draw],
        seed: Block,
        out: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Error> {
        reserve_exact(out, draws);
        begin(End::Sender, draws, seed, out);
        let mut seeded = Prg::new(seed);
        for batch in batches(draws) {
            let keys = batch.iter().map(|draw| self.packed(*draw));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            let flips = batch.iter().map(|draw| BitVec::byte_len(draw.n));
            let mut flips = flips.map(|bytes| vec![0; bytes]).collect::<Vec<_>>();
            for flips in &mut flips {
                chan.recv(flips)?;
            }
            for ((&draw, [mut zero, mut one]), flips) in batch.iter().zip(keys).zip(flips) {
                let mut difference = one.clone();
                xor_into(&mut difference, &zero);
                keep_chosen(draw, &BitVec::from_bytes(draw.n, &flips), &mut difference);
                xor_into(&mut zero, &difference);
                xor_into(&mut one, &difference);
                out.extend_from_slice(&zero);
                xor_into(&mut one, &seeded_message(&mut seeded, draw));
                chan.send(&one)?;
            }
            chan.flush()?;
        }
        Ok(())
    }

    /// Both keys of the OTs of a draw, as a stock has messages.
    fn packed(&mut self, Draw { n, form }: Draw) -> Result<[Zeroizing<Vec<u8>>; 2], Error> {
        let [mut first, mut second] = [(); 2].map(|()| Zeroizing::default());
        match form {
            Form::Planes(width) => {
                let keys = self.planes(n, width as usize)?;
                put_planes(&keys[0], &mut first);
                put_planes(&keys[1], &mut second);
            }
            Form::Words(bits) => {
                let keys = self.words(n, bits)?;
                put_words(&keys[0], bits, &mut first);
                put_words(&keys[1], bits, &mut second);
            }
            Form::Keys => {
                let keys = self.blocks(n)?;
                let of =
                    |b: usize| Zeroizing::new(keys.iter().map(|pair| pair[b]).collect::<Vec<_>>());
                put_keys(&of(0), &mut first);
                put_keys(&of(1), &mut second);
            }
        }
        Ok([first, second])
    }
}

impl OtReceiver {
    /// Makes the random OTs of these draws, and appends them to `out` as the bytes of a [`Stock`](crate::Stock); see [`OtSender::fill`]. `seed` must be
    /// fresh and secret: the choices come from it.
    ///
    /// # Errors
    /// The channel or the pool failed.
    pub fn fill(
        &mut self,
        chan: &mut Channel,
        draws: &[Draw],
        seed: Block,
        out: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Error> {
        reserve_exact(out, draws);
        begin(End::Receiver, draws, seed, out);
        let mut seeded = Prg::new(seed);
        for batch in batches(draws) {
            let mine = batch.iter().map(|draw| self.packed(*draw));
            // Nothing is said before all of it is drawn: the sender does not listen while it draws.
            let mine = mine.collect::<Result<Vec<_>, _>>()?;
            let mut chosen = Vec::with_capacity(batch.len());
            for (draw, (mut flips, own)) in batch.iter().zip(mine) {
                let choices = seeded_choices(&mut seeded, draw.n);
                flips.xor_assign(&choices);
                chan.send(&flips.to_bytes())?;
                chosen.push((choices, own));
            }
            chan.flush()?;
            for (&draw, (choices, mut own)) in batch.iter().zip(chosen) {
                let mut masked = Zeroizing::new(vec![0; own.len()]);
                chan.recv(&mut masked)?;
                keep_chosen(draw, &choices, &mut masked);
                xor_into(&mut own, &masked);
                out.extend_from_slice(&own);
            }
        }
        Ok(())
    }

    /// The choices and the keys of the OTs of a draw, as a stock has messages.
    fn packed(&mut self, Draw { n, form }: Draw) -> Result<(BitVec, Zeroizing<Vec<u8>>), Error> {
        let mut own = Zeroizing::default();
        let choices = match form {
            Form::Planes(width) => {
                let (choices, planes) = self.planes(n, width as usize)?;
                put_planes(&planes, &mut own);
                choices
            }
            Form::Words(bits) => {
                let (choices, words) = self.words(n, bits)?;
                put_words(&words, bits, &mut own);
                choices
            }
            Form::Keys => {
                let (choices, keys) = self.blocks(n)?;
                put_keys(&keys, &mut own);
                choices
            }
        };
        Ok((choices, own))
    }
}

/// What is said when a stock of these draws is made, and the correlations that it takes.
#[must_use]
pub fn fill_cost(draws: &[Draw], sender: Role) -> Cost {
    let mut cost = Cost::none();
    for batch in batches(draws) {
        let flips: usize = batch.iter().map(|draw| BitVec::byte_len(draw.n)).sum();
        let masked: usize = batch.iter().map(|draw| draw.message_bytes()).sum();
        let n = batch.iter().map(|draw| draw.n as u64).sum();
        let (server_sends, client_sends) = match sender {
            Role::Server => (n, 0),
            Role::Client => (0, n),
        };
        cost = cost
            .then(Cost::speak(sender.peer(), flips as u64))
            .then(Cost::speak(sender, masked as u64))
            .with_cots(server_sends, client_sends);
    }
    cost
}

/// The draws that are made together.
fn batches(draws: &[Draw]) -> impl Iterator<Item = &[Draw]> {
    let mut rest = draws;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |draw: &&Draw| {
            bytes += draw.message_bytes();
            bytes <= BATCH
        };
        let together = rest.iter().take_while(fits).count().max(1);
        let batch;
        (batch, rest) = rest.split_at_checked(together)?;
        Some(batch)
    })
}

/// Makes room for a stock, so that no bytes are left behind where the vector grows.
fn reserve_exact(out: &mut Zeroizing<Vec<u8>>, draws: &[Draw]) {
    let more = usize::try_from(stock_len(draws)).expect("a stock fits into memory");
    if out.capacity() - out.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity(out.len() + more));
        larger.extend_from_slice(out);
        *out = larger;
    }
}

/// A message as bit planes, packed as in a stock.
fn put_planes(planes: &[BitVec], out: &mut Vec<u8>) {
    for plane in planes {
        let end = out.len() + BitVec::byte_len(plane.len());
        let words = plane.words().iter();
        words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out.truncate(end);
    }
}

/// A message as words of so many bits, packed as in a stock.
fn put_words(words: &[u64], bits: Bits, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + packed_len(words.len(), bits), 0);
    pack(words, bits, &mut out[at..]);
}

/// Whole keys, as in a stock.
fn put_keys(keys: &[Block], out: &mut Vec<u8>) {
    keys.iter()
        .for_each(|key| out.extend_from_slice(&key.to_le_bytes()));
}

/// Clears packed messages, or what is added to them, where `choices` are 0.
fn keep_chosen(draw: Draw, choices: &BitVec, packed: &mut [u8]) {
    match draw.form {
        Form::Planes(_) => {
            let choices = Zeroizing::new(choices.to_bytes());
            // Without OTs there are no planes of any length.
            for plane in packed.chunks_mut(choices.len().max(1)) {
                let bytes = plane.iter_mut().zip(choices.iter());
                bytes.for_each(|(byte, choices)| *byte &= choices);
            }
        }
        Form::Words(bits) => {
            let mut words = Zeroizing::new(vec![0_u64; draw.n]);
            unpack(packed, bits, &mut words);
            for (word, choice) in words.iter_mut().zip(choices.iter()) {
                *word &= u64::from(choice).wrapping_neg();
            }
            pack(&words, bits, packed);
        }
        Form::Keys => {
            for (key, choice) in packed.chunks_mut(16).zip(choices.iter()) {
                let mask = u8::from(choice).wrapping_neg();
                key.iter_mut().for_each(|byte| *byte &= mask);
            }
        }
    }
}
