//! Whether the values of a configuration make sense, alone and together. Pure: reads no file.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use hushpost_wire::limits::{MAX_FRAME_LEN, MAX_INVITE_LEN};
use hushpost_wire::sent_message::{KEY_MATERIAL_LEN, SERVICE_ID_LEN};
use tracing_subscriber::EnvFilter;

use super::error::Problem;
use super::{
    Config, Limits, Listen, Log, RateLimit, Registration, RegistrationMode, Storage, Tls,
    TokenAlgorithm, TokenKeys, TokenRegistration, size,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// Bytes that one recipient takes at most in a request besides its devices: in the sealed form service id,
/// key material and delivery token, in the other form account id, token and their field headers.
const RECIPIENT_LEN: usize = SERVICE_ID_LEN + KEY_MATERIAL_LEN + 18;
/// Bytes of one device of a recipient: number and registration id with their field headers.
const RECIPIENT_DEVICE_LEN: usize = 8;
/// Bytes of everything else in such a request.
const REQUEST_LEN: usize = 256;

impl Config {
    /// All that is wrong; empty if the configuration can be used. Whether files exist is not looked at.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut check = Check(Vec::new());
        check.name(&self.name);
        if self.data_dir.as_os_str().is_empty() {
            check.wrong("data_dir", "empty", r#"for example: "/var/lib/hushpost""#);
        }
        check.listen(&self.listen);
        if let Some(tls) = &self.tls {
            check.tls(tls);
        }
        check.registration(&self.registration);
        check.limits(&self.limits);
        check.frame(&self.limits);
        check.rates(&self.limits);
        check.storage(&self.storage);
        check.duration("drain.timeout", self.drain.timeout, Duration::ZERO..=HOUR);
        let jitter = self.drain.reconnect_jitter;
        check.duration("drain.reconnect_jitter", jitter, Duration::ZERO..=HOUR);
        check.log(&self.log);
        check.0
    }
}

struct Check(Vec<Problem>);

impl Check {
    fn wrong(&mut self, setting: &str, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem::new(setting, what, help));
    }

    fn count<N>(&mut self, setting: &str, value: N, allowed: RangeInclusive<N>)
    where
        N: Copy + PartialOrd + std::fmt::Display,
    {
        if !allowed.contains(&value) {
            let (least, most) = allowed.into_inner();
            let what = format!("{value} is out of range");
            self.wrong(setting, what, format!("from {least} to {most}"));
        }
    }

    fn size(&mut self, setting: &str, value: u64, allowed: RangeInclusive<u64>) {
        if !allowed.contains(&value) {
            let (least, most) = allowed.into_inner();
            let what = format!("{} is out of range", size::text(value));
            let help = format!("from {} to {}", size::text(least), size::text(most));
            self.wrong(setting, what, help);
        }
    }

    fn duration(&mut self, setting: &str, value: Duration, allowed: RangeInclusive<Duration>) {
        use humantime::format_duration as text;
        if !allowed.contains(&value) {
            let (least, most) = allowed.into_inner();
            let what = format!("{} is out of range", text(value));
            self.wrong(
                setting,
                what,
                format!("from {} to {}", text(least), text(most)),
            );
        }
    }

    fn name(&mut self, name: &str) {
        let help = "1 to 255 bytes, best the host name that clients connect to";
        if name.is_empty() {
            self.wrong("name", "empty", help);
        } else if name.len() > 255 {
            self.wrong("name", format!("{} bytes long", name.len()), help);
        } else if name.chars().any(char::is_control) {
            self.wrong("name", "holds a control character", help);
        }
    }

    fn listen(&mut self, listen: &Listen) {
        if !listen.admin_allow_remote && !listen.admin_address.ip().is_loopback() {
            let what = format!(
                "{} can be reached from other machines, and asks for no password",
                listen.admin_address
            );
            let help = "127.0.0.1:4811, or admin_allow_remote = true if a firewall or a container \
                        network guards it";
            self.wrong("listen.admin_address", what, help);
        }
        if overlap(listen.address, listen.admin_address) {
            let what = format!("the same port as listen.address, {}", listen.address);
            self.wrong("listen.admin_address", what, "give it a port of its own");
        }
        for (index, proxy) in listen.trusted_proxies.iter().enumerate() {
            if proxy.prefix_len() == 0 {
                let what = format!("{proxy} is everybody, so anybody could claim any address");
                let help = r#"only your own proxies, for example: ["10.0.0.0/8"]"#;
                self.wrong(&format!("listen.trusted_proxies.{index}"), what, help);
            }
        }
        for (index, origin) in listen.allowed_origins.iter().enumerate() {
            let parsed = reqwest::Url::parse(origin).map(|url| url.origin().ascii_serialization());
            if !parsed.is_ok_and(|parsed| parsed == *origin && parsed != "null") {
                let what = format!("{origin:?} is not an origin as browsers write it");
                let help = r#"scheme, host and port if it is not the usual one, no path, no *; for example: "https://app.example""#;
                self.wrong(&format!("listen.allowed_origins.{index}"), what, help);
            }
        }
        self.count(
            "listen.max_connections",
            listen.max_connections,
            1..=10_000_000,
        );
        let per_address = listen.max_connections_per_address;
        self.count(
            "listen.max_connections_per_address",
            per_address,
            1..=10_000_000,
        );
        self.duration(
            "listen.handshake_timeout",
            listen.handshake_timeout,
            MILLISECOND..=MINUTE,
        );
        self.duration(
            "listen.idle_timeout",
            listen.idle_timeout,
            MILLISECOND..=HOUR,
        );
        self.duration(
            "listen.write_timeout",
            listen.write_timeout,
            MILLISECOND..=HOUR,
        );
    }

    fn tls(&mut self, tls: &Tls) {
        for (setting, path) in [("tls.certificate", &tls.certificate), ("tls.key", &tls.key)] {
            if path.as_os_str().is_empty() {
                self.wrong(setting, "empty", "the path of a PEM file");
            }
        }
        self.duration(
            "tls.reload_interval",
            tls.reload_interval,
            MILLISECOND..=DAY,
        );
    }

    fn registration(&mut self, registration: &Registration) {
        let codes = &registration.invite_codes;
        match (registration.mode, &registration.token) {
            (RegistrationMode::Token, None) => {
                let help = "add a [registration.token] section with algorithm, issuer, audience and \
                            key_file or jwks_url";
                let what = "\"token\" needs [registration.token]";
                self.wrong("registration.mode", what, help);
            }
            (RegistrationMode::Open, Some(_)) => {
                // Whoever wrote it believes that tokens are checked.
                let what = "[registration.token] is given, but the mode is \"open\": anybody could \
                            register";
                let help = "mode = \"token\", or take the section away";
                self.wrong("registration.token", what, help);
            }
            (RegistrationMode::Token, Some(_)) if !codes.is_empty() => {
                let what = "invite codes are not asked for when the mode is \"token\"";
                let help = "mode = \"open\", or take the codes away";
                self.wrong("registration.invite_codes", what, help);
            }
            _ => {}
        }
        for (index, code) in codes.iter().enumerate() {
            if !(1..=MAX_INVITE_LEN).contains(&code.len()) {
                let what = format!("a code of {} bytes", code.len());
                let setting = format!("registration.invite_codes.{index}");
                self.wrong(&setting, what, format!("from 1 to {MAX_INVITE_LEN} bytes"));
            }
        }
        if let Some(token) = &registration.token {
            self.token(token);
        }
    }

    fn token(&mut self, token: &TokenRegistration) {
        for (setting, value) in [
            ("registration.token.issuer", &token.issuer),
            ("registration.token.audience", &token.audience),
        ] {
            if value.is_empty() {
                // An empty claim would match tokens that were made for something else.
                self.wrong(setting, "empty", "what your backend puts into its tokens");
            }
        }
        match &token.keys {
            TokenKeys::Jwks(_) if token.algorithm == TokenAlgorithm::HS256 => {
                let what = "a key set is public, but HS256 signs with a secret";
                let help = "HS256 with key_file, or ES256, EdDSA or RS256 with jwks_url";
                self.wrong("registration.token.jwks_url", what, help);
            }
            TokenKeys::File(path) if path.as_os_str().is_empty() => {
                self.wrong("registration.token.key_file", "empty", "the path of a file");
            }
            _ => {}
        }
        // A wide one lets expired tokens in.
        let leeway = Duration::ZERO..=MINUTE.saturating_mul(10);
        self.duration("registration.token.leeway", token.leeway, leeway);
        self.duration(
            "registration.token.jwks_cache",
            token.jwks_cache,
            SECOND..=DAY,
        );
    }

    fn limits(&mut self, limits: &Limits) {
        // A session's first message alone holds a KEM ciphertext of 1.6 KB.
        let message_bytes = u64::try_from(limits.message_bytes).unwrap_or(u64::MAX);
        self.size(
            "limits.message_bytes",
            message_bytes,
            4 * KIB..=MAX_FRAME_LEN as u64,
        );
        self.count("limits.recipients", limits.recipients, 1..=4096);
        // More do not fit into a device list.
        self.count("limits.devices", limits.devices, 1..=40);
        self.count(
            "limits.queue_messages",
            limits.queue_messages,
            1..=100_000_000,
        );
        // Not a number is not contained.
        self.count("limits.stranger_share", limits.stranger_share, 0.0..=1.0);
        self.duration("limits.message_ttl", limits.message_ttl, SECOND..=YEAR);
        self.count("limits.delivery_window", limits.delivery_window, 1..=65_536);
        let topics = limits.topics_per_connection;
        self.count("limits.topics_per_connection", topics, 1..=1_000_000);
        self.size("limits.blob_bytes", limits.blob_bytes, KIB..=2 * GIB);
        self.duration("limits.blob_ttl", limits.blob_ttl, SECOND..=YEAR);
        if limits.blob_quota_bytes < limits.blob_bytes {
            let quota = size::text(limits.blob_quota_bytes);
            let blob = size::text(limits.blob_bytes);
            let what = format!("{quota} has no room for one blob of limits.blob_bytes = {blob}");
            self.wrong("limits.blob_quota_bytes", what, format!("at least {blob}"));
        }
        self.duration(
            "limits.upload_timeout",
            limits.upload_timeout,
            SECOND..=YEAR,
        );
        self.count(
            "limits.pending_requests",
            limits.pending_requests,
            1..=65_536,
        );
        self.count("limits.tracked_keys", limits.tracked_keys, 1..=100_000_000);
    }

    fn frame(&mut self, limits: &Limits) {
        let recipient = limits
            .devices
            .saturating_mul(RECIPIENT_DEVICE_LEN)
            .saturating_add(RECIPIENT_LEN);
        let all = limits.recipients.saturating_mul(recipient);
        let needed = limits
            .message_bytes
            .saturating_add(all)
            .saturating_add(REQUEST_LEN);
        if needed > MAX_FRAME_LEN {
            let what = format!(
                "one message of {} to {} recipients with {} devices each takes {} KiB, and a frame \
                 holds {} KiB",
                size::text(u64::try_from(limits.message_bytes).unwrap_or(u64::MAX)),
                limits.recipients,
                limits.devices,
                needed.div_ceil(1024),
                MAX_FRAME_LEN / 1024,
            );
            // Only what is wrong together: each alone has its own message.
            let default = Limits::default();
            let setting = if limits.message_bytes > default.message_bytes {
                "limits.message_bytes"
            } else if limits.recipients > default.recipients {
                "limits.recipients"
            } else {
                "limits.devices"
            };
            let help = "lower limits.message_bytes, limits.recipients or limits.devices";
            self.wrong(setting, what, help);
        }
    }

    fn rates(&mut self, limits: &Limits) {
        for (name, limit) in limits.rate.each() {
            let RateLimit::On(rate) = limit else { continue };
            let setting = format!("limits.rate.{name}");
            if rate.burst == 0 {
                let what = "0 would let nothing through";
                self.wrong(&format!("{setting}.burst"), what, "at least 1, or \"off\"");
            }
            // Limiters count in whole nanoseconds from one to the next.
            let per_minute = 0.0001..=60_000_000.0;
            self.count(
                &format!("{setting}.per_minute"),
                rate.per_minute,
                per_minute,
            );
        }
        if let RateLimit::On(rate) = limits.rate.bytes_per_queue {
            let message = limits.message_bytes.div_ceil(1024);
            if usize::try_from(rate.burst).is_ok_and(|burst| (1..message).contains(&burst)) {
                let what = format!("{} KiB never let the largest message through", rate.burst);
                let help = format!("at least {message}, as limits.message_bytes");
                self.wrong("limits.rate.bytes_per_queue.burst", what, help);
            }
        }
    }

    fn storage(&mut self, storage: &Storage) {
        self.size(
            "storage.min_free_disk",
            storage.min_free_disk,
            0..=1024 * GIB,
        );
        self.size(
            "storage.journal_memory",
            storage.journal_memory,
            MIB..=16 * GIB,
        );
        self.count("storage.reader_threads", storage.reader_threads, 1..=256);
    }

    fn log(&mut self, log: &Log) {
        if let Err(error) = EnvFilter::builder().parse(&log.filter) {
            let what = format!("{:?} is not a filter: {error}", log.filter);
            let help = "error, warn, info, debug or trace, or by module: info,hushpost_relay=debug";
            self.wrong("log.filter", what, help);
        }
    }
}

