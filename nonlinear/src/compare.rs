//! A comparison of two private numbers, once the client's choices are fixed.

mod digit;

use std::borrow::Cow;

use ring_arith::BitVec;
use sharing::{AndLevel, Later, Party, Rounds};

use crate::Error;
use crate::choices::{Choices, Pads};
use crate::form::{Exchange, Form, Part, Progress};
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::planes;
use digit::{Leaf, Line, Node, Step};

/// Shares of \[x > y\], or of \[x = y\] ∧ carry ∨ \[x > y\] where a carry comes in. The server gives its numbers x, shifted so that the
/// comparison begins at their lowest bit; the client's y are those of the choices.
///
/// One round in which the server speaks, and then exchanges: [`rounds`].
pub(crate) async fn run(
    party: &Party<'_>,
    form: &Form,
    choices: &Choices,
    place: usize,
    x: &[u64],
    carry: Option<&Later<BitVec>>,
) -> Result<BitVec, Error> {
    let (n, digits) = (choices.len(), form.digits());
    if digits.is_empty() {
        return Ok(match carry {
            Some(carry) => carry.wait().await.clone(),
            None => BitVec::zeros(n),
        });
    }
    let (pads, own) = choices.take(place);
    let own = if party.role().is_server() {
        Cow::Owned(planes::split(x, form.bits() as usize))
    } else {
        Cow::Borrowed(own)
    };
    let (start, mut nodes, mut steps) = leaves(party, form, n, &own, pads).await?;
    let mut progress = Progress::new(form);
    let mut chain = start;
    while !progress.is_over(form) {
        if chain.is_none() {
            chain = carry.and_then(|carry| carry.get().cloned());
        }
        let next = progress.next;
        let exchange = progress.next(form, chain.is_some());
        if exchange == Exchange::default() {
            // Nothing can be done before the carry is there.
            carry.expect("a carry comes in").wait().await;
            continue;
        }
        let (meet, step) = party
            .both(
                meet(
                    party,
                    &mut nodes,
                    chain
                        .as_ref()
                        .filter(|_| exchange.single)
                        .map(|c| (next, c)),
                ),
                async {
                    match (exchange.step, &chain) {
                        (Some(_), Some(carry)) => {
                            let step = steps[next].take().expect("each step is taken once");
                            step.take_in(party, carry).await.map(Some)
                        }
                        _ => Ok(None),
                    }
                },
            )
            .await?;
        chain = meet.or(step).or(chain);
    }
    Ok(chain.expect("the carry has gone through"))
}

/// The rounds of `n` comparisons, where a carry that comes in is there `carry` rounds after the one of the server's messages.
pub(crate) fn rounds(form: &Form, n: usize, carry: usize) -> Rounds {
    if form.bits() == 0 {
        return Rounds::none();
    }
    let bytes = BitVec::byte_len(form.message_bits() * n) as u64;
    Rounds::to_client(bytes)
        .with_cots(form.step_cots() * n as u64, 0)
        .then(form.exchange_rounds(n, carry))
}

/// The lowest digit's carry, the nodes of every part, the direct steps.
type Leaves<'a> = (Option<BitVec>, Vec<Vec<Node>>, Vec<Option<Step<'a>>>);

/// All leaves of `n` comparisons, in one round in which the server speaks. `own` are the bits of this party's numbers.
async fn leaves<'a>(
    party: &Party<'_>,
    form: &Form,
    n: usize,
    own: &'a [BitVec],
    pads: Vec<Pads>,
) -> Result<Leaves<'a>, Error> {
    let mut randoms = randoms(party, form, n)?.into_iter();
    let mut line = if party.role().is_server() {
        Line::Server(BitSink::default())
    } else {
        let bytes = BitVec::byte_len(form.message_bits() * n);
        Line::Client(BitSource::new(&party.recv(bytes).await?))
    };
    let mut pads = pads.into_iter();
    let mut digits = form.digits().into_iter().map(|digit| {
        let (first, width) = (digit.offset as usize, digit.kind.width as usize);
        Leaf {
            kind: digit.kind,
            n,
            own: &own[first..first + width],
            pads: pads.by_ref().take(width).collect(),
        }
    });
    let (mut nodes, mut steps) = (Vec::new(), Vec::new());
    let mut leaf = || digits.next().expect("a digit for each leaf");
    let start = form.has_start().then(|| leaf().greater(&mut line));
    for part in form.parts() {
        match part {
            Part::Node(widths) => {
                let node = |_: &u32| leaf().node(&mut line);
                nodes.push(widths.iter().map(node).collect());
                steps.push(None);
            }
            Part::Step(_) => {
                let random = randoms.next().expect("random bits for each step");
                nodes.push(Vec::new());
                steps.push(Some(leaf().step(&mut line, random)));
            }
        }
    }
    if party.role().is_server() {
        party.send(line.said()).await?;
    }
    Ok((start, nodes, steps))
}

/// The random OTs of the direct steps: the server's two bits, or the client's choice and its bit.
fn randoms(party: &Party<'_>, form: &Form, n: usize) -> Result<Vec<[BitVec; 2]>, Error> {
    let steps = 0..form.step_cots();
    let server = party.role().is_server();
    let drawn = party.draw(|sender, receiver| {
        let each = steps.map(|_| {
            Ok(if server {
                let [mut r0, mut r1] = sender.rot_bits(n, 1)?;
                [r0.swap_remove(0), r1.swap_remove(0)]
            } else {
                let (choice, mut chosen) = receiver.rot_bits(n, 1)?;
                [choice, chosen.swap_remove(0)]
            })
        });
        each.collect()
    })?;
    Ok(drawn)
}

/// One level of all trees: neighbours meet, greater = greater_hi ⊕ equal_hi·greater_lo and equal = equal_hi·equal_lo
/// \[RRK+20, section 3.1\]; and the carry takes in the node of a part, if it is given: carry' = greater ⊕ equal·carry.
async fn meet(
    party: &Party<'_>,
    nodes: &mut [Vec<Node>],
    carry: Option<(usize, &BitVec)>,
) -> Result<Option<BitVec>, Error> {
    let taken = carry.map(|(part, carry)| {
        let node = nodes[part].pop().expect("one node is left");
        (node, carry)
    });
    let single: Vec<_> = taken
        .iter()
        .map(|(node, carry)| (&node.equal, *carry))
        .collect();
    let pairs = nodes.iter().flat_map(|nodes| nodes.chunks_exact(2));
    let pairs: Vec<_> = pairs
        .map(|pair| (&pair[1].equal, &pair[0].greater, &pair[0].equal))
        .collect();
    if single.is_empty() && pairs.is_empty() {
        return Ok(None);
    }
    let (singles, products) = AndLevel.run(party, &single, &pairs).await?;
    drop((single, pairs));

    let mut products = products.into_iter();
    for nodes in nodes.iter_mut() {
        let mut left = Vec::with_capacity(nodes.len().div_ceil(2));
        let mut before = std::mem::take(nodes).into_iter();
        while let Some(lower) = before.next() {
            let Some(higher) = before.next() else {
                left.push(lower);
                break;
            };
            let (mut greater, equal) = products.next().expect("one product for each pair");
            greater.xor_assign(&higher.greater);
            left.push(Node { greater, equal });
        }
        *nodes = left;
    }
    let product = singles.into_iter().next();
    Ok(taken.zip(product).map(|((node, _), mut carry)| {
        carry.xor_assign(&node.greater);
        carry
    }))
}

#[cfg(test)]
mod tests;
