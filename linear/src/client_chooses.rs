//! Fully connected layers, the bits of the client's share choosing.

use channel::{Cost, Role};
use ndarray::{ArrayView1, ArrayView2};
use sharing::Session;

use crate::direct::words;
use crate::protocol::{LinearAlgorithm, LinearProtocol, Prepared, Refusal};
use crate::{
    Error, FullyConnected, LayerParameters, LinearLayer, LinearShape, Work, add_bias, work,
};

/// Columns of the weights, chosen by the bits of the client's share: [`FullyConnected`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct ClientChooses;

impl LinearAlgorithm for ClientChooses {
    fn name(&self) -> &'static str {
        "client-chooses"
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let LinearShape::FullyConnected { inputs, outputs } = layer.shape else {
            let advice = "client-chooses is for fully connected layers; direct does";
            return Err(Refusal::new(advice));
        };
        let columns = FullyConnected {
            inputs,
            outputs,
            weight_bits: layer.weight_bits,
            bits: layer.bits,
            chooser: Role::Client,
        };
        let cost = columns.cost()?;
        let layer = *layer;
        Ok(Box::new(ClientChoosesProtocol {
            layer,
            columns,
            cost,
        }))
    }
}

/// The protocol of [`ClientChooses`].
#[derive(Debug)]
struct ClientChoosesProtocol {
    layer: LinearLayer,
    columns: FullyConnected,
    cost: Cost,
}

impl LinearProtocol for ClientChoosesProtocol {
    fn name(&self) -> &'static str {
        ClientChooses.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn cost(&self) -> Cost {
        self.cost.clone()
    }

    fn work(&self) -> Work {
        let bits = self.layer.bits.get();
        let words = self.layer.shape.macs() * words(bits, bits);
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
            let shape = (self.columns.outputs, self.columns.inputs);
            let weights = ArrayView2::from_shape(shape, parameters.weights);
            let weights = weights.expect("the lengths were compared");
            let mut y = self.columns.serve_columns(session, weights, x.into())?;
            add_bias(self.layer.bits, &mut y, parameters.bias);
            Ok(y)
        })
    }

    fn request(&self, session: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        session.attempt(|session| {
            self.layer.check_input(x)?;
            self.columns.request_columns(session, ArrayView1::from(x))
        })
    }
}
