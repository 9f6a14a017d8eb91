//! The relay's configuration: what an operator may choose, and how a wrong choice is explained.
//!
//! No configuration at all gives a relay that works for trying. A file is laid over the defaults, the
//! environment over the file, the command line over both ([`Config::load`]). Whatever is wrong is
//! reported at once, each with its place and a way to mend it ([`ConfigError`]); nothing is guessed and
//! nothing unknown is ignored.
//!
//! Must never print an invite code, nor the content of a key file.

mod check_environment;
mod duration;
mod error;
mod layers;
mod limits;
mod listen;
mod loaded;
mod operation;
mod origin;
mod rate;
mod registration;
mod size;
mod suggest;
mod template;
#[cfg(test)]
mod tests;
mod validate;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::{ConfigError, Place, Problem};
pub use layers::{ENVIRONMENT_PREFIX, Override};
pub use limits::Limits;
pub use listen::{Listen, Tls};
pub use loaded::Loaded;
pub use operation::{Drain, Log, LogFormat, Storage};
pub use rate::{Rate, RateLimit, Rates, WhenFull};
pub use registration::{
    InviteCode, JwksUrl, Registration, RegistrationMode, TokenAlgorithm, TokenKeys,
    TokenRegistration,
};
pub use template::TEMPLATE;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The relay's name, which devices sign when they prove themselves. 1 to 255 bytes.
    pub name: String,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Listeners and connections.
    pub listen: Listen,
    /// The relay's own TLS; `None`: plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Who may create an account.
    pub registration: Registration,
    /// Sizes, counts and rates.
    pub limits: Limits,
    /// The embedded store.
    pub storage: Storage,
    /// How the relay stops.
    pub drain: Drain,
    /// What is logged.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "localhost".to_owned(),
            data_dir: PathBuf::from("./hushpost-data"),
            listen: Listen::default(),
            tls: None,
            registration: Registration::default(),
            limits: Limits::default(),
            storage: Storage::default(),
            drain: Drain::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// Lays `file`, `environment` and `overrides` over the defaults, in this order, and checks what comes
    /// out. Of the environment only names that begin with [`ENVIRONMENT_PREFIX`] are looked at.
    ///
    /// Reads no other file: whether certificates, keys and the data folder are there is what
    /// [`Loaded::check_environment`] tells.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read, or all that is wrong with what was read.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        Loaded::read(file, environment, overrides).map(|loaded| loaded.config)
    }
}
