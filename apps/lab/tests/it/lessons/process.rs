//! The lesson about processes.

use crate::program::run;

#[test]
fn start() {
    let run = run("process/start");
    assert_eq!(run.facts["exit_code"], 0);
    assert_eq!(run.facts["parent_line_before_child_end"], true);
    assert_ne!(run.pid_of("parent"), run.pid_of("child"));
    assert_eq!(run.of("child")[0].what, "name kurong, age 18");
    assert_eq!(run.of("child")[1].what, "by name: [(\"abc\", 123)]");
}

#[test]
fn join() {
    let run = run("process/join");
    assert_eq!(run.events.last().unwrap().who, "parent");
    assert_eq!(run.facts["exit_code"], 0);
}

#[test]
fn timeout() {
    let run = run("process/timeout");
    assert!(run.facts["after_time_limit"].is_null());
    assert!(run.facts["waited_ms"].as_u64().unwrap() >= 100);
    assert_eq!(run.facts["exit_code"], 0);
}

#[test]
fn info() {
    let run = run("process/info");
    assert_eq!(run.facts["pid"], run.pid_of("child"));
    assert_eq!(run.facts["name"], "Process-1");
    assert_eq!(run.facts["alive"], serde_json::json!([true, false]));
}

#[test]
fn pids() {
    let run = run("process/pids");
    assert_eq!(
        (&run.facts["parent"], &run.facts["child"]),
        (&run.pid_of("parent").into(), &run.pid_of("child").into())
    );
    assert_eq!(run.facts["agreed"], true);
    assert_eq!(run.events.last().unwrap().what, "child process has ended");
}

#[test]
fn pid() {
    let run = run("process/pid");
    assert_eq!(run.facts["orphans_parents"][0], run.facts["parent"]);
    let adopted = run.facts["orphans_parents"][1].as_i64().unwrap();
    assert!(
        adopted != run.facts["parent"].as_i64().unwrap() && adopted != run.facts["main"].as_i64().unwrap()
    );
    assert!(run.of("dance")[1].what.ends_with(&format!("parent {adopted}")), "{run:?}");
}

#[test]
fn many() {
    let run = run("process/many");
    assert_eq!(run.facts["active"], serde_json::json!([3, 0]));
    assert_eq!(run.facts["zombies"], 0, "asking was enough");
    assert_eq!(run.facts["exit_codes"], serde_json::json!([0, 0, 0]));
    let pids: std::collections::BTreeSet<u32> = (1..=3).map(|n| run.pid_of(&format!("worker {n}"))).collect();
    assert_eq!(pids.len(), 3);
    let usable = std::thread::available_parallelism().unwrap().get();
    assert_eq!(run.facts["usable_cpus"], usable);
    assert!(run.facts["cpu_count"].as_u64().unwrap() >= usable as u64);
}

#[test]
fn tasks() {
    let run = run("process/tasks");
    assert_eq!(run.facts["pids"], serde_json::json!([run.pid_of("song"), run.pid_of("dance")]));
    assert_eq!((run.of("song").len(), run.of("dance").len()), (3, 3));
    assert_eq!(run.facts["at_the_same_time"], true);
}

#[test]
fn terminate() {
    let run = run("process/terminate");
    assert_eq!(run.facts["exit_code"], -15);
    assert_eq!(run.facts["tidied_up"], false);
    assert!(run.events.iter().all(|event| event.what != "tidied up"));
    assert_eq!(run.facts["grandchild_orphaned"], true);
    assert_eq!(run.facts["grandchild_ended"], true);
}

#[test]
fn held_locks() {
    let run = run("process/held-locks");
    assert_eq!(run.facts["exit_code"], -15);
    assert_eq!(run.of("child")[0].what, "I hold both locks");
    // the plain one is a lock: it was got, and could be got by the child when it was released
    assert_eq!(
        (&run.facts["plain_lock_before"], &run.facts["plain_lock_after"]),
        (&true.into(), &false.into())
    );
    assert_eq!(run.facts["robust_lock_after"], true);
    assert_eq!(run.facts["robust_lock_owner_died"], true);
    assert!(run.saw[0].contains("stayed locked") && run.saw[1].contains("was told"), "{run:?}");
}

#[test]
fn daemon() {
    let run = run("process/daemon");
    assert_eq!((&run.facts["exit_code"], &run.facts["left"]), (&0.into(), &0.into()));
    assert_eq!((&run.facts["child_waited_for"], &run.facts["daemon_done"]), (&true.into(), &false.into()));
    let said: Vec<(&str, &str)> = run.events.iter().map(|event| (&*event.who, &*event.what)).collect();
    let expected = [
        ("daemon", "I have 600 s of work"),
        ("parent", "my work is done"),
        ("child", "my work is done"),
        ("main", "the parent has ended: exit code 0"),
    ];
    assert_eq!(said, expected);
}

#[test]
fn exit_codes() {
    let run = run("process/exit-codes");
    assert!(run.facts["while_it_runs"].is_null());
    for (how, code) in [
        ("returned", 0),
        ("returned 3", 3),
        ("panicked", 101),
        ("was terminated", -15),
        ("was killed", -9),
        ("aborted", -6),
    ] {
        assert_eq!(run.facts[how], code, "{how}");
    }
}

#[test]
fn cost() {
    let run = run("process/cost");
    for what in ["thread_us", "fork_us", "spawn_us"] {
        assert!(run.facts[what].as_f64().unwrap() > 0.0, "{what}");
    }
    // (how they compare is for a quiet machine: cargo bench -p lab)
}
