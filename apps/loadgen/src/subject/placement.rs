//! Which CPUs the server and the client run on.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::plan::Pin;

/// The CPUs of both sides. An empty list: not pinned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Placement {
    /// CPUs of the server; of one that was not started here, those that it was found on, if that is not all.
    pub server: Vec<usize>,
    /// CPUs of the client threads.
    pub client: Vec<usize>,
}

/// The CPUs that this process may use.
#[must_use]
pub fn allowed_cpus() -> Vec<usize> {
    cpus_of(0)
}

/// The CPUs that this process may use; none: not known.
#[must_use]
pub fn cpus_of(pid: i32) -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(pid)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// Places both sides on `cpus`.
#[must_use]
pub fn place(pin: &Pin, cpus: &[usize]) -> Placement {
    match pin {
        Pin::Auto if cpus.len() >= 2 => {
            let (server, client) = cpus.split_at(cpus.len() / 2);
            Placement { server: server.to_vec(), client: client.to_vec() }
        }
        Pin::At { server, client } => Placement { server: server.clone(), client: client.clone() },
        Pin::Same if !cpus.is_empty() => Placement { server: vec![cpus[0]], client: vec![cpus[0]] },
        _ => Placement { server: Vec::new(), client: Vec::new() },
    }
}

impl Placement {
    /// How many CPUs the client may use, of those that this process may use.
    #[must_use]
    pub fn client_cpus(&self, allowed: &[usize]) -> usize {
        of(&self.client, allowed).len().max(1)
    }

    /// How many CPUs the server may use, if it is ours.
    #[must_use]
    pub fn server_cpus(&self, allowed: &[usize]) -> usize {
        of(&self.server, allowed).len().max(1)
    }

    /// How many CPUs either side may use, if there is one that both may; `None`: they are apart.
    #[must_use]
    pub fn shared_cpus(&self, allowed: &[usize]) -> Option<usize> {
        let (server, client) = (of(&self.server, allowed), of(&self.client, allowed));
        let others = server.iter().filter(|cpu| !client.contains(cpu)).count();
        (others < server.len()).then_some(client.len() + others)
    }

    /// For a report: `server on CPU 0, client on CPU 1`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.server.as_slice(), self.client.as_slice()) {
            ([], []) => "server and client on any CPU".to_owned(),
            ([], client) => format!("client on {}", list(client)),
            (server, []) => format!("server on {}, client on any CPU", list(server)),
            (server, client) if server == client => format!("server and client both on {}", list(server)),
            (server, client) => format!("server on {}, client on {}", list(server), list(client)),
        }
    }
}

/// Who is not pinned may use all.
fn of<'a>(side: &'a [usize], allowed: &'a [usize]) -> &'a [usize] {
    if side.is_empty() { allowed } else { side }
}

fn list(cpus: &[usize]) -> String {
    let numbers: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    match cpus {
        [one] => format!("CPU {one}"),
        [first, .., last] if last - first + 1 == cpus.len() => format!("CPUs {first}-{last}"),
        _ => format!("CPUs {}", numbers.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_pinned_shares_every_cpu() {
        let all = [0, 1, 2, 3];
        let count = |pin: Pin| {
            let placed = place(&pin, &all);
            (placed.server_cpus(&all), placed.client_cpus(&all), placed.shared_cpus(&all))
        };
        assert_eq!(count(Pin::Auto), (2, 2, None));
        assert_eq!(count(Pin::Same), (1, 1, Some(1)));
        assert_eq!(count(Pin::None), (4, 4, Some(4)));
    }

    #[test]
    fn both_sides_get_half_of_the_cpus() {
        assert_eq!(place(&Pin::Auto, &[0, 1]).words(), "server on CPU 0, client on CPU 1");
        assert_eq!(place(&Pin::Auto, &[0, 1, 2, 3]).words(), "server on CPUs 0-1, client on CPUs 2-3");
        assert_eq!(place(&Pin::Auto, &[3]).words(), "server and client on any CPU");
        assert_eq!(place(&Pin::Same, &[2, 5]).words(), "server and client both on CPU 2");
        assert_eq!(place(&Pin::None, &[0, 1]).words(), "server and client on any CPU");
        assert_eq!(place(&Pin::Auto, &[0, 1, 2, 5]).words(), "server on CPUs 0-1, client on CPUs 2,5");
    }
}
