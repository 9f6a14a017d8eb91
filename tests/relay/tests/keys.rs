//! Pre-keys through a real relay: each one-time key goes out once, and nobody but their owner learns how
//! many are left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::Person;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    CountPreKeys, ErrorCode, FetchPreKeyBundles, KemPreKey, OneTimePreKey, PreKeyBundle,
    PreKeyBundles, PutDeviceList, SignedPreKey, UploadPreKeys, VerifiedDeviceList,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

fn signed(id: u32) -> SignedPreKey {
    SignedPreKey {
        id,
        public_key: vec![5; 33].into(),
        signature: vec![6; 64].into(),
    }
}

fn curve(id: u32) -> OneTimePreKey {
    OneTimePreKey {
        id,
        public_key: vec![7; 33].into(),
    }
}

fn kem(id: u32) -> KemPreKey {
    KemPreKey {
        id,
        public_key: vec![8; 1569].into(),
        signature: vec![9; 64].into(),
    }
}

/// A whole stock: lasting keys 900 and 901, one-time keys of both kinds by number.
fn stock(numbers: core::ops::RangeInclusive<u32>) -> UploadPreKeys {
    UploadPreKeys {
        signed_pre_key: Some(signed(900)),
        last_resort_kem_pre_key: Some(kem(901)),
        one_time_pre_keys: numbers.clone().map(curve).collect(),
        one_time_kem_pre_keys: numbers.map(kem).collect(),
    }
}

async fn counts(client: &mut Client, request: Request) -> Result<(u32, u32)> {
    match client.request(request).await? {
        Body::PreKeyCounts(counts) => Ok((counts.one_time_pre_keys, counts.one_time_kem_pre_keys)),
        _ => Err(HarnessError::Unexpected("counts")),
    }
}

fn fetch(of: &Identity, device: u32) -> FetchPreKeyBundles {
    FetchPreKeyBundles {
        account: of.account().as_bytes().to_vec().into(),
        device,
        delivery_token: Bytes::new(),
    }
}

async fn bundles(client: &mut Client, request: FetchPreKeyBundles) -> Result<PreKeyBundles> {
    match client.request(Request::FetchPreKeyBundles(request)).await? {
        Body::PreKeyBundles(bundles) => Ok(bundles),
        _ => Err(HarnessError::Unexpected("bundles")),
    }
}

/// Numbers of the one-time key and the KEM key in a bundle.
fn numbers(bundle: &PreKeyBundle) -> (Option<u32>, Option<u32>) {
    (
        bundle.one_time_pre_key.as_ref().map(|key| key.id),
        bundle.kem_pre_key.as_ref().map(|key| key.id),
    )
}

#[tokio::test]
async fn each_one_time_key_is_handed_out_once_and_then_the_last_resort() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    assert_eq!(
        counts(
            &mut bob.client,
            Request::CountPreKeys(CountPreKeys::default())
        )
        .await?,
        (0, 0)
    );
    // A device that has published nothing yet is left out.
    let none = bundles(&mut alice.client, fetch(&bob.identity, 0)).await?;
    assert!(none.bundles.is_empty() && none.device_list.is_some());

    let upload = Request::UploadPreKeys(stock(1..=3));
    assert_eq!(counts(&mut bob.client, upload.clone()).await?, (3, 3));
    let mut handed_out = Vec::new();
    for _ in 0..2 {
        let answer = bundles(&mut alice.client, fetch(&bob.identity, 0)).await?;
        let bundle = &answer.bundles[0];
        assert_eq!(bundle.device, 1);
        assert_eq!(bundle.signed_pre_key.as_ref(), Some(&signed(900)));
        handed_out.push(numbers(bundle));
    }
    // Neither a power cut nor a repeated upload brings a used key back.
    relay.kill()?;
    relay.restart()?;
    alice.reconnect(relay.address()).await?;
    bob.reconnect(relay.address()).await?;
    assert_eq!(counts(&mut bob.client, upload).await?, (1, 1));
    for _ in 0..2 {
        let answer = bundles(&mut alice.client, fetch(&bob.identity, 1)).await?;
        handed_out.push(numbers(&answer.bundles[0]));
    }
    assert_eq!(
        handed_out,
        [
            (Some(1), Some(1)),
            (Some(2), Some(2)),
            (Some(3), Some(3)),
            (None, Some(901))
        ]
    );
    // Newer ones are taken; with old ones between them, the new alone.
    let more = Request::UploadPreKeys(UploadPreKeys {
        signed_pre_key: Some(signed(902)),
        ..stock(2..=5)
    });
    assert_eq!(counts(&mut bob.client, more).await?, (2, 2));
    let answer = bundles(&mut alice.client, fetch(&bob.identity, 0)).await?;
    assert_eq!(answer.bundles[0].signed_pre_key, Some(signed(902)));
    assert_eq!(numbers(&answer.bundles[0]), (Some(4), Some(4)));
    Ok(())
}

