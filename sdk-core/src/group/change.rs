//! One change of a group: who, when, on top of what; signed by its author's account key.
//!
//! ```text
//!   id        = SHA-256(change)
//!   signature = Ed25519(account key, "hushpost group change v1\0" ‖ change)
//!   group id  = the first 16 bytes of the id of the change that created it
//! ```
//!
//! The account id is the hash of the account key that stands in the change, so whoever holds a change can check it
//! for ever, without asking anybody.
//!
//! Must never: have an effect before its signature was checked.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hushpost_wire::AccountId;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::clock::Stamp;
use crate::content::{ContentError, ConversationId, generated};

/// Members of a group.
pub const MAX_MEMBERS: usize = 1024;
/// Bytes of a group's name.
pub const MAX_GROUP_NAME_LEN: usize = 256;
/// Bytes of a group's description.
pub const MAX_DESCRIPTION_LEN: usize = 2048;
/// Bytes of a group's picture.
pub const MAX_ICON_LEN: usize = 16 * 1024;
/// Bytes of one change.
const MAX_CHANGE_LEN: usize = 40_000;
/// Changes that one builds on.
pub(super) const MAX_PARENTS: usize = 16;
/// Longest time until a message disappears: a year.
pub(super) const MAX_TIMER_S: u32 = 366 * 24 * 3600;

const LABEL: &[u8] = b"hushpost group change v1\0";

/// Names a change: the hash of what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChangeId(pub(crate) [u8; 32]);

impl ChangeId {
    pub(crate) fn from_slice(bytes: &[u8]) -> Result<Self, ContentError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| ContentError::Malformed("change id"))
    }
}

/// A change as it travels.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedChange {
    pub(crate) change: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// A change whose signature was checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: ChangeId,
    pub(crate) group: ConversationId,
    pub(crate) parents: Vec<ChangeId>,
    pub(crate) author: AccountId,
    author_key: [u8; 32],
    pub(crate) stamp: Stamp,
    pub(crate) action: Action,
}

/// What is changed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Create {
        nonce: [u8; 16],
        members: Vec<AccountId>,
        details: Details,
        rules: Rules,
    },
    Add(Vec<AccountId>),
    Remove(Vec<AccountId>),
    Role {
        account: AccountId,
        admin: bool,
    },
    Details(Details),
    Rules(Rules),
    Leave,
    Invite(Option<Invite>),
    /// Of a later version: has no effect here.
    Unknown,
}

/// What is new about name, description and picture.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) icon: Option<Vec<u8>>,
}

/// What is new about who may do what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) admins_send: Option<bool>,
    pub(crate) admins_edit: Option<bool>,
    pub(crate) timer_s: Option<u32>,
}

/// An invite link, as the group knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invite {
    pub(crate) secret_hash: [u8; 32],
    /// 0: until it is revoked.
    pub(crate) expires_ms: u64,
    pub(crate) approval: bool,
}

impl SignedChange {
    /// Signs a change; gives it with its id.
    pub(crate) fn sign(
        group: Option<ConversationId>,
        parents: &[ChangeId],
        stamp: Stamp,
        action: &Action,
        account_key: &SigningKey,
    ) -> Result<(Self, Change), ContentError> {
        let encoded = generated::GroupChange {
            group: group.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            parents: parents.iter().map(|id| id.0.to_vec()).collect(),
            author_key: account_key.verifying_key().to_bytes().to_vec(),
            stamp: stamp.to_bits(),
            action: action.write(),
        }
        .encode_to_vec();
        let signed = Self {
            signature: account_key
                .sign(&signed_bytes(&encoded))
                .to_bytes()
                .to_vec(),
            change: encoded,
        };
        // What we would not take from others we do not say.
        let change = signed.verify()?;
        Ok((signed, change))
    }

    /// Checks signature, sizes and fields.
    pub(crate) fn verify(&self) -> Result<Change, ContentError> {
        let malformed = ContentError::Malformed("signature of a group change");
        let change = self.read_verified()?;
        let signature = Signature::from_slice(&self.signature).map_err(|_| malformed)?;
        VerifyingKey::from_bytes(&change.author_key)
            .and_then(|key| key.verify_strict(&signed_bytes(&self.change), &signature))
            .map_err(|_| malformed)?;
        Ok(change)
    }

