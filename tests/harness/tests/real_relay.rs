//! The harness on a real relay: whatever these promise, the tests of the relay rely on.

use std::net::{IpAddr, Ipv4Addr};

use hushpost_harness::{
    Client, HarnessError, Identity, LIMITERS_OFF, RawConnection, RelayOptions, RelayProcess,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CountPreKeys, ErrorCode, Ping};

#[tokio::test]
async fn a_client_registers_pipelines_and_is_refused() -> Result<(), HarnessError> {
    let relay = RelayProcess::start()?;
    let alice = Identity::with_devices(2)?;
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let (mut client, welcome) = Client::connect_from(from, relay.address()).await?;
    assert_eq!(welcome.relay_name, hushpost_harness::RELAY_NAME);
    let refused = client
        .request_refused(Request::CountPreKeys(CountPreKeys {}))
        .await?;
    assert!(refused.code() == ErrorCode::Unauthenticated);
    client.register(&welcome, &alice).await?;

    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(client.feed(Request::Ping(Ping {})).await?);
    }
    client.flush().await?;
    for id in ids.into_iter().rev() {
        assert!(matches!(client.answer(id).await?, Body::Ok(_)));
    }
    assert!(matches!(
        client.request_refused(Request::Ping(Ping {})).await,
        Err(HarnessError::NotRefused)
    ));

    let (mut second, _) = Client::connect_as(relay.address(), &alice, 2).await?;
    second.request(Request::Ping(Ping {})).await?;
    let (mut anonymous, _) = Client::connect(relay.address()).await?;
    anonymous.anonymous().await?;
    client.close().await
}

#[tokio::test]
async fn a_killed_relay_returns_with_its_data() -> Result<(), HarnessError> {
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let alice = Identity::new()?;
    let (mut client, before) = Client::connect(relay.address()).await?;
    client.register(&before, &alice).await?;
    assert!(relay.rss_bytes()? > 0 && relay.data_dir().is_dir());
    relay.kill()?;
    assert!(relay.pid().is_err());
    client.ended().await?;

    relay.restart()?;
    let (mut client, after) = Client::connect(relay.address()).await?;
    assert_eq!(after.storage_epoch, before.storage_epoch);
    client.authenticate(&after, &alice, 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_asked_relay_ends_in_order_and_tells_its_clients() -> Result<(), HarnessError> {
    let mut relay = RelayProcess::start()?;
    let alice = Identity::new()?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &alice).await?;
    assert!(relay.metric("hushpost_store_commits_total").await? >= 1.0);
    relay.signal_termination()?;
    let ending = client.ended().await?;
    assert!(ending.closing.is_some(), "{ending:?}");
    assert!(relay.wait()?.success());
    Ok(())
}

#[tokio::test]
async fn raw_connections_reach_beneath_the_frames() -> Result<(), HarnessError> {
    let relay = RelayProcess::start()?;
    let mut raw = RawConnection::open(None, relay.address()).await?;
    let head = raw.upgrade("").await?;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

    let mut raw = RawConnection::open(None, relay.address()).await?;
    raw.write(b"nonsense\r\n\r\n").await?;
    let answer = raw.read_to_end().await?;
    assert!(!answer.starts_with(b"HTTP/1.1 101 "));

    // A frame with a reserved bit set.
    let (mut client, _) = Client::connect(relay.address()).await?;
    client.write_raw(&[0xf2, 0x80, 0, 0, 0, 0]).await?;
    client.ended().await?;
    Ok(())
}

#[test]
fn a_relay_that_does_not_start_says_why() {
    let broken = RelayOptions::default()
        .config("no_such_setting = 1")
        .start();
    match broken {
        Err(HarnessError::Relay { last_words, .. }) => {
            assert!(last_words.contains("no_such_setting"), "{last_words}");
        }
        other => panic!("{other:?}"),
    }
}
