//! The lesson about the manager.

use std::collections::BTreeSet;

use serde_json::json;

use crate::program::run;

#[test]
fn shared() {
    let run = run("manager/shared");
    assert_eq!(run.facts["dict"], json!([["name", "sober"], ["workdata", "2018-05-09"]]));
    assert_eq!(run.facts["alive_when_read"], 5, "no merging at the end");
    let listed: BTreeSet<u64> =
        run.facts["list"].as_array().unwrap().iter().map(|pid| pid.as_u64().unwrap()).collect();
    let children: BTreeSet<u64> = run.of("child").iter().map(|event| event.pid.into()).collect();
    assert_eq!((children.len(), &children), (5, &listed));
    assert!(!children.contains(&run.facts["manager_pid"].as_u64().unwrap()));
    assert!(!children.contains(&run.pid_of("parent").into()));
}

#[test]
fn lost_update() {
    let run = run("manager/lost-update");
    assert_eq!((&run.facts["unlocked"], &run.facts["locked"]), (&json!(1), &json!(2)));
    let said: Vec<&str> = run.of("child").iter().map(|event| event.what.as_str()).collect();
    let unlocked = ["reads 0 (unlocked)", "reads 0 (unlocked)", "writes 1 (unlocked)", "writes 1 (unlocked)"];
    let locked = ["reads 0 (locked)", "writes 1 (locked)", "reads 1 (locked)", "writes 2 (locked)"];
    assert_eq!(said, [unlocked, locked].concat());
}

#[test]
fn queue() {
    let run = run("manager/queue");
    assert_eq!(run.facts["read"], json!(["1", "2", "3"]));
    assert_eq!(run.facts["one_by_one"], true);
    let said: Vec<(&str, &str)> = run.events.iter().map(|event| (&*event.who, &*event.what)).collect();
    let expected = [
        ("writer", "puts 1"),
        ("writer", "puts 2"),
        ("writer", "puts 3"),
        ("writer", "has written all"),
        ("parent", "the writer's apply is back"),
        ("reader", "got 1"),
        ("reader", "got 2"),
        ("reader", "got 3"),
        ("reader", "has read all"),
        ("parent", "goes on"),
    ];
    assert_eq!(said, expected);
    assert_ne!(run.pid_of("writer"), run.pid_of("parent"), "in a worker");
}

#[test]
fn pool_queue() {
    let run = run("manager/pool-queue");
    assert_eq!(run.facts["read"], "itcast");
    assert_eq!(run.facts["workers"], run.facts["usable_cpus"]);
    let usable = std::thread::available_parallelism().unwrap().get();
    assert_eq!(run.facts["workers"], json!(usable));
    let got: String = run.of("reader").iter().filter_map(|event| event.what.strip_prefix("got ")).collect();
    assert_eq!(got, "itcast");
    assert_eq!(run.of("reader").last().unwrap().what, "has read all");
    assert_eq!(run.events.last().unwrap().what, "end");
}
