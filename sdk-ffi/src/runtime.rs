//! The one Tokio runtime that everything here runs on, made with the first call that needs it.
//!
//! Must never: be shut down while the process lives, or be entered by `process_push`, which
//! keeps to one thread of its own.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::OnceLock;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{HushpostError, Result};

/// Threads that run tasks: what an app does at once is waiting, not computing.
const WORKERS: usize = 2;
/// Threads for the database and files, at most; they end when there is nothing to do.
const BLOCKING: usize = 8;

static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();

/// The runtime.
pub(crate) fn handle() -> Result<&'static Handle> {
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(BLOCKING)
            .thread_name("hushpost")
            .enable_all()
            .build()
            .ok()
    });
    let runtime = runtime.as_ref().map(Runtime::handle);
    runtime.ok_or_else(|| HushpostError::internal("no_threads", "no threads can be started"))
}

/// Does the work as a task: it goes on to its end even if nobody waits for the answer any more.
pub(crate) fn run<T, E>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> BoxFuture<'static, Result<T>>
where
    T: Send + 'static,
    E: Into<HushpostError> + Send + 'static,
{
    // Boxed: a task's machinery is made once for each kind of answer, and not for each of a hundred calls.
    run_boxed(Box::pin(async { work.await.map_err(Into::into) }))
}

fn run_boxed<T: Send + 'static>(
    work: BoxFuture<'static, Result<T>>,
) -> BoxFuture<'static, Result<T>> {
    Box::pin(async move {
        match handle()?.spawn(work).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => Err(panicked()),
            Err(_) => Err(HushpostError::internal(
                "unloading",
                "the library is being unloaded",
            )),
        }
    })
}

/// Waits for something on the runtime without a task of its own: for what may be dropped at any point.
pub(crate) async fn wait<T>(work: impl Future<Output = T> + Send) -> Result<T> {
    let handle = handle()?;
    // What panicked is not used again: its owner keeps nothing but a stream or a channel.
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    let done = poll_fn(|context| {
        let _inside = handle.enter();
        work.as_mut().poll(context)
    });
    done.await.map_err(|_| panicked())
}

fn panicked() -> HushpostError {
    HushpostError::internal("panic", "a fault of the library; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::panic)]
    async fn faulty() -> Result<()> {
        tokio::task::yield_now().await;
        panic!("a fault")
    }

    #[test]
    fn a_panic_is_an_error_and_the_runtime_goes_on() {
        let fault = |done: Result<()>| matches!(done, Err(HushpostError::Internal { code, .. }) if code == "panic");
        assert!(fault(futures_executor::block_on(run(faulty()))));
        assert!(fault(
            futures_executor::block_on(wait(faulty())).and_then(|done| done)
        ));
        assert_eq!(
            futures_executor::block_on(wait(std::future::ready(7))),
            Ok(7)
        );
    }
}
