//! Channel-free computation.

pub(crate) mod bits;
pub(crate) mod correct;
pub(crate) mod fold;
pub(crate) mod ggm;
pub(crate) mod half_tree;
pub(crate) mod planes;
pub(crate) mod row;
pub(crate) mod secret;
pub(crate) mod transpose;
