//! The algebra of costs.

use channel::{Cost, Cots, Role};
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
    let merges = |w: &[channel::Segment]| {
        w.iter().all(|s| s.to_client == 0) || w.iter().all(|s| s.to_server == 0)
    };
    cost.segments().iter().all(|s| !s.is_empty()) && !cost.segments().windows(2).any(merges)
}

proptest! {
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
