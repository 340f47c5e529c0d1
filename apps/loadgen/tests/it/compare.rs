//! `loadgen compare` with servers that fail in every way: each costs its own row only, and none is left running.
//!
//! The server program is a shell script that announces the address of a server within this test, so that the test
//! decides what the clients see and the script decides what the parent sees.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::Value;
use tempfile::TempDir;

use crate::tool::{Ran, correct, echo, every, loadgen, pool, serve};

const SHORT: [&str; 8] = ["compare", "-w", "20ms", "-x", "1", "--quiet", "--seed", "1"];

/// What the script says when it is asked for its modes.
const MODES: &str = r#"[{"name": "thread", "serves": "as-many-as-come"}, {"name": "process", "serves": "as-many-as-come"}, {"name": "pool", "serves": "as-many-as-workers"}]"#;

/// A folder with a script that plays the server, and the named pipes that it is held by.
struct Fake {
    folder: TempDir,
}

impl Fake {
    /// `script` is what each mode does; it knows `$mode`, `ready ADDRESS` and `hold`, which waits for SIGTERM or
    /// until something is written into the pipe `hold`.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for pipe in ["alive", "hold"] {
            mkfifo(&folder.path().join(pipe), Mode::S_IRWXU).unwrap();
        }
        let here = folder.path().display();
        let text = format!(
            "#!/bin/sh\n\
             [ \"$1\" != --list-modes ] || {{ echo '{MODES}'; exit; }}\n\
             mode=$2\n\
             exec 8<>{here}/hold\n\
             trap 'exit ${{leave:-0}}' TERM\n\
             ready() {{ echo \"listening on $1 (mode $mode, pid $$)\"; }}\n\
             hold() {{ read line <&8; }}\n\
             {script}\n"
        );
        let path = folder.path().join("tcp-echo");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn pipe(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, more: &[&str]) -> Child {
        let program = self.folder.path().join("tcp-echo").display().to_string();
        loadgen(&SHORT)
            .args(["--tcp-echo", &program])
            .args(more)
            .args(if more.contains(&"-d") { &[][..] } else { &["-d", "100ms"] })
            .args(if more.contains(&"-c") { &[][..] } else { &["-c", "4"] })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn ran(&self, more: &[&str]) -> Ran {
        Ran::of(&self.start(more).wait_with_output().unwrap())
    }
}

/// The row of a server.
fn row<'a>(report: &'a Value, subject: &str) -> &'a Value {
    let rows = report["summary"].as_array().unwrap();
    rows.iter().find(|row| row["subject"] == subject).unwrap_or_else(|| panic!("no row {subject}: {report}"))
}

fn reasons(row: &Value) -> String {
    row["verdict"]["reasons"].to_string()
}

#[test]
fn a_mode_that_the_server_does_not_have_is_refused_with_those_that_it_has() {
    let ran = Fake::new("exit 9").ran(&["--modes", "magic"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("choose from all, thread, process, pool"), "{}", ran.stderr);
}

/// `all` is what the server has; and a program that is no tcp-echo is told so at once.
#[test]
fn all_modes_are_those_of_the_server() {
    let script = format!("ready {}; hold", correct());
    let ran = Fake::new(&script).ran(&["--modes", "all", "--workloads", "persistent", "-J"]);
    let report = ran.json();
    for mode in ["thread", "process", "pool (64 workers)"] {
        assert!(row(&report, mode)["requests_per_second"]["median"].as_f64() > Some(0.0), "{report}");
    }
    let other = loadgen(&SHORT).args(["--tcp-echo", "/bin/true"]).output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("is it tcp-echo"), "{other:?}");
}

/// And the reference can be chosen; one trial shows nothing, and says so.
#[test]
fn the_servers_are_compared_with_the_reference() {
    let script = format!("ready {}; hold", correct());
    let options = ["--modes", "thread,process", "--workloads", "persistent", "--reference"];
    let ran = Fake::new(&script).ran(&[&options[..], &["process", "-J"]].concat());
    let comparison = ran.json()["comparison"].clone();
    assert_eq!((&comparison["reference"], ran.code), (&"process".into(), Some(0)), "{}", ran.stderr);
    let ratio = &comparison["ratios"][0];
    assert_eq!((&ratio["subject"], &ratio["shown"]), (&"thread".into(), &"too_few".into()), "{comparison}");
    let text = Fake::new(&script).ran(&[&options[..], &["thread"]].concat()).stdout;
    assert!(text.contains("Ratios to thread") && text.contains("why not double?"), "{text}");
    let wrong = Fake::new(&script).ran(&[&options[..], &["red"]].concat());
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("choose from thread, process"), "{}", wrong.stderr);
}

