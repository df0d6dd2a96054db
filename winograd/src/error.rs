//! What can go wrong in this crate.

use crate::Tile;

/// A convolution that a tile cannot compute, or products that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tile is for another kernel.
    #[error(
        "{tile} does not take kernels of {} x {}; {}",
        kernel[0], kernel[1], instead(*kernel)
    )]
    Kernel {
        /// The tile that was asked for.
        tile: Tile,
        /// Rows and columns of the kernel.
        kernel: [usize; 2],
    },
    /// The stride is not 1.
    #[error(
        "{tile} needs stride 1 x 1, not {} x {}; the direct convolution takes any stride",
        stride[0], stride[1]
    )]
    Stride {
        /// The tile that was asked for.
        tile: Tile,
        /// Rows and columns from one output to the next.
        stride: [usize; 2],
    },
    /// The dilation is not 1.
    #[error(
        "{tile} needs dilation 1 x 1, not {} x {}; the direct convolution takes any dilation",
        dilation[0], dilation[1]
    )]
    Dilation {
        /// The tile that was asked for.
        tile: Tile,
        /// Rows and columns between inputs that meet neighbouring weights.
        dilation: [usize; 2],
    },
    /// Ring and guard bits together exceed 64 bits.
    #[error(
        "a ring of {bits} bits and the {} guard bits of {tile} exceed 64; {}",
        tile.guard_bits(), narrower(*tile, *bits)
    )]
    Guard {
        /// The tile that was asked for.
        tile: Tile,
        /// Width of the ring without the guard bits.
        bits: u32,
    },
    /// The transformed weights would exceed 32 bits.
    #[error(
        "{tile} takes weights of at most {} bits, not {bits}; the direct convolution takes 32",
        tile.max_weight_bits()
    )]
    WeightBits {
        /// The tile that was asked for.
        tile: Tile,
        /// Width of the weights.
        bits: u32,
    },
    /// The products failed, or their operands are not as declared.
    #[error(transparent)]
    Linear(#[from] linear::Error),
}

impl From<sharing::Error> for Error {
    fn from(error: sharing::Error) -> Self {
        Self::Linear(error.into())
    }
}

/// What can compute a convolution with this kernel.
fn instead(kernel: [usize; 2]) -> String {
    let names: Vec<_> = Tile::for_kernel(kernel)
        .map(|tile| tile.to_string())
        .collect();
    if names.is_empty() {
        "the direct convolution does (there are tiles for 3 x 3 and 5 x 5)".to_owned()
    } else {
        format!("{} and the direct convolution do", names.join(", "))
    }
}

/// What would do for a ring that is too wide for a tile.
fn narrower(tile: Tile, bits: u32) -> String {
    let other = Tile::for_kernel(tile.kernel()).find(|t| bits + t.guard_bits() <= 64);
    let most = 64 - tile.guard_bits();
    match other {
        Some(other) => {
            format!("a ring of at most {most} bits, {other} or the direct convolution would do")
        }
        None => format!("a ring of at most {most} bits or the direct convolution would do"),
    }
}
