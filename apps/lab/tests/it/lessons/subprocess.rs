//! The lesson about other programs as children.

use serde_json::json;

use crate::program::run;

#[test]
fn call() {
    let run = run("subprocess/call");
    let codes =
        json!([["true", 0], ["false", 1], ["exit 3", 3], ["kill -TERM $$", -15], ["kill -KILL $$", -9]]);
    assert_eq!(run.facts["exit_codes"], codes);
    assert_eq!(run.facts["missing_program_is_an_error"], true);
}

#[test]
fn communicate() {
    let run = run("subprocess/communicate");
    let facts = ["sent", "stdout_bytes", "stderr_bytes", "exit_code"].map(|name| run.facts[name].clone());
    assert_eq!(facts, [json!(1 << 20), json!(1 << 20), json!(1 << 20), json!(0)]);
    assert_eq!(
        (&run.facts["came_back_whole"], &run.facts["killed_at_the_time_limit"]),
        (&json!(true), &json!(true))
    );
    // what went in before all stood still: one pipe that is full, another one in which something waits, and what cat holds
    let [written, input, output, pipe] = ["written", "in_its_input", "in_its_output", "pipe"]
        .map(|name| run.facts["stopped"][name].as_u64().unwrap());
    assert!(written < 1 << 20 && written >= input + output && written > pipe, "{run:?}");
    assert!(input > 0 && input <= pipe && output > 0 && output <= pipe, "{run:?}");
}
