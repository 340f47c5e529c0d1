//! The lesson about pipes.

use serde_json::json;

use crate::program::run;

#[test]
fn duplex() {
    let run = run("pipe/duplex");
    assert_eq!(run.facts["greeting"], json!([1, "hello word"]));
    assert_eq!(run.facts["exit_code"], 0);
    assert!(run.of("child")[0].what.contains("传习录"));
    assert_ne!(run.pid_of("child"), run.pid_of("parent"));
}

#[test]
fn end() {
    let run = run("pipe/end");
    assert_eq!(run.facts["first"], 1);
    assert_eq!(run.facts["something_while_open"], false);
    assert_eq!(run.facts["something_with_a_forgotten_copy"], false);
    assert_eq!(run.facts["ended"], true);
}
