//! One test for all ways to compute a linear layer.

mod ahead;
mod layers;
mod refusals;
mod runs;

use channel::{Cost, Role};
use linear::{LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, Refusal};
use ring_arith::Bits;
use sharing::{Session, default_extension};

use crate::{
    Transcript, elements, reconstruct, rng, run_sessions, run_sessions_over, run_sessions_real,
    share,
};
pub use layers::{any_conv, any_linear_layer, linear_reference, weights};
use runs::{items, request, serve, set_up};

/// From this ring on, two independent shares are never equal by chance.
const NEVER_EQUAL: u32 = 40;

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

    /// Whether two independent shares of the result are never equal by chance.
    fn says_much(&self) -> bool {
        let layer = self.protocol.layer();
        self.protocol.output_bits().get() >= NEVER_EQUAL && layer.shape.macs() > 0
    }
}

fn assert_canonical(share: &[u64], bits: Bits) {
    let canonical = share.iter().all(|&y| y <= bits.mask());
    assert!(canonical, "a share is not reduced to {} bits", bits.get());
}
