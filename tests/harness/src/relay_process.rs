//! A real relay process on ports of the system's choice, with a data folder of its own.
//!
//! Must never: outlive its test, or hide why it failed. Its standard error goes to a file, shown when the
//! test that holds the process panics, and part of every error it causes.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::config::{ANY_PORT, render};
use crate::{HarnessError, PATIENCE, RelayBinary, memory, metrics};

/// Bytes of standard error that an error shows.
const LAST_WORDS: usize = 4096;

/// How to run a relay.
#[derive(Debug, Clone, Default)]
pub struct RelayOptions {
    additions: Vec<String>,
    environment: Vec<(String, String)>,
    address: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
}

/// A running relay, or one that a test stopped and may start again.
#[derive(Debug)]
pub struct RelayProcess {
    options: RelayOptions,
    folder: TempDir,
    running: Option<Running>,
    address: SocketAddr,
    admin: SocketAddr,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Lines of standard output; disconnected when the process has ended. The lock is never contended: it
    /// lets tasks share the process.
    lines: Mutex<Receiver<String>>,
}

impl Running {
    fn next_line(&mut self) -> Result<String, RecvTimeoutError> {
        self.lines
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(PATIENCE)
    }
}

impl RelayOptions {
    /// Merges TOML over the base configuration, e.g. [`LIMITERS_OFF`](crate::LIMITERS_OFF).
    #[must_use]
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.additions.push(toml.into());
        self
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Uses a data folder that outlives the process, e.g. one that another relay wrote. Without this, the
    /// folder is temporary.
    #[must_use]
    pub fn data_dir(mut self, data_dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(data_dir.into());
        self
    }

    /// Starts the process and waits until it is ready. Blocks the thread meanwhile.
    ///
    /// # Errors
    /// [`HarnessError`] with the relay's last words.
    pub fn start(self) -> Result<RelayProcess, HarnessError> {
        let folder = tempfile::tempdir()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut relay = RelayProcess {
            options: self,
            folder,
            running: None,
            address: nowhere,
            admin: nowhere,
        };
        fs::create_dir_all(relay.data_dir())?;
        relay.launch()?;
        Ok(relay)
    }
}

