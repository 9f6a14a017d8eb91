//! Whether the values of a configuration make sense, alone and together. Pure: reads no file.

mod limits;
mod registration;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::error::Problem;
use super::{Config, Listen, Log, Storage, Tls, size};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

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
    pub(super) fn wrong(change: impl FnOnce(&mut Config)) -> Vec<String> {
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
