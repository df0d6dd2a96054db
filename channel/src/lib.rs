//! One buffered duplex byte stream between two parties, with every byte and flight accounted.
//!
//! A [`Connection`] joins a server and a client, over TCP ([`Listener`], [`connect`]) or in memory
//! ([`memory_pair`]), and opens numbered [`Channel`]s. A channel blocks, flushes before it reads,
//! lets both parties speak at once without hanging ([`Channel::exchange`]), and keeps a [`Ledger`]
//! of bytes and flights per named phase. [`Cost`] is the algebra in which protocols predict what
//! the ledger will say. Bytes from the wire are never trusted: lengths are checked before they are
//! used, silence ends in a time-out, and a broken channel stays dead.
//!
//! This crate knows no protocol above the handshake. Lines are not encrypted here.
//!
//! ```
//! use channel::{Cost, memory_pair};
//!
//! let (server, client) = memory_pair(1024);
//! let server = std::thread::spawn(move || {
//!     let mut channel = server.open(channel::ONLINE)?;
//!     let mut question = [0; 8];
//!     channel.recv(&mut question)?;
//!     channel.send(b"a long answer")?;
//!     Ok::<Cost, channel::Error>(channel.measured())
//! });
//! let mut channel = client.open(channel::ONLINE)?;
//! channel.send(b"question")?;
//! let mut answer = [0; 13];
//! channel.recv(&mut answer)?;
//! assert_eq!(&answer, b"a long answer");
//!
//! let predicted = Cost::to_server(8).then(Cost::to_client(13));
//! assert_eq!(channel.measured(), predicted);
//! assert_eq!(server.join().expect("no panic")?, predicted);
//! # Ok::<(), channel::Error>(())
//! ```

mod acceptor;
mod agree;
mod agreement;
mod buffered;
mod channel;
mod connection;
mod cost;
mod dial;
mod duplex;
mod error;
mod greeter;
mod halves;
mod handshake;
mod ledger;
mod line;
mod listener;
mod memory;
mod pipe;
mod progress;
mod registry;
mod relay;
mod role;
mod terms;

pub use agreement::Agreement;
pub use channel::Channel;
pub use connection::{Connection, ONLINE, REFILL_CLIENT_SENDS, REFILL_SERVER_SENDS, SessionId};
pub use cost::{Cost, Cots, Segment};
pub use dial::connect;
pub use duplex::{Duplex, Transport};
pub use error::{Digest, Error};
pub use halves::{ReadHalf, WriteHalf};
pub use ledger::{HANDSHAKE, Ledger, Phase};
pub use listener::{Listener, ListenerHandle};
pub use memory::{Memory, memory_pair};
pub use progress::Progress;
pub use relay::{Relay, Way};
pub use role::Role;
pub use terms::{Config, Terms};
