//! The report as a page, read as text: complete, safe, and correct in what a browser would forgive.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgen::measure::Latency;
use loadgen::measure::verdict::Level;
use loadgen::plan::{Arrivals, Load, Rate, Spacing};
use loadgen::report::data::{
    Accounting, Check, Figure, Interval, NamedLoad, Open, Report, Scenario, Trial, Verb,
};
use loadgen::report::html::{self, Named};

use crate::formats::{client, comparison, cost, load, single, trial};

/// The comparison of the other forms, with what only a page shows: histograms, time, and an experiment.
pub(crate) fn rich() -> Report {
    let mut report = comparison();
    let loads = [40_000.0, 80_000.0].map(|rate| NamedLoad {
        name: format!("overload {rate}/s"),
        scenario: Some("overload".into()),
        load: offered(rate),
    });
    report.scenarios = vec![Scenario {
        name: "overload".into(),
        shows: "What a server does when more is asked of it than it can do.".into(),
        expects: "Throughput stays level and times grow.".into(),
        measured: vec!["thread answered 60,000/s of 80,000/s.".into()],
    }];
    for named in &loads {
        report.workloads.push(named.clone());
        let rate = if named.load == offered(80_000.0) { 60_000.0 } else { 40_000.0 };
        for number in 1..=2 {
            let mut trial =
                trial(number, &named.name, "thread", client(rate, 50), Some(cost(8.0, Some(14_000.0))));
            trial.figures.insert(Figure::IdleHeld, 1_000.0 + f64::from(number));
            report.trials.push(trial);
        }
    }
    let mut trials = std::mem::take(&mut report.trials);
    trials.iter_mut().for_each(fill);
    trials.into_iter().for_each(|trial| report.add(trial));
    report
}

fn offered(rate: f64) -> Load {
    let rate = Rate { from: rate, to: rate, spacing: Spacing::Poisson, seed: 7 };
    Load { arrivals: Arrivals::AtRate(rate), ..load(None) }
}

/// Gives a trial the times that a real one has.
fn fill(trial: &mut Trial) {
    let open = trial.workload.starts_with("overload");
    let Some(client) = &mut trial.client else { return };
    let times = |factor: u64| {
        let mut latency = Latency::new();
        (1..=2_000_u64).for_each(|n| latency.record(factor * (100_000 + n * n * n / 4_000), 1));
        latency.quantiles()
    };
    client.reply = times(if open { 4 } else { 1 });
    if open {
        client.open = Some(Open {
            offered_per_second: client.requests_per_second,
            due: 2_000,
            unsent: 0,
            uncorrected: times(1),
            lag: times(1),
        });
    }
    client.intervals = (0..10_u32)
        .map(|n| Interval {
            from: f64::from(n) / 5.0,
            to: f64::from(n + 1) / 5.0,
            ok: client.requests.ok / 10,
            errors: 0,
            p50: 430_000,
            p99: 700_000 + 10_000 * u64::from(n),
            max: 4_000_000,
        })
        .collect();
}

#[test]
fn the_page_of_a_comparison() {
    let page = html::render(&rich());
    assert!(page.len() < 300 << 10, "{} bytes", page.len());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/compare.html");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    // the whole page would bury the difference
    for (number, (expected, got)) in expected.lines().zip(page.lines()).enumerate() {
        assert_eq!(expected, got, "line {} of compare.html; BLESS=1 makes it anew", number + 1);
    }
    assert_eq!(expected.len(), page.len(), "compare.html; BLESS=1 makes it anew");
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let both = [named("one.json", rich()), named("two.json", single())];
    for page in [html::render(&rich()), html::render(&single()), html::render_all(&both)] {
        for outside in ["http:", "https:", "//", "@import", "url(", " src=", "<link", "<iframe", "<img"] {
            // of the script only its one comment has slashes
            let text = page.replace("\n// Makes", "\n").replace("<script>// Makes", "<script>");
            assert!(
                !text.contains(outside),
                "{outside}: {:?}",
                text.split_once(outside).map(|(_, after)| &after[..80])
            );
        }
    }
}

/// Any other script or style is refused by the page itself; so its own two must be the right ones.
#[test]
fn the_page_allows_its_own_script_and_style_only() {
    let page = html::render(&single());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for (directive, tag) in [("style-src", "style"), ("script-src", "script")] {
        let text = between(&page, &format!("<{tag}>"), &format!("</{tag}>"));
        let right = format!("{directive} 'sha256-{}'", sha256(text));
        assert!(policy.contains(&right), "in html/mod.rs it must be {right}: {policy}");
    }
}

fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let digits = String::from_utf8(output.stdout).unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    STANDARD.encode(bytes)
}

