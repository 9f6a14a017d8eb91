//! Presence through a real relay: opaque topics, sealed values, and a last will that comes true however a
//! connection ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::Person;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    ErrorCode, LastWill, Ping, PresenceValue, Publish, Subscribe, Unsubscribe, topic,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const KEY: [u8; 32] = [3; 32];
const DAY_S: u32 = 24 * 3600;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

async fn anonymous(relay: &RelayProcess) -> Result<Client> {
    let (mut client, _) = Client::connect(relay.address()).await?;
    client.anonymous().await?;
    Ok(client)
}

fn publish(value: &[u8], ttl_s: u32) -> Publish {
    Publish {
        topic_key: KEY.to_vec().into(),
        value: value.to_vec().into(),
        ttl_s,
        last_will: None,
    }
}

fn with_will(value: &[u8], will: &[u8]) -> Request {
    Request::Publish(Publish {
        last_will: Some(LastWill {
            value: will.to_vec().into(),
            ttl_s: 60,
        }),
        ..publish(value, 60)
    })
}

fn value(value: &[u8]) -> PresenceValue {
    PresenceValue {
        topic: topic::of_key(&KEY).to_vec().into(),
        value: value.to_vec().into(),
    }
}

/// Follows the topic; the values it has now.
async fn follow(client: &mut Client) -> Result<Vec<PresenceValue>> {
    let topics = vec![topic::of_key(&KEY).to_vec().into()];
    match client
        .request(Request::Subscribe(Subscribe { topics }))
        .await?
    {
        Body::PresenceValues(values) => Ok(values.values),
        _ => Err(HarnessError::Unexpected("presence values")),
    }
}

async fn next(client: &mut Client) -> Result<Vec<PresenceValue>> {
    match client.next_push().await? {
        Body::PresenceValues(values) => Ok(values.values),
        _ => Err(HarnessError::Unexpected("presence values")),
    }
}

#[tokio::test]
async fn followers_get_the_last_value_and_every_change() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let (mut early, mut late) = (anonymous(&relay).await?, anonymous(&relay).await?);
    assert_eq!(follow(&mut early).await?, []);
    for text in [b"online".as_slice(), b"busy"] {
        alice
            .client
            .request(Request::Publish(publish(text, 60)))
            .await?;
        assert_eq!(next(&mut early).await?, [value(text)]);
    }
    assert_eq!(follow(&mut late).await?, [value(b"busy")]);
    // Following twice is following once.
    assert_eq!(follow(&mut late).await?, [value(b"busy")]);

    // Forgotten: followers see an empty value, new ones nothing.
    alice
        .client
        .request(Request::Publish(publish(b"", 60)))
        .await?;
    for follower in [&mut early, &mut late] {
        assert_eq!(next(follower).await?, [value(b"")]);
    }
    assert_eq!(follow(&mut anonymous(&relay).await?).await?, []);

    let topics = vec![topic::of_key(&KEY).to_vec().into()];
    early
        .request(Request::Unsubscribe(Unsubscribe { topics }))
        .await?;
    alice
        .client
        .request(Request::Publish(publish(b"back", 60)))
        .await?;
    assert_eq!(next(&mut late).await?, [value(b"back")]);
    // What was pushed before the answer to this would be here.
    early.request(Request::Ping(Ping {})).await?;
    assert!(early.pushed().is_none());
    Ok(())
}

