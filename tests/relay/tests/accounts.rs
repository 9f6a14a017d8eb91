//! Accounts through a real relay: who may register, who comes back, what a new device list does, and that
//! deleting leaves nothing.

#![allow(
    clippy::default_trait_access,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use hushpost_harness::{Client, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::evidence::{cells_with, database, number};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    CloseReason, DeleteAccount, DeviceId, ErrorCode, GetDeviceList, Ping, PutDeviceList, Register,
    SetDeliveryToken, SetUserName, VerifiedDeviceList,
};

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

fn put(identity: &Identity) -> Request {
    Request::PutDeviceList(PutDeviceList {
        device_list: Some(identity.signed_list()),
    })
}

/// The list that the relay serves of an account, checked.
async fn served_list(asker: &mut Client, of: &Identity) -> Result<VerifiedDeviceList> {
    let request = Request::GetDeviceList(GetDeviceList {
        account: of.account().as_bytes().to_vec().into(),
        delivery_token: Default::default(),
    });
    match asker.request(request).await? {
        Body::DeviceListFound(found) => Ok(VerifiedDeviceList::verify(
            &found.device_list.expect("a list"),
        )?),
        _ => panic!("a device list"),
    }
}

async fn register_with(
    relay: &RelayProcess,
    identity: &Identity,
    change: impl FnOnce(&mut Register),
) -> Result<(), hushpost_harness::HarnessError> {
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let mut register = identity.register(&welcome)?;
    change(&mut register);
    client.request(Request::Register(register)).await.map(drop)
}

fn code(error: hushpost_harness::HarnessError) -> ErrorCode {
    error.code().unwrap_or_else(|| panic!("{error}"))
}

#[tokio::test]
async fn an_open_relay_takes_everybody_who_can_prove_an_account() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let list = served_list(&mut alice.client, &alice.identity).await?;
    assert_eq!(
        (list.account(), list.version()),
        (alice.identity.account(), 1)
    );

    // A list of somebody else, signed by its owner: seeing it is not having its keys.
    let mallory = Identity::new()?;
    let forged = register_with(&relay, &mallory, |register| {
        register.device_list = Some(alice.identity.signed_list());
    });
    assert_eq!(
        code(forged.await.err().unwrap()),
        ErrorCode::DeviceListInvalid
    );
    let mut thief = alice.identity.clone();
    thief.devices[0].authentication_key = mallory.devices[0].authentication_key.clone();
    let forged = register_with(&relay, &thief, |register| {
        register.device_list = Some(alice.identity.signed_list());
    });
    assert_eq!(
        code(forged.await.err().unwrap()),
        ErrorCode::AuthenticationFailed
    );

    // A list whose signature is another's.
    let broken = Identity::new()?;
    let forged = register_with(&relay, &broken, |register| {
        let mut list = broken.signed_list();
        list.signature = alice.identity.signed_list().signature;
        register.device_list = Some(list);
    });
    assert_eq!(
        code(forged.await.err().unwrap()),
        ErrorCode::DeviceListInvalid
    );
    let database = database(&relay)?;
    assert_eq!(number(&database, "SELECT count(*) FROM account")?, 1);
    Ok(())
}

#[tokio::test]
async fn where_invite_codes_are_asked_for_a_new_account_needs_one_and_a_known_one_does_not()
-> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[registration]\ninvite_codes = ['summer', 'winter']")
        .start()?;
    let identity = Identity::new()?;
    for wrong in ["", "summe", "summer ", "SUMMER", &"x".repeat(300)] {
        let refused = register_with(&relay, &identity, |register| {
            register.invite_code = wrong.to_owned();
        });
        assert_eq!(
            code(refused.await.err().unwrap()),
            ErrorCode::InviteRequired,
            "{wrong}"
        );
    }
    for right in ["winter", "", "used up already"] {
        register_with(&relay, &identity, |register| {
            register.invite_code = right.to_owned();
        })
        .await?;
    }
    assert_eq!(
        number(&database(&relay)?, "SELECT count(*) FROM account")?,
        1
    );
    Ok(())
}

