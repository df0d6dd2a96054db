//! GGM trees and their punctured form: 2^k seeds of which the other party lacks one.

use zeroize::Zeroizing;

use crate::Block;
use crate::prg::TreePrg;

/// Seeds, all of one level.
type Nodes = Zeroizing<Vec<Block>>;

/// The leaves of the tree under `root`. Appends to `sums`, for every level, the sums of its left and of
/// its right children.
///
/// Level j decides bit j of the leaf number.
pub(crate) fn full(tree: &TreePrg, root: Block, k: usize, sums: &mut Vec<[Block; 2]>) -> Nodes {
    let mut nodes = Zeroizing::new(vec![root]);
    for _ in 0..k {
        let (left, right) = double(tree, &nodes);
        sums.push([sum(&left), sum(&right)]);
        nodes = concatenate(&left, &right);
    }
    nodes
}

/// All leaves but the one at the secret position `alpha`, from the sums of the children off its
/// path: `siblings[j]` is the sum of level j's children whose bit is not bit j of `alpha`.
///
/// Leaf v of the result is leaf v ^ `alpha` of the full tree, leaf 0 is meaningless: so
/// nothing here or later depends on where the hole is.
pub(crate) fn punctured(tree: &TreePrg, alpha: u64, siblings: &[Block]) -> Nodes {
    let mut nodes = Zeroizing::new(vec![0]);
    for (j, sibling) in siblings.iter().enumerate() {
        let (mut near, mut far) = double(tree, &nodes);
        let swap = Block::from(alpha >> j & 1).wrapping_neg();
        for (near, far) in near.iter_mut().zip(far.iter_mut()) {
            let difference = (*near ^ *far) & swap;
            *near ^= difference;
            *far ^= difference;
        }
        far[0] = sibling ^ sum(&far[1..]);
        nodes = concatenate(&near, &far);
    }
    nodes
}

fn double(tree: &TreePrg, nodes: &[Block]) -> (Nodes, Nodes) {
    let mut left = Zeroizing::new(vec![0; nodes.len()]);
    let mut right = Zeroizing::new(vec![0; nodes.len()]);
    tree.double(nodes, &mut left, &mut right);
    (left, right)
}

fn sum(nodes: &[Block]) -> Block {
    nodes.iter().fold(0, |sum, node| sum ^ node)
}

fn concatenate(left: &[Block], right: &[Block]) -> Nodes {
    let mut nodes = Vec::with_capacity(2 * left.len());
    nodes.extend_from_slice(left);
    nodes.extend_from_slice(right);
    Zeroizing::new(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctured_tree_is_the_full_one_but_for_the_hole() {
        let tree = TreePrg::new(&[7; 16]);
        for k in 1..=8 {
            let mut sums = Vec::new();
            let leaves = full(&tree, 0x1234_5678, k, &mut sums);
            for alpha in 0..1_usize << k {
                let siblings: Vec<Block> = sums
                    .iter()
                    .enumerate()
                    .map(|(j, sums)| sums[alpha >> j & 1 ^ 1])
                    .collect();
                let known = punctured(&tree, alpha as u64, &siblings);
                assert_eq!(known.len(), leaves.len());
                for v in 1..1_usize << k {
                    assert_eq!(known[v], leaves[v ^ alpha]);
                }
                assert_ne!(known[0], leaves[alpha]);
            }
        }
    }
}
