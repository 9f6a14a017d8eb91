//! `check-config`: tells whether the configuration is valid.

use std::io::{self, Write};

use super::EXIT_WRONG_CONFIG;
use crate::config::{ConfigError, Loaded};

/// Writes what the configuration changes to `out`, or what is wrong with it to `err`. The exit status: 0,
/// or [`EXIT_WRONG_CONFIG`].
///
/// # Errors
/// What the writers answer.
pub fn check_config(
    loaded: Result<Loaded, ConfigError>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    let checked = loaded.and_then(|loaded| loaded.check_environment().map(|()| loaded));
    match checked {
        Ok(loaded) => {
            loaded.write_summary(out)?;
            writeln!(out, "configuration is valid")?;
            Ok(0)
        }
        Err(error) => {
            writeln!(err, "{error}")?;
            Ok(EXIT_WRONG_CONFIG)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn run(arguments: &[&str]) -> (u8, String, String) {
        let cli = Cli::try_parse_from(["relay", "check-config"].iter().chain(arguments)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = check_config(cli.load([]), &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status, text(out), text(err))
    }

    #[test]
    fn no_configuration_is_valid() {
        let (status, out, err) = run(&[]);
        assert_eq!((status, err.as_str()), (0, ""));
        assert!(
            out.starts_with("data_dir = \"./hushpost-data\"  # default\n"),
            "{out}"
        );
        assert!(out.contains("tls: none"), "{out}");
        assert!(out.ends_with("configuration is valid\n"), "{out}");
    }

    #[test]
    fn the_summary_says_where_settings_come_from_and_hides_invite_codes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.toml");
        let text = "name = 'chat.example'\n[registration]\ninvite_codes = ['sesame']\n\
                    [limits.rate]\nuploads = 'off'\n";
        fs::write(&file, text).unwrap();
        let data_dir = format!("data_dir={}", folder.path().join("a/b").display());
        let file = file.to_str().unwrap();
        let (status, out, _) = run(&["--config", file, "--set", &data_dir]);
        assert_eq!(status, 0);
        for line in [
            format!("name = \"chat.example\"  # {file} line 1 column 8\n"),
            "registration.invite_codes = (hidden)  # ".to_owned(),
            "limits.rate.uploads = \"off\"  # ".to_owned(),
            "b\"  # option --set data_dir\n".to_owned(),
        ] {
            assert!(out.contains(&line), "{line} is not in:\n{out}");
        }
        assert!(!out.contains("sesame"), "{out}");
        assert!(!folder.path().join("a").exists(), "it changes nothing");
    }

    #[test]
    fn what_is_wrong_goes_to_the_other_writer() {
        let (status, out, err) = run(&["--set", "limits.devices=0", "--set", "name="]);
        assert_eq!((status, out.as_str()), (EXIT_WRONG_CONFIG, ""));
        assert!(err.contains("limits.devices: 0 is out of range"), "{err}");
        assert!(err.contains("name: empty"), "{err}");
    }
}
