#![doc = include_str!("../README.md")]

mod client;
mod control;
mod error;
mod findings;
mod progress;
mod seed;
mod server;
mod tally;
mod terms;

pub use client::{Client, Request};
pub use error::Error;
pub use findings::{Comm, Finding, Findings, Times};
pub use progress::Progress;
pub use server::{Served, Server, ServerOptions};
pub use terms::WIRE_VERSION;

// What callers have to name of the crates below, besides `channel` and `nets`.
pub use ot::{Extension, SoftSpoken, default_extension};
pub use secure::{LayerPlan, LayerReport, Mode, Progress as Step, SecureNetwork};

/// The streams that a session opens, each once at both ends: online traffic, the refills in which the server and in
/// which the client is the sender, and the conversation around them.
pub const STREAMS: [u32; 4] = [
    channel::ONLINE,
    channel::REFILL_SERVER_SENDS,
    channel::REFILL_CLIENT_SENDS,
    control::CONTROL,
];

/// Tells the pools what all runs of a session will draw; both parties tell them the same.
fn reserve(session: &mut sharing::Session, network: &SecureNetwork, runs: u64) {
    let layers = network.plan().iter().map(|layer| layer.cost.cots);
    let mut cots = layers.fold(channel::Cots::default(), channel::Cots::plus);
    cots.server_sends = cots.server_sends.saturating_mul(runs);
    cots.client_sends = cots.client_sends.saturating_mul(runs);
    session.reserve(cots);
}
