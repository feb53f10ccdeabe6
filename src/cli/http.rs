//! The HTTP client of the commands that speak to a running service: no proxy, no redirects, bounded answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, Response, Url};

use super::input;

/// The most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The most that a file of certificates may hold, in bytes.
const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// Reads a URL that can be called.
///
/// # Errors
/// Everything that is no http or https URL.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) => Err("give a URL that begins with http:// or https://".to_owned()),
        Err(error) => Err(format!("{error}; give a URL such as http://127.0.0.1:8080/callback")),
    }
}

/// The URL without the parts that may hold a secret.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Makes a client for one URL, that gives up after `timeout`. Where `certificates` names a file (PEM), only a server
/// that one of them vouches for is believed.
///
/// # Errors
/// The certificates cannot be read, or the system has none.
pub(super) fn client(url: &Url, timeout: Duration, certificates: Option<&Path>) -> anyhow::Result<Client> {
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout);
    let builder = if let Some(path) = certificates {
        let name = path.display().to_string();
        let content = input::read_file(path, CERTIFICATES_BYTES_MAX)?;
        let certificates = Certificate::from_pem_bundle(&content).with_context(|| name.clone())?;
        if certificates.is_empty() {
            bail!("{name}: there is no certificate in it; give a file in PEM form");
        }
        builder.tls_certs_only(certificates)
    } else if url.scheme() == "http" {
        // The system's certificates are slow to load, and an image without any could not even speak plain HTTP.
        let nobody = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth();
        builder.tls_backend_preconfigured(config)
    } else {
        builder
    };
    builder.build().map_err(|error| anyhow!("no HTTP client can be made: {}", causes(&error)))
}

/// The body of an answer, as far as it is read.
///
/// # Errors
/// The connection breaks.
pub(super) async fn read_body(mut response: Response) -> reqwest::Result<String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
        if body.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// An error for a call that got no answer, with what may help.
pub(super) fn no_answer(url: &Url, timeout: Duration, error: reqwest::Error) -> anyhow::Error {
    let shown = shown(url);
    if error.is_timeout() {
        anyhow!("{shown}: no answer within {} s", timeout.as_secs())
    } else if error.is_connect() {
        let hint = match url.scheme() {
            "https" => "does the URL's host answer there, and is its certificate one that this machine believes?",
            _ => "is `livehook serve` running, and is this its URL?",
        };
        anyhow!("{shown}: no connection: {}; {hint}", causes(&error))
    } else {
        anyhow!("{shown}: {}", causes(&error))
    }
}

/// The innermost cause of an error: what wraps it only repeats the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_be_called_are_refused() {
        for text in ["", "127.0.0.1:8080", "localhost:8080/x", "ftp://a/b", "http://", "/callback"] {
            assert!(parse_url(text).is_err(), "{text}");
        }
        assert!(parse_url("http://[::1]:8080/callback?a=b").is_ok());
    }

    #[test]
    fn a_shown_url_has_no_secret() {
        let url = parse_url("https://me:secret@example.com:8443/hook?token=secret#secret").unwrap();
        assert_eq!(shown(&url), "https://example.com:8443/hook");
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let url = parse_url("https://example.com").unwrap();
        let error = client(&url, Duration::from_secs(1), Some(file.path())).unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error:#}");
    }
}
