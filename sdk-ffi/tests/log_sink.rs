//! Log lines reach the app, those that it asked for, and whatever it does with them harms nobody. One test: there is one
//! place for log lines in a process.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hushpost_ffi::{HushpostError, LogLevel, LogLine, LogSink, set_log_sink};

/// Past it, something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct ToATest(Sender<LogLine>);

impl LogSink for ToATest {
    fn log(&self, line: LogLine) -> Result<(), HushpostError> {
        self.0.send(line).map_err(|_| HushpostError::Internal {
            code: "gone".to_owned(),
            reason: "nobody listens".to_owned(),
            retryable: false,
        })
    }
}

fn listen(level: LogLevel) -> Receiver<LogLine> {
    let (sender, lines) = channel();
    set_log_sink(Some(Arc::new(ToATest(sender))), level).unwrap();
    lines
}

#[test]
fn lines_of_the_chosen_level_arrive_and_the_choice_may_change() {
    let say = || {
        tracing::error!(target: "hushpost::test", code = 7, "it broke");
        tracing::debug!(target: "hushpost::test", "it hums");
        tracing::error!(target: "elsewhere", "not ours");
    };
    let lines = listen(LogLevel::Error);
    say();
    let line = lines.recv_timeout(PATIENCE).unwrap();
    assert_eq!(line.level, LogLevel::Error);
    assert_eq!(line.target, "hushpost::test");
    assert_eq!(line.message, "it broke code=7");

    let lines = listen(LogLevel::Trace);
    say();
    assert_eq!(
        lines.recv_timeout(PATIENCE).unwrap().message,
        "it broke code=7"
    );
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap().message, "it hums");

    // The app's code fails: the next line comes all the same.
    drop(lines);
    say();
    let lines = listen(LogLevel::Info);
    say();
    assert_eq!(
        lines.recv_timeout(PATIENCE).unwrap().target,
        "hushpost::test"
    );

    set_log_sink(None, LogLevel::Trace).unwrap();
    say();
    let lines = listen(LogLevel::Info);
    tracing::info!(target: "hushpost::test", "the last");
    let last = std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok())
        .find(|line| line.message != "it broke code=7");
    assert_eq!(last.map(|line| line.message).as_deref(), Some("the last"));
}
