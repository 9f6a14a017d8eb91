//! The command line.

use std::path::PathBuf;

use clap::Parser;
use hushpost::RelayUrl;

/// A chat in the terminal.
#[derive(Debug, Clone, Parser)]
#[command(name = "hushpost-chat", version, about)]
pub struct Options {
    /// Your user name: 3 to 32 of a-z, 0-9, _ and ., beginning with a letter.
    #[arg(long, value_parser = user_name)]
    pub name: String,
    /// The folder for the database and its key; by default `.hushpost/NAME` in your home.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Where /save puts files; by default Downloads in your home, or the current folder.
    #[arg(long)]
    pub downloads: Option<PathBuf>,
    /// The relay.
    #[arg(long, default_value = "ws://localhost:4810")]
    pub relay: RelayUrl,
    /// An invite code, for relays that ask for one.
    #[arg(long)]
    pub invite: Option<String>,
    /// A token, for relays that ask for one. Others on this machine may see what is on a command line: better
    /// give it in the environment.
    #[arg(long, env = "HUSHPOST_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

impl Options {
    pub(crate) fn downloads(&self) -> PathBuf {
        let at_home = || {
            let folder = std::env::home_dir()?.join("Downloads");
            folder.is_dir().then_some(folder)
        };
        let said = self.downloads.clone().or_else(at_home);
        said.unwrap_or_else(|| PathBuf::from("."))
    }
}

/// Whether the terminal says that it has all colours, and nobody asked for none.
pub(crate) fn has_colours() -> bool {
    let said = std::env::var("COLORTERM");
    std::env::var_os("NO_COLOR").is_none_or(|none| none.is_empty())
        && said.is_ok_and(|said| matches!(said.as_str(), "truecolor" | "24bit"))
}

/// The name is a folder's too, so nothing else is let through.
fn user_name(text: &str) -> Result<String, String> {
    let fits = (3..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("3 to 32 of a-z, 0-9, _ and ., beginning with a letter".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        let parsed = |name: &str| Options::try_parse_from(["chat", "--name", name]);
        assert_eq!(parsed("alice").unwrap().name, "alice");
        for wrong in [
            "",
            "al",
            "../alice",
            "Alice",
            ".alice",
            "a/b",
            "alice\u{1b}",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
        assert!(
            Options::try_parse_from(["chat", "--name", "alice", "--relay", "nothing"]).is_err()
        );
    }
}
