//! Oblivious transfer for two-party inference.
//!
//! Everything starts from a pool of random correlated OTs ([`RcotSender`], [`RcotReceiver`]). A
//! real pool is filled by OT extension ([`SoftSpokenSender`], on [`base`] OTs) over a channel of
//! its own; an [`ideal`] one stands in for it in tests. [`OtSender`] and [`OtReceiver`] turn
//! correlations into what protocols need, always in batches:
//!
//! | form | sender | receiver | bits on the wire, per OT |
//! |---|---|---|---|
//! | [`rot`](OtSender::rot), [`rot_bits`](OtSender::rot_bits), [`rot_words`](OtSender::rot_words) | two random messages | choice, message | 0 |
//! | [`cot_words`](OtSender::cot_words) | x → r | b → r + b·x mod 2^l | 1 + l |
//! | [`cot_rows`](OtSender::cot_rows) | vectors x → r, streamed | b → r + b·x mod 2^l | 1 + len·l |
//! | [`chosen`](OtSender::chosen) | two 128-bit messages | b → message b | 1 + 256 |
//! | [`leaves`](OtSender::leaves) | table f of 2^k entries → share | y → share of f(y) | k + (2^k - 1)·width |
//!
//! This crate does not know what the bits mean. Security is semi-honest. Which secrets flow where
//! is written at each form; nothing branches on them or uses them as an index.
//!
//! ```
//! use channel::{ONLINE, REFILL_SERVER_SENDS, Role, memory_pair};
//! use ot::{OtReceiver, OtSender, SoftSpokenReceiver, SoftSpokenSender};
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use ring_arith::{BitVec, Bits};
//!
//! let (server, client) = memory_pair(1 << 16);
//! let bits = Bits::of(16);
//! let (x, b) = ([10, 20, 30], BitVec::from_fn(3, |i| i != 1));
//! std::thread::scope(|scope| {
//!     let sender = scope.spawn(move || -> Result<Vec<u64>, ot::Error> {
//!         let (refill, mut chan) = (server.open(REFILL_SERVER_SENDS)?, server.open(ONLINE)?);
//!         let id = server.session_id();
//!         // A real party seeds its generator from the operating system.
//!         let pool = SoftSpokenSender::setup(refill, 4, &id, &mut ChaCha20Rng::seed_from_u64(1))?;
//!         OtSender::new(Box::new(pool), &id, Role::Server).cot_words(&mut chan, &x, bits)
//!     });
//!     let (refill, mut chan) = (client.open(REFILL_SERVER_SENDS)?, client.open(ONLINE)?);
//!     let id = client.session_id();
//!     let pool = SoftSpokenReceiver::setup(refill, 4, &id, &mut ChaCha20Rng::seed_from_u64(2))?;
//!     let y = OtReceiver::new(Box::new(pool), &id, Role::Server).cot_words(&mut chan, &b, bits)?;
//!     let r = sender.join().expect("the sender does not panic")?;
//!     for i in 0..3 {
//!         assert_eq!(y[i], bits.reduce(r[i] + u64::from(b.bit(i)) * x[i]));
//!     }
//!     Ok::<(), ot::Error>(())
//! })?;
//! # Ok::<(), ot::Error>(())
//! ```
//!
//! # Papers
//!
//! - ALSZ13: Asharov, Lindell, Schneider, Zohner, "More efficient oblivious transfer and extensions
//!   for faster secure computation", eprint 2013/552.
//! - Bea95: Beaver, "Precomputing oblivious transfer", CRYPTO 1995.
//! - GKWY20: Guo, Katz, Wang, Yu, "Efficient and secure multiparty computation from fixed-key block
//!   ciphers", eprint 2019/074.
//! - IKNP03: Ishai, Kilian, Nissim, Petrank, "Extending oblivious transfers efficiently", CRYPTO
//!   2003.
//! - MR19: Masny, Rindal, "Endemic oblivious transfer", eprint 2019/706.
//! - MRR21: McQuoid, Rosulek, Roy, "Batching base oblivious transfers", eprint 2021/682.
//! - NP99: Naor, Pinkas, "Oblivious transfer and polynomial evaluation", STOC 1999.
//! - Roy22: Roy, "SoftSpokenOT: quieter OT extension from small-field silent VOLE in the Minicrypt
//!   model", eprint 2022/192.
//! - RRK+20: Rathee et al., "CrypTFlow2: practical 2-party secure inference", arXiv 2010.06457.

mod backend;
pub mod base;
mod chosen;
mod cost;
mod endpoint;
mod error;
mod extension;
pub mod hash;
pub mod ideal;
mod kernel;
mod pool;
pub mod prg;
mod price;
mod rot;
mod rows;
mod softspoken;
mod words;

pub use backend::Backend;
pub use cost::{chosen_cost, cot_rows_cost, cot_words_batch_cost, cot_words_cost, rot_cost};
pub use endpoint::{OtReceiver, OtSender};
pub use error::Error;
pub use extension::{Extension, SoftSpoken, default_extension};
pub use pool::{RcotReceiver, RcotSender};
pub use price::CotPrice;
pub use rows::{ReceiveRows, SUPER_TILE, SendRows};
pub use softspoken::{
    BATCH, SoftSpokenReceiver, SoftSpokenSender, refill_cost, refills, setup_cost,
};
pub use words::{ReceiveWords, SendWords};

/// A 128-bit string: an OT key, a correlation, a seed. Bit `j` is `1 << j`; on the wire
/// little-endian.
pub type Block = u128;

/// What both parties must have in common, by name: AGREEMENT and SECURITY constants, for the digest
/// that the handshake compares.
pub const AGREEMENT: &[(&str, u64)] = &[
    ("ot computational security", 128),
    ("ot super-tile", SUPER_TILE as u64),
];