#[tokio::test]
async fn registering_again_changes_nothing_and_costs_no_message() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let bob = Person::register(relay.address()).await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"waits")])
        .await?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let answer = client.register(&welcome, &bob.identity).await?;
    assert_eq!((answer.device_list_version, answer.last_sequence), (1, 1));
    let mut bob = Person {
        identity: bob.identity,
        client,
    };
    bob.receive(0).await?;
    assert_eq!(bob.messages(1).await?[0].ciphertext.as_ref(), b"waits");

    // The same account with an older list, or another list of the same version, does not come in that way.
    bob.identity.add_device()?;
    bob.client.request(put(&bob.identity)).await?;
    let mut older = bob.identity.clone();
    older.devices.pop();
    for version in [1, 2] {
        older.list_version = version;
        let refused = register_with(&relay, &older, |_| {}).await.err().unwrap();
        assert_eq!(code(refused), ErrorCode::DeviceListStale);
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_that_lost_its_store_says_so_and_lets_its_owners_back_in() -> Result {
    let mut relay = relay()?;
    let mut identity = Identity::with_devices(2)?;
    let (mut client, before) = Client::connect(relay.address()).await?;
    client.register(&before, &identity).await?;
    identity.remove_device(2);
    client.request(put(&identity)).await?;

    assert!(relay.terminate()?.success());
    relay.restart()?;
    let (_, same) = Client::connect(relay.address()).await?;
    assert_eq!(
        before.storage_epoch, same.storage_epoch,
        "a restart is no loss"
    );
    assert_eq!(before.storage_epoch.len(), 16);

    relay.kill()?;
    std::fs::remove_dir_all(relay.data_dir())?;
    relay.restart()?;
    let (mut client, after) = Client::connect(relay.address()).await?;
    assert_ne!(before.storage_epoch, after.storage_epoch);
    let unknown = client
        .authenticate(&after, &identity, 1)
        .await
        .err()
        .unwrap();
    assert_eq!(unknown.code(), Some(ErrorCode::AuthenticationFailed));
    let back = client.register(&after, &identity).await?;
    assert_eq!((back.device_list_version, back.last_sequence), (2, 0));
    let list = served_list(&mut client, &identity).await?;
    assert_eq!((list.version(), list.devices().len()), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_list_is_replaced_only_by_its_account_and_by_a_newer_one() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\ndevices = 3")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let first = alice.identity.clone();
    alice.identity.add_device()?;
    alice.client.request(put(&alice.identity)).await?;
    // The very same again is no error: the client did not hear the answer.
    alice.client.request(put(&alice.identity)).await?;

    let mut other = first.clone();
    other.list_version = 2;
    for stale in [&first, &other] {
        let refused = alice.client.request_refused(put(stale)).await?;
        assert_eq!(refused.code(), ErrorCode::DeviceListStale);
    }
    let mut stranger = Identity::new()?;
    stranger.list_version = 9;
    let refused = alice.client.request_refused(put(&stranger)).await?;
    assert_eq!(refused.code(), ErrorCode::DeviceListInvalid);
    let refused = alice
        .client
        .request_refused(Request::PutDeviceList(PutDeviceList { device_list: None }))
        .await?;
    assert_eq!(refused.code(), ErrorCode::BadRequest);

    let mut crowd = alice.identity.clone();
    crowd.add_device()?;
    crowd.add_device()?;
    let refused = alice.client.request_refused(put(&crowd)).await?;
    assert_eq!(refused.code(), ErrorCode::TooManyDevices);
    let crowd = Identity::with_devices(4)?;
    let refused = register_with(&relay, &crowd, |_| {}).await.err().unwrap();
    assert_eq!(code(refused), ErrorCode::TooManyDevices);

    let list = served_list(&mut alice.client, &alice.identity).await?;
    assert_eq!((list.version(), list.devices().len()), (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_removed_device_loses_its_connection_and_its_mailbox() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut identity = Identity::with_devices(2)?;
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    first.register(&welcome, &identity).await?;
    let (second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
    let answer = alice
        .send(random_id()?, vec![identity.recipient(b"for both")])
        .await?;
    assert_eq!(answer.stored, 2);

    let removed = identity.clone();
    identity.remove_device(2);
    first.request(put(&identity)).await?;
    let ending = second.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::DeviceRemoved)
    );
    let refused = Client::connect_as(relay.address(), &removed, 2)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Some(ErrorCode::AuthenticationFailed));

    // The number may be given out again: to a device with a mailbox and keys of its own.
    identity.add_device()?;
    assert_eq!(identity.devices[1].device, DeviceId::new(2)?);
    first.request(put(&identity)).await?;
    let (client, authenticated) = Client::connect_as(relay.address(), &identity, 2).await?;
    assert_eq!(authenticated.last_sequence, 0);
    let mut again = Person { identity, client };
    again.receive(0).await?;
    assert_eq!(again.messages_until_caught_up().await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_set_up_anew_is_another_device() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    for anew in [
        (|identity| identity.devices[1].registration_id ^= 1) as fn(&mut Identity),
        |identity| identity.devices[1].identity_key[7] ^= 1,
    ] {
        let mut identity = Identity::with_devices(2)?;
        let (mut first, welcome) = Client::connect(relay.address()).await?;
        first.register(&welcome, &identity).await?;
        let (second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
        alice
            .send(random_id()?, vec![identity.recipient(b"for the old one")])
            .await?;
        anew(&mut identity);
        identity.list_version = 2;
        first.request(put(&identity)).await?;
        assert_eq!(
            second
                .ended()
                .await?
                .closing
                .map(|closing| closing.reason()),
            Some(CloseReason::DeviceRemoved)
        );
        let (_, authenticated) = Client::connect_as(relay.address(), &identity, 2).await?;
        assert_eq!(authenticated.last_sequence, 0);
        // The other device keeps what it has.
        let (client, authenticated) = Client::connect_as(relay.address(), &identity, 1).await?;
        assert_eq!(authenticated.last_sequence, 1);
        drop(client);
    }
    // Another key to prove itself with is still the same device.
    let mut bob = Person::register(relay.address()).await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"stays")])
        .await?;
    bob.identity.devices[0].authentication_key =
        Identity::new()?.devices[0].authentication_key.clone();
    bob.identity.list_version = 2;
    bob.client.request(put(&bob.identity)).await?;
    let (_, authenticated) = Client::connect_as(relay.address(), &bob.identity, 1).await?;
    assert_eq!(authenticated.last_sequence, 1);
    Ok(())
}

#[tokio::test]
async fn only_who_shows_the_delivery_token_sees_an_account_anonymously() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    let mut ask = GetDeviceList {
        account: bob.identity.account().as_bytes().to_vec().into(),
        delivery_token: bob.identity.delivery_token.to_vec().into(),
    };
    let early = nobody
        .request_refused(Request::GetDeviceList(ask.clone()))
        .await?;
    assert_eq!(early.code(), ErrorCode::Unauthenticated);
    nobody.anonymous().await?;

    // None is set: no token opens.
    let refused = nobody
        .request_refused(Request::GetDeviceList(ask.clone()))
        .await?;
    assert_eq!(refused.code(), ErrorCode::NotFound);
    bob.allow_contacts().await?;
    nobody.request(Request::GetDeviceList(ask.clone())).await?;

    // Wrong, missing, the hash itself, and no such account: one answer, word for word.
    let mut answers = Vec::new();
    for token in [
        vec![0; 16],
        Vec::new(),
        bob.identity.delivery_token_hash().to_vec(),
    ] {
        ask.delivery_token = token.into();
        answers.push(
            nobody
                .request_refused(Request::GetDeviceList(ask.clone()))
                .await?,
        );
    }
    ask.account = Identity::new()?.account().as_bytes().to_vec().into();
    answers.push(
        nobody
            .request_refused(Request::GetDeviceList(ask.clone()))
            .await?,
    );
    assert_eq!(answers[0].code(), ErrorCode::NotFound);
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );

    // Another token shuts out those who knew the old one; an empty one everybody.
    let old = bob.identity.delivery_token;
    for (new, old_opens) in [([9; 16], false), (old, true)] {
        bob.identity.delivery_token = new;
        bob.allow_contacts().await?;
        let mut group = message(random_id()?, vec![bob.identity.recipient(b"x")]);
        group.recipients[0].delivery_token = old.to_vec().into();
        let answer = sent(nobody.request(Request::Send(group)).await?)?;
        assert_eq!(answer.stored == 1, old_opens);
        assert_eq!(
            answer.problems.iter().any(|problem| problem.unreachable),
            !old_opens
        );
    }
    for (hash, accepted) in [(vec![], true), (vec![1; 31], false), (vec![1; 16], false)] {
        let request = Request::SetDeliveryToken(SetDeliveryToken {
            token_hash: hash.into(),
        });
        assert_eq!(bob.client.request(request).await.is_ok(), accepted);
    }
    let group = message(
        random_id()?,
        vec![bob.identity.recipient_with_token(b"too late")],
    );
    let answer = sent(nobody.request(Request::Send(group)).await?)?;
    assert!(answer.problems[0].unreachable);
    Ok(())
}

