//! The test of linear layers itself: it takes a back-end that keeps its promises, and notices each one
//! that is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use channel::Cost;
use linear::{
    AheadProtocol, AheadTurn, Direct, Error, LayerParameters, LinearAlgorithm, LinearLayer,
    LinearProtocol, LinearShape, Prepared, Refusal, SetUp, Timing, Turn, Work,
};
use ring_arith::{Bits, slices};
use sharing::{Party, Rounds, Session};
use testkit::check_linear;

/// Which promise is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// None: it is direct, with a phase ahead of the input.
    None,
    PlansSometimes,
    ClaimsGuardBits,
    PredictsTooMuch,
    PreparesAnything,
    ServesAnything,
    ForgetsTheBias,
    AddsTheBiasTwice,
    RepeatsItsShareAhead,
    PredictsTooMuchOnline,
    PredictsTooMuchSetUp,
    NamesKeysAlike,
    ForgetsItsKeys,
    HasNoise,
    LeavesSharesUnreduced,
    SendsItsShare,
    GoesOnAfterErrors,
    PanicsWithoutItsPeer,
}

impl LinearAlgorithm for Fault {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn guard_bits(&self) -> u32 {
        u32::from(*self == Self::ClaimsGuardBits)
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        static PLANNED: AtomicBool = AtomicBool::new(false);
        if *self == Self::PlansSometimes && PLANNED.fetch_xor(true, Ordering::Relaxed) {
            return Err(Refusal::new("not now"));
        }
        Ok(Box::new(Faulty {
            fault: *self,
            direct: Direct.plan(layer)?,
        }))
    }
}

/// Direct, but for the fault.
#[derive(Debug)]
struct Faulty {
    fault: Fault,
    direct: Box<dyn LinearProtocol>,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn inputs(&self) -> usize {
        self.layer().shape.input_len()
    }
}

impl LinearProtocol for Faulty {
    fn name(&self) -> &'static str {
        self.direct.name()
    }

    fn layer(&self) -> &LinearLayer {
        self.direct.layer()
    }

    fn timing(&self) -> Timing {
        if self.has(Fault::SendsItsShare) {
            return Timing::Rounds(Rounds::to_server(8 * self.inputs() as u64));
        }
        let more = u64::from(self.has(Fault::PredictsTooMuch));
        Timing::Alone(self.direct.cost().then(Cost::to_server(more)))
    }

    fn set_up(&self) -> Vec<Arc<dyn SetUp>> {
        let key = |number| -> Arc<dyn SetUp> {
            Arc::new(Key {
                number,
                fault: self.fault,
            })
        };
        vec![key(0), key(1)]
    }

    fn work(&self) -> Work {
        self.direct.work()
    }

    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error> {
        if self.has(Fault::PreparesAnything) {
            return Ok(Prepared::nothing());
        }
        self.direct.prepare(parameters)
    }

    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        prepared: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let fits = self.layer().check_parameters(parameters).is_ok();
            if self.has(Fault::ServesAnything) && !fits {
                return Ok(Vec::new());
            }
            if self.has(Fault::SendsItsShare) && fits && x.len() == self.inputs() {
                let bytes = party.recv(8 * x.len()).await?;
                let (words, _) = bytes.as_chunks::<8>();
                let x = words.iter().zip(x);
                let x: Vec<u64> = x
                    .map(|(y, x)| x.wrapping_add(u64::from_le_bytes(*y)))
                    .collect();
                return Ok(self.product(parameters, &x, parameters.bias));
            }
            let zeros = vec![0; parameters.bias.len()];
            let bias = match self.fault {
                Fault::ForgetsTheBias => &zeros,
                _ => parameters.bias,
            };
            if party.kept(|keys: &mut Keys| keys.0.len() < 2) && fits && x.len() == self.inputs() {
                return Err(Error::Backend("there are no keys".into()));
            }
            let parameters = LayerParameters { bias, ..parameters };
            let mut y = self.direct.serve(party, parameters, prepared, x).await?;
            if self.has(Fault::HasNoise) {
                y[0] += 1;
            }
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            if self.has(Fault::SendsItsShare) && x.len() == self.inputs() {
                let bytes = x.iter().flat_map(|x| x.to_le_bytes()).collect();
                party.send(bytes).await?;
                return Ok(vec![0; self.layer().shape.output_len()]);
            }
            let y = self.direct.request(party, x).await;
            if self.has(Fault::PanicsWithoutItsPeer) && x.len() == self.inputs() {
                return Ok(y.expect("the peer is always there"));
            }
            let more = u64::from(self.has(Fault::LeavesSharesUnreduced)) << self.layer().bits.get();
            Ok(y?.iter().map(|y| y + more).collect())
        })
    }

    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        Some(self)
    }
}

impl Faulty {
    /// W·x + b, one bias for each output.
    fn product(&self, parameters: LayerParameters<'_>, x: &[u64], bias: &[i64]) -> Vec<u64> {
        let layer = self.layer();
        let mut y = testkit::linear_reference(&layer.shape, parameters.weights, x);
        linear::add_bias(layer.bits, &mut y, bias);
        y
    }
}

/// The products with r ahead, one after the other.
impl AheadProtocol for Faulty {
    fn ahead_rounds(&self, images: usize) -> Rounds {
        let each = Rounds::to_server(8 * self.inputs() as u64);
        (0..images).fold(Rounds::none(), |all, _| all.then(each.clone()))
    }

