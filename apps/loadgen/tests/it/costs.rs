//! What `run` says of a server that runs already: whose cost it counts, and what when there is nobody.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::others::{Guard, Python};
use crate::tool::{Ran, correct, echo, every, ran, serve, short};

fn server(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.json()["trials"][0]["server"].clone()
}

fn accounting(ran: &Ran) -> Value {
    ran.json()["subjects"][0]["accounting"].clone()
}

fn assert_counted(server: &Value) {
    assert!(server["cpu_us_per_request"].as_f64() > Some(0.0), "{server}");
    assert!(server["context_switches_per_request"].as_f64() > Some(0.0), "{server}");
    assert!(server["busiest_thread"].as_f64() > Some(0.0), "{server}");
    assert!(server["memory_bytes"].as_u64() > Some(1 << 20), "{server}");
    assert!(server["memory_per_connection"].is_number(), "{server}");
}

#[test]
fn a_server_is_found_by_its_listening_socket() {
    let python = Python::new();
    let (child, address) = python.start("", "");
    let ran = short(address, &["-c", "2"]);
    assert_counted(&server(&ran));
    let counted = &accounting(&ran)["counted"];
    assert_eq!(counted["pids"], serde_json::json!([child.0.id()]), "{counted}");
    assert!(counted["name"].as_str().unwrap().starts_with("python"), "{counted}");
    // a line for people
    let text = crate::tool::ran(&["run", &address.to_string(), "-d", "100ms", "-w", "0", "--quiet"]).stdout;
    let line = text.lines().find(|line| line.starts_with("server ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(&format!("pid {}", child.0.id())), "{line}");
    assert!(line.contains("found by its listening socket") && line.contains("CPU "), "{line}");
    let ran = short(address, &["--no-server-cost"]);
    assert!(server(&ran).is_null() && accounting(&ran).is_null());
}

#[test]
fn of_workers_that_share_the_socket_the_parent_is_found() {
    let python = Python::new();
    let (child, address) = python.start("prefork", "");
    let ran = short(address, &["-c", "6"]);
    let server = server(&ran);
    assert_counted(&server);
    assert_eq!(server["processes"], 3, "{server}");
    assert_eq!(accounting(&ran)["counted"]["pids"], serde_json::json!([child.0.id()]));
    drop(child);
    // its workers are nobody's children any more
    kill_all(address);
    assert!(python.is_gone());
}

#[test]
fn a_process_that_is_named_counts_with_its_children() {
    let python = Python::new();
    let (shell, address) = python.start("", "; true");
    let ran = short(address, &["--server-pid", &shell.0.id().to_string()]);
    let server = server(&ran);
    assert_counted(&server);
    assert_eq!(server["processes"], 2, "{server}");
    assert_eq!(accounting(&ran)["counted"]["how"], "named with --server-pid");
    drop(shell);
    kill_all(address);
    assert!(python.is_gone());
}

/// Kills whoever listens there.
fn kill_all(address: SocketAddr) {
    while let Ok(found) = loadgen::subject::holder::of_address(address) {
        for stat in found.whose.processes() {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(stat.pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

#[test]
fn a_server_within_the_program_that_started_loadgen_is_not_counted() {
    let ran = short(correct(), &[]);
    assert!(server(&ran).is_null());
    let why = accounting(&ran)["not_counted"].as_str().unwrap().to_owned();
    assert!(why.contains("started this loadgen itself"), "{why}");
}

#[test]
fn a_process_that_dies_in_the_run_makes_it_fail() {
    let sleeper = Guard(Command::new("sleep").arg("60").spawn().unwrap());
    let pid = sleeper.0.id().to_string();
    let (sleeper, often) = (Arc::new(Mutex::new(sleeper)), every(500));
    let server = serve(move |stream, _| {
        echo(stream, |_| {
            if often() {
                let _ = sleeper.lock().unwrap().0.kill();
            }
            true
        });
    });
    let ran = short(server, &["--server-pid", &pid, "-d", "20s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let verdict = &ran.json()["trials"][0]["verdict"];
    assert_eq!(verdict["level"], "failed");
    let reason = verdict["reasons"].to_string();
    assert!(reason.contains(&format!("died in the run: the server's process {pid} ended")), "{reason}");
}

#[test]
fn who_is_not_there_is_a_usage_error_before_anything_is_measured() {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let pid = gone.id().to_string();
    for (arguments, hint) in [
        (vec!["--server-pid", pid.as_str()], "there is no such process"),
        (vec!["--cgroup", "/nowhere"], "no cpu.stat with usage_usec"),
        (vec!["--cgroup", "/tmp"], "no cpu.stat with usage_usec"),
        (vec!["--server-pid", "1", "--no-server-cost"], "cannot be used with"),
        (vec!["--pin", "client=0,server=0"], "taskset"),
    ] {
        let ran = ran(&[vec!["run", "127.0.0.1:9"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(hint) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
}

/// A new group in the tree of version 2; removed when nobody is in it any more.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
        let path = PathBuf::from(mount.split(' ').nth(1)?).join(format!("loadgen-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // a dead process leaves its group a little later than it is reaped
        for _ in 0..1000 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_control_group_counts_as_a_whole() {
    let Some(group) = Group::new() else {
        eprintln!("SKIPPED: this needs a writable cgroup v2 tree (root, or a delegated one)");
        return;
    };
    let path = group.0.display().to_string();
    let empty = ran(&["run", "127.0.0.1:9", "--cgroup", &path]);
    assert!(empty.code == Some(2) && empty.stderr.contains("no process is in it"), "{}", empty.stderr);
    let python = Python::new();
    let (child, address) = python.start("", "");
    fs::write(group.0.join("cgroup.procs"), child.0.id().to_string()).unwrap();
    let ran = short(address, &["--cgroup", &path]);
    assert_counted(&server(&ran));
    let counted = &accounting(&ran)["counted"];
    assert_eq!(counted["pids"], serde_json::json!([child.0.id()]), "{counted}");
    assert!(counted["how"].as_str().unwrap().contains(&path), "{counted}");
}
