//! A member of a group who keeps every key it was ever given, hears all that passes at the relay, and says anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ed25519_dalek::SigningKey;
use hushpost::{AccountId, MessageRef};
use hushpost_evil_relay::EvilRelay;
use hushpost_protocol::{
    DistributionId, InboundSenderKey, MessageType, OutboundSenderKey, SenderKeyDistributionMessage,
    SenderKeyMessage,
};
use prost::Message as _;
use rand::rngs::SysRng;

use crate::Outcome;
use crate::puppet::group::{Change, Content, Log, LogRequest, SenderKey, Signed};
use crate::puppet::{self, Again, Plaintext, Post, Puppet};

type Keys = BTreeMap<(AccountId, DistributionId), InboundSenderKey>;

/// What somebody overheard.
#[derive(Default)]
pub struct Heard {
    /// Texts that opened.
    pub texts: Vec<String>,
    /// Ciphertexts for a group that opened with no key.
    pub closed: usize,
}

pub struct Member {
    pub puppet: Puppet,
    pub own: OutboundSenderKey,
    /// The group, once it has seen a change of it.
    pub group: Vec<u8>,
    /// Its own number in the group.
    sequence: u64,
    /// Changes of the group, each once, in the order in which they came.
    pub log: Vec<Signed>,
    /// By which number each one's device goes in the group.
    pub chains: BTreeMap<AccountId, u64>,
    keys: Keys,
    /// What opened with no key so far, and by whom it was sent.
    closed: Vec<(AccountId, Vec<u8>)>,
    listened: usize,
    seen: BTreeSet<Vec<u8>>,
}

impl Member {
    /// Somebody who wrote to these people, and can be written to by them.
    pub async fn facing(relay: SocketAddr, people: &[AccountId]) -> Outcome<Self> {
        let mut puppet = Puppet::facing(relay, people[0]).await?;
        for person in people {
            puppet.turn_to(*person).await?;
        }
        let id = DistributionId(uuid::Uuid::from_bytes(rand::random()));
        Ok(Self {
            puppet,
            own: OutboundSenderKey::generate(id, &mut SysRng).unwrap(),
            group: Vec::new(),
            sequence: 0,
            log: Vec::new(),
            chains: BTreeMap::new(),
            keys: Keys::new(),
            closed: Vec::new(),
            listened: 0,
            seen: BTreeSet::new(),
        })
    }

    pub fn account(&self) -> AccountId {
        self.puppet.account()
    }

    pub fn key(&self) -> SigningKey {
        self.puppet.identity.account_key.clone()
    }

    /// Changes that nothing it has seen builds on.
    pub fn heads(&self) -> Vec<Vec<u8>> {
        let mut heads: BTreeSet<Vec<u8>> = self.log.iter().map(Signed::id).collect();
        for signed in &self.log {
            for parent in signed.read().parents {
                heads.remove(&parent);
            }
        }
        heads.into_iter().collect()
    }

    /// A change on top of all it has seen, by whose key this is.
    pub fn change_by(&self, change: Change, key: &SigningKey) -> Change {
        Change {
            group: self.group.clone(),
            parents: self.heads(),
            author_key: key.verifying_key().to_bytes().to_vec(),
            stamp: now_stamp(),
            ..change
        }
    }

    /// The same, by itself and signed.
    pub fn change(&self, change: Change) -> Signed {
        self.change_by(change, &self.key()).sign(&self.key())
    }

    /// The next post of the group.
    pub fn post(&mut self, content: Vec<u8>) -> Post {
        self.sequence += 1;
        Post {
            conversation: self.group.clone(),
            sequence: self.sequence,
            content,
            group_heads: self.heads(),
            ..self.puppet.post("")
        }
    }

    /// Gives somebody its key of the group.
    pub async fn give_key(&mut self, to: AccountId) -> Outcome {
        let distribution = self.own.distribution_message().to_bytes().to_vec();
        let key = SenderKey {
            conversation: self.group.clone(),
            distribution,
            chain: self.puppet.chain,
            first: 1,
        };
        self.tell_key(to, key).await
    }

    pub async fn tell_key(&mut self, to: AccountId, key: SenderKey) -> Outcome {
        self.tell(
            to,
            Plaintext {
                sender_key: Some(key),
                ..Plaintext::default()
            },
        )
        .await
    }

