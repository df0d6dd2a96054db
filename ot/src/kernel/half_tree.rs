//! Half trees \[GYW+22\]: GGM trees whose levels all add up to Δ, at one AES call for two children.
//!
//! The left child of a node x is H(x) = π(σ(x)) ^ σ(x), the right one H(x) ^ x, with σ a linear orthomorphism and π
//! AES-128 under the public key of the tree. The children of node i of a level of m nodes are nodes i and i + m of the
//! next one, so level j decides bit j of the number of a leaf.

use ring_arith::{Kernel, dispatch};
use zeroize::ZeroizeOnDrop;

use crate::Block;
use crate::backend::Cipher;

/// Nodes hashed at a time; LOCAL, for the first-level cache.
const TILE: usize = 128;

/// The room to grow trees in, one after another.
#[derive(ZeroizeOnDrop)]
pub(crate) struct Grower {
    turned: [Block; TILE],
    hashed: [Block; TILE],
}

impl Grower {
    pub(crate) fn new() -> Self {
        Self {
            turned: [0; TILE],
            hashed: [0; TILE],
        }
    }

    /// Grows the whole tree under the roots `root` and `root ^ delta` into its leaves. `sums[j]` becomes the sum of the left
    /// nodes of level j. The leaves of every level add up to `delta`.
    ///
    /// # Panics
    /// Unless there are 2^h leaves for h sums, and h > 0.
    pub(crate) fn full(
        &mut self,
        cipher: &Cipher,
        root: Block,
        delta: Block,
        leaves: &mut [Block],
        sums: &mut [Block],
    ) {
        assert_eq!(leaves.len(), 1 << sums.len(), "a sum for each level");
        leaves[0] = root;
        leaves[1] = root ^ delta;
        sums[0] = root;
        for (j, sum) in sums.iter_mut().enumerate().skip(1) {
            *sum = self.double(cipher, &mut leaves[..2 << j]);
        }
    }

    /// All leaves of the tree but number `alpha`, from the sums of the nodes off its path: `siblings[j]` is the sum of level
    /// j's nodes on the side that is not bit j of `alpha`. Leaf `alpha` becomes the sum of all others, which is the leaf of
    /// the full tree ^ Δ; then the lowest bit of every leaf becomes 0, but that of leaf `alpha` 1. Neither a branch nor a
    /// place in memory depends on `alpha`.
    ///
    /// # Panics
    /// Unless there are 2^h leaves for h siblings, and h > 0.
    pub(crate) fn punctured(
        &mut self,
        cipher: &Cipher,
        alpha: u64,
        siblings: &[Block],
        leaves: &mut [Block],
    ) {
        assert_eq!(leaves.len(), 1 << siblings.len(), "a sum for each level");
        // The missing node of a level counts as 0; both its children come out as H(0).
        let mut of_zero = [0; 2];
        self.double(cipher, &mut of_zero);
        let (mut path, mut sum) = (0, 0);
        leaves[0] = 0;
        for (j, sibling) in siblings.iter().enumerate() {
            let (m, bit) = (1 << j, alpha >> j & 1);
            let right_side = Block::from(bit).wrapping_neg();
            let left = if j == 0 {
                of_zero[0]
            } else {
                self.double(cipher, &mut leaves[..2 * m])
            };
            // What is known of the side of the sibling, which is the left one if the path goes right.
            let side = left ^ sum & !right_side ^ of_zero[0];
            let sibling = sibling ^ side;
            let (lefts, rights) = leaves[..2 * m].split_at_mut(m);
            dispatch(Put {
                lefts,
                rights,
                at: path,
                values: [sibling & right_side, sibling & !right_side],
            });
            sum ^= sibling;
            path |= bit << j;
        }
        dispatch(Finish {
            leaves,
            at: path,
            value: sum,
        });
    }

    /// Overwrites a level, which is the first half of `nodes`, with the next one; the sum of the left children.
    fn double(&mut self, cipher: &Cipher, nodes: &mut [Block]) -> Block {
        let (parents, rights) = nodes.split_at_mut(nodes.len() / 2);
        let mut sum = 0;
        for (parents, rights) in parents.chunks_mut(TILE).zip(rights.chunks_mut(TILE)) {
            let (turned, hashed) = (
                &mut self.turned[..parents.len()],
                &mut self.hashed[..parents.len()],
            );
            for (turned, parent) in turned.iter_mut().zip(&*parents) {
                *turned = sigma(*parent);
            }
            cipher.mmo(turned, hashed);
            for ((parent, right), left) in parents.iter_mut().zip(rights).zip(&*hashed) {
                *right = *parent ^ left;
                *parent = *left;
                sum ^= left;
            }
        }
        sum
    }
}

/// The orthomorphism: the high half becomes the sum of the halves, the low one the high one.
const fn sigma(x: Block) -> Block {
    let high = x >> 64;
    (x << 64 ^ x & !(u64::MAX as Block)) | high
}

