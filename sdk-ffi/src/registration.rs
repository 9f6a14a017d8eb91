//! What the relay's operator asks of new accounts.

use core::fmt;

/// What the relay's operator asks of new accounts.
#[derive(Clone, uniffi::Enum)]
#[uniffi::export(Debug)]
pub enum Registration {
    /// Nothing.
    Open,
    /// An invite code.
    InviteCode {
        /// The code.
        code: String,
    },
    /// A JWT that the app's own backend signed.
    Token {
        /// The token.
        token: String,
    },
}

/// Says of which kind, and no secret.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::InviteCode { .. } => "InviteCode(…)",
            Self::Token { .. } => "Token(…)",
        })
    }
}

impl From<Registration> for hushpost::Registration {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Open => Self::open(),
            Registration::InviteCode { code } => Self::with_invite_code(code),
            Registration::Token { token } => Self::with_token(token),
        }
    }
}
