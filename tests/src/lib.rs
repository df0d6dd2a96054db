//! Tests that no single crate can hold: the layering of the workspace, and how costs add up across
//! crates. End-to-end runs of two processes are in `cli/tests`, beside the program they start.

/// The root of the workspace.
pub const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
