//! What an operator is told: the messages themselves, and which layer wins.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use super::*;

/// Loads a file with this text (none if empty), these variables and options.
fn load(text: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    fs::write(&file, text).unwrap();
    let environment = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let set: Vec<Override> = set.iter().map(|text| text.parse().unwrap()).collect();
    let file = Some(file.as_path()).filter(|_| !text.is_empty());
    Config::load(file, environment, &set).map_err(|error| {
        let folder = format!("{}/", folder.path().display());
        error.to_string().replace(&folder, "")
    })
}

#[track_caller]
fn assert_told(text: &str, environment: &[(&str, &str)], set: &[&str], told: &str) {
    assert_eq!(load(text, environment, set).unwrap_err(), told);
}

#[test]
fn no_configuration_is_the_default_one() {
    assert_eq!(load("", &[], &[]), Ok(Config::default()));
    assert_eq!(Config::default().validate(), []);
    // What a table that is given in part takes the rest from.
    assert_eq!(
        toml::Table::try_from(Config::default()).unwrap().try_into(),
        Ok(Config::default())
    );
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let text = "name = 'file'\ndata_dir = 'file'\n[limits]\ndevices = 3\nrecipients = 4";
    let config = load(
        text,
        &[
            ("HUSHPOST_RELAY__NAME", "environment"),
            ("HUSHPOST_RELAY__LIMITS__DEVICES", "5"),
            ("HUSHPOST_RELAY_PORT", "tcp://10.0.0.1:80"),
            ("HUSHPOST_RELAY_CONFIG", "somewhere"),
            ("HOME", "/"),
        ],
        &["name=flag", "limits.queue_messages=7"],
    )
    .unwrap();
    assert_eq!(config.name, "flag");
    assert_eq!(config.data_dir, Path::new("file"));
    let limits = config.limits;
    assert_eq!(
        (limits.devices, limits.recipients, limits.queue_messages),
        (5, 4, 7)
    );
    assert_eq!(limits.pending_requests, Limits::default().pending_requests);
}

#[test]
fn values_outside_the_file_need_no_quotes() {
    let config = load(
        "",
        &[
            ("HUSHPOST_RELAY__NAME", "4810"),
            ("HUSHPOST_RELAY__LISTEN__ADDRESS", "[::]:0"),
            ("HUSHPOST_RELAY__LISTEN__TRUSTED_PROXIES", "['10.0.0.0/8']"),
            ("HUSHPOST_RELAY__LIMITS__MESSAGE_BYTES", "32 KiB"),
            ("HUSHPOST_RELAY__LIMITS__BLOB_BYTES", "1048576"),
            ("HUSHPOST_RELAY__LIMITS__MESSAGE_TTL", "7d"),
            ("HUSHPOST_RELAY__LIMITS__RATE__UPLOADS", "off"),
            ("HUSHPOST_RELAY__LIMITS__RATE__PRESENCE__BURST", "7"),
        ],
        &[
            "limits.rate.name_lookups={ burst = 9 }",
            "log.filter=\"debug\"",
            "tls.key=a=b",
            "tls.certificate=c",
        ],
    )
    .unwrap();
    assert_eq!(config.name, "4810");
    assert_eq!(config.listen.address.to_string(), "[::]:0");
    assert_eq!(config.listen.trusted_proxies[0].to_string(), "10.0.0.0/8");
    assert_eq!(config.limits.message_bytes, 32 << 10);
    assert_eq!(config.limits.blob_bytes, 1 << 20);
    assert_eq!(config.limits.message_ttl.as_secs(), 7 * 24 * 3600);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.tls.unwrap().key, Path::new("a=b"));
    let (rates, defaults) = (config.limits.rate, Rates::default());
    assert_eq!(rates.uploads, RateLimit::Off);
    // The rest of a limiter is that of this very limiter.
    for (given, default, burst) in [
        (rates.presence, defaults.presence, 7),
        (rates.name_lookups, defaults.name_lookups, 9),
    ] {
        let RateLimit::On(default) = default else {
            panic!()
        };
        assert_eq!(given, RateLimit::On(Rate { burst, ..default }));
    }
}

#[test]
fn a_typo_in_the_file() {
    assert_told(
        "[listen]\naddres = '127.0.0.1:1'",
        &[],
        &[],
        "error: listen.addres: there is no such setting
  in relay.toml line 2 column 1
    |
  2 | addres = '127.0.0.1:1'
    | ^^^^^^
  help: did you mean listen.address?",
    );
    // A setting in the wrong section, a section that is none, and a name like nothing else.
    let told = load("devices = 1\n[limit]\n[log]\nxyz = 1", &[], &[]).unwrap_err();
    for line in [
        "devices: there is no such setting\n",
        "help: did you mean limits.devices?",
        "help: did you mean limits?",
        "help: known here: filter, format",
    ] {
        assert!(told.contains(line), "{line} is not in:\n{told}");
    }
}

