//! The configuration a test's relay runs with: its own folder, ports of the system's choice, and what the
//! test adds.

use std::path::Path;

use toml::{Table, Value};

use crate::HarnessError;

/// The name that relays of tests go by.
pub const RELAY_NAME: &str = "relay.test";

/// Switches every rate limit off, for tests and measurements that are not about them.
pub const LIMITERS_OFF: &str = r#"
[limits.rate]
messages_per_account = "off"
messages_per_address = "off"
messages_per_pair = "off"
bytes_per_queue = "off"
bundles_per_pair = "off"
bundles_per_target = "off"
name_lookups = "off"
registrations_per_address = "off"
handshakes_per_address = "off"
uploads = "off"
presence = "off"
requests_per_connection = "off"
"#;

/// Any free port.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// Makes the file: the base below, then each of `additions` merged over it in turn.
pub(crate) fn render(
    data_dir: &Path,
    address: &str,
    additions: &[String],
) -> Result<String, HarnessError> {
    let mut listen = Table::new();
    listen.insert("address".into(), address.into());
    listen.insert("admin_address".into(), ANY_PORT.into());
    let mut config = Table::new();
    config.insert("name".into(), RELAY_NAME.into());
    config.insert(
        "data_dir".into(),
        data_dir.to_string_lossy().into_owned().into(),
    );
    config.insert("listen".into(), listen.into());
    for addition in additions {
        let addition = addition
            .parse()
            .map_err(|error: toml::de::Error| HarnessError::Config(error.to_string()))?;
        merge(&mut config, addition);
    }
    toml::to_string(&config).map_err(|error| HarnessError::Config(error.to_string()))
}

/// Tables are merged, anything else is replaced.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(existing)), Value::Table(added)) => merge(existing, added),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_merged_over_the_base() {
        let additions = [
            LIMITERS_OFF.to_owned(),
            "[listen]\nmax_connections = 9\n[limits.rate]\nuploads = 5".to_owned(),
        ];
        let text = render(Path::new("/x/data"), "127.0.0.1:7", &additions).unwrap();
        let config: Table = text.parse().unwrap();
        assert_eq!(config["listen"]["address"].as_str(), Some("127.0.0.1:7"));
        assert_eq!(config["listen"]["max_connections"].as_integer(), Some(9));
        assert_eq!(config["limits"]["rate"]["uploads"].as_integer(), Some(5));
        assert_eq!(config["limits"]["rate"]["presence"].as_str(), Some("off"));
        assert_eq!(config["data_dir"].as_str(), Some("/x/data"));
    }

    #[test]
    fn a_broken_addition_is_reported() {
        let broken = ["[listen".to_owned()];
        assert!(matches!(
            render(Path::new("/x"), ANY_PORT, &broken),
            Err(HarnessError::Config(_))
        ));
    }
}
