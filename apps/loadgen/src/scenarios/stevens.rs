//! Stevens' table: the CPU time that a server spends on its model alone.

use super::{Experiment, words};
use crate::plan::{Load, Scenario, Workload};
use crate::report::data::Figure;
use crate::report::summary::{Row, Spread};

/// As in his measurement: ten connections at a time, five bytes each.
const CONNECTIONS: usize = 10;
const SIZE: usize = 5;
/// The row that all others are compared with.
const BASELINE: &str = "iterative";

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "Process control CPU, the metric of W. R. Stevens (Unix Network Programming, chapter 30): the server's CPU time \
            for a connection minus that of the iterative server, which controls nothing.",
    expects: "His conclusions: creating a process for each client costs most; a pool, whatever its way of accepting, cuts \
              that at least tenfold; letting the workers accept is cheaper than passing connections to them. A thread \
              for each client lies far below a process for each.",
    workloads: |base| {
        let load = Load {
            connections: CONNECTIONS,
            size: SIZE,
            depth: 1,
            reconnect: Some(1),
            threads: 1,
            ..base.load.clone()
        };
        vec![Workload::of(Scenario::Stevens, "", load)]
    },
    conclude,
};

fn conclude(rows: &mut [Row]) -> Vec<String> {
    let least = rows.iter().find(|row| row.subject == BASELINE).and_then(|row| row.cpu_us_per_request);
    let Some(least) = least else {
        return vec![format!(
            "There is no row of the {BASELINE} server to subtract: add {BASELINE} to --modes."
        )];
    };
    for row in rows.iter_mut() {
        if let Some(cpu) = row.cpu_us_per_request {
            let above = Spread {
                median: cpu.median - least.median,
                low: cpu.low - least.high,
                high: cpu.high - least.low,
                count: cpu.count,
            };
            row.figures.insert(Figure::CpuUsAboveIterative, above);
        }
    }
    let above = |row: &Row| words::figure(row, Figure::CpuUsAboveIterative);
    let mut order: Vec<(&str, f64)> =
        rows.iter().filter_map(|row| Some((row.subject.as_str(), above(row)?))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let others = order.iter().filter(|(name, _)| *name != BASELINE);
    let list: Vec<String> = others.map(|(name, above)| format!("{name} {above:+.1} us")).collect();
    if list.is_empty() {
        return vec![format!("There is nobody to compare {BASELINE} with: add others to --modes.")];
    }
    let mut sentences =
        vec![format!("CPU for a connection above {BASELINE}'s {:.1} us: {}.", least.median, list.join(", "))];
    let of =
        |name: &str| order.iter().find(|(subject, _)| subject.starts_with(name)).map(|(_, above)| *above);
    if let (Some(process), Some(pool)) = (of("process"), of("pool").or_else(|| of("prefork")))
        && pool > 0.0
    {
        sentences.push(format!(
            "A process for each connection controls {:.0} times as dearly as a pool; Stevens found more than ten times.",
            process / pool
        ));
    }
    sentences
}
