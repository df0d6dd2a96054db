//! Channel-free parts of the protocols: shapes, layouts and bit-sliced tables.

pub(crate) mod bitstream;
pub(crate) mod bracket;
pub(crate) mod leaf;
pub(crate) mod planes;
