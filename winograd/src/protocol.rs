//! Every tile as an algorithm for linear layers.

use channel::Cost;
use linear::{
    ConvSpec, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, Prepared,
    Refusal, Timing, Turn, Work, add_bias, work,
};
use ndarray::ArrayView4;
use ring_arith::Bits;
use sharing::Party;
use zeroize::Zeroizing;

use crate::{Error, Filters, Tile, WinogradConv};

/// The most values that the transforms of one layer may make, of input and output together, so that a
/// layer from a peer cannot take all memory. LOCAL: a party with a smaller bound refuses the layer.
const MAX_TRANSFORMED: usize = 1 << 27;
/// The most transformed inputs that an output position may depend on; LOCAL as well.
const MAX_PATCH: usize = 1 << 22;

impl LinearAlgorithm for Tile {
    fn name(&self) -> &'static str {
        match self {
            Self::F2x2_3x3 => "winograd-f2x2-3x3",
            Self::F4x4_3x3 => "winograd-f4x4-3x3",
            Self::F2x2_5x5 => "winograd-f2x2-5x5",
        }
    }

    fn guard_bits(&self) -> u32 {
        Self::guard_bits(*self)
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let LinearShape::Conv(spec) = &layer.shape else {
            let advice = format!("{self} is for convolutions only; direct takes every layer");
            return Err(Refusal::new(advice));
        };
        if spec.kernel() == self.kernel() {
            check_size(*self, spec)?;
        }
        let conv = WinogradConv::new(*spec, *self, layer.weight_bits, layer.bits);
        let conv = conv.map_err(|error| refusal(*self, &error))?;
        Ok(Box::new(WinogradProtocol {
            layer: *layer,
            cost: conv.cost(),
            conv,
        }))
    }
}

/// Refuses layers of which the transforms would take too much memory.
fn check_size(tile: Tile, spec: &ConvSpec) -> Result<(), Refusal> {
    // A tile that reaches over the edge counts as a whole one.
    let along = |outputs: usize| {
        let tiles = outputs.div_ceil(tile.outputs());
        tiles.saturating_mul(tile.points())
    };
    let [c_in, ..] = spec.input_shape();
    let [c_out, height, width] = spec.output_shape();
    let made = along(height)
        .saturating_mul(along(width))
        .saturating_mul(c_in + c_out);
    let patch = tile.points() * tile.points();
    if made > MAX_TRANSFORMED || c_in.saturating_mul(patch) > MAX_PATCH {
        let problem = format!("the transforms of {tile} are too large");
        let advice = format!("{problem}; direct takes every layer");
        return Err(Refusal::new(advice).because(problem));
    }
    Ok(())
}

/// An error as a refusal.
fn refusal(tile: Tile, error: &Error) -> Refusal {
    let refusal = Refusal::new(error.to_string());
    match error {
        // A tile for another kernel is no candidate at all.
        Error::Kernel { .. } => refusal,
        Error::Stride { stride, .. } => {
            refusal.because(format!("stride {} x {}", stride[0], stride[1]))
        }
        Error::Dilation { dilation, .. } => {
            refusal.because(format!("dilation {} x {}", dilation[0], dilation[1]))
        }
        Error::Guard { bits, .. } => {
            let guard = tile.guard_bits();
            refusal.because(format!(
                "a ring of {bits} + {guard} bits exceeds 64 ({tile})"
            ))
        }
        Error::WeightBits { bits, .. } => {
            refusal.because(format!("weights of {bits} bits grow beyond 32 ({tile})"))
        }
        Error::Linear(error) => refusal.because(error.to_string()),
    }
}

/// The protocol of a tile.
#[derive(Debug)]
struct WinogradProtocol {
    layer: LinearLayer,
    conv: WinogradConv,
    cost: Cost,
}

impl WinogradProtocol {
    fn image<'a>(&self, x: &'a [u64]) -> ArrayView4<'a, u64> {
        let [c, h, w] = self.conv.spec().input_shape();
        ArrayView4::from_shape((1, c, h, w), x).expect("the inputs of the layer")
    }
}

impl LinearProtocol for WinogradProtocol {
    fn name(&self) -> &'static str {
        LinearAlgorithm::name(&self.conv.tile())
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn output_bits(&self) -> Bits {
        self.conv.ring()
    }

    fn timing(&self) -> Timing {
        Timing::Alone(self.cost.clone())
    }

    fn work(&self) -> Work {
        let spec = self.conv.spec();
        let channels = (spec.input_shape()[0] + spec.output_shape()[0]) as u64;
        let batch = self.conv.batch();
        let made = batch.iter().map(|at| channels * at.len as u64).sum();
        let transforms = Work::of([(work::ELEMENTS, made)]);
        linear::products_work(&batch, &self.cost).plus(&transforms)
    }

    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, linear::Error> {
        self.layer.check_parameters(parameters)?;
        let weights = ArrayView4::from_shape(self.conv.spec().weight_shape(), parameters.weights);
        let weights = weights.expect("the lengths were compared");
        let filters = self.conv.prepare(weights).map_err(linear_error)?;
        let bytes = size_of_val(filters.values());
        Ok(Prepared::new(filters, bytes))
    }

    /// Shares of x mod 2^l are used as shares mod 2^(l+g), unchanged. There they add up to x or to
    /// x + 2^l, and 2^g times the convolution mod 2^(l+g) depends on x mod 2^l only.
    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        prepared: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            let filters = prepared.get::<Filters>();
            let filters = filters.expect("prepared by this protocol");
            let image = self.image(x);
            let y = party.alone(|s| self.conv.run_server_prepared(s, filters, image));
            let mut y = y.map_err(linear_error)?.into_raw_vec_and_offset().0;
            let raised = parameters.bias.iter().map(|b| b << self.conv.guard_bits());
            let raised = Zeroizing::new(raised.collect::<Vec<_>>());
            add_bias(self.conv.ring(), &mut y, &raised);
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            let y = party.alone(|s| self.conv.run_client(s, self.image(x)));
            Ok(y.map_err(linear_error)?.into_raw_vec_and_offset().0)
        })
    }
}

fn linear_error(error: Error) -> linear::Error {
    match error {
        Error::Linear(error) => error,
        other => linear::Error::Backend(Box::new(other)),
    }
}
