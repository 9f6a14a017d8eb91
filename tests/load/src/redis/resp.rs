//! RESP2 replies, read in place: nothing is allocated for a reply.

use bytes::{Buf as _, BytesMut};

use crate::error::LoadError;

/// The beginning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+`, `:` or a bulk string.
    Text(&'a [u8]),
    /// An array of so many replies, which follow.
    Array(usize),
    /// No value.
    Nil,
}

/// Reads replies from a buffer, which must hold whole ones.
#[derive(Debug)]
pub struct Replies<'a> {
    rest: &'a [u8],
}

/// Why a reply cannot be read.
#[derive(Debug)]
pub enum Stop {
    /// Its end has not come yet.
    Incomplete,
    /// It is an error, or no reply.
    Wrong(LoadError),
}

impl<'a> Replies<'a> {
    /// Begins at the start of `buffer`.
    pub const fn new(buffer: &'a [u8]) -> Self {
        Self { rest: buffer }
    }

    /// The next reply or array head.
    pub fn next(&mut self) -> Result<Reply<'a>, Stop> {
        let line_end = self
            .rest
            .iter()
            .position(|&byte| byte == b'\r')
            .ok_or(Stop::Incomplete)?;
        let (line, rest) = self.rest.split_at(line_end);
        let rest = rest.get(2..).ok_or(Stop::Incomplete)?;
        let (kind, line) = line.split_first().ok_or_else(wrong)?;
        let reply = match kind {
            b'+' | b':' => Reply::Text(line),
            b'-' => {
                let text = String::from_utf8_lossy(line).into_owned();
                return Err(Stop::Wrong(LoadError::Refused(text)));
            }
            b'*' => number(line)?.map_or(Reply::Nil, Reply::Array),
            b'$' => match number(line)? {
                None => Reply::Nil,
                Some(len) => {
                    let (text, end) = rest.split_at_checked(len).ok_or(Stop::Incomplete)?;
                    self.rest = end.get(2..).ok_or(Stop::Incomplete)?;
                    return Ok(Reply::Text(text));
                }
            },
            _ => return Err(wrong()),
        };
        self.rest = rest;
        Ok(reply)
    }

    /// A reply that must be text.
    pub fn text(&mut self) -> Result<&'a [u8], Stop> {
        match self.next()? {
            Reply::Text(text) => Ok(text),
            _ => Err(wrong()),
        }
    }

    /// A reply that must be an array of `len`.
    pub fn array_of(&mut self, len: usize) -> Result<(), Stop> {
        if self.next()? == Reply::Array(len) {
            Ok(())
        } else {
            Err(wrong())
        }
    }
}

/// Reads one whole reply with `read` and removes it from `input`; `None`, and nothing removed, if its end
/// has not come yet.
pub fn take<T>(
    input: &mut BytesMut,
    read: impl FnOnce(&mut Replies<'_>) -> Result<T, Stop>,
) -> Result<Option<T>, LoadError> {
    let mut replies = Replies::new(input);
    match read(&mut replies) {
        Ok(value) => {
            let left = replies.rest.len();
            input.advance(input.len() - left);
            Ok(Some(value))
        }
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Wrong(error)) => Err(error),
    }
}

/// Appends a command.
pub fn command(output: &mut Vec<u8>, words: &[&[u8]]) {
    output.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        output.extend(format!("${}\r\n", word.len()).into_bytes());
        output.extend_from_slice(word);
        output.extend_from_slice(b"\r\n");
    }
}

/// `None`: -1.
fn number(line: &[u8]) -> Result<Option<usize>, Stop> {
    let number: i64 = std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(wrong)?;
    Ok(usize::try_from(number).ok())
}

fn wrong() -> Stop {
    Stop::Wrong(LoadError::Unexpected("a reply of another kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[u8] = b"*2\r\n$3\r\na\r\n\r\n:12\r\n";

    fn pair(replies: &mut Replies<'_>) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        replies.array_of(2)?;
        Ok((replies.text()?.to_vec(), replies.text()?.to_vec()))
    }

    #[test]
    fn a_reply_is_taken_when_its_last_byte_has_come() {
        for cut in 0..ALL.len() {
            let mut input = BytesMut::from(&ALL[..cut]);
            assert_eq!(take(&mut input, pair).unwrap(), None, "{cut}");
            assert_eq!(input.len(), cut);
        }
        let mut input = BytesMut::from([ALL, b"+OK"].concat().as_slice());
        let taken = take(&mut input, pair).unwrap().unwrap();
        assert_eq!(taken, (b"a\r\n".to_vec(), b"12".to_vec()));
        assert_eq!(&input[..], b"+OK");
    }

    #[test]
    fn nil_and_errors() {
        assert_eq!(Replies::new(b"*-1\r\n").next().ok(), Some(Reply::Nil));
        assert_eq!(Replies::new(b"$-1\r\n").next().ok(), Some(Reply::Nil));
        let mut input = BytesMut::from(&b"-ERR no\r\n"[..]);
        let refused = take(&mut input, |replies| replies.text().map(<[u8]>::to_vec));
        assert!(matches!(refused, Err(LoadError::Refused(text)) if text == "ERR no"));
    }

    #[test]
    fn commands_carry_any_bytes() {
        let mut output = Vec::new();
        command(&mut output, &[b"A", b"\r\n"]);
        assert_eq!(output, b"*2\r\n$1\r\nA\r\n$2\r\n\r\n\r\n");
    }
}
