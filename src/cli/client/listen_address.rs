//! How to reach a service at the address that it listens on.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{anyhow, bail};
use reqwest::Url;

use crate::admin;

/// Returns the address to connect to from the same machine. A service that listens on 0.0.0.0 or `[::]` is reached over
/// 127.0.0.1: `[::]` takes IPv4 clients too.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let host = if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
    SocketAddr::new(host, listen.port())
}

/// Returns the URL of the admin endpoint with these options.
///
/// # Errors
/// The port is 0: the system chose the real one, and this process does not know it.
pub(crate) fn admin_url(options: &admin::Options) -> anyhow::Result<Url> {
    let listen = options.listen;
    if listen.port() == 0 {
        bail!("`admin.listen` is {listen}, so the system chose the port; use --url");
    }
    Url::parse(&format!("{}://{}/", options.scheme(), reachable(listen))).map_err(|error| anyhow!("{listen}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ServerFiles;

    #[test]
    fn unspecified_address_over_loopback() {
        for (listen, called) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "127.0.0.1:8080"),
            ("127.0.0.2:1", "127.0.0.2:1"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), called.parse().unwrap(), "{listen}");
        }
    }

    #[test]
    fn admin_url_follows_listen() {
        for (listen, url) in [
            ("0.0.0.0:9191", "http://127.0.0.1:9191/"),
            ("[::]:9090", "http://127.0.0.1:9090/"),
            ("10.1.2.3:80", "http://10.1.2.3/"),
        ] {
            let options = admin::Options { listen: listen.parse().unwrap(), ..admin::Options::default() };
            assert_eq!(admin_url(&options).unwrap().as_str(), url, "{listen}");
        }
        let unknown = admin::Options { listen: "0.0.0.0:0".parse().unwrap(), ..admin::Options::default() };
        assert!(admin_url(&unknown).is_err());
        let files = ServerFiles { cert_file: "cert.pem".into(), key_file: "key.pem".into() };
        let secure = admin::Options { tls: Some(files), ..admin::Options::default() };
        assert_eq!(admin_url(&secure).unwrap().as_str(), "https://127.0.0.1:9090/");
    }
}
