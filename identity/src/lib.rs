#![doc = include_str!("../README.md")]

mod authority;
mod clients;
mod clock;
mod error;
mod file;
mod fingerprint;
mod handshake;
mod moment;
mod own;
mod peers;
mod size;
mod subject;
mod tls;
mod verify;
mod wire;

pub use authority::Authority;
pub use clients::{ClientList, ClientRules, Clients};
pub use error::Error;
pub use file::{create_private, read_private};
pub use fingerprint::Fingerprint;
pub use moment::Moment;
pub use own::{Identity, VALID_FOR};
pub use peers::KnownPeers;
pub use size::size;
pub use tls::{ClientTrust, ServerTrust, Tls};