    /// Reads a change whose signature was checked before it was stored.
    pub(crate) fn read_verified(&self) -> Result<Change, ContentError> {
        let malformed = ContentError::Malformed("group change");
        if self.change.len() > MAX_CHANGE_LEN {
            return Err(ContentError::TooLong("group change"));
        }
        let change = generated::GroupChange::decode(&*self.change).map_err(|_| malformed)?;
        let author_key: [u8; 32] = change.author_key.try_into().map_err(|_| malformed)?;
        let id = ChangeId(Sha256::digest(&self.change).into());
        let action = Action::read(change.action)?;
        let parents: Vec<ChangeId> = change
            .parents
            .iter()
            .map(|parent| ChangeId::from_slice(parent))
            .collect::<Result<_, _>>()?;
        let creates = matches!(action, Action::Create { .. });
        let rising = parents
            .iter()
            .zip(parents.iter().skip(1))
            .all(|(a, b)| a < b);
        if creates != parents.is_empty() || parents.len() > MAX_PARENTS || !rising {
            return Err(malformed);
        }
        let group = if creates {
            if !change.group.is_empty() {
                return Err(malformed);
            }
            id.0.first_chunk::<16>()
                .and_then(|id| ConversationId::from_slice(id))
        } else {
            ConversationId::from_slice(&change.group)
        };
        Ok(Change {
            id,
            group: group.ok_or(malformed)?,
            parents,
            author: AccountId::of_key(&author_key),
            author_key,
            stamp: Stamp::checked(change.stamp).ok_or(malformed)?,
            action,
        })
    }

    pub(crate) fn write(&self) -> generated::SignedGroupChange {
        generated::SignedGroupChange {
            change: self.change.clone(),
            signature: self.signature.clone(),
        }
    }

    pub(crate) fn read(signed: generated::SignedGroupChange) -> Self {
        Self {
            change: signed.change,
            signature: signed.signature,
        }
    }
}

fn signed_bytes(change: &[u8]) -> Vec<u8> {
    [LABEL, change].concat()
}

fn write_accounts(accounts: &[AccountId]) -> Vec<Vec<u8>> {
    let accounts = accounts.iter();
    accounts
        .map(|account| account.as_bytes().to_vec())
        .collect()
}

fn read_accounts(accounts: &[Vec<u8>]) -> Result<Vec<AccountId>, ContentError> {
    if accounts.len() >= MAX_MEMBERS {
        return Err(ContentError::TooLong("list of members"));
    }
    accounts
        .iter()
        .map(|account| AccountId::from_slice(account))
        .collect::<Result<_, _>>()
        .map_err(|_| ContentError::Malformed("account id"))
}

impl Action {
    fn write(&self) -> Option<generated::group_change::Action> {
        use generated::group_change::Action as Wire;
        Some(match self {
            Self::Create {
                nonce,
                members,
                details,
                rules,
            } => Wire::Create(generated::GroupCreate {
                nonce: nonce.to_vec(),
                members: write_accounts(members),
                details: Some(details.write()),
                rules: Some(rules.write()),
            }),
            Self::Add(accounts) => Wire::Add(generated::GroupAccounts {
                accounts: write_accounts(accounts),
            }),
            Self::Remove(accounts) => Wire::Remove(generated::GroupAccounts {
                accounts: write_accounts(accounts),
            }),
            Self::Role { account, admin } => Wire::Role(generated::GroupRole {
                account: account.as_bytes().to_vec(),
                admin: *admin,
            }),
            Self::Details(details) => Wire::Details(details.write()),
            Self::Rules(rules) => Wire::Rules(rules.write()),
            Self::Leave => Wire::Leave(generated::GroupLeave {}),
            Self::Invite(invite) => Wire::Invite(match invite {
                Some(invite) => generated::GroupInvite {
                    secret_hash: invite.secret_hash.to_vec(),
                    expires_ms: invite.expires_ms,
                    approval: invite.approval,
                },
                None => generated::GroupInvite::default(),
            }),
            Self::Unknown => return None,
        })
    }

    fn read(action: Option<generated::group_change::Action>) -> Result<Self, ContentError> {
        use generated::group_change::Action as Wire;
        let Some(action) = action else {
            return Ok(Self::Unknown);
        };
        Ok(match action {
            Wire::Create(create) => {
                let details = Details::read(create.details.unwrap_or_default())?;
                if details.name.is_none() {
                    return Err(ContentError::Malformed("group name"));
                }
                Self::Create {
                    nonce: (create.nonce.try_into())
                        .map_err(|_| ContentError::Malformed("nonce"))?,
                    members: read_accounts(&create.members)?,
                    details,
                    rules: Rules::read(&create.rules.unwrap_or_default())?,
                }
            }
            Wire::Add(accounts) => Self::Add(read_some(&accounts)?),
            Wire::Remove(accounts) => Self::Remove(read_some(&accounts)?),
            Wire::Role(role) => Self::Role {
                account: AccountId::from_slice(&role.account)
                    .map_err(|_| ContentError::Malformed("account id"))?,
                admin: role.admin,
            },
            Wire::Details(details) => Self::Details(Details::read(details)?),
            Wire::Rules(rules) => Self::Rules(Rules::read(&rules)?),
            Wire::Leave(_) => Self::Leave,
            Wire::Invite(invite) if invite == generated::GroupInvite::default() => {
                Self::Invite(None)
            }
            Wire::Invite(invite) => Self::Invite(Some(Invite {
                secret_hash: (invite.secret_hash.try_into())
                    .map_err(|_| ContentError::Malformed("hash"))?,
                expires_ms: invite.expires_ms,
                approval: invite.approval,
            })),
        })
    }
}

