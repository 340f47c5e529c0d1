//! What is sent and what must come back: options for servers that are no echo servers.

use std::path::{Path, PathBuf};

use clap::Args;
use common::exit::Failure;
use common::units;

use crate::ping::framing::Expect;
use crate::ping::message::{Template, forgotten_escape, shown};
use crate::ping::preset::Preset;
use crate::ping::reply::Reply;
use crate::ping::{Dialogue, Protocol};

/// The longest message.
pub(super) const SIZE_MAX: u64 = 64 << 20;
/// Messages that are sent in turn.
const MESSAGES_MAX: usize = 1000;

/// What to say to a server that is no echo server
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Message and reply")]
pub(super) struct MessageOptions {
    /// A known protocol instead of what follows, except -1 (a password: -e -1 'AUTH secret\r\n'); to use another key or size,
    /// write the message yourself
    #[arg(long, value_name = "NAME", conflicts_with_all = ["messages", "files", "expect", "replies", "size"])]
    protocol: Option<Preset>,
    /// Send this instead of bytes of our own; may be repeated: sent in turn on each connection. Exactly {connection} and
    /// {sequence}, or with a fixed number of digits {sequence:8}, are replaced by numbers; all other braces are sent as
    /// they are
    #[arg(
        short = 'm',
        long = "message",
        value_name = "STR",
        allow_hyphen_values = true,
        conflicts_with = "size"
    )]
    messages: Vec<String>,
    /// The same from a file, which is sent byte for byte, without counters and escapes; may be repeated
    #[arg(short = 'f', long = "message-file", value_name = "PATH", conflicts_with_all = ["messages", "size"])]
    files: Vec<PathBuf>,
    /// Send this once at the start of each connection and wait for its reply, which ends as --expect says and is neither
    /// counted nor checked; '' waits for a server that speaks first
    #[arg(short = '1', long = "first-message", value_name = "STR", allow_hyphen_values = true)]
    first: Option<String>,
    /// Read \r \n \t \0 \\ \xHH in -m, -1, --reply and --expect
    #[arg(short = 'e', long)]
    escapes: bool,
    /// Where a reply ends: echo (it is the message), bytes:N, line, delim:STR (with STR), prefix:u8|u16be|u16le|u32be|u32le
    /// (a number in front says how many bytes follow it), resp (as Redis says), close (the server closes; one request a
    /// connection), marker:STR (as soon as STR is seen; what follows up to the next STR is skipped) [default: echo]
    #[arg(long, value_name = "WHERE")]
    expect: Option<String>,
    /// What a reply must be, without its line end, delimiter or length; re:REGEX: what must be found in it. Once for all
    /// messages, or once for each. Another reply is an error (unexpected), and the connection goes on
    #[arg(long = "reply", value_name = "STR", allow_hyphen_values = true)]
    replies: Vec<String>,
}

impl MessageOptions {
    /// Understands them all together.
    pub(super) fn protocol(&self, depth: usize) -> Result<Protocol, Failure> {
        if let Some(preset) = self.protocol {
            return self.preset(preset.dialogue()).map(Protocol::of);
        }
        let expect = self.reply_end()?;
        let messages = self.messages()?;
        if messages.is_empty() {
            return self.without_message(&expect);
        }
        let first = self.first.as_ref().map(|text| self.template("-1", text)).transpose()?;
        let replies = self.replies(&expect, messages.len())?;
        let dialogue = Dialogue { messages, first, expect, replies };
        check(&dialogue, depth).map(|()| Protocol::of(dialogue))
    }

    fn preset(&self, mut dialogue: Dialogue) -> Result<Dialogue, Failure> {
        if let Some(text) = &self.first {
            if dialogue.first.is_some() {
                return Err(Failure::usage(
                    "-1: this --protocol has a first message of its own: write it all with -1, -m, --expect and --reply",
                ));
            }
            dialogue.first = Some(self.template("-1", text)?);
        }
        Ok(dialogue)
    }