#[test]
fn a_typo_in_the_environment_and_in_an_option() {
    assert_told(
        "",
        &[("HUSHPOST_RELAY__LISTEN__ADRESS", "127.0.0.1:1")],
        &["limits.rate.uplods=off"],
        "error: limits.rate.uplods: there is no such setting
  in option --set limits.rate.uplods
  help: did you mean limits.rate.uploads?
error: listen.adress: there is no such setting
  in environment variable HUSHPOST_RELAY__LISTEN__ADRESS
  help: did you mean listen.address?",
    );
    for name in ["", "NAME__X__Y__Z__A", "LISTEN____ADDRESS", "__NAME"] {
        let name = format!("{ENVIRONMENT_PREFIX}{name}");
        let told = load("", &[(&name, "1")], &[]).unwrap_err();
        assert!(told.contains("there is no such setting"), "{told}");
        assert!(told.contains(&name), "{told}");
    }
}

#[test]
fn a_wrong_type_in_each_layer() {
    assert_told(
        "name = 'x'\n\n[limits]\ndevices = \"six\"",
        &[],
        &[],
        "error: limits.devices: invalid type: string \"six\", expected a whole number, 0 or more
  in relay.toml line 4 column 11
    |
  4 | devices = \"six\"
    |           ^^^^^
  help: for example: limits.devices = 6",
    );
    assert_told(
        "limits.message_ttl = '1d'",
        &[("HUSHPOST_RELAY__LIMITS__MESSAGE_TTL", "30")],
        &[],
        "error: limits.message_ttl: \"30\" is not a duration: time unit needed, for example 30sec or 30ms
  in environment variable HUSHPOST_RELAY__LIMITS__MESSAGE_TTL
  help: for example: limits.message_ttl = \"30d\"",
    );
    assert_told(
        "",
        &[],
        &["listen.address=localhost:4810"],
        "error: listen.address: invalid socket address syntax
  in option --set listen.address
  help: for example: listen.address = \"127.0.0.1:4810\"",
    );
    assert_told(
        "limits.rate.uploads = 'of'",
        &[],
        &[],
        "error: limits.rate.uploads: invalid value: string \"of\", expected { burst = 60, per_minute = 10, when_full = \"open\" or \"closed\" }, or \"off\"
  in relay.toml line 1 column 23
    |
  1 | limits.rate.uploads = 'of'
    |                       ^^^^
  help: for example: limits.rate.uploads = { burst = 50, per_minute = 0.8333, when_full = \"closed\" }",
    );
    let told = load("name.x = 1", &[], &["limits=5"]).unwrap_err();
    assert!(told.contains("error: name: "), "{told}");
    assert!(
        told.contains("error: limits: invalid type: integer `5`, expected a section"),
        "{told}"
    );
}

#[test]
fn out_of_range_in_each_layer() {
    assert_told(
        "[limits]\nstranger_share = 1.5\nblob_bytes = '3 GiB'\nblob_quota_bytes = '4 GiB'",
        &[("HUSHPOST_RELAY__LISTEN__IDLE_TIMEOUT", "0s")],
        &["limits.rate.presence.burst=0"],
        "error: listen.idle_timeout: 0s is out of range
  in environment variable HUSHPOST_RELAY__LISTEN__IDLE_TIMEOUT
  help: from 1ms to 1h
error: limits.stranger_share: 1.5 is out of range
  in relay.toml line 2 column 18
    |
  2 | stranger_share = 1.5
    |                  ^^^
  help: from 0 to 1
error: limits.blob_bytes: 3 GiB is out of range
  in relay.toml line 3 column 14
    |
  3 | blob_bytes = '3 GiB'
    |              ^^^^^^^
  help: from 1 KiB to 2 GiB
error: limits.rate.presence.burst: 0 would let nothing through
  in option --set limits.rate.presence.burst
  help: at least 1, or \"off\"",
    );
}

#[test]
fn what_is_missing_is_named_where_it_should_be() {
    assert_told(
        "[tls]\nkey = 'k'",
        &[],
        &[],
        "error: tls: certificate is missing
  in relay.toml line 1 column 2
    |
  1 | [tls]
    |  ^^^
  help: for example: tls.certificate = \"/etc/hushpost/certificate.pem\"",
    );
    assert_told(
        "",
        &[],
        &["registration.mode=token"],
        "error: registration.mode: \"token\" needs [registration.token]
  in option --set registration.mode
  help: add a [registration.token] section with algorithm, issuer, audience and key_file or jwks_url",
    );
    let token = "[registration]\nmode = 'token'\n[registration.token]\nalgorithm = 'EdDSA'\n\
                 issuer = 'i'\naudience = 'a'\n";
    let told = load(token, &[], &[]).unwrap_err();
    assert!(
        told.contains("registration.token: no key: give either key_file or"),
        "{told}"
    );
    assert!(told.contains("relay.toml line 3"), "{told}");
    let both = format!("{token}key_file = 'f'\njwks_url = 'https://id.example/'");
    let told = load(&both, &[], &[]).unwrap_err();
    assert!(
        told.contains("registration.token: both key_file and jwks_url"),
        "{told}"
    );
}

#[test]
fn phone_registration_is_known_and_not_built_yet() {
    let told = load("registration.mode = 'phone'", &[], &[]).unwrap_err();
    assert!(
        told.contains("registration by phone number is not built yet"),
        "{told}"
    );
    let told = load("registration.mode = 'fax'", &[], &[]).unwrap_err();
    assert!(told.contains("expected \"open\" or \"token\""), "{told}");
}

#[test]
fn what_is_no_toml() {
    assert_told(
        "[listen]\naddress = 127.0.0.1:4810",
        &[],
        &[],
        "error: not TOML: invalid float, expected nothing
  in relay.toml line 2 column 16
    |
  2 | address = 127.0.0.1:4810
    |                ^^^^^^^^^
  help: the file is TOML: [section] lines, and under them key = value lines with texts in \"quotes\"",
    );
}

#[test]
fn a_file_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| Config::load(Some(path), [], &[]).unwrap_err().to_string();

    let missing = load(&folder.path().join("missing"));
    assert!(
        missing.starts_with("cannot read the configuration file"),
        "{missing}"
    );
    assert!(missing.contains("init-config --output"), "{missing}");
    assert!(load(folder.path()).starts_with("cannot read"));

    let path = folder.path().join("file");
    fs::write(&path, " ".repeat(1024 * 1024)).unwrap();
    assert_eq!(
        Config::load(Some(&path), [], &[]).unwrap(),
        Config::default()
    );
    fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert!(load(&path).ends_with("larger than 1 MiB"));
    fs::write(&path, b"name = '\xff'").unwrap();
    assert!(load(&path).ends_with("byte 8 is not UTF-8"));
}