    /// Says something to one of them alone.
    pub async fn tell(&mut self, to: AccountId, plaintext: Plaintext) -> Outcome {
        self.puppet.turn_to(to).await?;
        Ok(self.puppet.say(plaintext).await?)
    }

    /// Gives somebody changes.
    pub async fn tell_changes(&mut self, to: AccountId, changes: &[Signed]) -> Outcome {
        let log = Log {
            conversation: self.group.clone(),
            changes: changes.to_vec(),
        };
        self.tell(
            to,
            Plaintext {
                group_log: Some(log),
                ..Plaintext::default()
            },
        )
        .await
    }

    /// Asks somebody for all changes.
    pub async fn ask_changes(&mut self, of: AccountId) -> Outcome {
        let request = LogRequest {
            conversation: self.group.clone(),
            heads: Vec::new(),
        };
        self.tell(
            of,
            Plaintext {
                group_log_request: Some(request),
                ..Plaintext::default()
            },
        )
        .await
    }

    /// Asks somebody for all they ever said in the group, and for these envelopes.
    pub async fn ask_again(
        &mut self,
        of: AccountId,
        chain: u64,
        envelopes: Vec<Vec<u8>>,
    ) -> Outcome {
        let ranges = vec![puppet::Range {
            device: 1,
            chain,
            first: 1,
            last: 1000,
        }];
        let request = Again {
            conversation: self.group.clone(),
            ranges,
            envelopes,
        };
        self.tell(
            of,
            Plaintext {
                resend_request: Some(request),
                ..Plaintext::default()
            },
        )
        .await
    }

    /// Says a text to one of them alone, outside of the group; what it is called there.
    pub async fn say(&mut self, to: AccountId, body: &str) -> Outcome<MessageRef> {
        self.puppet.turn_to(to).await?;
        let mut post = self.puppet.post(body);
        // Each conversation counts for itself.
        post.chain = rand::random();
        post.sequence = 1;
        let name = self.puppet.name(&post);
        self.puppet.say_post(post).await?;
        Ok(name)
    }

    /// Encrypts for the group, with its own key.
    pub fn seal(&mut self, plaintext: &Plaintext) -> Vec<u8> {
        let padded = puppet::pad(&plaintext.encode_to_vec());
        let message = self.own.encrypt(&padded, &mut SysRng).unwrap();
        puppet::envelope(MessageType::SenderKey, message.as_bytes())
    }

    /// Posts to these members of the group; what it is called there.
    pub async fn post_to(&mut self, to: &[AccountId], content: Vec<u8>) -> Outcome<MessageRef> {
        let post = self.post(content);
        self.say_post(to, post).await
    }

    pub async fn say_post(&mut self, to: &[AccountId], post: Post) -> Outcome<MessageRef> {
        let name = self.puppet.name(&post);
        let ciphertext = self.seal(&Plaintext {
            post: Some(post),
            ..Plaintext::default()
        });
        self.puppet.send_shared(ciphertext, to).await?;
        Ok(name)
    }

    /// Makes a change and tells these members of it.
    pub async fn makes(&mut self, to: &[AccountId], change: Change) -> Outcome<Signed> {
        let signed = self.change(change);
        self.post_to(to, signed.content()).await?;
        self.take_change(signed.clone());
        Ok(signed)
    }

    /// Listens to all that was sent since it last listened.
    pub fn listen(&mut self, line: &EvilRelay) -> Heard {
        let mut heard = Heard::default();
        let closed_before = self.closed.len();
        let sends = line.recorded_sends();
        for (who, send) in &sends[self.listened..] {
            let Some(from) = who.device.map(|device| device.account) else {
                continue;
            };
            if !self.seen.insert(send.message_id.to_vec()) {
                continue;
            }
            let ours = self.account();
            let devices = (send.recipients.iter())
                .filter(|recipient| recipient.account.as_ref() == ours.as_bytes())
                .flat_map(|recipient| &recipient.devices);
            for device in devices {
                if let Some(padded) = self.puppet.open(from, &device.ciphertext) {
                    self.take(from, puppet::unpad(&padded), &mut heard);
                }
            }
            // The relay lets it have everything.
            if let Some(shared) = &send.shared_ciphertext {
                match self.open(from, shared) {
                    Some(plaintext) => self.take(from, &plaintext, &mut heard),
                    None => self.closed.push((from, shared.to_vec())),
                }
            }
        }
        // Keys may have come behind.
        for (from, shared) in core::mem::take(&mut self.closed) {
            match self.open(from, &shared) {
                Some(plaintext) => self.take(from, &plaintext, &mut heard),
                None => self.closed.push((from, shared)),
            }
        }
        heard.closed = self.closed.len().saturating_sub(closed_before);
        self.listened = sends.len();
        heard
    }

