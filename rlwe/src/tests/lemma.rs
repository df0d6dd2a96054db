//! The lemma of the guard bit, exhaustively in small rings.

use super::*;
use crate::crt::round_to_bits;
use ring_arith::Bits;

/// What a residue modulo q is rounded to, for each of them.
fn rounded(ring: &Ring, bits: u32) -> Vec<i64> {
    let q = ring.modulus as u64;
    let mut table = Vec::new();
    for start in (0..q).step_by(ring.degree) {
        let values = (0..ring.degree as u64).map(|i| (start + i) % q);
        let mut x: Poly = vec![ring.zero()];
        x[0].iter_mut()
            .zip(values)
            .for_each(|(x, v)| *x = centre(i128::from(v), i128::from(q)) as f64);
        let mut out = vec![0; ring.degree];
        round_to_bits(ring, &mut x, Bits::of(bits), &mut out);
        table.extend(out.iter().map(|&x| x as i64));
    }
    table.truncate(q as usize);
    table
}

/// All ciphertexts, secrets and results in a ring of degree two: whenever |η| < 1/2, the shares are right.
#[test]
fn every_ciphertext_of_degree_two() {
    let (l, j) = (2, 4);
    let ring = small_ring(16, &[6, 8]);
    let q = ring.modulus as i64;
    let (shares, responses) = (rounded(ring, l + 1), rounded(ring, l + 1 + j));
    let k = 1_i64 << (l + 1 + j);
    // q·ε1 for each residue.
    let error = |c: i64| {
        centre(
            i128::from(responses[c as usize] * q - k * c),
            i128::from(k * q),
        ) as i64
    };
    let errors: Vec<i64> = (0..q).map(error).collect();
    assert!(errors.iter().all(|e| 2 * e.abs() <= q));
    let (mut right, mut beyond) = (0_u64, 0_u64);
    for s in (0..9).map(|i| [i / 3 - 1, i % 3 - 1]) {
        for c1 in (0..q * q).map(|i| [i / q, i % q]) {
            let times_s = |x: &[i64]| x[c1[0] as usize] * s[0] - x[c1[1] as usize] * s[1];
            let share = times_s(&responses).rem_euclid(k) >> j;
            for c0 in 0..q {
                let sum = (shares[c0 as usize] + share + 1).rem_euclid(2 << l);
                let phase = c0 + c1[0] * s[0] - c1[1] * s[1];
                for y in 0..1 << l {
                    // η·q·2^j.
                    let v = centre(i128::from((phase << l) - q * y), i128::from(q << l)) as i64;
                    let eta = (v << (j + 1)) + times_s(&errors);
                    if 2 * eta.abs() < q << j {
                        assert_eq!(sum >> 1, y, "s {s:?} c0 {c0} c1 {c1:?}");
                        right += 1;
                    } else {
                        beyond += 1;
                    }
                }
            }
        }
    }
    assert!(right > 100_000 && beyond > 100_000, "{right} {beyond}");
}

/// E = η + ε0 − φ is −1 or 0 if it is an integer.
#[test]
fn the_range_of_the_error() {
    const GRID: i32 = 64;
    let mut seen = [0; 2];
    for eta in 1 - GRID / 2..GRID / 2 {
        for rounding in -GRID / 2..=GRID / 2 {
            for fraction in 0..GRID {
                let error = eta + rounding - fraction;
                if error % GRID == 0 {
                    seen[(error / GRID + 1) as usize] += 1;
                }
            }
        }
    }
    assert!(seen.iter().all(|&n| n > 1000));
}

/// Every input and every weight of three bits through the whole scheme, in rings whose noise cannot reach 1/2: at degree 16 it is below
/// 4·22 + 2·16·21 whatever is drawn, and 2^5 times that below 0.48·q.
#[test]
fn every_input_and_weight_of_degree_sixteen() {
    let one = small_ring(16, &[17, 20]);
    let two = small_ring(16, &[9, 9, 20]);
    for (ring, set, f) in [
        (one, Set::S1, 0),
        (one, Set::S1, 2),
        (two, Set::S2, 0),
        (two, Set::S2, 3),
    ] {
        let parties = Parties::new_in(ring, set, 0, 11);
        let form = Form {
            ring: Bits::of(4),
            dropped: f,
            extra: 9,
        };
        let mut errors = [0; 2];
        for x in 0..16 {
            for weight in -4..4 {
                let mut input = vec![0; 16];
                input[5] = x;
                let weights = [(13, weight)];
                let sums = parties.open(form, parties.product(form, &input, &weights, 0));
                for (sum, y) in sums.iter().zip(convolve(&input, &weights)) {
                    assert_eq!(
                        sum >> 1,
                        form.ring.reduce(y),
                        "{set:?} f {f} x {x} w {weight}"
                    );
                    errors[(sum & 1) as usize] += 1;
                }
            }
        }
        assert!(errors.iter().all(|&n| n > 500), "{errors:?}");
    }
}
