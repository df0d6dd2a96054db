//! The algebra of costs.

use channel::{Cost, Cots, Role, Segment};
use proptest::prelude::*;

fn cost() -> impl Strategy<Value = Cost> {
    let step = (0_u64..3, 0_u64..3, 0_u64..5, 0_u64..5);
    prop::collection::vec(step, 0..6).prop_map(|steps| {
        steps
            .into_iter()
            .map(|(up, down, s, c)| Cost::exchange(up, down).with_cots(s, c))
            .sum()
    })
}

/// No empty flights, and no neighbours that are one flight.
fn canonical(cost: &Cost) -> bool {
    let merges =
        |w: &[Segment]| w.iter().all(|s| s.to_client == 0) || w.iter().all(|s| s.to_server == 0);
    let segments: Vec<Segment> = cost.segments().collect();
    segments.iter().all(|s| !s.is_empty()) && !segments.windows(2).any(merges)
}

/// A way to put a cost together.
#[derive(Clone, Debug)]
enum Recipe {
    Exchange(u64, u64),
    Then(Box<Self>, Box<Self>),
    Beside(Box<Self>, Box<Self>),
    Repeat(Box<Self>, usize),
}

impl Recipe {
    fn cost(&self) -> Cost {
        match self {
            Self::Exchange(up, down) => Cost::exchange(*up, *down).with_cots(*up, 1),
            Self::Then(a, b) => a.cost().then(b.cost()),
            Self::Beside(a, b) => a.cost().beside(b.cost()),
            Self::Repeat(a, times) => a.cost().repeat(*times),
        }
    }

    /// The same, flight by flight.
    fn flights(&self) -> Vec<Segment> {
        match self {
            Self::Exchange(up, down) => join([segment(*up, *down)]),
            Self::Then(a, b) => join([a.flights(), b.flights()].concat()),
            Self::Repeat(a, times) => join(vec![a.flights(); *times].concat()),
            Self::Beside(a, b) => {
                let (a, b) = (a.flights(), b.flights());
                let at = |x: &[Segment], i: usize| x.get(i).copied().unwrap_or_default();
                let flight = |i: usize| {
                    let (a, b) = (at(&a, i), at(&b, i));
                    segment(a.to_server + b.to_server, a.to_client + b.to_client)
                };
                (0..a.len().max(b.len())).map(flight).collect()
            }
        }
    }
}

fn segment(to_server: u64, to_client: u64) -> Segment {
    Segment {
        to_server,
        to_client,
    }
}

