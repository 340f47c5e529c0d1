//! The same program under two names: a comparison that finds a difference there has found noise.

use std::path::Path;

use serde_json::Value;

use crate::programs::{alone, compared, number, program};

/// Compares tcp-echo with itself; gives the ratios that are told.
fn compared_with_itself(tcp_echo: &Path, seed: &str, each: [&str; 4]) -> Option<Value> {
    let server = |name: &str| format!("{name}={} --mode thread --port {{port}}", tcp_echo.display());
    let (one, other) = (server("one"), server("other"));
    let servers = ["--server", &one, "--server", &other, "--scenario", "persistent", "--seed", seed];
    let report = compared(&[&servers[..], &each].concat())?;
    assert!(report["promises"].as_array().unwrap().is_empty());
    Some(report["comparison"]["ratios"].clone())
}

/// What is said to differ, in words.
fn differences(ratios: &Value) -> Vec<String> {
    let ratios = ratios.as_array().unwrap().iter();
    let shown = ratios.filter(|ratio| matches!(ratio["shown"].as_str(), Some("more" | "less")));
    shown
        .map(|ratio| {
            format!("{}: {} ({} to {})", ratio["metric"], ratio["ratio"], ratio["low"], ratio["high"])
        })
        .collect()
}

/// One run says nothing of how often it errs; that it compares at all, and finds the two near each other, it does.
#[test]
fn a_program_is_compared_with_itself() {
    let _turn = alone();
    let Some(tcp_echo) = program("tcp-echo") else { return };
    let each = ["-x5", "-d100ms", "-w30ms", "-c8"];
    let Some(ratios) = compared_with_itself(&tcp_echo, "1", each) else { return };
    let of =
        |metric: &str| ratios.as_array().unwrap().iter().find(|ratio| ratio["metric"] == metric).cloned();
    let cpu = of("cpu_per_request").unwrap_or_else(|| panic!("{ratios}"));
    assert_eq!(cpu["pairs"], 5, "{ratios}");
    assert!((0.5..2.0).contains(&number(&cpu["ratio"])), "{ratios}");
    assert!(number(&cpu["low"]) <= number(&cpu["ratio"]) && number(&cpu["ratio"]) <= number(&cpu["high"]));
    eprintln!("in this one run: {:?}", differences(&ratios));
}

/// Every interval of a report holds the truth in 95 % of all reports: of 20, one may err.
#[test]
#[ignore = "20 comparisons take some three minutes and want a quiet machine: scripts/README.md says how to run it"]
fn no_difference_is_shown_in_19_of_20_comparisons() {
    let _turn = alone();
    let Some(tcp_echo) = program("tcp-echo") else { return };
    let mut erred = Vec::new();
    for seed in 1..=20 {
        let each = ["-x5", "-d500ms", "-w100ms", "-c16"];
        let Some(ratios) = compared_with_itself(&tcp_echo, &seed.to_string(), each) else { return };
        let found = differences(&ratios);
        eprintln!(
            "{seed}: {}",
            if found.is_empty() { "no difference shown".to_owned() } else { found.join(", ") }
        );
        if !found.is_empty() {
            erred.push((seed, found));
        }
    }
    assert!(erred.len() <= 1, "{} of 20 show a difference: {erred:?}", erred.len());
}
