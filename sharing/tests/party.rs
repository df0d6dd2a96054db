//! Protocols side by side: common rounds, correlations in one order, accounts, and errors.

mod common;

use std::cell::Cell;
use std::time::Duration;

use channel::{Connection, Cost, Memory, Role};
use common::{clear, clear_bits, own, run, share, share_bits, values};
use ot::{Extension, Silent, SilentSet, SoftSpoken};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::{and, b2a, mul, mux};
use sharing::{And, B2a, Error, Later, Mul, Mux, Open, Party, Rounds, Session};
use testkit::{bits, ideal_session, rng, run_over, run_sessions};

const BITS: Bits = Bits::of(17);

/// A byte each way in each of `rounds` rounds; what the peer said in them.
async fn count(party: &Party<'_>, first: u8, rounds: u8) -> Result<Vec<u8>, Error> {
    let mut heard = Vec::new();
    for i in 0..rounds {
        heard.extend(party.exchange(vec![first + i], 1).await?);
    }
    Ok(heard)
}

fn counted(n: u8) -> Rounds {
    (0..n).fold(Rounds::none(), |all, _| all.then(Rounds::exchange(1, 1)))
}

#[test]
fn joined_protocols_have_common_rounds() {
    let lengths = [3, 1, 0, 5, 2];
    let timetable = lengths.into_iter().map(counted);
    let timetable = timetable.fold(Rounds::none(), Rounds::beside);
    assert_eq!(timetable.cost().flights(), 5);
    let heard = run(&timetable, async |party| {
        let all = (1..).zip(lengths);
        party.all(all.map(|(i, n)| count(party, 20 * i, n))).await
    });
    let expected = (1..)
        .zip(lengths)
        .map(|(i, n)| (20 * i..20 * i + n).collect());
    let expected: Vec<Vec<u8>> = expected.collect();
    assert_eq!(heard, [expected.clone(), expected]);
}

/// Of the parts of one round, some are silent, and some one-sided.
#[test]
fn everyone_gets_its_part_of_a_round() {
    let timetable = Rounds::exchange(6, 3).then(Rounds::to_client(2));
    let heard = run(&timetable, async |party| {
        let server = party.role().is_server();
        let silent = party.exchange(Vec::new(), 0);
        let up = async {
            if server {
                return party.recv(6).await;
            }
            party.send(b"client".to_vec()).await.map(|()| Vec::new())
        };
        let down = async {
            if server {
                party.send(b"one".to_vec()).await?;
                party.send(b"by".to_vec()).await?;
                return Ok(Vec::new());
            }
            let first = party.recv(3).await?;
            Ok::<_, Error>([first, party.recv(2).await?].concat())
        };
        let last = party.exchange(Vec::new(), 0);
        let ((_, up), (down, _)) = party
            .both(party.both(silent, up), party.both(down, last))
            .await?;
        Ok((up, down))
    });
    let [server, client] = heard;
    assert_eq!(server, (b"client".to_vec(), Vec::new()));
    assert_eq!(client, (Vec::new(), b"oneby".to_vec()));
}

#[test]
fn a_pause_is_no_flight() {
    let timetable = counted(2).beside(counted(1).delayed(4));
    let heard = run(&timetable, async |party| {
        let late = async {
            party.pause(4).await?;
            count(party, 9, 1).await
        };
        party.both(count(party, 1, 2), late).await
    });
    assert_eq!(heard[0], (vec![1, 2], vec![9]));
    assert_eq!(timetable.cost().flights(), 3);
    assert_eq!(
        run(&Rounds::none(), async |party| party.pause(7).await),
        [(), ()]
    );
}

#[test]
fn nothing_to_join_is_over_at_once() {
    let none = run(&Rounds::none(), async |party| {
        party
            .all(std::iter::empty::<std::future::Ready<Result<(), Error>>>())
            .await
    });
    assert_eq!(none, [vec![], vec![]]);
}