#[tokio::test]
async fn two_who_fetch_at_once_never_get_the_same_key() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    counts(&mut bob.client, Request::UploadPreKeys(stock(1..=100))).await?;
    let (mut handed_out, mut askers) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        askers.push(Person::register(relay.address()).await?);
    }
    let mut asked = Vec::new();
    for asker in &mut askers {
        let mut ids = Vec::new();
        for _ in 0..25 {
            let request = Request::FetchPreKeyBundles(fetch(&bob.identity, 1));
            ids.push(asker.client.feed(request).await?);
        }
        asker.client.flush().await?;
        asked.push(ids);
    }
    for (asker, ids) in askers.iter_mut().zip(asked) {
        for id in ids {
            let Body::PreKeyBundles(answer) = asker.client.answer(id).await? else {
                panic!("a bundle")
            };
            handed_out.push(numbers(&answer.bundles[0]));
        }
    }
    handed_out.sort_unstable();
    let all: Vec<_> = (1..=100)
        .map(|number| (Some(number), Some(number)))
        .collect();
    assert_eq!(handed_out, all);
    Ok(())
}

#[tokio::test]
async fn one_device_or_all_are_fetched_with_the_list_they_stand_on() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut identity = Identity::with_devices(3)?;
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    first.register(&welcome, &identity).await?;
    counts(&mut first, Request::UploadPreKeys(stock(1..=30))).await?;
    let (mut third, _) = Client::connect_as(relay.address(), &identity, 3).await?;
    counts(&mut third, Request::UploadPreKeys(stock(31..=60))).await?;

    let all = bundles(&mut alice.client, fetch(&identity, 0)).await?;
    let list = VerifiedDeviceList::verify(&all.device_list.expect("a list"))?;
    assert_eq!(list.devices().len(), 3);
    let found: Vec<_> = all
        .bundles
        .iter()
        .map(|bundle| (bundle.device, numbers(bundle)))
        .collect();
    assert_eq!(
        found,
        [(1, (Some(1), Some(1))), (3, (Some(31), Some(31)))],
        "the second device has published nothing"
    );
    let one = bundles(&mut alice.client, fetch(&identity, 3)).await?;
    assert_eq!(one.bundles.len(), 1);
    assert_eq!(numbers(&one.bundles[0]), (Some(32), Some(32)));
    assert_eq!(
        counts(&mut first, Request::CountPreKeys(CountPreKeys {})).await?,
        (29, 29),
        "the first device's stock is untouched"
    );
    let refused = alice
        .client
        .request_refused(Request::FetchPreKeyBundles(fetch(&identity, 128)))
        .await?;
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    let refused = alice
        .client
        .request_refused(Request::FetchPreKeyBundles(fetch(&Identity::new()?, 0)))
        .await?;
    assert_eq!(refused.code(), ErrorCode::NotFound);

    // A removed device's keys go with it.
    identity.remove_device(3);
    let list = Request::PutDeviceList(PutDeviceList {
        device_list: Some(identity.signed_list()),
    });
    first.request(list).await?;
    let left = bundles(&mut alice.client, fetch(&identity, 0)).await?;
    assert_eq!(left.bundles.len(), 1);
    assert_eq!(left.bundles[0].device, 1);
    Ok(())
}

