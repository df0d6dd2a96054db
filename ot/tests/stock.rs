//! Random OTs that are made before: the same results and the same bytes as without, and whatever does not fit is refused.

mod common;

use std::sync::Arc;

use channel::{Channel, Connection, Cost, ONLINE, Role};
use common::{Pool, Rows, bits, run, words};
use ot::{Block, Draw, End, Error, Form, OtReceiver, OtSender, Stock, fill_cost, stock_len};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use zeroize::Zeroizing;

/// One use of a form, with its sizes.
#[derive(Clone, Debug)]
enum Use {
    Keys(usize),
    Planes(usize, usize),
    Words(Vec<(usize, Bits)>),
    Offered(usize, Bits),
    /// Rows of these numbers, in words of 32 and of 64 bits, and their lengths.
    Rows([usize; 2], [usize; 2]),
    Chosen(usize),
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let n = || prop_oneof![Just(0), Just(1), Just(64), Just(1024), 0..2200_usize];
    let width = || (1..=64_u32).prop_map(Bits::of);
    let one = prop_oneof![
        n().prop_map(Use::Keys),
        (n(), 0..=128_usize).prop_map(|(n, width)| Use::Planes(n, width)),
        proptest::collection::vec((n(), width()), 0..3).prop_map(Use::Words),
        (n(), width()).prop_map(|(n, bits)| Use::Offered(n, bits)),
        ([n(), n()], [0..40_usize, 0..40]).prop_map(|(n, len)| Use::Rows(n, len)),
        n().prop_map(Use::Chosen),
    ];
    proptest::collection::vec(one, 0..6)
}

/// All that a party has of some uses.
fn send(ot: &mut OtSender, chan: &mut Channel, uses: &[Use]) -> Result<Vec<u64>, Error> {
    let mut all = Vec::new();
    for (seed, one) in (7..).zip(uses) {
        match one {
            Use::Keys(n) => all.extend(ot.rot(*n)?.iter().flatten().flat_map(halves)),
            Use::Planes(n, width) => {
                let planes = ot.rot_bits(*n, *width)?;
                all.extend(planes.iter().flatten().flat_map(BitVec::words));
            }
            Use::Words(parts) => {
                let x: Vec<_> = parts.iter().map(|part| words(seed, part.0)).collect();
                let parts: Vec<_> = x
                    .iter()
                    .zip(parts)
                    .map(|(x, part)| (&x[..], part.1))
                    .collect();
                all.extend(ot.cot_words_batch(chan, &parts)?.into_iter().flatten());
            }
            Use::Offered(n, bits) => {
                let (r, message) = ot
                    .begin_cot_words([(*n, *bits)])?
                    .offer(&[(&words(seed, *n), *bits)]);
                chan.send(&message)?;
                chan.flush()?;
                all.extend(&r[0]);
            }
            Use::Rows([n, m], [len, other]) => {
                let (mut rows, mut wide) =
                    (Rows::<u32>::new(*n, *len), Rows::<u64>::new(*m, *other));
                ot.cot_rows_mixed(chan, &mut rows, &mut wide)?;
                ot.cot_rows(chan, &mut rows)?;
                all.extend([rows.sum, wide.sum]);
            }
            Use::Chosen(n) => {
                let messages: Vec<_> = words(seed, *n)
                    .iter()
                    .map(|&word| [Block::from(word), Block::from(!word)])
                    .collect();
                ot.chosen(chan, &messages)?;
            }
        }
    }
    Ok(all)
}

fn receive(ot: &mut OtReceiver, chan: &mut Channel, uses: &[Use]) -> Result<Vec<u64>, Error> {
    let mut all = Vec::new();
    for (seed, one) in (70..).zip(uses) {
        match one {
            Use::Keys(n) => {
                let (choices, keys) = ot.rot(*n)?;
                all.extend(choices.words());
                all.extend(keys.iter().flat_map(halves));
            }
            Use::Planes(n, width) => {
                let (choices, planes) = ot.rot_bits(*n, *width)?;
                all.extend(choices.words());
                all.extend(planes.iter().flat_map(BitVec::words));
            }
            Use::Words(parts) => {
                let choices: Vec<_> = parts.iter().map(|part| bits(seed, part.0)).collect();
                let parts: Vec<_> = choices
                    .iter()
                    .zip(parts)
                    .map(|(b, part)| (b, part.1))
                    .collect();
                all.extend(ot.cot_words_batch(chan, &parts)?.into_iter().flatten());
            }
            Use::Offered(n, bits) => {
                let pending = ot.random_cot_words(&[(*n, *bits)])?;
                let mut message = vec![0; pending.message_len()];
                chan.recv(&mut message)?;
                all.extend(pending.choices().flat_map(BitVec::words));
                all.extend(pending.finish(&message).into_iter().flatten());
            }
            Use::Rows([n, m], [len, other]) => {
                let (mut rows, mut wide) =
                    (Rows::<u32>::new(*n, *len), Rows::<u64>::new(*m, *other));
                ot.cot_rows_mixed(chan, &mut rows, &mut wide)?;
                ot.cot_rows(chan, &mut rows)?;
                all.extend([rows.sum, wide.sum]);
            }
            Use::Chosen(n) => {
                let messages = ot.chosen(chan, &bits(seed, *n))?;
                all.extend(messages.iter().flat_map(halves));
            }
        }
    }
    Ok(all)
}

