//! What a host is given.

use std::fmt;
use std::io::Error as IoError;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use channel::PeerIdentity;

use super::{AuditTo, Event};
use crate::{MemoryStore, Quota, Store};

/// What one client may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Allowance {
    /// What it may use.
    pub quota: Quota,
    /// Its sessions at the same time at this host. Beyond them it waits where [`crate::Host`] is the admission of the
    /// listener, and is refused otherwise.
    pub parallel: Option<u32>,
    /// It may come before those who are not urgent, where [`crate::Host`] is the admission of the listener.
    pub urgent: bool,
}

/// What says what a client may have.
pub type Allow = dyn Fn(Option<&PeerIdentity>) -> Allowance + Send + Sync;

/// What a [`crate::Host`] works with. Clients are charged before anything is computed for them, so that a client that
/// breaks off has used what it asked for.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `HostOptions { store, ..HostOptions::new(entropy) }`"
)]
pub struct HostOptions {
    /// Fresh and secret bytes, as of the operating system: all that is random in a session comes from them.
    pub entropy: Arc<dyn Fn() -> Result<[u8; 32], IoError> + Send + Sync>,
    /// What has to outlive sessions.
    pub store: Arc<dyn Store>,
    /// Where it is recorded who asked for what. What cannot be recorded is not done.
    pub audit: Option<AuditTo>,
    /// What a client may have; asked for each session, so that it may change.
    pub allowance: Arc<Allow>,
    /// Is told what happens, by the thread to which it happens.
    pub observer: Arc<dyn Fn(&Event<'_>) + Send + Sync>,
    /// The time in Unix seconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl HostOptions {
    /// With this source of randomness: no quotas, a store in memory, the clock of the system, and nobody who is told anything.
    #[must_use]
    pub fn new(entropy: impl Fn() -> Result<[u8; 32], IoError> + Send + Sync + 'static) -> Self {
        Self {
            entropy: Arc::new(entropy),
            store: Arc::new(MemoryStore::new()),
            audit: None,
            allowance: Arc::new(|_| Allowance::default()),
            observer: Arc::new(|_| {}),
            clock: Arc::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.map_or(0, |since| since.as_secs())
            }),
        }
    }
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostOptions")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
