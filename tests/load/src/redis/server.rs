//! A Redis of our own: its own folder, a free port, every write on disk before it is answered.

use std::io::{BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use hushpost_harness::PATIENCE;
use tempfile::TempDir;

use crate::error::LoadError;

/// Another program may take the free port before Redis does.
const TRIES: usize = 3;

/// A running Redis.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl RedisServer {
    /// Starts one; `None` if there is no `redis-server` in PATH.
    pub fn start() -> Result<Option<Self>, LoadError> {
        let mut problem = String::new();
        for _ in 0..TRIES {
            match Self::try_start() {
                Ok(server) => return Ok(Some(server)),
                Err(LoadError::Io(error)) if error.kind() == ErrorKind::NotFound => {
                    return Ok(None);
                }
                Err(error) => problem = error.to_string(),
            }
        }
        Err(LoadError::Redis(problem))
    }

    fn try_start() -> Result<Self, LoadError> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .arg("--dir")
            .arg(folder.path())
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            // Takes 127.0.0.2 for the outside; it listens on loopback alone.
            .args(["--protected-mode", "no"])
            // A rewrite in the middle of a round would handicap it.
            .args(["--auto-aof-rewrite-percentage", "0"])
            .args(["--maxclients", "60000", "--tcp-backlog", "4096"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take();
        let server = Self {
            child,
            folder,
            address,
        };
        let lines = stdout.map(|stdout| read_lines(BufReader::new(stdout)));
        let lines = lines.ok_or_else(|| LoadError::Redis("no standard output".to_owned()))?;
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if line
                .to_ascii_lowercase()
                .contains("ready to accept connections")
            {
                return Ok(server);
            }
            said = line;
        }
        Err(LoadError::Redis(said))
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on for as long as Redis lives: with nobody reading, it would end up waiting for its log.
fn read_lines(output: impl std::io::BufRead + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // Nobody listens once it is ready.
            let _ = sender.send(line);
        }
    });
    lines
}