/// The next protocols go on in the very round for which the value is there, with what else is said in it.
#[test]
fn who_waits_has_a_value_between_the_same_two_rounds() {
    let timetable = counted(4).beside(counted(1).beside(counted(2)).delayed(3));
    assert_eq!(timetable.cost().flights(), 5);
    let ends = run(&timetable, async |party| {
        let later = Later::new();
        assert!(later.get().is_none());
        let sets = async {
            let mut heard = count(party, 1, 3).await?;
            later.set((party.round(), heard.clone()));
            heard.extend(count(party, 4, 1).await?);
            Ok(heard)
        };
        let waits = |first, rounds| {
            let (party, later) = (&party, later.clone());
            async move {
                let (round, value) = later.wait().await.clone();
                assert_eq!((round, party.round()), (3, 3));
                Ok::<_, Error>((value, count(party, first, rounds).await?))
            }
        };
        let waiting = party.both(waits(20, 1), waits(30, 2));
        let (heard, waited) = party.both(sets, waiting).await?;
        assert_eq!((party.round(), later.get().map(|x| x.0)), (5, Some(3)));
        Ok((heard, waited))
    });
    let value = vec![1, 2, 3];
    let waited = ((value.clone(), vec![20]), (value, vec![30, 31]));
    let expected = (vec![1, 2, 3, 4], waited);
    assert_eq!(ends, [expected.clone(), expected]);
}

/// One who comes before the one who sets it waits until after the next round, which it may leave all silent.
#[test]
fn a_value_that_is_set_after_the_one_who_waits() {
    for more in [0, 1] {
        let timetable = counted(1 + more).beside(counted(1).delayed(2));
        let ends = run(&timetable, async |party| {
            let later = Later::new();
            let waits = async {
                let first = *later.wait().await;
                assert_eq!((first, party.round()), (9, 2));
                count(party, first, 1).await
            };
            let sets = async {
                count(party, 1, 1).await?;
                later.set(9);
                count(party, 2, more).await
            };
            let heard = party.both(waits, sets).await?;
            assert_eq!(party.round(), 3);
            Ok(heard)
        });
        let sets = if more == 0 { vec![] } else { vec![2] };
        let expected = (vec![9], sets);
        assert_eq!(ends, [expected.clone(), expected]);
    }
}

