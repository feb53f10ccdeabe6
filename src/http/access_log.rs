//! The access log: a line for a share of the requests, and for each request that was not answered with success.

use std::net::{IpAddr, SocketAddr};

use axum::body::HttpBody;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use tokio::time::Instant;

use super::error_body::quoted;
use crate::telemetry::{PresentShare, Share};

/// Finds the address of a request's client from the address of the peer and the headers.
pub type FindAddress = Box<dyn Fn(IpAddr, &HeaderMap) -> IpAddr + Send + Sync>;

/// Which requests of a listener the log has.
pub struct AccessLog {
    /// The name of the listener in each line.
    pub listener: &'static str,
    /// The share of successful requests. A reload can switch the access log on and off.
    pub share: PresentShare,
    /// Finds the client.
    pub client: FindAddress,
}

/// The id of the event that an answer is about. A handler adds it to the answer's extensions.
#[derive(Clone, Debug)]
pub struct LoggedEvent(pub String);

/// A request that gets a line when its answer begins, unless the share leaves it out.
pub(super) struct LoggedRequest {
    listener: &'static str,
    share: Share,
    client: IpAddr,
    method: String,
    path: String,
    began: Instant,
}

impl AccessLog {
    /// Notes a request that begins; `None` if there is no access log now. It is in a box, so that a request without an access log
    /// carries only a pointer.
    pub(super) fn begin<B>(&self, peer: SocketAddr, request: &Request<B>) -> Option<Box<LoggedRequest>> {
        let share = self.share.get()?;
        Some(Box::new(LoggedRequest {
            listener: self.listener,
            share,
            client: (self.client)(peer.ip(), request.headers()),
            method: quoted(request.method().as_str()),
            path: quoted(request.uri().path()),
            began: Instant::now(),
        }))
    }
}

impl LoggedRequest {
    /// Logs the request when its answer begins. A line has no header and no query, because both can hold a secret.
    pub(super) fn log(&self, response: &Response) {
        let LoggedRequest { listener, share, client, method, path, began } = self;
        let status = response.status().as_u16();
        if status >= 400 || share.decides() {
            let event = response.extensions().get::<LoggedEvent>().map(|LoggedEvent(id)| id.as_str());
            let duration_ms = began.elapsed().as_micros() as f64 / 1000.0;
            // The body of an answer to HEAD is not sent. A stream of events has no length.
            let bytes = if method == "HEAD" { Some(0) } else { response.body().size_hint().exact() };
            tracing::info!(listener, %client, method, path, status, bytes, duration_ms, event.id = event, "request");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;
    use crate::http::listener::testing::limits;
    use crate::http::testing::{Connector, Lines, MemoryListener};
    use crate::http::{Endpoint, Hooks, PendingAnswer, serve};
    use crate::telemetry::AccessOptions;

    fn options(sample: &str) -> AccessOptions {
        toml::from_str(&format!("sample = {sample}")).unwrap()
    }

    /// Serves two routes, with an access log.
    fn served(share: &PresentShare) -> Connector {
        let router = Router::new()
            .route("/good", get(async || ([("x", "y")], axum::Extension(LoggedEvent("an-id".to_owned())), "four")))
            .route("/bad", get(async || StatusCode::IM_A_TEAPOT));
        served_by(router, share)
    }

    fn served_by(endpoint: impl Endpoint, share: &PresentShare) -> Connector {
        let client: FindAddress = Box::new(|peer, headers| match headers.get("client") {
            Some(client) => client.to_str().unwrap().parse().unwrap(),
            None => peer,
        });
        let access_log = Some(AccessLog { listener: "receiver", share: share.clone(), client });
        let (connector, listener) = MemoryListener::new();
        let hooks = Hooks { access_log, ..Hooks::default() };
        tokio::spawn(serve(listener, endpoint, hooks, limits(), std::future::pending()));
        connector
    }

    fn request(target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: x\r\nClient: 192.0.2.7\r\n\r\n")
    }

    async fn lines(sample: &str, target: &str) -> String {
        let (lines, _guard) = Lines::take();
        served(&PresentShare::new(Some(options(sample)))).ask(request(target)).await;
        lines.text()
    }

    #[tokio::test(start_paused = true)]
    async fn request_has_a_line() {
        let line = lines("1", "/good?token=secret").await;
        for part in [
            "request listener=\"receiver\" client=192.0.2.7 method=\"GET\" path=\"/good\" status=200 bytes=4 duration_ms=0.0",
            "event.id=\"an-id\"",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("secret"), "{line}");
    }

    /// axum's router empties the body of an answer to HEAD. Another endpoint leaves that to hyper.
    struct Four;

    impl Endpoint for Four {
        fn answer(&self, _: axum::extract::Request, _: SocketAddr) -> PendingAnswer {
            Box::pin(async { Response::new("four".into()) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answer_to_head_has_no_bytes() {
        for (method, bytes) in [("GET", 4), ("HEAD", 0)] {
            let (lines, _guard) = Lines::take();
            let connector = served_by(Four, &PresentShare::new(Some(options("1"))));
            let mut client = connector.connect().unwrap();
            client.send(request("/good").replace("GET", method)).await;
            assert!(client.read_until("\r\n\r\n").await);
            assert!(lines.text().contains(&format!("status=200 bytes={bytes} ")), "{}", lines.text());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sample_leaves_out_no_failure() {
        assert_eq!(lines("0", "/good").await, "");
        assert!(lines("0", "/bad").await.contains("status=418"));
        assert!(lines("0", "/%0aforged").await.contains("path=\"/%0aforged\" status=404"));
    }

    #[tokio::test(start_paused = true)]
    async fn open_connection_follows_a_reload() {
        let (lines, _guard) = Lines::take();
        let share = PresentShare::new(None);
        let mut client = served(&share).connect().unwrap();
        for (options, count) in [(None, 0), (Some(options("1")), 1), (Some(options("0")), 1), (None, 1)] {
            share.replace(options);
            client.send(request("/good")).await;
            assert_eq!(client.reply().await.status, 200);
            assert_eq!(lines.text().lines().count(), count, "{}", lines.text());
        }
    }
}