fn halves(block: &Block) -> [u64; 2] {
    let [a, b] = [*block, block >> 64].map(|half| half & Block::from(u64::MAX));
    [a, b].map(|half| u64::try_from(half).expect("a half"))
}

/// What both parties have, and what it cost.
fn both(
    sender: impl FnOnce(&Connection) -> OtSender + Send,
    receiver: impl FnOnce(&Connection) -> OtReceiver + Send,
    uses: &[Use],
) -> (Ended<OtSender>, Ended<OtReceiver>) {
    run(
        |connection| {
            let mut ot = sender(&connection);
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let found = send(&mut ot, &mut chan, uses);
            let cost = chan.measured().with_cots(ot.drawn(), 0);
            Ended { found, cost, ot }
        },
        |connection| {
            let mut ot = receiver(&connection);
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let found = receive(&mut ot, &mut chan, uses);
            let cost = chan.measured().with_cots(ot.drawn(), 0);
            Ended { found, cost, ot }
        },
    )
}

struct Ended<T> {
    found: Result<Vec<u64>, Error>,
    cost: Cost,
    ot: T,
}

fn live(pool: Pool, connection: &Connection) -> OtSender {
    OtSender::new(
        pool.sender(connection),
        &connection.session_id(),
        Role::Server,
    )
}

fn live_receiver(pool: Pool, connection: &Connection) -> OtReceiver {
    OtReceiver::new(
        pool.receiver(connection),
        &connection.session_id(),
        Role::Server,
    )
}

/// What the uses draw, told by a dry run at either end.
fn draws(uses: &[Use]) -> Vec<Draw> {
    let (sender, receiver) = both(
        |_| OtSender::rehearsal(Role::Server),
        |_| OtReceiver::rehearsal(Role::Server),
        uses,
    );
    assert!(sender.found.is_ok() && receiver.found.is_ok());
    assert_eq!(sender.ot.rehearsed(), receiver.ot.rehearsed());
    sender.ot.rehearsed().to_vec()
}

/// The bytes of a stock at both ends.
fn filled(pool: Pool, draws: &[Draw]) -> [Zeroizing<Vec<u8>>; 2] {
    let mut stocks = [(); 2].map(|()| Zeroizing::default());
    let [at_sender, at_receiver] = &mut stocks;
    let (sender, receiver) = run(
        |connection| {
            let mut ot = live(pool, &connection);
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let filled = ot.fill(&mut chan, draws, 5, at_sender);
            filled.map(|()| chan.measured().with_cots(ot.drawn(), 0))
        },
        |connection| {
            let mut ot = live_receiver(pool, &connection);
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let filled = ot.fill(&mut chan, draws, 6, at_receiver);
            filled.map(|()| chan.measured().with_cots(ot.drawn(), 0))
        },
    );
    let expected = fill_cost(draws, Role::Server);
    assert_eq!(sender.expect("it is filled"), expected);
    assert_eq!(receiver.expect("it is filled"), expected);
    stocks
}

fn opened(bytes: &[u8], end: End) -> Result<Stock, Error> {
    let all = 0..bytes.len();
    Stock::new(&Arc::new(Zeroizing::new(bytes.to_vec())), all, end)
}

