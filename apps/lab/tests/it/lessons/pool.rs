//! The lesson about the pool.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::run;

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

#[test]
fn basic() {
    let run = run("pool/basic");
    let workers = numbers(&run.facts["workers_before_first_task"]);
    assert_eq!(workers.len(), 3);
    let tasks = run.of("task");
    assert_eq!(tasks.iter().filter(|event| event.what == "name kurong, age 18").count(), 10);
    let pids: BTreeSet<u64> = tasks.iter().map(|event| event.pid.into()).collect();
    assert!(pids.len() <= 3 && pids.iter().all(|pid| workers.contains(pid)), "{run:?}");
    assert_eq!(pids.into_iter().collect::<Vec<_>>(), numbers(&run.facts["pids"]));
    assert!((1..=3).contains(&run.facts["most_at_once"].as_u64().unwrap()));
    // the workers are told before any task, and the end after all of them
    assert_eq!(run.events[0].who, "parent");
    assert_eq!(run.events.last().unwrap().what, "goes on after all tasks");
}

#[test]
fn queueing() {
    let run = run("pool/queueing");
    let waited = numbers(&run.facts["waited_us"]);
    let at_once = run.facts["given_at_once"].as_u64().unwrap();
    assert!(at_once >= 5 && !waited.is_empty() && at_once + waited.len() as u64 == 10, "{run:?}");
    let full = run.of("parent").iter().filter(|event| event.what.contains("is full")).count();
    assert_eq!(full, waited.len());
    let tasks = run.facts["tasks_of_pid"].as_object().unwrap();
    assert!(tasks.len() <= 3);
    assert_eq!(tasks.values().map(|tasks| tasks.as_u64().unwrap()).sum::<u64>(), 10);
    // each worker's tasks, by its own words
    for task in 0..10 {
        let pid = run.pid_of(&format!("task {task}"));
        assert!(tasks.contains_key(&pid.to_string()), "{run:?}");
    }
}

#[test]
fn callback() {
    let run = run("pool/callback");
    let order = numbers(&run.facts["order"]);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..6).collect::<Vec<_>>());
    assert_ne!(order[0], 0, "the first task took longest");
    let callbacks = run.of("callback");
    assert_eq!(callbacks.len(), 6);
    for (event, task) in callbacks.iter().zip(order) {
        assert_eq!(event.what, format!("{}, the result of task {task}", task * task));
        assert_eq!(event.pid, run.pid_of("slow callback"), "in one process");
    }
    assert!(run.of("task").iter().all(|event| event.pid != callbacks[0].pid), "which is no worker");
    assert_eq!(run.facts["in_parent"], true);
    assert!(run.facts["ended_during_slow_callback"].as_u64().unwrap() > 0);
}

#[test]
fn sleep() {
    let run = run("pool/sleep");
    assert!(run.facts["begun_before_close"].as_u64().unwrap() >= 4);
    assert_eq!(run.facts["most_at_once"], 4);
    assert_eq!(run.facts["fifth_waited"], true);
    assert_eq!((&run.facts["tasks_ended"], &run.facts["workers"]), (&6.into(), &4.into()));
    assert!(run.facts["refused_after_close"].as_str().unwrap().starts_with("Pool not running"));
    let close = run.events.iter().position(|event| event.what.ends_with("close")).unwrap();
    assert!(run.events[..close].iter().filter(|event| event.what.starts_with("begins")).count() >= 4);
}

#[test]
fn killed() {
    let run = run("pool/killed");
    assert_eq!(run.facts["errors"], serde_json::json!(["worker died by signal 9"]));
    assert_eq!(numbers(&run.facts["done"]), [0, 1, 3, 4, 5]);
    let (before, after) = (numbers(&run.facts["workers_before"]), numbers(&run.facts["workers_after"]));
    let victim = run.facts["killed"].as_u64().unwrap();
    assert_eq!(u64::from(run.pid_of("task 2")), victim);
    assert!(before.len() == 3 && after.len() == 3, "{run:?}");
    assert!(before.contains(&victim) && !after.contains(&victim), "{run:?}");
}

#[test]
fn close() {
    let run = run("pool/close");
    let text = |name: &str| run.facts[name].as_str().unwrap().to_owned();
    assert!(text("join_before_close").starts_with("Pool is still running"));
    assert!(text("task_after_close").starts_with("Pool not running"));
    assert_eq!((&run.facts["result"], &run.facts["left"]), (&7.into(), &0.into()));
}

#[test]
fn unjoined() {
    let run = run("pool/unjoined");
    assert_eq!((&run.facts["exit_code"], &run.facts["given"]), (&0.into(), &4.into()));
    assert!(run.facts["done"].as_u64().unwrap() < 4);
    assert_eq!(run.facts["workers_left"], 0);
    assert!(!run.of("worker").is_empty());
    for event in run.of("worker") {
        assert_ne!(event.pid, run.pid_of("main"));
        assert!(!std::path::Path::new(&format!("/proc/{}", event.pid)).exists());
    }
}