/// Neither waiting for what is there nor handing it over takes a round.
#[test]
fn a_value_that_is_there_takes_no_round() {
    let _ = run(&Rounds::none(), async |party| {
        let later = Later::default();
        later.set(7);
        let waits = || async { Ok::<_, Error>(*later.wait().await) };
        assert_eq!(party.both(waits(), waits()).await?, (7, 7));
        assert_eq!((later.clone().get(), party.round()), (Some(&7), 0));
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a value is handed over once")]
fn a_value_that_is_handed_over_again_is_our_own_bug() {
    let later = Later::new();
    let same = later.clone();
    later.set(1);
    same.set(2);
}

/// A value that does not come, since the one who would set it fails: nobody waits for ever.
#[test]
fn who_waits_ends_with_the_one_who_fails() {
    let end = |s: &mut Session| {
        let outcome = s.run(async |party| {
            let later = Later::<u8>::new();
            let waits = async { Ok(*later.wait().await) };
            let fails = async {
                count(party, 1, 2).await?;
                Err::<(), _>(Mine::Refused)
            };
            party.both(waits, fails).await
        });
        assert!(matches!(outcome, Err(Mine::Refused)));
        assert!(s.is_dead());
    };
    run_sessions(1, end, end);
}

/// Inputs of the protocols that [`joined`] runs.
struct Inputs {
    b: [BitVec; 2],
    c: [BitVec; 2],
    x: [Vec<u64>; 2],
    y: [Vec<u64>; 2],
}

impl Inputs {
    fn new(n: usize, seed: u64) -> Self {
        let rng = &mut rng(seed);
        let mut fresh = || {
            let (b, x) = (bits(n, rng), values(rng, n, BITS));
            (share_bits(rng, &b), share(rng, &x, BITS))
        };
        let ((b, x), (c, y)) = (fresh(), fresh());
        Self { b, c, x, y }
    }
}

type Outputs = (BitVec, Vec<u64>, Vec<u64>, Vec<u64>);

/// Protocols of different lengths that draw in both directions, also when others are in the middle.
async fn joined(party: &Party<'_>, inputs: &Inputs) -> Result<Outputs, Error> {
    let role = party.role();
    let (b, c) = (own(role, &inputs.b), own(role, &inputs.c));
    let (x, y): (&[u64], &[u64]) = (own(role, &inputs.x), own(role, &inputs.y));
    let (b2a, mux, mul) = (B2a { bits: BITS }, Mux { bits: BITS }, Mul { bits: BITS });
    // Long and short, and one that waits for the bits of another one.
    let anded = Later::new();
    let number = async {
        let and = And.run(party, b, c).await?;
        anded.set(and.clone());
        Ok::<_, Error>((and, b2a.run(party, anded.wait().await).await?))
    };
    let selected = async { mux.run(party, anded.wait().await, x).await };
    let bits = party.both(number, selected);
    let (((and, number), selected), product) = party.both(bits, mul.run(party, x, y)).await?;
    Ok((and, selected, number, product))
}

fn joined_rounds(n: usize) -> Rounds {
    let (b2a, mux) = (B2a { bits: BITS }, Mux { bits: BITS });
    let anded = And.rounds(n).then(b2a.rounds(n).beside(mux.rounds(n)));
    anded.beside(Mul { bits: BITS }.rounds(n))
}

fn check(inputs: &Inputs, outputs: [Outputs; 2]) {
    let [b, c] = [&inputs.b, &inputs.c].map(clear_bits);
    let [x, y] = [&inputs.x, &inputs.y].map(|shares| clear(shares, BITS));
    let [(and_s, mux_s, b2a_s, mul_s), (and_c, mux_c, b2a_c, mul_c)] = outputs;
    let both = and(&b, &c);
    assert_eq!(clear_bits(&[and_s, and_c]), both);
    assert_eq!(clear(&[mux_s, mux_c], BITS), mux(&both, &x));
    assert_eq!(clear(&[b2a_s, b2a_c], BITS), b2a(&both));
    assert_eq!(clear(&[mul_s, mul_c], BITS), mul(&x, &y, BITS));
}

/// Runs it again and again on real pools over small pipes: a party that waited for a refill while the other one waits for
/// a message would end in a time-out.
fn on_real_pools(extension: &(dyn Extension + Sync), n: usize, times: usize, announced: bool) {
    let inputs = Inputs::new(n, 5);
    let line = Memory {
        capacity: 1 << 12,
        ..Memory::default()
    };
    let end = |connection: Connection| {
        let seed = [if connection.role().is_server() { 7 } else { 8 }; 32];
        let mut s = Session::establish(&connection, seed, extension).expect("set-up succeeds");
        let cost = joined_rounds(n).cost();
        if announced {
            s.reserve(cost.clone().repeat(times).cots);
        }
        let runs: Vec<Outputs> = (0..times)
            .map(|_| {
                s.mark();
                let outputs = s.run(async |party| joined(party, &inputs).await);
                let outputs = outputs.expect("an honest run succeeds");
                assert_eq!(s.measured(), cost);
                outputs
            })
            .collect();
        let [first, second] = s.refill_ledgers().map(|ledger| ledger.expect("a stream"));
        assert!(first.flights() > 0 && second.flights() > 0);
        runs
    };
    let (server, client) = run_over(line.pair(), end, end);
    for outputs in server.into_iter().zip(client) {
        check(&inputs, outputs.into());
    }
}

#[test]
fn pools_of_softspoken_refill_between_rounds() {
    on_real_pools(&SoftSpoken::new(4), 400, 4, false);
    on_real_pools(&SoftSpoken::new(2), 3000, 3, true);
}

/// Several rounds of silent OT in either direction.
#[test]
fn pools_of_silent_ot_refill_between_rounds() {
    on_real_pools(&Silent::new(SilentSet::Small), 30_000, 3, false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn joined_protocols_compute_the_same(n in 0_usize..300, seed: u64) {
        let inputs = Inputs::new(n, seed);
        let outputs = run(&joined_rounds(n), async |party| joined(party, &inputs).await);
        check(&inputs, outputs);
    }
}

/// A protocol on the stream itself goes between two rounds, while others wait for the end of theirs.
#[test]
fn alone_while_others_wait() {
    let inputs = Inputs::new(50, 3);
    let alone = Cost::exchange(1, 1).then(Cost::to_client(2));
    let talk = |s: &mut Session| {
        s.attempt(|s| {
            let mut bytes = [0; 2];
            if s.role().is_server() {
                s.channel().exchange(b"S", &mut bytes[..1])?;
                s.channel().send(b"OK")?;
            } else {
                s.channel().exchange(b"C", &mut bytes[..1])?;
                s.channel().recv(&mut bytes)?;
            }
            Ok::<_, Error>(bytes)
        })
    };
    let end = |s: &mut Session| {
        s.run(async |party| {
            let (apart, others) = (party.apart(), party.apart());
            let between = async {
                let before = count(&apart, 1, 1).await?;
                let said = apart.alone(talk)?;
                // A whole run inside of another one.
                let inner = apart.alone(|s| s.run(async |party| count(party, 5, 2).await))?;
                let after = count(&apart, 2, 1).await?;
                Ok((before, said, inner, after))
            };
            let (outputs, heard) = party.both(joined(&others, &inputs), between).await?;
            assert_eq!(party.spent(), Cost::none());
            Ok::<_, Error>((outputs, heard, apart.spent(), others.spent()))
        })
        .expect("an honest run succeeds")
    };
    let (server, client, measured) = run_sessions(1, end, end);
    for (end, said) in [(&server, *b"C\0"), (&client, *b"OK")] {
        let (_, heard, apart, others) = end;
        assert_eq!(*heard, (vec![1], said, vec![5, 6], vec![2]));
        let expected = counted(1).cost().then(alone.clone());
        let expected = expected.then(counted(3).cost());
        assert_eq!(*apart, expected);
        assert_eq!(*others, joined_rounds(50).cost());
        let all = apart.clone().then(others.clone());
        assert_eq!((all.bytes(), all.cots), (measured.bytes(), measured.cots));
    }
    check(&inputs, [server.0, client.0]);
}

/// The flights of a value are those of its rounds, with what is joined and without what others say.
#[test]
fn accounts_are_exact() {
    let inputs = Inputs::new(9, 3);
    let (mul, open) = (Mul { bits: BITS }, Open { bits: BITS });
    let opened = run(&mul.rounds(9).then(open.rounds(9)), async |party| {
        let x: &[u64] = own(party.role(), &inputs.x);
        let y = mul.run(party, x, x).await?;
        assert_eq!(party.spent(), mul.rounds(9).cost());
        open.run(party, &y).await
    });
    assert_eq!(opened[0], opened[1]);

    let end = |s: &mut Session| {
        let spent = s.run(async |party| {
            let (apart, x) = (party.apart(), own::<[u64], _>(party.role(), &inputs.x));
            let outputs = party.both(joined(party, &inputs), mul.run(&apart, x, x));
            outputs.await?;
            Ok::<_, Error>([party.spent(), apart.spent()])
        });
        let expected = [joined_rounds(9), mul.rounds(9)].map(|rounds| rounds.cost());
        assert_eq!(spent.expect("an honest run succeeds"), expected);
    };
    let (_, _, measured) = run_sessions(1, end, end);
    let all = joined_rounds(9).beside(mul.rounds(9));
    assert_eq!(measured, all.cost());
}

/// What goes on the stream itself comes before the round in the making.
#[test]
fn alone_is_accounted_before_the_round() {
    let wire = counted(1).then(Rounds::to_client(1)).then(counted(2));
    let heard = run(&wire, async |party| {
        let between = async {
            party.pause(1).await?;
            let mut byte = [7];
            party.alone(|s| match s.role() {
                Role::Server => s.attempt(|s| s.channel().send(&byte).map_err(Error::from)),
                Role::Client => s.attempt(|s| s.channel().recv(&mut byte).map_err(Error::from)),
            })?;
            Ok(byte[0])
        };
        party.both(count(party, 1, 3), between).await
    });
    assert_eq!(heard[1], (vec![1, 2, 3], 7));
}

#[derive(Debug)]
enum Mine {
    Refused,
    Sharing(Error),
}

impl From<Error> for Mine {
    fn from(error: Error) -> Self {
        Self::Sharing(error)
    }
}

#[test]
fn an_error_in_one_ends_all_and_kills_the_session() {
    let end = |s: &mut Session| {
        let rounds = Cell::new(0);
        let outcome = s.run(async |party| {
            let patient = async {
                loop {
                    party.exchange(vec![0], 1).await?;
                    rounds.set(rounds.get() + 1);
                }
            };
            let refuses = async {
                party.pause(3).await?;
                Err::<(), _>(Mine::Refused)
            };
            party.both::<(), (), Mine>(patient, refuses).await
        });
        assert!(matches!(outcome, Err(Mine::Refused)));
        assert_eq!(rounds.get(), 3);
        assert!(s.is_dead());
        let again: Result<(), Mine> = s.run(async |_| unreachable!("the session is dead"));
        assert!(matches!(again, Err(Mine::Sharing(Error::Dead))));
    };
    run_sessions(1, end, end);
}

#[test]
fn an_error_in_one_of_many_comes_first() {
    let end = |s: &mut Session| {
        let outcome = s.run(async |party| {
            let refuses = |after: usize| async move {
                party.pause(after).await?;
                if after == 2 {
                    Err(Mine::Refused)
                } else {
                    Ok(())
                }
            };
            party.all((0..9).map(refuses)).await
        });
        assert!(matches!(outcome, Err(Mine::Refused)));
    };
    run_sessions(1, end, end);
}

/// A peer that ends its part early: an error, though the others of this party would have more to say.
#[test]
fn a_peer_with_fewer_rounds() {
    for short in [Role::Server, Role::Client] {
        let memory = Memory {
            timeout: Duration::from_secs(5),
            ..Memory::default()
        };
        let end = |connection: Connection| {
            let mut s = ideal_session(&connection, 1);
            let rounds = if s.role() == short { 2 } else { 4 };
            let outcome = s.run(async |party| {
                party
                    .both(count(party, 1, rounds), count(party, 9, rounds))
                    .await
            });
            (outcome.is_ok(), s.is_dead())
        };
        let (server, client) = run_over(memory.pair(), end, end);
        let [short, long] = if short.is_server() {
            [server, client]
        } else {
            [client, server]
        };
        assert_eq!((short, long), ((true, false), (false, true)));
    }
}

/// A peer that says less or more than it should.
#[test]
fn a_peer_with_other_lengths() {
    for theirs in [0, 9, 11] {
        let memory = Memory {
            timeout: Duration::from_secs(5),
            ..Memory::default()
        };
        let (server, client) = run_over(
            memory.pair(),
            |connection| {
                let mut s = ideal_session(&connection, 1);
                s.run(async |party| party.both(party.recv(10), party.recv(10)).await)
            },
            |connection| {
                let mut s = ideal_session(&connection, 1);
                let said = vec![1; theirs];
                s.run(async |party| party.both(party.send(said.clone()), party.send(said)).await)
            },
        );
        assert!(client.is_ok());
        // Bytes too many stay on the stream: they are the next ones of a protocol that goes on.
        assert_eq!(server.is_ok(), theirs > 10, "{theirs}");
    }
}

/// Neither party can take all before it has said all.
#[test]
fn large_messages_in_both_directions() {
    const PART: usize = 16 << 20;
    let end = |s: &mut Session| {
        let own = if s.role().is_server() { 3 } else { 4 };
        let heard = s.run(async |party| {
            party
                .all((0..4).map(|i| party.exchange(vec![own + i; PART], PART)))
                .await
        });
        let heard = heard.expect("an honest run succeeds");
        (0..)
            .zip(&heard)
            .all(|(i, part)| part.len() == PART && part.iter().all(|&b| b == 7 - own + i))
    };
    let (server, client, cost) = run_sessions(1, end, end);
    assert!(server && client);
    assert_eq!(cost, Cost::exchange(4 * PART as u64, 4 * PART as u64));
}

/// A round that others do not wait for, as when a protocol is polled by hand.
#[test]
#[should_panic(expected = "polled once in each round")]
fn a_round_that_is_left_out_is_our_own_bug() {
    let end = |s: &mut Session| {
        let _ = s.run(async |party| {
            let mut neglected = Box::pin(count(party, 1, 1));
            let mut turns = 0;
            std::future::poll_fn(|context| {
                turns += 1;
                // Not in the second round.
                if turns == 2 {
                    return std::task::Poll::Pending;
                }
                neglected.as_mut().poll(context)
            })
            .await
        });
    };
    run_sessions(1, end, end);
}

#[test]
fn it_prints_no_secrets() {
    let printed = run(&Rounds::none(), async |party| Ok(format!("{party:?}")));
    assert_eq!(printed[0], "Party { role: Server, .. }");
    let later = Later::new();
    assert_eq!(format!("{later:?}"), "Later { is_there: false }");
    later.set(vec![1, 2, 3]);
    assert_eq!(format!("{later:?}"), "Later { is_there: true }");
}
