//! The cost of a network in CrypTFlow2 as it was released, by formula, for comparison.
//!
//! Nothing of this is executed. [`CrypTFlow2::plan`] adds up, operation by operation, what the OT back-end
//! of \[RRK+20\] (arXiv 2010.06457; its library SCI, with IKNP and KKOT extension) sends for a float
//! network with one ring for all tensors. The formulas follow the protocols. Where the released code was
//! measured, tests compare the formulas with what it sent.
//!
//! | operation | bits |
//! |---|---|
//! | millionaires' of b bits, q = ⌈b/4⌉ digits | 288·q + 148·(2(q−1) − ⌈log2 q⌉) |
//! | `ReLU` | millionaires' of ℓ−1, 2·(128 + 2ℓ) |
//! | truncation by s | millionaires' of s, 288·q + 296·(q−1) with q = ⌈(ℓ−s)/4⌉, 148, 2·128 + ℓ + s |
//! | convolution, a cross term | 128·ℓ per value under a window, ℓ(ℓ+1)/2 per multiplication |
//!
//! A digit is a 1-of-16 OT of two bits, 2·128 + 16·2 bits. An AND opens four bits and takes half of a 1-of-16
//! OT of two bits. In a convolution the bits of the client's share choose, and products with padding are
//! computed like all others.

use channel::Cost;
use linear::Work;
use nets::{FloatModel, Op, Operator as _, Shape, fold_batch_norms};

use crate::Error;
use crate::report::LayerPlan;

/// The security parameter: the bits that an IKNP OT sends.
const LAMBDA: u64 = 128;

/// CrypTFlow2's OT back-end with its settings.
///
/// ```
/// use backbones::backbone_seeded;
/// use nets::Shape;
/// use secure::CrypTFlow2;
///
/// let network = backbone_seeded("densenet121", Shape::new(3, 320, 320), 14, [0; 32])?;
/// let layers = CrypTFlow2::RELEASED.plan(&network.float)?;
/// let bytes: u64 = layers.iter().map(|layer| layer.cost.bytes()).sum();
/// assert_eq!(bytes / 1_000_000_000, 2_973); // "almost 3 TB" (arXiv 2209.00411)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "three settings")]
pub struct CrypTFlow2 {
    /// ℓ, the bits of the ring of all tensors.
    pub bits: u32,
    /// s, the bits cut off after every product.
    pub scale: u32,
    /// Cross terms computed for a product of the server's weights with a shared value. One suffices; the
    /// code of 2022 computed both.
    pub cross_terms: u32,
}

impl CrypTFlow2 {
    /// As released in 2022, with the scale that DenseNet-121 for `CheXpert` was run at.
    pub const RELEASED: Self = Self {
        bits: 60,
        scale: 23,
        cross_terms: 2,
    };
    /// The same with one cross term.
    pub const ONE_CROSS_TERM: Self = Self {
        cross_terms: 1,
        ..Self::RELEASED
    };
    /// As it was run in later comparisons by its authors: 37 bits, 12 of them fractional.
    pub const NARROW: Self = Self {
        bits: 37,
        scale: 12,
        cross_terms: 1,
    };

    /// The layers of a network and their costs, with batch norms folded where that is possible. The work of
    /// the CPU is not known and left empty.
    ///
    /// # Errors
    /// [`Error::Unsupported`] naming every operation that CrypTFlow2 did not have; those of
    /// [`FloatModel::check`].
    ///
    /// # Panics
    /// If the scale is 0 or not below the width.
    pub fn plan(&self, model: &FloatModel) -> Result<Vec<LayerPlan>, Error> {
        assert!(0 < self.scale && self.scale < self.bits, "0 < s < l");
        model.check()?;
        let graph = fold_batch_norms(model)?.graph;
        let (mut layers, mut foreign) = (Vec::new(), Vec::new());
        for (index, (node, &out)) in graph.nodes().iter().zip(graph.types()).enumerate() {
            let x = node.inputs.first().map_or(out, |&i| graph.types()[i]);
            let Some((algorithm, macs, cost)) = self.layer(&node.op, x, out) else {
                foreign.push(format!("{} (`{}`)", node.op.name(), node.name));
                continue;
            };
            if cost != Cost::none() {
                layers.push(LayerPlan {
                    node: index,
                    name: node.name.clone(),
                    op: node.op.name(),
                    algorithm: algorithm.into(),
                    macs,
                    weight_bits: None,
                    ring_bits: self.bits,
                    cost,
                    work: Work::default(),
                });
            }
        }
        if foreign.is_empty() {
            Ok(layers)
        } else {
            Err(Error::Unsupported(foreign))
        }
    }

