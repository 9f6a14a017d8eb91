//! Draining pre-keys: row A1, the relay's part.
//!
//! One asker, or all of them together, gets only so many one-time keys; a device whose stock is empty can
//! still be written to; each key is handed out once, also to many at a time and across a crash; and nobody
//! but its owner learns how many are left.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "helpers of tests may fail loudly"
)]

use std::collections::HashSet;

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::Person;
use hushpost_relay_tests::every_request::{fetch, pre_keys};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    CountPreKeys, ErrorCode, FetchPreKeyBundles, PreKeyBundle, PreKeyBundles, PreKeyCounts,
    UploadPreKeys,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

/// Number of the last-resort key that [`pre_keys`] makes.
const LAST_RESORT: u32 = u32::MAX;

fn bundles(body: Body) -> Result<PreKeyBundles> {
    match body {
        Body::PreKeyBundles(bundles) => Ok(bundles),
        _ => Err(HarnessError::Unexpected("bundles")),
    }
}

/// The bundle of the only device.
async fn bundle(client: &mut Client, target: &Identity) -> Result<PreKeyBundle> {
    let mut all = bundles(client.request(fetch(target)).await?)?.bundles;
    assert_eq!(all.len(), 1);
    all.pop().ok_or(HarnessError::Unexpected("a bundle"))
}

async fn counts(owner: &mut Person) -> Result<PreKeyCounts> {
    match owner
        .client
        .request(Request::CountPreKeys(CountPreKeys {}))
        .await?
    {
        Body::PreKeyCounts(counts) => Ok(counts),
        _ => Err(HarnessError::Unexpected("counts")),
    }
}

/// Somebody with so many one-time keys of each kind.
async fn stocked(relay: &RelayProcess, count: u32) -> Result<Person> {
    let mut person = Person::register(relay.address()).await?;
    upload(&mut person, pre_keys(1, count)).await?;
    Ok(person)
}

async fn upload(person: &mut Person, keys: UploadPreKeys) -> Result {
    let request = Request::UploadPreKeys(keys);
    person.client.request(request).await.map(drop)
}

#[tokio::test]
async fn one_account_takes_six_keys_however_often_it_asks() -> Result {
    let relay = RelayOptions::default().start()?;
    let mut owner = stocked(&relay, 100).await?;
    let mut drainer = Person::register(relay.address()).await?;
    let mut asked = Vec::new();
    for _ in 0..1000 {
        asked.push(drainer.client.send(fetch(&owner.identity)).await?);
    }
    let mut got = 0;
    for id in asked {
        match drainer.client.answer(id).await {
            Ok(body) => got += bundles(body)?.bundles.len(),
            Err(HarnessError::Refused(error)) => {
                assert_eq!(error.code(), ErrorCode::RateLimited);
                assert!(error.retryable && error.retry_after_ms > 60_000);
            }
            Err(other) => return Err(other),
        }
    }
    assert_eq!(got, 6);
    // Nor by another connection, or by asking for one device at a time.
    drainer.reconnect(relay.address()).await?;
    let one_device = Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: owner.identity.account().as_bytes().to_vec().into(),
        device: 1,
        delivery_token: Bytes::new(),
    });
    let refused = drainer.client.request_refused(one_device).await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    let left = counts(&mut owner).await?;
    assert_eq!(
        (left.one_time_pre_keys, left.one_time_kem_pre_keys),
        (94, 94)
    );
    // Somebody else is served.
    let mut honest = Person::register(relay.address()).await?;
    let served = bundle(&mut honest.client, &owner.identity).await?;
    assert!(served.one_time_pre_key.is_some());
    Ok(())
}

#[tokio::test]
async fn anonymous_askers_with_a_token_share_the_limit_of_their_address() -> Result {
    let relay = RelayOptions::default().start()?;
    let mut owner = stocked(&relay, 100).await?;
    owner.allow_contacts().await?;
    let mut got = 0;
    for _ in 0..20 {
        let (mut nobody, _) = Client::connect(relay.address()).await?;
        nobody.anonymous().await?;
        let request = Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: owner.identity.account().as_bytes().to_vec().into(),
            device: 0,
            delivery_token: owner.identity.delivery_token.to_vec().into(),
        });
        match nobody.request(request).await {
            Ok(body) => got += bundles(body)?.bundles.len(),
            Err(error) => assert_eq!(error.code(), Some(ErrorCode::RateLimited)),
        }
    }
    assert_eq!(got, 6);
    Ok(())
}