impl RelayProcess {
    /// Starts a relay with limits as they come.
    ///
    /// # Errors
    /// As [`RelayOptions::start`].
    pub fn start() -> Result<Self, HarnessError> {
        RelayOptions::default().start()
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.options
            .data_dir
            .clone()
            .unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// The process id.
    ///
    /// # Errors
    /// [`HarnessError::Ended`] if the test stopped it.
    pub fn pid(&self) -> Result<u32, HarnessError> {
        Ok(self.running()?.child.id())
    }

    /// Resident bytes of the process.
    ///
    /// # Errors
    /// As [`pid`](Self::pid), and [`HarnessError::Io`].
    pub fn rss_bytes(&self) -> Result<u64, HarnessError> {
        memory::resident_bytes(self.pid()?)
    }

    /// A metric, summed over its labels.
    ///
    /// # Errors
    /// As [`read_metric`](crate::read_metric).
    pub async fn metric(&self, name: &str) -> Result<f64, HarnessError> {
        metrics::read_metric(self.admin, name).await
    }

    /// Waits until a metric, summed over its labels, is as wanted; one that does not exist yet is 0.
    ///
    /// # Errors
    /// [`HarnessError::Silent`] with `what` if it never is; else as [`metric`](Self::metric).
    pub async fn until_metric(
        &self,
        what: &'static str,
        name: &str,
        wanted: impl Fn(f64) -> bool,
    ) -> Result<(), HarnessError> {
        let watching = async {
            loop {
                let value = match self.metric(name).await {
                    Err(HarnessError::NoMetric(_)) => 0.0,
                    other => other?,
                };
                if wanted(value) {
                    return Ok(());
                }
            }
        };
        timeout(PATIENCE, watching)
            .await
            .map_err(|_| HarnessError::Silent(what))?
    }

    /// Runs another command of the binary, such as `["account", "block", id]`, on this relay's configuration,
    /// beside it or while it is stopped. Waits for its end; blocks the thread meanwhile.
    ///
    /// # Errors
    /// [`HarnessError::Io`] if it cannot be run. What it did is in its status.
    pub fn command(&self, arguments: &[&str]) -> Result<Output, HarnessError> {
        let output = Command::new(RelayBinary::find()?.path())
            .args(arguments)
            .arg("--config")
            .arg(self.config_file())
            .envs(self.options.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    /// A page of the admin listener, such as `/health/ready`, with the head of its HTTP answer.
    ///
    /// # Errors
    /// [`HarnessError::Io`] and [`HarnessError::Silent`].
    pub async fn admin_page(&self, path: &str) -> Result<String, HarnessError> {
        metrics::read_page(self.admin, path).await
    }

    /// Everything the process wrote to standard error since the test began.
    ///
    /// # Errors
    /// [`HarnessError::Io`].
    pub fn log(&self) -> Result<String, HarnessError> {
        Ok(String::from_utf8_lossy(&fs::read(self.log_file())?).into_owned())
    }

    /// Kills the process as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// As [`pid`](Self::pid).
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        let mut running = self
            .running
            .take()
            .ok_or(HarnessError::Ended("the relay"))?;
        running.child.kill()?;
        running.child.wait()?;
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// [`HarnessError::Relay`] if it does not end.
    pub fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        self.signal_termination()?;
        self.wait()
    }

    /// Asks the process to end and returns at once, for tests that watch it drain.
    ///
    /// # Errors
    /// As [`pid`](Self::pid).
    pub fn signal_termination(&self) -> Result<(), HarnessError> {
        let raw = i32::try_from(self.pid()?).unwrap_or(i32::MAX);
        let pid = Pid::from_raw(raw).ok_or(HarnessError::Ended("the relay"))?;
        kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        Ok(())
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// [`HarnessError::Relay`] if it does not end; then it was killed.
    pub fn wait(&mut self) -> Result<ExitStatus, HarnessError> {
        let mut running = self
            .running
            .take()
            .ok_or(HarnessError::Ended("the relay"))?;
        loop {
            match running.next_line() {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(running.child.wait()?),
                Err(RecvTimeoutError::Timeout) => {
                    running.child.kill()?;
                    running.child.wait()?;
                    return Err(self.complaint("did not end".to_owned()));
                }
            }
        }
    }

    /// Starts the process again on the same data folder, and on the same port if it is still free. Kills it
    /// first if it runs.
    ///
    /// # Errors
    /// As [`RelayOptions::start`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        if self.running.is_some() {
            self.kill()?;
        }
        self.options.address = Some(self.address);
        let again = self.launch();
        if again.is_err() {
            // Another test may have been given the port meanwhile.
            self.options.address = None;
            return self.launch();
        }
        again
    }

    /// Replaces the configuration that the test added, for the next [`restart`](Self::restart).
    pub fn reconfigure(&mut self, toml: impl Into<String>) {
        self.options.additions = vec![toml.into()];
    }

    fn running(&self) -> Result<&Running, HarnessError> {
        self.running
            .as_ref()
            .ok_or(HarnessError::Ended("the relay"))
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("relay.toml")
    }

    fn launch(&mut self) -> Result<(), HarnessError> {
        let address = self
            .options
            .address
            .map_or_else(|| ANY_PORT.to_owned(), |address| address.to_string());
        let config = self.config_file();
        fs::write(
            &config,
            render(&self.data_dir(), &address, &self.options.additions)?,
        )?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut child = Command::new(RelayBinary::find()?.path())
            .args(["serve", "--config"])
            .arg(&config)
            .envs(self.options.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let lines = child.stdout.take().map(read_lines).map(Mutex::new);
        let Some(lines) = lines else {
            return Err(HarnessError::Unexpected("a piped standard output"));
        };
        // From here on, dropping `self` ends the process.
        self.running = Some(Running { child, lines });
        let (address, admin) = self.ready()?;
        self.address = address;
        self.admin = admin;
        Ok(())
    }

    fn ready(&mut self) -> Result<(SocketAddr, SocketAddr), HarnessError> {
        loop {
            let running = self.running.as_mut();
            match running.ok_or(HarnessError::Ended("the relay"))?.next_line() {
                Ok(line) => {
                    if let Some(addresses) = parse_ready(&line) {
                        return Ok(addresses);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.kill()?;
                    return Err(self.complaint(format!("was not ready within {PATIENCE:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait()?;
                    return Err(self.complaint(format!("ended ({status}) instead of serving")));
                }
            }
        }
    }

    fn complaint(&self, problem: String) -> HarnessError {
        HarnessError::Relay {
            problem,
            last_words: last_words(&self.log_file()),
        }
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        if self.running.is_some()
            && let Err(error) = self.kill()
        {
            report(&format!("the relay could not be killed: {error}"));
        }
        if thread::panicking() {
            report(&format!(
                "--- standard error of the relay ---\n{}\n--- end of it ---",
                last_words(&self.log_file())
            ));
        }
    }
}

/// The place where a test's failure is read.
#[allow(clippy::print_stderr)]
fn report(text: &str) {
    eprintln!("{text}");
}

/// A thread of its own, so that a relay that prints much is not blocked by a test that does not look.
fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// `READY ws=ADDRESS admin=ADDRESS`.
fn parse_ready(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut fields = line.strip_prefix("READY ")?.split_whitespace();
    let address = fields.next()?.strip_prefix("ws=")?.parse().ok()?;
    let admin = fields.next()?.strip_prefix("admin=")?.parse().ok()?;
    Some((address, admin))
}

fn last_words(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let start = bytes.len().saturating_sub(LAST_WORDS);
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_both_addresses() {
        assert_eq!(
            parse_ready("READY ws=127.0.0.1:7000 admin=127.0.0.1:7001"),
            Some((([127, 0, 0, 1], 7000).into(), ([127, 0, 0, 1], 7001).into()))
        );
        for line in [
            "READY",
            "READY ws=x admin=y",
            "ready ws=127.0.0.1:1 admin=127.0.0.1:2",
            "",
        ] {
            assert_eq!(parse_ready(line), None, "{line}");
        }
    }
}
