//! Messages for tests. They come from a real client without a network: places in a history cannot be made up.

use std::io;

use hushpost::connection::{Connecting, Transport};
use hushpost::{
    AccountId, Client, Config, Content, ConversationId, DatabaseKey, NewGroup, Registration,
    RelayUrl, StoreThreads, Text,
};
use jiff::tz::TimeZone;

use crate::effect::{Effect, Place};
use crate::model::{About, Entry, GroupView, Item, ListUpdate, Member, Person};
use crate::state::State;
use crate::update::{Part, Update};
use crate::when::Now;

/// 2026-11-25 10:15 UTC.
pub(crate) const NOW: u64 = 1_795_601_700_000;

struct Nowhere;

impl Transport for Nowhere {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(std::future::ready(Err(io::ErrorKind::NotConnected.into())))
    }
}

pub(crate) fn now() -> Now {
    Now {
        ms: NOW,
        zone: TimeZone::UTC,
    }
}

pub(crate) fn bob() -> AccountId {
    AccountId::of_key(&[2; 32])
}

pub(crate) fn carol() -> AccountId {
    AccountId::of_key(&[3; 32])
}

/// A client without a network, and its folder.
async fn client() -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let relay = "wss://relay.test".parse::<RelayUrl>().unwrap();
    let config = Config::new(folder.path().join("db"), DatabaseKey::new([7; 32]), relay)
        .store_threads(StoreThreads::Inline)
        .transport(Nowhere);
    let client = Client::open(config).await.unwrap();
    client.register(Registration::open()).await.unwrap_err();
    (client, folder)
}

/// A group of this name with Bob, in the list.
pub(crate) async fn group(name: &str) -> (AccountId, Entry) {
    let (client, _folder) = client().await;
    let me = client.account_id().await.unwrap().unwrap();
    let group = NewGroup::new(name, [bob()]);
    let group = client.create_group(group).await.unwrap();
    let summary = group.conversation().summary().await.unwrap();
    client.close().await;
    (me, Entry::from(summary))
}

/// How far an upload is that has just begun.
pub(crate) async fn progress() -> hushpost::Progress {
    use futures_util::StreamExt as _;
    let (client, _folder) = client().await;
    let upload = client
        .media()
        .upload(vec![1, 2, 3], hushpost::UploadOptions::new());
    let progress = upload.progress().next().await.unwrap();
    client.close().await;
    progress
}

/// Own messages with these texts, all of them now.
pub(crate) async fn items(texts: &[&str]) -> (AccountId, Vec<Item>) {
    let texts = texts.iter().map(|text| Text::new(*text).unwrap().into());
    contents(texts.collect()).await
}

/// Own messages that say this.
pub(crate) async fn contents(all: Vec<Content>) -> (AccountId, Vec<Item>) {
    let (client, _folder) = client().await;
    let me = client.account_id().await.unwrap().unwrap();
    let conversation = client.conversation_with(bob()).await.unwrap();
    for content in all {
        conversation.send(content).await.unwrap();
    }
    let page = conversation.messages_after(None, 500).await.unwrap();
    let mut items: Vec<Item> = page.messages.iter().map(Item::from).collect();
    for item in &mut items {
        item.sent_ms = NOW;
    }
    client.close().await;
    (me, items)
}

/// The same as if Bob had sent it.
pub(crate) fn theirs(mut item: Item) -> Item {
    item.own = false;
    item.id.sender = bob();
    item.state = hushpost::MessageState::Unread;
    item
}

pub(crate) fn text(item: &Item) -> String {
    item.body
        .words()
        .map_or_else(String::new, crate::model::Words::typed)
}

/// The conversation with Bob.
pub(crate) fn entry(me: AccountId) -> Entry {
    Entry {
        id: ConversationId::between(me, bob()),
        peer: Some(bob()),
        name: "bob".to_owned(),
        requested: false,
        preview: String::new(),
        by: None,
        own: None,
        activity_ms: NOW,
        unread: 0,
        archived: false,
        muted_until_ms: 0,
        pinned: false,
        draft: String::new(),
    }
}

/// A state with this conversation in the list.
pub(crate) fn state(me: AccountId, entry: Entry) -> State {
    let mut state = State::new(now(), "alice".to_owned(), Some(me));
    state.take(Update::List {
        archived: false,
        change: ListUpdate::Reset(vec![entry]),
    });
    state.take(Update::People(vec![person(bob(), "bob")]));
    state.effects();
    state
}

pub(crate) fn person(account: AccountId, name: &str) -> Person {
    Person {
        account,
        name: name.to_owned(),
        user_name: None,
        verified: false,
        change_pending: false,
        blocked: false,
    }
}

/// The conversation is opened, and shows these messages.
pub(crate) fn open(state: &mut State, me: AccountId, part: Part) {
    let conversation = ConversationId::between(me, bob());
    state.take(Update::Opened(conversation, bob(), "bob".to_owned()));
    state.take(Update::Loaded {
        conversation,
        place: Place::Newest,
        part,
    });
}

/// The group is opened; me, Bob and Carol are in, me as an admin.
pub(crate) fn open_group(state: &mut State, me: AccountId, id: ConversationId, part: Part) {
    state.take(Update::People(vec![
        person(bob(), "bob"),
        person(carol(), "carol"),
    ]));
    state.take(Update::OpenedGroup(id, "trip".to_owned()));
    state.take(Update::Loaded {
        conversation: id,
        place: Place::Newest,
        part,
    });
    let member = |account| Member {
        account,
        admin: account == me,
    };
    let about = About {
        timer_s: 3_600,
        group: Some(GroupView {
            description: "by the sea".to_owned(),
            members: [me, bob(), carol()].map(member).to_vec(),
            ..GroupView::default()
        }),
    };
    state.effects();
    state.take(Update::About(id, Some(about)));
}

/// What the state wants written.
pub(crate) fn writes(state: &mut State) -> Vec<crate::effect::Write> {
    let effects = state.effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Write(write) => Some(write),
            _ => None,
        })
        .collect()
}
