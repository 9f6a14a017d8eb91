//! A relay's blobs over real HTTP on loopback, a real store and a real folder.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

mod downloading;
mod life;
mod refused;
mod resuming;
mod strangers;
mod sweeping;

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::store::StoreSettings;

/// The account that all tests upload for.
const ACCOUNT: i64 = 7;

/// Blobs that are served.
struct Server {
    blobs: Blobs,
    store: Store,
    address: SocketAddr,
    folder: TempDir,
    served: tokio::task::JoinHandle<()>,
}

fn settings(folder: &TempDir) -> BlobSettings {
    BlobSettings {
        folder: folder.path().join("blobs"),
        max_bytes: 100 << 20,
        ttl: Duration::from_secs(30 * 24 * 3600),
        quota_bytes: 1 << 30,
        upload_timeout: Duration::from_secs(3600),
        transfers: 4,
    }
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        Self::with(folder, settings, 0).await
    }

    /// With so many bytes of disk that must stay free.
    async fn with(folder: TempDir, settings: BlobSettings, min_free_disk: u64) -> Self {
        let store = StoreSettings {
            min_free_disk,
            ..StoreSettings::default()
        };
        let store = Store::open(folder.path(), store).unwrap();
        let blobs = Blobs::open(store.clone(), settings).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = blobs.router();
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            blobs,
            store,
            address,
            folder,
            served,
        }
    }

    /// Stops without finishing anything, and starts again in the same folder.
    async fn restart_with_reserve(self, min_free_disk: u64) -> Self {
        self.served.abort();
        self.store.writer().close().await;
        let settings = settings(&self.folder);
        Self::with(self.folder, settings, min_free_disk).await
    }

    /// Room for these bytes.
    async fn room(&self, bytes: &[u8]) -> Room {
        let request = CreateUpload {
            digest: Bytes::copy_from_slice(&Sha256::digest(bytes)),
            ..asking(bytes.len() as u64, 32)
        };
        let created = self.blobs.create_upload(ACCOUNT, request).await;
        let created = created.ok().unwrap();
        Room {
            id: URL_SAFE_NO_PAD.encode(&created.blob_id),
            token: URL_SAFE_NO_PAD.encode(&created.upload_token),
            name: Name::of(created.blob_id.as_ref().try_into().unwrap()),
        }
    }

    /// Why a request for room was refused, if it was.
    async fn refused(&self, account: i64, request: CreateUpload) -> Option<ErrorCode> {
        let created = self.blobs.create_upload(account, request).await;
        created.err().map(|refusal| refusal.code())
    }

    /// A complete blob.
    async fn blob(&self, bytes: &[u8]) -> Room {
        let room = self.room(bytes).await;
        assert_eq!(self.patch(&room, 0, bytes).await.status, 204);
        room
    }

    /// Sends a request as it stands and reads the answer to the end of the connection.
    async fn raw(&self, request: &[u8]) -> Answer {
        self.try_raw(request).await.expect("a whole head")
    }

    /// The same; `None` if the connection ends before the answer has a head.
    async fn try_raw(&self, request: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that answers early may close before all is written.
        let _closed_early = stream.write_all(request).await;
        read_answer(&mut stream).await
    }

    async fn ask(&self, method: &str, id: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} /v1/blobs/{id} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{headers}\r\n"
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    async fn patch(&self, room: &Room, offset: u64, body: &[u8]) -> Answer {
        let headers = format!(
            "{}Upload-Offset: {offset}\r\nContent-Length: {}\r\n",
            room.bearer(),
            body.len()
        );
        self.ask("PATCH", &room.id, &headers, body).await
    }

    async fn head(&self, room: &Room) -> Answer {
        self.ask("HEAD", &room.id, &room.bearer(), b"").await
    }

    async fn get(&self, room: &Room, headers: &str) -> Answer {
        self.ask("GET", &room.id, headers, b"").await
    }

    async fn delete(&self, room: &Room) -> Answer {
        self.ask("DELETE", &room.id, &room.bearer(), b"").await
    }

    /// Changes a blob's row, as time would.
    async fn update(&self, room: &Room, sql: &'static str) {
        let name = room.name;
        let changed: Result<usize, BlobError> = self
            .store
            .write(move |connection| {
                let sql = format!("UPDATE blob SET {sql} WHERE name = ?1");
                Ok(connection.execute(&sql, [name.as_bytes()])?)
            })
            .await;
        assert_eq!(changed.unwrap(), 1);
    }

    /// Rows of a table.
    async fn rows(&self, table: &'static str) -> i64 {
        let count: Result<i64, BlobError> = self
            .store
            .read(move |connection| {
                let sql = format!("SELECT count(*) FROM {table}");
                Ok(connection.query_row(&sql, [], |row| row.get(0))?)
            })
            .await;
        count.unwrap()
    }

    /// All files below the folder of blobs, with their sizes.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push((entry.path(), entry.metadata().unwrap().len()));
                }
            }
        }
        files.sort();
        files
    }
}

/// A request for room, with a digest of so many zeros.
fn asking(size: u64, digest: usize) -> CreateUpload {
    CreateUpload {
        size,
        digest: vec![0; digest].into(),
        ttl_s: 0,
    }
}

/// What an uploader knows.
struct Room {
    id: String,
    token: String,
    name: Name,
}

impl Room {
    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// The hash that the relay knows the blob by, made without the code under test.
    fn hash(&self) -> String {
        hex::encode(Sha256::digest(URL_SAFE_NO_PAD.decode(&self.id).unwrap()))
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn number(&self, name: &str) -> u64 {
        self.header(name).unwrap().parse().unwrap()
    }

    /// The error's code.
    fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["code"].as_str().unwrap().to_owned()
    }

    /// Everything but the clock.
    fn timeless(&self) -> (String, Vec<u8>) {
        let head = self.head.lines().filter(|line| !line.starts_with("date:"));
        (head.collect::<Vec<_>>().join("\n"), self.body.clone())
    }
}

/// `None` if the connection ends before the answer has a head.
async fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    // A reset after the answer is the server's way to refuse the rest of a body.
    let _reset = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = bytes[end + 4..].to_vec();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body })
}

/// Bytes that repeat nowhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
