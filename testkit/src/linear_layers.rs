//! One test for all ways to compute a linear layer.

use std::time::Duration;

use channel::{Cost, Memory, ONLINE, Role, Way};
use linear::{
    AheadProtocol, ConvSpec, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    LinearShape, Prepared, Refusal,
};
use proptest::prelude::*;
use rand_core::Rng;
use ring_arith::Bits;
use sharing::{Session, default_extension};

use crate::parties::line;
use crate::{
    Harm, Mangle, Transcript, elements, ideal_session, memory_pair_mangled, reconstruct, rng,
    run_over, run_sessions, run_sessions_over, run_sessions_real, share,
};

/// How long a party waits for a peer whose line was harmed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a party waits that should not wait at all.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// From this ring on, two independent shares are never equal by chance.
const NEVER_EQUAL: u32 = 40;

/// Linear layers of all kinds: dense, grouped and depthwise, strided, padded and dilated convolutions,
/// and fully connected layers; weights of 1 to 32 bits, rings of 1 to 64.
pub fn any_linear_layer() -> impl Strategy<Value = LinearLayer> {
    let connected = (0_usize..20, 0_usize..12)
        .prop_map(|(inputs, outputs)| LinearShape::FullyConnected { inputs, outputs });
    let shape = prop_oneof![
        3 => any_conv().prop_map(LinearShape::Conv),
        1 => connected,
    ];
    let weight_bits = prop_oneof![Just(1), Just(2), 3_u32..=31, Just(32)];
    let bits = prop_oneof![Just(1), 2_u32..=30, 31_u32..=34, 35_u32..=63, Just(64)];
    (shape, weight_bits, bits).prop_map(|(shape, weight_bits, bits)| LinearLayer {
        shape,
        weight_bits: Bits::of(weight_bits),
        bits: Bits::of(bits),
    })
}

/// Convolutions of all kinds.
pub fn any_conv() -> impl Strategy<Value = ConvSpec> {
    // With few and many outputs of a group, which may be computed in different ways.
    let shape = (1_usize..4, 1_usize..4, 1_usize..6, 1_usize..9, 1_usize..9);
    // Often no steps between outputs or under the kernel, as some algorithms take no others.
    let steps = || prop_oneof![Just([1_usize; 2]), [1_usize..4, 1..4]];
    let kernel = prop_oneof![Just([3_usize; 2]), [1_usize..6, 1..6]];
    let window = (kernel, steps(), steps(), [0_usize..4, 0..4, 0..4, 0..4]);
    (shape, window).prop_filter_map("the kernel fits", |((g, c, m, h, w), window)| {
        let (kernel, stride, dilation, padding) = window;
        let spec = ConvSpec::new([g * c, g * m], [h, w], kernel, stride, padding, g);
        spec.and_then(|spec| spec.dilated(dilation)).ok()
    })
}

/// `W·x` mod 2^64, straight from the definition of [`ConvSpec`] and of the matrix product.
///
/// # Panics
/// If there are fewer weights or inputs than the shape has.
#[must_use]
pub fn linear_reference(shape: &LinearShape, weights: &[i32], x: &[u64]) -> Vec<u64> {
    let product = |weight: usize, input: usize| {
        let weight = i64::from(weights[weight]).cast_unsigned();
        weight.wrapping_mul(x[input])
    };
    let sum = |products: &mut dyn Iterator<Item = u64>| products.fold(0, u64::wrapping_add);
    let spec = match shape {
        &LinearShape::FullyConnected { inputs, outputs } => {
            let row = |o| sum(&mut (0..inputs).map(|i| product(o * inputs + i, i)));
            return (0..outputs).map(row).collect();
        }
        LinearShape::Conv(spec) => spec,
    };
    let [_, height, width] = spec.input_shape();
    let [outputs, rows, columns] = spec.output_shape();
    let [_, channels, kernel_rows, kernel_columns] = spec.weight_shape();
    let taps = channels * kernel_rows * kernel_columns;
    // Where kernel position `k` of output position `o` lies in the input, if it is not padding.
    let place = |axis: usize, size: usize, o: usize, k: usize| {
        let padded = o * spec.stride()[axis] + k * spec.dilation()[axis];
        let place = padded.checked_sub(spec.padding()[axis])?;
        (place < size).then_some(place)
    };
    let output = |index: usize| {
        let (o, i, j) = (
            index / (rows * columns),
            index / columns % rows,
            index % columns,
        );
        let first = o / (outputs / spec.groups()) * channels;
        sum(&mut (0..taps).filter_map(|tap| {
            let (c, r, s) = (
                tap / (kernel_rows * kernel_columns),
                tap / kernel_columns % kernel_rows,
                tap % kernel_columns,
            );
            let (y, x) = (place(0, height, i, r)?, place(1, width, j, s)?);
            Some(product(
                o * taps + tap,
                ((first + c) * height + y) * width + x,
            ))
        }))
    };
    (0..outputs * rows * columns).map(output).collect()
}

