//! Attacks by malformed, giant and countless frames: rows G2 and G3.
//!
//! Whatever is wrong ends the attacker's connection or is answered with a typed error; nothing is allocated
//! for what was only claimed, and the relay goes on serving.

use bytes::Bytes;
use hushpost_harness::{
    Client, HarnessError, LIMITERS_OFF, RawConnection, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::Person;
use hushpost_relay_tests::every_request::{every_request, pre_keys};
use hushpost_relay_tests::raw_frames::{
    BINARY, CONTINUATION, FINAL, PING, TEXT, filled, head, masked, unmasked,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    ClientFrame, CloseReason, ErrorCode, Ping, Publish, ServerFrame, Subscribe, frame, topic,
};
use tokio_tungstenite::tungstenite::Message;

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const MIB: u64 = 1 << 20;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

fn ping(length: usize) -> Vec<u8> {
    filled(1, Request::Ping(Ping {}), length).to_vec()
}

async fn upgraded(relay: &RelayProcess) -> Result<RawConnection> {
    let mut raw = RawConnection::open(None, relay.address()).await?;
    let head = raw.upgrade("").await?;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    Ok(raw)
}

/// Sends bytes beneath a WebSocket and waits for the end; what the relay said.
async fn broken(relay: &RelayProcess, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut raw = upgraded(relay).await?;
    // A relay that has seen enough closes while there is more.
    match raw.write(bytes).await {
        Ok(()) | Err(HarnessError::Io(_)) => raw.read_to_end().await,
        Err(other) => Err(other),
    }
}

async fn still_serves(relay: &RelayProcess) -> Result {
    let mut honest = Person::register(relay.address()).await?;
    honest.client.request(Request::Ping(Ping {})).await?;
    assert!(!relay.log()?.contains("panicked"), "{}", relay.log()?);
    Ok(())
}

#[tokio::test]
async fn the_largest_frame_is_taken_and_a_byte_more_is_the_end() -> Result {
    let relay = relay()?;
    let (mut client, _) = Client::connect(relay.address()).await?;
    let largest = filled(1, Request::Ping(Ping {}), MAX_FRAME_LEN);
    client.send_bytes(largest).await?;
    // The harness has sent no request 1 itself, so the answer is read raw.
    let Some(Message::Binary(answer)) = client.next_message("answer").await? else {
        panic!("no answer to the largest frame");
    };
    assert!(matches!(
        frame::decode::<ServerFrame>(answer)?.body,
        Some(Body::Ok(_))
    ));

    let over = ping(MAX_FRAME_LEN + 1);
    broken(&relay, &masked(FINAL | BINARY, &over)).await?;
    // The same in two frames of which each alone is fine, and in frames that add up.
    let (first, second) = over.split_at(MAX_FRAME_LEN / 2);
    let two = [masked(BINARY, first), masked(FINAL | CONTINUATION, second)].concat();
    broken(&relay, &two).await?;
    let mut many = masked(BINARY, &[]);
    for chunk in over.chunks(1000) {
        many.extend(masked(CONTINUATION, chunk));
    }
    broken(&relay, &many).await?;
    still_serves(&relay).await
}

#[tokio::test]
async fn a_claimed_length_costs_nothing() -> Result {
    let relay = relay()?;
    let before = relay.rss_bytes()?;
    for length in [
        MAX_FRAME_LEN as u64 + 1,
        1 << 31,
        u64::from(u32::MAX),
        1 << 62,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX,
    ] {
        for first in [FINAL | BINARY, BINARY, FINAL | TEXT, FINAL | PING] {
            broken(&relay, &head(first, length)).await?;
        }
    }
    // Two hundred that claim the most that is allowed, and wait.
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut raw = upgraded(&relay).await?;
        raw.write(&head(FINAL | BINARY, MAX_FRAME_LEN as u64))
            .await?;
        waiting.push(raw);
    }
    still_serves(&relay).await?;
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(grown < 96 * MIB, "grown by {grown}");
    Ok(())
}

#[tokio::test]
async fn a_million_empty_fragments_are_not_collected() -> Result {
    let relay = relay()?;
    let before = relay.rss_bytes()?;
    let mut raw = upgraded(&relay).await?;
    raw.write(&masked(BINARY, &[])).await?;
    let fragments = masked(CONTINUATION, &[]).repeat(10_000);
    for _ in 0..100 {
        raw.write(&fragments).await?;
    }
    raw.write(&masked(FINAL | CONTINUATION, &ping(0))).await?;
    // They were one message all along; its answer comes behind the welcome.
    let ok = frame::encode(&ServerFrame {
        id: 1,
        body: Some(Body::Ok(hushpost_wire::Ok {})),
    });
    raw.read_until(&ok).await?;
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(grown < 32 * MIB, "grown by {grown}");
    still_serves(&relay).await
}

