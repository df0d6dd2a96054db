//! The rectifier whose direction, channel by channel, only the server knows.

use channel::Cost;
use nonlinear::Drelu;
use ring_arith::{BitVec, Bits};
use sharing::{Mux, Session};

use crate::plan::CHUNK;
use crate::{Error, LayerWeights};

/// y·(\[y ≥ 0\] ⊕ n) for y = x + shift.
///
/// **Functionality.** From shares of x mod 2^bits, and from the server a shift and a bit n for each
/// channel, fresh shares of y = x + shift mod 2^bits where y ≥ 0 (signed) differs from n, else of 0.
///
/// **Protocol.** The server adds the shifts to its share and XORs the bits n into its share of
/// [`Drelu`]; then [`Mux`].
///
/// **Security.** Semi-honest; shifts and bits enter the server's own shares only.
///
/// **Cost.** That of a `ReLU`: [`Drelu`] then [`Mux`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedRelu {
    bits: Bits,
    sign: Drelu,
}

impl SignedRelu {
    /// Values of `bits` bits, where one COT costs `cot_price` bits of traffic.
    pub(crate) fn new(bits: Bits, cot_price: u32) -> Self {
        let sign = Drelu::new(bits, cot_price);
        Self { bits, sign }
    }

    /// Shares of a whole tensor's result, channels first; the server gives its parameters.
    pub(crate) fn run_chunks(
        &self,
        s: &mut Session,
        x: &[u64],
        layer: Option<&LayerWeights>,
    ) -> Result<Vec<u64>, Error> {
        let mut shifted = zeroize::Zeroizing::new(x.to_vec());
        let mut flips = BitVec::zeros(x.len());
        if let Some(layer) = layer {
            linear::add_bias(self.bits, &mut shifted, &layer.bias);
            let plane = x.len() / layer.weights.len();
            flips = BitVec::from_fn(x.len(), |i| layer.weights[i / plane] < 0);
        }
        let mut out = Vec::with_capacity(x.len());
        for (chunk, x) in shifted.chunks(CHUNK).enumerate() {
            let mut keep = self.sign.run(s, x)?;
            keep.xor_assign(&flips.slice(chunk * CHUNK, x.len()));
            let bits = self.bits;
            out.append(&mut Mux { bits }.run(s, &keep, x)?);
        }
        Ok(out)
    }

    /// The cost for `n` values.
    pub(crate) fn cost(&self, n: usize) -> Cost {
        let bits = self.bits;
        self.sign.cost(n).then(Mux { bits }.cost(n))
    }
}