    /// Algorithm, multiplications and cost of one operation; `None` if CrypTFlow2 did not have it.
    fn layer(&self, op: &Op, x: Shape, out: Shape) -> Option<(&'static str, u64, Cost)> {
        let n = out.len() as u64;
        Some(match op {
            Op::Conv2d { groups, window, .. } => {
                let inner = x.channels / groups * window.area();
                self.linear(inner, x.channels * window.area() * out.plane(), out)
            }
            Op::Linear { .. } => self.linear(x.len(), x.len(), out),
            Op::BatchNorm { .. } => self.linear(1, x.len(), out),
            Op::Relu => ("sci", 0, self.relu(n)),
            // Two comparisons.
            Op::Clip { .. } | Op::Clamp { .. } => ("sci", 0, self.relu(n).then(self.relu(n))),
            Op::MaxPool { window } => {
                let steps = window.area() - 1;
                ("sci", 0, self.relu(n).repeat(steps))
            }
            Op::AvgPool { .. } => ("sci", 0, self.truncation(n)),
            Op::GlobalAvgPool if x.plane() > 1 => ("sci", 0, self.truncation(n)),
            Op::Input { .. }
            | Op::GlobalAvgPool
            | Op::Add
            | Op::Concat
            | Op::ChannelShuffle { .. }
            | Op::Slice { .. }
            | Op::Subsample { .. }
            | Op::PadChannels { .. }
            | Op::Neg
            | Op::Pick { .. }
            | Op::Reorder { .. }
            | Op::Flatten => ("local", 0, Cost::none()),
            // CrypTFlow2 had no other operation: whatever is left is refused by name.
            _ => return None,
        })
    }

    /// A product with `inner` multiplications for each output, and with `values` values under windows.
    fn linear(&self, inner: usize, values: usize, out: Shape) -> (&'static str, u64, Cost) {
        let bits = u64::from(self.bits);
        let macs = (inner * out.len()) as u64;
        let choices = u64::from(self.cross_terms) * values as u64 * LAMBDA * bits / 8;
        let messages = u64::from(self.cross_terms) * macs * bits * (bits + 1) / 2 / 8;
        let product = Cost::to_server(choices).then(Cost::to_client(messages));
        let algorithm = match self.cross_terms {
            1 => "sci, one cross term",
            _ => "sci, both cross terms",
        };
        let cost = product.then(self.truncation(out.len() as u64));
        (algorithm, macs, cost)
    }

    fn relu(&self, n: u64) -> Cost {
        let bits = u64::from(self.bits);
        tree(n, self.bits - 1, false)
            .then(exchange(n * LAMBDA))
            .then(exchange(n * 2 * bits))
    }

    /// A truncation of values of unknown sign: the wrap of the low bits, the wrap of the high bits and
    /// whether these are equal, and both wraps as arithmetic shares.
    fn truncation(&self, n: u64) -> Cost {
        let low = tree(n, self.scale, false);
        let high = tree(n, self.bits - self.scale, true);
        let and = transfer(n * 128, n * 16).then(exchange(n * 2));
        let shares = transfer(n * 2 * LAMBDA, n * u64::from(self.bits + self.scale));
        low.beside(high).then(and).then(shares)
    }
}

