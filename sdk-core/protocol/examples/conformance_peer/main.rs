//! This crate behind the JSON-lines conformance protocol, so that any scenario can be played between
//! it and another implementation.
//!
//! One request a line on standard input, one answer a line on standard output, in order. A request
//! that fails is answered with an error and changes nothing; the process ends only with its input.
//!
//! ```text
//! $ echo '{"op":"hello","id":1}' | cargo run -q -p hushpost-protocol --example conformance_peer
//! {"id":1,"name":"hushpost","version":"0.1.0"}
//! ```

mod answer;
mod authority;
mod operations;
mod party;
mod request;
mod snapshot;

use std::io::{self, BufRead, Read, Write};

use crate::operations::Peer;

/// The longest line that is read; a longer one is answered as a bad request.
const MAX_LINE_LEN: u64 = 64 * 1024 * 1024;

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut peer = Peer::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input)
            .take(MAX_LINE_LEN)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n') || (line.len() as u64) < MAX_LINE_LEN;
        if !whole {
            skip_rest_of_line(&mut input)?;
            line.clear();
            line.push(b'?');
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut answer = serde_json::to_vec(&peer.answer(&line))?;
        answer.push(b'\n');
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn skip_rest_of_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        let (length, found) = match available.iter().position(|&byte| byte == b'\n') {
            Some(position) => (position.saturating_add(1), true),
            None => (available.len(), available.is_empty()),
        };
        input.consume(length);
        if found {
            return Ok(());
        }
    }
}
