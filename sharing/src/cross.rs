//! Correlated OTs in both directions at once.

use ot::{ReceivingWords, SendingWords};
use ring_arith::{BitVec, Bits, packed_len};

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// A run of COTs of one width: in each direction as many as there are choices.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// This party's choices, where it receives.
    pub(crate) choices: &'a BitVec,
    /// This party's correlations, where it sends; bits above the width are ignored.
    pub(crate) correlations: &'a [u64],
    pub(crate) bits: Bits,
}

/// What a party has of a part afterwards. With own choices b, own correlations x and the peer's b', x', `received` is
/// r' + b·x' mod 2^bits and `sent` is r: the differences `received` − `sent` of the two parties add up to b'·x + b·x'.
pub(crate) struct Terms {
    pub(crate) received: Vec<u64>,
    pub(crate) sent: Vec<u64>,
}

/// The COTs of every part, in both directions.
///
/// Two rounds in which both speak: the corrections of the choices, one bit each; then those of
/// the correlations, packed part by part.
pub(crate) async fn cross(party: &Party<'_>, parts: &[Part<'_>]) -> Result<Vec<Terms>, Error> {
    let sizes = parts.iter().map(|part| (part.choices.len(), part.bits));
    let choices: Vec<_> = parts.iter().map(|p| (p.choices, p.bits)).collect();
    // The random OTs in which the server sends come first, on both sides.
    let server = party.role().is_server();
    let (sending, (receiving, mine)) = party.draw(|sender, receiver| {
        if server {
            let sending = sender.begin_cot_words(sizes)?;
            return Ok((sending, receiver.begin_cot_words(&choices)?));
        }
        let receiving = receiver.begin_cot_words(&choices)?;
        Ok((sender.begin_cot_words(sizes)?, receiving))
    })?;
    let n = mine.len();
    let theirs = party.exchange(mine, n).await?;

    let correlations: Vec<_> = parts.iter().map(|p| (p.correlations, p.bits)).collect();
    let (sent, mine) = sending.answer(&theirs, &correlations);
    finish(party, receiving, sent, mine).await
}

/// The random OTs of COTs in both directions whose choices are random.
pub(crate) struct Random {
    sending: SendingWords,
    receiving: ReceivingWords,
}

impl Random {
    /// Draws those of `n` COTs each way, of one width.
    pub(crate) fn draw(party: &Party<'_>, n: usize, bits: Bits) -> Result<Self, Error> {
        let server = party.role().is_server();
        party.draw(|sender, receiver| {
            if server {
                let sending = sender.begin_cot_words([(n, bits)])?;
                let receiving = receiver.random_cot_words(&[(n, bits)])?;
                return Ok(Self { sending, receiving });
            }
            let receiving = receiver.random_cot_words(&[(n, bits)])?;
            let sending = sender.begin_cot_words([(n, bits)])?;
            Ok(Self { sending, receiving })
        })
    }

    /// This party's choices.
    pub(crate) fn choices(&self) -> BitVec {
        let mut choices = self.receiving.choices();
        choices.next().expect("one part").clone()
    }

    /// The COTs, with these correlations: one round in which both speak.
    pub(crate) async fn offer(
        self,
        party: &Party<'_>,
        correlations: &[u64],
        bits: Bits,
    ) -> Result<Terms, Error> {
        let (sent, mine) = self.sending.offer(&[(correlations, bits)]);
        let mut terms = finish(party, self.receiving, sent, mine).await?;
        Ok(terms.pop().expect("the terms of one part"))
    }
}

/// The round of the corrections.
async fn finish(
    party: &Party<'_>,
    receiving: ReceivingWords,
    sent: Vec<Vec<u64>>,
    mine: Vec<u8>,
) -> Result<Vec<Terms>, Error> {
    let n = receiving.message_len();
    let theirs = party.exchange(mine, n).await?;
    let both = receiving.finish(&theirs).into_iter().zip(sent);
    Ok(both
        .map(|(received, sent)| Terms { received, sent })
        .collect())
}

/// The rounds of [`cross`] on parts of these lengths and widths.
pub(crate) fn cross_rounds(parts: impl IntoIterator<Item = (usize, Bits)>) -> Rounds {
    let (cots, bytes) = parts.into_iter().fold((0, 0), |(cots, bytes), (n, bits)| {
        (cots + n, bytes + packed_len(n, bits) as u64)
    });
    let flips = BitVec::byte_len(cots) as u64;
    Rounds::exchange(flips, flips)
        .then(Rounds::exchange(bytes, bytes))
        .with_cots(cots as u64, cots as u64)
}
