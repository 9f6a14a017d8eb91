//! Invite links: a secret that opens a group for whoever shows it to an admin.
//!
//! ```text
//!   hushpost-group:<base64url of: version 1 │ group 16 │ secret 32 │ accounts of admins, 16 each, 1 to 4>
//! ```
//!
//! The group's log knows the secret's hash alone, so that every admin can check a guest; the relay knows nothing.
//! A link to a device is something else, has another scheme, and is refused here.
//!
//! Must never: let anybody in after the link was revoked or has expired.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hushpost_wire::{AccountId, DeviceAddress};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::account::contacts;
use crate::content::{Body, ConversationId, JoinRequest};
use crate::conversation::rows::ConversationRow;
use crate::event::Event;
use crate::group::change::Action;
use crate::group::{changes, rows};
use crate::inbox::batch::Batch;
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, signed};
use crate::{Error, Result};

const SCHEME: &str = "hushpost-group:";
const VERSION: u8 = 1;
/// Admins that a link names.
const MAX_ADMINS: usize = 4;
/// Wishes that wait for an admin, in one group.
const MAX_WAITING: i64 = 1000;

/// A link that lets people into a group. Whoever has it can ask to come in: show it to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    group: ConversationId,
    secret: Zeroizing<[u8; 32]>,
    admins: Vec<AccountId>,
}

impl InviteLink {
    pub(crate) fn new(
        group: ConversationId,
        secret: Zeroizing<[u8; 32]>,
        admins: Vec<AccountId>,
    ) -> Self {
        Self {
            group,
            secret,
            admins,
        }
    }

    /// The group it opens.
    #[must_use]
    pub const fn group(&self) -> ConversationId {
        self.group
    }

    /// The text to show, send or draw as a QR code: all of the secret is in it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend_from_slice(self.group.as_bytes());
        bytes.extend_from_slice(self.secret.as_slice());
        for admin in self.admins.iter().take(MAX_ADMINS) {
            bytes.extend_from_slice(admin.as_bytes());
        }
        format!("{SCHEME}{}", URL_SAFE_NO_PAD.encode(&*bytes))
    }

    pub(crate) fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_slice()).into()
    }
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InviteLink({})", self.group)
    }
}

impl FromStr for InviteLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::InvalidInput("this is not an invite link of a group");
        let text = text.trim().strip_prefix(SCHEME).ok_or_else(refused)?;
        if text.len() > 256 {
            return Err(refused());
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?);
        let ([version], rest) = bytes.split_first_chunk::<1>().ok_or_else(refused)?;
        let (group, rest) = rest.split_first_chunk::<16>().ok_or_else(refused)?;
        let (secret, rest) = rest.split_first_chunk::<32>().ok_or_else(refused)?;
        let (admins, left) = rest.as_chunks::<16>();
        if *version != VERSION || !left.is_empty() || admins.is_empty() || admins.len() > MAX_ADMINS
        {
            return Err(refused());
        }
        let admins = admins.iter().map(|admin| AccountId::from_slice(admin));
        Ok(Self {
            group: ConversationId::from_slice(group).ok_or_else(refused)?,
            secret: Zeroizing::new(*secret),
            admins: admins.collect::<Result<_, _>>().map_err(|_| refused())?,
        })
    }
}

/// Asks the admins on a link to be let in.
pub(crate) fn ask(
    tx: &Transaction<'_>,
    link: &InviteLink,
    ours: AccountId,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO join_wish (conversation_id, at_ms) VALUES (?1, ?2)",
        (link.group.as_bytes(), signed(now_ms)),
    )?;
    let body = Body::JoinRequest(JoinRequest {
        conversation: link.group,
        secret: link.secret.clone(),
    })
    .encode()?;
    for admin in &link.admins {
        if *admin == ours {
            continue;
        }
        contacts::ensure(tx, *admin)?;
        let row = NewRow {
            recipient: *admin,
            message: None,
            only_device: None,
            replaces: &[],
            body: &body,
        };
        if !outbox::waits(tx, &row)? {
            outbox::insert(tx, &row, now_ms, rng)?;
        }
    }
    Ok(())
}

/// Whether this device asked to be let into a group.
pub(crate) fn was_asked_for(db: &Connection, group: ConversationId) -> Result<bool> {
    Ok(db.query_row(
        "SELECT EXISTS (SELECT 1 FROM join_wish WHERE conversation_id = ?1)",
        [group.as_bytes()],
        |row| row.get(0),
    )?)
}