fn stocked(stocks: &[Zeroizing<Vec<u8>>; 2], uses: &[Use]) -> (Ended<OtSender>, Ended<OtReceiver>) {
    let [at_sender, at_receiver] = stocks;
    both(
        |_| {
            let stock = opened(at_sender, End::Sender).expect("it is one");
            OtSender::stocked(stock, Role::Server)
        },
        |_| {
            let stock = opened(at_receiver, End::Receiver).expect("it is one");
            OtReceiver::stocked(stock, Role::Server)
        },
        uses,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Runs from a stock say as much as those from a pool, and take all of it; both parties have what the forms promise.
    #[test]
    fn a_stock_is_as_good_as_a_pool(uses in uses(), k in 0..4_u32) {
        let pool = if k == 0 { Pool::SoftSpoken(2) } else { Pool::Ideal };
        let (sender, receiver) = both(|c| live(pool, c), |c| live_receiver(pool, c), &uses);
        let draws = draws(&uses);
        prop_assert_eq!(sender.ot.drawn(), draws.iter().map(|draw| draw.n as u64).sum::<u64>());
        let stocks = filled(pool, &draws);
        for stock in &stocks {
            prop_assert_eq!(stock.len() as u64, stock_len(&draws));
        }
        let (from_stock, other) = stocked(&stocks, &uses);
        prop_assert!(from_stock.ot.is_spent() && other.ot.is_spent());
        prop_assert!(from_stock.found.is_ok() && other.found.is_ok());
        prop_assert_eq!((from_stock.cost, other.cost), (sender.cost, receiver.cost));
        each_draw_is_an_ot(&draws, &stocks);
    }

    /// What the seeds give is the same whatever the pool gives; what is kept in full is the pool's.
    #[test]
    fn messages_1_and_choices_are_those_of_the_seeds(n in 1..3000_usize, width in 1..=64_u32) {
        let form = Form::Planes(width);
        let draws = [Draw { n, form }];
        let of = |pool: Pool| {
            let [at_sender, at_receiver] = filled(pool, &draws);
            let stock = opened(&at_sender, End::Sender).expect("it is one");
            let [zero, one] = OtSender::stocked(stock, Role::Server)
                .rot_bits(n, width as usize)
                .expect("it is stored");
            let stock = opened(&at_receiver, End::Receiver).expect("it is one");
            let (choices, _) = OtReceiver::stocked(stock, Role::Server)
                .rot_bits(n, width as usize)
                .expect("it is stored");
            (zero, one, choices)
        };
        let [ideal, real] = [Pool::Ideal, Pool::SoftSpoken(3)].map(of);
        prop_assert_eq!((ideal.1, ideal.2), (real.1, real.2));
        prop_assert!(n < 128 || ideal.0 != real.0);
    }

    /// Whatever bytes there are: they are no stock, or one whose draws are those that are asked for.
    #[test]
    fn damaged_bytes_are_refused_or_draw_what_they_say(
        cut in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let uses = [Use::Planes(9, 3), Use::Words(vec![(5, Bits::of(7))]), Use::Keys(2)];
        let draws = draws(&uses);
        let stocks = filled(Pool::Ideal, &draws);
        for (stock, end) in stocks.iter().zip([End::Sender, End::Receiver]) {
            prop_assert!(opened(&stock[..cut.index(stock.len())], end).is_err());
            let mut changed = stock.to_vec();
            let at = at.index(changed.len());
            changed[at] ^= change;
            // The seed and what follows it.
            let content = at >= 9 + 6 * draws.len();
            match opened(&changed, end) {
                Ok(_) if content => {}
                // The bytes of as many OTs in another form.
                Ok(stock) => {
                    let asked = |stock: Stock| match end {
                        End::Sender => OtSender::stocked(stock, Role::Server).rot_bits(9, 3).is_ok(),
                        End::Receiver => OtReceiver::stocked(stock, Role::Server).rot_bits(9, 3).is_ok(),
                    };
                    prop_assert!(!asked(stock) || at >= 9 + 6);
                }
                Err(error) => prop_assert!(!content && matches!(error, Error::BadStock)),
            }
        }
    }
}

/// What the receiver has of each draw is the message of its choice.
fn each_draw_is_an_ot(draws: &[Draw], stocks: &[Zeroizing<Vec<u8>>; 2]) {
    let [at_sender, at_receiver] = stocks;
    let stock = opened(at_sender, End::Sender).expect("it is one");
    let mut sender = OtSender::stocked(stock, Role::Server);
    let stock = opened(at_receiver, End::Receiver).expect("it is one");
    let mut receiver = OtReceiver::stocked(stock, Role::Server);
    let mut ones = 0;
    for &Draw { n, form } in draws {
        let choices = match form {
            Form::Planes(width) => {
                let width = width as usize;
                let [zero, one] = sender.rot_bits(n, width).expect("it is stored");
                let (choices, own) = receiver.rot_bits(n, width).expect("it is stored");
                for ((zero, one), own) in zero.iter().zip(&one).zip(&own) {
                    assert_eq!(zero.xor(&zero.xor(one).and(&choices)), *own);
                    assert!(n < 128 || zero != one);
                }
                choices
            }
            Form::Words(bits) => {
                let x = words(8, n);
                let pending = sender.begin_cot_words([(n, bits)]).expect("it is stored");
                let (r, message) = pending.offer(&[(&x, bits)]);
                let pending = receiver
                    .random_cot_words(&[(n, bits)])
                    .expect("it is stored");
                let choices = pending.choices().next().expect("one part").clone();
                let y = pending.finish(&message);
                for (i, choice) in choices.iter().enumerate() {
                    let expected = r[0][i].wrapping_add(x[i] * u64::from(choice));
                    assert_eq!(y[0][i], bits.reduce(expected));
                }
                choices
            }
            Form::Keys => {
                let pairs = sender.rot(n).expect("it is stored");
                let (choices, keys) = receiver.rot(n).expect("it is stored");
                for ((pair, key), choice) in pairs.iter().zip(&keys).zip(choices.iter()) {
                    assert_eq!(pair[usize::from(choice)], *key);
                    assert_ne!(pair[0], pair[1]);
                }
                choices
            }
        };
        ones += choices.iter().filter(|&choice| choice).count();
    }
    let n: usize = draws.iter().map(|draw| draw.n).sum();
    assert!(
        n < 1000 || ones.abs_diff(n / 2) < 4 * n.isqrt(),
        "{ones} of {n}"
    );
}

/// What is more than a batch is made in several, of which each is said before the next is drawn.
#[test]
fn large_stocks_are_made_in_batches() {
    let draw = |n, form| Draw { n, form };
    let wide = draw(700_001, Form::Planes(100));
    // Alone more than a batch is meant to have.
    let large = draw(1_200_000, Form::Keys);
    let narrow = draw(300_000, Form::Words(Bits::of(33)));
    let draws = [wide, wide, narrow, large, narrow];
    let stocks = filled(Pool::SoftSpoken(2), &draws);
    assert_eq!(fill_cost(&draws, Role::Server).flights(), 8);
    each_draw_is_an_ot(&draws, &stocks);
}

#[test]
fn a_draw_that_is_not_the_stored_one_is_refused_and_told() {
    let uses = [Use::Planes(9, 3)];
    let stocks = filled(Pool::Ideal, &draws(&uses));
    let others = [
        Use::Planes(9, 2),
        Use::Planes(8, 3),
        Use::Words(vec![(9, Bits::of(3))]),
        Use::Keys(9),
    ];
    for other in others {
        let asked = draws(std::slice::from_ref(&other))[0];
        let (sender, receiver) = stocked(&stocks, &[other]);
        for found in [sender.found, receiver.found] {
            let told = found.expect_err("another draw");
            let stored = Some(Draw {
                n: 9,
                form: Form::Planes(3),
            });
            assert!(
                matches!(told, Error::OtherDraw { asked: a, stored: s } if (a, s) == (asked, stored))
            );
        }
        assert!(!sender.ot.is_spent() && !receiver.ot.is_spent());
    }
    // Nothing is given twice.
    let twice = [uses[0].clone(), uses[0].clone()];
    let (sender, receiver) = stocked(&stocks, &twice);
    for found in [sender.found, receiver.found] {
        let told = found.expect_err("it is spent").to_string();
        assert_eq!(
            told,
            "the stored oblivious transfers are of another run: 9 OTs of 3 bits are asked for, and no more are stored"
        );
    }
}

/// The sender's bytes are no receiver's, and the other way round.
#[test]
fn the_other_end_is_refused() {
    let [at_sender, at_receiver] = filled(Pool::Ideal, &draws(&[Use::Planes(900, 3)]));
    assert!(matches!(
        opened(&at_sender, End::Receiver),
        Err(Error::BadStock)
    ));
    assert!(matches!(
        opened(&at_receiver, End::Sender),
        Err(Error::BadStock)
    ));
    assert!(matches!(opened(&[], End::Sender), Err(Error::BadStock)));
    let endless = [0xFF; 40];
    assert!(matches!(
        opened(&endless, End::Sender),
        Err(Error::BadStock)
    ));
}

#[test]
fn debug_prints_no_secret() {
    let [at_sender, _] = filled(Pool::Ideal, &draws(&[Use::Planes(9, 3)]));
    let stock = opened(&at_sender, End::Sender).expect("it is one");
    assert_eq!(
        format!("{stock:?}"),
        "Stock { end: Sender, draws: 1, bytes: 6, .. }"
    );
}