#[test]
fn a_server_that_cannot_start_costs_its_own_row_only() {
    let script = format!(
        "case $mode in\n\
         process) echo 'error: cannot fork: no memory' >&2; exit 3;;\n\
         *) ready {}; hold;;\n\
         esac",
        correct()
    );
    let ran = Fake::new(&script).ran(&["--modes", "thread,process", "-J"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.json();
    // The machine may raise doubts ("others used …"); the server's own row may not fail.
    let level = row(&report, "thread")["verdict"]["level"].as_str().unwrap();
    assert!(["valid", "suspect"].contains(&level), "{report}");
    assert!(row(&report, "thread")["requests_per_second"]["median"].as_f64() > Some(0.0));
    let process = row(&report, "process");
    assert_eq!(process["verdict"]["level"], "failed");
    assert!(
        reasons(process).contains("could not be started") && reasons(process).contains("cannot fork"),
        "{process}"
    );
    assert!(ran.stderr.starts_with("error: process (persistent): could not be started"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn a_server_that_is_no_server_is_told_so() {
    let ran = Fake::new("echo hello; hold").ran(&["--modes", "thread", "--workloads", "churn", "-J"]);
    assert_eq!(ran.code, Some(1));
    assert!(reasons(row(&ran.json(), "thread")).contains("no ready line: hello"), "{}", ran.stdout);
}

#[test]
fn a_server_that_dies_in_the_run_costs_its_own_row_only() {
    let fake_pipe: Arc<std::sync::OnceLock<PathBuf>> = Arc::default();
    let (pipe, often, once) = (Arc::clone(&fake_pipe), every(100), std::sync::Once::new());
    let deadly = serve(move |stream, _| {
        echo(stream, |_| {
            if often() {
                // one word into the pipe ends the script, in the middle of the load
                once.call_once(|| {
                    let mut pipe = OpenOptions::new().write(true).open(pipe.get().unwrap()).unwrap();
                    pipe.write_all(b"die\n").unwrap();
                });
            }
            true
        });
    });
    let fine = correct();
    let script = format!(
        "case $mode in\n\
         process) ready {deadly}; hold; echo 'boom' >&2; exit 7;;\n\
         *) ready {fine}; hold;;\n\
         esac"
    );
    let fake = Fake::new(&script);
    fake_pipe.set(fake.pipe("hold")).unwrap();
    let ran = fake.ran(&["--modes", "process,thread", "--workloads", "persistent", "-J", "-d", "1s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.json();
    let process = row(&report, "process");
    assert!(reasons(process).contains("died in the run: it ended with exit code 7"), "{process}");
    assert!(reasons(process).contains("boom"), "{process}");
    assert!(row(&report, "thread")["requests_per_second"]["median"].as_f64() > Some(0.0));
}

#[test]
fn a_server_that_answers_wrongly_or_leaves_badly_has_failed() {
    let spoilt = every(50);
    let wrong = serve(move |stream, _| {
        echo(stream, |piece| {
            if spoilt() {
                piece[0] ^= 1;
            }
            true
        });
    });
    let script = format!(
        "case $mode in\n\
         process) ready {wrong}; hold;;\n\
         *) leave=5; ready {}; hold;;\n\
         esac",
        correct()
    );
    let ran = Fake::new(&script).ran(&["--modes", "process,thread", "--workloads", "persistent", "-J"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(row(&report, "process")["errors"][0]["class"], "corrupt");
    assert!(
        reasons(row(&report, "thread")).contains("did not leave cleanly: it ended with exit code 5"),
        "{report}"
    );
}

/// A pool leaves as many waiting as it has no workers for; any more of them hang.
#[test]
fn only_connections_above_the_workers_may_wait_for_ever() {
    let workers = loadgen::subject::placement::allowed_cpus().len();
    let script = format!("ready {}; hold", pool(workers));
    let connections = (workers + 2).to_string();
    let more =
        ["--modes", "thread,pool", "--workloads", "persistent", "-T", "400ms", "-J", "-c", &connections];
    let ran = Fake::new(&script).ran(&more);
    let report = ran.json();
    let few = row(&report, &format!("pool ({workers} workers)"));
    assert!(["valid", "suspect"].contains(&few["verdict"]["level"].as_str().unwrap()), "{few}");
    assert_eq!(few["served"], workers, "{few}");
    for hangs in ["thread", "pool (64 workers)"] {
        let row = row(&report, hangs);
        assert_eq!(
            (&row["verdict"]["level"], &row["errors"][0]["class"]),
            (&"failed".into(), &"timed_out".into())
        );
    }
}

#[test]
fn the_report_names_what_was_measured_and_where() {
    let fake = Fake::new(&format!("ready {}; hold", correct()));
    let ran = fake.ran(&["-J"]);
    let report = ran.json();
    let names: Vec<&str> =
        report["subjects"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[1]), ("thread", "process"));
    assert!(names[2].starts_with("pool (") && names.last() == Some(&"pool (64 workers)"), "{names:?}");
    assert_eq!(report["summary"].as_array().unwrap().len(), names.len() * 2);
    assert_eq!(report["seed"], 1);
    assert!(report["platform"]["kernel"].as_str().unwrap().starts_with("Linux"));
    let text = fake.ran(&["--modes", "thread"]).stdout;
    assert!(text.contains("persistent: 4 connections") && text.contains("churn: 4 connections"), "{text}");
    assert!(text.contains("Closed loop"), "{text}");
}

/// A comparison that has sent its first requests, and the pipe `alive`, which its server holds open as long as it
/// lives.
fn begun(fake: &Fake, told: &Receiver<()>) -> (Child, fs::File) {
    // without O_NONBLOCK this would wait for the server, and the server for this
    let alive =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(fake.pipe("alive")).unwrap();
    let child = fake.start(&["--modes", "thread", "--workloads", "persistent", "-d", "60s"]);
    told.recv_timeout(Duration::from_secs(20)).unwrap();
    (child, alive)
}

/// Waits until nobody holds the pipe any more.
fn is_gone(alive: &fs::File) -> bool {
    let mut polled = [PollFd::new(alive.as_fd(), PollFlags::empty())];
    let ready = poll(&mut polled, PollTimeout::from(10_000_u16)).unwrap();
    ready == 1 && polled[0].revents().unwrap().contains(PollFlags::POLLHUP)
}

fn telling() -> (SocketAddr, Receiver<()>) {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let often = every(1000);
    let server = serve(move |stream, _| {
        echo(stream, |_| {
            if often() {
                let _ = tell.try_send(());
            }
            true
        });
    });
    (server, told)
}

/// The script opens the pipe in itself only: the end of the file is the end of the server.
fn holding(server: SocketAddr) -> Fake {
    Fake::new(&format!("exec 9>\"$(dirname \"$0\")/alive\"; ready {server}; hold"))
}

#[test]
fn ctrl_c_stops_the_server_and_gives_130() {
    let (server, told) = telling();
    let fake = holding(server);
    let (child, alive) = begun(&fake, &told);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.stdout.contains("INTERRUPTED"), "{}", ran.stdout);
    assert!(is_gone(&alive));
}

/// A server that never becomes quiet is looked at for some time; the replies of that time are none of the trial's.
#[test]
fn an_interrupted_trial_counts_what_came_in_its_time_only() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let seen: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = Arc::clone(&seen);
    let server = serve(move |stream, _| {
        echo(stream, |_| {
            let now = Instant::now();
            let mut times = times.lock().unwrap();
            times.push(now);
            if now - times[0] > Duration::from_millis(600) {
                let _ = tell.try_send(());
            }
            true
        });
    });
    let fake = Fake::new(&format!("ready {server}; while :; do :; done"));
    let child = fake.start(&["--modes", "thread", "--workloads", "persistent", "-d", "60s", "-J"]);
    told.recv_timeout(Duration::from_secs(20)).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    // the warm-up is in none of the figures; what came in is at most what the server has seen
    let times = seen.lock().unwrap();
    let whole = (*times.last().unwrap() - times[0]).as_secs_f64();
    let (client, report) = (ran.client(), ran.json());
    let seconds = client["seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < whole, "{seconds} of {whole}: {client}");
    let counted =
        client["requests"]["ok"].as_u64().unwrap() + client["requests"]["warmup_ok"].as_u64().unwrap();
    assert!(counted > 0 && counted <= times.len() as u64, "{counted} of {}", times.len());
    assert!(client["busy"].is_null() && client["cpu_seconds"].is_null(), "{client}");
    let reasons = reasons(row(&report, "thread"));
    assert!(reasons.contains("interrupted") && !reasons.contains("others used"), "{reasons}");
}

#[test]
fn no_server_outlives_a_loadgen_that_was_killed() {
    let (server, told) = telling();
    let fake = holding(server);
    let (mut child, alive) = begun(&fake, &told);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_gone(&alive));
}
