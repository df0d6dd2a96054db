//! Wrong operands, and peers that vanish or say something else.

use std::time::Duration;

use channel::{Cost, Memory, ONLINE, Role, Way};
use linear::{Error, LayerParameters};
use rand_core::Rng;
use sharing::Session;

use super::runs::{items, request, serve, set_up};
use super::{Case, assert_canonical};
use crate::parties::line;
use crate::{Harm, Mangle, ideal_session, memory_pair_mangled, rng, run_over};

/// How long a party waits for a peer whose line was harmed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a party waits that should not wait at all.
const IMPATIENCE: Duration = Duration::from_millis(500);

impl Case<'_> {
    pub(super) fn refuses_wrong_parameters(&self) {
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

    pub(super) fn refuses_wrong_inputs(&self) {
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
    pub(super) fn survives_harm(&self, from: Role) {
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
}