/// Checks what [`LinearAlgorithm`] and [`LinearProtocol`] promise, on one layer with random weights,
/// biases and inputs that come from `seed`. Returns the cost of a run.
///
/// Planning is repeatable. What the protocol needs in a session is made at the cost that was predicted. Runs
/// give the layer's integers, but for the noise of an algorithm that has one, at the cost that was predicted, as often
/// as wanted with weights prepared once. Wrong numbers of parameters or inputs, weights beyond their
/// width, and a line that is cut give errors, after which the session refuses to go on. A peer that
/// says something else cannot cause a panic, nor shares outside of their ring. If there is a phase
/// ahead of the input, it gives the same integers, for one image and for several together.
///
/// # Errors
/// Why the algorithm refuses the layer; the caller knows which layers it is for, and compares.
///
/// # Panics
/// If a promise is broken.
pub fn check_linear(
    algorithm: &dyn LinearAlgorithm,
    layer: &LinearLayer,
    seed: u64,
) -> Result<Cost, Refusal> {
    let protocol = plan(algorithm, layer)?;
    let case = Case::new(algorithm, protocol.as_ref(), seed);
    case.check_set_up();
    case.check_runs(|server, client| run_sessions(seed, server, client));
    case.refuses_wrong_parameters();
    case.refuses_wrong_inputs();
    for from in [Role::Server, Role::Client] {
        case.survives_harm(from);
    }
    if let Some(ahead) = protocol.ahead() {
        case.check_ahead(ahead, 1);
        case.check_ahead(ahead, 3);
    }
    Ok(protocol.cost())
}

/// The runs of [`check_linear`] with real correlated OTs.
///
/// # Panics
/// If the algorithm refuses the layer, or a promise is broken.
pub fn check_linear_real(algorithm: &dyn LinearAlgorithm, layer: &LinearLayer, seed: u64) {
    let protocol = plan(algorithm, layer).expect("the layer is for the algorithm");
    let case = Case::new(algorithm, protocol.as_ref(), seed);
    case.check_runs(|server, client| run_sessions_real(seed, default_extension(), server, client));
}

/// What the server and the client say in a run with fixed seeds, by digest, for baselines.
///
/// # Panics
/// If the algorithm refuses the layer, or the run fails.
#[must_use]
pub fn linear_transcript(algorithm: &dyn LinearAlgorithm, layer: &LinearLayer) -> [String; 2] {
    let protocol = plan(algorithm, layer).expect("the layer is for the algorithm");
    let shape = &layer.shape;
    let parameters = LayerParameters {
        weights: &weights(shape.weight_len(), layer.weight_bits, &mut rng(1)),
        bias: &vec![0; shape.channels()],
    };
    let prepared = protocol.prepare(parameters).expect("the layer's");
    let [server, client] = [2, 3].map(|n| elements(shape.input_len(), layer.bits, &mut rng(n)));
    let transcript = Transcript::new();
    let protocol = protocol.as_ref();
    run_sessions_over(
        &transcript.line(),
        1,
        |s| {
            set_up(protocol, s).expect("the set-up succeeds");
            let y = serve(protocol, s, parameters, &prepared, &server);
            drop(y.expect("the server succeeds"));
        },
        |s| {
            set_up(protocol, s).expect("the set-up succeeds");
            let y = request(protocol, s, &client);
            drop(y.expect("the client succeeds"));
        },
    );
    [Role::Server, Role::Client].map(|role| transcript.digest(role))
}

