//! Asking and being answered.

use std::time::Duration;

use futures_util::FutureExt as _;
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CaughtUp, ErrorCode, NameLookedUp, Ping};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::scripted_relay::{ask, connected, delivery, name_of, sequence_of};
use crate::connection::{MAX_IN_FLIGHT, RequestError};

fn found(account: u8) -> Body {
    Body::NameLookedUp(NameLookedUp {
        account: vec![account; 16].into(),
        ..NameLookedUp::default()
    })
}

fn account_of(answer: Result<Body, RequestError>) -> u8 {
    match answer {
        Ok(Body::NameLookedUp(found)) => found.account.first().copied().unwrap(),
        _ => panic!("not what was asked"),
    }
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_requests_and_pushes_keep_their_order() {
    let (link, mut pushes, mut relay) = connected().await;
    let (one, two) = (link.start(ask("one")), link.start(ask("two")));
    let (first, _) = relay.next().await;
    let (second, _) = relay.next().await;
    relay.push(delivery(1, 10)).await;
    relay.say(second, found(2)).await;
    relay.push(delivery(2, 10)).await;
    relay.say(first, found(1)).await;
    relay.push(Body::CaughtUp(CaughtUp::default())).await;
    assert_eq!(account_of(one.await), 1);
    assert_eq!(account_of(two.await), 2);
    assert_eq!(sequence_of(&pushes.next().await.unwrap()), 1);
    assert_eq!(sequence_of(&pushes.next().await.unwrap()), 2);
    assert!(matches!(pushes.next().await, Some(Body::CaughtUp(_))));
}

#[tokio::test(start_paused = true)]
async fn requests_leave_in_the_order_in_which_they_were_started() {
    let (link, _pushes, mut relay) = connected().await;
    let answers: Vec<_> = (0..200).map(|i| link.start(ask(i.to_string()))).collect();
    let mut ids = Vec::new();
    for i in 0..200 {
        let (id, request) = relay.next().await;
        assert_eq!(name_of(&request), i.to_string());
        ids.push(id);
    }
    for id in ids.into_iter().rev() {
        relay.say(id, found(3)).await;
    }
    for answer in answers {
        assert_eq!(account_of(answer.await), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_typed_and_the_link_goes_on() {
    let (link, _pushes, mut relay) = connected().await;
    let answer = link.start(ask("one"));
    let (id, _) = relay.next().await;
    let refusal = ErrorCode::RateLimited
        .because("slow\ndown")
        .retry_after(1500);
    relay.say(id, Body::Error(refusal)).await;
    let expected = RequestError::Refused {
        code: ErrorCode::RateLimited,
        message: "slowdown".to_owned(),
        retryable: true,
        retry_after: Some(Duration::from_millis(1500)),
    };
    assert_eq!(answer.await.err(), Some(expected));
    let answer = link.start(ask("two"));
    let (id, _) = relay.next().await;
    relay.say(id, found(2)).await;
    assert_eq!(account_of(answer.await), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_request_loses_nothing_else() {
    let (link, _pushes, mut relay) = connected().await;
    let dropped = link.start(ask("dropped"));
    let mut abandoned = Box::pin(link.request(ask("abandoned")));
    assert!(abandoned.as_mut().now_or_never().is_none());
    let kept = link.start(ask("kept"));
    drop((dropped, abandoned));
    for (name, account) in [("dropped", 1), ("abandoned", 2), ("kept", 3)] {
        let (id, request) = relay.next().await;
        assert_eq!(name_of(&request), name);
        relay.say(id, found(account)).await;
    }
    assert_eq!(account_of(kept.await), 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_later_version_says_is_no_error() {
    let (link, mut pushes, mut relay) = connected().await;
    let answer = link.start(ask("one"));
    let (id, _) = relay.next().await;
    // Field 1000 of length 3, as a push; then as the answer (id 1); then an answer to nothing.
    relay
        .send(Message::binary(vec![0xc2, 0x3e, 3, 1, 2, 3]))
        .await;
    relay.done(77).await;
    assert_eq!(id, 1);
    relay
        .send(Message::binary(vec![8, 1, 0xc2, 0x3e, 3, 1, 2, 3]))
        .await;
    assert_eq!(answer.await.err(), Some(RequestError::Unexpected));
    // Twice the same answer.
    relay.done(id).await;
    relay.push(delivery(5, 1)).await;
    assert_eq!(sequence_of(&pushes.next().await.unwrap()), 5);
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn only_so_many_requests_are_on_their_way() {
    let (link, _pushes, mut relay) = connected().await;
    let mut answers: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| link.start(ask("x"))).collect();
    let one_more = link.start(ask("y"));
    assert_eq!(one_more.await.err(), Some(RequestError::Busy));
    let waiting = link.request(ask("patient"));
    let relaying = async {
        let mut ids = Vec::new();
        for _ in 0..MAX_IN_FLIGHT {
            ids.push(relay.next().await.0);
        }
        // The first answer makes room.
        relay.say(ids.remove(0), found(1)).await;
        let (id, request) = relay.next().await;
        assert_eq!(name_of(&request), "patient");
        relay.say(id, found(2)).await;
        ids
    };
    let (patient, ids) = tokio::join!(waiting, relaying);
    assert_eq!(account_of(patient), 2);
    assert_eq!(account_of(answers.remove(0).await), 1);
    // What is dropped still counts until the relay has done it.
    drop(answers);
    assert_eq!(ids.len(), MAX_IN_FLIGHT - 1);
    let last = link.start(ask("room for one"));
    assert_eq!(link.start(ask("z")).await.err(), Some(RequestError::Busy));
    drop(last);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_times_out_and_the_link_goes_on() {
    let (link, _pushes, mut relay) = connected().await;
    let relaying = tokio::spawn(async move {
        while let Some((id, request)) = relay.next_if_any().await {
            if matches!(request, Request::Ping(_)) || name_of(&request) == "later" {
                relay.done(id).await;
            }
        }
    });
    let start = Instant::now();
    let answer = link.request(ask("never")).await;
    assert_eq!(answer.err(), Some(RequestError::Timeout));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(link.request(ask("later")).await.is_ok());
    drop(link);
    relaying.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_a_frame_is_not_sent() {
    let (link, _pushes, mut relay) = connected().await;
    let giant = link.request(ask("x".repeat(MAX_FRAME_LEN))).await;
    assert_eq!(giant.err(), Some(RequestError::TooLarge));
    // The largest that does: the name's, the request's and the id's tags and lengths are beside it.
    let largest = link.start(ask("x".repeat(MAX_FRAME_LEN - 20)));
    let (id, request) = relay.next().await;
    assert_eq!(name_of(&request).len(), MAX_FRAME_LEN - 20);
    relay.say(id, found(1)).await;
    assert_eq!(account_of(largest.await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_given_up_closes() {
    let (link, mut pushes, mut relay) = connected().await;
    let other = link.clone();
    let pending = link.start(Request::Ping(Ping {}));
    drop(link);
    let (id, _) = relay.next().await;
    relay.done(id).await;
    assert!(pending.await.is_ok());
    drop(other);
    assert!(relay.next_if_any().await.is_none());
    assert!(pushes.next().await.is_none());
}
