//! Messages through a real relay: stored, delivered in order, once, and only to whom they are for.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::{Duration, Instant};

use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CloseReason, ErrorCode, PutDeviceList, Receive};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

#[tokio::test]
async fn a_message_waits_for_its_device_and_says_who_sent_it() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let id = random_id()?;
    let answer = alice
        .send(id, vec![bob.identity.recipient(b"hello")])
        .await?;
    assert_eq!((answer.stored, answer.problems.len()), (1, 0));

    bob.receive(0).await?;
    let [received] = bob
        .messages(1)
        .await?
        .try_into()
        .unwrap_or_else(|_| panic!("one"));
    assert_eq!(received.sequence, 1);
    assert_eq!(received.message_id.as_ref(), id);
    assert_eq!(received.ciphertext.as_ref(), b"hello");
    assert_eq!(received.accepted_ms, answer.accepted_ms);
    let sender = received.sender.expect("a sender");
    assert_eq!(sender.account.as_ref(), alice.identity.account().as_bytes());
    assert_eq!(sender.device, 1);
    assert!(matches!(bob.client.next_push().await?, Body::CaughtUp(_)));
    Ok(())
}

#[tokio::test]
async fn what_is_acknowledged_is_not_delivered_again_and_the_rest_is() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    for number in 0..10u8 {
        let answer = alice
            .send(random_id()?, vec![bob.identity.recipient(&[number])])
            .await?;
        assert_eq!(answer.stored, 1);
    }
    bob.receive(0).await?;
    assert_eq!(bob.messages(10).await?.len(), 10);
    bob.acknowledge(4).await?;

    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    let again = bob.messages(6).await?;
    assert_eq!(
        again.iter().map(|one| one.sequence).collect::<Vec<_>>(),
        [5, 6, 7, 8, 9, 10]
    );

    // The cursor acknowledges, too; and all of it outlives the process.
    bob.reconnect(relay.address()).await?;
    bob.receive(7).await?;
    relay.kill()?;
    relay.restart()?;
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    let left = bob.messages_until_caught_up().await?;
    assert_eq!(
        left.iter()
            .map(|one| one.ciphertext.to_vec())
            .collect::<Vec<_>>(),
        [[7], [8], [9]]
    );
    Ok(())
}

#[tokio::test]
async fn a_repeat_is_answered_like_the_first_and_stored_once() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let id = random_id()?;
    let once = || vec![bob.identity.recipient(b"once")];
    let first = alice.send(id, once()).await?;
    assert_eq!((first.stored, first.problems.len()), (1, 0));
    for _ in 0..2 {
        // Another instant: the relay's answer would show it.
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_millis(2) {
            tokio::task::yield_now().await;
        }
        assert_eq!(alice.send(id, once()).await?, first);
    }
    relay.kill()?;
    relay.restart()?;
    alice.reconnect(relay.address()).await?;
    assert_eq!(alice.send(id, once()).await?, first);
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    assert_eq!(bob.messages_until_caught_up().await?.len(), 1);

    // Acknowledged and gone, it is still recognised.
    let answer = alice
        .send(id, vec![bob.identity.recipient(b"once")])
        .await?;
    assert_eq!(answer.stored, 1);
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    assert_eq!(bob.messages_until_caught_up().await?.len(), 0);

    // The same id of another sender is another message.
    let mut carol = Person::register(relay.address()).await?;
    carol
        .send(id, vec![bob.identity.recipient(b"other")])
        .await?;
    assert_eq!(bob.messages(1).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_sender_learns_which_devices_are_missing_extra_or_stale() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut identity = Identity::with_devices(3)?;
    let (mut bob, welcome) = Client::connect(relay.address()).await?;
    bob.register(&welcome, &identity).await?;
    let full = identity.recipient(b"x");

    let mut wrong = full.clone();
    wrong.devices.remove(0);
    wrong.devices[1].registration_id ^= 1;
    wrong.devices.push(hushpost_wire::RecipientDevice {
        device: 9,
        ..full.devices[0].clone()
    });
    let id = random_id()?;
    let answer = alice.send(id, vec![wrong]).await?;
    let [problem] = answer.problems.as_slice() else {
        panic!("one problem")
    };
    assert_eq!(answer.stored, 0);
    assert_eq!(problem.missing, [1]);
    assert_eq!(problem.extra, [9]);
    assert_eq!(problem.stale, [3]);

    // Mended, with the same id.
    assert_eq!(alice.send(id, vec![full.clone()]).await?.stored, 3);

    // A device leaves the list: it is extra from now on, and loses its mailbox.
    identity.remove_device(2);
    let list = PutDeviceList {
        device_list: Some(identity.signed_list()),
    };
    bob.request(Request::PutDeviceList(list)).await?;
    let answer = alice.send(random_id()?, vec![full]).await?;
    assert_eq!(answer.problems[0].extra, [2]);

    // No such account: the others get it all the same.
    let nobody = Identity::new()?;
    let recipients = vec![nobody.recipient(b"x"), identity.recipient(b"x")];
    let answer = alice.send(random_id()?, recipients).await?;
    assert_eq!(answer.stored, 2);
    assert!(answer.problems[0].unreachable);
    Ok(())
}

