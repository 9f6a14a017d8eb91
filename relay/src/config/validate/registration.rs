//! `[registration]`: whether a rule and what it needs fit together.

use std::time::Duration;

use hushpost_wire::limits::MAX_INVITE_LEN;

use super::{Check, DAY, MINUTE, SECOND};
use crate::config::{Registration, RegistrationMode, TokenAlgorithm, TokenKeys, TokenRegistration};

impl Check {
    pub(super) fn registration(&mut self, registration: &Registration) {
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
}

#[cfg(test)]
mod tests {
    use RegistrationMode::{Open, Token};

    use super::super::HOUR;
    use super::super::tests::wrong;
    use super::*;

    #[test]
    fn registration_modes_and_their_settings() {
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
}