#[tokio::test]
async fn the_last_will_comes_true_however_the_connection_ends() -> Result {
    let mut relay = relay()?;
    let mut follower = anonymous(&relay).await?;
    follow(&mut follower).await?;

    let mut closes = Person::register(relay.address()).await?;
    closes.client.request(with_will(b"online", b"seen")).await?;
    assert_eq!(next(&mut follower).await?, [value(b"online")]);
    closes.client.close().await?;
    assert_eq!(next(&mut follower).await?, [value(b"seen")]);

    // The socket goes without a word.
    closes.client = Client::connect_as(relay.address(), &closes.identity, 1)
        .await?
        .0;
    closes.client.request(with_will(b"again", b"gone")).await?;
    assert_eq!(next(&mut follower).await?, [value(b"again")]);
    drop(closes.client);
    assert_eq!(next(&mut follower).await?, [value(b"gone")]);

    // Taken back before the end: nothing is published then.
    let mut tidy = anonymous(&relay).await?;
    tidy.request(with_will(b"third", b"never")).await?;
    tidy.request(Request::Publish(publish(b"fourth", 60)))
        .await?;
    tidy.close().await?;
    // Another one's end comes after it.
    let mut last = anonymous(&relay).await?;
    last.request(with_will(b"fifth", b"sixth")).await?;
    last.close().await?;
    for text in [b"third".as_slice(), b"fourth", b"fifth", b"sixth"] {
        assert_eq!(next(&mut follower).await?, [value(text)]);
    }

    // The relay itself ends: a will that lasts is there when it is back.
    let mut lasting = anonymous(&relay).await?;
    let mut request = publish(b"online", 60);
    request.last_will = Some(LastWill {
        value: Bytes::from_static(b"last seen"),
        ttl_s: DAY_S,
    });
    lasting.request(Request::Publish(request)).await?;
    let leaving = tokio::spawn(lasting.ended());
    let other = tokio::spawn(follower.ended());
    assert!(relay.terminate()?.success());
    leaving.await.expect("not cancelled")?;
    other.await.expect("not cancelled")?;
    relay.restart()?;
    let mut back = anonymous(&relay).await?;
    assert_eq!(follow(&mut back).await?, [value(b"last seen")]);
    Ok(())
}

#[tokio::test]
async fn the_will_of_an_older_connection_does_not_undo_what_a_newer_one_said() -> Result {
    let relay = relay()?;
    let mut follower = anonymous(&relay).await?;
    follow(&mut follower).await?;
    // A phone that changes networks: the relay hears of the new connection before the old one ends.
    let Person {
        identity,
        client: mut older,
    } = Person::register(relay.address()).await?;
    older.request(with_will(b"online", b"offline")).await?;
    let (mut newer, _) = Client::connect_as(relay.address(), &identity, 1).await?;
    newer
        .request(with_will(b"online again", b"offline"))
        .await?;
    older.ended().await?;
    // Only now is the older one's end behind us: its connection is gone from the figures.
    while relay.metric("hushpost_connections").await? > 2.0 {}
    newer
        .request(Request::Publish(publish(b"still here", 60)))
        .await?;
    for text in [b"online".as_slice(), b"online again", b"still here"] {
        assert_eq!(next(&mut follower).await?, [value(text)]);
    }
    Ok(())
}

#[tokio::test]
async fn a_value_ends_with_its_time_and_one_that_lasts_outlives_the_process() -> Result {
    let mut relay = relay()?;
    let mut alice = anonymous(&relay).await?;
    let mut follower = anonymous(&relay).await?;
    follow(&mut follower).await?;
    // The shortest there is: 0 counts as 1.
    alice
        .request(Request::Publish(publish(b"a moment", 0)))
        .await?;
    assert_eq!(next(&mut follower).await?, [value(b"a moment")]);
    assert_eq!(next(&mut follower).await?, [value(b"")]);
    assert_eq!(follow(&mut anonymous(&relay).await?).await?, []);

    // Last seen, then online: who comes now sees online; after a power cut, last seen.
    for (text, ttl_s) in [(b"last seen".as_slice(), DAY_S), (b"online", 70)] {
        alice
            .request(Request::Publish(publish(text, ttl_s)))
            .await?;
    }
    assert_eq!(
        follow(&mut anonymous(&relay).await?).await?,
        [value(b"online")]
    );
    relay.kill()?;
    relay.restart()?;
    let mut follower = anonymous(&relay).await?;
    assert_eq!(follow(&mut follower).await?, [value(b"last seen")]);

    // Forgotten is forgotten, on disk too.
    let mut alice = anonymous(&relay).await?;
    alice.request(Request::Publish(publish(b"", 1))).await?;
    relay.kill()?;
    relay.restart()?;
    assert_eq!(follow(&mut anonymous(&relay).await?).await?, []);
    Ok(())
}

