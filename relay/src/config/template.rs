//! The commented configuration file that `init-config` prints.
//!
//! It is also where errors take their examples and the known settings from, so a test holds it equal to
//! the defaults: no setting can be missing from it and none can be stale.

use toml::Table;

/// Every setting with its default and why it is there. A setting that has a default is commented out with
/// `#`, an example of one that has none with `##`, prose with `# `.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Every setting that there is, with its default or an example.
pub(super) fn every_setting() -> Table {
    uncommented(&["##", "#"])
}

/// The template with these comment signs taken off the settings behind them.
fn uncommented(signs: &[&str]) -> Table {
    let text: String = TEMPLATE
        .lines()
        .map(|line| {
            signs
                .iter()
                .find_map(|sign| line.strip_prefix(sign))
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
                .unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    // Without it errors have no examples; that it parses is tested.
    toml::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, RegistrationMode, TokenRegistration};

    #[test]
    fn as_printed_it_changes_nothing() {
        assert_eq!(
            toml::from_str::<Config>(TEMPLATE).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn it_shows_every_default_and_no_other() {
        // Compared as tables: comparing configurations alone would not notice a setting left out.
        let shown = uncommented(&["#"]);
        let config: Config = shown.clone().try_into().unwrap();
        assert_eq!(config, Config::default());
        let written = Table::try_from(&config).unwrap();
        assert_eq!(paths(&shown), paths(&written));
    }

    #[test]
    fn its_examples_are_a_valid_configuration() {
        let mut every = every_setting();
        // Of key_file and jwks_url only one can be given; mode and codes are those of open mode.
        let token = every
            .get_mut("registration")
            .and_then(|section| section.get_mut("token"))
            .and_then(toml::Value::as_table_mut)
            .unwrap();
        assert!(token.remove("key_file").is_some() && token.contains_key("jwks_url"));
        let mut config: Config = every.clone().try_into().unwrap();
        let token: &TokenRegistration = config.registration.token.as_ref().unwrap();
        assert_eq!(token.leeway.as_secs(), 30);
        assert_eq!(token.jwks_cache.as_secs(), 300);
        assert_eq!(config.tls.as_ref().unwrap().reload_interval.as_secs(), 10);
        config.registration.mode = RegistrationMode::Token;
        assert_eq!(config.validate(), []);
        let written = Table::try_from(&config).unwrap();
        assert_eq!(paths(&every), paths(&written));
    }

    fn paths(table: &Table) -> Vec<String> {
        let mut paths = Vec::new();
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => {
                    paths.extend(paths_below(key, inner));
                }
                _ => paths.push(key.clone()),
            }
        }
        paths.sort();
        paths
    }

    fn paths_below<'a>(key: &'a str, inner: &Table) -> impl Iterator<Item = String> + use<'a> {
        paths(inner)
            .into_iter()
            .map(move |path| format!("{key}.{path}"))
    }
}
