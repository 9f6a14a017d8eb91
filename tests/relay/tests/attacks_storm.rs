//! Everybody at once: row G18, and floods of connections and registrations.
//!
//! After a crash all clients come back in the same moment and all are served, each with its mail. How a client
//! spreads its tries is the client's matter; how the relay spreads them when it stops in order is here.

use std::time::Instant;

use hushpost_harness::{
    Client, HarnessError, Identity, LIMITERS_OFF, PATIENCE, RawConnection, RelayOptions,
};
use hushpost_relay_tests::{Person, random_id};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{CloseReason, ErrorCode, Ping};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const CLIENTS: usize = 500;

#[tokio::test]
async fn all_come_back_at_once_after_a_crash_and_all_are_served() -> Result {
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut people = Vec::new();
    for _ in 0..CLIENTS {
        people.push(Person::register(relay.address()).await?);
    }
    let mut sender = Person::register(relay.address()).await?;
    for person in &people {
        let hello = vec![person.identity.recipient(b"before the crash")];
        assert_eq!(sender.send(random_id()?, hello).await?.stored, 1);
    }
    relay.kill()?;
    relay.restart()?;
    let address = relay.address();
    let mut tasks = Vec::new();
    for mut person in people {
        tasks.push(tokio::spawn(async move {
            person.reconnect(address).await?;
            person.receive(0).await?;
            let received = person.messages_until_caught_up().await?;
            Ok::<_, HarnessError>((person, received.len()))
        }));
    }
    let mut back = Vec::new();
    for task in tasks {
        let (person, received) = task.await.expect("no panic")?;
        assert_eq!(received, 1);
        back.push(person);
    }
    assert_eq!(back.len(), CLIENTS);
    let open = relay.metric("hushpost_connections").await?;
    assert!((open - 500.0).abs() < 0.5, "{open}");
    Ok(())
}

#[tokio::test]
async fn who_is_told_to_come_back_is_told_when_and_not_all_the_same() -> Result {
    let mut relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[drain]\nreconnect_jitter = \"30s\"")
        .start()?;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(Client::connect(relay.address()).await?.0);
    }
    relay.signal_termination()?;
    let mut waits = Vec::new();
    for client in clients {
        let closing = client.ended().await?.closing.expect("it is told why");
        assert_eq!(closing.reason(), CloseReason::Draining);
        assert!(closing.reconnect_after_ms < 30_000);
        waits.push(closing.reconnect_after_ms);
    }
    assert!(relay.wait()?.success());
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 40, "fifty were told the same few moments");
    Ok(())
}

#[tokio::test]
async fn an_address_that_hammers_is_told_to_wait() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nhandshakes_per_address = { burst = 20, per_minute = 1, when_full = \"open\" }")
        .start()?;
    let mut through = 0;
    for _ in 0..60 {
        let local = Some([127, 0, 0, 2].into());
        let mut raw = RawConnection::open(local, relay.address()).await?;
        let head = raw.upgrade("").await?;
        if head.starts_with("HTTP/1.1 101") {
            through += 1;
        } else {
            assert!(head.starts_with("HTTP/1.1 429"), "{head}");
            assert!(
                head.to_ascii_lowercase().contains("retry-after: "),
                "{head}"
            );
        }
    }
    assert!((20..25).contains(&through), "{through}");
    // Another address does not wait.
    Person::register(relay.address()).await.map(drop)
}

#[tokio::test]
async fn an_address_registers_only_so_many_accounts() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nregistrations_per_address = { burst = 6, per_minute = 0.1, when_full = \"closed\" }")
        .start()?;
    let local = [127, 0, 0, 2].into();
    let mut registered = 0;
    for _ in 0..30 {
        let (mut client, welcome) = Client::connect_from(local, relay.address()).await?;
        match client.register(&welcome, &Identity::new()?).await {
            Ok(_) => registered += 1,
            Err(error) => assert_eq!(error.code(), Some(ErrorCode::RateLimited)),
        }
    }
    assert_eq!(registered, 6);
    Person::register(relay.address()).await.map(drop)
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_waits_outside_and_those_inside_are_served() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[listen]\nmax_connections = 20")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut inside = Vec::new();
    for _ in 0..19 {
        inside.push(Client::connect(relay.address()).await?);
    }
    for _ in 0..50 {
        assert!(Client::connect(relay.address()).await.is_err());
    }
    alice.client.request(Request::Ping(Ping {})).await?;
    drop(inside);
    relay
        .until_metric("free places", "hushpost_connections", |open| open < 2.0)
        .await?;
    let begun = Instant::now();
    while Client::connect(relay.address()).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the places are not given back");
    }
    Ok(())
}
