//! How much room there was, and what stood in the way: the answer to "why not double?", the first of the questions that
//! Brendan Gregg asks of a benchmark.
//!
//! How: the shares of time that everybody was busy, put into a sentence. Cost: nothing. Where it breaks: a thread that
//! waits for memory is busy all the same, and one that waits for a lock is not.

use super::verdict::Limit;

/// Busy shares of one trial, or medians of several; `None`: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shares {
    /// The client: its busiest thread, or all of them on the CPUs that they may use.
    pub client: Option<f64>,
    /// The server's busiest thread.
    pub server: Option<f64>,
    /// All threads of the server on the CPUs that they may use.
    pub server_all: Option<f64>,
    /// All CPUs of the machine.
    pub machine: Option<f64>,
    /// Whether requests were sent when they were due, and no sooner.
    pub open_loop: bool,
}

/// What is left of a share.
#[must_use]
pub fn left(busy: f64) -> f64 {
    (1.0 - busy).clamp(0.0, 1.0)
}

/// Why it was not twice as fast: a sentence without its full stop.
#[must_use]
pub fn why_not_double(limit: Limit, shares: Shares) -> String {
    let percent = |share: Option<f64>| share.map(|share| format!("{:.0} %", share * 100.0));
    let client = percent(shares.client).unwrap_or_else(|| "an unknown share".to_owned());
    // a server of many threads can fill its CPUs without one that is busy all the time
    let server = match (shares.server, shares.server_all) {
        (Some(thread), Some(all)) if all > thread => {
            percent(Some(all)).map(|all| format!("its CPUs {all} busy"))
        }
        (thread, _) => percent(thread).map(|thread| format!("its busiest thread {thread} busy")),
    };
    let unknown = || "it was busy all the time".to_owned();
    match limit {
        Limit::Client => {
            let rest = server.map_or("what the server could do is not known".to_owned(), |server| {
                format!("the server had room left, {server}")
            });
            format!(
                "the client's CPU was {client} busy, so requests/s is a lower bound; {rest}; more client threads (-t) \
                 would tell"
            )
        }
        Limit::Server => format!("the server's CPU: {}", server.unwrap_or_else(unknown)),
        Limit::Both => format!(
            "client and server were both busy: the client {client}, the server {}",
            server.unwrap_or_else(unknown)
        ),
        Limit::Machine => {
            format!("all CPUs together were {} busy", percent(shares.machine).unwrap_or_default())
        }
        Limit::Waiting if shares.open_loop => {
            format!("the load asked for no more (the client {client} busy{})", behind(server))
        }
        Limit::Waiting => format!(
            "nothing that we see was busy all the time (the client {client}{}): wake-ups, locks or too few workers; try \
             more connections (-c) or more requests on each (-P)",
            behind(server)
        ),
    }
}

fn behind(server: Option<String>) -> String {
    server.map_or(", the server not ours to look at".to_owned(), |server| format!(", the server {server}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limiter_is_named_with_its_share() {
        let shares = Shares {
            client: Some(0.96),
            server: Some(0.52),
            server_all: Some(0.52),
            machine: Some(0.74),
            open_loop: false,
        };
        let why = |limit| why_not_double(limit, shares);
        assert!(
            why(Limit::Client)
                .contains("96 % busy, so requests/s is a lower bound; the server had room left")
        );
        assert_eq!(why(Limit::Server), "the server's CPU: its busiest thread 52 % busy");
        let all = Shares { server_all: Some(0.97), ..shares };
        assert_eq!(why_not_double(Limit::Server, all), "the server's CPU: its CPUs 97 % busy");
        assert_eq!(why(Limit::Machine), "all CPUs together were 74 % busy");
        assert!(why(Limit::Waiting).contains("wake-ups, locks or too few workers"));
        let open = Shares { open_loop: true, server: None, server_all: None, ..shares };
        assert!(why_not_double(Limit::Waiting, open).contains("asked for no more"));
        assert_eq!((left(0.62) * 100.0).round(), 38.0);
        assert_eq!(left(1.02), 0.0);
    }
}
