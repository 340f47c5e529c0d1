//! `--pin`: a word, or the CPUs of each side.

use common::exit::Failure;

use crate::plan::Pin;
use crate::subject::placement;

/// CPUs are numbered below this.
const CPUS_MAX: usize = 1024;

/// Understands `auto`, `same`, `none` or `client=1,server=0`; a list is `0,2` or `0-3`.
pub(super) fn parse(text: &str) -> Result<Pin, String> {
    let wrong =
        || "write auto, same, none, or for example client=1,server=0 or server=0-1,client=2,3".to_owned();
    match text {
        "auto" => return Ok(Pin::Auto),
        "same" => return Ok(Pin::Same),
        "none" => return Ok(Pin::None),
        _ => {}
    }
    let (mut server, mut client) = (Vec::new(), Vec::new());
    let mut side = None;
    for part in text.split(',') {
        let cpus = match part.split_once('=') {
            Some((name, cpus)) => {
                side = Some(name);
                cpus
            }
            None => part,
        };
        let list = match side {
            Some("server") => &mut server,
            Some("client") => &mut client,
            _ => return Err(wrong()),
        };
        let (first, last) = cpus.split_once('-').unwrap_or((cpus, cpus));
        let (first, last): (usize, usize) = first.parse().ok().zip(last.parse().ok()).ok_or_else(wrong)?;
        if first > last || last >= CPUS_MAX {
            return Err(wrong());
        }
        for cpu in first..=last {
            if !list.contains(&cpu) {
                list.push(cpu);
            }
        }
    }
    Ok(Pin::At { server, client })
}

/// What can only be known on this machine.
pub(super) fn check(pin: &Pin) -> Result<(), Failure> {
    let Pin::At { server, client } = pin else { return Ok(()) };
    let allowed = placement::allowed_cpus();
    match server.iter().chain(client).find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(Failure::usage(format!(
            "--pin: CPU {cpu} is none of those that loadgen may use ({})",
            allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_side_has_its_list() {
        let at = |server: &[usize], client: &[usize]| {
            Ok(Pin::At { server: server.to_vec(), client: client.to_vec() })
        };
        assert_eq!(parse("same"), Ok(Pin::Same));
        assert_eq!(parse("client=1,server=0"), at(&[0], &[1]));
        assert_eq!(parse("server=0-2,5,client=3,4"), at(&[0, 1, 2, 5], &[3, 4]));
        assert_eq!(parse("client=1,1,0-1"), at(&[], &[1, 0]));
        for wrong in
            ["", "both", "client", "client=", "client=x", "client=3-1", "0,1", "server=9999", "middle=1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(client=|server=|[0-9,-]){0,9}", other in ".{0,20}") {
            let _ = parse(&text);
            let _ = parse(&other);
        }
    }
}
