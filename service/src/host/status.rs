//! What a host does at the moment.

use serde::Serialize;

/// What a [`crate::Host`] does at the moment, and what it has done; for `/status` and the like. It tells who is served.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// The name of the model of sessions that begin now.
    pub model: String,
    /// Its digest, in hexadecimal digits.
    pub digest: String,
    /// Seconds since the host was made.
    pub uptime_s: u64,
    /// The sessions at hand, the oldest first.
    pub sessions: Vec<SessionStatus>,
    /// Clients in line.
    pub waiting: usize,
    /// What has ended so far.
    pub totals: Totals,
    /// The preparations of all clients; `None` where the store does not answer.
    pub stock: Option<StockStatus>,
    /// Why the store does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock_fault: Option<String>,
}

/// A session at hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct SessionStatus {
    /// The name of the client, or where nobody is asked who he is, its address.
    pub client: String,
    /// Seconds since it began.
    pub since_s: u64,
    /// Images that were begun.
    pub images: u64,
}

/// Sums over sessions that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Sessions that were served.
    pub served: u64,
    /// Sessions that were refused.
    pub refused: u64,
    /// Sessions that failed.
    pub failed: u64,
    /// Images of sessions that were served.
    pub images: u64,
    /// Preparations that were made.
    pub prepared: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

/// Preparations that are still good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct StockStatus {
    /// How many.
    pub preparations: u64,
    /// Their bytes.
    pub bytes: u64,
}
