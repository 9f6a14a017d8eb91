//! One peer: a child process that answers one JSON line for each it is sent, in order.
//!
//! For: telling apart a peer that refuses a request (an [`Answer`], what scenarios are about) from one
//! that is broken (a [`PeerError`], never acceptable).
//!
//! Must never: leave a process behind, or wait for ever on one that hangs. Writing has a thread of its
//! own, so that a batch larger than the pipe cannot lock the two sides up.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::implementation::Implementation;

/// Longest wait for one answer. Far above what any takes: past it, the peer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer says to a request: what was asked for, or why not.
pub type Answer = Result<Value, Refusal>;

/// A peer's refusal of one request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("refused by {by}: {code} ({detail})")]
pub struct Refusal {
    by: Implementation,
    code: String,
    detail: String,
}

impl Refusal {
    /// Checks the cause. Only our codes are fixed: of the official library, that it refused is enough.
    #[track_caller]
    pub fn assert_code(&self, expected: &str) {
        if self.by == Implementation::Ours {
            assert_eq!(self.code, expected, "cause of refusal: {self}");
        }
    }
}

/// A peer that does not keep to the protocol.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It could not be built or installed.
    #[error("no such peer here: {0}")]
    Unavailable(String),
    /// It could not be started.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
    /// It ended, though no input may end it.
    #[error("ended ({status}) instead of answering; its last words: {complaints}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of its standard error.
        complaints: String,
    },
    /// It did not answer in time.
    #[error("no answer within {PATIENCE:?} to request {0} of the batch")]
    Silent(usize),
    /// It answered something other than a JSON object.
    #[error("answered with no JSON object: {0}")]
    Garbled(String),
    /// It answered another request than the one asked.
    #[error("answered {0} instead of request {1}")]
    OutOfTurn(Value, u64),
}

/// A running peer.
#[derive(Debug)]
pub struct Peer {
    implementation: Implementation,
    child: Child,
    requests: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
    complaints: Option<JoinHandle<String>>,
    next_id: u64,
}

impl Peer {
    /// Starts a process.
    pub fn start(implementation: Implementation) -> Result<Self, PeerError> {
        let mut child = implementation
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (requests, outgoing) = channel();
        let (incoming, answers) = channel();
        thread::spawn(move || write_lines(stdin, &outgoing));
        thread::spawn(move || read_lines(stdout, &incoming));
        Ok(Self {
            implementation,
            child,
            requests,
            answers,
            complaints: Some(thread::spawn(move || last_words(stderr))),
            next_id: 0,
        })
    }

    /// Which implementation this is.
    #[must_use]
    pub fn implementation(&self) -> Implementation {
        self.implementation
    }

    /// Asks one thing.
    pub fn ask(&mut self, request: Value) -> Result<Answer, PeerError> {
        let mut answers = self.ask_all([request])?;
        Ok(answers.pop().expect("one answer for one request"))
    }

    /// Asks many things without waiting in between; the answers come in the same order.
    pub fn ask_all(
        &mut self,
        requests: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Answer>, PeerError> {
        let first = self.next_id;
        for mut request in requests {
            request["id"] = self.next_id.into();
            self.next_id += 1;
            self.send(request.to_string().into_bytes());
        }
        (first..self.next_id)
            .enumerate()
            .map(|(place, id)| {
                let answer = self.receive(place)?;
                if answer["id"] == id {
                    Ok(self.judge(answer))
                } else {
                    Err(PeerError::OutOfTurn(answer, id))
                }
            })
            .collect()
    }

    /// Sends lines as they are, whatever they hold; each must be answered all the same.
    pub fn ask_raw(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Answer>, PeerError> {
        for line in lines {
            self.send(line.clone());
        }
        (0..lines.len())
            .map(|place| self.receive(place).map(|answer| self.judge(answer)))
            .collect()
    }

    fn send(&self, line: Vec<u8>) {
        // The writer is gone only when the process is: `receive` tells why.
        let _ = self.requests.send(line);
    }

    fn receive(&mut self, place: usize) -> Result<Value, PeerError> {
        let line = match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                self.stop();
                return Err(PeerError::Silent(place));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
        };
        match serde_json::from_slice(&line) {
            Ok(answer @ Value::Object(_)) => Ok(answer),
            _ => Err(PeerError::Garbled(
                String::from_utf8_lossy(&line).into_owned(),
            )),
        }
    }

    fn judge(&self, answer: Value) -> Answer {
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(Refusal {
                by: self.implementation,
                code: error["code"]
                    .as_str()
                    .unwrap_or_else(|| panic!("an error without a code: {answer}"))
                    .to_owned(),
                detail: error["detail"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }

    fn ended(&mut self) -> PeerError {
        let status = self.stop();
        let complaints = self.complaints.take().map(JoinHandle::join);
        PeerError::Ended {
            status,
            complaints: complaints.and_then(Result::ok).unwrap_or_default(),
        }
    }

    /// Ends the process and tells how it ended: killing one that came to its own end changes nothing.
    fn stop(&mut self) -> String {
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn write_lines(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for mut line in lines {
        line.push(b'\n');
        if stdin.write_all(&line).is_err() {
            return;
        }
    }
}

fn read_lines(stdout: impl Read, lines: &Sender<Vec<u8>>) {
    for line in BufReader::new(stdout).split(b'\n') {
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// Reads standard error to its end, so that the process never waits for somebody to, and keeps the
/// last of it.
fn last_words(stderr: impl Read) -> String {
    const KEPT: usize = 20;
    let mut kept = std::collections::VecDeque::with_capacity(KEPT);
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    Vec::from(kept).join("\n")
}
