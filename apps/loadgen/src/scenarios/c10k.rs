//! Many idle connections beside a few active ones: what each model pays for those that do nothing.

use super::{Base, Experiment, words};
use crate::plan::{Bystanders, Load, Scenario, Workload};
use crate::report::data::Figure;
use crate::report::summary::{Row, Spread};

/// Connections that are active.
const ACTIVE: usize = 16;
/// Idle ones, step by step.
const IDLE: [usize; 4] = [0, 1_000, 5_000, 10_000];
const IDLE_QUICK: [usize; 3] = [0, 250, 1_000];
/// So many seats a server is given beside the idle ones.
const SPARE: usize = 64;

pub(super) const EXPERIMENT: Experiment = Experiment {
    shows: "What idle connections cost: memory for each (the slope of the server's memory over their number, its own and \
            the kernel's), and the time of the active ones among them.",
    expects: "A loop keeps some hundred bytes for each and looks only at those that are ready, so time stays flat (epoll; \
              with select or poll it would grow). A thread keeps its touched stack, some 10 KiB; a process the \
              pages that it has copied, about as much. What is counted is the proportional set size: kernel stacks and \
              page tables are not in it, and page tables are what makes a process dear (some 40 KiB each). A pool whose workers serve a connection to its end is \
              full when as many are idle as it has workers. The kernel's own memory for a socket is the same in all.",
    workloads,
    conclude,
};

fn workloads(base: &Base) -> Vec<Workload> {
    let steps: &[usize] = if base.quick { &IDLE_QUICK } else { &IDLE };
    let room = base.room.saturating_sub(ACTIVE + SPARE);
    let mut steps: Vec<usize> = steps.iter().map(|step| *step.min(&room)).collect();
    steps.dedup();
    let seats = (steps.last().copied().unwrap_or(0) + ACTIVE + SPARE).to_string();
    let load = |idle| Load {
        connections: ACTIVE,
        depth: 1,
        bystanders: Bystanders { idle, ..Bystanders::default() },
        ..base.load.clone()
    };
    steps
        .into_iter()
        .map(|idle| {
            let what = format!("{} idle", common::units::show_count(idle as u64));
            Workload::of(Scenario::C10k, &what, load(idle)).with_server(&["--max-conns", &seats])
        })
        .collect()
}

fn conclude(rows: &mut [Row]) -> Vec<String> {
    let mut sentences = Vec::new();
    for subject in words::subjects(rows) {
        let own: Vec<&Row> = rows.iter().filter(|row| row.subject == subject).collect();
        let points = |memory: Figure| -> Vec<(f64, f64)> {
            own.iter()
                .filter_map(|row| Some((words::figure(row, Figure::IdleHeld)?, words::figure(row, memory)?)))
                .collect()
        };
        let (user, kernel) = (slope(&points(Figure::ServerBytes)), slope(&points(Figure::KernelBytes)));
        let first = own.first().and_then(|row| row.p99);
        let last = own.last().and_then(|row| row.p99);
        let Some(user) = user else {
            sentences.push(format!("{subject}: held too few idle connections to tell what one costs."));
            continue;
        };
        let kernel_words = kernel
            .map(|kernel| format!(" and {:.2} KiB of the kernel's", kernel / 1024.0))
            .unwrap_or_default();
        let time = match (first, last) {
            (Some(first), Some(last)) if first.median > 0.0 => {
                format!(
                    "; p99 of the active ones {} → {}",
                    words::nanos(first.median),
                    words::nanos(last.median)
                )
            }
            _ => "; beside the most idle ones nobody active was served".to_owned(),
        };
        sentences.push(format!(
            "{subject}: {:.2} KiB of its own memory{kernel_words} for each idle connection{time}.",
            user / 1024.0
        ));
        let largest = rows.iter_mut().rfind(|row| row.subject == subject);
        if let Some(row) = largest {
            let exact = |median| Spread { median, low: median, high: median, count: 1 };
            row.figures.insert(Figure::BytesPerIdle, exact(user));
            if let Some(kernel) = kernel {
                row.figures.insert(Figure::KernelBytesPerIdle, exact(kernel));
            }
        }
    }
    sentences
}

/// The slope of the straight line that is nearest to the points (least squares); `None`: they lie at one place.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    let width: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    (width > 0.0).then(|| points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum::<f64>() / width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_needs_two_places_and_no_start_at_zero() {
        assert_eq!(slope(&[(0.0, 5.0), (10.0, 25.0), (20.0, 45.0)]), Some(2.0));
        assert_eq!(slope(&[(7.0, 1.0), (7.0, 2.0)]), None);
        assert_eq!(slope(&[]), None);
    }
}
