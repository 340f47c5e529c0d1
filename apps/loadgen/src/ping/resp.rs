//! Where a reply of Redis ends (RESP2, and what RESP3 adds except pushes).
//!
//! How: a reply is a line, a line with bytes behind it, or a line that says how many replies follow. It is over when no
//! more are awaited: a count, so that nesting needs no stack and cannot be too deep. The contents are not looked at.
//! Where it breaks: a push of RESP3 is no reply to anything, so a connection that subscribes is not understood.

use memchr::memchr;

use super::Wrong;
use super::framing::REPLY_MAX;

/// Where a connection stands in a reply.
#[derive(Debug)]
pub struct Resp {
    /// Replies that are still awaited until this one is whole.
    awaited: u64,
    /// Bytes to skip: the rest of a string and its line end.
    skip: usize,
    /// The first byte of the present line; 0: it has not come.
    kind: u8,
    /// The number on the line, its sign, and whether it has ended.
    number: u64,
    negative: bool,
}

impl Default for Resp {
    fn default() -> Self {
        Self { awaited: 1, skip: 0, kind: 0, number: 0, negative: false }
    }
}

impl Resp {
    /// Looks at the next bytes; the end of the reply, if it is among them.
    ///
    /// # Errors
    /// No reply of Redis looks like that.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        let mut at = 0;
        while at < bytes.len() {
            if self.skip > 0 {
                let now = self.skip.min(bytes.len() - at);
                self.skip -= now;
                at += now;
                if self.skip > 0 {
                    return Ok(None);
                }
                self.awaited -= 1;
            } else {
                let Some(end) = self.line(&bytes[at..])? else { return Ok(None) };
                at += end;
            }
            if self.awaited == 0 {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Reads a line, or as much of it as there is; its end, if that has come.
    fn line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        let mut rest = bytes;
        if self.kind == 0 {
            self.kind = rest[0];
            rest = &rest[1..];
            if !b"+-:,#_($!=*~%".contains(&self.kind) {
                return Err(Wrong::Malformed { byte: self.kind });
            }
        }
        let end = memchr(b'\n', rest);
        if b"$!=*~%".contains(&self.kind) {
            for byte in &rest[..end.unwrap_or(rest.len())] {
                self.digit(*byte)?;
            }
        }
        let Some(end) = end else { return Ok(None) };
        self.line_ended()?;
        Ok(Some(bytes.len() - rest.len() + end + 1))
    }

    fn digit(&mut self, byte: u8) -> Result<(), Wrong> {
        match byte {
            b'0'..=b'9' => self.number = self.number * 10 + u64::from(byte - b'0'),
            b'-' => self.negative = true,
            b'\r' => {}
            _ => return Err(Wrong::Malformed { byte }),
        }
        if self.number > REPLY_MAX as u64 { Err(Wrong::TooLong) } else { Ok(()) }
    }

    fn line_ended(&mut self) -> Result<(), Wrong> {
        // a negative number is what RESP2 has for nothing
        let number = if self.negative { 0 } else { self.number };
        match self.kind {
            b'$' | b'!' | b'=' if !self.negative => self.skip = number as usize + 2,
            b'*' | b'~' => self.awaited = self.awaited - 1 + number,
            b'%' => self.awaited = self.awaited - 1 + number * 2,
            _ => self.awaited -= 1,
        }
        (self.kind, self.number, self.negative) = (0, 0, false);
        // every reply has some bytes
        if self.awaited > REPLY_MAX as u64 { Err(Wrong::TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_reply_ends_where_it_should() {
        for reply in [
            "+OK\r\n",
            "-ERR unknown command\r\n",
            ":1000\r\n",
            "$5\r\nhello\r\n",
            "$5\r\na\r\nb\n\r\n",
            "$0\r\n\r\n",
            "$-1\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*2\r\n$3\r\nfoo\r\n*2\r\n:1\r\n*0\r\n",
            "*3\r\n*1\r\n*1\r\n+a\r\n$-1\r\n:2\r\n",
            "%1\r\n+k\r\n,1.5\r\n",
            "_\r\n",
            "#t\r\n",
        ] {
            for cut in 1..=reply.len() {
                let mut resp = Resp::default();
                let (first, second) = reply.as_bytes().split_at(cut);
                let end = resp.feed(first).unwrap();
                assert_eq!(end.is_some(), second.is_empty(), "{reply:?} {cut}");
                if !second.is_empty() {
                    assert_eq!(
                        resp.feed(&[second, b"+NEXT\r\n"].concat()),
                        Ok(Some(second.len())),
                        "{reply:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_said_to_be_none() {
        assert_eq!(Resp::default().feed(b"HTTP/1.1"), Err(Wrong::Malformed { byte: b'H' }));
        assert_eq!(Resp::default().feed(b"$x\r\n"), Err(Wrong::Malformed { byte: b'x' }));
        assert_eq!(Resp::default().feed(b"*99999999999999999999"), Err(Wrong::TooLong));
        assert_eq!(Resp::default().feed(b"$536870912\r\n"), Err(Wrong::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(b"+-:$*%~\r\n0129x".to_vec()), 0..200)) {
            let mut resp = Resp::default();
            let mut rest = bytes.as_slice();
            while let Ok(Some(end)) = resp.feed(rest) {
                prop_assert!(end > 0 && end <= rest.len());
                rest = &rest[end..];
                resp = Resp::default();
            }
        }
    }
}
