//! `[listen]` and `[tls]`: where the relay is reached, and how long it waits for a slow peer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::duration;

/// Listeners and connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Where clients connect. Port 0: any free port.
    pub address: SocketAddr,
    /// Where metrics and health are served, without authentication. Port 0: any free port.
    pub admin_address: SocketAddr,
    /// Whether `admin_address` may be reached from other machines.
    pub admin_allow_remote: bool,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time from one address.
    pub max_connections_per_address: usize,
    /// From accepting a connection to the end of its TLS and HTTP handshake.
    #[serde(with = "duration")]
    pub handshake_timeout: Duration,
    /// A connection that was silent for so long is closed.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// A connection whose peer takes nothing for so long is closed.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// Web pages that may connect, as browsers write them in `Origin`. A request with another one is
    /// refused; apps send none.
    pub allowed_origins: Vec<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 4810).into(),
            admin_address: (Ipv4Addr::LOCALHOST, 4811).into(),
            admin_allow_remote: false,
            trusted_proxies: Vec::new(),
            max_connections: 20_000,
            max_connections_per_address: 4096,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            write_timeout: Duration::from_secs(30),
            allowed_origins: Vec::new(),
        }
    }
}

/// The relay's own TLS. Without it the relay speaks plain HTTP, for trying or behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate, then the intermediate ones.
    pub certificate: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
    /// How often the files are looked at for a renewed certificate.
    #[serde(with = "duration", default = "Tls::default_reload_interval")]
    pub reload_interval: Duration,
}

impl Tls {
    const fn default_reload_interval() -> Duration {
        Duration::from_secs(10)
    }
}
