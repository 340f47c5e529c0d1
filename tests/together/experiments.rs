//! Every experiment of `compare`, for real and short: what it says it shows, and of what it measured that which theory
//! is certain of. (`failures.rs` has crash, shutdown and overload.)

use serde_json::Value;

use crate::programs::{alone, compared, number};

/// Short enough for a test; the figures are rough, and so is what is asked of them.
const SHORT: [&str; 9] = ["--quick", "-d", "300ms", "-w", "50ms", "-x", "1", "--seed", "1"];

/// The report of this experiment with these servers; it has all that an experiment says of itself.
pub(crate) fn experiment(name: &str, more: &[&str]) -> Option<Value> {
    let report = compared(&[&SHORT[..], &["--scenario", name], more].concat())?;
    let scenario = &report["scenarios"][0];
    assert_eq!(scenario["name"], name, "{scenario}");
    for what in ["shows", "expects"] {
        assert!(scenario[what].as_str().is_some_and(|text| text.len() > 60), "{scenario}");
    }
    for sentence in scenario["measured"].as_array().unwrap() {
        let text = sentence.as_str().unwrap();
        assert!(text.ends_with('.') && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }
    Some(report)
}

/// The row of a server under the load of this name.
pub(crate) fn row<'a>(report: &'a Value, subject: &str, workload: &str) -> &'a Value {
    let rows = report["summary"].as_array().unwrap();
    let found = rows.iter().find(|row| row["subject"] == subject && row["workload"] == workload);
    found.unwrap_or_else(|| panic!("no row {subject}, {workload}: {report}"))
}

/// A figure that only some experiments measure; `None`: it is not there.
pub(crate) fn figure(report: &Value, subject: &str, workload: &str, name: &str) -> Option<f64> {
    row(report, subject, workload)["figures"][name]["median"].as_f64()
}

pub(crate) fn sentences(report: &Value) -> String {
    report["scenarios"][0]["measured"].to_string()
}

fn rate(report: &Value, subject: &str, workload: &str) -> f64 {
    let row = row(report, subject, workload);
    number(&row["requests_per_second"]["median"])
}

#[test]
fn persistent_churn_slow_and_greedy_measure_each_of_their_loads() {
    let _turn = alone();
    let loads: [(&str, &[&str]); 4] = [
        ("persistent", &["persistent"]),
        ("churn", &["churn"]),
        ("slow", &["slow: nobody slow", "slow: 64 slow clients"]),
        ("greedy", &["greedy: polite clients only", "greedy: one greedy client"]),
    ];
    for (name, loads) in loads {
        let Some(report) = experiment(name, &["--modes", "event-loop", "-c", "8"]) else { return };
        for load in loads {
            assert!(rate(&report, "event-loop", load) > 0.0, "{load}: {report}");
        }
        let compares = loads.len() > 1;
        assert_eq!(sentences(&report).contains("the requests/s"), compares, "{name}: {}", sentences(&report));
    }
}

#[test]
fn stevens_finds_processes_dearer_than_threads_and_both_than_nothing() {
    let _turn = alone();
    let Some(report) = experiment("stevens", &["--modes", "iterative,process,thread"]) else { return };
    let above = |mode| figure(&report, mode, "stevens", "cpu_us_above_iterative").unwrap();
    let (process, thread) = (above("process"), above("thread"));
    assert!(process > thread && thread > 0.0, "{process} {thread}: {}", sentences(&report));
    assert!(sentences(&report).contains("CPU for a connection above iterative's"), "{}", sentences(&report));
    let Some(report) = experiment("stevens", &["--modes", "thread"]) else { return };
    assert!(sentences(&report).contains("There is no row of the iterative server"), "{}", sentences(&report));
}

/// Time that is spent on requests is CPU time, and there is one CPU for the server.
#[test]
fn cpu_finds_no_more_than_one_cpu() {
    let _turn = alone();
    // both on one CPU: where there are many, the server would have half of them
    let Some(report) = experiment("cpu", &["--modes", "thread,event-loop", "-c", "8", "--pin", "same"])
    else {
        return;
    };
    for mode in ["thread", "event-loop"] {
        for cost in [100.0, 1000.0] {
            let share = rate(&report, mode, &format!("cpu: {cost} us")) * cost / 1e6;
            assert!((0.1..=1.05).contains(&share), "{mode}, {cost} us: {share}");
        }
    }
    assert!(
        sentences(&report).contains("share of one CPU that went into requests"),
        "{}",
        sentences(&report)
    );
}