/// Whether the second listener could not be opened beside the first. Port 0 is another one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (any || a.ip() == b.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings that are wrong after a change of the default configuration.
    fn wrong(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        let problems = config.validate().into_iter();
        problems.map(|problem| problem.setting).collect()
    }

    #[test]
    fn names() {
        assert_eq!(wrong(|it| it.name = "é".repeat(127)), [""; 0]);
        for name in [
            String::new(),
            "x".repeat(256),
            "a\nb".to_owned(),
            "a\0".to_owned(),
        ] {
            assert_eq!(wrong(|it| it.name = name), ["name"]);
        }
    }

    #[test]
    fn the_admin_listener_is_apart_and_at_home() {
        let admin = |text: &str, allow: bool| {
            wrong(|it| {
                it.listen.address = "0.0.0.0:443".parse().unwrap();
                it.listen.admin_address = text.parse().unwrap();
                it.listen.admin_allow_remote = allow;
            })
        };
        let setting = "listen.admin_address";
        assert_eq!(admin("[::1]:444", false), [""; 0]);
        assert_eq!(admin("10.0.0.1:444", true), [""; 0]);
        assert_eq!(admin("10.0.0.1:444", false), [setting]);
        assert_eq!(admin("0.0.0.0:444", false), [setting]);
        assert_eq!(admin("0.0.0.0:443", false), [setting, setting]);
        assert_eq!(admin("127.0.0.1:443", false), [setting]);
        assert_eq!(
            wrong(|it| {
                it.listen.address.set_port(0);
                it.listen.admin_address.set_port(0);
            }),
            [""; 0]
        );
    }

    #[test]
    fn origins_and_proxies() {
        let origins = |text: &str| wrong(|it| it.listen.allowed_origins = vec![text.to_owned()]);
        assert_eq!(origins("https://app.example"), [""; 0]);
        assert_eq!(origins("http://localhost:8080"), [""; 0]);
        for text in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://App.example",
            "https://app.example:443",
            "https://*.example/x",
            "file:///x",
            "",
        ] {
            assert_eq!(origins(text), ["listen.allowed_origins.0"], "{text}");
        }
        let all = wrong(|it| it.listen.trusted_proxies = vec!["::/0".parse().unwrap()]);
        assert_eq!(all, ["listen.trusted_proxies.0"]);
    }

    #[test]
    fn the_largest_message_to_the_most_recipients_fits_a_frame() {
        assert_eq!(
            wrong(|it| it.limits.message_bytes = 200 * 1024),
            // The limiter of bytes has a burst of 128 MiB.
            ["limits.message_bytes"]
        );
        assert_eq!(
            wrong(|it| it.limits.recipients = 2048),
            ["limits.recipients"]
        );
        assert_eq!(wrong(|it| it.limits.devices = 40), ["limits.devices"]);
        assert_eq!(
            wrong(|it| {
                it.limits.message_bytes = 200 * 1024;
                it.limits.recipients = 100;
            }),
            [""; 0]
        );
    }

    #[test]
    fn limiters() {
        let rate = |burst, per_minute| {
            wrong(|it| {
                it.limits.rate.bytes_per_queue = RateLimit::On(super::super::Rate {
                    burst,
                    per_minute,
                    when_full: super::super::WhenFull::Open,
                });
            })
        };
        let burst = "limits.rate.bytes_per_queue.burst";
        let per_minute = "limits.rate.bytes_per_queue.per_minute";
        assert_eq!(rate(64, 0.0001), [""; 0]);
        assert_eq!(rate(63, 1.0), [burst]);
        assert_eq!(rate(0, 1.0), [burst]);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(rate(64, wrong), [per_minute], "{wrong}");
        }
        assert_eq!(wrong(|it| it.limits.rate.uploads = RateLimit::Off), [""; 0]);
    }

    #[test]
    fn zero_where_it_makes_no_sense() {
        let told = wrong(|it| {
            it.data_dir = "".into();
            let listen = &mut it.listen;
            listen.max_connections = 0;
            listen.max_connections_per_address = 0;
            for timeout in [
                &mut listen.handshake_timeout,
                &mut listen.idle_timeout,
                &mut listen.write_timeout,
                &mut it.limits.message_ttl,
                &mut it.limits.blob_ttl,
                &mut it.limits.upload_timeout,
            ] {
                *timeout = Duration::ZERO;
            }
            let limits = &mut it.limits;
            limits.message_bytes = 0;
            limits.recipients = 0;
            limits.devices = 0;
            limits.queue_messages = 0;
            limits.delivery_window = 0;
            limits.topics_per_connection = 0;
            limits.blob_bytes = 0;
            limits.pending_requests = 0;
            limits.tracked_keys = 0;
            it.storage.journal_memory = 0;
            it.storage.reader_threads = 0;
            it.tls = Some(Tls {
                certificate: "".into(),
                key: "".into(),
                reload_interval: Duration::ZERO,
            });
        });
        assert_eq!(told.len(), 23, "{told:?}");
        // Zero does make sense here: strangers get nothing, the disk may fill, stop at once.
        let told = wrong(|it| {
            it.limits.stranger_share = 0.0;
            it.storage.min_free_disk = 0;
            it.drain.timeout = Duration::ZERO;
            it.drain.reconnect_jitter = Duration::ZERO;
        });
        assert_eq!(told, [""; 0]);
        assert_eq!(
            wrong(|it| it.limits.stranger_share = f64::NAN),
            ["limits.stranger_share"]
        );
        assert_eq!(
            wrong(|it| it.limits.blob_quota_bytes = 1),
            ["limits.blob_quota_bytes"]
        );
    }

    #[test]
    fn registration_modes_and_their_settings() {
        use RegistrationMode::{Open, Token};
        let token = |algorithm, keys| TokenRegistration {
            algorithm,
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            keys,
            leeway: SECOND,
            jwks_cache: SECOND,
        };
        let jwks = || TokenKeys::Jwks("https://id.example/".to_owned().try_into().unwrap());
        let with = |mode, token: Option<TokenRegistration>, codes: &[&str]| {
            wrong(|it| {
                let codes = codes.iter().map(|code| (*code).to_owned().into());
                it.registration = Registration {
                    mode,
                    invite_codes: codes.collect(),
                    token,
                };
            })
        };
        let good = || Some(token(TokenAlgorithm::ES256, jwks()));
        assert_eq!(with(Token, good(), &[]), [""; 0]);
        assert_eq!(with(Open, None, &["a", "b"]), [""; 0]);
        assert_eq!(with(Token, None, &[]), ["registration.mode"]);
        assert_eq!(with(Open, good(), &[]), ["registration.token"]);
        assert_eq!(with(Token, good(), &["a"]), ["registration.invite_codes"]);
        assert_eq!(
            with(Open, None, &["a", ""]),
            ["registration.invite_codes.1"]
        );
        let long = "x".repeat(MAX_INVITE_LEN + 1);
        assert_eq!(with(Open, None, &[&long]), ["registration.invite_codes.0"]);
        let secret = Some(token(TokenAlgorithm::HS256, jwks()));
        assert_eq!(with(Token, secret, &[]), ["registration.token.jwks_url"]);
        let empty = TokenRegistration {
            issuer: String::new(),
            audience: String::new(),
            leeway: HOUR,
            jwks_cache: Duration::ZERO,
            ..token(TokenAlgorithm::EdDSA, TokenKeys::File("".into()))
        };
        let told = with(Token, Some(empty), &[]);
        assert!(told.len() == 5 && told.iter().all(|it| it.starts_with("registration.token.")));
    }

    #[test]
    fn log_filters() {
        assert_eq!(
            wrong(|it| it.log.filter = "info,hushpost_relay=debug".to_owned()),
            [""; 0]
        );
        assert_eq!(
            wrong(|it| it.log.filter = "=,loud=".to_owned()),
            ["log.filter"]
        );
    }
}