#[tokio::test]
async fn many_accounts_together_take_no_more_than_the_targets_limit() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nbundles_per_pair = { burst = 6, per_minute = 0.1, when_full = \"closed\" }\nbundles_per_target = { burst = 20, per_minute = 0.1, when_full = \"closed\" }")
        .start()?;
    let mut owner = stocked(&relay, 100).await?;
    let mut bystander = stocked(&relay, 100).await?;
    let mut got = 0;
    for _ in 0..50 {
        let mut drainer = Person::register(relay.address()).await?;
        for _ in 0..6 {
            match drainer.client.request(fetch(&owner.identity)).await {
                Ok(body) => got += bundles(body)?.bundles.len(),
                Err(error) => assert_eq!(error.code(), Some(ErrorCode::RateLimited)),
            }
        }
    }
    assert_eq!(got, 20);
    assert_eq!(counts(&mut owner).await?.one_time_pre_keys, 80);
    // The limit is the target's: somebody else can be written to.
    bundle(&mut owner.client, &bystander.identity).await?;
    assert_eq!(counts(&mut bystander).await?.one_time_pre_keys, 99);
    Ok(())
}

#[tokio::test]
async fn a_limiter_that_is_full_hands_out_nothing() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\ntracked_keys = 1000\n[limits.rate]\nbundles_per_pair = { burst = 1, per_minute = 0.1, when_full = \"closed\" }")
        .start()?;
    let mut owner = stocked(&relay, 100).await?;
    let mut targets = Vec::new();
    for _ in 0..1000 {
        targets.push(Person::register(relay.address()).await?.identity);
    }
    let mut attacker = Person::register(relay.address()).await?;
    for target in &targets {
        bundles(attacker.client.request(fetch(target)).await?)?;
    }
    // The relay notices every few seconds that it remembers no more; until then it still remembers.
    relay
        .until_metric(
            "refusal by a full limiter",
            "hushpost_limited_total",
            |_| relay.log().is_ok_and(|log| log.contains("limiter is full")),
        )
        .await?;
    let mut newcomer = Person::register(relay.address()).await?;
    let refused = newcomer
        .client
        .request_refused(fetch(&owner.identity))
        .await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert_eq!(counts(&mut owner).await?.one_time_pre_keys, 100);
    Ok(())
}

#[tokio::test]
async fn with_an_empty_stock_there_is_still_a_bundle_and_only_the_owner_knows() -> Result {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut owner = stocked(&relay, 30).await?;
    let mut asker = Person::register(relay.address()).await?;
    for number in 1..=33 {
        let got = bundle(&mut asker.client, &owner.identity).await?;
        let one_time = got.one_time_pre_key.map(|key| key.id);
        let kem = got.kem_pre_key.map(|key| key.id);
        if number <= 30 {
            assert_eq!((one_time, kem), (Some(number), Some(number)));
        } else {
            assert_eq!((one_time, kem), (None, Some(LAST_RESORT)));
        }
        assert!(got.signed_pre_key.is_some());
        // Nothing that was not asked for: the asker is not told how many are left.
        assert!(asker.client.pushed().is_none());
    }
    // The owner was told from the moment that fewer than 20 were left.
    for left in (0..20).rev() {
        let Body::PreKeysLow(low) = owner.client.next_push().await? else {
            panic!("pre-keys run low");
        };
        assert_eq!(
            (low.one_time_pre_keys, low.one_time_kem_pre_keys),
            (left, left)
        );
    }
    assert_eq!(counts(&mut owner).await?.one_time_pre_keys, 0);
    assert!(owner.client.pushed().is_none());
    // Used keys never come back, new ones do.
    upload(&mut owner, pre_keys(1, 30)).await?;
    assert_eq!(counts(&mut owner).await?.one_time_pre_keys, 0);
    upload(&mut owner, pre_keys(31, 5)).await?;
    let got = bundle(&mut asker.client, &owner.identity).await?;
    assert_eq!(got.one_time_pre_key.map(|key| key.id), Some(31));
    // Who asks for its own counts gets its own.
    assert_eq!(counts(&mut asker).await?.one_time_pre_keys, 0);
    Ok(())
}

