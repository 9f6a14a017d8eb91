//! M1 to M3: what the relay knows while it runs, and has forgotten when it runs again.

use std::net::IpAddr;

use hushpost_harness::{Client, LIMITERS_OFF, RelayOptions};
use hushpost_relay_tests::Person;
use hushpost_relay_tests::evidence::{contents, database};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ErrorCode, FetchPreKeyBundles, Subscribe, topic};

use super::{Result, anonymous, id_of, pre_keys, publish, relay};

#[tokio::test]
async fn it_knows_the_network_address_of_a_connection_and_a_little_longer() -> Result {
    let mut relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nhandshakes_per_address = { burst = 2, per_minute = 0.1 }")
        .start()?;
    let (here, there): (IpAddr, IpAddr) = ("127.0.0.77".parse()?, "127.0.0.78".parse()?);
    for _ in 0..2 {
        let (client, _) = Client::connect_from(here, relay.address()).await?;
        client.close().await?;
    }
    // The connections are gone, and the address is not forgotten yet.
    assert!(Client::connect_from(here, relay.address()).await.is_err());
    assert!(Client::connect_from(there, relay.address()).await.is_ok());
    // Another process knows nothing of it.
    relay.restart()?;
    assert!(Client::connect_from(here, relay.address()).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn it_knows_who_asked_for_whose_keys_for_the_limits() -> Result {
    let mut relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nbundles_per_pair = { burst = 1, per_minute = 0.1 }")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut carol = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    bob.client
        .request(Request::UploadPreKeys(pre_keys(40)))
        .await?;
    let fetch = Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: id_of(&bob.identity),
        ..FetchPreKeyBundles::default()
    });
    alice.client.request(fetch.clone()).await?;
    let refused = alice.client.request_refused(fetch.clone()).await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    carol.client.request(fetch.clone()).await?;
    relay.restart()?;
    alice.reconnect(relay.address()).await?;
    alice.client.request(fetch).await?;
    Ok(())
}

#[tokio::test]
async fn it_knows_who_follows_what_while_they_are_connected() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = anonymous(&relay).await?;
    let before = contents(&database(&relay)?)?;
    let topics = vec![topic::of_key(&[3; 32]).to_vec().into()];
    alice
        .client
        .request(Request::Subscribe(Subscribe { topics }))
        .await?;
    // It must know, to forward.
    bob.request(publish([3; 32], b"online", b"", 70)).await?;
    assert!(matches!(
        alice.client.next_push().await?,
        Body::PresenceValues(_)
    ));
    assert_eq!(before, contents(&database(&relay)?)?, "in memory alone");
    Ok(())
}
