//! Doing what one has no right to: row G4.
//!
//! Every request as nobody, anonymously, as another account, as another device of the same account, as a
//! device that was removed, as a blocked account and as a deleted one: a typed refusal, nothing changed, and
//! nothing learned about whom it concerned.

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::every_request::{Needs, every_request, fetch, pre_keys};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Acknowledge, Anonymous, CloseReason, CountPreKeys, DeleteAccount, ErrorCode, GetDeviceList,
    LookUpName, NameKind, PROTOCOL_VERSION, Ping, PutDeviceList, Receive, SetUserName,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

/// Whether no text of an error names the account it is about.
fn says_nothing_about(error: &hushpost_wire::Error, target: &Identity) -> bool {
    let id = target.account();
    !error.message.contains(&id.to_string())
        && !error.message.contains(&id.uuid().simple().to_string())
}

fn run(relay: &RelayProcess, command: &str, account: &Identity) -> Result {
    let output = relay.command(&["account", command, &account.account().to_string()])?;
    assert!(output.status.success(), "{command}: {output:?}");
    Ok(())
}

/// What an account is to itself and to others: what no attack may change.
async fn picture(owner: &mut Person) -> Result<Vec<Body>> {
    let account = owner.identity.account().as_bytes().to_vec();
    let mut seen = Vec::new();
    for request in [
        Request::GetDeviceList(GetDeviceList {
            account: account.into(),
            delivery_token: Bytes::new(),
        }),
        Request::CountPreKeys(CountPreKeys {}),
        Request::LookUpName(LookUpName {
            kind: NameKind::UserName.into(),
            name: "the_owner".to_owned(),
        }),
        Request::LookUpName(LookUpName {
            kind: NameKind::UserName.into(),
            name: "stolen_name".to_owned(),
        }),
    ] {
        seen.push(owner.client.request(request).await?);
    }
    Ok(seen)
}

async fn owner(relay: &RelayProcess) -> Result<Person> {
    let mut owner = Person::register(relay.address()).await?;
    owner.allow_contacts().await?;
    let name = SetUserName {
        name: "the_owner".to_owned(),
    };
    owner.client.request(Request::SetUserName(name)).await?;
    let keys = Request::UploadPreKeys(pre_keys(1, 30));
    owner.client.request(keys).await?;
    Ok(owner)
}

#[tokio::test]
async fn without_an_identity_everything_but_a_ping_is_refused() -> Result {
    let relay = relay()?;
    let mut owner = owner(&relay).await?;
    let before = picture(&mut owner).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    for (name, needs, request) in every_request(&owner.identity) {
        if needs == Needs::Nothing {
            nobody.request(request).await?;
            continue;
        }
        let error = nobody.request_refused(request).await?;
        assert_eq!(error.code(), ErrorCode::Unauthenticated, "{name}");
        assert!(says_nothing_about(&error, &owner.identity), "{name}");
    }
    assert!(picture(&mut owner).await? == before);
    Ok(())
}

#[tokio::test]
async fn anonymously_nothing_that_is_a_devices_can_be_done() -> Result {
    let relay = relay()?;
    let mut owner = owner(&relay).await?;
    let before = picture(&mut owner).await?;
    let (mut nobody, welcome) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    for (name, needs, request) in every_request(&owner.identity) {
        if needs == Needs::Device {
            let error = nobody.request_refused(request).await?;
            assert_eq!(error.code(), ErrorCode::Unauthenticated, "{name}");
            assert!(says_nothing_about(&error, &owner.identity), "{name}");
        }
    }
    // Without the delivery token the owner does not exist.
    let list = GetDeviceList {
        account: owner.identity.account().as_bytes().to_vec().into(),
        delivery_token: Bytes::new(),
    };
    for request in [Request::GetDeviceList(list), fetch(&owner.identity)] {
        let error = nobody.request_refused(request).await?;
        assert_eq!(error.code(), ErrorCode::NotFound);
    }
    let send = message(random_id()?, vec![owner.identity.recipient(b"x")]);
    let answer = sent(nobody.request(Request::Send(send)).await?)?;
    assert!(answer.stored == 0 && answer.problems[0].unreachable);
    assert!(answer.problems[0].missing.is_empty());
    // And no second identity, of whatever kind.
    let anonymous = Anonymous {
        version: PROTOCOL_VERSION,
    };
    let register = Identity::new()?.register(&welcome)?;
    let authenticate = owner.identity.authenticate(&welcome, 1)?;
    for request in [
        Request::Anonymous(anonymous),
        Request::Authenticate(authenticate),
        Request::Register(register),
    ] {
        let error = nobody.request_refused(request).await?;
        assert_eq!(error.code(), ErrorCode::AlreadyAuthenticated);
    }
    assert!(picture(&mut owner).await? == before);
    Ok(())
}