#[test]
fn odd_environments_are_answered_not_obeyed() {
    let name = OsString::from("HUSHPOST_RELAY__NAME");
    let bytes = OsString::from_vec(vec![0xff]);
    let told = Config::load(None, [(name, bytes.clone())], &[])
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("name: not UTF-8\n  in environment variable"),
        "{told}"
    );
    assert!(Config::load(None, [(bytes.clone(), bytes)], &[]).is_ok());
    let long = "x".repeat(64 * 1024 + 1);
    let told = load("", &[("HUSHPOST_RELAY__NAME", &long)], &[]).unwrap_err();
    assert!(
        told.contains("longer than 64 KiB") && told.len() < 1000,
        "{told}"
    );
    // A line break does not begin another setting.
    let told = load("", &[], &["limits.devices=1\nlimits.recipients=1"]).unwrap_err();
    assert!(
        told.contains("error: limits.devices: invalid type: string"),
        "{told}"
    );
}

#[test]
fn many_problems_are_told_at_once_but_not_endlessly() {
    let text: String = (0..1000)
        .flat_map(|n| ["x".to_owned(), n.to_string(), " = 1\n".to_owned()])
        .collect();
    let told = load(&text, &[], &[]).unwrap_err();
    assert_eq!(told.matches("error: ").count(), 20);
}

#[test]
fn invite_codes_are_in_no_message() {
    for text in [
        "registration.invite_codes = 'sesame'",
        "registration.invite_codes = ['sesame', 5]",
        "registration.invite_codes = { sesame = 'sesame' }",
        "registration.invite_codes = ['sesame'",
        "[registration]\ninvite_codes = [\n 'sesame',\n 'sesame' 'sesame']",
        "[registration]\nmode = 'token'\ninvite_codes = ['', 'sesame']",
    ] {
        let told = load(text, &[], &[]).unwrap_err();
        assert!(!told.contains("sesame"), "{told}");
    }
    let given: Override = "registration.invite_codes=['sesame']".parse().unwrap();
    let loaded = Loaded::read(None, [], std::slice::from_ref(&given)).unwrap();
    assert!(loaded.config.registration.invite_codes[0].matches(b"sesame"));
    let debug = format!("{given:?} {loaded:?}");
    assert!(!debug.contains("sesame"), "{debug}");
    let told = load(
        "",
        &[("HUSHPOST_RELAY__REGISTRATION__INVITE_CODES", "sesame")],
        &[],
    );
    let told = told.unwrap_err();
    assert!(told.contains("expected a list of texts"), "{told}");
    assert!(!told.contains("sesame"), "{told}");
}
