//! Fully connected layers, by oblivious transfers in which the bits of the client's share choose.

use channel::Cost;
use ring_arith::slices;
use sharing::Party;

use crate::batch::words;
use crate::columns::Columns;
use crate::{
    LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, Prepared, Refusal,
    Timing, Turn, Work, add_bias, clear, work,
};

/// For fully connected layers: each product of a column of weights with an input is made by correlated
/// OTs in which the bits of the client's share of the input choose.
///
/// **Functionality.** That of [`LinearProtocol`], for fully connected layers.
///
/// **Protocol.** y = W·x_S + W·x_C, the first term local to the server. For the second, as in
/// [RRK+20]: bit j of element k of the client's share selects column k of W, all outputs in one COT
/// mod 2^(l−j); shifted by j, the results sum up to the product.
///
/// **Security.** Semi-honest, from the security of [`ot::OtSender::cot_rows`]. The server's outputs are
/// its COT randomness, the client's are masked by it.
///
/// **Cost.** `inputs·l` COTs in which the server sends, each with 1 bit to the server and
/// ceil(outputs·(l−j)/8) bytes back; two flights per super-tile of COTs. [`LinearProtocol::cost`] is
/// exact. [`Direct`](crate::Direct) takes `inputs·outputs·min(w, l)` COTs of one element in place of
/// these: this algorithm is the better one where outputs are many or weights are wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct ClientChooses;

impl LinearAlgorithm for ClientChooses {
    fn name(&self) -> &'static str {
        "client-chooses"
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let LinearShape::FullyConnected { inputs, outputs } = layer.shape else {
            let advice =
                "client-chooses is for fully connected layers only; direct takes every layer";
            return Err(Refusal::new(advice));
        };
        let columns = Columns::new(inputs, outputs, layer.bits)?;
        Ok(Box::new(ClientChoosesProtocol {
            layer: *layer,
            columns,
            cost: columns.cost(),
        }))
    }
}

/// The protocol of [`ClientChooses`].
#[derive(Debug)]
struct ClientChoosesProtocol {
    layer: LinearLayer,
    columns: Columns,
    cost: Cost,
}

impl LinearProtocol for ClientChoosesProtocol {
    fn name(&self) -> &'static str {
        ClientChooses.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn timing(&self) -> Timing {
        Timing::Alone(self.cost.clone())
    }

    fn work(&self) -> Work {
        let bits = self.layer.bits.get();
        let words = self.layer.shape.macs() * words(bits, bits);
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
            let cross = party.alone(|session| self.columns.serve(session, weights))?;
            let mut y = clear::layer(&self.layer, weights, x);
            slices::add_assign(self.layer.bits, &mut y, &cross);
            add_bias(self.layer.bits, &mut y, bias);
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            party.alone(|session| self.columns.request(session, x))
        })
    }
}