/// Comparison of `n` values of `bits` bits: digits, and a tree of ANDs whose triples are made in parallel to
/// the digits. The lowest path of the tree computes equality only if the equality of the whole is wanted.
fn tree(n: u64, bits: u32, with_equality: bool) -> Cost {
    let digits = u64::from(bits.div_ceil(4));
    let (mut levels, mut nodes) = (Vec::new(), digits);
    while nodes > 1 {
        levels.push(2 * (nodes / 2) - u64::from(!with_equality));
        nodes = nodes.div_ceil(2);
    }
    let ands: u64 = levels.iter().sum();
    let leaves = transfer(
        n * (256 * digits + 128 * ands),
        n * (32 * digits + 16 * ands),
    );
    levels
        .iter()
        .fold(leaves, |cost, ands| cost.then(exchange(n * ands * 2)))
}

/// Bits of choices to the server, then bits of messages to the client.
fn transfer(choices: u64, messages: u64) -> Cost {
    Cost::to_server(choices.div_ceil(8)).then(Cost::to_client(messages.div_ceil(8)))
}

/// This many bits from each party, at the same time.
fn exchange(bits: u64) -> Cost {
    Cost::exchange(bits.div_ceil(8), bits.div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backbones::backbone_seeded;
    use nets::{GraphBuilder, Tensors, Window};

    const fn ring(bits: u32) -> CrypTFlow2 {
        CrypTFlow2 {
            bits,
            ..CrypTFlow2::NARROW
        }
    }

    /// Bits of one of very many.
    fn bits(cost: impl Fn(u64) -> Cost) -> u64 {
        cost(1000).bytes() * 8 / 1000
    }

    fn total(layers: &[LayerPlan]) -> u64 {
        layers.iter().map(|layer| layer.cost.bytes()).sum()
    }

    /// EzPC at f24bf3e0, measured over loopback.
    #[test]
    fn operations_send_what_the_library_sent() {
        for (l, measured) in [(32, 4316), (37, 4772)] {
            assert_eq!(bits(|n| ring(l).relu(n)), measured);
        }
        assert_eq!(ring(32).relu(1).flights(), 7);
        for (l, measured) in [(32, 4196), (37, 5197)] {
            let predicted = bits(|n| ring(l).truncation(n));
            assert!(
                predicted.abs_diff(measured) * 20 < measured,
                "{l}: {predicted}"
            );
        }
        // 1x1, 64 to 128 channels, 56x56, without its truncation.
        let out = Shape::new(128, 56, 56);
        let (_, macs, cost) = ring(32).linear(64, 64 * out.plane(), out);
        assert_eq!(macs, 25_690_112);
        let product = cost.bytes() - ring(32).truncation(out.len() as u64).bytes();
        assert_eq!(product / 1_000_000, 1_798);
        // 4,814 bytes a window.
        let window = Window::square(3, 2, 1);
        let (x, out) = (Shape::new(64, 112, 112), Shape::new(64, 56, 56));
        let layer = ring(37).layer(&Op::MaxPool { window }, x, out);
        let per_window = layer.expect("it has max-pool").2.bytes() / out.len() as u64;
        assert!((4_770..=4_814).contains(&per_window), "{per_window}");
    }

    /// From the same library's layers one by one: 238, 308 and 839 GB.
    #[test]
    fn densenet_costs_what_its_layers_cost() {
        let network = backbone_seeded("densenet121", Shape::new(3, 224, 224), 1000, [0; 32]);
        let network = network.expect("a backbone").float;
        for (l, gigabytes) in [(32, 238), (37, 308), (64, 839)] {
            let layers = ring(l).plan(&network).expect("it has these operations");
            let found = total(&layers) / 1_000_000_000;
            assert!(found.abs_diff(gigabytes) * 100 <= gigabytes, "{l}: {found}");
        }
    }

    #[test]
    fn what_it_did_not_have_is_named() {
        let mut graph = GraphBuilder::new();
        let shape = Shape::new(1, 2, 2);
        graph.push("input", Op::Input { shape }, &[]);
        graph.push("a", Op::HardSwish, &[0]);
        graph.push("b", Op::HardSigmoid, &[1]);
        let model = FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors: Tensors::new(),
        };
        let error = CrypTFlow2::NARROW.plan(&model).expect_err("2020");
        assert_eq!(error.to_string().matches('`').count(), 4, "{error}");
    }
}
