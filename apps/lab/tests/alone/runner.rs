//! Runs tests one after the other in the main thread of a process that has no other: what forks must be tested so, and the
//! standard harness has threads. It understands a part of a name, `--exact` and `--list`; the standard harness's other options mean
//! nothing here.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::{env, fs, io};

/// A test: its name, and what it does.
pub(crate) type Test = (&'static str, fn());

/// Runs those that are asked for. A test that leaves a descriptor or a child behind has failed, too.
pub(crate) fn run(tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let names: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let exact = arguments.iter().any(|word| word == "--exact");
    let asked = |name: &str| {
        names.is_empty() || names.iter().any(|part| if exact { name == *part } else { name.contains(part) })
    };
    let asked: Vec<&Test> = tests.iter().filter(|(name, _)| asked(name)).collect();
    if arguments.iter().any(|word| word == "--list") {
        asked.iter().for_each(|(name, _)| tell(&format!("{name}: test\n")));
        return ExitCode::SUCCESS;
    }
    tell(&format!("\nrunning {} tests\n", asked.len()));
    let mut failed = Vec::new();
    for (name, test) in asked {
        let before = belongings();
        let fine = catch_unwind(AssertUnwindSafe(test)).is_ok();
        let after = belongings();
        let clean = before == after;
        if !clean {
            tell(&format!("{name} leaves behind: {before:?} before, {after:?} after\n"));
        }
        tell(&format!("test {name} ... {}\n", if fine && clean { "ok" } else { "FAILED" }));
        if !(fine && clean) {
            failed.push(*name);
        }
    }
    tell(&format!("\n{} failed {failed:?}\n", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Open descriptors and children of this process, those that have ended and were not waited for among them.
pub(crate) fn belongings() -> (usize, String) {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    let children = fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap();
    (descriptors, children)
}

/// A harness may have closed its end; that is no failed test.
fn tell(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
