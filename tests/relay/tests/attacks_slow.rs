//! Attacks by being slow: row G1, and the floods of G2 whose answers are never read.
//!
//! Half-open connections of every kind, headers that drip, a client that never says who it is, readers that
//! never read, and more connections than an address may have. Each time the connection ends by itself, the
//! relay's memory stays bounded, and somebody honest is served meanwhile.

#![allow(clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use hushpost_harness::{
    Client, HarnessError, LIMITERS_OFF, PATIENCE, RawConnection, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::raw_frames::{BINARY, FINAL, PING, head, masked};
use hushpost_relay_tests::{Person, message, random_id};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Anonymous, CloseReason, PROTOCOL_VERSION, Ping, Publish, Subscribe, topic};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const MIB: u64 = 1 << 20;
const GAUGE: &str = "hushpost_connections";

fn relay(config: &str) -> Result<RelayProcess> {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(config)
        .start()
}

/// One honest round trip: a message that is sent, delivered and acknowledged.
async fn post(alice: &mut Person, bob: &mut Person) -> Result {
    let recipient = vec![bob.identity.recipient(b"hello")];
    assert_eq!(alice.send(random_id()?, recipient).await?.stored, 1);
    let received = bob.messages(1).await?;
    assert_eq!(received[0].ciphertext.as_ref(), b"hello");
    bob.acknowledge(received[0].sequence).await
}

#[tokio::test]
async fn two_thousand_half_open_connections_end_and_keep_nobody_out() -> Result {
    let relay = relay("[listen]\nhandshake_timeout = \"2s\"")?;
    let address = relay.address();
    let mut alice = Person::register(address).await?;
    let mut bob = Person::register(address).await?;
    bob.receive(0).await?;

    let mut half_open = Vec::new();
    for number in 0..2000 {
        let mut attacker = RawConnection::open(None, address).await?;
        match number % 4 {
            // Says nothing.
            0 => {}
            // Half a header.
            1 => {
                attacker
                    .write(b"GET /v1/ws HTTP/1.1\r\nHost: relay.test\r\nX-")
                    .await?;
            }
            // A WebSocket that never says who it is.
            2 => assert!(attacker.upgrade("").await?.starts_with("HTTP/1.1 101")),
            // The same, within a frame.
            _ => {
                assert!(attacker.upgrade("").await?.starts_with("HTTP/1.1 101"));
                attacker.write(&head(FINAL | BINARY, 100_000)).await?;
                attacker.write(b"the beginning of a frame").await?;
            }
        }
        half_open.push(attacker);
        if number % 100 == 0 {
            post(&mut alice, &mut bob).await?;
        }
    }
    let mut attack = tokio::spawn(async move {
        join_all(half_open.into_iter().map(RawConnection::read_to_end)).await
    });
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut attack => break ended.expect("no panic"),
            posted = post(&mut alice, &mut bob) => posted?,
        }
    };
    for end in ended {
        end?;
    }
    // Who was let in, and proved it, is there still.
    post(&mut alice, &mut bob).await
}