#[test]
fn whatever_comes_from_outside_is_text() {
    const EVIL: &str = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let mut report = rich();
    let old = std::mem::take(&mut report.trials);
    report.command_line = vec![EVIL.into()];
    report.started = EVIL.into();
    (report.platform.cpu, report.platform.kernel) = (EVIL.into(), EVIL.into());
    (report.platform.governor, report.platform.loadgen) = (Some(EVIL.into()), EVIL.into());
    for subject in &mut report.subjects {
        subject.name = format!("{}{EVIL}", subject.name);
        subject.command_line = Some(vec![EVIL.into()]);
    }
    for load in &mut report.workloads {
        load.name = format!("{}{EVIL}", load.name);
    }
    let scenario = &mut report.scenarios[0];
    (scenario.shows, scenario.expects, scenario.measured) = (EVIL.into(), EVIL.into(), vec![EVIL.into()]);
    for mut trial in old {
        trial.subject = format!("{}{EVIL}", trial.subject);
        trial.workload = format!("{}{EVIL}", trial.workload);
        trial.verdict.add(Level::Suspect, EVIL);
        report.add(trial);
    }
    let pages = [
        html::render(&report),
        html::render_all(&[named(EVIL, report.clone()), named("two", report.clone())]),
    ];
    for page in pages {
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("<img") && !page.contains("alert(1)</script>"));
        assert!(page.matches("&lt;script&gt;alert").count() > 50);
    }
}

#[test]
fn pictures_have_the_colours_and_fonts_of_the_page() {
    let page = html::render(&rich());
    for own in ["fill=\"#", "stroke=\"#", "font-family=", "font-size=", "style=", "rgb("] {
        assert!(!page.contains(own), "{own}: {}", page.split_once(own).unwrap().1.get(..60).unwrap());
    }
    let pictures = page.matches("<svg class=\"chart\"").count();
    assert!(pictures > 15, "{pictures}");
    for part in ["role=\"img\"", "<figcaption>", "<desc id="] {
        assert_eq!(page.matches(part).count(), pictures, "{part}");
    }
}

#[test]
fn ids_are_unique_references_lead_somewhere_and_no_level_is_left_out() {
    for page in [html::render(&rich()), html::render_all(&[named("a", rich()), named("b", single())])] {
        let all: Vec<&str> =
            page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let ids: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len());
        for reference in ["aria-labelledby=\"", "href=\"#"] {
            let values = page.split(reference).skip(1).map(|rest| rest.split('"').next().unwrap());
            for id in values.flat_map(|value| value.split(' ')) {
                assert!(ids.contains(id), "{reference}{id}");
            }
        }
        let levels: Vec<u32> = page
            .split("<h")
            .skip(1)
            .filter_map(|rest| rest.chars().next().filter(char::is_ascii_digit)?.to_digit(10))
            .collect();
        assert_eq!(levels[0], 1);
        assert!(levels.windows(2).all(|two| two[1] <= two[0] + 1 && two[1] > 1), "{levels:?}");
    }
}

/// The sum of the histograms, not something in between of the percentiles.
#[test]
fn histograms_of_several_reports_are_added_up() {
    let with = |nanos: u64| {
        let mut report = single();
        let mut latency = Latency::new();
        latency.record(nanos, 100);
        report.trials[0].client.as_mut().unwrap().reply = latency.quantiles();
        report
    };
    let merged = |other: Report| {
        let page = html::render_all(&[named("one.json", with(1_000_000)), named("two.json", other)]);
        let together = between(&page, "id=\"together\"", "<section class=\"report\"").to_owned();
        together.split_once("<figure").map(|(_, figure)| figure.to_owned()).unwrap_or(together)
    };
    let figure = merged(with(9_000_000));
    let row =
        |name: &str| between(&figure, &format!("<th scope=\"row\">{name}</th><td>"), "</td>").to_owned();
    assert_eq!((row("50 %").as_str(), row("90 %").as_str()), ("1.00 ms", "9.00 ms"));
    assert!(figure.contains("all reports"), "{figure}");
    // another load is another thing
    let mut other = with(9_000_000);
    other.workloads[0].load.size = 65;
    assert!(merged(other).contains("No server was measured under the same load in two of these reports."));
}

#[test]
fn an_interrupted_report_says_so_and_an_open_loop_shows_both_times() {
    let mut report = rich();
    report.interrupted = true;
    let page = html::render(&report);
    assert!(page.contains("This report is partial."));
    assert!(page.contains("thread, uncorrected") && page.contains("as offered"));
    assert!(page.contains("What theory expects") && page.contains("thread answered 60,000/s of 80,000/s."));
}

#[test]
fn a_self_test_shows_its_checks_and_a_run_whose_cost_was_counted() {
    let mut report = single();
    report.command = Verb::Selftest;
    let check = |name: &str, passed| Check {
        name: name.into(),
        expected: "1 ms".into(),
        measured: "1.2 ms".into(),
        passed,
    };
    report.checks = vec![check("delay", Some(false)), check("count", Some(true)), check("ceiling", None)];
    let page = html::render(&report);
    assert!(page.contains("1 of 2") && page.contains("<span class=\"badge failed\">WRONG</span>"));

    let mut report = single();
    report.subjects[0].accounting = Some(Accounting::NotCounted("it runs <elsewhere>".into()));
    let page = html::render(&report);
    assert!(page.contains("127.0.0.1:12000: its cost is not known: it runs &lt;elsewhere&gt;."));
}

fn named(name: &str, report: Report) -> Named {
    Named { name: name.into(), report }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, after) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    after.split_once(to).unwrap().0
}
