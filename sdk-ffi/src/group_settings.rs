//! Who may do what in a group.

use std::time::Duration;

/// Who may do what in a group.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct GroupSettings {
    /// Only admins may send.
    #[uniffi(default = false)]
    pub only_admins_send: bool,
    /// Only admins may change name, description, picture and timer.
    #[uniffi(default = false)]
    pub only_admins_edit: bool,
    /// How long after it was read a message disappears; at most 366 days, in whole seconds.
    #[uniffi(default = None)]
    pub disappearing: Option<Duration>,
}

impl From<hushpost::GroupSettings> for GroupSettings {
    fn from(settings: hushpost::GroupSettings) -> Self {
        Self {
            only_admins_send: settings.only_admins_send,
            only_admins_edit: settings.only_admins_edit,
            disappearing: settings.disappearing,
        }
    }
}

impl From<GroupSettings> for hushpost::GroupSettings {
    fn from(settings: GroupSettings) -> Self {
        Self {
            only_admins_send: settings.only_admins_send,
            only_admins_edit: settings.only_admins_edit,
            disappearing: settings.disappearing,
        }
    }
}
