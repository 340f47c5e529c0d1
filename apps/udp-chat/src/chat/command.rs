//! What may be typed after a slash.

/// A command that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// From now on every line goes there.
    To(String),
    /// One message.
    Msg(String, String),
    /// Remember an address.
    Add(String, Option<String>),
    /// Show and save nothing from there; again: show it.
    Ignore(String),
    /// Who is known.
    Peers,
    /// How this program is doing.
    Status,
    /// The last messages: how many, or with whom.
    History(Option<String>),
    /// The messages that hold a text.
    Search(String),
    /// Where the history is.
    Where,
    /// This list.
    Help,
    /// The end.
    Quit,
}

/// The help, a line each.
pub const HELP: &[&str] = &[
    "/to WHO            every line goes to WHO: a name, IP[:PORT] or all; an empty line leaves",
    "/msg WHO TEXT      one message",
    "/add IP[:PORT] [NAME]   remember somebody (whoever writes is remembered anyway)",
    "/peers             who is known: last seen, sent, received, refused",
    "/ignore WHO        show and save nothing from WHO (an IP: all its ports); again: show it",
    "/history [N|WHO]   the last 20 messages, the last N, or the last with WHO",
    "/search TEXT       messages that hold TEXT (capitals matter)",
    "/where             the file of the history",
    "/status            own addresses, losses, what to check if nobody answers",
    "/quit              end (so do Ctrl-D and Ctrl-C)",
    "//x                sends \"/x\"",
];

/// Understands a line that begins with one slash.
///
/// # Errors
/// One line for the user.
pub fn parse(line: &str) -> Result<Command, String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let mut words = rest.split_whitespace();
    let command = match (name, words.next(), words.next()) {
        ("/to", Some(who), None) => Command::To(who.into()),
        ("/msg", Some(who), Some(_)) => Command::Msg(who.into(), rest[who.len()..].trim().into()),
        ("/add", Some(address), name) if words.next().is_none() => {
            Command::Add(address.into(), name.map(str::to_owned))
        }
        ("/ignore", Some(who), None) => Command::Ignore(who.into()),
        ("/peers", None, None) => Command::Peers,
        ("/status", None, None) => Command::Status,
        ("/history", what, None) => Command::History(what.map(str::to_owned)),
        ("/search", Some(_), _) => Command::Search(rest.into()),
        ("/where", None, None) => Command::Where,
        ("/help", ..) => Command::Help,
        ("/quit" | "/exit", None, None) => Command::Quit,
        _ => {
            let usage = HELP.iter().find(|line| line.split(' ').next() == Some(name));
            return Err(usage.map_or_else(
                || format!("unknown command {name}: /help lists them"),
                |line| format!("it is written so: {line}"),
            ));
        }
    };
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_as_people_type_them() {
        assert_eq!(parse("/to  bob "), Ok(Command::To("bob".into())));
        assert_eq!(parse("/msg bob  hello  you "), Ok(Command::Msg("bob".into(), "hello  you".into())));
        assert_eq!(parse("/add 10.0.0.1"), Ok(Command::Add("10.0.0.1".into(), None)));
        assert_eq!(parse("/add 10.0.0.1 bob"), Ok(Command::Add("10.0.0.1".into(), Some("bob".into()))));
        assert_eq!(parse("/history"), Ok(Command::History(None)));
        assert_eq!(parse("/search two words"), Ok(Command::Search("two words".into())));
        assert!(parse("/msg bob").unwrap_err().contains("/msg WHO TEXT"));
        assert!(parse("/to").unwrap_err().contains("/to WHO"));
        assert!(parse("/frob x").unwrap_err().contains("unknown command /frob"));
    }

    #[test]
    fn each_command_is_in_the_help() {
        for name in
            ["/to", "/msg", "/add", "/ignore", "/peers", "/status", "/history", "/search", "/where", "/quit"]
        {
            assert!(HELP.iter().any(|line| line.starts_with(name)), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "/(msg|to|add|search|history|)[ \\PC]{0,40}") {
            let _ = parse(&line);
        }
    }
}
