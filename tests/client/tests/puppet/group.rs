//! What members of a group say to each other, and changes that anybody signs.

use ed25519_dalek::{Signer as _, SigningKey};
use hushpost::AccountId;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

const LABEL: &[u8] = b"hushpost group change v1\0";

#[derive(Clone, PartialEq, prost::Message)]
pub struct SenderKey {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub distribution: Vec<u8>,
    #[prost(fixed64, tag = "3")]
    pub chain: u64,
    #[prost(uint64, tag = "4")]
    pub first: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Log {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub changes: Vec<Signed>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LogRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub heads: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct JoinRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub secret: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SharedHistory {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub posts: Vec<SharedPost>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SharedPost {
    #[prost(bytes = "vec", tag = "1")]
    pub author: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub device: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub message_id: Vec<u8>,
    #[prost(fixed64, tag = "4")]
    pub stamp: u64,
    #[prost(uint64, tag = "5")]
    pub sequence: u64,
    #[prost(bytes = "vec", tag = "6")]
    pub content: Vec<u8>,
}

/// A change as it travels.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Signed {
    #[prost(bytes = "vec", tag = "1")]
    pub change: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// A change, with one action at most.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Change {
    #[prost(bytes = "vec", tag = "1")]
    pub group: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub parents: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    pub author_key: Vec<u8>,
    #[prost(fixed64, tag = "4")]
    pub stamp: u64,
    #[prost(message, optional, tag = "10")]
    pub create: Option<Create>,
    #[prost(message, optional, tag = "11")]
    pub add: Option<Accounts>,
    #[prost(message, optional, tag = "12")]
    pub remove: Option<Accounts>,
    #[prost(message, optional, tag = "13")]
    pub role: Option<Role>,
    #[prost(message, optional, tag = "14")]
    pub details: Option<Details>,
    #[prost(message, optional, tag = "15")]
    pub rules: Option<Rules>,
    #[prost(message, optional, tag = "16")]
    pub leave: Option<Leave>,
    #[prost(message, optional, tag = "17")]
    pub invite: Option<Invite>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Create {
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub members: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "3")]
    pub details: Option<Details>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Accounts {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub accounts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Role {
    #[prost(bytes = "vec", tag = "1")]
    pub account: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub admin: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Details {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Rules {
    #[prost(bool, optional, tag = "1")]
    pub admins_send: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub admins_edit: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Leave {}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Invite {
    #[prost(bytes = "vec", tag = "1")]
    pub secret_hash: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub expires_ms: u64,
    #[prost(bool, tag = "3")]
    pub approval: bool,
}

impl Change {
    pub fn adds(account: AccountId) -> Self {
        Self {
            add: Some(accounts(account)),
            ..Self::default()
        }
    }

    pub fn removes(account: AccountId) -> Self {
        Self {
            remove: Some(accounts(account)),
            ..Self::default()
        }
    }

    pub fn role(account: AccountId, admin: bool) -> Self {
        let account = account.as_bytes().to_vec();
        Self {
            role: Some(Role { account, admin }),
            ..Self::default()
        }
    }

    pub fn names(name: &str) -> Self {
        let name = Some(name.to_owned());
        Self {
            details: Some(Details { name }),
            ..Self::default()
        }
    }

    pub fn rules(admins_send: Option<bool>, admins_edit: Option<bool>) -> Self {
        Self {
            rules: Some(Rules {
                admins_send,
                admins_edit,
            }),
            ..Self::default()
        }
    }

    pub fn leaves() -> Self {
        Self {
            leave: Some(Leave {}),
            ..Self::default()
        }
    }

    pub fn invites(secret_hash: [u8; 32]) -> Self {
        Self {
            invite: Some(Invite {
                secret_hash: secret_hash.to_vec(),
                ..Invite::default()
            }),
            ..Self::default()
        }
    }

    /// Signs it, as the author it names.
    pub fn sign(&self, key: &SigningKey) -> Signed {
        Signed::of(self.encode_to_vec(), key)
    }
}

impl Signed {
    /// Bytes, signed.
    pub fn of(change: Vec<u8>, key: &SigningKey) -> Self {
        let signature = key.sign(&[LABEL, &change].concat()).to_bytes().to_vec();
        Self { change, signature }
    }

    /// Its name: the hash of what was signed.
    pub fn id(&self) -> Vec<u8> {
        Sha256::digest(&self.change).to_vec()
    }

    pub fn read(&self) -> Change {
        Change::decode(&*self.change).unwrap()
    }

    /// As the content of a post.
    pub fn content(&self) -> Vec<u8> {
        Content {
            group_change: Some(self.clone()),
            ..Content::default()
        }
        .encode_to_vec()
    }
}

fn accounts(account: AccountId) -> Accounts {
    Accounts {
        accounts: vec![account.as_bytes().to_vec()],
    }
}

/// Of a content, what a member of a group looks at.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Content {
    #[prost(message, optional, tag = "1")]
    pub text: Option<Text>,
    #[prost(message, optional, tag = "16")]
    pub group_change: Option<Signed>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub body: String,
}
