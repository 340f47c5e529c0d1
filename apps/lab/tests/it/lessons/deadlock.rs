//! The lesson about deadlocks.

use serde_json::json;

use crate::program::run;

#[test]
fn detected() {
    let run = run("deadlock/detected");
    assert_eq!((&run.facts["deadlocks"], &run.facts["balances"]), (&json!(1), &json!([1000, 1000])));
    // each of the two waits for the lock that the other one holds
    let circle = run.facts["circle"].as_array().unwrap();
    assert_eq!(circle.len(), 2);
    for (this, other) in [(&circle[0], &circle[1]), (&circle[1], &circle[0])] {
        assert_eq!(this["held_by"], other["thread"]);
        assert_eq!(this["lock"], other["thread"], "each holds the lock of its own number");
        assert_ne!(this["thread"], other["thread"]);
    }
    // both want the second one before anybody has it; one gives up, then the other one is first
    let at = |what: &str| run.events.iter().position(|event| event.what.contains(what)).unwrap();
    let (found, gave_up) = (at("deadlock: "), at("I give up"));
    let [first_done, last_done] = [at("I have both"), at("now I have both")];
    assert!(
        run.events[..found].iter().filter(|event| event.what.contains("and want")).count() == 2,
        "{run:?}"
    );
    assert!(found < gave_up && gave_up < first_done && first_done < last_done, "{run:?}");
    assert_eq!(run.events[found].who, run.events[last_done].who);
    assert_ne!(run.events[found].who, run.events[first_done].who);
}

#[test]
fn ordered() {
    let run = run("deadlock/ordered");
    let facts = ["transfers", "deadlocks", "balances"].map(|name| run.facts[name].clone());
    assert_eq!(facts, [json!(2000), json!(0), json!([1000, 1000])]);
}
