//! Linear layers by ring-LWE.

mod axis;
mod client;
mod geometry;
mod keys;
mod layout;
#[cfg(test)]
mod layout_tests;
mod places;
mod plan;
#[cfg(test)]
mod plan_tests;
mod price;
mod protocol;
mod search;
mod server;
mod tag;

pub(crate) use plan::PLANS;
pub use protocol::RingLwe;
