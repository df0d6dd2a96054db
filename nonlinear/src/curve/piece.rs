//! Which piece of a function a shared number is in.

use ring_arith::BitVec;
use sharing::{And, B2a, Mux, Party, Rounds};
use zeroize::Zeroizing;

use super::{Compared, Curve, not};
use crate::{Error, wrap};

impl Curve {
    /// Shares of the number of the piece.
    pub(super) async fn piece(
        &self,
        party: &Party<'_>,
        x: &[u64],
        compared: &Compared,
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        let bits = self.places;
        let low = self.bits.from_signed(self.pieces.low).wrapping_neg();
        let from = Zeroizing::new(wrap::add_public(party, x, self.bits, low));
        let pieces = from.iter().zip(compared.carry.iter());
        let pieces = pieces.map(|(from, carry)| {
            let low = from >> self.pieces.width;
            bits.reduce(low.wrapping_add(*carry))
        });
        let mut piece: Zeroizing<Vec<u64>> = Zeroizing::new(pieces.collect());
        let inside = async {
            let Some(ends) = self.ends(party, compared) else {
                return Ok(None);
            };
            // Above 0 as the upper end says, below as the lower one.
            let [lower, upper] = ends;
            let mut inside = And
                .run(party, compared.positive(), &lower.xor(&upper))
                .await?;
            inside.xor_assign(&lower);
            Ok::<_, Error>(Some(inside))
        };
        // What is added to the piece of a negative number, or the piece of what is not inside.
        let other = async {
            if self.is_symmetric() {
                let negative = not(party, compared.positive());
                let twice: Vec<u64> = piece.iter().map(|q| (q << 1).wrapping_neg()).collect();
                let other = Zeroizing::new(wrap::add_public(party, &twice, bits, u64::MAX));
                Ok(Mux { bits }.run(party, &negative, &other).await?)
            } else if self.is_bounded() {
                Ok(B2a { bits }.run(party, compared.positive()).await?)
            } else {
                Ok(Vec::new())
            }
        };
        let (inside, other) = party.both(inside, other).await?;
        let other = Zeroizing::new(other);
        let outside: Zeroizing<Vec<u64>> = if self.is_symmetric() {
            ring_arith::slices::add_assign(bits, &mut piece, &other);
            Zeroizing::new(wrap::add_public(
                party,
                &vec![0; x.len()],
                bits,
                self.last(),
            ))
        } else {
            // The last piece is number −1.
            Zeroizing::new(
                other
                    .iter()
                    .map(|p| bits.reduce(p.wrapping_neg()))
                    .collect(),
            )
        };
        let Some(inside) = inside else {
            return Ok(piece);
        };
        ring_arith::slices::sub_assign(bits, &mut piece, &outside);
        let mut chosen = Zeroizing::new(Mux { bits }.run(party, &inside, &piece).await?);
        ring_arith::slices::add_assign(bits, &mut chosen, &outside);
        Ok(chosen)
    }

    /// The rounds of [`Curve::piece`].
    pub(super) fn piece_rounds(&self, n: usize) -> Rounds {
        let (mux, number) = (Mux { bits: self.places }, B2a { bits: self.places });
        let other = match (self.is_symmetric(), self.is_bounded()) {
            (true, _) => mux.rounds(n),
            (false, true) => number.rounds(n),
            (false, false) => Rounds::none(),
        };
        if self.is_bounded() {
            other.beside(And.rounds(n)).then(mux.rounds(n))
        } else {
            other
        }
    }

    /// Shares of \[x ≥ lower end\] and \[x < upper end\], if the pieces do not reach over the whole ring.
    fn ends(&self, party: &Party<'_>, compared: &Compared) -> Option<[BitVec; 2]> {
        self.is_bounded().then(|| {
            let zeros = BitVec::zeros(compared.positive().len());
            let lower = self.lower.map(|at| compared.signs[at].clone());
            let upper = self
                .upper
                .map_or(zeros.clone(), |at| compared.signs[at].clone());
            [
                lower.unwrap_or_else(|| not(party, &zeros)),
                not(party, &upper),
            ]
        })
    }
}
