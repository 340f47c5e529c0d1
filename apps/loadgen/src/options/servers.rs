//! `--server NAME='COMMAND … {port}'`: a server of anybody's, as a row of a comparison.

use std::path::PathBuf;

use common::exit::Failure;
use common::units;

use crate::plan::Contender;
use crate::subject::server::PORT;

/// Connections that a server may be said to serve at a time.
const WORKERS_MAX: u64 = 1_000_000;
/// What is written between a name and its command where the number of workers matters.
const WORKERS: &str = "workers=";

/// Understands one `--server`. The command is split into words as a shell does it; nothing else of a shell is known.
pub(super) fn understand(text: &str) -> Result<Contender, Failure> {
    let wrong = |why: &str| {
        Err(Failure::usage(format!(
            "--server {text}: {why}: write for example --server redis='redis-server --port {PORT} --save \"\"'"
        )))
    };
    let Some((name, workers, command)) = parts(text) else {
        return wrong("there is no NAME=COMMAND in it");
    };
    if name.is_empty() || name.chars().any(char::is_control) {
        return wrong("the name is missing or cannot be shown");
    }
    let workers = match workers.map(units::count) {
        None => None,
        Some(Ok(count @ 1..=WORKERS_MAX)) => Some(count as usize),
        Some(_) => {
            return Err(Failure::usage(format!(
                "--server {text}: what is in brackets says how many connections it serves at a time: \
                 write for example NAME[workers=64]=COMMAND"
            )));
        }
    };
    let Ok(words) = shell_words::split(command) else { return wrong("a quote is not closed") };
    let Some((program, arguments)) = words.split_first() else { return wrong("there is no command in it") };
    if !arguments.iter().any(|argument| argument.contains(PORT)) {
        return wrong(&format!(
            "{PORT} is missing in its arguments: it stands for the port that the server is to take"
        ));
    }
    let program = PathBuf::from(program);
    Ok(Contender {
        name: name.to_owned(),
        program,
        arguments: arguments.to_vec(),
        workers,
        accepts: false,
        ours: false,
    })
}

/// Name, what stands in brackets after `workers=`, command.
fn parts(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (name, command) = text.split_once('=')?;
    let Some((name, option)) = name.split_once('[') else { return Some((name.trim(), None, command)) };
    let (value, command) = command.split_once("]=")?;
    // what is no such option is found out by not being a number
    let value = if format!("{option}=") == WORKERS { value } else { option };
    Some((name.trim(), Some(value), command))
}

/// Each row has a name of its own.
pub(super) fn check_names(contenders: &[Contender]) -> Result<(), Failure> {
    let twice = contenders
        .iter()
        .enumerate()
        .find(|(at, contender)| contenders[..*at].iter().any(|other| other.name == contender.name));
    match twice {
        Some((_, contender)) => Err(Failure::usage(format!(
            "two servers are named {}: give each --server a name of its own",
            contender.name
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> String {
        let failure = understand(text).unwrap_err();
        assert_eq!(failure.code, common::exit::USAGE);
        assert!(!failure.message.contains('\n'), "{}", failure.message);
        failure.message
    }

    #[test]
    fn a_command_is_split_as_a_shell_does_it() {
        let server = understand(r#"my redis=redis-server --port {port} --save "" 'a b' c\ d x=y"#).unwrap();
        assert_eq!((server.name.as_str(), server.program.as_path()), ("my redis", "redis-server".as_ref()));
        assert_eq!(server.arguments, ["--port", "{port}", "--save", "", "a b", "c d", "x=y"]);
        assert_eq!((server.workers, server.ours), (None, false));
        let pool = understand("pool[workers=64]=./pool -p={port}").unwrap();
        assert_eq!((pool.name.as_str(), pool.workers), ("pool", Some(64)));
        assert_eq!(pool.arguments, ["-p={port}"]);
    }

    #[test]
    fn each_mistake_says_what_to_write() {
        assert!(refused("nc -l").contains("NAME=COMMAND"));
        assert!(refused("=nc {port}").contains("name is missing"));
        assert!(refused("x=").contains("no command"));
        assert!(refused("x=nc -l 80").contains("{port} is missing"));
        assert!(refused("x=nc 'a {port}").contains("quote is not closed"));
        for wrong in ["x[workers=0]=nc {port}", "x[workers=a]=nc {port}", "x[max=3]=nc {port}"] {
            assert!(refused(wrong).contains("NAME[workers=64]"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}", likely in r#"[a\[\]='"{} ]{0,20}"#) {
            let _ = understand(&text);
            let _ = understand(&likely);
        }
    }
}
