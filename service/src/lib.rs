#![doc = include_str!("../README.md")]

mod audit;
mod client;
mod control;
mod error;
mod findings;
mod host;
mod measure;
mod meeting;
mod modes;
mod prepare;
mod progress;
mod seed;
mod server;
mod shelf;
mod stocked;
mod store;
mod tally;
mod terms;
mod traffic;
mod words;

pub use audit::{
    Audit, AuditError, AuditEvent, AuditLink, AuditedStore, Broken, Chain, Ended, Party,
};
pub use client::{Client, Request};
pub use error::Error;
pub use findings::{Comm, Finding, Findings, Times};
pub use host::{
    Allowance, AllowanceOf, AuditTo, Event, Host, HostOptions, HostStatus, NotReady, Peer, Ran,
    RefusalKind, SessionStatus, StockStatus, Totals,
};
pub use measure::Line;
pub use meeting::Meeting;
pub use modes::Modes;
pub use prepare::{Preparation, Prepared};
pub use progress::Progress;
pub use server::{Asked, Served, Server, ServerOptions};
pub use shelf::Shelf;
pub use stocked::{Otherwise, PassedOver, Unfit};
pub use store::{
    Account, Charge, ClientKey, DOUBT, Damage, Discard, Doubts, Fate, Lot, MAX_LOT, MemoryStore,
    Owner, Quota, QuotaKind, Refusal, Room, Said, Stock, Store, StoreError, Token, Usage, Verdict,
    doubted,
};
#[doc(hidden)]
pub use store::{lot_contract, store_contract};
pub use terms::WIRE_VERSION;

// The crates below whose types callers name, and what they name of others.
pub use ot::{EXTENSIONS, Extension};
pub use secure::{
    ExtensionChoice, LayerPlan, LayerReport, Limits, Mode, NetworkSpeed, Progress as Step,
    SecureNetwork,
};
pub use {channel, nets};

/// The streams that a session opens, each once at both ends: online traffic, the refills in which the server and in
/// which the client is the sender, and the conversation around them.
pub const STREAMS: [u32; 4] = [
    channel::ONLINE,
    channel::REFILL_SERVER_SENDS,
    channel::REFILL_CLIENT_SENDS,
    control::CONTROL,
];
