//! Pools of a fixed size, split off another pool.

use core::fmt;

use ring_arith::BitVec;
use zeroize::Zeroize;

use crate::kernel::bits::copy_bits;
use crate::{Block, Error, RcotReceiver, RcotSender};

/// Correlations of a parent, to be used by a child elsewhere; see [`RcotSender::detach`].
pub(crate) struct DetachedSender {
    delta: Block,
    first: u64,
    q: Vec<Block>,
    used: usize,
}

impl DetachedSender {
    /// Draws `n` correlations off `parent`.
    pub(crate) fn boxed(
        parent: &mut dyn RcotSender,
        n: usize,
    ) -> Result<Box<dyn RcotSender>, Error> {
        let mut child = Self {
            delta: parent.delta(),
            first: 0,
            q: vec![0; n],
            used: 0,
        };
        child.first = parent.draw(&mut child.q)?;
        Ok(Box::new(child))
    }
}

impl RcotSender for DetachedSender {
    fn delta(&self) -> Block {
        self.delta
    }

    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error> {
        let start = self.used;
        self.used = advance(start, q.len(), self.q.len())?;
        q.copy_from_slice(&self.q[start..self.used]);
        Ok(self.first + start as u64)
    }

    fn detach(&mut self, n: usize) -> Result<Box<dyn RcotSender>, Error> {
        Self::boxed(self, n)
    }

    fn drawn(&self) -> u64 {
        self.used as u64
    }
}

impl Drop for DetachedSender {
    fn drop(&mut self) {
        self.delta.zeroize();
        self.q.zeroize();
    }
}

impl fmt::Debug for DetachedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedSender")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// Correlations of a parent, to be used by a child elsewhere; see [`RcotReceiver::detach`].
pub(crate) struct DetachedReceiver {
    first: u64,
    choices: BitVec,
    t: Vec<Block>,
    used: usize,
}

impl DetachedReceiver {
    /// Draws `n` correlations off `parent`.
    pub(crate) fn boxed(
        parent: &mut dyn RcotReceiver,
        n: usize,
    ) -> Result<Box<dyn RcotReceiver>, Error> {
        let mut child = Self {
            first: 0,
            choices: BitVec::zeros(n),
            t: vec![0; n],
            used: 0,
        };
        child.first = parent.draw(&mut child.choices, &mut child.t)?;
        Ok(Box::new(child))
    }
}

impl RcotReceiver for DetachedReceiver {
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error> {
        assert_eq!(choices.len(), t.len(), "one choice per correlation");
        let start = self.used;
        self.used = advance(start, t.len(), self.t.len())?;
        t.copy_from_slice(&self.t[start..self.used]);
        copy_bits(choices.words_mut(), 0, self.choices.words(), start, t.len());
        Ok(self.first + start as u64)
    }

    fn detach(&mut self, n: usize) -> Result<Box<dyn RcotReceiver>, Error> {
        Self::boxed(self, n)
    }

    fn drawn(&self) -> u64 {
        self.used as u64
    }
}

impl Drop for DetachedReceiver {
    fn drop(&mut self) {
        self.t.zeroize();
    }
}

impl fmt::Debug for DetachedReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedReceiver")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

fn advance(start: usize, wanted: usize, size: usize) -> Result<usize, Error> {
    let left = size - start;
    if wanted > left {
        return Err(Error::Exhausted {
            wanted: wanted as u64,
            left: left as u64,
        });
    }
    Ok(start + wanted)
}
