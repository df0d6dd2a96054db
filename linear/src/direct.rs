//! Every linear layer, by oblivious transfers in which the bits of the weights choose.

use channel::Cost;
use ring_arith::slices;
use sharing::Party;

use crate::batch::words;
use crate::{
    Conv2d, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape,
    MatMul, Prepared, Products, Refusal, Timing, Turn, Work, add_bias, clear, work,
};

/// The plain algorithm, for every layer: each product of a weight with a row of inputs is made by
/// correlated OTs in which the bits of the weight choose. [`Products`] documents protocol, security and
/// cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Direct;

impl LinearAlgorithm for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let cost = match OnArrays::new(layer) {
            OnArrays::Conv(conv) => conv.cost()?,
            OnArrays::FullyConnected(product) => product.cost()?,
        };
        let layer = *layer;
        Ok(Box::new(DirectProtocol { layer, cost }))
    }
}

/// A layer as a protocol on arrays.
enum OnArrays {
    Conv(Conv2d),
    FullyConnected(MatMul),
}

impl OnArrays {
    const fn new(layer: &LinearLayer) -> Self {
        let (weight_bits, bits) = (layer.weight_bits, layer.bits);
        match layer.shape {
            LinearShape::Conv(spec) => Self::Conv(Conv2d {
                spec,
                weight_bits,
                bits,
            }),
            LinearShape::FullyConnected { inputs, outputs } => Self::FullyConnected(MatMul {
                m: outputs,
                k: inputs,
                n: 1,
                weight_bits,
                bits,
            }),
        }
    }
}

/// The protocol of [`Direct`].
#[derive(Debug)]
struct DirectProtocol {
    layer: LinearLayer,
    cost: Cost,
}

impl DirectProtocol {
    /// The batch of products, which has an entry for every row of inputs: it is made for a run and not kept, so
    /// that a plan takes no memory.
    fn products(&self) -> Result<Products, Error> {
        match OnArrays::new(&self.layer) {
            OnArrays::Conv(conv) => conv.products(),
            OnArrays::FullyConnected(product) => product.products(),
        }
    }
}

impl LinearProtocol for DirectProtocol {
    fn name(&self) -> &'static str {
        Direct.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn timing(&self) -> Timing {
        Timing::Alone(self.cost.clone())
    }

    fn work(&self) -> Work {
        let LinearLayer {
            shape,
            weight_bits,
            bits,
        } = self.layer;
        let words = shape.macs() * words(weight_bits.get(), bits.get());
        Work::of([(work::ROWS, self.cost.cots.total()), (work::WORDS, words)])
    }

    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let LayerParameters { weights, bias } = parameters;
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            let mut y = clear::layer(&self.layer, weights, x);
            let products = self.products()?;
            let cross = party.alone(|session| products.run_server_cross(session, weights))?;
            slices::add_assign(self.layer.bits, &mut y, &cross);
            add_bias(self.layer.bits, &mut y, bias);
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            let products = self.products()?;
            party.alone(|session| products.run_client(session, x))
        })
    }
}
