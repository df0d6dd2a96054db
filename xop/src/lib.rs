//! The X-operator: a family of cheaper drop-ins for k × k convolutions in secure inference.
//!
//! Under oblivious transfer a convolution costs its multiplications, so a dense k × k layer is dear
//! and a depthwise or grouped one is not. [`XOp`] shuffles the channels, takes some of them
//! through a k × k depthwise convolution, leaves the others as they are, and mixes all of them by a
//! 1 × 1 convolution. It has the shapes of the convolution that it replaces, and no activation
//! inside.
//!
//! This is our reading of the paper's X-operator, whose formula we do not have: the README says
//! what it rests on.
//!
//! [`XOp::lower`] gives the linear steps, for whoever has a graph; [`clear::evaluate`] computes
//! them on clear integers; [`analyse`] compares what every member of the family costs with what
//! other blocks do.
//!
//! ```
//! use xop::{Operation, Spatial, XOp};
//!
//! // Instead of a 3 x 3 convolution of 64 to 32 channels, stride 2: half of them through 3 x 3.
//! let op = XOp::new([64, 32], 3, 2, Spatial::Half, 4)?;
//! let steps = op.lower([80, 80])?;
//! let names: Vec<_> = steps.iter().map(|step| step.operation.name()).collect();
//! assert_eq!(
//!     names,
//!     [
//!         "shuffle", "slice", "depthwise", "rescale", "slice", "subsample", "concat",
//!         "pointwise", "shuffle",
//!     ]
//! );
//! let Operation::Pointwise(last) = steps[7].operation else { unreachable!() };
//! assert_eq!(last.output_shape(), [32, 40, 40]);
//! # Ok::<(), xop::Error>(())
//! ```
//!
//! Paper: \[GGS+22\] Ganesan, Bhattacharya, Kumar, Gupta, Sharma, Chandran. *Efficient ML Models
//! for Practical Secure Inference*. arXiv 2209.00411.

mod analyse;
pub mod clear;
mod error;
mod spatial;
mod spec;

pub use analyse::{Analysis, Layer, Member, Rescale, Widths, analyse};
pub use error::{Error, Warning};
pub use spatial::Spatial;
pub use spec::{Operation, Step, XOp};
