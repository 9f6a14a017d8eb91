//! What the page on frames promises, kept by the model.

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::{EC_PUBLIC_KEY_LEN, KEM_PUBLIC_KEY_LEN, SIGNATURE_LEN};
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Acknowledge, Anonymous, CloseReason, CountPreKeys, ErrorCode, FetchPreKeyBundles, Found,
    GetDeviceList, KemPreKey, LookUpName, NameKind, OneTimePreKey, PROTOCOL_VERSION, Ping,
    PreKeyBundles, PreKeyCounts, PutDeviceList, SetDeliveryToken, SetUserName, SignedPreKey,
    UploadPreKeys,
};

use super::client::{Client, address, identity, message, number_of};
use crate::{SimOptions, SimRelay};

fn account(who: &hushpost_harness::Identity) -> Bytes {
    Bytes::copy_from_slice(who.account().as_bytes())
}

fn upload(one_time: std::ops::Range<u32>) -> UploadPreKeys {
    let public_key = Bytes::from_static(&[5; EC_PUBLIC_KEY_LEN]);
    let signature = Bytes::from_static(&[1; SIGNATURE_LEN]);
    let kem = |id| KemPreKey {
        id,
        public_key: Bytes::from_static(&[8; KEM_PUBLIC_KEY_LEN]),
        signature: signature.clone(),
    };
    UploadPreKeys {
        signed_pre_key: Some(SignedPreKey {
            id: 1,
            public_key: public_key.clone(),
            signature: signature.clone(),
        }),
        last_resort_kem_pre_key: Some(kem(1000)),
        one_time_pre_keys: one_time
            .clone()
            .map(|id| OneTimePreKey {
                id,
                public_key: public_key.clone(),
            })
            .collect(),
        one_time_kem_pre_keys: one_time.map(kem).collect(),
    }
}

