//! Protocols on more values than should be in memory at one time.

use channel::Cost;

/// Runs a protocol on pieces of its input, one after the other. The size of a piece is AGREEMENT. A
/// larger one takes fewer flights and more memory.
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

    /// Calls `run` on every piece of `x`, and joins the results.
    ///
    /// # Errors
    /// The first error of `run`.
    pub fn run<E>(
        &self,
        x: &[u64],
        run: impl FnMut(&[u64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<u64>, E> {
        self.run_rows(x, 1, run)
    }

    /// As [`Chunked::run`], with pieces that are counted in rows of `width` values.
    ///
    /// # Errors
    /// The first error of `run`.
    pub fn run_rows<E>(
        &self,
        x: &[u64],
        width: usize,
        mut run: impl FnMut(&[u64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<u64>, E> {
        let piece = self.size.saturating_mul(width.max(1));
        if x.len() <= piece {
            return if x.is_empty() { Ok(Vec::new()) } else { run(x) };
        }
        let mut y = Vec::new();
        for x_piece in x.chunks(piece) {
            let made = run(x_piece)?;
            if y.capacity() == 0 {
                // Every piece gives as much as the first one, for its length.
                y.reserve_exact(made.len() * x.len().div_ceil(piece));
            }
            y.extend_from_slice(&made);
        }
        Ok(y)
    }

    /// The cost for `n` values or rows, given a function that says what a piece costs.
    #[must_use]
    pub fn cost(&self, n: usize, cost: impl Fn(usize) -> Cost) -> Cost {
        let whole = match n / self.size {
            0 => Cost::none(),
            pieces => cost(self.size).repeat(pieces),
        };
        whole.then(cost(n % self.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other() {
        for (n, width) in [(0, 1), (1, 1), (3, 1), (4, 1), (7, 1), (12, 3), (15, 3)] {
            let x: Vec<u64> = (0..n).collect();
            let mut sizes = Vec::new();
            let mut double = |piece: &[u64]| {
                sizes.push(piece.len());
                Ok::<_, ()>(piece.iter().map(|v| 2 * v).collect())
            };
            let y = Chunked::new(3).run_rows(&x, width, &mut double);
            assert_eq!(y, Ok(x.iter().map(|v| 2 * v).collect::<Vec<_>>()));
            assert!(sizes.iter().all(|&s| s > 0 && s <= 3 * width));
            assert_eq!(sizes.len(), x.len().div_ceil(3 * width));
        }
    }

    #[test]
    fn the_first_error_ends_the_run() {
        let mut runs = 0;
        let outcome = Chunked::new(2).run(&[0; 9], |piece| {
            runs += 1;
            if runs == 3 {
                Err(runs)
            } else {
                Ok(piece.to_vec())
            }
        });
        assert_eq!((outcome, runs), (Err(3), 3));
    }

    #[test]
    fn costs_add_up() {
        let cost = |n: usize| match n {
            0 => Cost::none(),
            n => Cost::to_server(n as u64).then(Cost::to_client(1)),
        };
        for n in 0..20 {
            let pieces: Cost = (0..n)
                .step_by(6)
                .map(|at| cost(6.min(n - at)))
                .fold(Cost::none(), Cost::then);
            assert_eq!(Chunked::new(6).cost(n, cost), pieces);
        }
    }
}