#[tokio::test]
async fn a_header_that_drips_is_cut_off() -> Result {
    let relay = relay("[listen]\nhandshake_timeout = \"1s\"")?;
    let mut honest = Person::register(relay.address()).await?;
    let mut dripping = RawConnection::open(None, relay.address()).await?;
    dripping.write(b"GET /v1/ws HTTP/1.1\r\nX-Slow: ").await?;
    // A byte for every few answers that somebody else gets: slow, and with no clock of its own.
    let begun = Instant::now();
    while !dripping.has_ended() {
        assert!(begun.elapsed() < PATIENCE, "the drip goes on");
        for _ in 0..20 {
            honest.client.request(Request::Ping(Ping {})).await?;
        }
        if dripping.write(b"a").await.is_err() {
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_talks_but_never_says_who_it_is_is_sent_away() -> Result {
    let relay = relay("[listen]\nhandshake_timeout = \"1s\"")?;
    let (mut client, _) = Client::connect(relay.address()).await?;
    let begun = Instant::now();
    // Pings are answered to anybody, and must not buy time.
    while client.request(Request::Ping(Ping {})).await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "pings keep it open");
    }
    let Some(Body::Closing(closing)) = client.pushed() else {
        panic!("it was not told why");
    };
    assert_eq!(closing.reason(), CloseReason::HandshakeTimeout);
    Ok(())
}

#[tokio::test]
async fn who_said_who_it_is_may_take_its_time() -> Result {
    let relay = relay("[listen]\nhandshake_timeout = \"1s\"")?;
    let (mut anonymous, _) = Client::connect(relay.address()).await?;
    anonymous.anonymous().await?;
    // Gone when the handshake time is over; the anonymous one was there before it.
    let (silent, _) = Client::connect(relay.address()).await?;
    assert!(silent.ended().await?.closing.is_some());
    anonymous.request(Request::Ping(Ping {})).await?;
    Ok(())
}

#[tokio::test]
async fn silence_ends_a_proven_connection_too() -> Result {
    let relay = relay("[listen]\nidle_timeout = \"1s\"")?;
    let silent = Person::register(relay.address()).await?;
    let ending = silent.client.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::IdleTimeout)
    );
    // Half a frame is silence as well.
    let Person { mut client, .. } = Person::register(relay.address()).await?;
    client.write_raw(&head(FINAL | BINARY, 1000)).await?;
    client.write_raw(&[0; 999]).await?;
    let ending = client.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::IdleTimeout)
    );
    Ok(())
}

#[tokio::test]
async fn a_reader_that_never_reads_its_mail_is_cut_and_loses_none() -> Result {
    const MESSAGES: usize = 800;
    let relay = relay("[listen]\nwrite_timeout = \"1s\"")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let before = relay.rss_bytes()?;
    bob.receive(0).await?;
    let ciphertext = vec![7; 60 * 1024];
    for _ in 0..MESSAGES / 50 {
        let mut asked = Vec::new();
        for _ in 0..50 {
            let send = message(random_id()?, vec![bob.identity.recipient(&ciphertext)]);
            asked.push(alice.client.send(Request::Send(send)).await?);
        }
        for id in asked {
            alice.client.answer(id).await?;
        }
    }
    relay
        .until_metric("end of the slow reader", GAUGE, |open| open < 2.0)
        .await?;
    // The journal may hold 32 MiB, and the window as much again.
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(grown < 192 * MIB, "grown by {grown}");
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    assert_eq!(bob.messages_until_caught_up().await?.len(), MESSAGES);
    Ok(())
}

#[tokio::test]
async fn a_follower_that_never_reads_is_cut() -> Result {
    let relay = relay("[listen]\nwrite_timeout = \"1s\"")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut follower = Person::register(relay.address()).await?;
    let key = [9; 32];
    let topics = vec![topic::of_key(&key).to_vec().into()];
    let subscribe = Request::Subscribe(Subscribe { topics });
    follower.client.request(subscribe).await?;
    let before = relay.rss_bytes()?;
    // A backlog of 4096 values is the end of it, or a write that nobody takes.
    for _ in 0..400 {
        let mut asked = Vec::new();
        for _ in 0..100 {
            let publish = Request::Publish(Publish {
                topic_key: key.to_vec().into(),
                value: vec![1; 1024].into(),
                ttl_s: 60,
                last_will: None,
            });
            asked.push(alice.client.send(publish).await?);
        }
        for id in asked {
            alice.client.answer(id).await?;
        }
    }
    relay
        .until_metric("end of the slow follower", GAUGE, |open| open < 2.0)
        .await?;
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(grown < 64 * MIB, "grown by {grown}");
    Ok(())
}

