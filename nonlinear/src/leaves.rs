//! The leaf phase of a comparison: all digits of all elements in two rounds.

use channel::Role;
use ring_arith::BitVec;
use sharing::{Party, Rounds};
use zeroize::Zeroizing;

use crate::Error;
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::layout::Group;
use crate::kernel::leaf::{self, LeafKind, Shares};
use crate::kernel::planes;

/// Elements whose random OTs are drawn together; a multiple of 64. AGREEMENT: it orders the draws.
pub(crate) const TILE: usize = 2048;

/// The party that holds the greater-than side and sends in the OTs.
pub(crate) const SENDER: Role = Role::Server;

/// Shares of one node of the tree, for all elements.
#[derive(Clone, Default)]
pub(crate) struct Node {
    /// [x's digits > y's digits].
    pub(crate) greater: BitVec,
    /// [x's digits = y's digits]; empty for the lowest node.
    pub(crate) equal: BitVec,
}

/// The leaves of all digits, lowest first. `input` are the server's x or the client's y; bits that
/// belong to no digit are ignored.
pub(crate) async fn run(
    party: &Party<'_>,
    groups: &[Group],
    input: &[u64],
) -> Result<Vec<Node>, Error> {
    if party.role() == SENDER {
        serve(party, groups, input).await
    } else {
        choose(party, groups, input).await
    }
}

/// The rounds of [`run`] on `n` elements.
pub(crate) fn rounds(groups: &[Group], n: usize) -> Rounds {
    let (choices, messages) = (choice_bytes(groups, n), message_bytes(groups, n));
    Rounds::to_server(choices as u64)
        .then(Rounds::to_client(messages as u64))
        .with_cots((operand_bits(groups) * n) as u64, 0)
}

/// Both messages of every random OT of a group in a tile, by bit of the digit.
type Pads = Vec<[Vec<BitVec>; 2]>;

async fn serve(party: &Party<'_>, groups: &[Group], input: &[u64]) -> Result<Vec<Node>, Error> {
    let n = input.len();
    let pads = party.draw(|sender, _| {
        let mut tiles = Vec::with_capacity(n.div_ceil(TILE));
        for x in input.chunks(TILE) {
            let mut tile = Vec::with_capacity(groups.len());
            for group in groups {
                let m = group.digits.len() * x.len();
                let draw = |j| sender.rot_bits(m, group.kind.pad_bits(j));
                let pads: Result<Pads, _> = (0..group.kind.width).map(draw).collect();
                tile.push(pads?);
            }
            tiles.push(tile);
        }
        Ok(tiles)
    })?;
    let flips = party.recv(choice_bytes(groups, n)).await?;

    let mut nodes = empty_nodes(groups, n);
    let mut answer = Vec::with_capacity(message_bytes(groups, n));
    let flips = flips.chunks(choice_bytes(groups, TILE));
    let tiles = input.chunks(TILE).zip(flips).zip(pads);
    for (tile, ((x, flips), pads)) in tiles.enumerate() {
        let mut flips = BitSource::new(flips);
        let mut sink = BitSink::default();
        let planes = planes::split(x, operand_bits(groups));
        for (group, mut pads) in groups.iter().zip(pads) {
            let m = group.digits.len() * x.len();
            for pads in &mut pads {
                swap(pads, &flips.take(m));
            }
            let x_planes = digit_planes(group, &planes, x.len());
            let shares = serve_group(group, &x_planes, &pads, m, &mut sink);
            place(&mut nodes, group, tile * TILE, x.len(), &shares);
        }
        answer.extend(sink.to_bytes());
    }
    party.send(answer).await?;
    Ok(nodes)
}

/// What the client keeps of a group in a tile between the two rounds.
struct Pending {
    y: Zeroizing<Vec<Vec<u64>>>,
    pads: Zeroizing<Vec<Shares>>,
}

