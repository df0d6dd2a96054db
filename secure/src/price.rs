//! What a layer's cost is worth: bytes, flights, and an estimate of time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use channel::Cost;
use linear::{Work, work};
use ot::CotPrice;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The speed of the network between the parties.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct NetworkSpeed {
    /// Bytes a second in one direction.
    pub bytes_per_s: f64,
    /// Seconds there and back.
    pub rtt_s: f64,
}

impl NetworkSpeed {
    /// Seconds on the wire: flight after flight, the refill of the COT pools at `price` a COT
    /// included, its flights not.
    #[must_use]
    pub fn seconds(&self, cost: &Cost, price: CotPrice) -> f64 {
        let longest = |s: &channel::Segment| s.to_server.max(s.to_client);
        let online: u64 = cost.segments().iter().map(longest).sum();
        let refill = refill_bytes(cost, price);
        let flights = float(cost.flights() as u64);
        (float(online) + refill) / self.bytes_per_s + flights * self.rtt_s / 2.0
    }
}

/// What the choice of algorithms is to make small.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub enum Objective {
    /// Bytes of both directions, refill included.
    #[default]
    Bytes,
    /// Time on a network.
    Time(NetworkSpeed),
    /// Flights, then bytes.
    Flights,
}

impl Objective {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self::Time(network) = self else {
            return Ok(());
        };
        let sound = network.bytes_per_s > 0.0 && network.rtt_s >= 0.0;
        if sound && network.bytes_per_s.is_finite() && network.rtt_s.is_finite() {
            return Ok(());
        }
        Err(Error::Option {
            option: "network",
            problem: "it takes a positive rate and a round trip of 0 s or more".into(),
        })
    }

    /// What is compared first, and what decides between equals.
    pub(crate) fn measure(
        &self,
        cost: &Cost,
        work: &Work,
        price: CotPrice,
        cpu: &CpuModel,
    ) -> (f64, f64) {
        let bytes = bytes(cost, price);
        let flights = float(cost.flights() as u64);
        match self {
            Self::Bytes => (bytes, flights),
            Self::Time(network) => {
                let seconds = cpu.seconds(work) + network.seconds(cost, price);
                (seconds, bytes)
            }
            Self::Flights => (flights, bytes),
        }
    }

    /// What there is less of.
    pub(crate) const fn unit(&self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Time(_) => "seconds",
            Self::Flights => "flights",
        }
    }
}

/// Bytes of both directions and of the refill.
pub(crate) fn bytes(cost: &Cost, price: CotPrice) -> f64 {
    float(cost.bytes()) + refill_bytes(cost, price)
}

/// Bytes that making the correlations of a cost takes.
fn refill_bytes(cost: &Cost, price: CotPrice) -> f64 {
    float(cost.cots.total()) * price.as_bits() / 8.0
}

/// The work of a protocol that is no product: its correlations and its bytes.
pub(crate) fn nonlinear_work(cost: &Cost) -> Work {
    Work::of([(work::COTS, cost.cots.total()), (work::BYTES, cost.bytes())])
}

/// How fast the parties' processors are: CPU seconds, of both parties together, for one unit of each
/// kind of [`Work`], by the name of the unit.
///
/// The defaults are those of the machine of BENCHMARKS.md, as `blindray bench --calibrate` found them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuModel(BTreeMap<Cow<'static, str>, f64>);

impl CpuModel {
    /// The kinds of work, and what a unit of each takes on the machine of BENCHMARKS.md.
    const DEFAULTS: [(&'static str, f64); 5] = [
        // Its own making included, its words not.
        (work::ROWS, 1.7e-7),
        (work::WORDS, 1.6e-9),
        (work::ELEMENTS, 1.6e-8),
        (work::COTS, 2.1e-8),
        (work::BYTES, 8.0e-9),
    ];

    /// With another time for one kind of work.
    #[must_use]
    pub fn with(mut self, unit: &'static str, seconds: f64) -> Self {
        self.0.insert(Cow::Borrowed(unit), seconds);
        self
    }

    /// CPU seconds of both parties for one unit; 0 for a kind of work that it does not know.
    #[must_use]
    pub fn unit(&self, unit: &str) -> f64 {
        self.0.get(unit).copied().unwrap_or(0.0)
    }

    /// Whether every time is a finite number of seconds, not below 0.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.0.values().all(|v| v.is_finite() && *v >= 0.0)
    }

    /// CPU seconds of both parties, an estimate.
    #[must_use]
    pub fn seconds(&self, work: &Work) -> f64 {
        work.iter()
            .map(|(unit, n)| float(n) * self.unit(unit))
            .sum()
    }
}

impl Default for CpuModel {
    fn default() -> Self {
        let all = Self::DEFAULTS.map(|(unit, seconds)| (Cow::Borrowed(unit), seconds));
        Self(all.into())
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn float(count: u64) -> f64 {
    count as f64
}