/// Plans as both parties do, each for itself.
fn plan(
    algorithm: &dyn LinearAlgorithm,
    layer: &LinearLayer,
) -> Result<Box<dyn LinearProtocol>, Refusal> {
    let name = algorithm.name();
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let short = (1..=64).contains(&name.len());
    assert!(short && name.bytes().all(plain), "the name {name}");
    let (at_server, at_client) = match (algorithm.plan(layer), algorithm.plan(layer)) {
        (Ok(server), Ok(client)) => (server, client),
        (Err(server), Err(client)) => {
            assert_eq!(server, client, "{name}: reasons differ");
            assert!(!server.to_string().is_empty(), "{name}: no reason");
            return Err(server);
        }
        _ => panic!("{name} takes {layer:?} only sometimes"),
    };
    assert_eq!(at_server.timing(), at_client.timing(), "{name}");
    assert_eq!(at_server.timing().cost(), at_server.cost(), "{name}");
    assert_eq!(
        items(at_server.as_ref()),
        items(at_client.as_ref()),
        "{name}"
    );
    assert_eq!(at_server.work(), at_client.work(), "{name}");
    for protocol in [&at_server, &at_client] {
        assert_eq!(protocol.name(), name);
        assert_eq!(protocol.layer(), layer);
        let bits = layer.bits.get() + algorithm.guard_bits();
        assert_eq!(protocol.output_bits().get(), bits, "{name}: guard bits");
    }
    Ok(at_server)
}

/// The names and costs of what a protocol needs in a session.
fn items(protocol: &dyn LinearProtocol) -> Vec<(String, Cost)> {
    let items = protocol.set_up().into_iter();
    items.map(|item| (item.name(), item.cost())).collect()
}

/// Makes what a protocol needs in a session.
fn set_up(protocol: &dyn LinearProtocol, session: &mut Session) -> Result<(), Error> {
    for item in protocol.set_up() {
        if !item.is_done(session) {
            item.run(session)?;
        }
    }
    Ok(())
}

/// The server's side of a run by itself.
fn serve(
    protocol: &dyn LinearProtocol,
    session: &mut Session,
    parameters: LayerParameters<'_>,
    prepared: &Prepared,
    x: &[u64],
) -> Result<Vec<u64>, Error> {
    session.run(async |party| protocol.serve(party, parameters, prepared, x).await)
}

/// The client's side of a run by itself.
fn request(
    protocol: &dyn LinearProtocol,
    session: &mut Session,
    x: &[u64],
) -> Result<Vec<u64>, Error> {
    session.run(async |party| protocol.request(party, x).await)
}

/// A protocol with secrets of both parties.
struct Case<'a> {
    protocol: &'a dyn LinearProtocol,
    guard: u32,
    noisy: bool,
    seed: u64,
    weights: Vec<i32>,
    /// One for each channel, and one for each output.
    biases: [Vec<i64>; 2],
    inputs: [Input; 3],
}

/// An input and the parties' shares of it.
struct Input {
    x: Vec<u64>,
    server: Vec<u64>,
    client: Vec<u64>,
}

/// What both parties return from three runs, and the cost.
type Runs = (Vec<Vec<u64>>, Vec<Vec<u64>>, Cost);

/// One party's three runs.
type Party<'p> = &'p (dyn Fn(&mut Session) -> Vec<Vec<u64>> + Sync);

impl<'a> Case<'a> {
    fn new(algorithm: &dyn LinearAlgorithm, protocol: &'a dyn LinearProtocol, seed: u64) -> Self {
        let layer = protocol.layer();
        let (shape, bits) = (layer.shape, layer.bits);
        let mut rng = rng(seed);
        let weights = weights(shape.weight_len(), layer.weight_bits, &mut rng);
        let mut bias = |n| {
            let values = elements(n, Bits::of(64), &mut rng);
            values.into_iter().map(u64::cast_signed).collect()
        };
        let biases = [bias(shape.channels()), bias(shape.output_len())];
        let mut input = || {
            let x = elements(shape.input_len(), bits, &mut rng);
            let (server, client) = share(&x, bits, &mut rng);
            Input { x, server, client }
        };
        Self {
            inputs: [input(), input(), input()],
            protocol,
            guard: algorithm.guard_bits(),
            noisy: algorithm.noisy(),
            seed,
            weights,
            biases,
        }
    }

