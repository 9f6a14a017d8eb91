//! What the bridge promises beside the SDK: nothing is lost when an app stops waiting, no executor of ours is needed on
//! the app's side, and errors have the kind that the app can act on.
#![allow(clippy::unwrap_used)]

use futures_executor::block_on;
use futures_util::FutureExt as _;
use hushpost_ffi::{
    Client, Config, Conversation, DatabaseKey, Event, HushpostError, InviteLink, Registration,
    process_push,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Nobody listens there.
const NOWHERE: &str = "ws://127.0.0.1:9";

fn config(folder: &Path) -> Config {
    Config {
        database: folder.join("hushpost.db").display().to_string(),
        key: DatabaseKey::from_bytes(vec![7; 32]).unwrap(),
        relay: NOWHERE.to_owned(),
        relay_name: None,
        insecure_relay: false,
        hold_back: None,
        receipt_delay: None,
        read_receipts: true,
        pre_key_stock: Some(1),
        max_file_bytes: None,
        media_cache: None,
        many_processes: false,
    }
}

/// Somebody who has an account that no relay knows yet, and a conversation.
fn offline() -> (TempDir, Arc<Client>, Arc<Conversation>) {
    let folder = tempfile::tempdir().unwrap();
    let client = block_on(Client::open(config(folder.path()))).unwrap();
    let refused = block_on(client.register(Registration::Open));
    assert!(
        matches!(refused, Err(HushpostError::Network { .. })),
        "{refused:?}"
    );
    let other = hushpost::AccountId::of_key(&[9; 32]);
    let conversation = block_on(client.conversation_with(other.into())).unwrap();
    (folder, client, conversation)
}

fn code(error: &HushpostError) -> &str {
    match error {
        HushpostError::Invalid { code, .. }
        | HushpostError::NotFound { code, .. }
        | HushpostError::NotAllowed { code, .. }
        | HushpostError::Network { code, .. }
        | HushpostError::Refused { code, .. }
        | HushpostError::Store { code, .. }
        | HushpostError::Media { code, .. }
        | HushpostError::Cancelled { code, .. }
        | HushpostError::Internal { code, .. } => code,
    }
}

#[test]
fn what_an_app_stopped_waiting_for_happens_all_the_same() {
    let (_folder, client, conversation) = offline();
    let events = client.event_stream().unwrap();
    for number in 0..20 {
        // Begun, and dropped at once.
        let answer = conversation
            .send_text(format!("number {number}"), None)
            .now_or_never();
        assert!(answer.is_none(), "a write to the disk takes its time");
    }
    let mut added = 0;
    while added < 20 {
        let batch = block_on(events.next(64)).unwrap();
        assert!(!batch.is_empty(), "the stream ended");
        let of_a_message = |event: &&Event| matches!(event, Event::MessageAdded { .. });
        added += batch.iter().filter(of_a_message).count();
    }
    let page = block_on(conversation.messages_before(None, 500)).unwrap();
    assert_eq!(page.messages.len(), 20);
    block_on(client.shut_down()).unwrap();
}

#[test]
fn a_shut_down_client_ends_its_streams_and_says_closed_ever_after() {
    let (_folder, client, conversation) = offline();
    let events = client.event_stream().unwrap();
    let states = client.connection_state_stream().unwrap();
    block_on(client.shut_down()).unwrap();
    while !block_on(events.next(64)).unwrap().is_empty() {}
    while !block_on(states.next(64)).unwrap().is_empty() {}
    let error = block_on(conversation.send_text("late".to_owned(), None)).unwrap_err();
    assert_eq!(code(&error), "closed");
    block_on(client.shut_down()).unwrap();
}

#[test]
fn errors_are_of_the_kind_that_an_app_can_act_on() {
    let (folder, client, conversation) = offline();
    let error = block_on(conversation.send_text(" \n".to_owned(), None)).unwrap_err();
    assert!(matches!(&error, HushpostError::Invalid { code, .. } if code == "invalid_content"));
    let error = block_on(client.set_user_name("alice".to_owned())).unwrap_err();
    assert!(
        matches!(&error, HushpostError::Network { code, retryable: true, .. } if code == "not_connected")
    );
    let missing = client.media().unwrap().resume("1".to_owned().into());
    let error = block_on(missing.unwrap().finished()).unwrap_err();
    assert!(matches!(error, HushpostError::NotFound { .. }), "{error:?}");
    let error = InviteLink::parse("hushpost-group:AAAA".to_owned()).unwrap_err();
    assert!(matches!(error, HushpostError::Invalid { .. }));
    let error = DatabaseKey::from_bytes(vec![1; 31]).unwrap_err();
    assert!(matches!(error, HushpostError::Invalid { .. }));
    block_on(client.shut_down()).unwrap();

    let mut wrong = config(folder.path());
    wrong.key = DatabaseKey::from_bytes(vec![8; 32]).unwrap();
    let error = block_on(Client::open(wrong)).unwrap_err();
    assert!(
        matches!(&error, HushpostError::Store { code, retryable: false, .. } if code == "wrong_key")
    );
    let mut odd = config(folder.path());
    odd.relay = "http://relay.example/path".to_owned();
    let error = block_on(Client::open(odd)).unwrap_err();
    assert!(matches!(error, HushpostError::Invalid { .. }));
}

#[test]
fn a_push_without_a_database_fails_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    block_on(process_push(config(folder.path()), Duration::from_secs(1))).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn nothing_printed_has_a_key_or_a_text() {
    let (_folder, client, conversation) = offline();
    block_on(conversation.send_text("the secret plan".to_owned(), None)).unwrap();
    let page = block_on(conversation.messages_before(None, 1)).unwrap();
    let list = block_on(client.conversations(false, 0, 10)).unwrap();
    let hits = block_on(client.search("secret".to_owned(), 0, 10)).unwrap();
    let (token, code) = ("the secret token".to_owned(), "the secret code".to_owned());
    let registrations = [
        Registration::Token { token },
        Registration::InviteCode { code },
    ];
    let configured = config(Path::new("/the secret folder"));
    let printed = format!(
        "{page:?} {list:?} {hits:?} {registrations:?} {configured:?} {conversation:?} {client:?}"
    );
    assert!(
        printed.contains("Text(") && !printed.contains("secret"),
        "{printed}"
    );
    block_on(client.shut_down()).unwrap();
}
