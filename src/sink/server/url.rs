//! The URL of a server. It may contain a password, so no message shows more than scheme, host and port.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use serde::{Deserialize, Deserializer};

const MISSING: &str = "is missing: set `url`, `url_file` or the variable LIVEHOOK_SINK_<NAME>_URL";

/// The URL of a server. A wrong URL is kept as the rule that it breaks, without its text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    url: Result<Url, &'static str>,
}

impl ServerUrl {
    /// Parses the URL.
    pub(in crate::sink) fn new(text: &str) -> ServerUrl {
        let url = Url::parse(text).map_err(|_| "must be a URL with a scheme and a host");
        let url = url.and_then(|url| if url.has_host() { Ok(url) } else { Err("must name a host after its scheme") });
        ServerUrl { url }
    }

    /// Whether there is no URL, not even a wrong one.
    pub(in crate::sink) fn is_missing(&self) -> bool {
        self.url == Err(MISSING)
    }

    /// Returns the rule that the URL breaks; `None` if it has one of these schemes.
    pub(in crate::sink) fn broken_rule(&self, schemes: &[&str], rule: &'static str) -> Option<&'static str> {
        match &self.url {
            Ok(url) if schemes.contains(&url.scheme()) => None,
            Err(missing) if *missing == MISSING => Some(missing),
            _ => Some(rule),
        }
    }

    /// The scheme; empty without a valid URL.
    pub(in crate::sink) fn scheme(&self) -> &str {
        self.url.as_ref().map_or("", Url::scheme)
    }

    /// The host, without the brackets of an IPv6 address; empty without a valid URL.
    pub(in crate::sink) fn host(&self) -> &str {
        let host = self.url.as_ref().ok().and_then(Url::host_str).unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Whether the host is this machine, so that nothing crosses a network.
    pub(in crate::sink) fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// The port, or `default` if the URL has none.
    pub(in crate::sink) fn port(&self, default: u16) -> u16 {
        self.url.as_ref().ok().and_then(Url::port).unwrap_or(default)
    }

    /// The path without its first slash.
    pub(in crate::sink) fn path(&self) -> &str {
        let path = self.url.as_ref().map_or("", Url::path);
        path.strip_prefix('/').unwrap_or(path)
    }

    /// The parameters after `?`, decoded.
    #[cfg(feature = "sql")]
    pub(in crate::sink) fn parameters(&self) -> Vec<(String, String)> {
        self.url.iter().flat_map(|url| url.query_pairs().into_owned()).collect()
    }

    /// The user, decoded; `None` if the URL has none.
    pub(in crate::sink) fn user(&self) -> Option<String> {
        let user = self.url.as_ref().map_or("", Url::username);
        (!user.is_empty()).then(|| percent_decode_str(user).decode_utf8_lossy().into_owned())
    }

    /// The password, decoded; `None` if the URL has none.
    pub(in crate::sink) fn password(&self) -> Option<String> {
        let password = self.url.as_ref().ok().and_then(Url::password)?;
        Some(percent_decode_str(password).decode_utf8_lossy().into_owned())
    }

    /// Scheme, host and port.
    pub(in crate::sink) fn shown(&self) -> String {
        let Ok(url) = &self.url else { return "no URL".to_owned() };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
    }
}

impl Default for ServerUrl {
    fn default() -> ServerUrl {
        ServerUrl { url: Err(MISSING) }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerUrl({})", self.shown())
    }
}

impl<'de> Deserialize<'de> for ServerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ServerUrl, D::Error> {
        Ok(ServerUrl::new(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_host_and_port_are_shown() {
        let url = ServerUrl::new("redis://me:p%40ss@[::1]:6380/3?x=hunter2");
        assert_eq!(format!("{url:?} {}", url.shown()), "ServerUrl(redis://[::1]:6380) redis://[::1]:6380");
        assert_eq!((url.host(), url.port(1), url.path(), url.scheme()), ("::1", 6380, "3", "redis"));
        assert_eq!((url.user().as_deref(), url.password().as_deref()), (Some("me"), Some("p@ss")));
        let bare = ServerUrl::new("redis://cache");
        assert_eq!((bare.port(6379), bare.path(), bare.user(), bare.password()), (6379, "", None, None));
    }

    #[test]
    fn wrong_urls_are_refused_and_not_shown() {
        for text in ["", "hunter2", "hunter2:6379", "redis:hunter2", "http://hunter2"] {
            let url = ServerUrl::new(text);
            assert_eq!(
                url.broken_rule(&["redis"], "must begin with redis://"),
                Some("must begin with redis://"),
                "{text}"
            );
            assert!(text == "http://hunter2" || !format!("{url:?}").contains("hunter2"), "{text}");
        }
        assert_eq!(ServerUrl::default().broken_rule(&["redis"], ""), Some(MISSING));
        assert_eq!(ServerUrl::new("redis://a").broken_rule(&["redis"], ""), None);
    }
}
