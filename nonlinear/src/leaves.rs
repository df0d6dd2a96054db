//! The leaf phase of a comparison: all digits of all elements in two flights.

use channel::{Cost, Role};
use ring_arith::BitVec;
use sharing::Session;

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
pub(crate) fn run(s: &mut Session, groups: &[Group], input: &[u64]) -> Result<Vec<Node>, Error> {
    if s.role() == SENDER {
        serve(s, groups, input)
    } else {
        choose(s, groups, input)
    }
}

/// The cost of [`run`] on `n` elements.
pub(crate) fn cost(groups: &[Group], n: usize) -> Cost {
    let (choices, messages) = (choice_bits(groups, n), message_bits(groups, n));
    Cost::to_server(choices.div_ceil(8) as u64)
        .then(Cost::to_client(messages.div_ceil(8) as u64))
        .with_cots(choices as u64, 0)
}

fn serve(s: &mut Session, groups: &[Group], input: &[u64]) -> Result<Vec<Node>, Error> {
    let mut nodes = empty_nodes(groups, input.len());
    let mut answer = Vec::new();
    let (channel, sender, _) = s.ot();
    for (tile, x) in input.chunks(TILE).enumerate() {
        // The draws come first: the client's precede what it sends.
        let mut pads = Vec::with_capacity(groups.len());
        for group in groups {
            let m = group.digits.len() * x.len();
            let draw = |j| sender.rot_bits(m, group.kind.pad_bits(j));
            let drawn: Result<Vec<_>, _> = (0..group.kind.width).map(draw).collect();
            pads.push(drawn.map_err(sharing::Error::from)?);
        }
        let mut flips = vec![0; choice_bits(groups, x.len()).div_ceil(8)];
        channel.recv(&mut flips).map_err(sharing::Error::from)?;
        let mut flips = BitSource::new(&flips);
        let mut sink = BitSink::default();
        let planes = planes::split(x, operand_bits(groups));
        for (group, mut pads) in groups.iter().zip(pads) {
            let m = group.digits.len() * x.len();
            for pads in &mut pads {
                swap(pads, &flips.take(m));
            }
            let shares = serve_group(
                group,
                &digit_planes(group, &planes, x.len()),
                &pads,
                m,
                &mut sink,
            );
            place(&mut nodes, group, tile * TILE, x.len(), &shares);
        }
        answer.extend(sink.to_bytes());
    }
    channel.send(&answer).map_err(sharing::Error::from)?;
    channel.flush().map_err(sharing::Error::from)?;
    Ok(nodes)
}

/// What the client keeps of a group between the two flights.
struct Pending {
    y: Vec<Vec<u64>>,
    pads: Vec<Shares>,
}

fn choose(s: &mut Session, groups: &[Group], input: &[u64]) -> Result<Vec<Node>, Error> {
    let mut pending = Vec::new();
    let (channel, _, receiver) = s.ot();
    for y in input.chunks(TILE) {
        let planes = planes::split(y, operand_bits(groups));
        let mut sink = BitSink::default();
        for group in groups {
            let m = group.digits.len() * y.len();
            let y = digit_planes(group, &planes, y.len());
            let mut pads = Vec::with_capacity(y.len());
            for (j, y) in (0..).zip(&y) {
                let (mut choices, drawn) = receiver
                    .rot_bits(m, group.kind.pad_bits(j))
                    .map_err(sharing::Error::from)?;
                for (choice, y) in choices.words_mut().iter_mut().zip(y) {
                    *choice ^= y;
                }
                sink.push(choices.words(), m);
                pads.push(drawn);
            }
            let pads = choose_group(group.kind, &y, &pads, m);
            pending.push(Pending { y, pads });
        }
        channel
            .send(&sink.to_bytes())
            .map_err(sharing::Error::from)?;
        // The server reads this tile before it draws for the next, in which both may refill.
        channel.flush().map_err(sharing::Error::from)?;
    }
    let mut nodes = empty_nodes(groups, input.len());
    let mut pending = pending.into_iter();
    for start in (0..input.len()).step_by(TILE) {
        let n = TILE.min(input.len() - start);
        let mut answer = vec![0; message_bits(groups, n).div_ceil(8)];
        channel.recv(&mut answer).map_err(sharing::Error::from)?;
        let mut answer = BitSource::new(&answer);
        for (group, pending) in groups.iter().zip(&mut pending) {
            let m = group.digits.len() * n;
            let messages: Vec<_> = (0..group.kind.message_bits())
                .map(|_| answer.take(m))
                .collect();
            let shares = receive_group(group.kind, &pending, &messages);
            place(&mut nodes, group, start, n, &shares);
        }
    }
    Ok(nodes)
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

fn choose_group(kind: LeafKind, y: &[Vec<u64>], pads: &[Vec<BitVec>], m: usize) -> Vec<Shares> {
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

fn choice_bits(groups: &[Group], n: usize) -> usize {
    operand_bits(groups) * n
}

fn message_bits(groups: &[Group], n: usize) -> usize {
    let bits = |group: &Group| group.digits.len() * group.kind.message_bits();
    groups.iter().map(bits).sum::<usize>() * n
}
