//! The automorphisms X → X^k that packing uses.

/// φ: X → X^(1 + N/2^level) on coefficients. It leaves the exponents that 2^(level+1) divides as they are, and negates those that only
/// 2^level divides.
pub(crate) struct Automorphism {
    /// For each coefficient of the result, where it comes from.
    from: Vec<u16>,
    /// And its sign.
    sign: Vec<f64>,
}

impl Automorphism {
    /// # Panics
    /// If the level is not below log2 of the degree, or the degree is above 2^16.
    pub(crate) fn new(degree: usize, level: u32) -> Self {
        assert!(level < degree.ilog2(), "a level of packing");
        let power = 1 + (degree >> level);
        let (mut from, mut sign) = (vec![0; degree], vec![0.0; degree]);
        for i in 0..degree {
            let exponent = i * power % (2 * degree);
            from[exponent % degree] = u16::try_from(i).expect("a degree of at most 2^16");
            sign[exponent % degree] = if exponent < degree { 1.0 } else { -1.0 };
        }
        Self { from, sign }
    }

    /// φ(x).
    pub(crate) fn apply(&self, x: &[f64], out: &mut [f64]) {
        for ((out, &from), &sign) in out.iter_mut().zip(&self.from).zip(&self.sign) {
            *out = sign * x[usize::from(from)];
        }
    }

    /// out + φ(x).
    pub(crate) fn add(&self, x: &[f64], out: &mut [f64]) {
        for ((out, &from), &sign) in out.iter_mut().zip(&self.from).zip(&self.sign) {
            *out += sign * x[usize::from(from)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_automorphism() {
        // With w a root of X^16 + 1 modulo 97, φ(f)(w) = f(w^k).
        const P: i64 = 97;
        let powers = |w: i64| std::iter::successors(Some(1), move |x| Some(x * w % P));
        let root = (2..P).find(|&w| powers(w).nth(16) == Some(P - 1)).unwrap();
        let x: Vec<i64> = (0..16).map(|i| (i * i * 7 + 3) % P).collect();
        let doubles: Vec<f64> = x.iter().map(|&x| x as f64).collect();
        for level in 0..4 {
            let mut y = vec![0.0; 16];
            Automorphism::new(16, level).apply(&doubles, &mut y);
            let k = 1 + (16 >> level);
            let at = |x: &[i64], w| x.iter().zip(powers(w)).map(|(x, w)| x * w).sum::<i64>();
            let y: Vec<i64> = y.iter().map(|&y| crate::convert::to_int(y)).collect();
            let (left, right) = (at(&y, root), at(&x, powers(root).nth(k).unwrap()));
            assert_eq!((left - right) % P, 0, "level {level}");
        }
    }
}
