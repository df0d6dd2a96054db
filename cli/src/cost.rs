//! What a network costs before it runs: bytes, flights and seconds, layer by layer and lever by lever.

pub(crate) mod ablation;
pub(crate) mod estimate;
pub(crate) mod machine;
pub(crate) mod options;
pub(crate) mod preparation;
pub(crate) mod savings;
mod svg;
pub(crate) mod wire;
