//! The one writer: gathers what waits into one transaction, commits it with one fsync, then answers.
//!
//! ```text
//!   senders, receivers, accounts, keys ─▶ channel ─▶ writer ─▶ COMMIT ─▶ answers, wake-ups
//!                                                      │
//!                                                      └─ between commits: settles the journal
//! ```
//!
//! While a commit waits for the disk the next group gathers, so the disk sets the pace of commits and the
//! load sets their size. Nothing is answered, and nothing becomes visible in memory, before the commit
//! returned; when it fails, every member of the group is told so and memory is as it was.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hushpost_wire::CloseReason;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{FolderLock, Health, StoreError, checkpoint};
use crate::mailbox::{Acknowledgement, DeviceKey, Mailbox, MailboxTable, Opened, Submission};

/// Operations in one commit at most, so that a flood cannot make a commit arbitrarily long.
const GROUP: usize = 4096;
/// How long acknowledgements alone wait for company: nobody waits for their answer.
const ACKNOWLEDGEMENT_DELAY: Duration = Duration::from_millis(10);
/// How often the writer looks after the journal when there is nothing else to do.
const IDLE: Duration = Duration::from_millis(200);
/// How often mailboxes that nobody uses are let go.
const SWEEP: Duration = Duration::from_secs(30);

/// What the store needs to know.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Messages that wait for one device at most.
    pub queue_messages: u64,
    /// How many of these senders without a delivery token may fill.
    pub stranger_messages: u64,
    /// Bytes of unsettled messages kept in memory before the writer settles under load.
    pub journal_memory: usize,
    /// Bytes of free disk below which sends are refused.
    pub min_free_disk: u64,
    /// Reading connections.
    pub readers: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            queue_messages: hushpost_wire::limits::MAX_QUEUED,
            stranger_messages: hushpost_wire::limits::MAX_QUEUED / 2,
            journal_memory: 32 << 20,
            min_free_disk: 64 << 20,
            readers: 2,
        }
    }
}

/// What the end of a transaction is told to who asked for a job.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// A job: in the transaction it says whether its changes stay, and who waits. In a group that failed
/// before its turn it is told so, and has nobody left to tell.
type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Option<(bool, Finish)> + Send>;

/// What can be asked of the writer.
pub(crate) enum Operation {
    Run(Job),
    Submit(Submission),
    Acknowledge(Acknowledgement),
    /// Brings a mailbox into memory; `None` if there is no such device.
    Open(
        DeviceKey,
        oneshot::Sender<Result<Option<Opened>, StoreError>>,
    ),
    /// Drops what memory holds of devices that were removed.
    Forget(Vec<DeviceKey>, CloseReason),
    /// Starts the write-ahead log anew.
    RestartLog,
    /// Tries whether a store that failed works again.
    Probe,
    /// Settles everything and stops.
    Close(oneshot::Sender<()>),
}

/// Where operations go.
#[derive(Debug)]
pub(crate) struct WriterCore(Sender<Operation>);

impl WriterCore {
    pub(crate) fn send(&self, operation: Operation) {
        // A closed channel drops the operation, and with it the answer's sender: its receiver learns so.
        let _closed = self.0.send(operation);
    }
}

/// The way to the writer. Clones share it.
#[derive(Debug, Clone)]
pub struct WriterHandle(Arc<WriterCore>);

impl WriterHandle {
    pub(super) fn downgrade(&self) -> Weak<WriterCore> {
        Arc::downgrade(&self.0)
    }

    /// Hands a message in; its `answer` is called when it is durable, or not.
    pub fn submit(&self, submission: Submission) {
        self.0.send(Operation::Submit(submission));
    }

    /// Hands an acknowledgement in; its `answer` is called when it is durable, or not.
    pub fn acknowledge(&self, acknowledgement: Acknowledgement) {
        self.0.send(Operation::Acknowledge(acknowledgement));
    }

    /// Brings a device's mailbox into memory.
    ///
    /// # Errors
    /// [`StoreError`]. `None` if there is no such device.
    pub async fn open_mailbox(&self, device: DeviceKey) -> Result<Option<Opened>, StoreError> {
        let (answer, opened) = oneshot::channel();
        self.0.send(Operation::Open(device, answer));
        opened.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Drops what memory holds of devices that were removed from the database, and tells their connections
    /// why.
    pub fn forget(&self, devices: Vec<DeviceKey>, why: CloseReason) {
        self.0.send(Operation::Forget(devices, why));
    }

    /// Settles everything, closes the database and stops the writer.
    pub async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        self.0.send(Operation::Close(answer));
        let _gone_already = closed.await;
    }

