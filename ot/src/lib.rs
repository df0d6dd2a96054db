#![doc = include_str!("../README.md")]

mod backend;
mod background;
pub mod base;
mod chosen;
mod cost;
mod endpoint;
mod error;
mod extension;
mod fill;
pub mod hash;
pub mod ideal;
mod kernel;
mod pool;
pub mod prg;
mod price;
mod rot;
mod rows;
mod silent;
mod softspoken;
mod stock;
mod tally;
mod words;

#[doc = include_str!("../docs/consistency.md")]
pub mod consistency {}

pub use backend::Backend;
pub use background::Background;
pub use cost::{chosen_cost, cot_rows_cost, cot_words_batch_cost, cot_words_cost, rot_cost};
pub use endpoint::{OtReceiver, OtSender};
pub use error::Error;
pub use extension::{EXTENSIONS, Extension, SoftSpoken, default_extension};
pub use fill::fill_cost;
pub use pool::{RcotReceiver, RcotSender};
pub use price::CotPrice;
pub use rows::{ReceiveRows, SUPER_TILE, SendRows};
pub use silent::{Silent, SilentReceiver, SilentSender, SilentSet};
pub use softspoken::{SoftSpokenReceiver, SoftSpokenSender};
pub use stock::{Draw, End, Form, Stock, stock_len};
pub use tally::{RowRun, RowTally};
pub use words::{ReceivingWords, SendingWords};

/// A 128-bit string: an OT key, a correlation, a seed. Bit `j` is `1 << j`; on the wire
/// little-endian.
pub type Block = u128;

/// What both parties must have in common, by name: AGREEMENT and SECURITY constants, for the digest
/// that the handshake compares.
pub const AGREEMENT: &[(&str, u64)] = &[
    ("ot computational security", 128),
    ("ot super-tile", SUPER_TILE as u64),
    ("ot hash epoch", 1 << hash::EPOCH_BITS),
    ("ot stock batch", fill::BATCH as u64),
];
