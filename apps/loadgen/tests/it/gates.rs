//! What a run is held to, with the real program: promises, baselines, and how strict to be; each with its exit code.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::tool::{Ran, correct, loadgen, pool, ran, short};

const FEW: [&str; 4] = ["-c", "2", "-n", "200"];

fn with(more: &[&str]) -> Ran {
    short(correct(), &[&FEW, more].concat())
}

#[test]
fn a_kept_promise_ends_with_0_and_a_broken_one_with_3() {
    let kept = with(&["--slo", "p50<1m,errors<=0%,rate>0"]);
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let promises = kept.json()["promises"].clone();
    assert_eq!(promises.as_array().unwrap().len(), 3, "{promises}");
    assert!(promises.as_array().unwrap().iter().all(|outcome| outcome["kept"] == true), "{promises}");
    let broken = with(&["--slo", "max<1ns", "--slo", "errors<0.1%"]);
    assert_eq!(broken.code, Some(3), "{}", broken.stderr);
    assert!(broken.stderr.starts_with("error: --slo: 127.0.0.1:"), "{}", broken.stderr);
    assert!(broken.stderr.contains("max<1ns was promised and") && broken.stderr.lines().count() == 1);
}

#[test]
fn a_gate_that_makes_no_sense_is_one_line_and_exit_2() {
    for (more, hint) in [
        (&["--slo", "p98<5ms"][..], "choose from p50"),
        (&["--slo", "p99<5"][..], "5ms"),
        (&["--baseline", "two words"][..], "letters, digits"),
        (&["--fail-on-regression"][..], "--baseline"),
        (&["--baseline", "x", "--fail-on-regression"][..], "-x 5"),
        (&["--noise-threshold", "much"][..], "2%"),
        (&["--strict=very"][..], "suspect"),
    ] {
        let ran = with(more);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint) && ran.stderr.lines().count() == 1, "{more:?}: {}", ran.stderr);
    }
}

#[test]
fn a_suspect_run_ends_with_4_only_if_that_is_asked_for() {
    // two workers for four connections: two of them never have a reply
    let with = |strict: &str| short(pool(2), &["-c", "4", "-T", "200ms", strict]);
    let strict = with("--strict=suspect");
    assert_eq!(strict.code, Some(4), "{}", strict.stderr);
    assert!(strict.stderr.contains("is SUSPECT: 2 connections had no reply"), "{}", strict.stderr);
    assert_eq!(with("--strict").code, Some(0));
}

/// Runs five short trials with baselines under this folder.
fn repeated(data: &Path, more: &[&str]) -> Ran {
    let server = correct().to_string();
    let mut command = loadgen(&[
        "run",
        &server,
        "-c",
        "2",
        "-x",
        "5",
        "-d",
        "50ms",
        "-w",
        "10ms",
        "-J",
        "--quiet",
        "--no-server-cost",
    ]);
    Ran::of(&command.args(more).env("XDG_DATA_HOME", data).output().unwrap())
}

#[test]
fn a_baseline_is_kept_by_name_and_compared_with() {
    let data = tempfile::tempdir().unwrap();
    let first = repeated(data.path(), &["--save-baseline", "main"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let file = data.path().join("loadgen/baselines/main.json");
    let then = repeated(data.path(), &["--baseline", "main"]);
    assert_eq!(then.code, Some(0), "{}", then.stderr);
    let compared = then.json()["baseline"].clone();
    assert_eq!(compared["baseline"], "main");
    // the port is another one, and the only server is compared all the same
    assert!(compared["unlike"].to_string().contains("The server was 127.0.0.1:"), "{compared}");
    // far faster then, and always the same: that is a regression now, however the trials differ, and it does not become the new measure
    let mut report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for trial in report["trials"].as_array_mut().unwrap() {
        trial["client"]["requests_per_second"] = 1e9.into();
        trial["verdict"]["level"] = "valid".into();
    }
    fs::write(&file, report.to_string()).unwrap();
    let options = ["--baseline", "main", "--save-baseline", "main", "--fail-on-regression=10%"];
    let worse = repeated(data.path(), &options);
    let now = worse.json();
    let valid = now["trials"].as_array().unwrap().iter().filter(|t| t["verdict"]["level"] == "valid").count();
    // a machine that is busy with other things may leave nothing to compare, which is no success either
    let (code, words) = if valid >= 3 { (3, "requests/s 0.0") } else { (1, "the baseline main") };
    assert_eq!(worse.code, Some(code), "{valid} valid trials: {}", worse.stderr);
    assert!(worse.stderr.contains(words), "{}", worse.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), report.to_string());
}

#[test]
fn a_baseline_that_cannot_be_read_is_told_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.json");
    for (text, hint) in [
        (None, "--save-baseline"),
        (Some("no json"), "no JSON report"),
        (Some("{}"), "no schema"),
        (Some(r#"{"schema": 1}"#), "its schema is 1"),
        (Some(r#"{"schema": 2}"#), "no report of loadgen"),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        // nobody listens there: if it were tried, that would be the error
        let ran = ran(&["run", "127.0.0.1:9", "--quiet", "--baseline", file.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{text:?}");
        assert!(ran.stderr.contains(hint) && ran.stderr.lines().count() == 1, "{text:?}: {}", ran.stderr);
    }
}
