//! The outbox: from "the user pressed send" to "their device has it".
//!
//! ```text
//!   send() ─ one transaction: history row + moved ratchets + ciphertexts ─▶ outbox row
//!                                                                            │
//!        ┌── encrypted (again) ◀── their devices changed, or a re-send ◀─────┤
//!        ▼                                                                   │
//!   delivery ─ in order for each recipient, several at once ─▶ relay ─▶ sent │
//!                                                                            ▼
//!   their receipt ─▶ delivered: the row goes. A relay that lost its store: sent once more.
//! ```
//!
//! A row holds what is to be said (an encoded [`Plaintext`](crate::content::Plaintext)), so that it can be
//! encrypted for a device that was set up anew; its ciphertexts are kept byte for byte for every try with
//! the same envelope id, so that a repeat uses no key twice and the relay can tell it is one.
//!
//! - [`rows`]: the table; [`mod@encrypt`]: ratchets and ciphertexts; [`sessions_needed`]: bundles fetched;
//!   [`delivery`]: the task; [`upload`]: rows in frames; [`answer`]: what the relay said
//!
//! Must never: let bytes leave before the ratchet that made them is committed, or drop a message that its
//! sender still believes to be under way.

pub(crate) mod answer;
pub(crate) mod delivery;
pub(crate) mod encrypt;
pub(crate) mod renumber;
pub(crate) mod reword;
pub(crate) mod rows;
pub(crate) mod sessions_needed;
pub(crate) mod upload;
