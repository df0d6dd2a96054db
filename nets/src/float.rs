//! Networks of floats: operations, parameters, and how they are computed and simplified.

pub(crate) mod curve;
pub(crate) mod executor;
pub(crate) mod fold;
pub(crate) mod gemm;
pub(crate) mod op;
pub(crate) mod provenance;
pub(crate) mod safetensors;
pub(crate) mod standardise;
pub(crate) mod tensors;
