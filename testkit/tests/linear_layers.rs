//! The test of linear layers itself: it takes a back-end that keeps its promises, and notices each one
//! that is broken.

use std::sync::atomic::{AtomicBool, Ordering};

use channel::Cost;
use linear::{
    AheadProtocol, Direct, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    LinearShape, Prepared, Refusal, Work,
};
use ring_arith::{Bits, slices};
use sharing::Session;
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
    ForgetsTheBiasAhead,
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

    fn cost(&self) -> Cost {
        if self.has(Fault::SendsItsShare) {
            return Cost::to_server(8 * self.inputs() as u64);
        }
        let more = u64::from(self.has(Fault::PredictsTooMuch));
        self.direct.cost().then(Cost::to_server(more))
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

    fn serve(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        prepared: &Prepared,
        x: &[u64],
    ) -> Result<Vec<u64>, Error> {
        if self.has(Fault::GoesOnAfterErrors) {
            self.layer().check_parameters(parameters)?;
        }
        let fits = self.layer().check_parameters(parameters).is_ok();
        if self.has(Fault::ServesAnything) && !fits {
            return Ok(Vec::new());
        }
        if self.has(Fault::SendsItsShare) && fits && x.len() == self.inputs() {
            return session.attempt(|s| {
                let mut bytes = vec![0; 8 * x.len()];
                s.channel().recv(&mut bytes).map_err(sharing::Error::from)?;
                let (words, _) = bytes.as_chunks::<8>();
                let x = words.iter().zip(x);
                let x: Vec<u64> = x
                    .map(|(y, x)| x.wrapping_add(u64::from_le_bytes(*y)))
                    .collect();
                Ok(self.product(parameters, &x, parameters.bias))
            });
        }
        let zeros = vec![0; parameters.bias.len()];
        let bias = match self.fault {
            Fault::ForgetsTheBias => &zeros,
            _ => parameters.bias,
        };
        let parameters = LayerParameters { bias, ..parameters };
        self.direct.serve(session, parameters, prepared, x)
    }

    fn request(&self, session: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        if self.has(Fault::SendsItsShare) && x.len() == self.inputs() {
            let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
            return session.attempt(|s| {
                s.channel().send(&bytes).map_err(sharing::Error::from)?;
                Ok(vec![0; self.layer().shape.output_len()])
            });
        }
        let y = self.direct.request(session, x);
        if self.has(Fault::PanicsWithoutItsPeer) && x.len() == self.inputs() {
            return Ok(y.expect("the peer is always there"));
        }
        let more = u64::from(self.has(Fault::LeavesSharesUnreduced)) << self.layer().bits.get();
        Ok(y?.iter().map(|y| y + more).collect())
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

/// The product with r ahead; what is left is local to the server.
impl AheadProtocol for Faulty {
    fn ahead_cost(&self) -> Cost {
        self.direct.cost()
    }

    fn online_cost(&self) -> Cost {
        Cost::none()
    }

    fn serve_ahead(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        prepared: &Prepared,
    ) -> Result<Vec<u64>, Error> {
        let zeros = vec![0; self.inputs()];
        self.direct.serve(session, parameters, prepared, &zeros)
    }

    fn request_ahead(&self, session: &mut Session, r: &[u64]) -> Result<Vec<u64>, Error> {
        self.direct.request(session, r)
    }

    fn serve_online(
        &self,
        _: &mut Session,
        parameters: LayerParameters<'_>,
        ahead: Vec<u64>,
        x: &[u64],
    ) -> Result<Vec<u64>, Error> {
        let zeros = vec![0; parameters.bias.len()];
        let mut y = self.product(parameters, x, &zeros);
        let bits = self.layer().bits;
        slices::add_assign(bits, &mut y, &ahead);
        if self.has(Fault::ForgetsTheBiasAhead) {
            let negated: Vec<i64> = parameters.bias.iter().map(|b| b.wrapping_neg()).collect();
            linear::add_bias(bits, &mut y, &negated);
        }
        Ok(y)
    }
}

fn check(fault: Fault) {
    let layer = LinearLayer {
        shape: LinearShape::FullyConnected {
            inputs: 3,
            outputs: 2,
        },
        weight_bits: Bits::of(5),
        bits: Bits::of(44),
    };
    let cost = check_linear(&fault, &layer, 1).expect("every layer is possible");
    assert_eq!(cost.cots.client_sends, 3 * 2 * 5);
}

#[test]
fn who_keeps_every_promise_passes() {
    check(Fault::None);
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
    other_results_ahead: ForgetsTheBiasAhead, "another result";
    shares_beyond_their_ring: LeavesSharesUnreduced, "not reduced";
    shares_that_do_not_hide: SendsItsShare, "not fresh";
    sessions_that_go_on: GoesOnAfterErrors, "not dead";
    panics: PanicsWithoutItsPeer, "the peer is always there";
}
