//! When a protocol speaks: its timetable.

use channel::{Cost, Cots, Role, Segment};

/// The timetable of a protocol: what either party says in each round, and the correlated OTs that are used up.
///
/// A round is one call of [`Party::exchange`](crate::Party::exchange) or of its one-sided forms, at both ends alike. Protocols that
/// run side by side share their rounds, so their timetables add up round by round ([`Rounds::beside`]). What is
/// said becomes flights by [`Rounds::cost`]: rounds in the same direction that follow each other are one.
///
/// ```
/// use sharing::Rounds;
/// let question = Rounds::to_server(16).then(Rounds::to_client(100));
/// assert_eq!((question.len(), question.cost().flights()), (2, 2));
/// // The second question goes with the first answer.
/// let both = question.clone().beside(question.delayed(1));
/// assert_eq!((both.len(), both.cost().flights()), (3, 3));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rounds {
    rounds: Vec<Segment>,
    /// Correlations drawn.
    pub cots: Cots,
}

impl Rounds {
    /// No round at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One round in which the client speaks.
    #[must_use]
    pub fn to_server(bytes: u64) -> Self {
        Self::exchange(bytes, 0)
    }

    /// One round in which the server speaks.
    #[must_use]
    pub fn to_client(bytes: u64) -> Self {
        Self::exchange(0, bytes)
    }

    /// One round in which `from` speaks.
    #[must_use]
    pub fn speak(from: Role, bytes: u64) -> Self {
        match from {
            Role::Server => Self::to_client(bytes),
            Role::Client => Self::to_server(bytes),
        }
    }

    /// One round in which both parties speak.
    #[must_use]
    pub fn exchange(to_server: u64, to_client: u64) -> Self {
        Self {
            rounds: vec![Segment {
                to_server,
                to_client,
            }],
            cots: Cots::default(),
        }
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

    /// One after the other.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.rounds.extend(next.rounds);
        self.cots = self.cots.plus(next.cots);
        self
    }

    /// Side by side from the first round on.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        if self.rounds.len() < other.rounds.len() {
            self.rounds.resize(other.rounds.len(), Segment::default());
        }
        for (ours, theirs) in self.rounds.iter_mut().zip(other.rounds) {
            ours.to_server += theirs.to_server;
            ours.to_client += theirs.to_client;
        }
        self.cots = self.cots.plus(other.cots);
        self
    }

    /// The same after `rounds` silent ones.
    #[must_use]
    pub fn delayed(mut self, rounds: usize) -> Self {
        let silence = std::iter::repeat_n(Segment::default(), rounds);
        self.rounds.splice(0..0, silence);
        self
    }

    /// The number of rounds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rounds.len()
    }

    /// Whether there are no rounds.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// What is said in each round.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.rounds
    }

    /// The same as flights.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let flights = self.rounds.iter();
        let flights: Cost = flights
            .map(|round| Cost::exchange(round.to_server, round.to_client))
            .sum();
        flights.with_cots(self.cots.server_sends, self.cots.client_sends)
    }
}