    fn without_message(&self, expect: &Expect) -> Result<Protocol, Failure> {
        let given = [
            (*expect != Expect::Echo, "--expect"),
            (!self.replies.is_empty(), "--reply"),
            (self.first.is_some(), "-1"),
        ];
        match given.iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(Failure::usage(format!(
                "{option} needs a message to send: write it with -m, for example -e -m 'PING\\r\\n' --expect line"
            ))),
            None => Ok(Protocol::Pattern),
        }
    }

    fn reply_end(&self) -> Result<Expect, Failure> {
        let Some(text) = &self.expect else { return Ok(Expect::Echo) };
        self.complain_of_escapes("--expect", text)?;
        Expect::parse(text, self.escapes).map_err(|why| Failure::usage(format!("--expect {text}: {why}")))
    }

    fn messages(&self) -> Result<Vec<Template>, Failure> {
        let mut messages = Vec::new();
        for text in &self.messages {
            messages.push(self.template("-m", text)?);
        }
        for path in &self.files {
            messages.push(read(path)?);
        }
        if messages.iter().any(|message| message.longest() == 0) {
            return Err(Failure::usage(
                "a message is empty: nothing would be asked; write for example -m hello",
            ));
        }
        if messages.len() > MESSAGES_MAX {
            return Err(Failure::usage(format!("{} messages: at most {MESSAGES_MAX}", messages.len())));
        }
        Ok(messages)
    }

    fn template(&self, option: &str, text: &str) -> Result<Template, Failure> {
        self.complain_of_escapes(option, text)?;
        Template::parse(text, self.escapes)
            .map_err(|why| Failure::usage(format!("{option} '{}': {why}", shown(text.as_bytes()))))
    }

    fn replies(&self, expect: &Expect, messages: usize) -> Result<Vec<Reply>, Failure> {
        let all = self.replies.len();
        if all > 1 && all != messages {
            return Err(Failure::usage(format!(
                "--reply is given {all} times for {}: once for all of them, or once for each",
                units::plural(messages as u64, "message")
            )));
        }
        if all > 0 && matches!(expect, Expect::Echo | Expect::Marker(_)) {
            return Err(Failure::usage(match expect {
                Expect::Echo => {
                    "--reply: an echo is the message itself; say with --expect where other replies end"
                }
                _ => "--reply: with a marker nobody knows where a reply begins; use --expect delim:STR",
            }));
        }
        let reply = |text: &String| {
            if !text.starts_with("re:") {
                self.complain_of_escapes("--reply", text)?;
            }
            let reply = Reply::parse(text, self.escapes);
            let reply = reply.map_err(|why| Failure::usage(format!("--reply '{text}': {why}")))?;
            Ok(reply.trimmed(expect))
        };
        self.replies.iter().map(reply).collect()
    }

    /// A backslash that means nothing is nearly always a mistake, and it would cost the user a whole time limit to see
    /// that the server waits for a line end. Who means the backslash itself has a file, or `\\` with -e.
    fn complain_of_escapes(&self, option: &str, text: &str) -> Result<(), Failure> {
        match forgotten_escape(text).filter(|_| !self.escapes) {
            Some(escape) => Err(Failure::usage(format!(
                "{option} has {escape} in it, which is sent as it stands: add -e to make it one byte (then \\\\ is a \
                 backslash; -f FILE sends a file as it is)"
            ))),
            None => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Template, Failure> {
    let wrong = |why: String| Failure::usage(format!("-f {}: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if length > SIZE_MAX {
        return Err(wrong(format!("at most {} are sent as one message", units::show_size(SIZE_MAX))));
    }
    std::fs::read(path).map(Template::plain).map_err(|e| wrong(e.to_string()))
}

/// What does not fit together.
fn check(dialogue: &Dialogue, depth: usize) -> Result<(), Failure> {
    let refused = match (&dialogue.expect, &dialogue.first) {
        (Expect::Close, _) if depth > 1 => {
            Some("-P: a reply that ends with the connection is the only one on it")
        }
        (Expect::Close, Some(_)) => Some("-1: a reply that ends with the connection is the only one on it"),
        (Expect::Echo, Some(first)) if first.longest() == 0 => {
            Some("-1 '': nobody knows where the greeting ends; say it with --expect")
        }
        (_, Some(first)) if first.longest() as u64 > SIZE_MAX => Some("-1: at most 64 MiB"),
        _ => None,
    };
    refused.map_or(Ok(()), |why| Err(Failure::usage(why)))
}

#[cfg(test)]
mod tests {
    use crate::options::{Asked, parse};
    use crate::plan::Load;

    fn load(line: &[&str]) -> Result<Load, String> {
        let line = ["loadgen", "run", "127.0.0.1:9"].iter().chain(line).map(Into::into);
        match parse(line).map_err(|failure| failure.message)? {
            Asked::Run(mut plan) => Ok(plan.loads.remove(0).1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_what_to_write() {
        for (line, hint) in [
            (["--expect", "line"].as_slice(), "-m"),
            (&["--reply", "x"], "-m"),
            (&["-1", "x"], "-m"),
            (&["-m", ""], "empty"),
            (&["-m", "x", "-s", "5"], "cannot be used with"),
            (&["-m", r"PING\r\n"], "-e"),
            (&["-m", "x", "--expect", r"delim:\n"], "-e"),
            (&["-e", "-m", r"\q"], "no escape"),
            (&["-m", "x", "--expect", "close", "-P", "2"], "-P"),
            (&["-m", "x", "--expect", "close", "--reconnect", "2"], "--reconnect"),
            (&["-m", "x", "--expect", "close", "-1", "y"], "-1"),
            (&["-m", "x", "--expect", "frob"], "delim:STR"),
            (&["-m", "x", "--reply", "x"], "--expect"),
            (&["-m", "x", "--expect", "marker:y", "--reply", "x"], "delim:STR"),
            (
                &["-m", "x", "-m", "y", "-m", "z", "--expect", "line", "--reply", "a", "--reply", "b"],
                "once for all",
            ),
            (&["-m", "x", "--expect", "line", "--reply", "re:("], "unclosed group"),
            (&["-f", "/nowhere"], "/nowhere"),
            (&["-m", "x", "-P", "65536", "-c", "100k"], "1 GiB"),
            (&["--protocol", "redis-ping", "-m", "x"], "cannot be used with"),
            (&["--protocol", "frob"], "redis-ping"),
            (&["--protocol", "redis-get", "-1", "x"], "of its own"),
        ] {
            let complaint = load(line).unwrap_err();
            assert!(complaint.contains(hint) && !complaint.contains('\n'), "{line:?}: {complaint}");
        }
    }

    #[test]
    fn what_is_meant_stands_in_the_plan() {
        let said =
            load(&["-e", "-m", r"SET {sequence:3}\r\n", "--expect", "resp", "--reply", r"+OK\r\n"]).unwrap();
        assert_eq!(said.size, 9);
        let json = serde_json::to_value(&said.protocol).unwrap();
        assert_eq!(json["messages"][0], r"SET {sequence:3}\r\n");
        let read_again: crate::ping::Protocol = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(read_again, said.protocol);
        assert_eq!((&json["expect"], &json["replies"][0]), (&"resp".into(), &"+OK".into()));
        assert_eq!(load(&["-m", "x", "--expect", "close"]).unwrap().reconnect, Some(1));
        assert_eq!(load(&["-m", "-x", "--expect", "line", "--reply", "-ERR"]).unwrap().size, 2);
    }

    #[test]
    fn a_load_is_said_in_words() {
        let words = |line: &[&str]| load(line).unwrap().protocol.words(64);
        assert_eq!(words(&[]), "64 B messages");
        let ping = ["-e", "-m", r"PING\r\n", "--expect", "line", "--reply", "+PONG"];
        assert_eq!(words(&ping), "6 B messages, replies end with a line, each must be +PONG");
        assert_eq!(words(&["-m", "hello"]), "5 B messages, each must come back");
        let two = ["-m", "a{sequence}", "-m", "b", "--expect", "line", "--reply", "x", "--reply", "re:y"];
        assert_eq!(
            words(&two),
            "2 messages in turn of at most 21 B, replies end with a line, in turn they must be x and match y"
        );
    }
}