/// The wish was fulfilled.
pub(crate) fn forget_wish(tx: &Transaction<'_>, group: ConversationId) -> Result<()> {
    tx.execute(
        "DELETE FROM join_wish WHERE conversation_id = ?1",
        [group.as_bytes()],
    )?;
    Ok(())
}

/// Somebody shows a secret to this device.
pub(crate) fn asked(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
    request: &JoinRequest,
) -> Result<()> {
    let state = rows::log(batch.tx, conversation.id)?.outcome().state;
    let hash: [u8; 32] = Sha256::digest(request.secret.as_slice()).into();
    let now_ms = batch.clock.corrected(batch.now_ms);
    let Some(invite) = state.invite.filter(|invite| {
        bool::from(invite.secret_hash.ct_eq(&hash))
            && (invite.expires_ms == 0 || now_ms < invite.expires_ms)
    }) else {
        return Ok(());
    };
    if !state.is_admin(batch.local.account()) || state.members.contains_key(&from.account) {
        return Ok(());
    }
    let group = conversation.conversation_id;
    if !invite.approval {
        return let_in(batch, group, from.account);
    }
    let waiting: i64 = batch.tx.query_row(
        "SELECT count(*) FROM join_request WHERE conversation = ?1",
        [conversation.id],
        |row| row.get(0),
    )?;
    if waiting >= MAX_WAITING {
        return Ok(());
    }
    let new = batch.tx.execute(
        "INSERT OR IGNORE INTO join_request (conversation, account, at_ms) VALUES (?1, ?2, ?3)",
        (conversation.id, from.account.as_bytes(), signed(now_ms)),
    )?;
    if new > 0 {
        let account = from.account;
        batch
            .effects
            .events
            .push(Event::JoinRequested { group, account });
    }
    Ok(())
}

fn let_in(batch: &mut Batch<'_, '_>, group: ConversationId, guest: AccountId) -> Result<()> {
    // The batch has a clock of its own: what it saw so far counts for the change's stamp.
    crate::account::LocalDevice::save_clock(batch.tx, &batch.clock)?;
    let mut events = Vec::new();
    let (now_ms, rng) = (batch.now_ms, batch.rng.clone());
    let action = Action::Add(vec![guest]);
    match changes::make(batch.tx, group, &action, now_ms, &rng, &mut events) {
        Ok(_) => {}
        // Full, or not an admin any more: the guest waits in vain, and nothing else is wrong.
        Err(Error::Group(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    batch.clock = crate::account::LocalDevice::load(batch.tx)?.clock;
    batch.effects.events.append(&mut events);
    batch.effects.outbox = true;
    Ok(())
}

/// Who waits to be let in.
pub(crate) fn waiting(db: &Connection, conversation: i64) -> Result<Vec<AccountId>> {
    let mut query = db.prepare_cached(
        "SELECT account FROM join_request WHERE conversation = ?1 ORDER BY at_ms, account",
    )?;
    let rows = query.query_map([conversation], |row| account(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An admin says no.
pub(crate) fn refuse(tx: &Transaction<'_>, conversation: i64, guest: AccountId) -> Result<()> {
    tx.execute(
        "DELETE FROM join_request WHERE conversation = ?1 AND account = ?2",
        (conversation, guest.as_bytes()),
    )?;
    Ok(())
}

/// Whoever is in waits no more.
pub(crate) fn forget_answered(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM join_request WHERE conversation = ?1 AND account IN
             (SELECT account FROM group_member WHERE conversation = ?1 AND left_ms IS NULL)",
        [conversation],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> InviteLink {
        InviteLink::new(
            ConversationId::from_slice(&[3; 16]).unwrap(),
            Zeroizing::new([9; 32]),
            vec![AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32])],
        )
    }

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let text = link().to_text();
        assert!(text.parse::<InviteLink>().unwrap() == link());
        assert!(format!(" {text}\n").parse::<InviteLink>().unwrap() == link());
        assert!(!format!("{:?}", link()).contains("CQkJ"));
    }

    #[test]
    fn anything_else_is_refused() {
        let text = link().to_text();
        for cut in SCHEME.len()..text.len() {
            assert!(
                text[..cut].parse::<InviteLink>().is_err() || (cut - SCHEME.len()) * 3 / 4 == 65
            );
        }
        let other = text.replace("hushpost-group:", "hushpost-device:");
        for bad in [
            "",
            SCHEME,
            &other,
            &format!("{text}AAAA"),
            &"x".repeat(10_000),
        ] {
            assert!(bad.parse::<InviteLink>().is_err(), "{bad}");
        }
    }
}
