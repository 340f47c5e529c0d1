//! What it costs to start (and to wait for the end of) a process by fork and by spawn, beside a thread.

use std::thread;
use std::time::{Duration, Instant};

use common::process::{Builder, Entry};

/// What is spawned.
pub(crate) const ENTRIES: &[Entry] = &[Entry { name: "nothing", run: |_| 0 }];

const TIMES: usize = 300;

pub(crate) fn table() {
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..TIMES {
        // (a fork waits until the thread before it is really gone; that is no part of the measurement)
        let kinds: [fn(); 3] = [by_fork, by_spawn, as_a_thread];
        for (kind, times) in kinds.into_iter().zip(&mut all) {
            let start = Instant::now();
            kind();
            times.push(start.elapsed());
            Builder::new().fork(|| ()).unwrap().join(None).unwrap();
        }
    }
    println!("\n{:<30}{:>16}", "start, do nothing, join", "µs, median");
    for (name, mut times) in ["process, by fork", "process, by spawn", "thread"].into_iter().zip(all) {
        times.sort();
        println!("{name:<30}{:>16.1}", micros(times[times.len() / 2]));
    }
}

fn by_fork() {
    Builder::new().fork(|| ()).unwrap().join(None).unwrap();
}

fn by_spawn() {
    Builder::new().spawn("nothing", &()).unwrap().join(None).unwrap();
}

fn as_a_thread() {
    thread::Builder::new().spawn(|| ()).unwrap().join().unwrap();
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
