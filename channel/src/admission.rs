//! Who of those who greeted is served, and when.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use crate::guard::PeerIdentity;
use crate::words::clean;

/// Decides which clients a [`Listener`](crate::Listener) serves, and what it grants them; see
/// [`Config::admission`](crate::Config::admission).
pub trait Admission: Debug + Send + Sync {
    /// Asked once about each client that has greeted for a session, before it lines up. It is asked on a thread of that client's
    /// own and may take a while, as a question to a database does: nobody but the client waits for the answer.
    ///
    /// # Errors
    /// Why it is not served. The client hears that, and [`Listener::receive`](crate::Listener::receive) reports it.
    fn admit(&self, applicant: &Applicant<'_>) -> Result<Admitted, Refusal>;
}

/// A client that asks to be served.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Applicant<'a> {
    /// Who it is, where a guard knows it.
    pub identity: Option<&'a PeerIdentity>,
    /// Where it is.
    pub address: SocketAddr,
    /// It says that it is urgent.
    pub urgent: bool,
}

/// What is granted to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Admitted {
    /// It comes before all who are not urgent. Whoever may be urgent can keep the others waiting for as long as he pleases.
    pub urgent: bool,
    /// How many sessions its identity may have at the same time; without a guard that knows identities, its address. Beyond
    /// them it waits in line, and lets others pass. 0 counts as 1.
    pub sessions: usize,
}

impl Default for Admitted {
    /// Not urgent, and as many sessions as there are.
    fn default() -> Self {
        Self {
            urgent: false,
            sessions: usize::MAX,
        }
    }
}

/// Why a client is not served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    reason: String,
    again: Option<Duration>,
}

impl Refusal {
    /// A reason that the client hears, without control characters and cut after 200 bytes, and when it may come again, if that
    /// is known.
    #[must_use]
    pub fn new(reason: &str, again: Option<Duration>) -> Self {
        let reason = clean(reason);
        Self { reason, again }
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When the client may come again, from now on.
    #[must_use]
    pub const fn again(&self) -> Option<Duration> {
        self.again
    }
}