/// A thread for each connection waits for each by itself; of a loop, a blocking call stops all.
#[test]
fn block_stops_a_loop_and_no_thread() {
    let _turn = alone();
    let Some(report) = experiment("block", &["--modes", "thread,event-loop", "-c", "50"]) else { return };
    let (waits, blocks) = ("block: may be waited for", "block: blocks the handler");
    // without --workers a loop for each CPU that the server may use, of which it has half, or the only one
    let cpus = report["placement"]["server"].as_array().map_or(1, Vec::len).max(1);
    let most = cpus as f64 * 100.0;
    let stopped = rate(&report, "event-loop", blocks);
    assert!(stopped <= most * 1.1, "{stopped} of {most}: {}", sentences(&report));
    for free in
        [rate(&report, "thread", blocks), rate(&report, "thread", waits), rate(&report, "event-loop", waits)]
    {
        assert!(
            free > 5.0 * stopped / cpus as f64 && free <= 5000.0 * 1.05,
            "{free} {stopped}: {}",
            sentences(&report)
        );
    }
    assert!(sentences(&report).contains("of 5,000/s at most"), "{}", sentences(&report));
}

/// What an idle connection costs: a place in a loop is next to nothing beside a thread or a process. Of these two neither
/// is certain to be the dearer: page tables are in no set size.
#[test]
fn c10k_measures_the_active_ones_at_each_step_and_what_the_idle_ones_take() {
    let _turn = alone();
    let python = echo_in_python();
    let servers = ["--modes", "process,thread,event-loop", "--server", &python];
    let Some(report) = experiment("c10k", &servers) else { return };
    for subject in ["process", "thread", "event-loop", "py"] {
        for load in ["c10k: 0 idle", "c10k: 250 idle", "c10k: 1,000 idle"] {
            assert!(rate(&report, subject, load) > 0.0, "{subject}, {load}: {report}");
        }
        assert!(sentences(&report).contains(&format!("{subject}: ")), "{}", sentences(&report));
    }
    let slope = |mode: &str| figure(&report, mode, "c10k: 1,000 idle", "bytes_per_idle");
    if let [Some(process), Some(thread), Some(event_loop)] = ["process", "thread", "event-loop"].map(slope) {
        assert!(process.min(thread) > 4.0 * event_loop.max(256.0), "{}", sentences(&report));
    } else {
        assert!(sentences(&report).contains("held too few idle connections"), "{}", sentences(&report));
    }
}

#[test]
fn accept_finds_exclusive_least_even_and_main_exact() {
    let _turn = alone();
    // far fewer than the loops could serve: the first one that sleeps is nearly always the same
    let Some(report) = experiment("accept", &["--modes", "event-loop,prefork", "-c", "2"]) else { return };
    let jain = |way: &str| figure(&report, way, "accept", "workers_jain").unwrap();
    let ways = ["prefork --accept open", "event-loop --accept exclusive", "event-loop --accept main"];
    let [open, exclusive, main] = ways.map(jain);
    assert!(exclusive < open, "{exclusive} {open}: {}", sentences(&report));
    assert!(main > 0.999, "{main}: {}", sentences(&report));
    assert!(sentences(&report).contains("the busiest worker had"), "{}", sentences(&report));
}

/// A server that is not ours, as an option's value: it echoes, with a thread for each connection.
pub(crate) fn echo_in_python() -> String {
    let script = concat!(
        "import socketserver,sys\n",
        "class H(socketserver.BaseRequestHandler):\n",
        " def handle(self):\n",
        "  try:\n",
        "   while p:=self.request.recv(65536): self.request.sendall(p)\n",
        "  except OSError: pass\n",
        "class S(socketserver.ThreadingTCPServer): allow_reuse_address=True;daemon_threads=True;request_queue_size=128\n",
        "S((\"127.0.0.1\",int(sys.argv[1])),H).serve_forever()\n",
    );
    format!("py=python3 -c '{script}' {{port}}")
}