/// Overwrites the left and the right node at a secret place.
struct Put<'a> {
    lefts: &'a mut [Block],
    rights: &'a mut [Block],
    at: u64,
    values: [Block; 2],
}

impl Kernel for Put<'_> {
    #[inline(always)]
    fn run(self) {
        for ((i, left), right) in (0..).zip(self.lefts).zip(self.rights) {
            let here = equal(i, self.at);
            *left ^= (*left ^ self.values[0]) & here;
            *right ^= (*right ^ self.values[1]) & here;
        }
    }
}

/// Overwrites the leaf at a secret place, and makes its lowest bit 1, that of all others 0.
struct Finish<'a> {
    leaves: &'a mut [Block],
    at: u64,
    value: Block,
}

impl Kernel for Finish<'_> {
    #[inline(always)]
    fn run(self) {
        for (i, leaf) in (0..).zip(self.leaves) {
            let here = equal(i, self.at);
            *leaf = (*leaf ^ (*leaf ^ self.value) & here) & !1 | here & 1;
        }
    }
}

/// All ones if the numbers are equal and below 2^63, else 0.
#[inline(always)]
const fn equal(a: u64, b: u64) -> Block {
    let mask = ((a ^ b).wrapping_sub(1).cast_signed() >> 63).cast_unsigned();
    mask as Block | (mask as Block) << 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;

    /// The sender's leaves with even lowest bits ^ the receiver's are Δ at `alpha` and 0 elsewhere.
    fn agrees(backend: Backend, depth: usize, alpha: u64) {
        let cipher = Cipher::new(backend, 99);
        let (root, delta) = (0x1234_5678_9abc_def0_u128.pow(2), (u128::MAX / 7) | 1);
        let (mut leaves, mut sums) = (vec![0; 1 << depth], vec![0; depth]);
        Grower::new().full(&cipher, root, delta, &mut leaves, &mut sums);
        let siblings: Vec<Block> = (0..depth)
            .map(|j| sums[j] ^ if alpha >> j & 1 == 0 { delta } else { 0 })
            .collect();
        let mut known = vec![7; 1 << depth];
        Grower::new().punctured(&cipher, alpha, &siblings, &mut known);
        for (i, (leaf, known)) in (0..).zip(leaves.iter().zip(&known)) {
            let expected = if i == alpha { delta } else { 0 };
            assert_eq!(
                leaf & !1 ^ known,
                expected,
                "leaf {i} of {depth} levels, alpha {alpha}"
            );
        }
        assert_eq!(leaves.iter().fold(0, |sum, leaf| sum ^ leaf), delta);
    }

    #[test]
    fn the_punctured_tree_is_the_full_one_but_for_delta() {
        for backend in Backend::available() {
            for depth in 1..=6 {
                for alpha in 0..1 << depth {
                    agrees(backend, depth, alpha);
                }
            }
            for depth in [10, 11, 12] {
                for alpha in [0, 1, 0x155, 0x2AA, (1 << depth) - 1] {
                    agrees(backend, depth, alpha);
                }
            }
        }
    }

    /// The definition, node by node.
    #[test]
    fn children_are_those_of_the_half_tree() {
        let cipher = Cipher::new(Backend::detect(), 5);
        let (mut leaves, mut sums) = (vec![0; 8], [0; 3]);
        Grower::new().full(&cipher, 11, 3, &mut leaves, &mut sums);
        let h = |x: Block| {
            let turned = (x << 64 ^ x >> 64 << 64) | x >> 64;
            let mut out = [0];
            cipher.mmo(&[turned], &mut out);
            out[0]
        };
        let first = [11, 11 ^ 3];
        let second = [
            h(first[0]),
            h(first[1]),
            h(first[0]) ^ first[0],
            h(first[1]) ^ first[1],
        ];
        for (i, parent) in second.into_iter().enumerate() {
            assert_eq!([leaves[i], leaves[i + 4]], [h(parent), h(parent) ^ parent]);
        }
        assert_eq!(
            sums,
            [
                11,
                second[0] ^ second[1],
                h(second[0]) ^ h(second[1]) ^ h(second[2]) ^ h(second[3])
            ]
        );
    }

    #[test]
    fn sigma_is_an_orthomorphism() {
        // Both sigma and x -> sigma(x) ^ x are linear; they are one-to-one if their images of a basis are independent.
        for f in [sigma, (|x| sigma(x) ^ x) as fn(Block) -> Block] {
            let mut rows: Vec<Block> = (0..128).map(|i| f(1 << i)).collect();
            for bit in 0..128 {
                let at = (bit..128)
                    .find(|&i| rows[i] >> bit & 1 == 1)
                    .expect("full rank");
                rows.swap(bit, at);
                let pivot = rows[bit];
                for row in &mut rows[bit + 1..] {
                    *row ^= pivot & (*row >> bit & 1).wrapping_neg();
                }
            }
        }
    }
}
