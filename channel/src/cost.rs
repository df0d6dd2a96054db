//! The algebra of communication costs: what a protocol is predicted to say, and what it said.

mod parts;

use crate::Role;
use parts::Part;
pub use parts::Segments;

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

    const fn times(self, n: u64) -> Self {
        Self {
            to_server: self.to_server * n,
            to_client: self.to_client * n,
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

    /// The counts n times over; they stop at the largest number.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self {
            server_sends: self.server_sends.saturating_mul(n),
            client_sends: self.client_sends.saturating_mul(n),
        }
    }
}

/// What a protocol says on the wire, flight by flight, and the correlated OTs it uses up.
///
/// The traffic that refills the pools of correlations is not part of it. What [`Cost::repeat`] says again is
/// stored once, however often it is said.
///
/// ```
/// use channel::Cost;
/// // Client asks, server answers, twice; the two answers of a batch travel together.
/// let round = Cost::to_server(16).then(Cost::to_client(100));
/// assert_eq!(round.clone().repeat(2).flights(), 4);
/// assert_eq!(round.clone().beside(round).flights(), 2);
/// ```
#[derive(Clone, Default, Debug)]
pub struct Cost {
    parts: Vec<Part>,
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
    pub fn then(mut self, mut next: Self) -> Self {
        self.cots = self.cots.plus(next.cots);
        let seam = parts::first(&next.parts).zip(parts::last(&self.parts));
        if seam.is_some_and(|(first, last)| first.continues(last)) {
            self.push(parts::pop_first(&mut next.parts));
        }
        self.parts.append(&mut next.parts);
        self
    }

    /// Side by side in the same flights: the first flights travel together, then the second ones, …
    /// Takes time and memory for every flight, also for those that are repeated.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let (mut ours, mut theirs) = (self.segments(), other.segments());
        let both = std::iter::from_fn(|| match (ours.next(), theirs.next()) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default().plus(b.unwrap_or_default())),
        });
        Self {
            parts: both.map(Part::One).collect(),
            cots: self.cots.plus(other.cots),
        }
    }

    /// The same cost `times` times, one after the other.
    #[must_use]
    pub fn repeat(self, times: usize) -> Self {
        let n = times as u64;
        Self {
            parts: parts::repeat(self.parts, n),
            cots: self.cots.times(n),
        }
    }

    /// The flights in order, each as often as it is repeated.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        Segments::new(&self.parts)
    }

    /// The sum of `of` over all flights, of which those that are repeated are looked at once.
    #[must_use]
    pub fn total(&self, of: impl Fn(Segment) -> u64) -> u64 {
        parts::total(&self.parts, &of)
    }

    /// Bytes from the client to the server.
    #[must_use]
    pub fn bytes_to_server(&self) -> u64 {
        self.total(|s| s.to_server)
    }

    /// Bytes from the server to the client.
    #[must_use]
    pub fn bytes_to_client(&self) -> u64 {
        self.total(|s| s.to_client)
    }

    /// Bytes of both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.total(Segment::bytes)
    }

    /// How many flights there are.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits here")]
    pub fn flights(&self) -> usize {
        self.total(|_| 1) as usize
    }

    /// Whether nothing is said.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends a segment, extending the last flight where the direction is the same.
    pub(crate) fn push(&mut self, segment: Segment) {
        if segment.is_empty() {
            return;
        }
        let segment = match parts::last(&self.parts) {
            Some(last) if segment.continues(last) => parts::pop_last(&mut self.parts).plus(segment),
            _ => segment,
        };
        self.parts.push(Part::One(segment));
    }
}

/// Equal if the flights and the correlations are, however they were put together.
impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        self.cots == other.cots
            && (self.parts == other.parts
                || (self.flights() == other.flights() && self.segments().eq(other.segments())))
    }
}

impl Eq for Cost {}

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
