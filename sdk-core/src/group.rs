//! Groups: who is in, who may do what, and one encryption for all.
//!
//! ```text
//!   admin ─▶ change, signed, on top of the changes seen ─▶ log ─▶ state: members, roles, settings
//!                                                           ▲
//!   others' changes, in posts and in logs for newcomers ────┘
//!
//!   post ─▶ own sender key, replaced when somebody left ─▶ one ciphertext ─▶ relay: fans it out
//!              └─▶ given to members over their 1:1 sessions, before
//! ```
//!
//! The relay does not know that there are groups. Whom a message goes to is read from the log alone, whose
//! every change each member checks; the relay's word about who is in counts for nothing.
//!
//! - [`change`], [`state`], [`log`]: pure; [`rows`]: the log in the database; [`changes`]: making and taking one
//! - [`sender_keys`]: ours and theirs; [`outbox`] and [`delivery`]: one ciphertext for all
//! - [`receive`]: posts, keys and logs that come in; [`resend`]: for who could not read; [`receipts`]: who has what
//! - [`shared_history`]: what a newcomer is told of what was said before
//! - [`invite`]: links; [`handle`] and [`notice`]: as the app sees it
//!
//! Must never: take a member list, a role or a key from anybody but the log and its authors, or encrypt with a
//! key that somebody who left holds.

pub(crate) mod change;
pub(crate) mod changes;
pub(crate) mod delivery;
pub(crate) mod handle;
pub(crate) mod invite;
pub(crate) mod log;
pub(crate) mod notice;
pub(crate) mod outbox;
pub(crate) mod receipts;
pub(crate) mod receive;
pub(crate) mod resend;
pub(crate) mod rows;
pub(crate) mod sender_keys;
pub(crate) mod shared_history;
pub(crate) mod state;

pub use change::{MAX_DESCRIPTION_LEN, MAX_GROUP_NAME_LEN, MAX_ICON_LEN, MAX_MEMBERS};
pub use handle::{Group, GroupInfo, GroupMember, GroupSettings, NewGroup};
pub use invite::InviteLink;
pub use notice::{GroupChangeMessage, GroupNotice};
pub use receipts::{MemberReceipt, MessageReceipts};
pub use shared_history::MAX_SHARED_MESSAGES;

use crate::account::LocalDevice;
use crate::error::GroupRefusal;
use crate::store::Transaction;
use crate::{Error, Result};

/// Whether this account may write there now.
pub(crate) fn check_may_send(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    let ours = LocalDevice::load(tx)?.account();
    match rows::member(tx, conversation, ours)? {
        Some(member) if member.left_ms.is_some() => Err(Error::Group(GroupRefusal::NotAMember)),
        None => Err(Error::Group(GroupRefusal::NotAMember)),
        Some(member) if member.admin => Ok(()),
        Some(_) if rows::admins_send_ms(tx, conversation)?.is_some() => {
            Err(Error::Group(GroupRefusal::NotAnAdmin))
        }
        Some(_) => Ok(()),
    }
}
