//! The relay lies about who has which devices: ghosts on lists, lists signed by others, old ones, two of one version,
//! devices that speak without being listed. Nothing is encrypted to a device that its account does not vouch for, and
//! a verified contact whose devices changed gets nothing until the user says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod attack_stage;
mod by_hand;

use std::collections::BTreeSet;
use std::fs;

use attack_stage::{Result, asks_for, bundles_of, check_calm, flip, stage, told_until};
use by_hand::{ByHand, Ghost};
use bytes::Bytes;
use hushpost::{AccountId, Event, MessageState};
use hushpost_client_tests::{Person, text};
use hushpost_evil_relay::{EvilRelay, Record, Verdict};
use hushpost_harness::Identity;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    DeviceList, RecipientProblem, SignedDeviceList, VerifiedDeviceList, device_list,
};
use prost::Message as _;

/// Lists for an account that its key did not sign.
fn forgeries(good: &SignedDeviceList) -> Vec<(&'static str, SignedDeviceList)> {
    let ghost = Identity::with_devices(2).unwrap();
    let decode = || DeviceList::decode(good.device_list.clone()).unwrap();
    let changed = |change: &dyn Fn(&mut DeviceList)| {
        let mut list = decode();
        change(&mut list);
        SignedDeviceList {
            device_list: list.encode_to_vec().into(),
            signature: good.signature.clone(),
        }
    };
    let add_ghost = |list: &mut DeviceList| {
        list.devices.push(ghost.devices[1].entry());
        list.version += 1;
    };
    let signed_by_ghost = |list: &DeviceList| {
        device_list::sign(&ghost.account_key, list.version, 0, list.devices.clone())
    };
    let mut ghosts = decode();
    add_ghost(&mut ghosts);
    let with_signature = |signature: Vec<u8>| SignedDeviceList {
        device_list: changed(&add_ghost).device_list,
        signature: signature.into(),
    };
    let mut lists = vec![
        ("a ghost under the old signature", changed(&add_ghost)),
        ("without a signature", with_signature(Vec::new())),
        ("under a signature of zeros", with_signature(vec![0; 64])),
        ("a ghost, signed by another", signed_by_ghost(&ghosts)),
        (
            "under another's signature",
            with_signature(signed_by_ghost(&ghosts).signature.to_vec()),
        ),
        ("another account's list", ghost.signed_list()),
        (
            "the ghost's key in place of his",
            changed(&|list| {
                list.version += 1;
                list.devices[0].identity_key = ghost.devices[0].entry().identity_key;
            }),
        ),
        (
            "another number",
            changed(&|list| {
                list.version += 1;
                list.devices[0].device = 2;
            }),
        ),
        ("a higher version", changed(&|list| list.version = u32::MAX)),
        ("version 0", changed(&|list| list.version = 0)),
        ("no devices", changed(&|list| list.devices.clear())),
        ("nothing", SignedDeviceList::default()),
    ];
    for bit in [3, 255, 256, 511] {
        let mut flipped = changed(&|list| list.version += 1);
        let mut whole = good.clone();
        flip(&mut flipped.signature, bit);
        flip(&mut whole.signature, bit);
        lists.push(("a bit of the signature, newer", flipped));
        lists.push(("a bit of the signature", whole));
    }
    lists
}

/// The devices that each send of somebody's names for an account.
fn devices_named(line: &EvilRelay, from: AccountId, to: AccountId) -> Vec<Vec<u32>> {
    let sends = line.recorded_sends().into_iter();
    let theirs = sends.filter(|(who, _)| who.is(from));
    let recipients = theirs.flat_map(|(_, send)| send.recipients);
    let to_them = recipients.filter(|one| one.account.as_ref() == to.as_bytes());
    to_them
        .map(|one| one.devices.iter().map(|device| device.device).collect())
        .collect()
}

/// The next message to an account lacks this device, the relay says.
fn claim_missing(line: &EvilRelay, account: AccountId, device: u32) {
    line.once().on_answer(move |asked, body, _| {
        let (Request::Send(send), Body::Sent(answer)) = (asked, body) else {
            return Verdict::Pass;
        };
        let to_them = |account: AccountId| {
            let mut recipients = send.recipients.iter();
            recipients.any(|one| one.account.as_ref() == account.as_bytes())
        };
        if !to_them(account) {
            return Verdict::Pass;
        }
        answer.problems = vec![RecipientProblem {
            account: account.as_bytes().to_vec().into(),
            missing: vec![device],
            ..RecipientProblem::default()
        }];
        Verdict::Rewrite
    });
}

