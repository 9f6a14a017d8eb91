//! Which relay: a checked URL, and the name by which the devices know the relay.
//!
//! Never a way to send bytes in the clear to another machine unless the app said so.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// Longer than any host name with scheme and port.
const MAX_URL_LEN: usize = 512;
/// As for a host name.
const MAX_RELAY_NAME_LEN: usize = 255;

/// Where a relay is: scheme `wss` or `ws`, host, perhaps a port, and nothing more.
///
/// ```
/// use hushpost::connection::RelayUrl;
///
/// let url: RelayUrl = "wss://relay.example".parse()?;
/// assert_eq!((url.host().as_str(), url.port()), ("relay.example", 443));
/// assert_eq!(url.relay_name(), "relay.example");
/// # Ok::<(), hushpost::connection::RelayUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayUrl {
    secure: bool,
    host: Host<String>,
    port: u16,
    relay_name: String,
}

/// The text is not a relay's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RelayUrlError {
    /// Not a URL, or one longer than any relay has.
    #[error("not a URL")]
    NotAUrl,
    /// Another scheme.
    #[error("the scheme of a relay's URL is wss, or ws on this machine")]
    Scheme,
    /// Port 0.
    #[error("port 0 is nobody's")]
    Port,
    /// User, password, path, query or fragment.
    #[error("a relay's URL is scheme, host and port only")]
    MoreThanAHost,
    /// `ws` to another machine: everybody in between would see who talks to whom.
    #[error("ws without TLS is for this machine only; see RelayUrl::insecure")]
    Insecure,
    /// Empty, longer than 255 bytes, or with control characters.
    #[error("not a relay's name")]
    RelayName,
}

impl RelayUrl {
    /// Reads a URL, and takes `ws` for any host: bytes may then travel in the clear. For a relay that is
    /// reached through something that encrypts already (a VPN, an onion service).
    ///
    /// # Errors
    /// [`RelayUrlError`], never [`Insecure`](RelayUrlError::Insecure).
    pub fn insecure(text: &str) -> Result<Self, RelayUrlError> {
        // The parser drops what is forgotten in a URL (tabs, line ends) and reads `\` as `/`. What means
        // something else to a reader than to the parser is refused.
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if text.len() > MAX_URL_LEN || text.contains(odd) {
            return Err(RelayUrlError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| RelayUrlError::NotAUrl)?;
        let secure = match url.scheme() {
            "wss" => true,
            "ws" => false,
            _ => return Err(RelayUrlError::Scheme),
        };
        // An empty user name or query is lost in parsing, so the text itself is asked.
        if text.contains(['@', '?', '#']) || url.path() != "/" {
            return Err(RelayUrlError::MoreThanAHost);
        }
        let host = url.host().ok_or(RelayUrlError::NotAUrl)?.to_owned();
        let port = url
            .port_or_known_default()
            .filter(|port| *port != 0)
            .ok_or(RelayUrlError::Port)?;
        Ok(Self {
            secure,
            relay_name: bare(&host),
            host,
            port,
        })
    }

    /// The same relay, known to its devices by another name than its host's: what the operator configured
    /// as the relay's name.
    ///
    /// # Errors
    /// [`RelayUrlError::RelayName`].
    pub fn with_relay_name(self, name: impl Into<String>) -> Result<Self, RelayUrlError> {
        let relay_name = name.into();
        if relay_name.is_empty()
            || relay_name.len() > MAX_RELAY_NAME_LEN
            || relay_name.contains(char::is_control)
        {
            return Err(RelayUrlError::RelayName);
        }
        Ok(Self { relay_name, ..self })
    }

    /// Whether the scheme is `wss`.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host's name or address; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> String {
        bare(&self.host)
    }

    /// The port; 443 or 80 where the URL has none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name that devices sign when they prove themselves.
    #[must_use]
    pub fn relay_name(&self) -> &str {
        &self.relay_name
    }

    fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }
}

