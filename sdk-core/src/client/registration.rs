//! Registration: the account's keys are made once, then the relay is told.

use std::sync::Arc;

use hushpost_wire::AccountId;

use crate::account::LocalDevice;
use crate::client::{Core, begin, engine};
use crate::connection::RequestError;
use crate::{Error, Result};

/// What the relay's operator asks of new accounts.
#[derive(Clone, Default)]
pub struct Registration {
    invite_code: String,
    token: String,
}

impl Registration {
    /// Nothing.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// An invite code.
    #[must_use]
    pub fn with_invite_code(code: impl Into<String>) -> Self {
        Self {
            invite_code: code.into(),
            token: String::new(),
        }
    }

    /// A JWT that the app's own backend signed.
    #[must_use]
    pub fn with_token(token: impl Into<String>) -> Self {
        Self {
            invite_code: String::new(),
            token: token.into(),
        }
    }

    pub(crate) fn at_the_relay(&self, local: &LocalDevice) -> crate::connection::Registration {
        crate::connection::Registration {
            device_list: local.device_list.clone(),
            invite_code: self.invite_code.clone(),
            token: self.token.clone(),
        }
    }
}

impl core::fmt::Debug for Registration {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Registration")
    }
}

/// Makes the account if there is none, and brings it to the relay over a connection of its own.
pub(crate) async fn register(core: &Arc<Core>, registration: Registration) -> Result<AccountId> {
    let now_ms = core.clock.now_ms();
    let mut rng = core.rng.clone();
    let account = core
        .store
        .write(move |tx| Ok(LocalDevice::create(tx, now_ms, &mut rng)?.account()))
        .await?;
    let was_connected = engine::stop(core).await;
    let mut registered = begin::introduce(core, &registration).await;
    if matches!(registered, Err(Error::Relay(RequestError::Disconnected))) {
        // What an earlier call that was dropped had sent can reach the relay behind this connection, and end it.
        registered = begin::introduce(core, &registration).await;
    }
    if was_connected {
        engine::start(core);
    }
    registered?;
    Ok(account)
}
