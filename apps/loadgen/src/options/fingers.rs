//! Help for people whose fingers know wrk, hey, oha, ab or iperf3: what the option is called here.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use common::exit::Failure;
use common::units;

/// An option of another tool, and what to write here. `{}` stands for the value that was given.
const FOREIGN: &[(&str, &str)] = &[
    ("-z", "the measured time is -d {}"),
    ("-q", "requests per second are -R {} (--quiet silences)"),
    ("--rps", "requests per second are -R {}"),
    ("-l", "the message size is -s {}"),
    ("--length", "the message size is -s {}"),
    ("-b", "the message size is -s {}"),
    ("--latency", "the percentiles are always shown"),
    ("-L", "the percentiles are always shown"),
    ("-k", "connections are kept; --reconnect 1 opens a new one for every request"),
    ("-C", "a new connection for every request is --reconnect 1"),
    ("--disable-keepalive", "a new connection for every request is --reconnect 1"),
    ("-p", "the port belongs to the target: write HOST:PORT"),
    ("--port", "the port belongs to the target: write HOST:PORT"),
    ("-a", "the target has no option: write HOST:PORT"),
    ("-H", "this is a TCP echo load, there are no headers"),
    ("-O", "the warm-up is -w {}"),
    ("--format", "the extension of -o FILE decides the format; -J prints JSON"),
    ("-u", "UDP is not spoken here"),
];

/// Parses `-t`: a number of threads, and not the duration that it is elsewhere.
pub(super) fn threads(text: &str) -> Result<u64, String> {
    units::count(text).map_err(|wrong| match units::duration(text) {
        Ok(_) => format!("-t is the number of client threads: did you mean -d {text}?"),
        Err(_) => wrong,
    })
}

/// Puts the parser's complaint into one line.
pub(super) fn explain(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(given) = context(ContextKind::InvalidArg)
        && let Some((option, hint)) = FOREIGN.iter().find(|(option, _)| is(option, given))
    {
        let value = value_of(option, arguments).unwrap_or("…".to_owned());
        return Failure::usage(format!(
            "{option} is not an option of loadgen: {}",
            hint.replace("{}", &value)
        ));
    }
    let rendered = error.render().to_string();
    let complaint = rendered.split("\n\nUsage").next().unwrap_or(&rendered);
    let complaint = complaint.split("\n\nFor more information").next().unwrap_or(complaint);
    let words: Vec<&str> = complaint.trim_start_matches("error: ").split_whitespace().collect();
    Failure::usage(format!("{}; see `loadgen --help`", words.join(" ")))
}

/// `-z5s` is `-z` with its value; the parser names only the first letter of it.
fn is(option: &str, given: &str) -> bool {
    let name = given.split('=').next().unwrap_or(given);
    name == option || (option.len() == 2 && !given.starts_with("--") && given.starts_with(option))
}

/// The value that was given with an option: `-z 5s`, `-z5s` or `-z=5s`.
fn value_of(option: &str, arguments: &[OsString]) -> Option<String> {
    let texts: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
    let at = texts.iter().position(|text| is(option, text))?;
    let attached = texts[at][option.len()..].trim_start_matches('=');
    let value = if attached.is_empty() { *texts.get(at + 1)? } else { attached };
    value.starts_with(|c: char| c.is_ascii_digit()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::options::parse;

    fn complaint(line: &str) -> String {
        let failure = parse(line.split(' ').map(Into::into)).unwrap_err();
        assert_eq!(failure.code, common::exit::USAGE);
        assert!(!failure.message.contains('\n'), "one line: {}", failure.message);
        failure.message
    }

    #[test]
    fn other_tools_options_are_explained() {
        assert!(complaint("loadgen run 127.0.0.1:9 -t 10s").contains("did you mean -d 10s?"));
        assert!(complaint("loadgen run 127.0.0.1:9 -z 5s").contains("-d 5s"));
        assert!(complaint("loadgen run 127.0.0.1:9 -z5s").contains("-d 5s"));
        assert!(complaint("loadgen run 127.0.0.1:9 -q 100").contains("-R 100"));
        assert!(complaint("loadgen run 127.0.0.1:9 --rps=1000").contains("-R 1000"));
        assert!(complaint("loadgen run 127.0.0.1 -p 9").contains("HOST:PORT"));
        assert!(complaint("loadgen run 127.0.0.1:9 -l 1024").contains("-s 1024"));
    }

    #[test]
    fn every_other_mistake_is_one_line_as_well() {
        assert!(complaint("loadgen run 127.0.0.1:9 -d 10").contains("10s"));
        assert!(complaint("loadgen run 127.0.0.1:9 -d 1s -n 5").contains("cannot be used with"));
        assert!(complaint("loadgen run").contains("HOST:PORT"));
        assert!(complaint("loadgen run 127.0.0.1:9 -c 0").contains("-c"));
        assert!(complaint("loadgen run 127.0.0.1:9 -c 2 -t 3").contains("more threads"));
        assert!(complaint("loadgen run 127.0.0.1:9 -s 1MiB -P 2000").contains("1 GiB"));
        assert!(complaint("loadgen run 127.0.0.1:9 -s 1MiB --idle 2k").contains("1 GiB"));
        assert!(complaint("loadgen run 127.0.0.1:9 --reconnect 0").contains("--reconnect"));
        assert!(complaint("loadgen run 127.0.0.1:9 -o result.xml").contains(".json"));
        assert!(complaint("loadgen run 127.0.0.1:9 -R 0").contains("above 0"));
        assert!(complaint("loadgen run 127.0.0.1:9 -R 1k:2k -n 5").contains("-d"));
        assert!(complaint("loadgen run 127.0.0.1:9 --arrivals poisson").contains("-R"));
        assert!(complaint("loadgen frob").contains("frob"));
        assert!(complaint("loadgen").contains("loadgen run HOST:PORT"));
        assert!(complaint("loadgen 127.0.0.1:9 -t 10s").contains("did you mean -d 10s?"));
        assert!(matches!(
            parse(["loadgen", "-c", "5", "127.0.0.1:9"].map(Into::into).into_iter()),
            Ok(crate::options::Asked::Run(_))
        ));
    }
}