async fn fetch(client: &mut Client, who: &hushpost_harness::Identity) -> PreKeyBundles {
    let request = FetchPreKeyBundles {
        account: account(who),
        device: 0,
        delivery_token: Bytes::new(),
    };
    match client.ask(Request::FetchPreKeyBundles(request)).await {
        Ok(Body::PreKeyBundles(bundles)) => bundles,
        _ => panic!("bundles"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_time_keys_are_handed_out_once_and_never_come_back() {
    let relay = SimRelay::new(SimOptions::default());
    let (alice, bob) = (identity(1, 1), identity(2, 1));
    let mut a = Client::registered(&relay, &alice).await.unwrap();
    let mut b = Client::registered(&relay, &bob).await.unwrap();
    assert!(fetch(&mut a, &bob).await.bundles.is_empty());
    b.ask(Request::UploadPreKeys(upload(1..3))).await.unwrap();
    let mut handed_out = Vec::new();
    for _ in 0..3 {
        let bundle = fetch(&mut a, &bob).await.bundles.remove(0);
        handed_out.push((
            bundle.one_time_pre_key.map(|key| key.id),
            bundle.kem_pre_key.unwrap().id,
        ));
    }
    assert_eq!(handed_out, [(Some(1), 1), (Some(2), 2), (None, 1000)]);
    assert!(matches!(b.next_push().await, Ok(Body::PreKeysLow(_))));
    // The same upload again brings nothing back.
    b.ask(Request::UploadPreKeys(upload(1..3))).await.unwrap();
    let counts = b.ask(Request::CountPreKeys(CountPreKeys {})).await.unwrap();
    assert!(matches!(counts, Body::PreKeyCounts(counts) if counts == PreKeyCounts::default()));
    assert_eq!(
        relay.pre_keys(address(&bob, 1)),
        Some(PreKeyCounts::default())
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_is_stored_once_and_says_what_is_wrong() {
    let relay = SimRelay::new(SimOptions {
        queue_messages: 2,
        ..SimOptions::default()
    });
    let (alice, bob) = (identity(1, 2), identity(2, 2));
    let mut a = Client::registered(&relay, &alice).await.unwrap();
    let _b = Client::registered(&relay, &bob).await.unwrap();

    let sent = a.send(message(1, &[&bob])).await.unwrap();
    assert_eq!((sent.stored, sent.problems.len()), (2, 0));
    let again = a.send(message(1, &[&bob])).await.unwrap();
    assert_eq!((again.stored, again.problems.len()), (2, 0));
    assert_eq!(relay.waiting(address(&bob, 2)), 1);

    let mut wrong = message(2, &[&bob, &identity(9, 1)]);
    wrong.recipients[0].devices[0].registration_id += 1;
    wrong.recipients[0].devices[1].device = 3;
    let sent = a.send(wrong).await.unwrap();
    assert_eq!(sent.stored, 0);
    let problem = &sent.problems[0];
    assert_eq!(
        (&problem.stale[..], &problem.extra[..], &problem.missing[..]),
        (&[1][..], &[3][..], &[2][..])
    );
    assert!(sent.problems[1].unreachable);

    // To oneself: the other device alone.
    let sent = a.send(message(3, &[&alice])).await.unwrap();
    assert_eq!(sent.problems[0].extra, [1]);
    let mut to_self = message(3, &[&alice]);
    to_self.recipients[0].devices.remove(0);
    assert_eq!(a.send(to_self).await.unwrap().stored, 1);

    a.send(message(4, &[&bob])).await.unwrap();
    let sent = a.send(message(5, &[&bob])).await.unwrap();
    assert_eq!(sent.stored, 0);
    assert_eq!(sent.problems[0].full, [1, 2]);
    assert_eq!(relay.accepted().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn delivery_keeps_to_the_window_and_repeats_what_is_not_acknowledged() {
    let relay = SimRelay::new(SimOptions {
        delivery_window: 2,
        ..SimOptions::default()
    });
    let (alice, bob) = (identity(1, 1), identity(2, 1));
    let mut a = Client::registered(&relay, &alice).await.unwrap();
    let mut b = Client::registered(&relay, &bob).await.unwrap();
    for number in 1..=3 {
        a.send(message(number, &[&bob])).await.unwrap();
    }
    b.receive(0).await;
    let first = b.next_deliveries().await.unwrap();
    assert_eq!(first.iter().map(number_of).collect::<Vec<_>>(), [1, 2]);
    b.ask(Request::Ping(Ping {})).await.unwrap();
    assert!(b.pushes.is_empty(), "the window is shut");
    let beyond = Acknowledge {
        through_sequence: 3,
    };
    let code = b.refused(Request::Acknowledge(beyond)).await;
    assert_eq!(code, ErrorCode::SequenceInvalid);
    let one = Acknowledge {
        through_sequence: 1,
    };
    b.ask(Request::Acknowledge(one)).await.unwrap();
    assert_eq!(b.next_deliveries().await.unwrap()[0].sequence, 3);

    relay.restart();
    let mut b = Client::authenticated(&relay, &bob, 1).await.unwrap();
    b.receive(1).await;
    let again = b.next_deliveries().await.unwrap();
    assert_eq!(again.iter().map(number_of).collect::<Vec<_>>(), [2, 3]);
    let all = Acknowledge {
        through_sequence: 3,
    };
    b.ask(Request::Acknowledge(all)).await.unwrap();
    assert!(matches!(b.next_push().await, Ok(Body::CaughtUp(done)) if done.through_sequence == 3));
    assert!(relay.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_wiped_relay_has_another_epoch_and_lets_the_owner_back_in() {
    let relay = SimRelay::new(SimOptions::default());
    let alice = identity(1, 1);
    let a = Client::registered(&relay, &alice).await.unwrap();
    relay.wipe();
    let mut again = Client::connect(&relay).await.unwrap();
    assert_ne!(a.welcome.storage_epoch, again.welcome.storage_epoch);
    let proof = alice.authenticate(&again.welcome, 1).unwrap();
    let code = again.refused(Request::Authenticate(proof)).await;
    assert_eq!(code, ErrorCode::AuthenticationFailed);
    Client::registered(&relay, &alice).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lists_only_rise_and_removed_devices_lose_everything() {
    let relay = SimRelay::new(SimOptions::default());
    let (alice, mut bob) = (identity(1, 1), identity(2, 2));
    let mut a = Client::registered(&relay, &alice).await.unwrap();
    let mut b = Client::registered(&relay, &bob).await.unwrap();
    let mut second = Client::authenticated(&relay, &bob, 2).await.unwrap();
    a.send(message(1, &[&bob])).await.unwrap();
    let old = bob.signed_list();
    bob.remove_device(2);
    let put = |list| {
        Request::PutDeviceList(PutDeviceList {
            device_list: Some(list),
        })
    };
    b.ask(put(bob.signed_list())).await.unwrap();
    let closing = second.next_push().await;
    assert!(
        matches!(closing, Ok(Body::Closing(closing)) if closing.reason() == CloseReason::DeviceRemoved)
    );
    assert_eq!(b.refused(put(old)).await, ErrorCode::DeviceListStale);
    let asked = GetDeviceList {
        account: account(&bob),
        delivery_token: Bytes::new(),
    };
    let found = a.ask(Request::GetDeviceList(asked)).await;
    assert!(
        matches!(found, Ok(Body::DeviceListFound(found)) if found.device_list == Some(bob.signed_list()))
    );
    assert_eq!(relay.waiting(address(&bob, 1)), 1);
    assert_eq!(relay.waiting(address(&bob, 2)), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newer_connection_of_a_device_wins_and_silence_ends_one() {
    let relay = SimRelay::new(SimOptions::default());
    let alice = identity(1, 1);
    let mut older = Client::registered(&relay, &alice).await.unwrap();
    let mut newer = Client::authenticated(&relay, &alice, 1).await.unwrap();
    for (client, reason) in [
        (&mut older, CloseReason::Replaced),
        (&mut newer, CloseReason::IdleTimeout),
    ] {
        let closing = client.next_push().await;
        assert!(matches!(closing, Ok(Body::Closing(closing)) if closing.reason() == reason));
        assert!(client.next_push().await.is_err());
    }
    assert!(!relay.is_connected(address(&alice, 1)));
}

#[tokio::test(start_paused = true)]
async fn strangers_need_the_token_and_names_have_one_owner() {
    let relay = SimRelay::new(SimOptions::default());
    let (alice, bob) = (identity(1, 1), identity(2, 1));
    let mut a = Client::registered(&relay, &alice).await.unwrap();
    let mut b = Client::registered(&relay, &bob).await.unwrap();
    let mut stranger = Client::connect(&relay).await.unwrap();
    let version = PROTOCOL_VERSION;
    let anonymous = Request::Anonymous(Anonymous { version });
    stranger.ask(anonymous).await.unwrap();

    let mut sealed = message(1, &[&bob]);
    sealed.recipients = vec![bob.recipient_with_token(b"sealed")];
    let sent = stranger.send(sealed.clone()).await.unwrap();
    assert!(sent.problems[0].unreachable);
    let token_hash = Bytes::copy_from_slice(&bob.delivery_token_hash());
    let opened = Request::SetDeliveryToken(SetDeliveryToken { token_hash });
    b.ask(opened).await.unwrap();
    assert_eq!(stranger.send(sealed).await.unwrap().stored, 1);
    b.receive(0).await;
    assert_eq!(b.next_deliveries().await.unwrap()[0].sender, None);

    let mut typing = message(2, &[&bob]);
    typing.ephemeral = true;
    assert_eq!(a.send(typing).await.unwrap().stored, 0);
    loop {
        if let Body::Ephemeral(typing) = b.next_push().await.unwrap() {
            assert!(typing.sender.is_some());
            break;
        }
    }

    let name = |name: &str| Request::SetUserName(SetUserName { name: name.into() });
    b.ask(name("bob")).await.unwrap();
    assert_eq!(a.refused(name("bob")).await, ErrorCode::NameTaken);
    assert_eq!(a.refused(name("Bob")).await, ErrorCode::NameInvalid);
    let look_up = Request::LookUpName(LookUpName {
        kind: NameKind::UserName.into(),
        name: "bob".into(),
    });
    let found = a.ask(look_up).await;
    assert!(
        matches!(found, Ok(Body::NameLookedUp(found)) if found.found() == Found::Yes && found.account == account(&bob))
    );
}
