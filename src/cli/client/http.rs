//! One HTTP client for all commands: without proxies and redirects, and with a limit for each answer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::{Client, Response, Url};

use crate::cli::bounded_file::read_file;
use crate::http_client::{self, AnswerError, innermost};
use crate::tls::CERTIFICATES_BYTES_MAX;

pub(crate) use crate::http_client::shown;

/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Parses an http or https URL.
///
/// # Errors
/// The text is another URL, or not a URL.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if http_client::is_callable(&url) => Ok(url),
        Ok(_) => Err("the URL must begin with http:// or https:// and name a host".to_owned()),
        Err(error) => Err(format!("{error}; a URL looks like http://127.0.0.1:8080/callback")),
    }
}

/// Makes a client for one URL. `timeout` covers a request and its answer. `certificates` names a PEM file; the client
/// then trusts only servers with a certificate from it.
///
/// # Errors
/// The certificates cannot be read, or the system has none.
pub(crate) fn client(url: &Url, timeout: Duration, certificates: Option<&Path>) -> anyhow::Result<Client> {
    let content = certificates.map(|path| read_file(path, CERTIFICATES_BYTES_MAX)).transpose()?;
    let builder = http_client::builder(url, content.as_deref())
        .with_context(|| certificates.unwrap_or(Path::new("certificates")).display().to_string())?;
    let client = builder.timeout(timeout).build();
    client.map_err(|error| anyhow!("cannot make an HTTP client: {}", innermost(&error)))
}

/// Reads the body of an answer from `url`.
///
/// # Errors
/// The connection breaks, or the body is too large.
pub(crate) async fn read_body(url: &Url, timeout: Duration, response: Response) -> anyhow::Result<String> {
    http_client::read_body(response, ANSWER_BYTES_MAX, ANSWER_BYTES_MAX).await.map_err(|error| match error {
        AnswerError::Broken(error) => no_answer(url, timeout, error),
        AnswerError::TooLarge { .. } => anyhow!("{}: {error}; is this the URL of livehook?", shown(url)),
    })
}

/// A request without a complete answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(String);

/// Returns a [`NoAnswer`] that says why, and what to check.
pub(crate) fn no_answer(url: &Url, timeout: Duration, error: reqwest::Error) -> anyhow::Error {
    let shown = shown(url);
    // The text of a reqwest error has the whole URL, and its query may hold a secret.
    let message = if error.is_timeout() {
        format!("{shown}: no answer within {} s", timeout.as_secs())
    } else if error.is_connect() {
        let hint = match url.scheme() {
            "https" => "is a server running at this URL, and does this machine trust its certificate?",
            _ => "is `livehook serve` running, and is this its URL?",
        };
        format!("{shown}: no connection: {}; {hint}", innermost(&error))
    } else {
        format!("{shown}: {}", innermost(&error))
    };
    NoAnswer(message).into()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn url_refused() {
        for text in ["", "127.0.0.1:8080", "localhost:8080/x", "ftp://a/b", "http://", "/callback"] {
            assert!(parse_url(text).is_err(), "{text}");
        }
        assert!(parse_url("http://[::1]:8080/callback?a=b").is_ok());
    }

    #[test]
    fn shown_url_without_secrets() {
        let url = parse_url("https://me:secret@example.com:8443/hook?token=secret#secret").unwrap();
        assert_eq!(shown(&url), "https://example.com:8443/hook");
    }

    #[tokio::test]
    async fn answer_too_large() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = parse_url(&format!("http://{}/readyz?token=secret", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for bytes in [ANSWER_BYTES_MAX, ANSWER_BYTES_MAX + 1] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let body = "x".repeat(bytes);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
                // The client closes the connection when it has read enough.
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        let timeout = Duration::from_secs(20);
        let client = client(&url, timeout, None).unwrap();
        let get = async || read_body(&url, timeout, client.get(url.clone()).send().await.unwrap()).await;
        assert_eq!(get().await.unwrap().len(), ANSWER_BYTES_MAX);
        let message = get().await.unwrap_err().to_string();
        assert!(message.contains("/readyz: the answer is larger than 65536 bytes"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn file_without_certificates() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let url = parse_url("https://example.com").unwrap();
        let error = client(&url, Duration::from_secs(1), Some(file.path())).unwrap_err();
        assert!(format!("{error:#}").contains("no certificate"), "{error:#}");
    }
}
