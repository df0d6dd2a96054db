//! The phase ahead of the inputs.

use std::ops::Range;
use std::time::Instant;

use channel::{Cost, Cots, Role};
use linear::LinearProtocol;
use ring_arith::{Bits, pack, packed_len, unpack};
use sharing::{Party, Prg, Session};
use zeroize::Zeroizing;

use crate::executor::SecureNetwork;
use crate::report::Progress;
use crate::step::{Step, ahead_of};
use crate::weights::ServerWeights;
use crate::{Error, windows};

/// What the phase ahead leaves at one party for one image, for one run. A run takes it by value: were it used twice, the server
/// would learn the difference of two inputs of a layer. It erases itself on drop, and `Debug` prints no secret.
pub struct Ahead {
    role: Role,
    /// The client's: r of each layer comes from it.
    seed: Zeroizing<[u8; 32]>,
    /// For each layer this party's share, packed.
    shares: Vec<Zeroizing<Vec<u8>>>,
}

/// What a phase ahead took.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct AheadReport {
    /// Its images.
    pub images: usize,
    /// Its traffic and correlations.
    pub cost: Cost,
    /// What the session needed before it, [`SecureNetwork::set_up_cost`] where nothing had been made.
    pub set_up: Cost,
    /// Seconds of this party, those of the set-up included.
    pub seconds: f64,
}

impl Ahead {
    /// What a network without layers that run ahead has of it.
    pub(crate) fn nothing(role: Role) -> Self {
        Self::new(role, Zeroizing::default())
    }

    fn new(role: Role, seed: Zeroizing<[u8; 32]>) -> Self {
        Self::with(role, seed, Vec::new())
    }

    /// What was kept of it, with packed shares of all layers.
    pub(crate) const fn with(
        role: Role,
        seed: Zeroizing<[u8; 32]>,
        shares: Vec<Zeroizing<Vec<u8>>>,
    ) -> Self {
        Self { role, seed, shares }
    }

    /// Appends the seed and the packed shares.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&*self.seed);
        let shares = self.shares.iter();
        shares.for_each(|share| out.extend_from_slice(share));
    }

    /// Asserts that it fits a run.
    pub(crate) fn check(&self, role: Role, layers: usize) {
        assert_eq!(
            self.role, role,
            "what the phase ahead left at the other party"
        );
        let left = self.shares.len();
        assert_eq!(left, layers, "what the phase ahead of another network left");
    }

    /// This party's share of layer number `place`.
    pub(crate) fn share(&self, place: usize, step: &dyn LinearProtocol) -> Zeroizing<Vec<u64>> {
        let mut share = Zeroizing::new(vec![0; step.layer().shape.output_len()]);
        unpack(&self.shares[place], step.output_bits(), &mut share);
        share
    }

    /// The client's r for layer number `place`.
    pub(crate) fn r(&self, place: usize, step: &dyn LinearProtocol) -> Zeroizing<Vec<u64>> {
        Zeroizing::new(self.draw(place, step))
    }

    fn draw(&self, place: usize, step: &dyn LinearProtocol) -> Vec<u64> {
        let layer = step.layer();
        Prg::child(&self.seed, place as u64).elements(layer.shape.input_len(), layer.bits)
    }

    fn keep(&mut self, share: Vec<u64>, bits: Bits) {
        let share = Zeroizing::new(share);
        let mut packed = Zeroizing::new(vec![0; packed_len(share.len(), bits)]);
        pack(&share, bits, &mut packed);
        self.shares.push(packed);
    }
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead")
            .field("role", &self.role)
            .field("layers", &self.shares.len())
            .finish_non_exhaustive()
    }
}

/// What the phase ahead of a network takes.
impl SecureNetwork {
    /// Whether layers run ahead of the inputs: whether the network was [planned so](SecureNetwork::ahead), and some layers can.
    #[must_use]
    pub const fn runs_ahead(&self) -> bool {
        !self.online.is_empty()
    }

