//! The algebra of timetables.

use channel::{Cost, Role};
use proptest::prelude::*;
use sharing::Rounds;

/// Timetables with silent rounds and one-sided ones among them.
fn rounds() -> impl Strategy<Value = Rounds> {
    let bytes = prop_oneof![2 => Just(0), 3 => 1..9_u64];
    let round = (bytes.clone(), bytes).prop_map(|(up, down)| Rounds::exchange(up, down));
    let cots = (0..9_u64, 0..9_u64);
    (prop::collection::vec(round, 0..6), cots).prop_map(|(all, (server, client))| {
        let all = all.into_iter().fold(Rounds::none(), Rounds::then);
        all.with_cots(server, client)
    })
}

proptest! {
    #[test]
    fn one_after_the_other(a in rounds(), b in rounds(), c in rounds()) {
        let left = a.clone().then(b.clone()).then(c.clone());
        prop_assert_eq!(&left, &a.clone().then(b.clone().then(c.clone())));
        prop_assert_eq!(left.len(), a.len() + b.len() + c.len());
        prop_assert_eq!(left.cost(), a.cost().then(b.cost()).then(c.cost()));
        prop_assert_eq!(&a.clone().then(Rounds::none()), &a);
        prop_assert_eq!(&Rounds::none().then(a.clone()), &a);
    }

    #[test]
    fn side_by_side(a in rounds(), b in rounds(), c in rounds()) {
        let left = a.clone().beside(b.clone()).beside(c.clone());
        prop_assert_eq!(&left, &a.clone().beside(b.clone().beside(c.clone())));
        prop_assert_eq!(a.clone().beside(b.clone()), b.clone().beside(a.clone()));
        prop_assert_eq!(&a.clone().beside(Rounds::none()), &a);
        prop_assert_eq!(left.len(), a.len().max(b.len()).max(c.len()));
        let apart = a.cost().then(b.cost()).then(c.cost());
        prop_assert_eq!(left.cost().bytes_to_server(), apart.bytes_to_server());
        prop_assert_eq!(left.cost().bytes_to_client(), apart.bytes_to_client());
        prop_assert_eq!(left.cots, apart.cots);
    }

    /// Two timetables of two parts each, the first parts of one length: as parts side by side.
    #[test]
    fn in_step(a in rounds(), b in rounds(), c in rounds(), d in rounds()) {
        let n = a.len().max(b.len());
        let in_step = |first: Rounds| {
            let rest = n - first.len();
            first.then(Rounds::none().delayed(rest))
        };
        let (a, b) = (in_step(a), in_step(b));
        prop_assert_eq!(
            a.clone().then(c.clone()).beside(b.clone().then(d.clone())),
            a.beside(b).then(c.beside(d))
        );
    }

    #[test]
    fn later(a in rounds(), b in rounds(), n in 0..4_usize, m in 0..4_usize) {
        prop_assert_eq!(a.clone().delayed(n).delayed(m), a.clone().delayed(n + m));
        prop_assert_eq!(&a.clone().delayed(0), &a);
        prop_assert_eq!(a.clone().delayed(n).len(), n + a.len());
        // Silence is no flight.
        prop_assert_eq!(a.clone().delayed(n).cost(), a.cost());
        prop_assert_eq!(a.clone().delayed(n).then(b.clone()), a.clone().then(b.clone()).delayed(n));
        prop_assert_eq!(
            a.clone().delayed(n).beside(b.clone().delayed(n)),
            a.clone().beside(b.clone()).delayed(n)
        );
        // The next protocol after all rounds of the one before.
        prop_assert_eq!(a.clone().beside(b.clone().delayed(a.len())), a.then(b));
    }
}

#[test]
fn rounds_in_one_direction_are_one_flight() {
    let up = Rounds::to_server(3).then(Rounds::speak(Role::Client, 4));
    assert_eq!((up.len(), up.cost()), (2, Cost::to_server(7)));
    let both = Rounds::exchange(1, 1).then(Rounds::exchange(1, 1));
    assert_eq!(both.cost().flights(), 2);
    assert!(Rounds::none().is_empty() && !up.is_empty());
    assert_eq!(up.segments().len(), 2);
}
