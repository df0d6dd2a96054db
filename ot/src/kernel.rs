//! Channel-free computation.

pub(crate) mod bits;
pub(crate) mod fold;
pub(crate) mod ggm;
pub(crate) mod leaf;
pub(crate) mod planes;
pub(crate) mod row;
pub(crate) mod transpose;
