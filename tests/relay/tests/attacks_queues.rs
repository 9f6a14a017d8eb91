//! Attacks on mailboxes: rows G5 (forged acknowledgements) and G6 (flooding), and what a delivery token opens
//! (1C, metadata 5.2).
//!
//! Nobody's mail is deleted by a number that was made up, and no stranger keeps a contact out: neither by
//! filling the queue nor by using up the bytes that may be written to it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail loudly"
)]

use hushpost_harness::{Client, HarnessError, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::every_request::fetch;
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Acknowledge, ErrorCode, FetchPreKeyBundles, GetDeviceList, Receive, Recipient, SendSealed,
    Sent, SetDeliveryToken,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

fn relay(config: &str) -> Result<RelayProcess> {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(config)
        .start()
}

async fn forged(person: &mut Person, through_sequence: u64) -> Result {
    let request = Request::Acknowledge(Acknowledge { through_sequence });
    let refused = person.client.request_refused(request).await?;
    assert_eq!(
        refused.code(),
        ErrorCode::SequenceInvalid,
        "{through_sequence}"
    );
    Ok(())
}

/// Sends many at once and counts the device copies stored.
async fn flood(sender: &mut Person, recipient: &Recipient, count: usize) -> Result<Vec<Sent>> {
    let mut answers = Vec::new();
    let mut left = count;
    while left > 0 {
        let some = left.min(100);
        let mut asked = Vec::new();
        for _ in 0..some {
            let send = message(random_id()?, vec![recipient.clone()]);
            asked.push(sender.client.feed(Request::Send(send)).await?);
        }
        sender.client.flush().await?;
        for id in asked {
            answers.push(sent(sender.client.answer(id).await?)?);
        }
        left -= some;
    }
    Ok(answers)
}

fn stored(answers: &[Sent]) -> u32 {
    answers.iter().map(|answer| answer.stored).sum()
}

#[tokio::test]
async fn what_was_not_delivered_here_cannot_be_acknowledged() -> Result {
    let mut relay = relay("[limits]\ndelivery_window = 4")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    // An empty mailbox, nothing received.
    for number in [1, 2, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        forged(&mut bob, number).await?;
    }
    let to_bob = bob.identity.recipient(b"x");
    assert_eq!(stored(&flood(&mut alice, &to_bob, 10).await?), 10);
    // Before Receive nothing was delivered on this connection, whatever waits.
    for number in [0, 1, 4, 10, 11, u64::MAX] {
        forged(&mut bob, number).await?;
    }
    bob.receive(0).await?;
    assert_eq!(bob.messages(4).await?.len(), 4);
    // The window is full: 5 to 10 wait and were not delivered.
    for number in [5, 10, 11, i64::MAX as u64, u64::MAX] {
        forged(&mut bob, number).await?;
    }
    // Beyond the end there is nothing to receive either.
    for after_sequence in [11, 1 << 63, u64::MAX] {
        let request = Request::Receive(Receive { after_sequence });
        let refused = bob.client.request_refused(request).await?;
        assert_eq!(refused.code(), ErrorCode::SequenceInvalid);
    }
    // Nothing of it has deleted anything, in memory or on disk.
    relay.kill()?;
    relay.restart()?;
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    assert_eq!(bob.messages_until_caught_up().await?.len(), 10);
    Ok(())
}

#[tokio::test]
async fn acknowledging_again_or_less_changes_nothing() -> Result {
    let relay = relay("")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let to_bob = bob.identity.recipient(b"x");
    flood(&mut alice, &to_bob, 10).await?;
    bob.receive(0).await?;
    assert_eq!(bob.messages(10).await?.len(), 10);
    for number in [6, 6, 6, 3, 0, 6] {
        bob.acknowledge(number).await?;
    }
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    let left = bob.messages(4).await?;
    assert_eq!(left.first().map(|first| first.sequence), Some(7));
    Ok(())
}

#[tokio::test]
async fn somebody_elses_numbers_are_worth_nothing() -> Result {
    let relay = relay("")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let mut eve = Person::register(relay.address()).await?;
    let to_bob = bob.identity.recipient(b"for bob");
    flood(&mut alice, &to_bob, 5).await?;
    let to_eve = eve.identity.recipient(b"for eve");
    flood(&mut alice, &to_eve, 2).await?;
    eve.receive(0).await?;
    assert_eq!(eve.messages(2).await?.len(), 2);
    for number in 3..=5 {
        forged(&mut eve, number).await?;
    }
    eve.acknowledge(2).await?;
    // An older connection of Bob's own, replaced by a newer one, is over: it acknowledges nothing.
    bob.receive(0).await?;
    assert_eq!(bob.messages(5).await?.len(), 5);
    let (newer, _) = Client::connect_as(relay.address(), &bob.identity, 1).await?;
    let request = Request::Acknowledge(Acknowledge {
        through_sequence: 5,
    });
    let too_late = bob.client.request(request).await;
    let gone = too_late.is_ok();
    bob.client = newer;
    bob.receive(0).await?;
    let left = bob.messages_until_caught_up().await?;
    assert!(left.len() == 5 && !gone, "{} left", left.len());
    assert!(left.iter().all(|one| one.ciphertext.as_ref() == b"for bob"));
    Ok(())
}

#[tokio::test]
async fn strangers_fill_their_share_and_a_contact_still_gets_in() -> Result {
    const QUEUE: u32 = 2000;
    let relay = relay(&format!(
        "[limits]\nqueue_messages = {QUEUE}\nstranger_share = 0.5"
    ))?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    let to_bob = bob.identity.recipient(b"flood");
    let mut strangers = Vec::new();
    for _ in 0..4 {
        strangers.push(Person::register(relay.address()).await?);
    }
    // Together four times their share; a made-up token does not make anybody a contact.
    let mut through = 0;
    for (number, stranger) in strangers.iter_mut().enumerate() {
        let mut recipient = to_bob.clone();
        if number % 2 == 0 {
            recipient.delivery_token = vec![7; 16].into();
        }
        let answers = flood(stranger, &recipient, 1000).await?;
        through += stored(&answers);
        for refused in answers.iter().filter(|answer| answer.stored == 0) {
            assert_eq!(refused.problems[0].full, [1], "refused, and told so");
        }
    }
    assert_eq!(through, QUEUE / 2);
    // Anonymous ones without a token do not get as far as the queue.
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let send = message(random_id()?, vec![to_bob]);
    let answer = sent(nobody.request(Request::Send(send)).await?)?;
    assert!(answer.stored == 0 && answer.problems[0].unreachable);

    let mut contact = Person::register(relay.address()).await?;
    let from_contact = bob.identity.recipient_with_token(b"from a contact");
    assert_eq!(stored(&flood(&mut contact, &from_contact, 50).await?), 50);
    // Nothing was dropped to make room.
    bob.receive(0).await?;
    let received = bob.messages_until_caught_up().await?;
    assert_eq!(received.len(), QUEUE as usize / 2 + 50);
    let from_contact = received
        .iter()
        .filter(|one| one.ciphertext.as_ref() == b"from a contact");
    assert_eq!(from_contact.count(), 50);
    Ok(())
}

#[tokio::test]
async fn strangers_cannot_use_up_the_bytes_that_contacts_may_write() -> Result {
    let relay = relay(
        "[limits.rate]\nbytes_per_queue = { burst = 100, per_minute = 1, when_full = \"open\" }",
    )?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    let mut stranger = Person::register(relay.address()).await?;
    let to_bob = bob.identity.recipient(&[0; 10 * 1024]);
    let answers = flood(&mut stranger, &to_bob, 30).await?;
    assert_eq!(stored(&answers), 10);
    let limited = &answers[29].problems[0];
    assert_eq!(limited.limited, [1]);
    assert!(limited.retry_after_ms > 0);
    let mut contact = Person::register(relay.address()).await?;
    let from_contact = bob.identity.recipient_with_token(&[1; 10 * 1024]);
    assert_eq!(stored(&flood(&mut contact, &from_contact, 5).await?), 5);
    Ok(())
}

#[tokio::test]
async fn one_sender_is_held_to_its_rate_and_others_are_not() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nmessages_per_pair = { burst = 5, per_minute = 0.1, when_full = \"open\" }\nmessages_per_account = { burst = 20, per_minute = 0.1, when_full = \"open\" }")
        .start()?;
    let mut bob = Person::register(relay.address()).await?;
    let mut carol = Person::register(relay.address()).await?;
    let mut flooder = Person::register(relay.address()).await?;
    let mut other = Person::register(relay.address()).await?;
    let to_bob = bob.identity.recipient(b"x");
    let answers = flood(&mut flooder, &to_bob, 15).await?;
    assert_eq!(stored(&answers), 5);
    assert_eq!(answers[14].problems[0].limited, [1]);
    // Another sender to Bob, and the same sender to Carol.
    assert_eq!(stored(&flood(&mut other, &to_bob, 5).await?), 5);
    let to_carol = carol.identity.recipient(b"x");
    assert_eq!(stored(&flood(&mut flooder, &to_carol, 5).await?), 5);
    // Twenty in all, refused ones among them; then nothing to anybody.
    let send = message(random_id()?, vec![to_carol]);
    let refused = flooder.client.request_refused(Request::Send(send)).await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.retryable && refused.retry_after_ms > 0);
    for (person, count) in [(&mut bob, 10), (&mut carol, 5)] {
        person.receive(0).await?;
        assert_eq!(person.messages_until_caught_up().await?.len(), count);
    }
    Ok(())
}