#[tokio::test]
async fn one_shared_ciphertext_reaches_many() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(Person::register(relay.address()).await?);
    }
    let mut group = message(
        random_id()?,
        people
            .iter()
            .map(|one| one.identity.recipient(b""))
            .collect(),
    );
    group.shared_ciphertext = Some(vec![7; 1000].into());
    let answer = sent(alice.client.request(Request::Send(group)).await?)?;
    assert_eq!(answer.stored, 20);
    // Half of them take it from memory, the others from the table, after a restart.
    for person in people.iter_mut().take(10) {
        person.receive(0).await?;
        assert_eq!(person.messages(1).await?[0].ciphertext.as_ref(), [7; 1000]);
        person.acknowledge(1).await?;
    }
    assert!(relay.terminate()?.success());
    relay.restart()?;
    for (number, person) in people.iter_mut().enumerate() {
        person.reconnect(relay.address()).await?;
        person.receive(0).await?;
        let left = person.messages_until_caught_up().await?;
        assert_eq!(left.len(), usize::from(number >= 10));
        assert!(left.iter().all(|one| one.ciphertext.as_ref() == [7; 1000]));
    }
    Ok(())
}

#[tokio::test]
async fn the_newer_connection_wins_and_the_older_is_told() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let bob = Person::register(relay.address()).await?;
    let Person {
        identity,
        client: older,
    } = bob;
    let (mut newer, _) = Client::connect_as(relay.address(), &identity, 1).await?;
    let ending = older.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::Replaced)
    );
    newer
        .request(Request::Receive(Receive { after_sequence: 0 }))
        .await?;
    alice
        .send(random_id()?, vec![identity.recipient(b"to the newer")])
        .await?;
    loop {
        if let Body::Deliveries(some) = newer.next_push().await? {
            assert_eq!(some.deliveries.len(), 1);
            return Ok(());
        }
    }
}

#[tokio::test]
async fn ephemeral_messages_reach_the_connected_and_are_not_kept() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let carol = Person::register(relay.address()).await?;
    let Person {
        identity: absent,
        client,
    } = carol;
    client.close().await?;
    let mut typing = message(
        random_id()?,
        vec![
            bob.identity.recipient(b"typing"),
            absent.recipient(b"typing"),
        ],
    );
    typing.ephemeral = true;
    let answer = sent(alice.client.request(Request::Send(typing)).await?)?;
    assert_eq!((answer.stored, answer.problems.len()), (0, 0));
    let Body::Ephemeral(pushed) = bob.client.next_push().await? else {
        panic!("typing")
    };
    assert_eq!(pushed.ciphertext.as_ref(), b"typing");
    let (client, _) = Client::connect_as(relay.address(), &absent, 1).await?;
    let mut carol = Person {
        identity: absent,
        client,
    };
    carol.receive(0).await?;
    assert_eq!(carol.messages_until_caught_up().await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_full_queue_refuses_the_new_and_keeps_the_old() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\nqueue_messages = 10\nstranger_share = 0.5")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    for _ in 0..5 {
        assert_eq!(
            alice
                .send(random_id()?, vec![bob.identity.recipient(b"stranger")])
                .await?
                .stored,
            1
        );
    }
    let answer = alice
        .send(random_id()?, vec![bob.identity.recipient(b"stranger")])
        .await?;
    assert_eq!(answer.problems[0].full, [1]);
    // Who was given a token has a budget that strangers cannot use up.
    for _ in 0..5 {
        let contact = bob.identity.recipient_with_token(b"contact");
        assert_eq!(alice.send(random_id()?, vec![contact]).await?.stored, 1);
    }
    let contact = bob.identity.recipient_with_token(b"contact");
    assert_eq!(
        alice.send(random_id()?, vec![contact]).await?.problems[0].full,
        [1]
    );
    bob.receive(0).await?;
    assert_eq!(bob.messages_until_caught_up().await?.len(), 10);
    bob.acknowledge(10).await?;
    assert_eq!(
        alice
            .send(random_id()?, vec![bob.identity.recipient(b"room")])
            .await?
            .stored,
        1
    );
    Ok(())
}

#[tokio::test]
async fn the_window_holds_back_what_is_not_acknowledged() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\ndelivery_window = 4")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    for number in 0..9u8 {
        alice
            .send(random_id()?, vec![bob.identity.recipient(&[number])])
            .await?;
    }
    bob.receive(0).await?;
    assert_eq!(bob.messages(4).await?.len(), 4);
    // An answer to something asked now comes after anything that was already on its way.
    bob.client
        .request(Request::Ping(hushpost_wire::Ping {}))
        .await?;
    assert!(bob.client.pushed().is_none(), "the window is full");
    bob.acknowledge(4).await?;
    assert_eq!(
        bob.messages(4).await?.last().map(|one| one.sequence),
        Some(8)
    );
    Ok(())
}

#[tokio::test]
async fn nobody_receives_from_beyond_the_end() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    let request = Request::Receive(Receive { after_sequence: 5 });
    let refused = bob.client.request_refused(request).await?;
    assert_eq!(refused.code(), ErrorCode::SequenceInvalid);
    Ok(())
}
