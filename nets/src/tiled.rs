//! Winograd convolutions of the integer graph: their type, their name in the model file, and the
//! secure step.

use linear::ConvSpec;
use ndarray::ArrayView4;
use ring_arith::Bits;
use serde::{Deserialize, Deserializer, Serializer, de};
use sharing::Session;
use winograd::{Filters, Tile, WinogradConv};
use zeroize::Zeroizing;

use crate::igraph::{IntGraph, IntOp, TensorType};
use crate::infer::MAX_PATCH;
use crate::plan::conv_spec;
use crate::shape::Shape;
use crate::{Error, LayerWeights};

/// The most values the transforms of one layer may make, input and output together.
const MAX_TRANSFORMED: usize = 1 << 27;

/// The name of a tile in the model file.
pub(crate) const fn slug(tile: Tile) -> &'static str {
    match tile {
        Tile::F2x2_3x3 => "f2x2-3x3",
        Tile::F4x4_3x3 => "f4x4-3x3",
        Tile::F2x2_5x5 => "f2x2-5x5",
    }
}

/// For serde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(crate) fn serialize<S: Serializer>(tile: &Tile, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(slug(*tile))
}

/// For serde.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tile, D::Error> {
    let name = String::deserialize(deserializer)?;
    let tile = Tile::ALL.into_iter().find(|&tile| slug(tile) == name);
    tile.ok_or_else(|| de::Error::custom("unknown Winograd tile"))
}

/// Points of a whole tile along one axis.
pub(crate) const fn points(tile: Tile) -> usize {
    tile.outputs() + tile.kernel()[0] - 1
}

impl IntOp {
    /// For a Winograd convolution, the direct one, and the tile.
    pub(crate) fn untiled(&self) -> Option<(Self, Tile)> {
        let &Self::Winograd {
            out_channels,
            groups,
            window,
            weight_bits,
            weight_scale,
            tile,
        } = self
        else {
            return None;
        };
        let conv = Self::Conv {
            out_channels,
            groups,
            window,
            weight_bits,
            weight_scale,
        };
        Some((conv, tile))
    }

    /// For a convolution, the same by Winograd's algorithm.
    pub(crate) fn tiled(&self, tile: Tile) -> Option<Self> {
        let &Self::Conv {
            out_channels,
            groups,
            window,
            weight_bits,
            weight_scale,
        } = self
        else {
            return None;
        };
        Some(Self::Winograd {
            out_channels,
            groups,
            window,
            weight_bits,
            weight_scale,
            tile,
        })
    }
}

/// The type of a Winograd convolution, given that of the direct one.
pub(crate) fn tiled_type(op: &IntOp, x: TensorType, y: TensorType) -> Result<TensorType, String> {
    let &IntOp::Winograd {
        window,
        weight_bits,
        tile,
        ..
    } = op
    else {
        return Err("it is no Winograd convolution".into());
    };
    if window.kernel != tile.kernel() || window.stride != [1, 1] {
        return Err(format!("{tile} does not do {window:?}"));
    }
    if weight_bits > tile.max_weight_bits() {
        return Err(format!("{tile} does not do weights of {weight_bits} bits"));
    }
    let (bits, guard) = (y.bits().get(), tile.guard_bits());
    let ring = Bits::new(bits + guard)
        .ok_or_else(|| format!("{bits} bits and {guard} guard bits exceed 64"))?;
    check_size(tile, x.shape, y.shape)?;
    let scale = y.fixed.scale.checked_add(guard.cast_signed());
    let scale = scale.ok_or("its scale is out of range")?;
    Ok(TensorType::new(y.shape, ring, scale, false))
}

/// Whether the transforms of a layer stay within the limits of a graph.
pub(crate) fn check_size(tile: Tile, x: Shape, y: Shape) -> Result<(), String> {
    // A tile that is begun is counted as a whole one.
    let along = |outputs: usize| {
        let tiles = outputs.div_ceil(tile.outputs());
        tiles.saturating_mul(points(tile))
    };
    let made = along(y.height)
        .saturating_mul(along(y.width))
        .saturating_mul(x.channels + y.channels);
    let patch = points(tile) * points(tile);
    if made > MAX_TRANSFORMED || x.channels.saturating_mul(patch) > MAX_PATCH {
        return Err(format!("the transforms of {tile} are too large"));
    }
    Ok(())
}

/// A Winograd convolution of the plan. Its tables are made for each use: kept, those of a graph of
/// many layers would take much memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiled {
    pub(crate) spec: ConvSpec,
    tile: Tile,
    weight_bits: Bits,
    /// The ring of x.
    bits: Bits,
}

impl Tiled {
    /// The step for a node.
    ///
    /// # Panics
    /// If the node is no Winograd convolution.
    pub(crate) fn new(graph: &IntGraph, node: usize) -> Result<Self, Error> {
        let IntOp::Winograd {
            groups,
            window,
            weight_bits,
            tile,
            ..
        } = graph.nodes()[node].op
        else {
            unreachable!("the caller looked")
        };
        let x = graph.input_type(node, 0);
        let this = Self {
            spec: conv_spec(x, &graph.types()[node], groups, window)?,
            tile,
            weight_bits: Bits::of(weight_bits),
            bits: x.bits(),
        };
        this.conv()?;
        Ok(this)
    }

    /// The protocol.
    pub(crate) fn conv(&self) -> Result<WinogradConv, Error> {
        Ok(WinogradConv::new(
            self.spec,
            self.tile,
            self.weight_bits,
            self.bits,
        )?)
    }

    /// Its name in reports.
    pub(crate) const fn algorithm(&self) -> &'static str {
        match self.tile {
            Tile::F2x2_3x3 => "ot, winograd F(2x2, 3x3)",
            Tile::F4x4_3x3 => "ot, winograd F(4x4, 3x3)",
            Tile::F2x2_5x5 => "ot, winograd F(2x2, 5x5)",
        }
    }

    pub(crate) const fn tile(&self) -> Tile {
        self.tile
    }

    /// The transformed weights.
    pub(crate) fn prepare(&self, layer: &LayerWeights) -> Result<Filters, Error> {
        let weights = ArrayView4::from_shape(self.spec.weight_shape(), &layer.weights);
        let weights = weights.expect("check() compared the sizes");
        Ok(self.conv()?.prepare(weights)?)
    }

    /// Shares of 2^g times convolution and bias mod 2^(l+g), from shares of x mod 2^l.
    ///
    /// These serve as shares mod 2^(l+g) as they are: what they then add up to is x plus perhaps
    /// 2^l, and 2^g times the convolution mod 2^(l+g) depends on x mod 2^l only.
    pub(crate) fn run(
        &self,
        s: &mut Session,
        x: &[u64],
        weights: Option<(&LayerWeights, &Filters)>,
    ) -> Result<Vec<u64>, Error> {
        let [channels, height, width] = self.spec.input_shape();
        let x = ArrayView4::from_shape((1, channels, height, width), x);
        let x = x.expect("types give the shape");
        let conv = self.conv()?;
        let Some((layer, filters)) = weights else {
            return Ok(conv.run_client(s, x)?.into_raw_vec_and_offset().0);
        };
        let y = conv.run_server_prepared(s, filters, x)?;
        let mut y = y.into_raw_vec_and_offset().0;
        let raised = layer.bias.iter().map(|bias| bias << conv.guard_bits());
        let raised = Zeroizing::new(raised.collect::<Vec<_>>());
        linear::add_bias(conv.ring(), &mut y, &raised);
        Ok(y)
    }
}
