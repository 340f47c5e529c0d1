//! The lesson about queues.

use serde_json::json;

use crate::program::run;

#[test]
fn fifo() {
    let run = run("queue/fifo");
    assert_eq!(run.facts["got"], json!([{"Str": "11"}, {"Int": 22}, {"Map": {"num": 100}}]));
    assert_eq!(run.facts["in_order"], true);
    assert_eq!((run.of("producer").len(), run.of("consumer").len()), (3, 3));
}

#[test]
fn lifo() {
    let run = run("queue/lifo");
    assert_eq!(run.facts["got"], json!([{"Map": {"num": 100}}, {"Int": 22}, {"Str": "11"}]));
}

#[test]
fn priority() {
    let run = run("queue/priority");
    let expected = json!([
        [10, {"Str": "Q"}],
        [20, {"Str": "A"}],
        [20, {"Map": {"n": 1}}],
        [20, {"Map": {"n": 2}}],
        [30, {"Str": "Z"}],
    ]);
    assert_eq!(run.facts["got"], expected);
}

#[test]
fn bounded() {
    let run = run("queue/bounded");
    assert_eq!(run.facts["refusals"], json!([true, true, true, true]));
    let all: Vec<u32> = (0..20).collect();
    assert_eq!(run.facts["waiting"][0]["numbers"], json!(all));
    assert_eq!(run.facts["waiting"][1]["numbers"], json!(all));
    assert!(run.facts["waiting"][0]["blocked_us"].as_u64().unwrap() > 0);
    // asking first: what was put arrived, in order, and it was not all
    assert_eq!(run.facts["asking"][0]["numbers"], run.facts["asking"][1]["numbers"]);
    let lost = run.facts["lost_by_asking"].as_u64().unwrap();
    assert_eq!(run.facts["asking"][0]["looks"], lost);
    assert!(lost > 0 && run.facts["asking"][1]["looks"].as_u64().unwrap() > 0);
}

#[test]
fn process() {
    let run = run("queue/process");
    assert_eq!(run.facts["got"], json!([1, 2, 3]));
    assert_eq!(run.facts["ended"], true);
    assert_eq!(run.facts["right_after_put"], json!([1, false, true]));
    assert_eq!(run.facts["afterwards"], json!([false, true]));
    assert_ne!(run.pid_of("writer"), run.pid_of("reader"));
}

#[test]
fn value() {
    let run = run("queue/value");
    assert_eq!(run.facts["got"], json!([{"Int": 1}, {"Str": "2sdf"}]));
    assert_eq!(run.facts["exit_code"], 0);
}

#[test]
fn drain() {
    let run = run("queue/drain");
    assert_eq!(run.facts["joined_before_reading"], 0);
    assert_eq!(run.facts["items_left_behind"], 2000);
    assert_eq!(run.facts["bounded_joined_in_time"], json!(null));
    assert_eq!(run.facts["bounded_after_reading"], 0);
}
