//! By what costs are compared: bytes, flights, or an estimate of time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use channel::Cost;
use linear::{Work, work};
use ot::{CotPrice, Extension};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The speed of the network between the parties.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct NetworkSpeed {
    /// Bytes a second in one direction.
    pub bytes_per_s: f64,
    /// Seconds of a round trip.
    pub rtt_s: f64,
}

impl NetworkSpeed {
    /// 3 Gbit/s and 0.3 ms there and back: two machines in one room, as in the evaluation of Cheetah (eprint 2022/207).
    pub const LAN: Self = Self {
        bytes_per_s: 3e9 / 8.0,
        rtt_s: 0.3e-3,
    };

    /// 100 Mbit/s and 40 ms: a hospital's line to another city.
    pub const WAN: Self = Self {
        bytes_per_s: 100e6 / 8.0,
        rtt_s: 40e-3,
    };

    /// Whether both numbers make sense: a positive rate, and a round trip of 0 s or more.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.bytes_per_s > 0.0
            && self.rtt_s >= 0.0
            && self.bytes_per_s.is_finite()
            && self.rtt_s.is_finite()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_sound() {
            return Ok(());
        }
        Err(Error::Option {
            option: "network",
            problem: "it takes a positive rate and a round trip of 0 s or more".into(),
        })
    }

    /// Seconds on the wire, flight after flight. The bytes that refill the COT pools are included, at `price`
    /// for each COT, but the flights of the refill are not.
    #[must_use]
    pub fn seconds(&self, cost: &Cost, price: CotPrice) -> f64 {
        let online = cost.total(|s| s.to_server.max(s.to_client));
        let refill = refill_bytes(cost, price);
        let flights = float(cost.flights() as u64);
        (float(online) + refill) / self.bytes_per_s + flights * self.rtt_s / 2.0
    }
}

/// What the choice of algorithms makes as small as possible.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub enum Objective {
    /// Bytes in both directions, including the refill of the COT pools.
    #[default]
    Bytes,
    /// An estimate of the time on a network, including that of the CPUs.
    Time(NetworkSpeed),
    /// Flights, and bytes among algorithms with the same number of flights.
    Flights,
}

impl Objective {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self::Time(network) = self else {
            return Ok(());
        };
        network.check()
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

    /// The unit of what is compared, in the plural.
    pub(crate) const fn unit(&self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Time(_) => "seconds",
            Self::Flights => "flights",
        }
    }
}

/// Bytes in both directions, including the refill.
pub(crate) fn bytes(cost: &Cost, price: CotPrice) -> f64 {
    float(cost.bytes()) + refill_bytes(cost, price)
}

/// Bytes of the refill that makes the correlations of a cost.
fn refill_bytes(cost: &Cost, price: CotPrice) -> f64 {
    float(cost.cots.total()) * price.as_bits() / 8.0
}

/// The work of a protocol that is no product with weights: its correlations and its bytes.
pub(crate) fn nonlinear_work(cost: &Cost) -> Work {
    Work::of([(work::COTS, cost.cots.total()), (work::BYTES, cost.bytes())])
}

/// How fast the parties' processors are: CPU seconds, of both parties together, for one unit of each
/// kind of [`Work`], by the name of the unit. How long a correlation takes depends on the extension that makes it: there is
/// a time for each, and the model is made for one of them, `SoftSpokenOT` at first.
///
/// The defaults are those of the machine of BENCHMARKS.md, as `blindray bench --calibrate` found them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuModel(BTreeMap<Cow<'static, str>, f64>);

impl CpuModel {
    /// The kinds of work, and what a unit of each takes on the machine of BENCHMARKS.md.
    const DEFAULTS: [(&'static str, f64); 12] = [
        // Including the work of making a row, but not that of its words.
        (work::ROWS, 1.7e-7),
        (work::WORDS, 1.6e-9),
        (work::ELEMENTS, 1.6e-8),
        (work::COTS, 2.1e-8),
        (work::BYTES, 8.0e-9),
        (work::RLWE_REQUESTS, 4.0e-5),
        (work::RLWE_PASSES, 3.0e-7),
        (work::RLWE_PRODUCTS, 9.0e-7),
        (work::RLWE_SCALED, 6.5e-7),
        (work::RLWE_SUMS, 1.0e-5),
        (work::RLWE_MERGES, 5.0e-5),
        (work::RLWE_RESPONSES, 5.2e-5),
    ];

    /// What a correlation of each extension takes there with its hash, by the name of the extension.
    const EXTENSIONS: [(&'static str, f64); 5] = [
        ("softspoken", 2.1e-8),
        ("silent-small", 4.2e-8),
        ("silent-small-twice", 3.7e-8),
        ("silent-medium", 4.6e-8),
        ("silent-large", 5.5e-8),
    ];

    /// The same model with another time for one kind of work.
    #[must_use]
    pub fn with(mut self, unit: &'static str, seconds: f64) -> Self {
        self.0.insert(Cow::Borrowed(unit), seconds);
        self
    }

    /// The same model with other times for ring-LWE: all of its units, times one factor.
    #[must_use]
    pub fn with_ring_lwe(mut self, factor: f64) -> Self {
        for (unit, _) in Self::DEFAULTS.iter().filter(|(unit, _)| is_ring_lwe(unit)) {
            let time = self.unit(unit) * factor;
            self = self.with(unit, time);
        }
        self
    }

    /// An estimate of the CPU seconds of ring-LWE alone.
    #[must_use]
    pub fn ring_lwe_seconds(&self, work: &Work) -> f64 {
        let units = work.iter().filter(|(unit, _)| is_ring_lwe(unit));
        units.map(|(unit, n)| float(n) * self.unit(unit)).sum()
    }

    /// The same model with another time for a correlation of an extension.
    #[must_use]
    pub fn with_extension(mut self, extension: &dyn Extension, seconds: f64) -> Self {
        self.0.insert(by(extension.name()).into(), seconds);
        self
    }

    /// The same model for correlations that an extension makes; for an extension without a time, that of the correlations of
    /// this model.
    #[must_use]
    pub fn of_extension(self, extension: &dyn Extension) -> Self {
        let cot = self.0.get(by(extension.name()).as_str()).copied();
        let cot = cot.unwrap_or_else(|| self.unit(work::COTS));
        self.with(work::COTS, cot)
    }

    /// CPU seconds of both parties for one unit of a kind of work; 0 if the kind is not known.
    #[must_use]
    pub fn unit(&self, unit: &str) -> f64 {
        self.0.get(unit).copied().unwrap_or(0.0)
    }

    /// Whether every time is a finite number of seconds that is not negative.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.0.values().all(|v| v.is_finite() && *v >= 0.0)
    }

    /// An estimate of the CPU seconds of both parties together.
    #[must_use]
    pub fn seconds(&self, work: &Work) -> f64 {
        work.iter()
            .map(|(unit, n)| float(n) * self.unit(unit))
            .sum()
    }
}

impl Default for CpuModel {
    fn default() -> Self {
        let units = Self::DEFAULTS.map(|(unit, seconds)| (Cow::Borrowed(unit), seconds));
        let extensions = Self::EXTENSIONS.map(|(name, seconds)| (by(name).into(), seconds));
        Self(units.into_iter().chain(extensions).collect())
    }
}

/// Whether a kind of work is part of ring-LWE.
fn is_ring_lwe(unit: &str) -> bool {
    unit.starts_with("rlwe ")
}

/// The unit of a correlation of an extension.
fn by(extension: &str) -> String {
    format!("{} by {extension}", work::COTS)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}
