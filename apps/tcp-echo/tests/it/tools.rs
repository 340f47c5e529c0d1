//! Programs that inject faults from outside, and what happens where they are missing.

use std::process::{Command, Stdio};

/// The long runs were asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("MANYHANDS_FULL").is_some()
}

/// Whether this machine speaks IPv6 with itself.
pub(crate) fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// The option for a loopback address in the emptier of the kernel's two tables of sockets: after some ten thousand
/// connections of other tests, a look at the other one takes longer than a lingering close lasts.
pub(crate) fn uncrowded() -> &'static str {
    if has_ipv6() { "--bind ::1" } else { "" }
}

/// Whether a tool is there. If not, says so and lets the test be skipped; where skipping is not allowed, it fails.
pub(crate) fn needs(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return true;
    }
    let allowed = std::env::var("CI").as_deref() != Ok("true");
    assert!(allowed, "{tool} is missing, and with CI=true no test may be skipped");
    eprintln!("SKIPPED: {tool} is missing (apt-get install strace util-linux)");
    false
}

/// strace that makes the named system calls fail: `when` counts the calls of each thread.
pub(crate) fn strace_failing(calls: &str, error: &str, when: &str) -> Vec<String> {
    // injection works only into calls that are traced
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:error={error}:when={when}");
    ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned).to_vec()
}

/// Sets how many descriptors a running process may have, without touching the hard limit.
pub(crate) fn limit_descriptors(pid: i32, soft: u64) {
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={soft}:")])
        .status()
        .unwrap();
    assert!(done.success());
}