#[tokio::test]
async fn another_account_changes_nothing_of_the_owners() -> Result {
    let relay = relay()?;
    let mut owner = owner(&relay).await?;
    let before = picture(&mut owner).await?;
    let mut friend = Person::register(relay.address()).await?;
    for number in 0..3u8 {
        let to_owner = vec![owner.identity.recipient(&[number])];
        friend.send(random_id()?, to_owner).await?;
    }
    let mut thief = Person::register(relay.address()).await?;

    // The owner's list, signed by the owner; by the thief in the owner's name; the thief's own with the
    // owner's account key in it.
    let genuine = owner.identity.signed_list();
    let mut forged = owner.identity.clone();
    forged.list_version = 2;
    forged
        .devices
        .extend(
            thief
                .identity
                .devices
                .iter()
                .cloned()
                .map(|keys| hushpost_harness::DeviceKeys {
                    device: hushpost_wire::DeviceId::new(2).expect("a number"),
                    ..keys
                }),
        );
    let mut forged = forged.signed_list();
    forged.signature = thief.identity.signed_list().signature;
    for list in [genuine, forged] {
        let request = Request::PutDeviceList(PutDeviceList {
            device_list: Some(list),
        });
        let error = thief.client.request_refused(request).await?;
        assert_eq!(error.code(), ErrorCode::DeviceListInvalid);
        assert!(says_nothing_about(&error, &owner.identity));
    }
    let taken = SetUserName {
        name: "the_owner".to_owned(),
    };
    let error = thief
        .client
        .request_refused(Request::SetUserName(taken))
        .await?;
    assert_eq!(error.code(), ErrorCode::NameTaken);

    // The mailbox that is read, acknowledged, counted and deleted is the thief's own.
    thief.receive(0).await?;
    assert!(thief.messages_until_caught_up().await?.is_empty());
    for through_sequence in 1..=3 {
        let request = Request::Acknowledge(Acknowledge { through_sequence });
        let error = thief.client.request_refused(request).await?;
        assert_eq!(error.code(), ErrorCode::SequenceInvalid);
    }
    let beyond = Request::Receive(Receive { after_sequence: 3 });
    assert_eq!(
        thief.client.request_refused(beyond).await?.code(),
        ErrorCode::SequenceInvalid
    );
    let Body::PreKeyCounts(counts) = thief
        .client
        .request(Request::CountPreKeys(CountPreKeys {}))
        .await?
    else {
        panic!("counts");
    };
    assert_eq!(counts.one_time_pre_keys, 0);
    thief
        .client
        .request(Request::DeleteAccount(DeleteAccount {}))
        .await?;

    assert!(picture(&mut owner).await? == before);
    owner.receive(0).await?;
    assert_eq!(owner.messages_until_caught_up().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn another_device_of_the_same_account_has_a_mailbox_and_keys_of_its_own() -> Result {
    let relay = relay()?;
    let identity = Identity::with_devices(2)?;
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    first.register(&welcome, &identity).await?;
    let (mut second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
    let mut friend = Person::register(relay.address()).await?;
    for _ in 0..3 {
        let answer = friend
            .send(random_id()?, vec![identity.recipient(b"x")])
            .await?;
        assert_eq!(answer.stored, 2);
    }
    first
        .request(Request::UploadPreKeys(pre_keys(1, 5)))
        .await?;
    let receive = || Request::Receive(Receive { after_sequence: 0 });
    first.request(receive()).await?;
    second.request(receive()).await?;
    let mut seconds = Person {
        identity: identity.clone(),
        client: second,
    };
    assert_eq!(seconds.messages(3).await?.len(), 3);
    seconds.acknowledge(3).await?;
    let count = Request::CountPreKeys(CountPreKeys {});
    let Body::PreKeyCounts(counts) = seconds.client.request(count).await? else {
        panic!("counts");
    };
    assert_eq!(counts.one_time_pre_keys, 0, "the other device's");
    // What the second has acknowledged, the first still gets.
    let mut firsts = Person {
        identity,
        client: first,
    };
    firsts.reconnect(relay.address()).await?;
    firsts.receive(0).await?;
    assert_eq!(firsts.messages_until_caught_up().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_removed_device_is_out_for_good() -> Result {
    let relay = relay()?;
    let mut identity = Identity::with_devices(2)?;
    let old_list = identity.clone();
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    first.register(&welcome, &identity).await?;
    let (mut second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
    let mut friend = Person::register(relay.address()).await?;
    friend
        .send(random_id()?, vec![identity.recipient(b"for both")])
        .await?;
    second
        .request(Request::UploadPreKeys(pre_keys(1, 5)))
        .await?;

    identity.remove_device(2);
    let list = PutDeviceList {
        device_list: Some(identity.signed_list()),
    };
    first.request(Request::PutDeviceList(list)).await?;
    let ending = second.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::DeviceRemoved)
    );

    // It proves itself as before; and with the list on which it stood, which its account did sign.
    let (mut again, welcome) = Client::connect(relay.address()).await?;
    let proof = old_list.authenticate(&welcome, 2)?;
    let refused = again
        .request_refused(Request::Authenticate(proof.clone()))
        .await?;
    assert_eq!(refused.code(), ErrorCode::AuthenticationFailed);
    for (list, code) in [
        (old_list.signed_list(), ErrorCode::DeviceListStale),
        (identity.signed_list(), ErrorCode::AuthenticationFailed),
    ] {
        let register = hushpost_wire::Register {
            device: Some(proof.clone()),
            device_list: Some(list),
            ..Default::default()
        };
        let refused = again.request_refused(Request::Register(register)).await?;
        assert_eq!(refused.code(), code);
    }
    // Still nobody: nothing that needs a device is done on this connection.
    for (name, needs, request) in every_request(&identity) {
        if needs == Needs::Device {
            let error = again.request_refused(request).await?;
            assert_eq!(error.code(), ErrorCode::Unauthenticated, "{name}");
        }
    }
    // Its mail and keys are gone: a new device of that number gets neither.
    identity.add_device()?;
    let list = PutDeviceList {
        device_list: Some(identity.signed_list()),
    };
    first.request(Request::PutDeviceList(list)).await?;
    let (client, proven) = Client::connect_as(relay.address(), &identity, 2).await?;
    assert_eq!(proven.last_sequence, 0);
    assert_eq!(proven.pre_keys.map(|keys| keys.one_time_pre_keys), Some(0));
    let mut new = Person { identity, client };
    new.receive(0).await?;
    assert!(new.messages_until_caught_up().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_blocked_account_is_out_until_it_is_let_in_again() -> Result {
    let mut relay = relay()?;
    let Person { identity, client } = Person::register(relay.address()).await?;
    let mut friend = Person::register(relay.address()).await?;
    friend
        .send(random_id()?, vec![identity.recipient(b"kept")])
        .await?;
    run(&relay, "block", &identity)?;
    let ending = client.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::AccountBlocked)
    );
    for restarted in [false, true] {
        if restarted {
            relay.kill()?;
            relay.restart()?;
        }
        let (mut blocked, welcome) = Client::connect(relay.address()).await?;
        let proof = identity.authenticate(&welcome, 1)?;
        let mut newer = identity.clone();
        newer.list_version = 9;
        for request in [
            Request::Authenticate(proof.clone()),
            Request::Register(identity.register(&welcome)?),
            Request::Register(newer.register(&welcome)?),
        ] {
            let refused = blocked.request_refused(request).await?;
            assert_eq!(refused.code(), ErrorCode::Blocked);
        }
        // Only who proves to be the device learns of the block.
        let mut forged = proof;
        forged.signature = vec![7; 64].into();
        let refused = blocked
            .request_refused(Request::Authenticate(forged))
            .await?;
        assert_eq!(refused.code(), ErrorCode::AuthenticationFailed);
        for (name, needs, request) in every_request(&identity) {
            if needs != Needs::Nothing {
                let error = blocked.request_refused(request).await?;
                assert_eq!(error.code(), ErrorCode::Unauthenticated, "{name}");
            }
        }
    }
    run(&relay, "unblock", &identity)?;
    let (client, _) = Client::connect_as(relay.address(), &identity, 1).await?;
    let mut back = Person { identity, client };
    back.receive(0).await?;
    assert_eq!(back.messages_until_caught_up().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_deleted_account_is_as_if_it_had_never_been() -> Result {
    let relay = relay()?;
    let mut friend = Person::register(relay.address()).await?;
    for by_operator in [false, true] {
        let identity = Identity::with_devices(2)?;
        let (mut first, welcome) = Client::connect(relay.address()).await?;
        first.register(&welcome, &identity).await?;
        let (second, _) = Client::connect_as(relay.address(), &identity, 2).await?;
        let name = SetUserName {
            name: "the_owner".to_owned(),
        };
        first.request(Request::SetUserName(name)).await?;
        friend
            .send(random_id()?, vec![identity.recipient(b"unread")])
            .await?;
        if by_operator {
            run(&relay, "delete", &identity)?;
        } else {
            first
                .request(Request::DeleteAccount(DeleteAccount {}))
                .await?;
        }
        for connection in [first, second] {
            let ending = connection.ended().await?;
            assert_eq!(
                ending.closing.map(|closing| closing.reason()),
                Some(CloseReason::AccountDeleted)
            );
        }

        // Nobody comes in, nobody is found, nothing can be sent: as for an account that never was.
        let never = Identity::with_devices(2)?;
        let mut answers = Vec::new();
        for account in [&identity, &never] {
            let (mut gone, welcome) = Client::connect(relay.address()).await?;
            let proof = Request::Authenticate(account.authenticate(&welcome, 2)?);
            answers.push(format!("{:?}", gone.request_refused(proof).await?));
            let list = GetDeviceList {
                account: account.account().as_bytes().to_vec().into(),
                delivery_token: Bytes::new(),
            };
            for request in [Request::GetDeviceList(list), fetch(account)] {
                let refused = friend.client.request_refused(request).await?;
                assert_eq!(refused.code(), ErrorCode::NotFound);
                answers.push(format!("{refused:?}"));
            }
            let sent = friend
                .send(random_id()?, vec![account.recipient(b"x")])
                .await?;
            assert!(sent.problems[0].unreachable);
        }
        let (gone, never) = answers.split_at(answers.len() / 2);
        assert_eq!(gone, never);
        let Body::NameLookedUp(found) = friend
            .client
            .request(Request::LookUpName(LookUpName {
                kind: NameKind::UserName.into(),
                name: "the_owner".to_owned(),
            }))
            .await?
        else {
            panic!("looked up");
        };
        assert_eq!(found.account.as_ref(), [0; 16]);
        // Its owner may begin anew, and finds nothing of what was.
        let (client, welcome) = Client::connect(relay.address()).await?;
        let mut anew = Person { identity, client };
        let begun = anew.client.register(&welcome, &anew.identity).await?;
        assert_eq!(begun.last_sequence, 0);
        anew.receive(0).await?;
        assert!(anew.messages_until_caught_up().await?.is_empty());
        anew.client.request(Request::Ping(Ping {})).await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_gets_in_with_a_list_that_is_not_signed_as_it_stands() -> Result {
    let relay = relay()?;
    let victim = Person::register(relay.address()).await?;
    let thief = Identity::new()?;
    // A list of the victim's account with the thief's device on it.
    let mut forged = victim.identity.clone();
    forged.devices.clone_from(&thief.devices);
    forged.list_version = 2;
    let honest_signature = victim.identity.signed_list().signature;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let mut register = forged.register(&welcome)?;
    // Signed by nobody, by another, for another list.
    let others = Identity {
        account_key: thief.account_key.clone(),
        ..forged.clone()
    };
    for signature in [
        Vec::new().into(),
        vec![0; 64].into(),
        honest_signature,
        others.signed_list().signature,
    ] {
        if let Some(list) = register.device_list.as_mut() {
            list.signature = signature;
        }
        let refused = client
            .request_refused(Request::Register(register.clone()))
            .await?;
        assert_eq!(refused.code(), ErrorCode::DeviceListInvalid);
    }
    // A list of the thief's own, for the victim's account id.
    let mut register = thief.register(&welcome)?;
    if let Some(proof) = register.device.as_mut() {
        proof.account = victim.identity.account().as_bytes().to_vec().into();
    }
    let refused = client.request_refused(Request::Register(register)).await?;
    assert_eq!(refused.code(), ErrorCode::DeviceListInvalid);
    // Too many devices.
    let crowd = Identity::with_devices(7)?;
    let refused = client
        .request_refused(Request::Register(crowd.register(&welcome)?))
        .await?;
    assert_eq!(refused.code(), ErrorCode::TooManyDevices);
    Ok(())
}
