//! What the figures say: that threads are of use, or nothing, because the machine was busy.

/// Who got a smaller share of the CPUs was not alone.
const ALONE: f64 = 0.85;

/// What a speed-up of so many threads says, when one thread and all of them were given so many CPUs.
pub(super) fn verdict(threads: usize, speed_up: f64, [by_one, by_all]: [f64; 2]) -> String {
    let cpus = threads as f64;
    if by_one < ALONE || by_all < ALONE * cpus {
        format!(
            "But they were given {by_all:.1} of {threads} CPUs, and the one {by_one:.1} of 1: something else was running. Run it again \
             when the machine is quiet."
        )
    } else if speed_up > 1.2 {
        format!("They were given {by_all:.1} CPUs, and used them: threads are not useless here.")
    } else {
        format!(
            "They were given {by_all:.1} CPUs and gained nothing: so these CPUs share what computes (two halves of one core, for example)."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_that_of_the_figures() {
        assert!(verdict(2, 1.9, [1.0, 1.95]).contains("not useless"));
        assert!(verdict(2, 1.0, [1.0, 1.95]).contains("gained nothing"));
        // an impossible gain comes from a base that was disturbed, and no gain from CPUs that others had
        assert!(verdict(2, 3.4, [0.4, 1.9]).contains("something else was running"));
        assert!(verdict(2, 1.0, [1.0, 1.1]).contains("something else was running"));
    }
}