#[tokio::test]
async fn a_message_in_fragments_of_a_byte_is_one_message() -> Result {
    let relay = relay()?;
    let mut raw = upgraded(&relay).await?;
    let message = ping(64 * 1024);
    let mut bytes = masked(BINARY, &[]);
    for byte in &message {
        bytes.extend(masked(CONTINUATION, &[*byte]));
    }
    // Control frames may stand between fragments.
    bytes.extend(masked(FINAL | PING, b"between"));
    bytes.extend(masked(FINAL | CONTINUATION, &[]));
    raw.write(&bytes).await?;
    raw.read_until(b"between").await?;
    let ok = frame::encode(&ServerFrame {
        id: 1,
        body: Some(Body::Ok(hushpost_wire::Ok {})),
    });
    raw.read_until(&ok).await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_pings_is_the_end_of_the_connection() -> Result {
    let relay = RelayOptions::default()
        .config("[limits.rate]\nrequests_per_connection = { burst = 100, per_minute = 60, when_full = \"closed\" }")
        .start()?;
    let flood = masked(FINAL | PING, b"x").repeat(5000);
    let said = broken(&relay, &flood).await?;
    // Never answered more often than the limit, plus what was earned while it was read.
    let pongs = said
        .windows(3)
        .filter(|bytes| *bytes == [0x8a, 1, b'x'])
        .count();
    assert!((1..200).contains(&pongs), "{pongs} pongs");
    // Pongs that nobody asked for count as well.
    broken(&relay, &masked(FINAL | 0x0a, b"x").repeat(5000)).await?;
    still_serves(&relay).await
}

#[tokio::test]
async fn what_breaks_the_websocket_ends_it() -> Result {
    let relay = relay()?;
    let ping_frame = ping(0);
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        (
            "unmasked binary".into(),
            unmasked(FINAL | BINARY, &ping_frame),
        ),
        ("unmasked ping".into(), unmasked(FINAL | PING, b"x")),
        (
            "a continuation of nothing".into(),
            masked(FINAL | CONTINUATION, &ping_frame),
        ),
        (
            "a message within a message".into(),
            [masked(BINARY, b"x"), masked(FINAL | BINARY, &ping_frame)].concat(),
        ),
        ("a ping in fragments".into(), masked(PING, b"x")),
        ("a long ping".into(), masked(FINAL | PING, &[b'x'; 126])),
        ("a close code of one byte".into(), masked(FINAL | 8, &[3])),
        (
            "a close code that may not be sent".into(),
            masked(FINAL | 8, &1005u16.to_be_bytes()),
        ),
        (
            "a close reason that is not text".into(),
            masked(FINAL | 8, &[0x03, 0xe8, 0xff, 0xfe]),
        ),
        (
            "text that is not text".into(),
            masked(FINAL | TEXT, &[0xff, 0xfe]),
        ),
        ("HTTP again".into(), b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for opcode in (3..=7).chain(11..=15) {
        let bytes = masked(FINAL | opcode, b"x");
        cases.push((format!("reserved opcode {opcode}"), bytes));
    }
    for bit in [0x40, 0x20, 0x10] {
        // 0x40 is how a compressed message begins: nobody agreed on compression.
        let bytes = masked(FINAL | bit | BINARY, &ping_frame);
        cases.push((format!("reserved bit {bit:#x}"), bytes));
    }
    let ok = frame::encode(&ServerFrame {
        id: 1,
        body: Some(Body::Ok(hushpost_wire::Ok {})),
    });
    for (name, bytes) in cases {
        let said = broken(&relay, &bytes).await?;
        let answered = said.windows(ok.len()).any(|part| part == ok);
        assert!(!answered, "{name} was taken for a request");
    }
    still_serves(&relay).await
}

#[tokio::test]
async fn what_is_no_frame_is_a_violation_and_says_so() -> Result {
    let relay = relay()?;
    let no_id = frame::encode(&ClientFrame {
        id: 0,
        request: Some(Request::Ping(Ping {})),
    });
    let valid = frame::encode(&ClientFrame {
        id: 1,
        request: Some(Request::UploadPreKeys(pre_keys(1, 1))),
    });
    let cut = valid.slice(..valid.len() - 1);
    let messages = [
        Message::text("{\"hello\":1}"),
        Message::text(""),
        Message::Binary(Vec::new().into()),
        Message::Binary(no_id),
        Message::Binary(cut),
        Message::Binary(vec![0xff; 1000].into()),
        // Nested groups, which have long been out of use.
        Message::Binary(vec![0x0b; 100_000].into()),
    ];
    for message in messages {
        let (mut client, _) = Client::connect(relay.address()).await?;
        client.send_message(message).await?;
        let ending = client.ended().await?;
        assert_eq!(
            ending.closing.map(|closing| closing.reason()),
            Some(CloseReason::ProtocolViolation)
        );
    }
    still_serves(&relay).await
}

#[tokio::test]
async fn every_prefix_and_flipped_byte_of_every_request_is_survived() -> Result {
    let relay = relay()?;
    let target = Person::register(relay.address()).await?;
    for (name, _, request) in every_request(&target.identity) {
        let whole = frame::encode(&ClientFrame {
            id: 1,
            request: Some(request),
        });
        let step = whole.len().div_ceil(40);
        for place in (0..whole.len()).step_by(step) {
            let mut flipped = whole.to_vec();
            flipped[place] ^= 0x81;
            for bytes in [whole.slice(..place).to_vec(), flipped] {
                let mut client = Person::register(relay.address()).await?.client;
                client.send_bytes(bytes).await?;
                // An answer or the end, and never silence.
                let mut heard = client.next_message(name).await?;
                while let Some(Message::Binary(bytes)) = heard {
                    let said = frame::decode::<ServerFrame>(bytes)?;
                    if said.id != 0 || matches!(said.body, Some(Body::Closing(_))) {
                        break;
                    }
                    heard = client.next_message(name).await?;
                }
            }
        }
    }
    still_serves(&relay).await
}

#[tokio::test]
async fn a_request_of_a_later_version_is_unsupported_and_no_more() -> Result {
    let relay = relay()?;
    let (mut client, _) = Client::connect(relay.address()).await?;
    // Id 9, field 70 with nothing in it.
    client.send_bytes(vec![0x08, 9, 0xb2, 0x04, 0]).await?;
    let Some(Message::Binary(bytes)) = client.next_message("refusal").await? else {
        panic!("no answer");
    };
    let said = frame::decode::<ServerFrame>(bytes)?;
    assert_eq!(said.id, 9);
    let Some(Body::Error(error)) = said.body else {
        panic!("no error");
    };
    assert_eq!(error.code(), ErrorCode::Unsupported);
    client.anonymous().await
}

#[tokio::test]
async fn compression_is_never_agreed_on() -> Result {
    let relay = relay()?;
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate, permessage-bzip2",
    ] {
        let mut raw = RawConnection::open(None, relay.address()).await?;
        let head = raw
            .upgrade(&format!(
                "Sec-WebSocket-Extensions: {offer}\r\nAccept-Encoding: gzip\r\n"
            ))
            .await?
            .to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        assert!(!head.contains("extensions"), "{head}");
        assert!(!head.contains("deflate"), "{head}");
        // And what is sent compressed all the same ends it.
        raw.write(&masked(FINAL | 0x40 | BINARY, &[0x4b, 0x04, 0]))
            .await?;
        raw.read_to_end().await?;
    }
    still_serves(&relay).await
}

#[tokio::test]
async fn no_answer_is_longer_than_a_frame_may_be() -> Result {
    const TOPICS: u16 = 600;
    let relay = relay()?;
    let mut owner = Person::register(relay.address()).await?;
    let mut topics = std::collections::HashSet::new();
    for number in 0..TOPICS {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        topics.insert(Bytes::from(topic::of_key(&key).to_vec()));
        let publish = Request::Publish(Publish {
            topic_key: key.to_vec().into(),
            value: vec![1; 1024].into(),
            ttl_s: 3600,
            last_will: None,
        });
        owner.client.request(publish).await?;
    }
    // All values together are more than twice the most; what is over comes as pushes before the answer.
    let mut follower = Person::register(relay.address()).await?;
    let subscribe = Request::Subscribe(Subscribe {
        topics: topics.iter().cloned().collect(),
    });
    let mut said = vec![follower.client.request(subscribe).await?];
    while let Some(push) = follower.client.pushed() {
        said.push(push);
    }
    for body in said {
        let Body::PresenceValues(values) = body else {
            panic!("values");
        };
        for value in values.values {
            assert!(value.value.len() == 1024 && topics.remove(&value.topic));
        }
    }
    assert!(topics.is_empty());
    Ok(())
}