    /// The client says r: no product was ever more insecure.
    fn serve_ahead<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        images: usize,
    ) -> AheadTurn<'a> {
        Box::pin(async move {
            let mut all = Vec::new();
            for _ in 0..images {
                let bytes = party.recv(8 * self.inputs()).await?;
                let (words, _) = bytes.as_chunks::<8>();
                let r: Vec<u64> = words.iter().map(|r| u64::from_le_bytes(*r)).collect();
                let mut y = testkit::linear_reference(&self.layer().shape, parameters.weights, &r);
                if self.has(Fault::AddsTheBiasTwice) {
                    linear::add_bias(self.layer().bits, &mut y, parameters.bias);
                }
                // The client's shares: they are all that says that the phase ahead happened.
                slices::add_constant(self.layer().bits, &mut y, all.len() as u64 + 1);
                all.push(y);
            }
            Ok(all)
        })
    }

    fn request_ahead<'a>(&'a self, party: &'a Party<'_>, r: &'a [Vec<u64>]) -> AheadTurn<'a> {
        Box::pin(async move {
            let mut all = Vec::new();
            for r in r {
                party
                    .send(r.iter().flat_map(|r| r.to_le_bytes()).collect())
                    .await?;
                let same = self.has(Fault::RepeatsItsShareAhead);
                let mask = if same { 1 } else { all.len() as u64 + 1 };
                let bits = self.layer().bits;
                all.push(vec![
                    bits.from_signed(-mask.cast_signed());
                    self.layer().shape.output_len()
                ]);
            }
            Ok(all)
        })
    }

    fn online_rounds(&self) -> Rounds {
        let more = u64::from(self.has(Fault::PredictsTooMuchOnline));
        Rounds::to_server((3 * 44_u64).div_ceil(8) + more)
    }
}

/// The numbers of the keys that there are.
#[derive(Default)]
struct Keys(Vec<u8>);

/// A key that is no secret.
#[derive(Debug)]
struct Key {
    number: u8,
    fault: Fault,
}

impl SetUp for Key {
    fn name(&self) -> String {
        match self.fault {
            Fault::NamesKeysAlike => "key".to_owned(),
            _ => format!("key-{}", self.number),
        }
    }

    fn cost(&self) -> Cost {
        let more = u64::from(self.fault == Fault::PredictsTooMuchSetUp);
        Cost::to_server(1 + more)
    }

    fn is_done(&self, session: &mut Session) -> bool {
        session.kept::<Keys>().0.contains(&self.number)
    }

    fn run(&self, session: &mut Session) -> Result<(), Error> {
        let role = session.role();
        if self.fault == Fault::GoesOnAfterErrors && role.is_server() {
            let mut number = [0];
            session
                .channel()
                .recv(&mut number)
                .map_err(sharing::Error::from)?;
            session.kept::<Keys>().0.push(number[0]);
            return Ok(());
        }
        let number = session.run(async |party| -> Result<u8, Error> {
            if role.is_server() {
                return Ok(party.recv(1).await?[0]);
            }
            party.send(vec![self.number]).await?;
            Ok(self.number)
        })?;
        if self.fault != Fault::ForgetsItsKeys {
            session.kept::<Keys>().0.push(number);
        }
        Ok(())
    }
}

const LAYER: LinearLayer = LinearLayer {
    shape: LinearShape::FullyConnected {
        inputs: 3,
        outputs: 2,
    },
    weight_bits: Bits::of(5),
    bits: Bits::of(44),
};

fn check(fault: Fault) {
    let cost = check_linear(&fault, &LAYER, 1).expect("every layer is possible");
    assert_eq!(cost.cots.client_sends, 3 * 2 * 5);
}

#[test]
fn who_keeps_every_promise_passes() {
    check(Fault::None);
}

#[test]
fn noise_below_the_guard_bit_passes() {
    let cost = check_linear(&testkit::Noisy, &LAYER, 2).expect("there is room for a guard bit");
    assert_eq!(cost, Cost::to_server(17).then(Cost::to_client(12)));
}

macro_rules! noticed {
    ($($test:ident: $fault:ident, $message:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $test() {
            check(Fault::$fault);
        }
    )*};
}

noticed! {
    moody_plans: PlansSometimes, "only sometimes";
    other_guard_bits: ClaimsGuardBits, "guard bits";
    other_costs: PredictsTooMuch, "another cost";
    unchecked_preparation: PreparesAnything, "prepares";
    unchecked_parameters: ServesAnything, "serves";
    other_results: ForgetsTheBias, "another result";
    noise_that_was_not_named: HasNoise, "another result";
    other_results_ahead: AddsTheBiasTwice, "another result";
    other_shares_ahead: RepeatsItsShareAhead, "another result";
    other_costs_online: PredictsTooMuchOnline, "another cost";
    other_costs_of_the_set_up: PredictsTooMuchSetUp, "another cost";
    items_of_one_name: NamesKeysAlike, "the name";
    items_that_are_not_kept: ForgetsItsKeys, "not done when it was made";
    shares_beyond_their_ring: LeavesSharesUnreduced, "not reduced";
    shares_that_do_not_hide: SendsItsShare, "not fresh";
    sessions_that_go_on: GoesOnAfterErrors, "not dead";
    panics: PanicsWithoutItsPeer, "the peer is always there";
}