    /// Whether some layers could run ahead of the inputs: whether the same network [planned so](SecureNetwork::ahead) would run another way.
    #[must_use]
    pub fn can_run_ahead(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Linear(step) | Step::Online(step) => step.ahead().is_some(),
            _ => false,
        })
    }

    /// The most images that one phase ahead may be for, so that what it leaves behind stays within 256 MiB, and what is said of each layer as
    /// well; at least one. Both parties have the same.
    #[must_use]
    pub fn ahead_images(&self) -> usize {
        let left = |step: &dyn LinearProtocol| {
            packed_len(step.layer().shape.output_len(), step.output_bits()) as u64
        };
        let said = |step| ahead_of(step).ahead_rounds(1).cost().bytes();
        let left = self.online_steps().map(left).sum::<u64>();
        let most_said = self.online_steps().map(said).max();
        windows::images(left.max(most_said.unwrap_or(0)))
    }

    /// The exact cost of a phase ahead for some images.
    #[must_use]
    pub fn ahead_cost(&self, images: usize) -> Cost {
        let mut cost = Cost::none();
        for window in self.windows(images) {
            let layers = self.online_steps().skip(window.start).take(window.len());
            let rounds = layers.map(|step| ahead_of(step).ahead_rounds(images));
            let together = rounds.reduce(sharing::Rounds::beside);
            cost.extend(together.map(|rounds| rounds.cost()));
        }
        cost
    }

    /// The bytes and correlations of the phases ahead of some runs in one session: as few phases as
    /// [`SecureNetwork::ahead_images`] allows, all but the last for as many images.
    #[must_use]
    pub fn ahead_total(&self, runs: u64) -> (u64, Cots) {
        if !self.runs_ahead() {
            return (0, Cots::default());
        }
        let most = self.ahead_images() as u64;
        let phases = [(most, runs / most), (runs % most, 1)];
        let phases = phases
            .into_iter()
            .filter(|&(images, times)| images.min(times) > 0);
        phases.fold(
            (0, Cots::default()),
            |(bytes, cots): (u64, Cots), (images, times)| {
                let cost = self.ahead_cost(usize::try_from(images).unwrap_or(usize::MAX));
                (
                    bytes.saturating_add(cost.bytes().saturating_mul(times)),
                    cots.plus(cost.cots.times(times)),
                )
            },
        )
    }

    /// The server's side of a phase ahead for some images: what it leaves for each of them, in order. `progress` is told before
    /// each message of the server's.
    ///
    /// # Errors
    /// As [`SecureNetwork::serve`].
    ///
    /// # Panics
    /// If the session is the client's, or has another price of correlations than the plan.
    pub fn serve_ahead(
        &self,
        session: &mut Session,
        weights: &ServerWeights,
        images: usize,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<Ahead>, AheadReport), Error> {
        assert_eq!(session.role(), Role::Server, "the server serves");
        weights.weights().check(self.graph())?;
        let left = (0..images).map(|_| Ahead::nothing(Role::Server)).collect();
        self.phase(session, left, progress, async |party, window, _| {
            let nodes = self.online[window].iter().map(|&node| async move {
                let step = self.online_step(node);
                let layer = self.spread.origins[node].node;
                let prepared = weights.prepared(layer, step)?;
                let parameters = weights.parameters(layer);
                let ahead = ahead_of(step);
                let shares = ahead.serve_ahead(party, parameters, &prepared, images);
                Ok::<_, Error>(shares.await?)
            });
            party.all(nodes).await
        })
    }

    /// The client's side of a phase ahead for some images: what it leaves for each of them, in order. Nothing of the images is needed.
    ///
    /// # Errors
    /// As [`SecureNetwork::infer`].
    ///
    /// # Panics
    /// If the session is the server's, or has another price of correlations than the plan.
    pub fn prepare_ahead(
        &self,
        session: &mut Session,
        images: usize,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<Ahead>, AheadReport), Error> {
        assert_eq!(session.role(), Role::Client, "the client prepares");
        let mut draw = || {
            if !self.runs_ahead() {
                return Ahead::nothing(Role::Client);
            }
            let mut seed = Zeroizing::new([0; 32]);
            rand_core::Rng::fill_bytes(session.rng(), &mut *seed);
            Ahead::new(Role::Client, seed)
        };
        let left = (0..images).map(|_| draw()).collect();
        self.phase(session, left, progress, async |party, window, left| {
            let start = window.start;
            let nodes = self.online[window].iter().zip(start..);
            let nodes = nodes.map(|(&node, place)| async move {
                let step = self.online_step(node);
                let r = left.iter().map(|left| left.draw(place, step));
                let r = Zeroizing::new(r.collect::<Vec<_>>());
                Ok::<_, Error>(ahead_of(step).request_ahead(party, &r).await?)
            });
            party.all(nodes).await
        })
    }

    /// Goes through all windows; `run` gives one's shares, for each layer those of all images.
    fn phase(
        &self,
        session: &mut Session,
        mut left: Vec<Ahead>,
        progress: &mut dyn FnMut(Progress<'_>),
        run: impl AsyncFn(&Party<'_>, Range<usize>, &[Ahead]) -> Result<Vec<Vec<Vec<u64>>>, Error>,
    ) -> Result<(Vec<Ahead>, AheadReport), Error> {
        self.check_price(session);
        let begin = Instant::now();
        let images = left.len();
        let set_up = self.set_up(session)?;
        session.mark();
        let total_bytes = self.ahead_cost(images).bytes();
        for window in self.windows(images) {
            let first = self.online[window.start];
            let node = &self.spread.graph.nodes()[first];
            progress(Progress {
                ahead: true,
                layer: window.start,
                together: window.len(),
                layers: self.online.len(),
                name: &node.name,
                op: nets::Operator::name(&node.op),
                done_bytes: session.measured().bytes(),
                total_bytes,
            });
            session.enter_phase(format!("{}, ahead", node.name));
            let places = window.clone();
            let shares = session.run(async |party| run(party, window, &left).await)?;
            for (shares, place) in shares.into_iter().zip(places) {
                let bits = self.online_step(self.online[place]).output_bits();
                for (left, share) in left.iter_mut().zip(shares) {
                    left.keep(share, bits);
                }
            }
        }
        let report = AheadReport {
            images,
            cost: session.measured(),
            set_up,
            seconds: begin.elapsed().as_secs_f64(),
        };
        Ok((left, report))
    }

    fn windows(&self, images: usize) -> Vec<Range<usize>> {
        let most_said = |step| {
            let cost = ahead_of(step).ahead_rounds(images).cost();
            cost.bytes_to_server().max(cost.bytes_to_client())
        };
        windows::windows(self.online_steps().map(most_said))
    }

    /// The protocols of the layers that run ahead, in order.
    pub(crate) fn online_steps(&self) -> impl Iterator<Item = &dyn LinearProtocol> {
        self.online.iter().map(|&node| self.online_step(node))
    }

    fn online_step(&self, node: usize) -> &dyn LinearProtocol {
        match &self.steps[node] {
            Step::Online(step) => step.as_ref(),
            other => panic!("a layer that runs ahead is planned so, not as {other:?}"),
        }
    }
}