#[tokio::test]
async fn anonymously_a_bundle_costs_the_delivery_token() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    counts(&mut bob.client, Request::UploadPreKeys(stock(1..=30))).await?;
    bob.allow_contacts().await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let mut ask = fetch(&bob.identity, 0);
    let refused = nobody
        .request_refused(Request::FetchPreKeyBundles(ask.clone()))
        .await?;
    assert_eq!(refused.code(), ErrorCode::NotFound);
    ask.delivery_token = bob.identity.delivery_token.to_vec().into();
    assert_eq!(bundles(&mut nobody, ask).await?.bundles.len(), 1);
    for own in [
        Request::CountPreKeys(CountPreKeys {}),
        Request::UploadPreKeys(stock(1..=1)),
    ] {
        let refused = nobody.request_refused(own).await?;
        assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    }
    // The refused try used nothing up.
    let count = Request::CountPreKeys(CountPreKeys {});
    assert_eq!(counts(&mut bob.client, count).await?, (29, 29));
    Ok(())
}

#[tokio::test]
async fn the_owner_is_told_when_keys_run_low() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    counts(&mut bob.client, Request::UploadPreKeys(stock(1..=22))).await?;
    for _ in 0..2 {
        bundles(&mut alice.client, fetch(&bob.identity, 0)).await?;
    }
    // Twenty left: what was to be told before the answer to this would be here.
    let count = Request::CountPreKeys(CountPreKeys {});
    assert_eq!(counts(&mut bob.client, count).await?, (20, 20));
    assert!(bob.client.pushed().is_none());
    bundles(&mut alice.client, fetch(&bob.identity, 0)).await?;
    let Body::PreKeysLow(counts) = bob.client.next_push().await? else {
        panic!("the owner is told");
    };
    assert_eq!(
        (counts.one_time_pre_keys, counts.one_time_kem_pre_keys),
        (19, 19)
    );
    // Told at the next connection, too.
    let (_, authenticated) = Client::connect_as(relay.address(), &bob.identity, 1).await?;
    assert_eq!(
        authenticated
            .pre_keys
            .map(|counts| counts.one_time_pre_keys),
        Some(19)
    );
    Ok(())
}

#[tokio::test]
async fn an_upload_with_a_wrong_length_or_too_many_is_refused_whole() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    let spoil: [fn(&mut UploadPreKeys); 7] = [
        |upload| upload.signed_pre_key.as_mut().expect("one").public_key = vec![5; 32].into(),
        |upload| upload.signed_pre_key.as_mut().expect("one").signature = vec![5; 65].into(),
        |upload| {
            let key = upload.last_resort_kem_pre_key.as_mut().expect("one");
            key.public_key = vec![8; 1568].into();
        },
        |upload| {
            let key = upload.last_resort_kem_pre_key.as_mut().expect("one");
            key.signature = Bytes::new();
        },
        |upload| upload.one_time_pre_keys[1].public_key = vec![5; 34].into(),
        |upload| upload.one_time_kem_pre_keys[1].public_key = Bytes::new(),
        |upload| upload.one_time_kem_pre_keys[1].signature = vec![9; 63].into(),
    ];
    for spoil in spoil {
        let mut upload = stock(1..=3);
        spoil(&mut upload);
        let refused = bob
            .client
            .request_refused(Request::UploadPreKeys(upload))
            .await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    // 101 KEM keys fit a frame, and are too many all the same; so are 101 of the others.
    let mut too_many = UploadPreKeys {
        one_time_kem_pre_keys: (1..=101).map(kem).collect(),
        ..UploadPreKeys::default()
    };
    for _ in 0..2 {
        let refused = bob
            .client
            .request_refused(Request::UploadPreKeys(too_many.clone()))
            .await?;
        assert_eq!(refused.code(), ErrorCode::TooMany);
        too_many = UploadPreKeys {
            one_time_pre_keys: (1..=101).map(curve).collect(),
            ..UploadPreKeys::default()
        };
    }
    let count = Request::CountPreKeys(CountPreKeys {});
    assert_eq!(counts(&mut bob.client, count).await?, (0, 0));

    // The stock is bounded, too: the third upload is cut, and may be made again when there is room.
    for (numbers, left) in [(1..=100, 100), (101..=200, 200), (201..=300, 200)] {
        let upload = Request::UploadPreKeys(stock(numbers));
        assert_eq!(counts(&mut bob.client, upload).await?, (left, left));
    }
    bundles(&mut bob.client, fetch(&bob.identity, 1)).await?;
    let upload = Request::UploadPreKeys(stock(201..=300));
    assert_eq!(counts(&mut bob.client, upload).await?, (200, 200));
    Ok(())
}
