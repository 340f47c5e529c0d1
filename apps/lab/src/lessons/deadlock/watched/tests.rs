//! Circles of one, two and three, and a chain that is none.

use super::*;
use crate::lessons::together::together;
use std::sync::Barrier;

fn circle_of(refused: Result<Held<'_>, Refused>) -> Option<Vec<Waits>> {
    match refused {
        Err(Refused::Deadlock(Circle(waits))) => Some(waits),
        _ => None,
    }
}

#[test]
fn who_wants_what_it_holds_is_told() {
    let watched = Watched::new(1).unwrap();
    let held = watched.lock(0, 0).map_err(|_| ()).unwrap();
    assert_eq!(circle_of(watched.lock(0, 0)).unwrap(), [Waits { thread: 0, lock: 0, held_by: 0 }]);
    drop(held);
    assert!(watched.lock(0, 0).is_ok());
}

#[test]
fn a_circle_of_three_is_found_by_the_last_one_and_by_nobody_else() {
    let (watched, all_hold_one) = (Watched::new(3).unwrap(), Barrier::new(3));
    let found = together(3, |me| {
        let held = watched.lock(me, me).map_err(|_| ()).unwrap();
        all_hold_one.wait();
        let circle = circle_of(watched.lock(me, (me + 1) % 3));
        drop(held);
        circle
    });
    let found: Vec<_> = found.unwrap().into_iter().flatten().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].len(), 3);
    assert!(watched.waiting().is_empty());
}

#[test]
fn a_chain_is_no_circle() {
    let mut graph = Graph::default();
    graph.held_by.extend([(0, 0), (1, 1), (2, 2)]);
    graph.wants.extend([(1, 2)]);
    assert_eq!(graph.circle(0, 1), None, "thread 2 waits for nobody");
    graph.wants.extend([(2, 0)]);
    assert_eq!(graph.circle(0, 1).unwrap().0.len(), 3);
}
