//! Numbers of requests and responses: each is given out once and used once.
//!
//! Whatever is drawn for a request or a response is derived from its number. Two requests under one number would tell the server the
//! difference of their inputs, two responses under one number would tell the client a linear function of the weights. So a number
//! cannot be copied, and whoever uses it consumes it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where one key's numbers come from. It only goes up.
pub(crate) struct Counter {
    /// Tells the numbers of this counter from those of others.
    key: u64,
    next: AtomicU64,
}

impl Counter {
    pub(crate) const fn new(key: u64) -> Self {
        Self {
            key,
            next: AtomicU64::new(0),
        }
    }

    /// The next `n` numbers.
    fn take(&self, n: usize) -> Range<u64> {
        let n = n as u64;
        // Never 2^63 of them: the addition cannot come round.
        let start = self.next.fetch_add(n, Ordering::Relaxed);
        start..start + n
    }

    pub(crate) fn numbers(&self, n: usize) -> Numbers {
        Numbers {
            key: self.key,
            left: self.take(n),
        }
    }

    pub(crate) fn masks(&self, n: usize) -> Masks {
        Masks {
            key: self.key,
            left: self.take(n),
        }
    }

    fn open(&self, key: u64, value: u64) -> u64 {
        assert_eq!(key, self.key, "a number of another key");
        value
    }

    pub(crate) fn open_number(&self, number: Number) -> u64 {
        self.open(number.key, number.value)
    }

    pub(crate) fn open_mask(&self, mask: Mask) -> u64 {
        self.open(mask.key, mask.value)
    }
}

macro_rules! numbers {
    ($(#[$one:meta])* $number:ident, $(#[$many:meta])* $numbers:ident) => {
        $(#[$one])*
        #[derive(Debug)]
        pub struct $number {
            key: u64,
            value: u64,
        }

        $(#[$many])*
        #[derive(Debug)]
        pub struct $numbers {
            key: u64,
            left: Range<u64>,
        }

        impl Iterator for $numbers {
            type Item = $number;

            fn next(&mut self) -> Option<$number> {
                let (key, value) = (self.key, self.left.next()?);
                Some($number { key, value })
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                let n = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
                (n, Some(n))
            }
        }

        impl ExactSizeIterator for $numbers {}
    };
}

numbers! {
    /// The number of a request of one key. It cannot be copied and is used once:
    ///
    /// ```compile_fail,E0382
    /// # fn twice(key: &rlwe::ClientKey, format: &rlwe::Format, x: &[u64], out: &mut [u8]) {
    /// let number = key.numbers(1).next().expect("one");
    /// key.encrypt(format, number, x, out);
    /// key.encrypt(format, number, x, out); // used after it was moved
    /// # }
    /// ```
    Number,
    /// The numbers of the next requests of a key, in order. Both parties take as many, so that each request has the same number at both.
    Numbers
}

numbers! {
    /// The number of a response of one key. It cannot be copied and is used once:
    ///
    /// ```compile_fail,E0382
    /// # use rlwe::{Format, Product, ServerKey};
    /// # fn twice(key: &ServerKey, format: &Format, a: Product, b: Product, own: &mut [u64], out: &mut [u8]) {
    /// let mask = key.masks(1).next().expect("one");
    /// key.respond(format, mask, a, own, out);
    /// key.respond(format, mask, b, own, out); // used after it was moved
    /// # }
    /// ```
    Mask,
    /// The numbers of the next responses of a key.
    Masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_out_twice() {
        let counter = Counter::new(7);
        let taken =
            |n| -> Vec<u64> { counter.numbers(n).map(|x| counter.open_number(x)).collect() };
        assert_eq!(taken(2), [0, 1]);
        assert_eq!(counter.numbers(3).len(), 3);
        assert_eq!(taken(2), [5, 6]);
        assert_eq!(counter.masks(4).len(), 4);
        assert_eq!(taken(1), [11]);
    }

    #[test]
    #[should_panic(expected = "another key")]
    fn numbers_belong_to_their_key() {
        let number = Counter::new(1).numbers(1).next().unwrap();
        Counter::new(2).open_number(number);
    }
}