#[tokio::test]
async fn only_the_current_delivery_token_opens() -> Result {
    let relay = relay("")?;
    let mut bob = Person::register(relay.address()).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let good = bob.identity.delivery_token.to_vec();
    let hash = bob.identity.delivery_token_hash().to_vec();

    // None is set: none opens, not even the one whose hash is of nothing.
    assert!(!opens(&mut nobody, &bob, &good).await?);
    assert!(!opens(&mut nobody, &bob, b"").await?);
    bob.allow_contacts().await?;
    assert!(opens(&mut nobody, &bob, &good).await?);
    // Its hash, which a thief of the relay's disk would have, does not open; nor what is nearly it.
    let mut near = good.clone();
    near[15] ^= 1;
    for wrong in [
        b"".to_vec(),
        hash,
        near,
        good[..15].to_vec(),
        [good.clone(), vec![0]].concat(),
        vec![0; 16],
        vec![0; 100_000],
    ] {
        assert!(!opens(&mut nobody, &bob, &wrong).await?);
    }
    // A wrong length for the hash is refused and leaves the token as it was.
    for length in [1, 16, 31, 33] {
        let request = Request::SetDeliveryToken(SetDeliveryToken {
            token_hash: vec![0; length].into(),
        });
        let refused = bob.client.request_refused(request).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    assert!(opens(&mut nobody, &bob, &good).await?);
    // Rotated, as one does after blocking somebody: the old one is worth nothing from the answer on.
    bob.identity.delivery_token = [9; 16];
    bob.allow_contacts().await?;
    assert!(!opens(&mut nobody, &bob, &good).await?);
    assert!(opens(&mut nobody, &bob, &[9; 16]).await?);
    let clear = Request::SetDeliveryToken(SetDeliveryToken::default());
    bob.client.request(clear).await?;
    assert!(!opens(&mut nobody, &bob, &[9; 16]).await?);

    // What came sealed has no sender, in the mailbox and on disk.
    bob.receive(0).await?;
    let received = bob.messages_until_caught_up().await?;
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|one| one.sender.is_none()));
    Ok(())
}