async fn choose(party: &Party<'_>, groups: &[Group], input: &[u64]) -> Result<Vec<Node>, Error> {
    let n = input.len();
    let mut flips = Vec::with_capacity(choice_bytes(groups, n));
    let pending = party.draw(|_, receiver| {
        let mut tiles = Vec::with_capacity(n.div_ceil(TILE));
        for y in input.chunks(TILE) {
            let planes = planes::split(y, operand_bits(groups));
            let mut sink = BitSink::default();
            let mut tile = Vec::with_capacity(groups.len());
            for group in groups {
                let draw = |m, width| receiver.rot_bits(m, width);
                tile.push(choose_group(group, &planes, y.len(), draw, &mut sink)?);
            }
            tiles.push(tile);
            flips.extend(sink.to_bytes());
        }
        Ok(tiles)
    })?;
    party.send(flips).await?;
    let answer = party.recv(message_bytes(groups, n)).await?;

    let mut nodes = empty_nodes(groups, n);
    let answers = answer.chunks(message_bytes(groups, TILE));
    for (tile, (answer, pending)) in answers.zip(pending).enumerate() {
        let start = tile * TILE;
        let n = TILE.min(n - start);
        let mut answer = BitSource::new(answer);
        for (group, pending) in groups.iter().zip(pending) {
            let m = group.digits.len() * n;
            let messages = 0..group.kind.message_bits();
            let messages: Vec<_> = messages.map(|_| answer.take(m)).collect();
            let shares = receive_group(group.kind, &pending, &messages);
            place(&mut nodes, group, start, n, &shares);
        }
    }
    Ok(nodes)
}

/// The client's draws for a group in a tile of `n` elements. Its choices go to `sink`, one run per bit of a digit.
fn choose_group<E>(
    group: &Group,
    planes: &[Vec<u64>],
    n: usize,
    mut draw: impl FnMut(usize, usize) -> Result<(BitVec, Vec<BitVec>), E>,
    sink: &mut BitSink,
) -> Result<Pending, E> {
    let (kind, m) = (group.kind, group.digits.len() * n);
    let y = Zeroizing::new(digit_planes(group, planes, n));
    let mut drawn = Vec::with_capacity(y.len());
    for (j, y) in (0..).zip(&*y) {
        let (mut choices, pads) = draw(m, kind.pad_bits(j))?;
        for (choice, y) in choices.words_mut().iter_mut().zip(y) {
            *choice ^= y;
        }
        sink.push(choices.words(), m);
        drawn.push(pads);
    }
    let pads = Zeroizing::new(chosen_pads(kind, &y, &drawn, m));
    Ok(Pending { y, pads })
}

/// Applies the client's corrections: where a bit is set, the two messages change places.
fn swap([first, second]: &mut [Vec<BitVec>; 2], flips: &[u64]) {
    for (first, second) in first.iter_mut().zip(second) {
        let words = first.words_mut().iter_mut().zip(second.words_mut());
        for ((first, second), flip) in words.zip(flips) {
            let delta = (*first ^ *second) & flip;
            *first ^= delta;
            *second ^= delta;
        }
    }
}

/// The server's shares of a group word by word; its messages go to `sink`, one run per value.
fn serve_group(
    group: &Group,
    x: &[Vec<u64>],
    pads: &[[Vec<BitVec>; 2]],
    m: usize,
    sink: &mut BitSink,
) -> Vec<Shares> {
    let kind = group.kind;
    let words = m.div_ceil(64);
    let mut messages = vec![vec![0; words]; kind.message_bits()];
    let mut some = [0; 32];
    let mut digit = [0; 4];
    let shares = (0..words)
        .map(|w| {
            let bits = gather(&mut digit, x, w);
            let pad = |j: usize, b: usize, h: usize| pads[j][b][h].words()[w];
            let shares = leaf::serve(kind, bits, pad, &mut some);
            for (message, &word) in messages.iter_mut().zip(&some) {
                message[w] = word;
            }
            shares
        })
        .collect();
    for message in &messages {
        sink.push(message, m);
    }
    shares
}

