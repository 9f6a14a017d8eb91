//! Whether there is a connection.

use std::time::Duration;

/// Whether there is a connection to the relay.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum ConnectionState {
    /// Not asked for.
    Offline,
    /// On the way.
    Connecting,
    /// Connected; what waited at the relay is coming.
    CatchingUp,
    /// Connected, and everything is here.
    Online,
    /// Tried in vain, or lost; tried again by itself after this long.
    Waiting {
        /// How long.
        retry_in: Duration,
    },
    /// This account is connected from another process or a copy of this device: not tried again by itself.
    Replaced,
    /// The relay does not take this account: `code` says why. Register, or ask the operator; not tried again by itself.
    Refused {
        /// A stable name of the cause.
        code: String,
    },
}

impl From<hushpost::ConnectionState> for ConnectionState {
    fn from(state: hushpost::ConnectionState) -> Self {
        match state {
            hushpost::ConnectionState::Connecting => Self::Connecting,
            hushpost::ConnectionState::CatchingUp => Self::CatchingUp,
            hushpost::ConnectionState::Online => Self::Online,
            hushpost::ConnectionState::Waiting { retry_in } => Self::Waiting { retry_in },
            hushpost::ConnectionState::Replaced => Self::Replaced,
            hushpost::ConnectionState::Refused { code } => Self::Refused { code },
            _ => Self::Offline,
        }
    }
}