/// Whether a token opens Bob's mailbox, list and bundles on an anonymous connection: all of them, or none.
async fn opens(nobody: &mut Client, bob: &Person, token: &[u8]) -> Result<bool> {
    let account = bob.identity.account().as_bytes().to_vec();
    let mut recipient = bob.identity.recipient(b"sealed");
    recipient.delivery_token = token.to_vec().into();
    let send = message(random_id()?, vec![recipient]);
    let answer = sent(nobody.request(Request::Send(send)).await?)?;
    let list = Request::GetDeviceList(GetDeviceList {
        account: account.clone().into(),
        delivery_token: token.to_vec().into(),
    });
    let bundles = Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: account.into(),
        device: 0,
        delivery_token: token.to_vec().into(),
    });
    for request in [list, bundles] {
        match nobody.request(request).await {
            Ok(_) => assert_eq!(answer.stored, 1),
            Err(HarnessError::Refused(refused)) => {
                assert_eq!(refused.code(), ErrorCode::NotFound);
                assert!(answer.stored == 0 && answer.problems[0].unreachable);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(answer.stored == 1)
}

#[tokio::test]
async fn a_sealed_envelope_reaches_those_whose_token_is_shown() -> Result {
    let relay = relay("")?;
    let mut bob = Person::register(relay.address()).await?;
    let mut carol = Person::register(relay.address()).await?;
    for person in [&mut bob, &mut carol] {
        person.allow_contacts().await?;
    }
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    // The sent form, with service ids: version, count, then of each kind byte, UUID, device, registration
    // id and 48 bytes of its own; the shared part last.
    let mut envelope = vec![0x23, 2];
    for (person, own) in [(&bob, 1), (&carol, 2)] {
        envelope.push(0);
        envelope.extend(person.identity.account().as_bytes());
        envelope.push(1);
        let registration = person.identity.device(1)?.registration_id;
        envelope.extend(u16::try_from(registration).unwrap_or(0).to_be_bytes());
        envelope.extend([own; 48]);
    }
    envelope.extend([9; 100]);
    let sealed = |tokens: [&[u8]; 2]| -> Result<Request> {
        Ok(Request::SendSealed(SendSealed {
            message_id: random_id()?.to_vec().into(),
            envelope: envelope.clone().into(),
            delivery_tokens: tokens
                .into_iter()
                .map(|token| token.to_vec().into())
                .collect(),
        }))
    };
    let (bobs, carols) = (bob.identity.delivery_token, carol.identity.delivery_token);
    // Swapped tokens are wrong tokens.
    for (tokens, expected) in [
        ([bobs, carols], 2),
        ([carols, bobs], 0),
        ([bobs, [0; 16]], 1),
        ([[0; 16], [0; 16]], 0),
    ] {
        let request = sealed([&tokens[0], &tokens[1]])?;
        let answer = sent(nobody.request(request).await?)?;
        assert_eq!(usize::try_from(answer.stored), Ok(expected));
        assert_eq!(answer.problems.len(), [2, 1, 0][expected]);
    }
    // One token too few or too many, and never as a device: the relay would see who sends.
    for tokens in [vec![], vec![bobs], vec![bobs, carols, bobs]] {
        let request = Request::SendSealed(SendSealed {
            message_id: random_id()?.to_vec().into(),
            envelope: envelope.clone().into(),
            delivery_tokens: tokens.iter().map(|token| token.to_vec().into()).collect(),
        });
        let refused = nobody.request_refused(request).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    let as_a_device = sealed([&bobs, &carols])?;
    let refused = carol.client.request_refused(as_a_device).await?;
    assert_eq!(refused.code(), ErrorCode::BadRequest);

    for (mut person, own, count) in [(bob, 1, 2), (carol, 2, 1)] {
        person.receive(0).await?;
        let received = person.messages_until_caught_up().await?;
        assert_eq!(received.len(), count);
        let form = [vec![0x22], vec![own; 48], vec![9; 100]].concat();
        for one in received {
            assert!(one.sender.is_none() && one.ciphertext == form);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_account_that_gave_out_no_token_is_reached_by_accounts_alone() -> Result {
    let relay = relay("")?;
    let bob = Person::register(relay.address()).await?;
    let mut stranger = Person::register(relay.address()).await?;
    let answer = stranger
        .send(random_id()?, vec![bob.identity.recipient(b"x")])
        .await?;
    assert_eq!(answer.stored, 1);
    let bundles = stranger.client.request(fetch(&bob.identity)).await?;
    assert!(matches!(bundles, Body::PreKeyBundles(_)));
    Ok(())
}