    /// Tries everything that ever passed with the keys it has now.
    pub fn listen_to_all_of_it_again(&mut self, line: &EvilRelay) -> Heard {
        self.listened = 0;
        self.seen.clear();
        self.closed.clear();
        self.listen(line)
    }

    /// Listens until it has heard what it waits for.
    pub async fn hear(
        &mut self,
        line: &EvilRelay,
        what: &str,
        mut enough: impl FnMut(&Self, &Heard) -> bool,
    ) -> Outcome<Heard> {
        let mut all = Heard::default();
        loop {
            let heard = self.listen(line);
            all.texts.extend(heard.texts);
            all.closed += heard.closed;
            if enough(self, &all) {
                return Ok(all);
            }
            let known = self.listened;
            line.until(what, |record| record.sends().count() > known)
                .await?;
        }
    }

    /// What somebody who steals its memory now can read later.
    pub fn stolen_keys(&self) -> Keys {
        let copy = |key: &InboundSenderKey| InboundSenderKey::decode(&key.encode()).unwrap();
        let keys = self.keys.iter();
        keys.map(|(name, key)| (*name, copy(key))).collect()
    }

    fn open(&mut self, from: AccountId, envelope: &[u8]) -> Option<Vec<u8>> {
        open_with(&mut self.keys, from, envelope)
    }

    fn take(&mut self, from: AccountId, plaintext: &[u8], heard: &mut Heard) {
        let said = Plaintext::decode(plaintext).unwrap();
        if let Some(key) = said.sender_key {
            let message = SenderKeyDistributionMessage::from_bytes(&key.distribution).unwrap();
            let id = message.distribution_id();
            let key = self.keys.entry((from, id));
            let key = key.or_insert_with(|| InboundSenderKey::new(id));
            key.process(&message).unwrap();
        }
        for change in said.group_log.into_iter().flat_map(|log| log.changes) {
            self.take_change(change);
        }
        let Some(post) = said.post else {
            return;
        };
        if post.conversation == self.group {
            self.chains.insert(from, post.chain);
        }
        let Ok(content) = Content::decode(&*post.content) else {
            return;
        };
        heard.texts.extend(content.text.map(|text| text.body));
        if let Some(change) = content.group_change {
            self.take_change(change);
        }
    }

    fn take_change(&mut self, signed: Signed) {
        if self.log.iter().any(|known| known.id() == signed.id()) {
            return;
        }
        if self.group.is_empty() {
            let change = signed.read();
            self.group = if change.create.is_some() {
                signed.id()[..16].to_vec()
            } else {
                change.group
            };
        }
        self.log.push(signed);
    }
}

/// Opens a group's ciphertext with keys.
pub fn open_with(keys: &mut Keys, from: AccountId, envelope: &[u8]) -> Option<Vec<u8>> {
    let message = group_message(envelope)?;
    let key = keys.get_mut(&(from, message.distribution_id()))?;
    let padded = key.decrypt(&message).ok()?;
    Some(puppet::unpad(&padded).to_vec())
}

/// The group's message in an envelope.
pub fn group_message(envelope: &[u8]) -> Option<SenderKeyMessage> {
    let (message_type, message) = puppet::unseal(envelope)?;
    if message_type != MessageType::SenderKey as u8 {
        return None;
    }
    SenderKeyMessage::from_bytes(message).ok()
}

/// The stamp of a change that is made now.
pub fn now_stamp() -> u64 {
    hushpost::Clock::now_ms(&hushpost::SystemClock) << 16
}