fn chosen_pads(kind: LeafKind, y: &[Vec<u64>], pads: &[Vec<BitVec>], m: usize) -> Vec<Shares> {
    let mut digit = [0; 4];
    let words = 0..m.div_ceil(64);
    let pads = words.map(|w| {
        let pad = |j: usize, h: usize| pads[j][h].words()[w];
        leaf::chosen_pads(kind, gather(&mut digit, y, w), pad)
    });
    pads.collect()
}

fn receive_group(kind: LeafKind, pending: &Pending, messages: &[Vec<u64>]) -> Vec<Shares> {
    let mut digit = [0; 4];
    let words = pending.pads.iter().enumerate();
    let shares = words.map(|(w, &pads)| {
        let bits = gather(&mut digit, &pending.y, w);
        leaf::receive(kind, bits, pads, |message| messages[message][w])
    });
    shares.collect()
}

/// Word `w` of every bit of a digit.
fn gather<'a>(digit: &'a mut [u64; 4], planes: &[Vec<u64>], w: usize) -> &'a [u64] {
    for (word, plane) in digit.iter_mut().zip(planes) {
        *word = plane[w];
    }
    &digit[..planes.len()]
}

/// The bits of the digits of a group: for each bit of a digit, the digits of the group one after
/// the other, `n` elements each.
fn digit_planes(group: &Group, planes: &[Vec<u64>], n: usize) -> Vec<Vec<u64>> {
    let bits = 0..group.kind.width;
    let plane = |j| {
        let mut sink = BitSink::default();
        for &(_, offset) in &group.digits {
            sink.push(&planes[(offset + j) as usize], n);
        }
        sink.into_words()
    };
    bits.map(plane).collect()
}

/// Hands the shares of a group to the nodes of its digits, at element `start`.
fn place(nodes: &mut [Node], group: &Group, start: usize, n: usize, shares: &[Shares]) {
    let m = group.digits.len() * n;
    let take = |words: Vec<u64>| BitVec::from_words(m, words);
    let greater = take(shares.iter().map(|share| share.0).collect());
    let equal = take(shares.iter().map(|share| share.1).collect());
    for (i, &(digit, _)) in group.digits.iter().enumerate() {
        let node = &mut nodes[digit];
        copy(&mut node.greater, start, &greater.slice(i * n, n));
        if group.kind.equality {
            copy(&mut node.equal, start, &equal.slice(i * n, n));
        }
    }
}

/// Overwrites the bits of `to` from `start`, a multiple of 64.
fn copy(to: &mut BitVec, start: usize, bits: &BitVec) {
    let words = bits.words();
    to.words_mut()[start / 64..][..words.len()].copy_from_slice(words);
}

fn empty_nodes(groups: &[Group], n: usize) -> Vec<Node> {
    let digits = groups.iter().map(|group| group.digits.len()).sum();
    let mut nodes = vec![Node::default(); digits];
    for group in groups {
        for &(digit, _) in &group.digits {
            nodes[digit].greater = BitVec::zeros(n);
            if group.kind.equality {
                nodes[digit].equal = BitVec::zeros(n);
            }
        }
    }
    nodes
}

/// Bits of an operand.
fn operand_bits(groups: &[Group]) -> usize {
    let bits = |group: &Group| group.digits.len() * group.kind.width as usize;
    groups.iter().map(bits).sum()
}

/// Length of the client's choices for `n` elements, which for a whole tile are whole words.
fn choice_bytes(groups: &[Group], n: usize) -> usize {
    BitVec::byte_len(operand_bits(groups) * n)
}

/// Length of the server's messages.
fn message_bytes(groups: &[Group], n: usize) -> usize {
    let bits = |group: &Group| group.digits.len() * group.kind.message_bits();
    BitVec::byte_len(groups.iter().map(bits).sum::<usize>() * n)
}