fn read_some(accounts: &generated::GroupAccounts) -> Result<Vec<AccountId>, ContentError> {
    let accounts = read_accounts(&accounts.accounts)?;
    if accounts.is_empty() {
        return Err(ContentError::Empty);
    }
    Ok(accounts)
}

impl Details {
    fn write(&self) -> generated::GroupDetails {
        generated::GroupDetails {
            name: self.name.clone(),
            description: self.description.clone(),
            icon: self.icon.clone(),
        }
    }

    fn read(details: generated::GroupDetails) -> Result<Self, ContentError> {
        if let Some(name) = &details.name {
            if name.len() > MAX_GROUP_NAME_LEN {
                return Err(ContentError::TooLong("group name"));
            }
            if name.trim().is_empty() {
                return Err(ContentError::Empty);
            }
        }
        let too_long = |len: Option<usize>, max| len.is_some_and(|len| len > max);
        if too_long(
            details.description.as_ref().map(String::len),
            MAX_DESCRIPTION_LEN,
        ) {
            return Err(ContentError::TooLong("description"));
        }
        if too_long(details.icon.as_ref().map(Vec::len), MAX_ICON_LEN) {
            return Err(ContentError::TooLong("picture"));
        }
        Ok(Self {
            name: details.name,
            description: details.description,
            icon: details.icon,
        })
    }
}

impl Rules {
    fn write(self) -> generated::GroupRules {
        generated::GroupRules {
            admins_send: self.admins_send,
            admins_edit: self.admins_edit,
            timer_s: self.timer_s,
        }
    }

    fn read(rules: &generated::GroupRules) -> Result<Self, ContentError> {
        if rules.timer_s.is_some_and(|timer| timer > MAX_TIMER_S) {
            return Err(ContentError::TooLong("timer"));
        }
        Ok(Self {
            admins_send: rules.admins_send,
            admins_edit: rules.admins_edit,
            timer_s: rules.timer_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn created() -> (SignedChange, Change) {
        let action = Action::Create {
            nonce: [1; 16],
            members: vec![AccountId::of_key(&[2; 32])],
            details: Details {
                name: Some("us".to_owned()),
                ..Details::default()
            },
            rules: Rules::default(),
        };
        SignedChange::sign(None, &[], Stamp::at(5), &action, &key(1)).unwrap()
    }

    #[test]
    fn a_change_is_what_its_author_signed() {
        let (signed, change) = created();
        assert!(signed.verify().unwrap() == change);
        assert_eq!(
            change.author,
            AccountId::of_key(key(1).verifying_key().as_bytes())
        );
        for position in 0..signed.change.len() {
            let mut bad = signed.clone();
            bad.change[position] ^= 1;
            assert!(bad.verify().is_err());
        }
        for position in 0..64 {
            let mut bad = signed.clone();
            bad.signature[position] ^= 1;
            assert!(bad.verify().is_err());
        }
    }

    #[test]
    fn only_the_first_change_builds_on_nothing() {
        let (_, first) = created();
        let sign = |group, parents: &[ChangeId], action: &Action| {
            SignedChange::sign(group, parents, Stamp::at(6), action, &key(1)).map(|_| ())
        };
        assert!(sign(Some(first.group), &[first.id], &Action::Leave).is_ok());
        assert!(sign(Some(first.group), &[], &Action::Leave).is_err());
        assert!(sign(None, &[first.id], &Action::Leave).is_err());
        assert!(sign(None, &[first.id], &first.action).is_err());
        assert!(sign(Some(first.group), &[first.id, first.id], &Action::Leave).is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        let (_, first) = created();
        let named = |len| {
            let details = Details {
                name: Some("x".repeat(len)),
                ..Details::default()
            };
            let action = Action::Details(details);
            SignedChange::sign(
                Some(first.group),
                &[first.id],
                Stamp::at(6),
                &action,
                &key(1),
            )
        };
        assert!(named(MAX_GROUP_NAME_LEN).is_ok());
        assert!(named(MAX_GROUP_NAME_LEN + 1).is_err());
        assert!(named(0).is_err());
        let many = vec![AccountId::of_key(&[2; 32]); MAX_MEMBERS];
        let action = Action::Add(many);
        let added = SignedChange::sign(
            Some(first.group),
            &[first.id],
            Stamp::at(6),
            &action,
            &key(1),
        );
        assert!(added.is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let signed = SignedChange { change: bytes, signature: vec![0; 64] };
            prop_assert!(signed.verify().is_err());
        }
    }
}