/// Makes one flight of neighbours in which the same party alone speaks.
fn join(segments: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for s in segments.into_iter().filter(|s| !s.is_empty()) {
        match joined.last_mut() {
            Some(last)
                if (last.to_client == 0 && s.to_client == 0)
                    || (last.to_server == 0 && s.to_server == 0) =>
            {
                *last = segment(last.to_server + s.to_server, last.to_client + s.to_client);
            }
            _ => joined.push(s),
        }
    }
    joined
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let leaf = (0_u64..3, 0_u64..3).prop_map(|(up, down)| Recipe::Exchange(up, down));
    leaf.prop_recursive(6, 24, 2, |inner| {
        let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            4 => two().prop_map(|(a, b)| Recipe::Then(a, b)),
            1 => two().prop_map(|(a, b)| Recipe::Beside(a, b)),
            3 => (inner.clone().prop_map(Box::new), 0_usize..5).prop_map(|(a, n)| Recipe::Repeat(a, n)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_stored_once_is_said_as_often(recipe in recipe()) {
        let (cost, flights) = (recipe.cost(), recipe.flights());
        prop_assert!(cost.segments().eq(flights.iter().copied()));
        prop_assert_eq!(cost.flights(), flights.len());
        prop_assert_eq!(cost.is_silent(), flights.is_empty());
        prop_assert_eq!(cost.bytes(), flights.iter().map(|s| s.bytes()).sum::<u64>());
        prop_assert_eq!(cost.bytes_to_server(), flights.iter().map(|s| s.to_server).sum::<u64>());
        // One after the other it is the same cost, and with one byte more it is not.
        let exchange = |s: &Segment| Cost::exchange(s.to_server, s.to_client);
        let plain: Cost = flights.iter().map(exchange).sum();
        let plain = plain.with_cots(cost.cots.server_sends, cost.cots.client_sends);
        prop_assert_eq!(&plain, &cost);
        prop_assert_ne!(plain.then(Cost::to_server(1)), cost);
    }

    #[test]
    fn then_is_associative_with_a_unit(a in cost(), b in cost(), c in cost()) {
        let left = a.clone().then(b.clone()).then(c.clone());
        let right = a.clone().then(b.then(c));
        prop_assert!(canonical(&left));
        prop_assert_eq!(left, right);
        prop_assert_eq!(&a.clone().then(Cost::none()), &a);
        prop_assert_eq!(Cost::none().then(a.clone()), a);
    }

    #[test]
    fn then_adds_bytes_and_at_most_merges_once(a in cost(), b in cost()) {
        let both = a.clone().then(b.clone());
        prop_assert_eq!(both.bytes_to_server(), a.bytes_to_server() + b.bytes_to_server());
        prop_assert_eq!(both.bytes_to_client(), a.bytes_to_client() + b.bytes_to_client());
        prop_assert_eq!(both.cots, a.cots.plus(b.cots));
        let flights = a.flights() + b.flights();
        prop_assert!(both.flights() == flights || both.flights() + 1 == flights);
    }

    #[test]
    fn beside_adds_bytes_and_takes_the_longer(a in cost(), b in cost(), c in cost()) {
        let both = a.clone().beside(b.clone());
        prop_assert!(canonical(&both));
        prop_assert_eq!(both.flights(), a.flights().max(b.flights()));
        prop_assert_eq!(both.bytes_to_server(), a.bytes_to_server() + b.bytes_to_server());
        prop_assert_eq!(both.bytes_to_client(), a.bytes_to_client() + b.bytes_to_client());
        prop_assert_eq!(both.cots, a.cots.plus(b.cots));
        prop_assert_eq!(&both, &b.clone().beside(a.clone()));
        prop_assert_eq!(both.beside(c.clone()), a.clone().beside(b.beside(c)));
        prop_assert_eq!(a.clone().beside(Cost::none()), a);
    }

    #[test]
    fn repeat_is_then_with_itself(a in cost(), times in 0_usize..5) {
        let mut expected = Cost::none();
        expected.extend(std::iter::repeat_n(a.clone(), times));
        prop_assert_eq!(a.repeat(times), expected);
    }
}

#[test]
fn flights_are_maximal_runs() {
    let both = Cost::exchange(1, 1);
    assert_eq!(
        Cost::to_server(1).then(Cost::to_server(2)),
        Cost::to_server(3)
    );
    assert_eq!(Cost::to_server(1).then(Cost::to_client(2)).flights(), 2);
    assert_eq!(both.clone().then(both.clone()).flights(), 2);
    assert_eq!(Cost::to_server(1).then(both).flights(), 2);
    assert_eq!(Cost::to_server(0), Cost::none());
    assert_eq!(Cost::speak(Role::Server, 5), Cost::to_client(5));
    assert_eq!(
        Cost::none().with_cots(1, 2).cots,
        Cots {
            server_sends: 1,
            client_sends: 2
        }
    );
}

#[test]
fn repetition_takes_no_time_and_no_memory() {
    let begin = std::time::Instant::now();
    let round = Cost::to_server(1).then(Cost::to_client(2)).with_cots(1, 0);
    let all = round
        .repeat(1 << 20)
        .then(Cost::exchange(3, 4))
        .repeat(1 << 20);
    let next = Cost::to_client(5)
        .then(all.clone())
        .then(Cost::to_server(7));
    assert_eq!(all.flights(), (1 << 41) + (1 << 20));
    assert_eq!(next.bytes(), all.bytes() + 12);
    assert_eq!(next.clone(), next);
    assert_eq!(all.cots.total(), 1 << 40);
    assert!(begin.elapsed().as_secs_f64() < 0.1);
}
