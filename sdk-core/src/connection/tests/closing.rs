//! How links end.

use std::io::ErrorKind;
use std::time::Duration;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CloseReason, Closing};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use super::scripted_relay::{ask, connected, connected_over, delivery, sequence_of};
use crate::connection::{Ending, LinkError, RequestError};

#[tokio::test(start_paused = true)]
async fn the_relay_says_why() {
    for (reason, after) in [
        (CloseReason::Replaced, 0),
        (CloseReason::Draining, 4_000),
        (CloseReason::Unspecified, u64::MAX),
        (CloseReason::AccountBlocked, 1),
    ] {
        let (link, mut pushes, mut relay) = connected().await;
        let pending = link.start(ask("never answered"));
        relay.push(delivery(1, 5)).await;
        let closing = Closing {
            reason: reason.into(),
            reconnect_after_ms: after,
        };
        relay.push(Body::Closing(closing)).await;
        relay.socket.close(None).await.unwrap();
        let expected = Ending {
            reason: Some(reason),
            reconnect_after: (after != 0).then(|| Duration::from_millis(after)),
            error: None,
        };
        tokio::join!(
            async { while relay.next_if_any().await.is_some() {} },
            async {
                assert_eq!(link.closed().await, expected);
            }
        );
        assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
        assert_eq!(sequence_of(&pushes.next().await.unwrap()), 1);
        assert!(pushes.next().await.is_none());
        assert!(link.is_closed());
        let late = link.request(ask("late")).await;
        assert_eq!(late.err(), Some(RequestError::Disconnected));
        // Again, and from another handle.
        assert_eq!(link.clone().closed().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_says_why_and_then_hangs_is_left() {
    let (link, _pushes, mut relay) = connected().await;
    let start = Instant::now();
    let closing = Closing {
        reason: CloseReason::IdleTimeout.into(),
        ..Closing::default()
    };
    relay.push(Body::Closing(closing)).await;
    let ending = link.closed().await;
    assert_eq!(ending.reason, Some(CloseReason::IdleTimeout));
    assert_eq!(ending.error, None);
    assert!(start.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn closing_in_order_without_a_word_is_no_error() {
    let (link, _pushes, mut relay) = connected().await;
    relay.socket.close(None).await.unwrap();
    let (ending, ()) = tokio::join!(link.closed(), async {
        while relay.next_if_any().await.is_some() {}
        drop(relay);
    });
    assert_eq!((ending.reason, ending.error), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_just_ends_is_an_error() {
    let (link, mut pushes, relay) = connected().await;
    let pending = link.start(ask("one"));
    drop(relay);
    let ending = link.closed().await;
    assert_eq!(ending.reason, None);
    assert!(
        matches!(
            ending.error,
            Some(LinkError::Stream(
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ))
        ),
        "{ending:?}"
    );
    assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
    assert!(pushes.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_silent_relay_is_left() {
    let (link, _pushes, relay) = connected().await;
    let start = Instant::now();
    let ending = link.closed().await;
    assert_eq!(ending.error, Some(LinkError::Silent));
    // A third of the relay's 90 seconds, and 20 to answer.
    assert_eq!(start.elapsed().as_secs(), 50);
    drop(relay);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_answers_is_kept() {
    let (link, _pushes, mut relay) = connected().await;
    let start = Instant::now();
    for _ in 0..50 {
        let (id, request) = relay.next().await;
        assert!(matches!(request, Request::Ping(_)));
        sleep(Duration::from_secs(19)).await;
        relay.done(id).await;
    }
    assert!(start.elapsed() > Duration::from_secs(50 * 30));
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_is_not_a_silent_relay() {
    let (link, mut pushes, mut relay) = connected().await;
    let (ping, _) = relay.next().await;
    // A binary message of 4 bytes, a byte now and then: a push with an unknown field, and then the answer.
    for byte in [0x82, 4, 0xc2, 0x3e, 1, 0] {
        sleep(Duration::from_secs(9)).await;
        relay.socket.get_mut().write_all(&[byte]).await.unwrap();
    }
    relay.done(ping).await;
    relay.push(delivery(1, 1)).await;
    assert_eq!(sequence_of(&pushes.next().await.unwrap()), 1);
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_takes_nothing_is_left() {
    let (link, _pushes, relay) = connected_over(1024).await;
    let start = Instant::now();
    let pending = link.start(ask("x".repeat(100_000)));
    assert_eq!(link.closed().await.error, Some(LinkError::Stuck));
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
    drop(relay);
}

#[tokio::test(start_paused = true)]
async fn what_the_relay_said_last_counts_though_writing_failed_first() {
    let (link, _pushes, mut relay) = connected().await;
    let closing = Closing {
        reason: CloseReason::SlowReader.into(),
        ..Closing::default()
    };
    relay.push(Body::Closing(closing)).await;
    // Not in order: the stream is just dropped, with a request on its way.
    drop(relay);
    let pending = link.start(ask("one"));
    let ending = link.closed().await;
    assert_eq!(ending.reason, Some(CloseReason::SlowReader));
    assert_eq!(ending.error, None);
    assert_eq!(pending.await.err(), Some(RequestError::Disconnected));
}
