//! Children of a test: started, waited for, watched.

use std::fs;
use std::time::{Duration, Instant};

use common::process::{Builder, ExitValue, Process};

/// No wait of a test is longer; none that succeeds is nearly so long.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A child that ends with its value, also when the test fails.
pub(crate) fn child<T: ExitValue>(target: impl FnOnce() -> T) -> Process {
    Builder::new().daemon(true).fork(target).unwrap()
}

/// It ends by itself, and well.
pub(crate) fn ends_well(child: &Process) {
    assert_eq!(child.join(Some(LONG)).unwrap(), Some(0));
}

pub(crate) fn kill(child: &Process) {
    child.kill().unwrap();
    assert_eq!(child.join(Some(LONG)).unwrap(), Some(-9));
}

/// Waits until it sleeps.
pub(crate) fn until_it_sleeps(child: &Process) {
    until(|| state(child.pid()) == Some('S'));
}

/// Looks until it is so.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "it does not become so");
        std::thread::yield_now();
    }
}

/// `R`, `S`, `T` …; `None`: it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// How often it has gone to sleep or was put aside.
pub(crate) fn context_switches(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
    lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum()
}

/// Numbers that look random, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets so long go by, at most, without sleeping.
    pub(crate) fn instant_within(&mut self, span: Duration) {
        let end = Instant::now() + Duration::from_nanos(self.below(span.as_nanos() as u64));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}