    pub(super) async fn run<R, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let job: Job = Box::new(move |connection| match connection {
            Ok(connection) => {
                let outcome = job(connection);
                let stays = outcome.is_ok();
                let finish: Finish = Box::new(move |committed| {
                    let _nobody_waits = answer.send(committed.map_err(E::from).and(outcome));
                });
                Some((stays, finish))
            }
            Err(error) => {
                let _nobody_waits = answer.send(Err(error.into()));
                None
            }
        });
        self.0.send(Operation::Run(job));
        done.await.unwrap_or(Err(StoreError::Closed.into()))
    }
}

pub(super) fn start(
    connection: Connection,
    lock: FolderLock,
    settings: StoreSettings,
    health: Arc<Health>,
) -> rusqlite::Result<WriterHandle> {
    let (operations, waiting) = channel();
    let mailboxes = MailboxTable::recover(&connection, settings)?;
    let writer = Writer {
        connection,
        waiting,
        mailboxes,
        health,
        finishes: Vec::new(),
        opened: Vec::new(),
        restart_log: false,
        swept: Instant::now(),
        _lock: lock,
    };
    checkpoint::spawn("store-writer", move || writer.work())?;
    Ok(WriterHandle(Arc::new(WriterCore(operations))))
}

type OpenAnswer = oneshot::Sender<Result<Option<Opened>, StoreError>>;

struct Writer {
    connection: Connection,
    waiting: Receiver<Operation>,
    mailboxes: MailboxTable,
    health: Arc<Health>,
    finishes: Vec<Finish>,
    opened: Vec<(Option<Arc<Mailbox>>, OpenAnswer)>,
    restart_log: bool,
    swept: Instant,
    /// Released when the writer ends, so that the next process starts after the last commit.
    _lock: FolderLock,
}