fn bare(host: &Host<String>) -> String {
    match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

impl FromStr for RelayUrl {
    type Err = RelayUrlError;

    fn from_str(text: &str) -> Result<Self, RelayUrlError> {
        let url = Self::insecure(text)?;
        if !url.secure && !url.is_loopback() {
            return Err(RelayUrlError::Insecure);
        }
        Ok(url)
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, known) = if self.secure {
            ("wss", 443)
        } else {
            ("ws", 80)
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != known {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_of_relays() {
        for (text, shown, host, port) in [
            (
                "wss://relay.example",
                "wss://relay.example",
                "relay.example",
                443,
            ),
            (
                "wss://relay.example/",
                "wss://relay.example",
                "relay.example",
                443,
            ),
            (
                "WSS://Relay.Example:8443",
                "wss://relay.example:8443",
                "relay.example",
                8443,
            ),
            ("wss://192.0.2.7:443", "wss://192.0.2.7", "192.0.2.7", 443),
            (
                "wss://[2001:db8::1]:9000",
                "wss://[2001:db8::1]:9000",
                "2001:db8::1",
                9000,
            ),
            (
                "ws://localhost:7700",
                "ws://localhost:7700",
                "localhost",
                7700,
            ),
            ("ws://127.8.9.1", "ws://127.8.9.1", "127.8.9.1", 80),
            ("ws://[::1]:1", "ws://[::1]:1", "::1", 1),
        ] {
            let url: RelayUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.host(), host, "{text}");
            assert_eq!(url.port(), port, "{text}");
            assert_eq!(url.relay_name(), host, "{text}");
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_relay() {
        use RelayUrlError::{Insecure, MoreThanAHost, NotAUrl, Port, Scheme};
        for (text, error) in [
            ("", NotAUrl),
            ("relay.example", NotAUrl),
            ("wss://", NotAUrl),
            ("wss://relay example", NotAUrl),
            ("wss://relay.exam\tple", NotAUrl),
            ("wss:\\\\relay.example", NotAUrl),
            ("wss://relay.example:99999", NotAUrl),
            ("wss://relay.example:0", Port),
            ("https://relay.example", Scheme),
            ("file:///etc/passwd", Scheme),
            ("wss://me@relay.example", MoreThanAHost),
            ("wss://@relay.example", MoreThanAHost),
            ("wss://me:secret@relay.example", MoreThanAHost),
            ("wss://relay.example/v1/ws", MoreThanAHost),
            ("wss://relay.example/?", MoreThanAHost),
            ("wss://relay.example?token=1", MoreThanAHost),
            ("wss://relay.example#a", MoreThanAHost),
            ("ws://relay.example", Insecure),
            ("ws://192.0.2.7", Insecure),
            ("ws://localhost.example", Insecure),
            ("ws://127.0.0.1.example", Insecure),
            ("ws://[2001:db8::1]", Insecure),
        ] {
            assert_eq!(text.parse::<RelayUrl>(), Err(error), "{text}");
        }
        let giant = format!("wss://{}.example", "a".repeat(MAX_URL_LEN));
        assert_eq!(giant.parse::<RelayUrl>(), Err(NotAUrl));
    }

    #[test]
    fn in_the_clear_only_when_asked_for() {
        let url = RelayUrl::insecure("ws://relay.example").unwrap();
        assert!(!url.is_secure());
        assert_eq!(
            RelayUrl::insecure("http://relay.example"),
            Err(RelayUrlError::Scheme)
        );
    }

    #[test]
    fn the_name_that_is_signed_may_be_another() {
        let url: RelayUrl = "wss://192.0.2.7".parse().unwrap();
        let url = url.with_relay_name("relay.example").unwrap();
        assert_eq!(url.relay_name(), "relay.example");
        assert_eq!(url.host(), "192.0.2.7");
        for name in ["", "a\nb", &"a".repeat(256)] {
            let named = url.clone().with_relay_name(name);
            assert_eq!(named, Err(RelayUrlError::RelayName));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_and_what_is_shown_reads_back(
            text in prop_oneof![".{0,80}", "wss?://[a-z0-9.:@/?#\\[\\]]{0,40}"]
        ) {
            if let Ok(url) = RelayUrl::insecure(&text) {
                prop_assert_eq!(RelayUrl::insecure(&url.to_string()), Ok(url));
            }
        }
    }
}
