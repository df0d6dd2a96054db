//! What a set of vector instructions offers, and arithmetic modulo p with it.
//!
//! A residue is an integer below 2^53 in a double. A product x·w modulo p is h = x·w rounded, c = x·w/p rounded to an integer, and
//! (h − c·p) + (x·w − h), where both brackets are exact by a fused multiplication. The rounding adds 3·2^51: in \[2^52, 2^53) doubles are
//! integers. So |x·w/p| must be at most 2^51, which it is for |x| ≤ 2^52 and |w| ≤ p/2.

use super::tables::{Fan, Fans, Line};

/// A value of such a type proves that the processor has the instructions.
pub(super) trait Machine: Copy {
    /// A vector.
    type Vector: Copy;

    /// Vectors in a line.
    const PARTS: usize;

    fn splat(self, x: f64) -> Self::Vector;
    fn load(self, line: &Line, part: usize) -> Self::Vector;
    fn store(self, line: &mut Line, part: usize, x: Self::Vector);
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b + c.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// a·b − c.
    fn mul_sub(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// c − a·b.
    fn sub_mul(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// Transposes each square of as many vectors as they have lanes.
    fn transpose(self, x: [Self::Vector; 8]) -> [Self::Vector; 8];
}

/// A loop that is compiled for each machine.
pub(super) trait Operation {
    /// It must be `#[inline(always)]`, with all that it calls: only code that is inlined takes the instructions of its caller.
    fn run<M: Machine>(self, machine: M);
}

/// Residues modulo p in the lanes of vectors.
#[derive(Clone, Copy)]
pub(super) struct Field<M: Machine> {
    pub(super) machine: M,
    p: M::Vector,
    inverse: M::Vector,
    magic: M::Vector,
}

impl<M: Machine> Field<M> {
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "below 2^50")]
    pub(super) fn new(machine: M, p: u64) -> Self {
        Self {
            machine,
            p: machine.splat(p as f64),
            inverse: machine.splat(1.0 / p as f64),
            magic: machine.splat(3.0 * (1_u64 << 51) as f64),
        }
    }

    /// a·b rounded to an integer, for |a·b| of at most 2^51.
    #[inline(always)]
    fn rounded(self, a: M::Vector, b: M::Vector) -> M::Vector {
        let m = self.machine;
        m.sub(m.mul_add(a, b, self.magic), self.magic)
    }

    /// The number next to zero for |x| ≤ 2^52; below 2^53 it may be (p + 1)/2 from zero. (1/p is 2^-53/p off, and x/p is 1/2p from a half.)
    #[inline(always)]
    pub(super) fn reduce(self, x: M::Vector) -> M::Vector {
        let quotient = self.rounded(x, self.inverse);
        self.machine.sub_mul(quotient, self.p, x)
    }

    /// The number next to zero for |x| < 2^53.
    #[inline(always)]
    pub(super) fn centre(self, x: M::Vector) -> M::Vector {
        self.reduce(self.reduce(x))
    }

    /// x·w for |x| ≤ 2^52, w next to zero and its quotient by p: at most (1/2 + |x|/2^55)·p. (The quotient is 2^-55 off.)
    #[inline(always)]
    pub(super) fn times(self, x: M::Vector, (w, q): (M::Vector, M::Vector)) -> M::Vector {
        let m = self.machine;
        let high = m.mul(x, w);
        let quotient = self.rounded(x, q);
        let low = m.mul_sub(x, w, high);
        m.add(m.sub_mul(quotient, self.p, high), low)
    }

    /// Several products at once, step by step: none of them then waits for another.
    #[inline(always)]
    pub(super) fn times_each<const G: usize>(
        self,
        x: [M::Vector; G],
        by: [(M::Vector, M::Vector); G],
    ) -> [M::Vector; G] {
        let m = self.machine;
        let mut quotient = x;
        let mut high = x;
        let mut low = x;
        for i in 0..G {
            quotient[i] = m.mul_add(x[i], by[i].1, self.magic);
        }
        for i in 0..G {
            high[i] = m.mul(x[i], by[i].0);
        }
        for i in 0..G {
            quotient[i] = m.sub(quotient[i], self.magic);
        }
        for i in 0..G {
            low[i] = m.mul_sub(x[i], by[i].0, high[i]);
        }
        for i in 0..G {
            high[i] = m.sub_mul(quotient[i], self.p, high[i]);
        }
        for i in 0..G {
            high[i] = m.add(high[i], low[i]);
        }
        high
    }

    /// x·y for |x·y/p| ≤ 2^51: at most (1/2 + |x·y/p|/2^52)·p.
    #[inline(always)]
    pub(super) fn product(self, x: M::Vector, y: M::Vector) -> M::Vector {
        let m = self.machine;
        let high = m.mul(x, y);
        let quotient = self.rounded(high, self.inverse);
        let low = m.mul_sub(x, y, high);
        m.add(m.sub_mul(quotient, self.p, high), low)
    }
}

/// The powers of a fan, in the lanes of vectors, with their quotients.
pub(super) trait Powers<M: Machine>: Copy {
    fn power(self, machine: M, k: usize) -> (M::Vector, M::Vector);
}

/// Four powers from this one on. (Not by `map`: a closure with vectors may not be inlined.)
#[inline(always)]
pub(super) fn four<M: Machine, P: Powers<M>>(
    machine: M,
    powers: P,
    k: usize,
) -> [(M::Vector, M::Vector); 4] {
    [
        powers.power(machine, k),
        powers.power(machine, k + 1),
        powers.power(machine, k + 2),
        powers.power(machine, k + 3),
    ]
}

/// The same in all lanes.
impl<M: Machine> Powers<M> for &Fan {
    #[inline(always)]
    fn power(self, machine: M, k: usize) -> (M::Vector, M::Vector) {
        (machine.splat(self.w[k]), machine.splat(self.q[k]))
    }
}

/// Those of the first, and from 8 on those of the second.
impl<M: Machine> Powers<M> for (&Fan, &Fan) {
    #[inline(always)]
    fn power(self, machine: M, k: usize) -> (M::Vector, M::Vector) {
        if k < 8 {
            self.0.power(machine, k)
        } else {
            self.1.power(machine, k - 8)
        }
    }
}

/// A fan per lane, of this part of a line.
impl<M: Machine> Powers<M> for (&Fans, usize) {
    #[inline(always)]
    fn power(self, machine: M, k: usize) -> (M::Vector, M::Vector) {
        let (fans, part) = self;
        let (w, q) = (&fans.w[k - 1], &fans.q[k - 1]);
        (machine.load(w, part), machine.load(q, part))
    }
}
