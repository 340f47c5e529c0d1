//! The lesson about work that only computes. How quick it was depends on what else the machine does, so no figure is checked.

use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::program::{Run, run};

/// All did the same work; gives (unit, how many) of each.
fn measured(run: &Run) -> Vec<(String, usize)> {
    let measured = run.facts["measured"].as_array().unwrap();
    for one in measured {
        assert_eq!(one["primes"], 33_860, "below 400,000");
        assert!(one["ms"].as_f64().unwrap() > 0.0 && one["speed_up"].as_f64().unwrap() > 0.0, "{one}");
        assert!(one["cpus_given"].as_f64().unwrap() > 0.0, "{one}");
    }
    let read = |one: &serde_json::Value| {
        (one["unit"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap() as usize)
    };
    measured.iter().map(read).collect()
}

#[test]
fn cpu() {
    let run = run("parallel/cpu");
    let most = run.facts["usable_cpus"].as_u64().unwrap().min(8) as usize;
    assert_eq!(run.facts["same_result"], true);
    let all = measured(&run);
    for count in (1..=most).chain([2 * most]) {
        for unit in ["thread", "process"] {
            assert!(all.contains(&(unit.to_owned(), count)), "{count} of {unit}: {all:?}");
        }
    }
}

#[test]
fn with_one_cpu_it_says_so() {
    // in a thread of its own: the program inherits the CPUs of whoever starts it
    let run = thread::scope(|threads| {
        let with_one = threads.spawn(|| {
            let usable = sched_getaffinity(Pid::from_raw(0)).unwrap();
            let one = (0..CpuSet::count()).find(|cpu| usable.is_set(*cpu).unwrap()).unwrap();
            let mut set = CpuSet::new();
            set.set(one).unwrap();
            sched_setaffinity(Pid::from_raw(0), &set).unwrap();
            run("parallel/cpu")
        });
        with_one.join().unwrap()
    });
    assert_eq!(run.facts["usable_cpus"], 1);
    assert!(run.saw[0].starts_with("This process may use 1 CPU of "), "{:?}", run.saw);
    let expected = [("thread", 1), ("process", 1), ("thread", 2), ("process", 2)];
    assert_eq!(measured(&run), expected.map(|(unit, count)| (unit.to_owned(), count)));
}
