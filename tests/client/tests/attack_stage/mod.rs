//! What tests of attacks on the client share: a relay that lies, what somebody is told, bundles to lie with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs,
    dead_code,
    reason = "each test file uses some of it"
)]

use bytes::Bytes;
use hushpost::{AccountId, Event, Events, MessageRef, TroubleKind};
use hushpost_client_tests::{Person, TestError};
use hushpost_evil_relay::{EvilRelay, Record, Verdict};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_protocol::{MessageType, PreKeySignalMessage};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Delivery, FetchPreKeyBundles, PreKeyBundles, Sender};

pub type Result<T = ()> = core::result::Result<T, TestError>;

/// A relay whose injected messages leave no trace in its numbers.
pub async fn stage() -> Result<(RelayProcess, EvilRelay)> {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let line = EvilRelay::renumbering(relay.address()).await.unwrap();
    Ok((relay, line))
}

/// Everything that somebody is told until a message is shown.
pub async fn told_until(
    person: &Person,
    events: &mut Events,
    message: MessageRef,
) -> Result<Vec<Event>> {
    let mut told = Vec::new();
    loop {
        let event = person.until_event(events, "a message", |_| true).await?;
        let last =
            matches!(&event, Event::MessageAdded { message: added, .. } if *added == message);
        told.push(event);
        if last {
            return Ok(told);
        }
    }
}

/// Nothing was shown but this many messages, and nothing is wrong.
pub async fn check_calm(person: &Person, told: &[Event], shown: usize, context: &str) -> Result {
    let added = |event: &&Event| matches!(event, Event::MessageAdded { .. });
    assert_eq!(
        told.iter().filter(added).count(),
        shown,
        "{context}: {told:?}"
    );
    let alarm = told.iter().find(|event| {
        matches!(
            event,
            Event::Undecryptable { .. }
                | Event::Quarantined { .. }
                | Event::GapReported { .. }
                | Event::DevicesChanged { .. }
        )
    });
    assert_eq!(alarm, None, "{context}");
    assert_eq!(person.client.troubles().await?, [], "{context}");
    Ok(())
}

/// Waits until so much did not decrypt that, as its supposed senders say, nobody sent.
pub async fn until_disowned(person: &Person, count: usize) -> Result {
    let disowned =
        |kind: &TroubleKind| matches!(kind, TroubleKind::Undecryptable { gone: true, .. });
    person
        .until("forgeries to be disowned", || async {
            let troubles = person.client.troubles().await?;
            let all = troubles.iter().all(|trouble| disowned(&trouble.kind));
            Ok((all && troubles.len() == count).then_some(()))
        })
        .await
}

/// The message in an envelope that starts a session.
pub fn first_message(envelope: &[u8]) -> Option<PreKeySignalMessage> {
    if *envelope.get(1)? != MessageType::PreKey as u8 {
        return None;
    }
    let length = u32::from_be_bytes([0, envelope[2], envelope[3], envelope[4]]);
    let message = envelope.get(5..5 + usize::try_from(length).ok()?)?;
    PreKeySignalMessage::from_bytes(message).ok()
}

/// The first message that was delivered to somebody.
pub fn first_delivery(line: &EvilRelay, to: AccountId) -> Delivery {
    let deliveries = line.recorded_deliveries().into_iter();
    let mut to_them = deliveries.filter(|(who, _)| who.is(to)).map(|one| one.1);
    to_them
        .find(|delivery| first_message(&delivery.ciphertext).is_some())
        .expect("a first message")
}

/// A bundle of somebody's as the real relay serves it, and one of each kind of one-time keys with it.
pub async fn bundles_of(line: &EvilRelay, asker: AccountId, of: AccountId) -> PreKeyBundles {
    fn answers(record: &Record, of: AccountId) -> impl Iterator<Item = &PreKeyBundles> {
        record
            .answers()
            .filter_map(move |(_, asked, body)| match (asked, body) {
                (Request::FetchPreKeyBundles(asked), Body::PreKeyBundles(found))
                    if asked.account.as_ref() == of.as_bytes() =>
                {
                    Some(found)
                }
                _ => None,
            })
    }
    let known = answers(&line.record(), of).count();
    let fetch = Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: of.as_bytes().to_vec().into(),
        ..FetchPreKeyBundles::default()
    });
    line.ask_as(asker, &fetch).unwrap();
    line.until("a bundle", |record| answers(record, of).count() > known)
        .await
        .unwrap();
    answers(&line.record(), of).last().unwrap().clone()
}

pub fn asks_for(request: &Request, account: AccountId) -> bool {
    matches!(request, Request::FetchPreKeyBundles(asked) if asked.account.as_ref() == account.as_bytes())
}

pub fn serve_once(line: &EvilRelay, account: AccountId, bundles: PreKeyBundles) {
    line.once().on_request(move |request, _| {
        if asks_for(request, account) {
            Verdict::instead(Body::PreKeyBundles(bundles.clone()))
        } else {
            Verdict::Pass
        }
    });
}

pub fn flip(bytes: &mut Bytes, bit: usize) {
    let mut changed = bytes.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    *bytes = changed.into();
}

/// A copy that says that it is another's.
pub fn sent_by(delivery: &Delivery, account: AccountId, device: u32, id: u8) -> Delivery {
    let mut forged = delivery.clone();
    forged.sender = Some(Sender {
        account: account.as_bytes().to_vec().into(),
        device,
    });
    forged.message_id = vec![id; 16].into();
    forged
}