#[tokio::test]
async fn deleting_an_account_leaves_nothing_of_it() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let identity = Identity::with_devices(2)?;
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    first.register(&welcome, &identity).await?;
    let (second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
    let name = Request::SetUserName(SetUserName {
        name: "leaving".to_owned(),
    });
    first.request(name).await?;
    let token_hash = identity.delivery_token_hash().to_vec().into();
    first
        .request(Request::SetDeliveryToken(SetDeliveryToken { token_hash }))
        .await?;
    // Own and shared ciphertexts, settled and not.
    for number in 0..3 {
        let mut group = message(
            random_id()?,
            vec![identity.recipient(b""), alice.identity.recipient(b"")],
        );
        group.recipients[1].devices.clear();
        group.shared_ciphertext = Some(vec![number; 700].into());
        sent(alice.client.request(Request::Send(group)).await?)?;
        alice
            .send(random_id()?, vec![identity.recipient(b"waits for ever")])
            .await?;
    }
    assert!(relay.terminate()?.success());
    assert!(number(&database(&relay)?, "SELECT count(*) FROM mailbox")? > 0);
    assert!(number(&database(&relay)?, "SELECT count(*) FROM payload")? > 0);
    drop(second);
    relay.restart()?;
    let (mut first, _) = Client::connect_as(relay.address(), &identity, 1).await?;
    let (second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
    alice.reconnect(relay.address()).await?;
    alice
        .send(random_id()?, vec![identity.recipient(b"in the journal")])
        .await?;

    first
        .request(Request::DeleteAccount(DeleteAccount {}))
        .await?;
    for connection in [first, second] {
        assert_eq!(
            connection
                .ended()
                .await?
                .closing
                .map(|closing| closing.reason()),
            Some(CloseReason::AccountDeleted)
        );
    }
    let refused = Client::connect_as(relay.address(), &identity, 1)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Some(ErrorCode::AuthenticationFailed));
    let answer = alice
        .send(random_id()?, vec![identity.recipient(b"x")])
        .await?;
    assert!(answer.problems[0].unreachable);
    // The name is free again.
    let name = Request::SetUserName(SetUserName {
        name: "leaving".to_owned(),
    });
    alice.client.request(name).await?;
    alice.client.request(Request::Ping(Ping {})).await?;

    assert!(relay.terminate()?.success());
    let database = database(&relay)?;
    for table in ["account", "device", "queue", "name"] {
        let count = number(&database, &format!("SELECT count(*) FROM {table}"))?;
        assert_eq!(count, 1, "{table}: alice's");
    }
    for table in [
        "mailbox",
        "payload",
        "journal",
        "lasting_key",
        "one_time_key",
    ] {
        let count = number(&database, &format!("SELECT count(*) FROM {table}"))?;
        assert_eq!(count, 0, "{table}");
    }
    let keys = &identity.devices[0];
    for trace in [
        identity.account().as_bytes().as_slice(),
        identity.account_key.verifying_key().as_bytes(),
        keys.identity_key.as_slice(),
        keys.authentication_key.verifying_key().as_bytes(),
        &identity.delivery_token_hash(),
    ] {
        assert!(cells_with(&database, trace)?.is_empty());
    }
    Ok(())
}
