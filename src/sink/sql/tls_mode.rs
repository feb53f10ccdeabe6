//! Whether a connection uses TLS, and how far it checks the server: the parameter `sslmode` of the URL.

use crate::sink::server::ServerUrl;

/// The rule for the parameters of a URL.
pub(super) const PARAMETERS_RULE: &str = "may have one parameter: sslmode=disable, sslmode=require (encrypted, and the server isn't \
checked), sslmode=verify-ca or sslmode=verify-full";

/// How a connection uses TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// No TLS.
    Off,
    /// TLS with any certificate.
    Unchecked,
    /// TLS with a certificate of a trusted CA, for any host.
    Authority,
    /// TLS with a certificate of a trusted CA for this host.
    Full,
}

impl TlsMode {
    /// Reads the parameters of a URL: `sslmode` as PostgreSQL names it, or `ssl-mode` as MySQL does. `None` if they can't be used.
    pub(super) fn of(url: &ServerUrl) -> Option<TlsMode> {
        let mut mode = TlsMode::Off;
        for (name, value) in url.parameters() {
            if name != "sslmode" && name != "ssl-mode" {
                return None;
            }
            mode = match value.to_ascii_lowercase().replace('_', "-").as_str() {
                "disable" | "disabled" => TlsMode::Off,
                "require" | "required" => TlsMode::Unchecked,
                "verify-ca" => TlsMode::Authority,
                "verify-full" | "verify-identity" => TlsMode::Full,
                _ => return None,
            };
        }
        Some(mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_both_servers_are_read() {
        let of = |text: &str| TlsMode::of(&ServerUrl::new(&format!("mysql://a/b{text}")));
        assert_eq!(of(""), Some(TlsMode::Off));
        assert_eq!(of("?sslmode=verify-full"), Some(TlsMode::Full));
        assert_eq!(of("?ssl-mode=VERIFY_IDENTITY"), Some(TlsMode::Full));
        assert_eq!(of("?ssl-mode=VERIFY_CA"), Some(TlsMode::Authority));
        assert_eq!(of("?sslmode=require"), Some(TlsMode::Unchecked));
        for wrong in ["?sslmode=prefer", "?sslmode=", "?sslmod=require", "?sslmode=require&connect_timeout=3"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