#[tokio::test]
async fn pings_whose_answers_are_never_read_are_not_kept() -> Result {
    const MOST: u64 = 256 * MIB;
    let relay = relay("[listen]\nwrite_timeout = \"1s\"")?;
    let before = relay.rss_bytes()?;
    let mut attacker = RawConnection::open(None, relay.address()).await?;
    attacker.upgrade("").await?;
    let hello = hushpost_relay_tests::raw_frames::filled(
        1,
        Request::Anonymous(Anonymous {
            version: PROTOCOL_VERSION,
        }),
        0,
    );
    attacker.write(&masked(FINAL | BINARY, &hello)).await?;
    let pings = masked(FINAL | PING, &[b'p'; 125]).repeat(1000);
    // Nothing is ever read. Either the relay reads no more, or it ends the connection, or it collects.
    let mut stream = attacker.into_stream();
    let mut written = 0;
    while written < MOST {
        let wrote = timeout(PATIENCE, stream.write_all(&pings))
            .await
            .expect("it neither reads nor ends the connection");
        if wrote.is_err() {
            break;
        }
        written += pings.len() as u64;
    }
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(written < MOST, "all of it was read");
    assert!(grown < 32 * MIB, "grown by {grown}");
    relay
        .until_metric("end of the flood", GAUGE, |open| open < 1.0)
        .await?;
    Person::register(relay.address()).await.map(drop)
}

#[tokio::test]
async fn an_address_has_only_its_places() -> Result {
    let relay = relay("[listen]\nmax_connections_per_address = 10")?;
    let local = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut connection = RawConnection::open(local, relay.address()).await?;
        connection.upgrade("").await?;
        held.push(connection);
    }
    for _ in 0..5 {
        let mut refused = RawConnection::open(local, relay.address()).await?;
        assert!(refused.upgrade("").await.is_err(), "an eleventh place");
    }
    // Others have their own.
    Person::register(relay.address()).await?;
    // And a place that was given up is free again.
    held.pop();
    relay
        .until_metric("a free place", GAUGE, |open| open < 10.0)
        .await?;
    let begun = Instant::now();
    loop {
        let mut again = RawConnection::open(local, relay.address()).await?;
        if again.upgrade("").await.is_ok() {
            return Ok(());
        }
        assert!(begun.elapsed() < PATIENCE, "the place is not given back");
    }
}

#[tokio::test]
async fn giant_handshakes_are_refused_at_once() -> Result {
    let relay = relay("")?;
    let one_giant = format!("X-Giant: {}\r\n", "a".repeat(20 * 1024));
    let many = "X-Many: a\r\n".repeat(2000);
    let protocols = format!("Sec-WebSocket-Protocol: {}\r\n", "a,".repeat(10_000));
    for headers in [one_giant, many, protocols] {
        let mut attacker = RawConnection::open(None, relay.address()).await?;
        match attacker.upgrade(&headers).await {
            Ok(head) => assert!(
                head.starts_with("HTTP/1.1 431") || head.starts_with("HTTP/1.1 400"),
                "{head}"
            ),
            // Closed with something unread is a reset.
            Err(HarnessError::Ended(_) | HarnessError::Io(_)) => {}
            Err(other) => return Err(other),
        }
    }
    // A request line and a header that never end: read until the relay has had enough.
    for beginning in ["GET /", "GET /v1/ws HTTP/1.1\r\nX-Endless: "] {
        let mut attacker = RawConnection::open(None, relay.address()).await?;
        attacker.write(beginning.as_bytes()).await?;
        let mut written = 0;
        while attacker.write(&[b'a'; 4096]).await.is_ok() {
            written += 4096;
            assert!(written < 64 << 20, "it reads on and on");
        }
    }
    // The most that is allowed still works.
    let mut honest = RawConnection::open(None, relay.address()).await?;
    let head = honest
        .upgrade(&format!("X-Large: {}\r\n", "a".repeat(12 * 1024)))
        .await?;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(!relay.log()?.contains("panicked"));
    Ok(())
}
