//! People who send files, over a way to the relay that a test can meddle with.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod meddler;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::connection::NetworkTransport;
use hushpost::{
    AccountId, Attachment, Client, Config, Content, DatabaseKey, MessageRef, Registration,
    RelayUrl, Text, UploadOptions,
};
use hushpost_client_tests::TestError;
use hushpost_harness::{LIMITERS_OFF, RELAY_NAME, RelayOptions, RelayProcess};
use meddler::{Meddler, Rules};
use tempfile::TempDir;
use tokio::time::timeout;

pub type Result<T = ()> = core::result::Result<T, TestError>;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Peer {
    pub client: Client,
    pub account: AccountId,
    pub rules: Arc<Rules>,
    pub folder: TempDir,
    pub relay: SocketAddr,
    configure: fn(Config) -> Config,
}

pub async fn open(
    folder: &TempDir,
    relay: SocketAddr,
    rules: &Arc<Rules>,
    configure: fn(Config) -> Config,
) -> Result<Client> {
    let url = format!("ws://{relay}")
        .parse::<RelayUrl>()?
        .with_relay_name(RELAY_NAME)?;
    let database = folder.path().join("hushpost.db");
    let config = Config::new(database, DatabaseKey::new([7; 32]), url)
        .pre_key_stock(10)
        .transport(Meddler {
            inner: NetworkTransport::new(),
            rules: Arc::clone(rules),
        });
    Ok(Client::open(configure(config)).await?)
}

impl Peer {
    pub async fn new(relay: SocketAddr, configure: fn(Config) -> Config) -> Result<Self> {
        let (folder, rules) = (tempfile::tempdir()?, Arc::new(Rules::default()));
        let client = open(&folder, relay, &rules, configure).await?;
        let account = client.register(Registration::open()).await?;
        client.connect();
        Ok(Self {
            client,
            account,
            rules,
            folder,
            relay,
            configure,
        })
    }

    /// As after a crash: what ran is gone, what is on the disk is there.
    pub async fn restart(&mut self) -> Result {
        self.client.close().await;
        self.client = open(&self.folder, self.relay, &self.rules, self.configure).await?;
        self.client.connect();
        Ok(())
    }

    pub fn media_files(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("hushpost.db-media");
        let entries = fs::read_dir(folder).map(|entries| {
            entries
                .map(|entry| entry.unwrap().path())
                .collect::<Vec<_>>()
        });
        entries.unwrap_or_default()
    }

    pub async fn send(
        &self,
        to: &Self,
        items: Vec<Attachment>,
        caption: &str,
    ) -> Result<MessageRef> {
        let conversation = self.client.conversation_with(to.account).await?;
        let caption = (!caption.is_empty())
            .then(|| Text::new(caption))
            .transpose()?;
        Ok(conversation.send_attachments(items, caption).await?)
    }

    pub async fn received(&self, message: MessageRef) -> Result<Vec<Attachment>> {
        let mut events = self.client.events();
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = self.client.message(message).await? {
                    return Ok::<_, TestError>(found);
                }
                events.next().await;
            }
        });
        let Content::Attachments(attachments) = found.await.expect("the message comes")?.content
        else {
            panic!("no attachments");
        };
        Ok(attachments.items().to_vec())
    }

    pub async fn saved(&self, attachment: &Attachment) -> Result<Vec<u8>> {
        let path = self.folder.path().join("saved");
        self.client.media().save(attachment, &path).await?;
        Ok(fs::read(path)?)
    }

    pub async fn uploaded(&self, bytes: &[u8], name: &str) -> Result<Attachment> {
        let options = UploadOptions::new().file_name(name).as_document();
        let upload = self.client.media().upload(bytes.to_vec(), options);
        Ok(upload.finished().await?)
    }
}

pub async fn two() -> Result<(RelayProcess, Peer, Peer)> {
    two_with(|config| config).await
}

pub async fn two_with(configure: fn(Config) -> Config) -> Result<(RelayProcess, Peer, Peer)> {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let alice = Peer::new(relay.address(), configure).await?;
    let bob = Peer::new(relay.address(), configure).await?;
    Ok((relay, alice, bob))
}

/// Bytes that do not repeat.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

pub fn photo(width: u32, height: u32) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
    });
    let mut out = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut out, image::ImageFormat::Jpeg).unwrap();
    out.into_inner()
}

pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