fn list_requests(record: &Record, account: AccountId) -> usize {
    let requests = record.requests().filter(|(_, request)| match request {
        Request::GetDeviceList(asked) => asked.account.as_ref() == account.as_bytes(),
        _ => false,
    });
    requests.count()
}

async fn befriend(one: &Person, other: &Person) -> Result {
    let hello = one.say(other, "hello").await?;
    other.until_shown(hello).await?;
    let answer = other.say(one, "hello too").await?;
    one.until_shown(answer).await?;
    one.until_state(hello, MessageState::Delivered).await?;
    other.until_state(answer, MessageState::Delivered).await?;
    Ok(())
}

#[tokio::test]
async fn at_first_contact_only_the_accounts_own_list_counts() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    carol.until_online().await?;
    let good = bundles_of(&line, carol.account, bob.account).await;
    alice.until_online().await?;
    alice.client.disconnect().await;
    let secret = alice.say(&bob, "for Bob alone").await?;
    let fetches = move |record: &Record| {
        let requests = record.requests();
        requests
            .filter(|(_, request)| asks_for(request, bob.account))
            .count()
    };
    for (name, list) in forgeries(good.device_list.as_ref().unwrap()) {
        let mut forged = good.clone();
        forged.device_list = Some(list);
        let mut ghost = forged.bundles[0].clone();
        ghost.device = 2;
        forged.bundles.push(ghost);
        let rule = line.on_request(move |request, _| {
            if asks_for(request, bob.account) {
                Verdict::instead(Body::PreKeyBundles(forged.clone()))
            } else {
                Verdict::Pass
            }
        });
        let before = fetches(&line.record());
        alice.client.connect();
        // That she asks again shows that she has looked at the first answer.
        line.until(name, |record| fetches(record) >= before + 2)
            .await
            .unwrap();
        alice.client.disconnect().await;
        line.remove(rule);
        let sent = devices_named(&line, alice.account, bob.account);
        assert!(sent.is_empty(), "{name}");
        // Nothing of the list was kept.
        let number = alice.client.contacts().safety_number(bob.account).await;
        assert_eq!(number.unwrap_err().code(), "not_found", "{name}");
    }
    alice.client.connect();
    assert_eq!(bob.until_shown(secret).await?, "for Bob alone");
    let named = devices_named(&line, alice.account, bob.account);
    assert_eq!(named, [[1]]);
    Ok(())
}

#[tokio::test]
async fn a_ghost_that_the_relay_claims_is_missing_gets_nothing() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    befriend(&alice, &bob).await?;
    alice
        .client
        .contacts()
        .set_verified(bob.account, true)
        .await?;
    let good = bundles_of(&line, alice.account, bob.account).await;
    for (name, list) in forgeries(good.device_list.as_ref().unwrap()) {
        let rule = line.serve_device_list(bob.account, list);
        let mut events = alice.client.events();
        let before = list_requests(&line.record(), bob.account);
        claim_missing(&line, bob.account, 2);
        let said = alice.say(&bob, name).await?;
        bob.until_shown(said).await?;
        alice.until_state(said, MessageState::Delivered).await?;
        line.until(name, |record| list_requests(record, bob.account) > before)
            .await
            .unwrap();
        // Whatever came of the answer was told before what is told of this.
        let answer = bob.say(&alice, "heard").await?;
        let told = told_until(&alice, &mut events, answer).await?;
        check_calm(&alice, &told, 2, name).await?;
        line.remove(rule);
    }
    let named: BTreeSet<_> = devices_named(&line, alice.account, bob.account)
        .into_iter()
        .collect();
    assert_eq!(named, BTreeSet::from([vec![1]]));
    let contact = alice.client.contacts().get(bob.account).await?.unwrap();
    assert!(contact.verified && !contact.change_pending);
    let texts = alice.texts(&bob).await?;
    assert_eq!(bob.texts(&alice).await?, texts);
    Ok(())
}

