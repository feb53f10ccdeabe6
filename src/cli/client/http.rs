//! The HTTP client of the commands that speak to a running service: no proxy, no redirects, bounded answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::{Client, Response, Url};

use crate::cli::args::input;
use crate::http_client::{self, AnswerError, CERTIFICATES_BYTES_MAX, innermost};

pub(crate) use crate::http_client::shown;

/// The most that an answer may hold, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Reads a URL that can be called.
///
/// # Errors
/// Everything that is no http or https URL.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if http_client::is_callable(&url) => Ok(url),
        Ok(_) => Err("give a URL that begins with http:// or https://".to_owned()),
        Err(error) => Err(format!("{error}; give a URL such as http://127.0.0.1:8080/callback")),
    }
}

/// Makes a client for one URL, that gives up after `timeout`. Where `certificates` names a file (PEM), only a server
/// that one of them vouches for is believed.
///
/// # Errors
/// The certificates cannot be read, or the system has none.
pub(crate) fn client(url: &Url, timeout: Duration, certificates: Option<&Path>) -> anyhow::Result<Client> {
    let content = certificates.map(|path| input::read_file(path, CERTIFICATES_BYTES_MAX)).transpose()?;
    let builder = http_client::builder(url, content.as_deref())
        .with_context(|| certificates.unwrap_or(Path::new("certificates")).display().to_string())?;
    let client = builder.timeout(timeout).build();
    client.map_err(|error| anyhow!("no HTTP client can be made: {}", innermost(&error)))
}

/// Reads the body of the answer of a URL.
///
/// # Errors
/// The connection breaks, or the answer is too large.
pub(crate) async fn read_body(url: &Url, timeout: Duration, response: Response) -> anyhow::Result<String> {
    http_client::read_body(response, ANSWER_BYTES_MAX, ANSWER_BYTES_MAX).await.map_err(|error| match error {
        AnswerError::Broken(error) => no_answer(url, timeout, error),
        AnswerError::TooLarge(_) => {
            anyhow!("{}: {error}, so it is hardly one of livehook; is this its URL?", shown(url))
        }
    })
}

/// A call got no answer, or none to its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(String);

/// A [`NoAnswer`], with what may help.
pub(crate) fn no_answer(url: &Url, timeout: Duration, error: reqwest::Error) -> anyhow::Error {
    let shown = shown(url);
    let told = if error.is_timeout() {
        format!("{shown}: no answer within {} s", timeout.as_secs())
    } else if error.is_connect() {
        let hint = match url.scheme() {
            "https" => "does the URL's host answer there, and is its certificate one that this machine believes?",
            _ => "is `livehook serve` running, and is this its URL?",
        };
        format!("{shown}: no connection: {}; {hint}", innermost(&error))
    } else {
        format!("{shown}: {}", innermost(&error))
    };
    NoAnswer(told).into()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

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

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_told_as_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = parse_url(&format!("http://{}/readyz?token=secret", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for bytes in [ANSWER_BYTES_MAX, ANSWER_BYTES_MAX + 1] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let body = "x".repeat(bytes);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
                // Who has enough hangs up before the end.
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        let timeout = Duration::from_secs(20);
        let client = client(&url, timeout, None).unwrap();
        let get = async || read_body(&url, timeout, client.get(url.clone()).send().await.unwrap()).await;
        assert_eq!(get().await.unwrap().len(), ANSWER_BYTES_MAX);
        let told = get().await.unwrap_err().to_string();
        assert!(told.contains("/readyz: the answer is larger than 65536 bytes") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let url = parse_url("https://example.com").unwrap();
        let error = client(&url, Duration::from_secs(1), Some(file.path())).unwrap_err();
        assert!(format!("{error:#}").contains("no certificate"), "{error:#}");
    }
}
