//! What is spoken with a server, as plain data: what is sent, where a reply ends, what it must be.

use std::sync::Arc;

use common::units::{plural, show_size};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::framing::Expect;
use super::message::Template;
use super::reply::Reply;

/// What is spoken with a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Our own messages, whose bytes differ from request to request; each must come back.
    #[default]
    Pattern,
    /// What the user says. Shared: every connection reads it.
    Dialogue(Arc<Dialogue>),
}

/// Requests and replies as the user wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    /// Sent in turn on each connection; at least one.
    pub messages: Vec<Template>,
    /// Sent once on each connection before all others. Its reply is awaited, and not counted or looked at. It may be
    /// empty: then the server speaks first.
    pub first: Option<Template>,
    /// Where a reply ends.
    pub expect: Expect,
    /// What the replies must be: nothing said, one for all, or one for each message.
    pub replies: Vec<Reply>,
}

impl Protocol {
    /// Of these requests and replies.
    #[must_use]
    pub fn of(dialogue: Dialogue) -> Self {
        Self::Dialogue(Arc::new(dialogue))
    }

    /// For a client thread of its own: a regular expression that threads share makes them wait for each other.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        match self {
            Self::Pattern => Self::Pattern,
            Self::Dialogue(dialogue) => Self::of(Dialogue::clone(dialogue)),
        }
    }

    /// What is sent and what must come back, in words; `size`: of our own messages.
    #[must_use]
    pub fn words(&self, size: usize) -> String {
        match self {
            Self::Pattern => format!("{} messages", show_size(size as u64)),
            Self::Dialogue(dialogue) => dialogue.words(),
        }
    }

    /// What may be said of the replies of a run without errors.
    #[must_use]
    pub fn praise(&self) -> &'static str {
        match self {
            Self::Pattern => "every byte of every reply was right",
            Self::Dialogue(dialogue) if dialogue.expect == Expect::Echo => {
                "every byte of every reply was right"
            }
            Self::Dialogue(dialogue) if dialogue.replies.is_empty() => {
                "replies were counted, not looked at (--reply says what they must be)"
            }
            Self::Dialogue(_) => "every reply was what it must be",
        }
    }

    /// What to ask when a server accepts connections and answers nothing.
    #[must_use]
    pub fn doubt(&self) -> &'static str {
        match self {
            Self::Pattern => "is it an echo server? Others need --protocol, or -m and --expect",
            Self::Dialogue(_) => "is the message whole, and do replies end as --expect says?",
        }
    }
}

impl Dialogue {
    /// The longest message.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.messages.iter().map(Template::longest).max().unwrap_or(0)
    }

    /// What the reply to a message must be.
    #[must_use]
    pub fn reply(&self, message: usize) -> Option<&Reply> {
        self.replies.get(message).or(if self.replies.len() == 1 { self.replies.first() } else { None })
    }

    fn words(&self) -> String {
        let varies = self.messages.iter().any(Template::varies)
            || self.messages.iter().any(|message| message.longest() != self.longest());
        let size = format!("{}{}", if varies { "at most " } else { "" }, show_size(self.longest() as u64));
        let mut text = match self.messages.len() {
            1 if varies => format!("messages of {size}"),
            1 => format!("{size} messages"),
            count => format!("{} in turn of {size}", plural(count as u64, "message")),
        };
        text.push_str(
            match self.expect {
                Expect::Echo => ", each must come back".to_owned(),
                _ => format!(", replies {}", self.expect.words()),
            }
            .as_str(),
        );
        match self.replies.as_slice() {
            [] => {}
            [one] => text.push_str(&format!(", each must {}", one.words())),
            several => {
                let each: Vec<String> = several.iter().map(Reply::words).collect();
                text.push_str(&format!(", in turn they must {}", each.join(" and ")));
            }
        }
        if self.first.is_some() {
            text.push_str(", after a first message on each connection");
        }
        text
    }
}

/// As it stands in a report: what the user would write to get it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Written {
    /// What is sent, in turn; nothing: our own messages.
    messages: Vec<String>,
    /// What is sent once on each connection before all others.
    first_message: Option<String>,
    /// Where a reply ends, as after `--expect`.
    expect: String,
    /// What the replies must be, as after `--reply`.
    replies: Vec<String>,
}

#[cfg(test)]
impl schemars::JsonSchema for Protocol {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::Pattern => Written {
                messages: Vec::new(),
                first_message: None,
                expect: Expect::Echo.to_string(),
                replies: Vec::new(),
            },
            Self::Dialogue(dialogue) => Written {
                messages: dialogue.messages.iter().map(Template::show).collect(),
                first_message: dialogue.first.as_ref().map(Template::show),
                expect: dialogue.expect.to_string(),
                replies: dialogue.replies.iter().map(Reply::show).collect(),
            },
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if written.messages.is_empty() {
            return Ok(Self::Pattern);
        }
        let template = |text: &String| Template::parse(text, true);
        let understood = || -> Result<Dialogue, String> {
            Ok(Dialogue {
                messages: written.messages.iter().map(template).collect::<Result<_, _>>()?,
                first: written.first_message.as_ref().map(template).transpose()?,
                expect: Expect::parse(&written.expect, true)?,
                replies: written
                    .replies
                    .iter()
                    .map(|text| Reply::parse(text, true))
                    .collect::<Result<_, _>>()?,
            })
        };
        understood().map(Self::of).map_err(de::Error::custom)
    }
}