#[tokio::test]
async fn lists_only_go_forward_and_the_first_of_two_stays() -> Result {
    let (relay, line) = stage().await?;
    let mut alice = Person::registered("alice", line.address()).await?;
    let mut dora = ByHand::register(relay.address(), 2).await?;
    let account = dora.account();
    let contact = alice.client.conversation_with(account).await?;
    let first = contact.send(text("to both")?).await?;
    alice.until_state(first, MessageState::Sent).await?;
    let me = alice.account;
    let last_named = || devices_named(&line, me, account).pop().unwrap();
    assert_eq!(last_named(), [1, 2]);
    let both = dora.list();

    // One is taken off the list: that is told, and it gets nothing more.
    dora.remove_device(2).await?;
    let mut events = alice.client.events();
    let second = contact.send(text("to one")?).await?;
    alice.until_state(second, MessageState::Sent).await?;
    let change = alice
        .until_event(&mut events, "a changed list", |event| {
            matches!(event, Event::DevicesChanged { .. })
        })
        .await?;
    let Event::DevicesChanged { removed, added, .. } = change else {
        panic!("{change:?}");
    };
    assert_eq!((removed.len(), added.len()), (1, 0));
    assert_eq!(last_named(), [1]);

    // The relay would bring it back, or has another list of the version, with a ghost, by the account's own key.
    let forked = dora.list_with_ghost();
    let known = VerifiedDeviceList::verify(&dora.list()).unwrap();
    let fork = VerifiedDeviceList::verify(&forked).unwrap();
    assert_eq!(known.version(), fork.version());
    for round in 0..2 {
        for (name, list, missing) in [("old", &both, 2), ("forked", &forked, 3)] {
            let rule = line.serve_device_list(account, list.clone());
            let mut events = alice.client.events();
            let before = list_requests(&line.record(), account);
            claim_missing(&line, account, missing);
            let contact = alice.client.conversation_with(account).await?;
            let said = contact.send(text(name)?).await?;
            alice.until_state(said, MessageState::Sent).await?;
            let asked = |record: &Record| list_requests(record, account) > before;
            line.until(name, asked).await.unwrap();
            let sent = alice
                .until_event(&mut events, "a change", |event| {
                    matches!(
                        event,
                        Event::MessageChanged { .. } | Event::DevicesChanged { .. }
                    )
                })
                .await?;
            assert!(
                matches!(sent, Event::MessageChanged { .. }),
                "{name} {round}"
            );
            assert_eq!(last_named(), [1], "{name} {round}");
            line.remove(rule);
        }
        alice.reopen().await?;
        alice.client.connect();
        alice.until_online().await?;
    }

    // What the account itself says next counts.
    dora.add_device().await?;
    let mut events = alice.client.events();
    let contact = alice.client.conversation_with(account).await?;
    let third = contact.send(text("to the new one too")?).await?;
    alice.until_state(third, MessageState::Sent).await?;
    alice
        .until_event(
            &mut events,
            "a new device",
            |event| matches!(event, Event::DevicesChanged { added, .. } if added.len() == 1),
        )
        .await?;
    // (A number may be used again: the key is another.)
    assert_eq!(last_named(), [1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_not_listed_is_not_heard() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    befriend(&alice, &bob).await?;
    carol.until_online().await?;
    // All of them start from one bundle: whoever is refused has used none of its keys.
    let bundles = bundles_of(&line, bob.account, alice.account).await;
    for (name, account, device) in [
        ("Bob's second device", bob.account, 2),
        ("a key of Bob's device that is not his", bob.account, 1),
        ("a second device of somebody unknown", carol.account, 2),
        ("another key of somebody unknown", carol.account, 1),
        (
            "a device of no account",
            Identity::new().unwrap().account(),
            1,
        ),
    ] {
        let mut events = alice.client.events();
        let delivery = Ghost::new(account, device).says(alice.account, &bundles);
        line.deliver(alice.account, &delivery).unwrap();
        let told = alice
            .until_event(&mut events, name, |event| {
                matches!(
                    event,
                    Event::Undecryptable { .. }
                        | Event::Quarantined { .. }
                        | Event::MessageAdded { .. }
                )
            })
            .await?;
        let Event::Undecryptable { cause, .. } = &told else {
            panic!("{name}: {told:?}");
        };
        assert_eq!(cause, "untrusted_identity", "{name}");
    }
    // Who is listed is heard, by the same keys, and the session with Bob is what it was.
    line.once().on_request(move |request, _| {
        if asks_for(request, alice.account) {
            Verdict::instead(Body::PreKeyBundles(bundles.clone()))
        } else {
            Verdict::Pass
        }
    });
    let mut events = alice.client.events();
    let hello = carol.say(&alice, "the real Carol").await?;
    let told = told_until(&alice, &mut events, hello).await?;
    let refused = |event: &&Event| matches!(event, Event::Undecryptable { .. });
    assert_eq!(told.iter().find(refused), None);
    let question = alice.say(&bob, "still you?").await?;
    bob.until_shown(question).await?;
    let answer = bob.say(&alice, "still me").await?;
    assert_eq!(alice.until_shown(answer).await?, "still me");
    assert_eq!(alice.texts(&carol).await?, ["the real Carol"]);
    Ok(())
}

/// Puts an old copy of somebody's database in place of what there is: the device is then set up anew.
async fn set_up_anew(person: &mut Person, old: &Bytes) -> Result {
    person.client.close().await;
    for stale in ["hushpost.db-wal", "hushpost.db-shm"] {
        let path = person.database().with_file_name(stale);
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    fs::write(person.database(), old)?;
    person.reopen().await?;
    let mut events = person.client.events();
    person
        .until_event(&mut events, "to be set up anew", |event| {
            *event == Event::SetUpAnew
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_verified_contact_that_changed_gets_nothing_until_it_is_accepted() -> Result {
    let (_relay, line) = stage().await?;
    let mut alice = Person::registered("alice", line.address()).await?;
    let mut bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    befriend(&alice, &bob).await?;
    befriend(&carol, &bob).await?;
    let number = bob.client.contacts().safety_number(alice.account).await?;
    bob.client
        .contacts()
        .set_verified(alice.account, true)
        .await?;

    alice.client.close().await;
    let old: Bytes = fs::read(alice.database())?.into();
    alice.reopen().await?;
    alice.client.connect();
    for number in 0..5 {
        let said = alice.say(&bob, &format!("since {number}")).await?;
        bob.until_shown(said).await?;
        alice.until_state(said, MessageState::Delivered).await?;
    }
    let registered_as = bundles_of(&line, bob.account, alice.account).await;
    let list = VerifiedDeviceList::verify(&registered_as.device_list.unwrap()).unwrap();
    let before = list.devices()[0].registration_id;
    alice.client.disconnect().await;

    // Encrypted for the device that there was.
    let queued = bob.say(&alice, "for who you were").await?;
    bob.until_state(queued, MessageState::Sent).await?;
    bob.client.disconnect().await;
    let offline = bob.say(&alice, "this too").await?;
    set_up_anew(&mut alice, &old).await?;
    alice.client.connect();
    alice.until_online().await?;
    let mut events = bob.client.events();
    bob.client.connect();
    bob.until_event(
        &mut events,
        "a renewed device",
        |event| matches!(event, Event::DevicesChanged { renewed, .. } if renewed.len() == 1),
    )
    .await?;

    for round in ["at once", "after a restart"] {
        // Others get theirs, so what is for Alice was passed over.
        let other = bob.say(&carol, round).await?;
        bob.until_state(other, MessageState::Delivered).await?;
        let contact = bob.client.contacts().get(alice.account).await?.unwrap();
        assert!(contact.verified && contact.change_pending, "{round}");
        let refused = bob.with(&alice).await?.send(text("no")?).await;
        assert_eq!(refused.unwrap_err().code(), "verification_needed");
        let state = bob.client.message(offline).await?.unwrap().state;
        assert_eq!(state, MessageState::Queued, "{round}");
        let to_her: BTreeSet<u32> = line
            .recorded_sends()
            .into_iter()
            .filter(|(who, _)| who.is(bob.account))
            .flat_map(|(_, send)| send.recipients)
            .filter(|one| one.account.as_ref() == alice.account.as_bytes())
            .flat_map(|one| one.devices)
            .map(|device| device.registration_id)
            .collect();
        assert_eq!(to_her, BTreeSet::from([before]), "{round}");
        bob.reopen().await?;
        bob.client.connect();
        bob.until_online().await?;
    }

    // The account is the same, and so is the number that was compared.
    let same = bob.client.contacts().safety_number(alice.account).await?;
    assert_eq!(same, number);
    bob.client.contacts().accept_change(alice.account).await?;
    assert_eq!(alice.until_shown(queued).await?, "for who you were");
    assert_eq!(alice.until_shown(offline).await?, "this too");
    let contact = bob.client.contacts().get(alice.account).await?.unwrap();
    assert!(contact.verified && !contact.change_pending);
    let question = bob.say(&alice, "is it you?").await?;
    alice.until_shown(question).await?;
    let answer = alice.say(&bob, "it is").await?;
    assert_eq!(bob.until_shown(answer).await?, "it is");
    Ok(())
}
