//! Who may register: everybody, who has an invite code, or who shows a token of the app's own backend.

use std::time::SystemTime;

use hushpost_wire::{AccountId, ErrorCode, limits};

use super::registration_token::RegistrationTokens;
use crate::config::InviteCode;
use crate::refusal::Refusal;

/// The configured gate.
pub enum Registration {
    /// Open, with these invite codes; none: everybody.
    Open(Vec<InviteCode>),
    /// A token of the app's backend.
    Token(RegistrationTokens),
}

/// What an admitted account brings along.
#[derive(Debug, Default)]
pub struct Admission {
    /// The app's own id for the user.
    pub app_user_id: Option<String>,
}

impl Registration {
    /// Whether a new account may register.
    ///
    /// # Errors
    /// [`ErrorCode::InviteRequired`], [`ErrorCode::TokenRejected`].
    pub async fn admit(
        &self,
        account: AccountId,
        invite_code: &str,
        token: &str,
    ) -> Result<Admission, Refusal> {
        match self {
            Self::Open(codes) => {
                let shown = invite_code.as_bytes();
                // Every code is compared, so that the time taken does not tell which one was close.
                let known = codes
                    .iter()
                    .fold(false, |known, code| code.matches(shown) | known);
                let admitted = codes.is_empty() || known;
                if admitted && shown.len() <= limits::MAX_INVITE_LEN {
                    Ok(Admission::default())
                } else {
                    Err(Refusal::new(
                        ErrorCode::InviteRequired,
                        "this relay needs a valid invite code",
                    ))
                }
            }
            Self::Token(tokens) => {
                let rejected = || {
                    Refusal::new(
                        ErrorCode::TokenRejected,
                        "this relay needs a valid token of the app's backend",
                    )
                };
                let claims = tokens.verify(token, SystemTime::now()).await.map_err(|rejected_token| {
                    tracing::info!(reason = %rejected_token.reason, "a registration token was rejected");
                    rejected()
                })?;
                if claims.account.is_some_and(|bound| bound != account) {
                    return Err(rejected());
                }
                Ok(Admission {
                    app_user_id: Some(claims.subject),
                })
            }
        }
    }
}
