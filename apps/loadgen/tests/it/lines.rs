//! What is written while it lasts: lines for people on stderr, lines for programs in files and on stdout.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use loadgen::measure::{Latency, Quantiles};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::schema::assert_valid;
use crate::tool::{correct, loadgen, ran};

fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "a line is not whole: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

fn quantiles(value: &Value) -> Quantiles {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn intervals_together_are_the_trial() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.ndjson");
    let server = correct().to_string();
    let load = ["run", &server, "-c", "4", "-t", "2", "-d", "450ms", "-w", "50ms", "-i", "100ms", "-x", "2"];
    let ran = ran(&[&load[..], &["-J", "--quiet", "-o", path.to_str().unwrap()]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines = lines(&fs::read_to_string(&path).unwrap());
    lines.iter().for_each(assert_valid);
    assert_eq!((&lines[0]["type"], &lines[lines.len() - 1]["type"]), (&"begin".into(), &"end".into()));
    assert_eq!(lines[0]["command_line"], ran.json()["command_line"]);
    let trials = of_type(&lines, "trial");
    assert_eq!(trials.len(), 2);
    for trial in trials {
        let client = &trial["client"];
        let mut all = Latency::new();
        let (mut ok, mut until) = (0, 0.0);
        for interval in of_type(&lines, "interval").into_iter().filter(|i| i["trial"] == trial["trial"]) {
            all.merge(&Latency::decoded(&quantiles(&interval["reply"])).unwrap());
            ok += interval["ok"].as_u64().unwrap();
            assert_eq!(interval["from"].as_f64().unwrap(), until, "{interval}");
            until = interval["to"].as_f64().unwrap();
        }
        assert_eq!(ok, client["requests"]["ok"].as_u64().unwrap());
        assert_eq!(all.quantiles(), quantiles(&client["reply"]));
        assert!((until - client["seconds"].as_f64().unwrap()).abs() < 0.1, "{until} {client}");
    }
}

/// `loadgen run … --format ndjson | jq`: lines come while it lasts, and Ctrl-C leaves whole ones.
#[test]
fn lines_stream_to_stdout_and_ctrl_c_leaves_whole_ones() {
    let server = correct().to_string();
    let mut child = loadgen(&["run", &server, "-d", "60s", "-w", "0", "-i", "100ms", "--format", "ndjson"])
        .args(["--quiet", "-c", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..3 {
        out.read_line(&mut text).unwrap();
    }
    assert_eq!(of_type(&lines(&text), "interval").len(), 2, "{text}");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let lines = lines(&text);
    lines.iter().for_each(assert_valid);
    assert_eq!(lines[lines.len() - 1]["interrupted"], true);
    let [trial] = of_type(&lines, "trial")[..] else { panic!("{text}") };
    let counted: u64 = of_type(&lines, "interval").iter().map(|i| i["ok"].as_u64().unwrap()).sum();
    assert_eq!(counted, trial["client"]["requests"]["ok"].as_u64().unwrap());
}

/// Nothing that was measured is lost because of it.
#[test]
fn a_full_disk_under_the_lines_costs_these_lines_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (full, json) = (path("r.ndjson"), path("r.json"));
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let server = correct().to_string();
    let load =
        ["run", &server, "-c", "2", "-d", "250ms", "-w", "0", "-i", "100ms", "--quiet", "--format", "csv"];
    let ran = ran(&[&load[..], &["-o", &full, "-o", &json]].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("error: cannot write {full}: No space left")), "{}", ran.stderr);
    assert_eq!((ran.stderr.lines().count(), ran.stdout.lines().count()), (1, 2), "{}", ran.stdout);
    let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert!(report["trials"][0]["client"]["requests"]["ok"].as_u64() > Some(0), "{report}");
}

/// A file system in memory; gone when the test is, however it ends.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "only root can mount");
            eprintln!("SKIPPED: only root can mount a file system that is full");
            return None;
        }
        let disk = Self(tempfile::tempdir().unwrap());
        let mount = ["-t", "tmpfs", "-o", "size=16k", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(disk.0.path()).status().unwrap();
        assert!(mounted.success(), "cannot mount a tmpfs");
        Some(disk)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_one_line_and_all_that_fits_is_kept() {
    let Some(disk) = SmallDisk::mount() else { return };
    fs::write(disk.path("filler"), vec![0; 8 * 1024]).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let csv = elsewhere.path().join("r.csv");
    let (lines_file, json) = (disk.path("r.ndjson"), disk.path("r.json"));
    let server = correct().to_string();
    let load = ["run", &server, "-c", "2", "-d", "900ms", "-w", "0", "-i", "100ms", "--quiet", "-J"];
    let ran = ran(&[&load[..], &["-o", &lines_file, "-o", &json, "-o", csv.to_str().unwrap()]].concat());
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert_valid(&ran.json());
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 2);
    // the lines that there was room for are whole; of the report there is nothing rather than half of it
    let text = fs::read_to_string(&lines_file).unwrap();
    assert_eq!(lines(&text)[0]["type"], "begin");
    assert!(!Path::new(&json).exists());
}

#[test]
fn a_pipe_gets_a_line_for_each_interval() {
    let server = correct().to_string();
    let ran = ran(&["run", &server, "-c", "2", "-d", "450ms", "-w", "0", "-i", "100ms"]);
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert!(said[0].starts_with("measuring 127.0.0.1:"), "{}", ran.stderr);
    assert!((4..=6).contains(&said[1..].len()), "{}", ran.stderr);
    for (line, begin) in said[1..].iter().zip(["   0.1 s", "   0.2 s", "   0.3 s"]) {
        let whole = ["requests/s   p50 ", "   p99 ", "   max ", "   no errors"];
        assert!(line.starts_with(begin) && whole.iter().all(|part| line.contains(part)), "{line}");
    }
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
}

#[test]
fn what_is_printed_has_one_form() {
    let server = correct().to_string();
    let printed = |format: &str| {
        ran(&["run", &server, "-c", "1", "-n", "20", "-w", "0", "--quiet", "--format", format]).stdout
    };
    assert!(printed("csv").starts_with("workload,subject,"));
    assert!(printed("md").starts_with("# loadgen run"));
    assert!(printed("json").starts_with("{\n"));
    assert!(printed("text").starts_with("loadgen run"));
    let both = ran(&["run", &server, "-J", "--format", "csv"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""), "{}", both.stderr);
    let dash = ran(&["run", &server, "-o", "-"]);
    assert!(dash.code == Some(2) && dash.stderr.contains("--format json"), "{}", dash.stderr);
}