#[tokio::test]
async fn who_knows_the_topic_alone_cannot_publish() -> Result {
    let relay = relay()?;
    let mut alice = anonymous(&relay).await?;
    let mut mallory = anonymous(&relay).await?;
    let mut follower = anonymous(&relay).await?;
    follow(&mut follower).await?;
    let known = topic::of_key(&KEY);
    let forged = Publish {
        topic_key: known.to_vec().into(),
        ..publish(b"forged", 60)
    };
    // Taken, as another topic's value: the relay cannot tell, and nobody follows it.
    mallory.request(Request::Publish(forged)).await?;
    alice
        .request(Request::Publish(publish(b"true", 60)))
        .await?;
    assert_eq!(next(&mut follower).await?, [value(b"true")]);
    for key in [&[][..], &[3; 31], &[3; 33]] {
        let broken = Publish {
            topic_key: key.to_vec().into(),
            ..publish(b"x", 60)
        };
        let refused = mallory.request_refused(Request::Publish(broken)).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
        let topics = vec![key.to_vec().into()];
        let refused = mallory
            .request_refused(Request::Subscribe(Subscribe { topics }))
            .await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    // Nobody publishes before saying who it is, or that it is nobody.
    let (mut unknown, _) = Client::connect(relay.address()).await?;
    let refused = unknown
        .request_refused(Request::Publish(publish(b"x", 60)))
        .await?;
    assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    Ok(())
}

#[tokio::test]
async fn values_topics_and_wills_are_bounded() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\ntopics_per_connection = 10")
        .config("[limits.rate]\npresence = { burst = 20, per_minute = 0.1 }")
        .start()?;
    let mut alice = anonymous(&relay).await?;
    let topics = |from: u8, count: u8| {
        let topics = (from..from + count)
            .map(|number| vec![number; 32].into())
            .collect();
        Request::Subscribe(Subscribe { topics })
    };
    alice.request(topics(0, 8)).await?;
    let refused = alice.request_refused(topics(8, 3)).await?;
    assert_eq!(refused.code(), ErrorCode::TooMany);
    // Known ones do not count again, and what was refused was not followed.
    alice.request(topics(0, 10)).await?;
    let Request::Subscribe(Subscribe { topics: some }) = topics(0, 5) else {
        unreachable!("made above")
    };
    alice
        .request(Request::Unsubscribe(Unsubscribe { topics: some }))
        .await?;
    alice.request(topics(20, 5)).await?;

    let mut bob = anonymous(&relay).await?;
    let will = |number: u8| {
        let Request::Publish(request) = with_will(b"x", b"y") else {
            unreachable!("made above")
        };
        Request::Publish(Publish {
            topic_key: vec![number; 32].into(),
            ..request
        })
    };
    for number in 0..16 {
        bob.request(will(number)).await?;
    }
    let refused = bob.request_refused(will(16)).await?;
    assert_eq!(refused.code(), ErrorCode::TooMany);
    bob.request(will(15)).await?;
    bob.request(Request::Publish(publish(&[0; 1024], 60)))
        .await?;
    let refused = bob
        .request_refused(Request::Publish(publish(&[0; 1025], 60)))
        .await?;
    assert_eq!(refused.code(), ErrorCode::TooLarge);
    // Twenty tries are used up.
    let refused = bob
        .request_refused(Request::Publish(publish(b"x", 60)))
        .await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.retryable && refused.retry_after_ms > 0);
    // Anybody else still may.
    alice.request(Request::Publish(publish(b"x", 60))).await?;
    Ok(())
}
