#![doc = include_str!("../README.md")]

mod argmax;
mod channel_extend;
mod choices;
mod chunked;
pub mod clear;
mod clip;
mod compare;
mod drelu;
mod error;
mod extend;
mod form;
mod hard_swish;
mod kernel;
mod maxpool;
mod millionaires;
mod pool2d;
mod quotient;
mod relu;
mod signed_relu;
mod truncate;
mod wrap;

pub use argmax::{ArgMax, Winner};
pub use channel_extend::ChannelExtend;
pub use chunked::Chunked;
pub use clip::Clip;
pub use drelu::Drelu;
pub use error::Error;
pub use extend::{Range, SignExtend, ZeroExtend};
pub use hard_swish::HardSwish;
pub use maxpool::MaxPool;
pub use millionaires::{Comparison, Millionaire, SplitMillionaire};
pub use pool2d::Pool2d;
pub use quotient::{Quotient, Quotients};
pub use relu::Relu;
pub use signed_relu::{ChannelSigns, SignedRelu};
pub use truncate::{TruncFaithful, TruncReduce};
