//! The lesson about threads.

use std::collections::BTreeSet;

use crate::program::run;

#[test]
fn start() {
    let run = run("thread/start");
    let students: BTreeSet<&str> =
        run.events.iter().map(|event| event.who.as_str()).filter(|who| who.starts_with("student ")).collect();
    assert_eq!(students.len(), 5);
    for student in students {
        let said: Vec<&str> = run.of(student).iter().map(|event| event.what.as_str()).collect();
        assert_eq!(said, ["buys food", "has eaten"]);
    }
    assert_eq!(run.events.iter().map(|event| event.pid).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(run.events.last().unwrap().what, "all are joined");
    assert_eq!(run.facts["threads"], 5);
    assert!(run.facts["most_at_once"].as_u64().unwrap() > 1);
}

#[test]
fn tasks() {
    let run = run("thread/tasks");
    assert_eq!((run.of("sing").len(), run.of("dance").len()), (3, 3));
    assert_eq!(run.pid_of("sing"), run.pid_of("dance"));
    assert_eq!(run.facts["at_the_same_time"], true);
    assert_eq!(run.events.last().unwrap().who, "main");
}

#[test]
fn order() {
    let run = run("thread/order");
    let (runs, distinct) = (run.facts["runs"].as_u64().unwrap(), run.facts["distinct"].as_u64().unwrap());
    assert!(runs >= 50 && (2..=20).contains(&distinct), "{run:?}");
    let mut letters: Vec<char> = run.facts["most_frequent"].as_str().unwrap().chars().collect();
    letters.sort_unstable();
    assert_eq!(letters, ['D', 'D', 'D', 'S', 'S', 'S']);
}

#[test]
fn enumerate() {
    let run = run("thread/enumerate");
    let names = |list: &str| -> Vec<String> {
        let mut names: Vec<String> =
            run.facts[list].as_array().unwrap().iter().map(|e| e[1].to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names("listed"), ["\"worker-1\"", "\"worker-2\"", "\"worker-3\""]);
    assert_eq!(names("kernels"), ["\"lab\"", "\"worker-1\"", "\"worker-2\"", "\"worker-3\""]);
    assert_eq!((&run.facts["agreed"], &run.facts["afterwards"]), (&true.into(), &0.into()));
}

#[test]
fn arguments() {
    let run = run("thread/arguments");
    assert_eq!(run.of("work 1")[0].what, "num1=11, num2=22, m=100");
    assert_eq!(run.of("work 2")[0].what, "num1=33, num2=44, num3=55, n=200");
    assert_eq!(run.facts["sums"], serde_json::json!([133, 332]));
}

#[test]
fn who_is_joined_does_all_its_work() {
    let run = run("thread/joined");
    let said: Vec<&str> = run.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(said[2..], ["my work is done", "I return"], "{run:?}");
    assert_eq!((&run.facts["thread_done"], &run.facts["exit_code"]), (&true.into(), &0.into()));
}

#[test]
fn who_is_not_joined_ends_with_main() {
    let run = run("thread/not-joined");
    assert_eq!(run.of("thread").len(), 1, "its last line never comes: {run:?}");
    assert_eq!(run.events.last().unwrap().what, "I return");
    assert_eq!(run.pid_of("thread"), run.pid_of("main"));
    assert_eq!((&run.facts["thread_done"], &run.facts["exit_code"]), (&false.into(), &0.into()));
}
