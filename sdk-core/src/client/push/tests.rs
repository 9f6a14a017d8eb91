//! Without a relay: what is refused, what is left behind, how long it takes.

use std::fs;
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::connection::{Connecting, RelayUrl, Transport};
use crate::store::StoreError;
use crate::{Client, Clock, DatabaseKey, Processes, StoreThreads};

const BUDGET: Duration = Duration::from_secs(20);

/// No network.
struct Nowhere;

impl Transport for Nowhere {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(std::future::ready(Err(io::ErrorKind::NotConnected.into())))
    }
}

/// Follows the runtime's time, which a test stops.
struct Stopped(Instant);

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis())
            .unwrap()
            .saturating_add(1_700_000_000_000)
    }
}

/// A place for a database.
struct Place {
    folder: TempDir,
    began: Instant,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            began: Instant::now(),
        }
    }

    /// With an account that a relay knows.
    async fn registered() -> Self {
        let place = Self::new();
        let core = Core::open(place.config()).await.unwrap();
        let mut rng = core.rng.clone();
        core.store
            .write(move |tx| {
                LocalDevice::create(tx, 0, &mut rng)?;
                tx.execute("UPDATE local_device SET registered = 1", [])?;
                Ok(())
            })
            .await
            .unwrap();
        core.store.close().await;
        place
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    fn config(&self) -> Config {
        let relay = "wss://relay.example".parse::<RelayUrl>().unwrap();
        Config::new(self.database(), DatabaseKey::new([7; 32]), relay)
            .store_threads(StoreThreads::Inline)
            .transport(Nowhere)
            .clock(Stopped(self.began))
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }

    async fn push(&self) -> Result<PushEnd> {
        Ok(process_push(self.config(), BUDGET).await?.end)
    }
}

#[tokio::test]
async fn without_a_database_there_is_an_error_and_no_file() {
    let place = Place::new();
    assert!(matches!(place.push().await, Err(Error::NotRegistered)));
    assert_eq!(place.files(), 0);
    fs::remove_dir(place.folder.path()).unwrap();
    assert!(matches!(place.push().await, Err(Error::NotRegistered)));
    assert!(!place.folder.path().exists());
}

#[tokio::test]
async fn a_database_that_is_gone_is_missing_and_an_empty_one_has_nobody() {
    let place = Place::new();
    let client = Client::open(place.config()).await.unwrap();
    client.close().await;
    assert!(matches!(place.push().await, Err(Error::NotRegistered)));
    fs::remove_file(place.database()).unwrap();
    let left = place.files();
    let missing = place.push().await;
    assert!(matches!(missing, Err(Error::Store(StoreError::Missing))));
    assert_eq!(place.files(), left);
}

#[tokio::test(start_paused = true)]
async fn without_a_relay_the_budget_is_used_up_and_no_more() {
    let place = Place::registered().await;
    for (budget, least, most) in [(0, 800, 1000), (20_000, 19_800, 20_000)] {
        let began = Instant::now();
        let result = process_push(place.config(), Duration::from_millis(budget)).await;
        let took = began.elapsed();
        assert_eq!(result.unwrap().end, PushEnd::OutOfTime);
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        assert!((least..=most).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_app_tries_to_connect_it_is_left_alone_and_once_closed_it_is_not_waited_for() {
    let place = Place::registered().await;
    let app = Client::open(place.config().processes(Processes::Many))
        .await
        .unwrap();
    // Open is not connected.
    assert_eq!(place.push().await.unwrap(), PushEnd::OutOfTime);
    app.connect();
    let mut states = app.connection_states();
    while !matches!(states.next().await, Some(ConnectionState::Waiting { .. })) {}
    // Longer than one lease lasts: it is renewed.
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(place.push().await.unwrap(), PushEnd::AppIsConnected);
        assert!(began.elapsed() < Duration::from_secs(1));
        sleep(Duration::from_secs(5)).await;
    }
    app.disconnect().await;
    assert_eq!(place.push().await.unwrap(), PushEnd::OutOfTime);
    app.connect();
    app.close().await;
    assert_eq!(place.push().await.unwrap(), PushEnd::OutOfTime);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_alone_writes_no_lease() {
    let place = Place::registered().await;
    let app = Client::open(place.config()).await.unwrap();
    app.connect();
    let mut states = app.connection_states();
    while !matches!(states.next().await, Some(ConnectionState::Waiting { .. })) {}
    assert_eq!(place.push().await.unwrap(), PushEnd::OutOfTime);
    app.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_ends_its_connection_and_gives_the_lease_up() {
    let place = Place::registered().await;
    assert!(
        timeout(Duration::from_secs(5), place.push()).await.is_err(),
        "it waits for the relay"
    );
    // Its engine ends when it next runs; a lease that was left would last 12 s.
    let began = Instant::now();
    while place.push().await.unwrap() == PushEnd::AppIsConnected {
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed() <= BUDGET, "{:?}", began.elapsed());
}

#[test]
fn a_relay_that_does_not_take_the_account_is_an_error_with_its_code() {
    for code in ["not_registered", "device_removed", "account_deleted"] {
        assert!(matches!(refused(code), Error::NotRegistered), "{code}");
    }
    assert!(matches!(refused("relay_name"), Error::Untrusted(_)));
    for (code, expected) in [
        ("account_blocked", "BLOCKED"),
        ("blocked", "BLOCKED"),
        ("update_needed", "UNSUPPORTED_VERSION"),
        ("registration_closed", "REGISTRATION_CLOSED"),
        ("of a later version", "ERROR_CODE_UNSPECIFIED"),
    ] {
        let error = refused(code);
        assert_eq!(error.code(), expected, "{code}");
        assert!(!error.is_retryable());
    }
}