#[tokio::test]
async fn each_key_is_handed_out_once_to_many_at_a_time_and_across_crashes() -> Result {
    const KEYS: u32 = 100;
    const ASKERS: usize = 20;
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let owner = stocked(&relay, KEYS).await?;
    let target = owner.identity.clone();
    drop(owner);
    let mut identities = Vec::new();
    for _ in 0..ASKERS {
        identities.push(Person::register(relay.address()).await?.identity);
    }
    let mut handed_out = HashSet::new();
    let mut handed_out_kem = HashSet::new();
    let mut rounds = 0;
    loop {
        let mut tasks = Vec::new();
        for identity in &identities {
            let (mut client, _) = Client::connect_as(relay.address(), identity, 1).await?;
            let target = target.clone();
            tasks.push(tokio::spawn(async move {
                // Two asked for and awaited; more asked for that the crash may overtake.
                let mut got = Vec::new();
                for _ in 0..2 {
                    got.push(bundle(&mut client, &target).await?);
                }
                let last = client.send(fetch(&target)).await?;
                Ok::<_, HarnessError>((client, last, got))
            }));
        }
        let mut clients = Vec::new();
        let mut got = Vec::new();
        for task in tasks {
            let (client, last, some) = task.await.expect("no panic")?;
            clients.push((client, last));
            got.extend(some);
        }
        relay.kill()?;
        // Answers that were on their way count: their reader has the key.
        for (mut client, last) in clients {
            if let Ok(body) = client.answer(last).await.map_err(|error| match error {
                HarnessError::Ended(_) | HarnessError::WebSocket(_) => (),
                other => panic!("{other}"),
            }) {
                got.extend(bundles(body)?.bundles);
            }
        }
        for bundle in &got {
            if let Some(key) = &bundle.one_time_pre_key {
                assert!(handed_out.insert(key.id), "key {} came twice", key.id);
                // Not mixed up either: each is made of its number.
                assert!(key.public_key.starts_with(&key.id.to_be_bytes()));
            }
            if let Some(key) = bundle
                .kem_pre_key
                .as_ref()
                .filter(|key| key.id != LAST_RESORT)
            {
                assert!(
                    handed_out_kem.insert(key.id),
                    "KEM key {} came twice",
                    key.id
                );
            }
        }
        relay.restart()?;
        rounds += 1;
        if got.iter().all(|bundle| bundle.one_time_pre_key.is_none()) {
            break;
        }
        assert!(rounds < 20, "the stock never ends");
    }
    // A crash may lose the last answer of each asker, and its key with it; two rounds empty the stock.
    assert!((60..=KEYS as usize).contains(&handed_out.len()));
    Ok(())
}

#[tokio::test]
async fn nobody_uploads_keys_without_end() -> Result {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut owner = stocked(&relay, 100).await?;
    for first in [101, 201, 301] {
        upload(&mut owner, pre_keys(first, 100)).await?;
    }
    let stock = counts(&mut owner).await?;
    assert_eq!(
        (stock.one_time_pre_keys, stock.one_time_kem_pre_keys),
        (200, 200)
    );
    let mut too_many = pre_keys(1000, 0);
    too_many.one_time_pre_keys = pre_keys(1000, 101).one_time_pre_keys;
    let mut short = pre_keys(1000, 1);
    short.one_time_pre_keys[0].public_key.truncate(32);
    let mut swapped = pre_keys(1000, 1);
    swapped.one_time_kem_pre_keys[0].public_key = vec![5; 33].into();
    let mut unsigned = pre_keys(1000, 1);
    unsigned.one_time_kem_pre_keys[0].signature = Bytes::new();
    for (keys, code) in [
        (too_many, ErrorCode::TooMany),
        (short, ErrorCode::BadRequest),
        (swapped, ErrorCode::BadRequest),
        (unsigned, ErrorCode::BadRequest),
    ] {
        let request = Request::UploadPreKeys(keys);
        let refused = owner.client.request_refused(request).await?;
        assert_eq!(refused.code(), code);
    }
    assert!(counts(&mut owner).await? == stock);
    Ok(())
}
