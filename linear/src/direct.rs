//! Every linear layer, by oblivious transfers in which the bits of the weights choose.

use channel::Cost;
use ndarray::{ArrayView2, ArrayView4};
use ring_arith::slices;
use sharing::Session;

use crate::batch::words;
use crate::protocol::{LinearAlgorithm, LinearProtocol, Prepared, Refusal};
use crate::{
    Conv2d, Error, LayerParameters, LinearLayer, LinearShape, MatMul, Products, Work, add_bias,
    clear, work,
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

    /// W·x for the server's own share x.
    fn own(&self, weights: &[i32], x: &[u64]) -> Vec<u64> {
        let bits = self.layer.bits;
        let y = match &self.layer.shape {
            LinearShape::Conv(spec) => {
                let weights = ArrayView4::from_shape(spec.weight_shape(), weights);
                let [c, h, w] = spec.input_shape();
                let x = ArrayView4::from_shape((1, c, h, w), x);
                let (weights, x) = weights.ok().zip(x.ok()).expect("the lengths were compared");
                clear::conv2d(spec, bits, weights, x).into_raw_vec_and_offset()
            }
            LinearShape::FullyConnected { inputs, outputs } => {
                let weights = ArrayView2::from_shape((*outputs, *inputs), weights);
                let x = ArrayView2::from_shape((*inputs, 1), x);
                let (weights, x) = weights.ok().zip(x.ok()).expect("the lengths were compared");
                clear::matmul(bits, weights, x).into_raw_vec_and_offset()
            }
        };
        y.0
    }
}

impl LinearProtocol for DirectProtocol {
    fn name(&self) -> &'static str {
        Direct.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn cost(&self) -> Cost {
        self.cost.clone()
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

    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error> {
        self.layer.check_parameters(parameters)?;
        Ok(Prepared::nothing())
    }

    fn serve(
        &self,
        session: &mut Session,
        parameters: LayerParameters<'_>,
        _: &Prepared,
        x: &[u64],
    ) -> Result<Vec<u64>, Error> {
        session.attempt(|session| {
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            let mut y = self.own(parameters.weights, x);
            let cross = self
                .products()?
                .run_server_cross(session, parameters.weights)?;
            slices::add_assign(self.layer.bits, &mut y, &cross);
            add_bias(self.layer.bits, &mut y, parameters.bias);
            Ok(y)
        })
    }

    fn request(&self, session: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        session.attempt(|session| {
            self.layer.check_input(x)?;
            self.products()?.run_client(session, x)
        })
    }
}