    fn parameters(&self, bias: usize) -> LayerParameters<'_> {
        LayerParameters {
            weights: &self.weights,
            bias: &self.biases[bias],
        }
    }

    /// 2^g·(W·x + b) mod 2^(l+g).
    fn expected(&self, input: usize, bias: usize) -> Vec<u64> {
        let shape = &self.protocol.layer().shape;
        let y = linear_reference(shape, &self.weights, &self.inputs[input].x);
        let bias = &self.biases[bias];
        let each = y.len() / bias.len().max(1);
        let bias = bias.iter().flat_map(|&b| std::iter::repeat_n(b, each));
        y.iter()
            .zip(bias)
            .map(|(y, b)| y.wrapping_add(b.cast_unsigned()) << self.guard)
            .map(|y| self.protocol.output_bits().reduce(y))
            .collect()
    }

    fn assert_result(&self, input: usize, bias: usize, server: &[u64], client: &[u64]) {
        let bits = self.protocol.output_bits();
        assert_canonical(server, bits);
        assert_canonical(client, bits);
        let mut y = reconstruct(server, client, bits);
        if self.noisy {
            let noise = Bits::new(self.guard).map_or(0, Bits::mask);
            y.iter_mut().for_each(|y| *y &= !noise);
        }
        assert_eq!(
            y,
            self.expected(input, bias),
            "another result: {:?}",
            self.protocol
        );
    }

    /// Every item once, at its cost, and not a second time.
    fn check_set_up(&self) {
        let names: Vec<String> = items(self.protocol)
            .into_iter()
            .map(|item| item.0)
            .collect();
        for (number, name) in names.iter().enumerate() {
            let again = names[..number].contains(name);
            assert!(!name.is_empty() && !again, "the name {name:?} of an item");
        }
        let party = |s: &mut Session| {
            for item in self.protocol.set_up() {
                assert!(!item.is_done(s), "done before it was made: {item:?}");
                s.mark();
                item.run(s).expect("the set-up succeeds");
                assert_eq!(s.measured(), item.cost(), "another cost: {item:?}");
                assert!(item.is_done(s), "not done when it was made: {item:?}");
            }
            for item in self.protocol.set_up() {
                assert!(item.is_done(s), "not done any more: {item:?}");
            }
            // The other party may end before it has heard this: that is well.
            let over = s.run(async |party| party.exchange(vec![0], 1).await);
            drop(over);
            s.kill();
            for item in self.protocol.set_up() {
                assert!(!item.is_done(s), "kept by a session that ended: {item:?}");
            }
            s.mark();
        };
        run_sessions(self.seed, party, party);
    }

    /// Makes what a run needs and begins to measure.
    fn ready(&self, session: &mut Session) {
        set_up(self.protocol, session).expect("the set-up succeeds");
        session.mark();
    }

    /// The same input twice with weights prepared once, then another one with a bias for each output.
    fn check_runs(&self, sessions: impl FnOnce(Party<'_>, Party<'_>) -> Runs) {
        let runs = [(0, 0), (0, 0), (1, 1)];
        let prepared = [0, 1].map(|bias| {
            let prepared = self.protocol.prepare(self.parameters(bias));
            prepared.expect("the parameters are the layer's")
        });
        let server = |s: &mut Session| -> Vec<Vec<u64>> {
            self.ready(s);
            let run = |(input, bias): (usize, usize)| {
                let x = &self.inputs[input].server;
                let y = serve(self.protocol, s, self.parameters(bias), &prepared[bias], x);
                y.expect("the server succeeds")
            };
            runs.map(run).into()
        };
        let client = |s: &mut Session| -> Vec<Vec<u64>> {
            self.ready(s);
            let run = |(input, _): (usize, usize)| {
                let y = request(self.protocol, s, &self.inputs[input].client);
                y.expect("the client succeeds")
            };
            runs.map(run).into()
        };
        let (server, client, measured) = sessions(&server, &client);
        for ((server, client), (input, bias)) in server.iter().zip(&client).zip(runs) {
            self.assert_result(input, bias, server, client);
        }
        let predicted = self.protocol.cost().repeat(runs.len());
        assert_eq!(measured, predicted, "another cost: {:?}", self.protocol);
        if self.says_much() {
            assert_ne!(client[0], client[1], "the shares are not fresh");
        }
    }

    fn refuses_wrong_parameters(&self) {
        let good = self.protocol.prepare(self.parameters(0));
        let good = good.expect("the parameters are the layer's");
        let [channels, outputs] = [0, 1].map(|bias| self.biases[bias].len());
        let mut wrong = vec![
            (self.weights.len() + 1, channels),
            (self.weights.len(), outputs + 1),
        ];
        wrong.extend(self.weights.len().checked_sub(1).map(|n| (n, channels)));
        wrong.extend((channels > 0).then_some((self.weights.len(), 0)));
        for (weights, biases) in wrong {
            let (weights, bias) = (&vec![0; weights], &vec![0; biases]);
            let parameters = LayerParameters { weights, bias };
            let prepared = self.protocol.prepare(parameters);
            let counted = |error: &Error| matches!(error, Error::Parameters { .. });
            let refused = prepared.as_ref().is_err_and(counted);
            assert!(refused, "prepares {parameters:?}: {prepared:?}");
            let x = &self.inputs[0].server;
            self.dies_silently(Role::Server, counted, |s| {
                serve(self.protocol, s, parameters, &good, x)
            });
        }
        let bits = self.protocol.layer().weight_bits;
        let Some(at) = self.weights.len().checked_sub(1) else {
            return;
        };
        let beyond = [bits.max_signed() + 1, bits.min_signed() - 1];
        for beyond in beyond.into_iter().flat_map(i32::try_from) {
            let mut weights = self.weights.clone();
            weights[at] = beyond;
            let parameters = LayerParameters {
                weights: &weights,
                ..self.parameters(0)
            };
            let prepared = self.protocol.prepare(parameters);
            let noticed =
                |error: &Error| matches!(error, Error::WeightRange { index, .. } if *index == at);
            let refused = prepared.as_ref().is_err_and(noticed);
            assert!(refused, "prepares weights of {beyond}: {prepared:?}");
            let x = &self.inputs[0].server;
            self.dies_silently(Role::Server, noticed, |s| {
                serve(self.protocol, s, parameters, &good, x)
            });
        }
    }

    fn refuses_wrong_inputs(&self) {
        let prepared = self.protocol.prepare(self.parameters(0));
        let prepared = prepared.expect("the parameters are the layer's");
        let right = self.protocol.layer().shape.input_len();
        for wrong in [right.checked_sub(1), Some(right + 1)]
            .into_iter()
            .flatten()
        {
            let x = vec![0; wrong];
            let counted = |error: &Error| matches!(error, Error::Inputs { .. });
            self.dies_silently(Role::Server, counted, |s| {
                let parameters = self.parameters(0);
                serve(self.protocol, s, parameters, &prepared, &x)
            });
            self.dies_silently(Role::Client, counted, |s| request(self.protocol, s, &x));
        }
    }

    /// Asserts that a step fails as expected before it says a word, and that the session then refuses to
    /// go on.
    fn dies_silently(
        &self,
        role: Role,
        expected: impl Fn(&Error) -> bool,
        step: impl FnOnce(&mut Session) -> Result<Vec<u64>, Error>,
    ) {
        let timeout = IMPATIENCE;
        let (at_server, at_client) = Memory { timeout, ..line() }.pair();
        let connection = match role {
            Role::Server => &at_server,
            Role::Client => &at_client,
        };
        let mut session = ideal_session(connection, self.seed);
        let y = step(&mut session);
        let refused = y.as_ref().is_err_and(expected);
        assert!(refused, "{role:?} serves: {y:?}, {:?}", self.protocol);
        assert_eq!(session.measured(), Cost::none(), "{role:?} spoke");
        self.assert_dead(&mut session);
    }

    /// Asserts that a session goes on with nothing.
    fn assert_dead(&self, session: &mut Session) {
        assert!(session.is_dead(), "not dead after an error: {session:?}");
        let outcome = self.run(session);
        assert!(outcome.is_err(), "{session:?} goes on: {:?}", self.protocol);
    }

    /// The set-up and one run of the party that the session is of.
    fn run(&self, session: &mut Session) -> Result<Vec<u64>, Error> {
        set_up(self.protocol, session)?;
        let input = &self.inputs[0];
        if session.role() == Role::Client {
            return request(self.protocol, session, &input.client);
        }
        let parameters = self.parameters(0);
        let prepared = self.protocol.prepare(parameters)?;
        serve(self.protocol, session, parameters, &prepared, &input.server)
    }

    /// Cuts what a party says, at its start, its end and in between; and changes a byte of it.
    fn survives_harm(&self, from: Role) {
        let set_up = items(self.protocol).into_iter().map(|item| item.1);
        let cost = set_up.sum::<Cost>().then(self.protocol.cost());
        let bytes = match from {
            Role::Server => cost.bytes_to_client(),
            Role::Client => cost.bytes_to_server(),
        };
        let Some(last) = bytes.checked_sub(1) else {
            return;
        };
        let mut rng = rng(self.seed ^ bytes);
        let mut any = || rng.next_u64() % bytes;
        for at in [0, any(), last] {
            let fails = self.harmed(from, at, Harm::Cut);
            let victim = fails[usize::from(from.is_server())];
            assert!(victim, "{from:?} was cut at {at}: {:?}", self.protocol);
        }
        self.harmed(from, any(), Harm::Flip(0x55));
    }

    /// A run over a line that harms what one party says: whether the server and the client failed.
    fn harmed(&self, from: Role, at: u64, harm: Harm) -> [bool; 2] {
        let stream = ONLINE;
        let way = Way { stream, from };
        let line = memory_pair_mangled(Mangle { way, at, harm }, PATIENCE);
        let party = |connection: channel::Connection| {
            let mut session = ideal_session(&connection, self.seed);
            let y = self.run(&mut session);
            match &y {
                Ok(y) => {
                    assert_eq!(y.len(), self.protocol.layer().shape.output_len());
                    assert_canonical(y, self.protocol.output_bits());
                }
                Err(_) => self.assert_dead(&mut session),
            }
            y.is_err()
        };
        run_over(line, party, party).into()
    }

    /// Images of which the parties have no share yet in the phase ahead.
    fn check_ahead(&self, ahead: &dyn AheadProtocol, images: usize) {
        let bits = self.protocol.layer().bits;
        let inputs = &self.inputs[..images];
        let parameters = self.parameters(1);
        let prepared = self.protocol.prepare(parameters);
        let prepared = prepared.expect("the parameters are the layer's");
        let (server, client, measured) = run_sessions(
            self.seed,
            |s| {
                self.ready(s);
                let early = async |party: &sharing::Party<'_>| {
                    let early = ahead.serve_ahead(party, parameters, &prepared, images);
                    early.await
                };
                let early = s.run(early).expect("the server succeeds ahead");
                assert_eq!(s.measured(), ahead.ahead_rounds(images).cost(), "ahead");
                let online = inputs.iter().zip(&early).map(|(input, early)| {
                    let x = &input.server;
                    let y =
                        s.run(async |party| ahead.serve_online(party, parameters, early, x).await);
                    y.expect("the server succeeds")
                });
                online.collect::<Vec<_>>()
            },
            |s| {
                self.ready(s);
                let mut draw = || elements(self.inputs[0].x.len(), bits, s.rng());
                let r: Vec<Vec<u64>> = (0..images).map(|_| draw()).collect();
                let early = s.run(async |party| ahead.request_ahead(party, &r).await);
                let early = early.expect("the client succeeds ahead");
                let online = inputs.iter().zip(r.iter().zip(&early));
                let online = online.map(|(input, (r, early))| {
                    let x = &input.client;
                    let y = s.run(async |party| ahead.request_online(party, r, early, x).await);
                    y.expect("the client succeeds")
                });
                online.collect::<Vec<_>>()
            },
        );
        assert_eq!([server.len(), client.len()], [images; 2]);
        for (input, (server, client)) in server.iter().zip(&client).enumerate() {
            self.assert_result(input, 1, server, client);
        }
        let online = ahead.online_rounds().cost().repeat(images);
        let predicted = ahead.ahead_rounds(images).cost().then(online);
        assert_eq!(measured, predicted, "another cost: {:?}", self.protocol);
        if images > 1 && self.says_much() {
            assert_ne!(client[0], client[1], "the shares are not fresh");
        }
    }

    /// Whether two independent shares of the result are never equal by chance.
    fn says_much(&self) -> bool {
        let layer = self.protocol.layer();
        self.protocol.output_bits().get() >= NEVER_EQUAL && layer.shape.macs() > 0
    }
}

/// Weights of `bits` bits, the extreme ones often among them.
///
/// # Panics
/// If `bits` is more than 32.
pub fn weights(n: usize, bits: Bits, rng: &mut impl Rng) -> Vec<i32> {
    let mut draw = || match rng.next_u64() % 8 {
        0 => bits.min_signed(),
        1 => bits.max_signed(),
        _ => bits.to_signed(rng.next_u64()),
    };
    let narrow = |w| i32::try_from(w).expect("weights have at most 32 bits");
    (0..n).map(|_| narrow(draw())).collect()
}

fn assert_canonical(share: &[u64], bits: Bits) {
    let canonical = share.iter().all(|&y| y <= bits.mask());
    assert!(canonical, "a share is not reduced to {} bits", bits.get());
}
