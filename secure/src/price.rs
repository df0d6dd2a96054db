//! What a layer's cost is worth: bytes, flights, and an estimate of time.

use channel::Cost;
use linear::{FullyConnected, Item, Products};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::plan::Step;

/// A network between the parties.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct Network {
    /// Bytes a second in one direction.
    pub bytes_per_s: f64,
    /// Seconds there and back.
    pub rtt_s: f64,
}

impl Network {
    /// Seconds on the wire: flight after flight, the refill of the COT pools at `price` bits a COT
    /// included, its flights not.
    #[must_use]
    pub fn seconds(&self, cost: &Cost, price: u32) -> f64 {
        let longest = |s: &channel::Segment| s.to_server.max(s.to_client);
        let online: u64 = cost.segments().iter().map(longest).sum();
        let refill = float(cost.cots.total()) * f64::from(price) / 8.0;
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
    Time(Network),
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
        price: u32,
        constants: &Constants,
    ) -> (f64, f64) {
        let bytes = bytes(cost, price);
        let flights = float(cost.flights() as u64);
        match self {
            Self::Bytes => (bytes, flights),
            Self::Time(network) => {
                let seconds = constants.seconds(work) + network.seconds(cost, price);
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
pub(crate) fn bytes(cost: &Cost, price: u32) -> f64 {
    float(cost.bytes()) + float(cost.cots.total()) * f64::from(price) / 8.0
}

/// What the CPU does for a layer, counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
#[non_exhaustive]
pub struct Work {
    /// Correlated OTs with a vector message each.
    pub rows: u64,
    /// Words of 32 bits in these messages; two for a number of a wider ring.
    pub words: u64,
    /// Values made by Winograd's transforms.
    pub elements: u64,
    /// Correlated OTs of non-linear protocols.
    pub cots: u64,
    /// Bytes of non-linear protocols.
    pub bytes: u64,
}

impl Work {
    /// Of so many correlated OTs and nothing else.
    #[must_use]
    pub fn of_cots(cots: u64) -> Self {
        Self {
            cots,
            ..Self::default()
        }
    }

    /// Of a non-linear protocol.
    pub(crate) fn nonlinear(cost: &Cost) -> Self {
        Self {
            cots: cost.cots.total(),
            bytes: cost.bytes(),
            ..Self::default()
        }
    }

    /// Of a batch of products.
    pub(crate) fn products(products: &Products, cost: &Cost) -> Self {
        let words = |item: &Item| item.macs() * words(item.weight_bits.get(), item.bits.get());
        Self {
            rows: cost.cots.total(),
            words: products.items().iter().map(words).sum(),
            ..Self::default()
        }
    }

    /// As [`Work::products`], with what the transforms around them make.
    pub(crate) fn transformed(products: &Products, cost: &Cost) -> Self {
        let made = |item: &Item| -> usize {
            let n = item.rows.first().map_or(0, linear::Rect::len);
            (item.rows.len() + item.m) * n
        };
        Self {
            elements: products.items().iter().map(made).sum::<usize>() as u64,
            ..Self::products(products, cost)
        }
    }

    /// Of a fully connected layer.
    pub(crate) fn fully_connected(layer: &FullyConnected, cost: &Cost) -> Self {
        let macs = layer.inputs as u64 * layer.outputs as u64;
        // Either the bits of the weights choose, or those of the activations.
        let bits = layer.bits.get();
        let choosing = if cost.cots.server_sends > 0 {
            bits
        } else {
            layer.weight_bits.get()
        };
        Self {
            rows: cost.cots.total(),
            words: macs * words(choosing, bits),
            ..Self::default()
        }
    }

    /// Of a step of a plan, with its cost.
    pub(crate) fn of(step: &Step, cost: &Cost) -> Result<Self, Error> {
        Ok(match step {
            Step::Conv(conv) => Self::products(&conv.products()?, cost),
            Step::Winograd(tiled) => Self::transformed(tiled.conv()?.products(), cost),
            Step::FullyConnected(layer) => Self::fully_connected(layer, cost),
            _ => Self::nonlinear(cost),
        })
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            words: self.words + other.words,
            elements: self.elements + other.elements,
            cots: self.cots + other.cots,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Words of 32 bits that travel for one product.
fn words(weight_bits: u32, bits: u32) -> u64 {
    u64::from(weight_bits.min(bits)) * if bits <= 32 { 1 } else { 2 }
}

/// CPU seconds, of both parties together, of one unit of [`Work`] each.
///
/// The defaults are those of the machine of BENCHMARKS.md, as `blindray bench --calibrate` found them.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a calibration fills it in")]
pub struct Constants {
    /// A correlated OT with a vector message, apart from its words; its own making included.
    pub row: f64,
    /// A word of 32 bits of such a message.
    pub word: f64,
    /// A value made by a transform, both parties'.
    pub element: f64,
    /// The making of a correlated OT for a non-linear protocol.
    pub cot: f64,
    /// A byte of a non-linear protocol.
    pub byte: f64,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            row: 1.7e-7,
            word: 1.6e-9,
            element: 1.6e-8,
            cot: 2.1e-8,
            byte: 8.0e-9,
        }
    }
}

impl Constants {
    /// CPU seconds of both parties, an estimate.
    #[must_use]
    pub fn seconds(&self, work: &Work) -> f64 {
        float(work.rows) * self.row
            + float(work.words) * self.word
            + float(work.elements) * self.element
            + float(work.cots) * self.cot
            + float(work.bytes) * self.byte
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn float(count: u64) -> f64 {
    count as f64
}
