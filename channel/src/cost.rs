//! The algebra of communication costs: what a protocol is predicted to say, and what it said.

use crate::Role;

/// One flight: a maximal run of bytes in one direction, or both parties speaking at once.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two directions, always")]
pub struct Segment {
    /// Bytes from the client to the server.
    pub to_server: u64,
    /// Bytes from the server to the client.
    pub to_client: u64,
}

impl Segment {
    /// Whether both parties speak in this flight.
    #[must_use]
    pub const fn is_two_sided(self) -> bool {
        self.to_server != 0 && self.to_client != 0
    }

    /// Whether nobody speaks; no [`Cost`] holds such a segment.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.to_server == 0 && self.to_client == 0
    }

    /// Bytes of both directions.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.to_server + self.to_client
    }

    /// Both are one-directional in the same direction, so that they are one flight when adjacent.
    const fn continues(self, last: Self) -> bool {
        let up = self.to_client == 0 && last.to_client == 0;
        let down = self.to_server == 0 && last.to_server == 0;
        up || down
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            to_server: self.to_server + other.to_server,
            to_client: self.to_client + other.to_client,
        }
    }
}

/// Random correlated OTs drawn from the two pools.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two directions, always")]
pub struct Cots {
    /// Correlations in which the server is the sender.
    pub server_sends: u64,
    /// Correlations in which the client is the sender.
    pub client_sends: u64,
}

impl Cots {
    /// The sum of both counts, direction by direction.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            server_sends: self.server_sends + other.server_sends,
            client_sends: self.client_sends + other.client_sends,
        }
    }

    /// Both directions together.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.server_sends + self.client_sends
    }
}

/// What a protocol says on the wire, flight by flight, and the correlated OTs it uses up.
///
/// The traffic that refills the pools of correlations is not part of it.
///
/// ```
/// use channel::Cost;
/// // Client asks, server answers, twice; the two answers of a batch travel together.
/// let round = Cost::to_server(16).then(Cost::to_client(100));
/// assert_eq!(round.clone().repeat(2).flights(), 4);
/// assert_eq!(round.clone().beside(round).flights(), 2);
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    segments: Vec<Segment>,
    /// Correlations drawn.
    pub cots: Cots,
}

impl Cost {
    /// Silence.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One flight from the client to the server; silence if `bytes` is 0.
    #[must_use]
    pub fn to_server(bytes: u64) -> Self {
        Self::exchange(bytes, 0)
    }

    /// One flight from the server to the client; silence if `bytes` is 0.
    #[must_use]
    pub fn to_client(bytes: u64) -> Self {
        Self::exchange(0, bytes)
    }

    /// One flight spoken by `from`.
    #[must_use]
    pub fn speak(from: Role, bytes: u64) -> Self {
        match from {
            Role::Server => Self::to_client(bytes),
            Role::Client => Self::to_server(bytes),
        }
    }

    /// Both parties speak at once; one-directional if one of the numbers is 0, silence if both are.
    #[must_use]
    pub fn exchange(to_server: u64, to_client: u64) -> Self {
        let mut cost = Self::none();
        cost.push(Segment {
            to_server,
            to_client,
        });
        cost
    }

    /// Adds correlations to the count.
    #[must_use]
    pub fn with_cots(mut self, server_sends: u64, client_sends: u64) -> Self {
        self.cots = self.cots.plus(Cots {
            server_sends,
            client_sends,
        });
        self
    }

    /// One after the other. A run that goes on in the same direction is still one flight; a flight
    /// in which both speak never merges with a neighbour. Associative, with [`Cost::none`] as unit.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        for segment in next.segments {
            self.push(segment);
        }
        self.cots = self.cots.plus(next.cots);
        self
    }

    /// Side by side in the same flights: the first flights travel together, then the second ones, …
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let (mut long, short) = if self.segments.len() >= other.segments.len() {
            (self.segments, other.segments)
        } else {
            (other.segments, self.segments)
        };
        for (segment, extra) in long.iter_mut().zip(short) {
            *segment = segment.plus(extra);
        }
        Self {
            segments: long,
            cots: self.cots.plus(other.cots),
        }
    }

    /// The same cost `times` times, one after the other.
    #[must_use]
    pub fn repeat(self, times: usize) -> Self {
        let mut total = Self::none();
        for _ in 0..times {
            for &segment in &self.segments {
                total.push(segment);
            }
            total.cots = total.cots.plus(self.cots);
        }
        total
    }

    /// The flights in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Bytes from the client to the server.
    #[must_use]
    pub fn bytes_to_server(&self) -> u64 {
        self.segments.iter().map(|s| s.to_server).sum()
    }

    /// Bytes from the server to the client.
    #[must_use]
    pub fn bytes_to_client(&self) -> u64 {
        self.segments.iter().map(|s| s.to_client).sum()
    }

    /// Bytes of both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_to_server() + self.bytes_to_client()
    }

    /// How many flights there are.
    #[must_use]
    pub fn flights(&self) -> usize {
        self.segments.len()
    }

    /// Appends a segment, extending the last flight where the direction is the same.
    pub(crate) fn push(&mut self, segment: Segment) {
        if segment.is_empty() {
            return;
        }
        match self.segments.last_mut() {
            Some(last) if segment.continues(*last) => *last = last.plus(segment),
            _ => self.segments.push(segment),
        }
    }

    /// Appends without merging: where a phase ends, so does the flight.
    pub(crate) fn append_phase(&mut self, segments: &[Segment]) {
        self.segments.extend_from_slice(segments);
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::none(), Self::then)
    }
}

impl Extend<Self> for Cost {
    fn extend<I: IntoIterator<Item = Self>>(&mut self, iter: I) {
        for cost in iter {
            *self = std::mem::take(self).then(cost);
        }
    }
}

impl FromIterator<Self> for Cost {
    fn from_iter<I: IntoIterator<Item = Self>>(iter: I) -> Self {
        iter.into_iter().sum()
    }
}
