//! The two parties.

/// Which of the two parties this is.
///
/// The server holds the weights, the client the image; below `nets` the names only say which half of
/// a protocol a party runs.
#[expect(clippy::exhaustive_enums, reason = "there are two parties, always")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The party that listens and holds the weights.
    Server,
    /// The party that dials and holds the input.
    Client,
}

impl Role {
    /// The other party.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }

    /// Whether this is the server.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::Server)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_server() { "server" } else { "client" })
    }
}
