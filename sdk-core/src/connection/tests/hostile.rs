//! Relays that send what they must not, or more than is taken.

use std::time::Duration;

use futures_util::SinkExt as _;
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Deliveries, Delivery, Ephemeral, Ping, ServerFrame, frame};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::scripted_relay::{ask, connected, delivery, sequence_of};
use crate::connection::{LinkError, RequestError};

const LARGE: usize = 200_000;

async fn ends_with(message: Message, error: LinkError) {
    let (link, mut pushes, mut relay) = connected().await;
    let pending = link.start(ask("one"));
    relay.next().await;
    // The link may be gone before all of it was taken.
    drop(relay.socket.send(message).await);
    assert_eq!(link.closed().await.error, Some(error));
    assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
    assert!(pushes.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_frame_ends_the_link() {
    ends_with(Message::binary(vec![0xff; 20]), LinkError::Malformed).await;
    ends_with(Message::text("hello"), LinkError::Malformed).await;
    let giant = Message::binary(vec![0; MAX_FRAME_LEN + 1]);
    ends_with(giant, LinkError::TooLarge).await;
}

#[tokio::test(start_paused = true)]
async fn a_giant_in_pieces_or_only_announced_is_refused_too() {
    let (link, _pushes, mut relay) = connected().await;
    // A binary message that says it has 2^62 bytes.
    let mut head = vec![0x82, 127];
    head.extend((1_u64 << 62).to_be_bytes());
    relay.socket.get_mut().write_all(&head).await.unwrap();
    assert_eq!(link.closed().await.error, Some(LinkError::TooLarge));

    let (link, _pushes, mut relay) = connected().await;
    let piece = |first: u8| {
        let mut piece = vec![first, 127];
        piece.extend(200_000_u64.to_be_bytes());
        piece.resize(piece.len() + 200_000, 0);
        piece
    };
    let bytes = [piece(0x02), piece(0x00)].concat();
    drop(relay.socket.get_mut().write_all(&bytes).await);
    assert_eq!(link.closed().await.error, Some(LinkError::TooLarge));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_websocket_ends_the_link() {
    let (link, _pushes, mut relay) = connected().await;
    // Reserved bits, reserved operation.
    relay.socket.get_mut().write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(link.closed().await.error, Some(LinkError::WebSocket));
}

#[tokio::test(start_paused = true)]
async fn reading_waits_for_who_takes_the_pushes() {
    const COUNT: u64 = 100;
    let (link, mut pushes, mut relay) = connected().await;
    let mut relaying = tokio::spawn(async move {
        for sequence in 1..=COUNT {
            relay.push(delivery(sequence, LARGE)).await;
        }
        relay
    });
    // Nobody takes, nobody asks: the relay cannot go on.
    let waited = timeout(Duration::from_secs(20), &mut relaying).await;
    assert!(waited.is_err());
    for sequence in 1..=COUNT {
        assert_eq!(sequence_of(&pushes.next().await.unwrap()), sequence);
    }
    let mut relay = relaying.await.unwrap();
    let answer = link.start(ask("still there"));
    let (id, _) = relay.next().await;
    relay.done(id).await;
    assert!(answer.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_awaits_an_answer_behind_pushes_gets_it() {
    let (link, mut pushes, mut relay) = connected().await;
    let relaying = tokio::spawn(async move {
        // Two thirds of what may be pushed: more than "enough" many times over.
        for sequence in 1..=40 {
            relay.push(delivery(sequence, LARGE)).await;
        }
        let (id, _) = relay.next().await;
        relay.push(delivery(41, LARGE)).await;
        relay.push(Body::Ephemeral(Ephemeral::default())).await;
        relay.done(id).await;
        relay
    });
    // Takes no push before it has its answer.
    assert!(link.request(Request::Ping(Ping {})).await.is_ok());
    for sequence in 1..=41 {
        assert_eq!(sequence_of(&pushes.next().await.unwrap()), sequence);
    }
    // What is not stored fell, because so much waited.
    let mut relay = relaying.await.unwrap();
    relay.push(delivery(42, 1)).await;
    assert_eq!(sequence_of(&pushes.next().await.unwrap()), 42);
    relay.push(Body::Ephemeral(Ephemeral::default())).await;
    assert!(matches!(pushes.next().await, Some(Body::Ephemeral(_))));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_pushes_without_end_is_left() {
    let (link, mut pushes, mut relay) = connected().await;
    // Awaited for ever, so reading never waits.
    let pending = link.start(ask("never answered"));
    relay.next().await;
    let relaying = tokio::spawn(async move {
        let frame = |sequence| ServerFrame {
            id: 0,
            body: Some(delivery(sequence, LARGE)),
        };
        let mut sent = 0;
        while relay
            .socket
            .send(Message::Binary(frame::encode(&frame(sent))))
            .await
            .is_ok()
        {
            sent += 1;
        }
        sent
    });
    assert_eq!(link.closed().await.error, Some(LinkError::Overrun));
    assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
    let mut held = 0;
    while pushes.next().await.is_some() {
        held += LARGE;
    }
    // 4 MiB and two windows of 64 messages of 64 KiB.
    assert!(held > 12_000_000 && held < 13_000_000, "{held}");
    assert!(relaying.await.unwrap() < 80);
}

#[tokio::test(start_paused = true)]
async fn many_empty_messages_in_small_frames_are_too_many() {
    let (link, _pushes, mut relay) = connected().await;
    let pending = link.start(ask("never answered"));
    relay.next().await;
    // 100 kB on the wire, a hundred times that in memory.
    let flood = Body::Deliveries(Deliveries {
        deliveries: vec![Delivery::default(); 50_000],
    });
    for _ in 0..5 {
        let frame = ServerFrame {
            id: 0,
            body: Some(flood.clone()),
        };
        let sent = relay.socket.send(Message::Binary(frame::encode(&frame)));
        if sent.await.is_err() {
            break;
        }
    }
    assert_eq!(link.closed().await.error, Some(LinkError::Overrun));
    drop(pending);
}

#[tokio::test(start_paused = true)]
async fn who_drops_the_pushes_keeps_the_link() {
    let (link, pushes, mut relay) = connected().await;
    drop(pushes);
    for sequence in 0..200 {
        relay.push(delivery(sequence, LARGE)).await;
    }
    let answer = link.start(ask("one"));
    let (id, _) = relay.next().await;
    relay.done(id).await;
    assert!(answer.await.is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever binary messages come, the link answers or ends with a reason.
    #[test]
    fn any_frames_at_all(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
        plausible in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (link, _pushes, mut relay) = connected().await;
            for mut message in messages {
                if plausible {
                    // An id, a field that frames have, the right length.
                    let len = u8::try_from(message.len()).unwrap();
                    let field = [0x12, 0x1a, 0x52, 0x5a, 0x92][usize::from(len) % 5];
                    let head = [0x08, len % 3, field, len];
                    message.splice(0..0, head);
                }
                if relay.socket.send(Message::binary(message)).await.is_err() {
                    break;
                }
            }
            let answer = link.start(ask("one"));
            let relaying = async {
                while let Some((id, _)) = relay.next_if_any().await {
                    relay.done(id).await;
                }
            };
            tokio::select! {
                answered = answer => {
                    assert!(answered.is_ok() || answered.is_err_and(|error| error != RequestError::Timeout));
                }
                () = relaying => {
                    let ending = link.closed().await;
                    assert!(ending.error.is_some() || ending.reason.is_some());
                }
            }
        });
    }
}
