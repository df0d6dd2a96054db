//! Protocols on more values than should be in memory at one time.

use sharing::{Party, Rounds};

/// Runs a protocol on pieces of its input, each begun one round after the one before. The size of a piece is AGREEMENT.
///
/// So m pieces take m − 1 rounds more than one, and as many pieces are in memory at one time as the protocol has rounds:
/// the first is over when the last of these begins. Larger pieces take fewer rounds and more memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunked {
    size: usize,
}

impl Chunked {
    /// Pieces of at most `size` values, or rows.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        assert!(size > 0, "pieces of nothing");
        Self { size }
    }

    /// The size of the largest piece.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Runs `piece` on every piece of `x`, and joins the results. No values take no rounds.
    ///
    /// # Errors
    /// The first error of a piece.
    pub async fn run<E: From<sharing::Error>>(
        &self,
        party: &Party<'_>,
        x: &[u64],
        piece: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<u64>, E> {
        self.run_rows(party, x, 1, piece).await
    }

    /// As [`Chunked::run`], with pieces that are counted in rows of `width` values.
    ///
    /// # Errors
    /// The first error of a piece.
    pub async fn run_rows<E: From<sharing::Error>>(
        &self,
        party: &Party<'_>,
        x: &[u64],
        width: usize,
        piece: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<u64>, E> {
        let piece = async |party: &Party<'_>, _, x: &[u64]| piece(party, x).await;
        self.run_at(party, x, width, piece).await
    }

    /// As [`Chunked::run_rows`], for a protocol that is also told where in `x` its piece begins.
    pub(crate) async fn run_at<E: From<sharing::Error>>(
        &self,
        party: &Party<'_>,
        x: &[u64],
        width: usize,
        piece: impl AsyncFn(&Party<'_>, usize, &[u64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<u64>, E> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let size = self.size.saturating_mul(width.max(1));
        if x.len() <= size {
            return piece(party, 0, x).await;
        }
        let piece = &piece;
        let pieces = x.chunks(size).enumerate().map(async |(i, x)| {
            party.pause(i).await?;
            piece(party, i * size, x).await
        });
        let made = party.all(pieces).await?;
        let mut y = Vec::with_capacity(made.iter().map(Vec::len).sum());
        for made in made {
            y.extend_from_slice(&made);
        }
        Ok(y)
    }

    /// The rounds of `n` values or rows, given a function that says those of a piece.
    #[must_use]
    pub fn rounds(&self, n: usize, piece: impl Fn(usize) -> Rounds) -> Rounds {
        let pieces = (0..n).step_by(self.size).map(|at| self.size.min(n - at));
        let delayed = pieces.enumerate().map(|(i, n)| piece(n).delayed(i));
        delayed.fold(Rounds::none(), Rounds::beside)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use channel::Cost;
    use sharing::Error;
    use testkit::run_sessions;

    use super::*;

    /// Runs at both ends, with what the client's end returned.
    fn run<T: Send, E: From<Error> + Send>(
        protocol: impl AsyncFn(&Party<'_>) -> Result<T, E> + Sync,
    ) -> (Result<T, E>, Cost) {
        let party = |s: &mut sharing::Session| s.run(&protocol);
        let (_, client, cost) = run_sessions(1, party, party);
        (client, cost)
    }

    #[test]
    fn pieces_are_joined() {
        for (n, width) in [(0, 1), (1, 1), (3, 1), (4, 1), (7, 1), (12, 3), (15, 3)] {
            let x: Vec<u64> = (0..n).collect();
            let protocol = async |party: &Party<'_>| {
                let sizes = RefCell::new(Vec::new());
                let double = async |_: &Party<'_>, piece: &[u64]| {
                    sizes.borrow_mut().push(piece.len());
                    Ok::<_, Error>(piece.iter().map(|v| 2 * v).collect())
                };
                let y = Chunked::new(3).run_rows(party, &x, width, double).await?;
                Ok::<_, Error>((y, sizes.into_inner()))
            };
            let (y, sizes): (Vec<u64>, Vec<usize>) = run(protocol).0.expect("it succeeds");
            assert_eq!(y, x.iter().map(|v| 2 * v).collect::<Vec<_>>());
            assert!(sizes.iter().all(|&s| s > 0 && s <= 3 * width));
            assert_eq!(sizes.len(), x.len().div_ceil(3 * width));
        }
    }

    #[test]
    fn the_first_error_ends_the_run() {
        #[derive(Debug)]
        struct Third;
        impl From<Error> for Third {
            fn from(error: Error) -> Self {
                panic!("{error}")
            }
        }
        let outcome = run(async |party| {
            let runs = Cell::new(0);
            let piece = async |_: &Party<'_>, x: &[u64]| {
                runs.set(runs.get() + 1);
                if runs.get() == 3 {
                    Err(Third)
                } else {
                    Ok(x.to_vec())
                }
            };
            let outcome = Chunked::new(2).run(party, &[0; 9], piece).await;
            assert_eq!(runs.get(), 3);
            outcome
        });
        assert!(outcome.0.is_err());
    }

    /// The client asks with a byte for each value, and the server answers with one byte.
    #[test]
    fn pieces_begin_one_round_after_the_other() {
        let rounds = |n: usize| match n {
            0 => Rounds::none(),
            n => Rounds::to_server(n as u64).then(Rounds::to_client(1)),
        };
        for n in 0..20 {
            let expected = Chunked::new(6).rounds(n, rounds);
            assert_eq!(expected.len(), if n == 0 { 0 } else { n.div_ceil(6) + 1 });
            let ask = async |party: &Party<'_>, x: &[u64]| {
                let server = party.role().is_server();
                let (question, answer) = if server { (0, x.len()) } else { (x.len(), 0) };
                party.exchange(vec![1; question], answer).await?;
                let (answer, length) = if server { (1, 0) } else { (0, 1) };
                party.exchange(vec![1; answer], length).await?;
                Ok::<_, Error>(x.to_vec())
            };
            let x = vec![7; n];
            let protocol = async |party: &Party<'_>| {
                let y = Chunked::new(6).run(party, &x, ask).await?;
                Ok::<_, Error>((y, party.round()))
            };
            let (outcome, cost) = run(protocol);
            let (y, taken) = outcome.expect("it succeeds");
            assert_eq!((y, taken), (x.clone(), expected.len() as u64));
            assert_eq!(cost, expected.cost());
        }
    }
}
