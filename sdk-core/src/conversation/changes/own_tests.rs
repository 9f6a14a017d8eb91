//! Own changes on their way: they leave the outbox when they were received, and move with the clock like messages.

use hushpost_wire::DeviceId;

use super::*;
use crate::StoreThreads;
use crate::account::LocalDevice;
use crate::clock::Stamp;
use crate::content::{
    Body, ConversationId, Emoji, Plaintext, Post, Receipt, ReceiptKind, SequenceRange, Text,
};
use crate::conversation::history;
use crate::conversation::rows as messages;
use crate::conversation::send::send;
use crate::inbox::batch::Batch;
use crate::inbox::receipts;
use crate::outbox::renumber;
use crate::random::Randomness;
use crate::store::{DatabaseKey, Store};

const NOW: u64 = 1_800_000_000_000;

fn bob() -> AccountId {
    AccountId::of_key(&[2; 32])
}

/// Somebody who said something to Bob and then changed it, all of it still here.
async fn told(change: fn(MessageRef) -> Change) -> (tempfile::TempDir, Store, MessageRef) {
    let folder = tempfile::tempdir().unwrap();
    let key = DatabaseKey::new([1; 32]);
    let store = Store::open(&folder.path().join("db"), &key, StoreThreads::Inline, None).unwrap();
    let message = store
        .write(move |tx| {
            let mut rng = Randomness::default();
            let us = LocalDevice::create(tx, NOW, &mut rng)?.account();
            messages::open_with(tx, us, bob(), true, Stamp::at(NOW))?;
            let id = ConversationId::between(us, bob());
            let text = Content::Text(Text::new("the secret").unwrap()).encode();
            let mut events = Vec::new();
            let message = send(tx, id, &text, NOW, &rng, &mut events)?;
            let content = change(message).encode();
            events.clear();
            send(tx, id, &content, NOW + 1, &rng, &mut events)?;
            // The change itself is never spoken of.
            assert!(matches!(
                events[..],
                [Event::MessageChanged { message: one, .. }, Event::ConversationChanged { .. }]
                    if one == message
            ));
            Ok(message)
        })
        .await
        .unwrap();
    (folder, store, message)
}

fn bodies(db: &Connection) -> Vec<(i64, Post)> {
    let mut query = db
        .prepare("SELECT message, body FROM outbox ORDER BY id")
        .unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
    rows.unwrap()
        .map(|row| {
            let (message, body) = row.unwrap();
            match Plaintext::decode(&body).unwrap().body {
                Body::Post(post) => (message, post),
                _ => panic!("no post"),
            }
        })
        .collect()
}

#[tokio::test]
async fn a_change_leaves_the_outbox_once_it_was_received() {
    let react = |target| Change::React(target, Some(Emoji::new("👍").unwrap()));
    let (_folder, store, message) = told(react).await;
    let work = move |tx: &mut Transaction<'_>| {
        assert_eq!(bodies(tx).len(), 2);
        // The relay has both.
        tx.execute("UPDATE outbox SET state = 2", [])?;
        let mut batch = Batch::new(tx, NOW, Randomness::default())?;
        let (us, device, chain) = (batch.local.account(), batch.local.device, batch.local.chain);
        let receipt = Receipt {
            conversation: ConversationId::between(us, bob()),
            kind: ReceiptKind::Delivered,
            ranges: vec![SequenceRange {
                device,
                chain,
                first: Sequence::new(1)?,
                last: Sequence::new(2)?,
            }],
            at_ms: NOW,
        };
        let from = DeviceAddress {
            account: bob(),
            device: DeviceId::PRIMARY,
        };
        receipts::receive(&mut batch, from, &receipt)?;
        let told = batch.finish()?.events;
        assert_eq!(bodies(tx).len(), 0);
        // Only the message that is shown is spoken of.
        assert!(told.iter().all(|event| match event {
            Event::MessageChanged { message: one, .. } => *one == message,
            _ => true,
        }));
        Ok(())
    };
    store.write(work).await.unwrap();
}

#[tokio::test]
async fn a_stamp_that_the_relay_sets_right_moves_the_change_too() {
    let edit = |target| Change::Edit(target, Text::new("better").unwrap());
    let (_folder, store, message) = told(edit).await;
    let work = move |tx: &mut Transaction<'_>| {
        let before = history::one(tx, message)?.unwrap();
        assert_eq!(before.edited_ms, Some(NOW + 1));
        // This device's clock is a day ahead of the relay's.
        let accepted = NOW - 24 * 3600 * 1000;
        for (row, post) in bodies(tx) {
            let local = LocalDevice::load(tx)?;
            messages::mark_sent(tx, &local, (row, &post), accepted, &mut Vec::new())?;
        }
        let after = history::one(tx, message)?.unwrap();
        assert_eq!(after.sent_ms, accepted);
        assert_eq!(after.edited_ms, Some(accepted));
        // And the clock comes back with them.
        assert_eq!(LocalDevice::load(tx)?.clock.last.ms(), accepted);
        Ok(())
    };
    store.write(work).await.unwrap();
}

#[tokio::test]
async fn what_was_deleted_for_everyone_does_not_wait_in_the_outbox() {
    let (_folder, store, message) = told(Change::Delete).await;
    let work = move |tx: &mut Transaction<'_>| {
        let waiting = bodies(tx);
        assert_eq!(waiting.len(), 2);
        assert_eq!(Content::decode(&waiting[0].1.content)?, Content::Deleted);
        assert!(Said::decode(&waiting[1].1.content)? == Said::Quiet(Change::Delete(message)));
        let left: i64 = tx.query_row(
            "SELECT count(*) FROM outbox WHERE instr(body, x'736563726574') > 0",
            [],
            |row| row.get(0),
        )?;
        assert_eq!(left, 0);
        Ok(())
    };
    store.write(work).await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_set_up_anew_moves_changes_to_its_new_chain() {
    let react = |target| Change::React(target, Some(Emoji::new("👍").unwrap()));
    let (_folder, store, _) = told(react).await;
    let work = |tx: &mut Transaction<'_>| {
        renumber::move_to(tx, ChainId(77))?;
        let moved = bodies(tx);
        assert_eq!(moved.len(), 2);
        assert!(moved.iter().all(|(_, post)| post.chain == ChainId(77)));
        assert!(moved[0].1.sequence < moved[1].1.sequence);
        Ok(())
    };
    store.write(work).await.unwrap();
}
