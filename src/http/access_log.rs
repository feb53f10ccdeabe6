//! The access log: a line for a share of the requests, and for each request that was not answered with success.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::time::Instant;

use super::error_body::quoted;
use crate::telemetry::Share;

/// Finds the address of a request's client from the address of the peer and the headers.
pub type FindAddress = Box<dyn Fn(IpAddr, &HeaderMap) -> IpAddr + Send + Sync>;

/// Which requests of a listener the log has.
pub struct AccessLog {
    /// The name of the listener in each line.
    pub listener: &'static str,
    /// The share of successful requests.
    pub sample: Share,
    /// Finds the client.
    pub client: FindAddress,
}

/// The id of the event that an answer is about. A handler adds it to the answer's extensions.
#[derive(Clone, Debug)]
pub struct LoggedEvent(pub String);

/// Adds the access log to a router.
pub fn with_access_log(router: Router, access_log: AccessLog) -> Router {
    router.layer(from_fn_with_state(Arc::new(access_log), log))
}

/// Logs a request when its answer begins. A line has no header and no query, because both can hold a secret.
async fn log(
    State(access_log): State<Arc<AccessLog>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let (method, path) = (quoted(request.method().as_str()), quoted(request.uri().path()));
    let client = (access_log.client)(peer.ip(), request.headers());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if status >= 400 || access_log.sample.decides() {
        let event = response.extensions().get::<LoggedEvent>().map(|LoggedEvent(id)| id.as_str());
        let duration_ms = began.elapsed().as_micros() as f64 / 1000.0;
        // A stream of events has no length.
        let bytes = response.body().size_hint().exact();
        let listener = access_log.listener;
        tracing::info!(listener, %client, method, path, status, bytes, duration_ms, event.id = event, "request");
    }
    response
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::Service;

    use super::*;
    use crate::http::testing::{Lines, PEER};
    use crate::telemetry::AccessOptions;

    async fn lines(sample: &str, target: &str) -> String {
        let (lines, _guard) = Lines::take();
        let AccessOptions { sample } = toml::from_str(&format!("sample = {sample}")).unwrap();
        let router = Router::new()
            .route("/good", get(async || ([("x", "y")], axum::Extension(LoggedEvent("an-id".to_owned())), "four")))
            .route("/bad", get(async || StatusCode::IM_A_TEAPOT));
        let client: FindAddress = Box::new(|peer, headers| match headers.get("client") {
            Some(client) => client.to_str().unwrap().parse().unwrap(),
            None => peer,
        });
        let mut router = with_access_log(router, AccessLog { listener: "receiver", sample, client });
        let mut request = Request::get(target).header("client", "192.0.2.7").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(PEER)));
        let answer: Result<Response, Infallible> = router.call(request).await;
        assert!(answer.unwrap().status() != 500);
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

    #[tokio::test(start_paused = true)]
    async fn sample_leaves_out_no_failure() {
        assert_eq!(lines("0", "/good").await, "");
        assert!(lines("0", "/bad").await.contains("status=418"));
        assert!(lines("0", "/%0aforged").await.contains("path=\"/%0aforged\" status=404"));
    }
}
