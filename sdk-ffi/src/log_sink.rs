//! The app's own place for log lines.
//!
//! Lines go through a queue to one thread that calls the app, so that no task ever waits for it; what does not fit is
//! counted and dropped. There are no keys, tokens or texts in any line.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::thread;

use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::{HushpostError, Result};

/// Lines that wait for the app.
const QUEUE: usize = 1024;
/// Bytes of a line, at most.
const MAX_LINE_LEN: usize = 4096;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may be about to.
    Warn,
    /// What a user of the app would recognise.
    Info,
    /// What a developer asks for.
    Debug,
    /// Everything.
    Trace,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogLine {
    /// How serious.
    pub level: LogLevel,
    /// From which part of the library.
    pub target: String,
    /// What.
    pub message: String,
}

/// Takes log lines: one at a time, on a thread of the library's.
#[uniffi::export(foreign)]
pub trait LogSink: Send + Sync {
    /// Takes a line. Should return soon; what it throws is ignored.
    ///
    /// # Errors
    /// Whatever the app throws.
    fn log(&self, line: LogLine) -> Result<()>;
}

struct Target {
    sink: Arc<dyn LogSink>,
    level: Level,
}

static TARGET: RwLock<Option<Target>> = RwLock::new(None);
static QUEUE_IN: OnceLock<Option<SyncSender<LogLine>>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Sends the library's log lines to the app from now on, those of this level and more serious ones; none ends it. May be
/// called again, for another one. By default nothing is logged anywhere.
///
/// # Errors
/// `Internal` if the thread for it cannot be started, or another part of the process took the place of
/// all log lines before.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>, level: LogLevel) -> Result<()> {
    let ready = QUEUE_IN.get_or_init(start);
    if ready.is_none() {
        return Err(HushpostError::internal(
            "no_log",
            "log lines already go elsewhere in this process",
        ));
    }
    let target = sink.map(|sink| Target {
        sink,
        level: level.into(),
    });
    *TARGET.write().unwrap_or_else(PoisonError::into_inner) = target;
    Ok(())
}

fn start() -> Option<SyncSender<LogLine>> {
    let (sender, lines) = sync_channel(QUEUE);
    let thread = thread::Builder::new().name("hushpost-log".to_owned());
    thread.spawn(move || deliver(&lines)).ok()?;
    let subscriber = Registry::default().with(ToTheApp(sender.clone()));
    tracing::subscriber::set_global_default(subscriber).ok()?;
    Some(sender)
}

fn deliver(lines: &Receiver<LogLine>) {
    while let Ok(line) = lines.recv() {
        let target = TARGET.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = target.as_ref().map(|target| Arc::clone(&target.sink)) else {
            continue;
        };
        // The app may call `set_log_sink` from within.
        drop(target);
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let lost = LogLine {
                level: LogLevel::Warn,
                target: "hushpost_ffi".to_owned(),
                message: format!("{dropped} lines were dropped: the app takes them too slowly"),
            };
            let _ignored = sink.log(lost);
        }
        let _ignored = sink.log(line);
    }
}

struct ToTheApp(SyncSender<LogLine>);

impl<S: Subscriber> Layer<S> for ToTheApp {
    /// Asked again for every line: the app may choose another level later.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let target = TARGET.read().unwrap_or_else(PoisonError::into_inner);
        metadata.target().starts_with("hushpost")
            && target
                .as_ref()
                .is_some_and(|target| *metadata.level() <= target.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Line(String::new());
        event.record(&mut message);
        let metadata = event.metadata();
        let line = LogLine {
            level: (*metadata.level()).into(),
            target: metadata.target().to_owned(),
            message: message.0,
        };
        if self.0.try_send(line).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The message, then the fields.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.0.len() > MAX_LINE_LEN {
            return;
        }
        // Writing to a string does not fail.
        let _infallible = if field.name() == "message" {
            let fields = core::mem::take(&mut self.0);
            write!(self.0, "{value:?}{fields}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }
}
