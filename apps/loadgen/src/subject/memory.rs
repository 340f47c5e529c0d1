//! The memory of a server: its own, and what the kernel holds for sockets.
//!
//! How: its own is the proportional set size, in which pages that a fork shares are counted once. The kernel's is the
//! `mem` of `/proc/net/sockstat`: pages of all TCP buffers of the machine, so that only its growth tells anything, only
//! where nobody else opens connections, and on one machine both ends of each are in it. Cost: a read of `smaps_rollup`
//! for each process, which walks its page tables. Where it breaks: `smaps_rollup` of another user's process is not
//! readable; the kernel keeps up to 1 MiB for each CPU that it has not booked yet, so few connections show nothing; the
//! socket structures themselves (about 2 KiB each) are in no account that everybody may read.

use std::fs;

use super::tree::Whose;

/// Proportional set size of all processes, in bytes; `None`: of none is it known.
#[must_use]
pub fn proportional(whose: &Whose) -> Option<u64> {
    let sizes: Vec<u64> = whose.processes().iter().filter_map(|stat| of_process(stat.pid)).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

fn of_process(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// What all TCP buffers of the machine take, in bytes.
#[must_use]
pub fn kernel_buffers() -> Option<u64> {
    Some(pages(&fs::read_to_string("/proc/net/sockstat").ok()?)? * procfs::page_size())
}

fn pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_pages_are_found_by_name() {
        let text = "sockets: used 13\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 152\nUDP: inuse 0 mem 1\n";
        assert_eq!(pages(text), Some(152));
        assert_eq!(pages("UDP: inuse 0 mem 1\n"), None);
        assert!(kernel_buffers().is_some());
    }
}