impl Writer {
    fn work(mut self) {
        let mut group = Vec::new();
        loop {
            match self.waiting.recv_timeout(IDLE) {
                Ok(first) => {
                    group.push(first);
                    self.gather(&mut group);
                    if let Some(closed) = self.commit_group(&mut group) {
                        self.settle_all();
                        drop(self);
                        let _nobody_waits = closed.send(());
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.mailboxes.report(),
                Err(RecvTimeoutError::Disconnected) => return self.settle_all(),
            }
            if self.mailboxes.is_settling_due() {
                self.settle();
            }
            if self.swept.elapsed() > SWEEP {
                self.swept = Instant::now();
                self.mailboxes.sweep();
            }
            if core::mem::take(&mut self.restart_log) {
                self.checkpoint("PRAGMA wal_checkpoint(RESTART)");
            }
        }
    }

    fn gather(&self, group: &mut Vec<Operation>) {
        let since = Instant::now();
        loop {
            while group.len() < GROUP {
                match self.waiting.try_recv() {
                    Ok(operation) => group.push(operation),
                    Err(_) => break,
                }
            }
            let only_acknowledgements = group
                .iter()
                .all(|operation| matches!(operation, Operation::Acknowledge(_)));
            let left = ACKNOWLEDGEMENT_DELAY.saturating_sub(since.elapsed());
            if !only_acknowledgements || group.len() >= GROUP || left.is_zero() {
                return;
            }
            match self.waiting.recv_timeout(left) {
                Ok(operation) => group.push(operation),
                Err(_) => return,
            }
        }
    }

    /// Commits a group and answers it. `Some` if the writer was asked to close.
    fn commit_group(&mut self, group: &mut Vec<Operation>) -> Option<oneshot::Sender<()>> {
        let mut closing = None;
        let begun = Instant::now();
        let changes = self.connection.total_changes();
        let mut result = self.begin();
        for operation in group.drain(..) {
            match operation {
                Operation::Close(answer) => closing = Some(answer),
                operation => {
                    let staged = match &result {
                        Ok(()) => self.stage(operation),
                        Err(error) => {
                            self.refuse(operation, error);
                            Ok(())
                        }
                    };
                    result = result.and(staged);
                }
            }
        }
        let result = result.and_then(|()| self.commit());
        metrics::histogram!("hushpost_store_commit_seconds").record(begun.elapsed().as_secs_f64());
        match &result {
            Ok(()) => {
                self.committed(changes);
                self.mailboxes.publish();
            }
            Err(error) => {
                self.failed(error);
                self.mailboxes.discard(error);
            }
        }
        for finish in self.finishes.drain(..) {
            finish(result.clone());
        }
        for (mailbox, answer) in self.opened.drain(..) {
            let opened = mailbox.map(Opened::new);
            let _nobody_waits = answer.send(result.clone().map(|()| opened));
        }
        closing
    }

    fn begin(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.mailboxes.write_journal(&self.connection)?;
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    fn stage(&mut self, operation: Operation) -> Result<(), StoreError> {
        match operation {
            Operation::Run(job) => self.run(job),
            Operation::Submit(submission) if self.health.is_low() => {
                submission.refuse(StoreError::Full);
                Ok(())
            }
            Operation::Submit(submission) => self.mailboxes.submit(&self.connection, submission),
            Operation::Acknowledge(acknowledgement) => self
                .mailboxes
                .acknowledge(&self.connection, acknowledgement),
            Operation::Open(device, answer) => {
                match self.mailboxes.open(&self.connection, device) {
                    Ok(mailbox) => {
                        self.opened.push((mailbox, answer));
                        Ok(())
                    }
                    Err(error) => {
                        let _nobody_waits = answer.send(Err(error.clone()));
                        Err(error)
                    }
                }
            }
            Operation::Forget(devices, why) => {
                self.mailboxes.forget(&devices, why);
                Ok(())
            }
            Operation::RestartLog => {
                self.restart_log = true;
                Ok(())
            }
            Operation::Probe => {
                self.connection.execute(
                    "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', zeroblob(65536))",
                    [],
                )?;
                self.connection
                    .execute("DELETE FROM meta WHERE key = 'probe'", [])?;
                Ok(())
            }
            Operation::Close(_) => Ok(()),
        }
    }

    /// Runs one job so that its failure is its own.
    fn run(&mut self, job: Job) -> Result<(), StoreError> {
        self.connection.execute_batch("SAVEPOINT job")?;
        let Some((stays, finish)) = job(Ok(&self.connection)) else {
            return Ok(());
        };
        self.finishes.push(finish);
        // A full disk makes SQLite end the whole transaction, not only the job's part of it.
        if self.connection.is_autocommit() {
            return Err(StoreError::Full);
        }
        let end = if stays {
            "RELEASE job"
        } else {
            "ROLLBACK TO job; RELEASE job"
        };
        Ok(self.connection.execute_batch(end)?)
    }

    /// Tells an operation of a group that has failed already.
    fn refuse(&mut self, operation: Operation, error: &StoreError) {
        match operation {
            Operation::Submit(submission) => submission.refuse(error.clone()),
            Operation::Acknowledge(acknowledgement) => acknowledgement.refuse(error.clone()),
            Operation::Open(_, answer) => {
                let _nobody_waits = answer.send(Err(error.clone()));
            }
            Operation::Forget(devices, why) => self.mailboxes.forget(&devices, why),
            Operation::Run(job) => {
                let _told = job(Err(error.clone()));
            }
            Operation::RestartLog | Operation::Probe | Operation::Close(_) => {}
        }
    }

    /// Moves one slice of the journal to where it is read from later.
    fn settle(&mut self) {
        let changes = self.connection.total_changes();
        let result = self.begin().and_then(|()| {
            self.mailboxes.settle_slice(&self.connection)?;
            Ok(self.connection.execute_batch("COMMIT")?)
        });
        match &result {
            Ok(()) => {
                self.committed(changes);
                self.mailboxes.slice_settled();
                self.mailboxes.report();
            }
            Err(error) => self.failed(error),
        }
    }

    fn settle_all(&mut self) {
        while self.mailboxes.has_journal() {
            self.settle();
            if !self.health.is_ready() {
                // The journal itself is durable: the next start settles it.
                break;
            }
        }
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Best effort: what is in the log stays durable there.
    fn checkpoint(&self, pragma: &str) {
        if let Err(error) = self.connection.query_row(pragma, [], |_| Ok(())) {
            tracing::debug!(%error, "checkpoint failed");
        }
    }

    fn committed(&self, changes_before: u64) {
        // A transaction that wrote nothing did not reach the disk.
        if self.connection.total_changes() != changes_before {
            self.health.committed();
            metrics::counter!("hushpost_store_commits_total").increment(1);
        }
    }

    fn failed(&self, error: &StoreError) {
        if !self.connection.is_autocommit() {
            let _rolled_back = self.connection.execute_batch("ROLLBACK");
        }
        metrics::counter!("hushpost_store_failed_commits_total").increment(1);
        // Once, not for each of the thousands of commits that fail until there is room again.
        if self.health.refused(error) {
            tracing::error!(%error, "the store refuses writes; nothing is lost, sends are refused until it works again");
        }
    }
}
