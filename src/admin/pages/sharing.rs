//! Renders a page once for all browsers that ask for it at the same moment, because the script renews open pages together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::middleware::Next;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::admin::updates::Updates;

/// How long after its beginning a rendering is given to others, unless an update comes in between.
const SHARED_FOR: Duration = Duration::from_millis(50);

/// The headers on which a page depends. The cookies hold the login, the theme and the zone.
const HEADERS: [axum::http::HeaderName; 4] = [HOST, COOKIE, ACCEPT_LANGUAGE, ACCEPT_ENCODING];

/// The renderings that began a moment ago, by everything that they depend on.
pub(super) struct Renderings {
    updates: Arc<Updates>,
    by_key: Mutex<HashMap<Vec<u8>, Rendering>>,
}

struct Rendering {
    began: Instant,
    page: Arc<OnceCell<Rendered>>,
}

struct Rendered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Renderings {
    /// Makes an empty collection. An update ends the sharing of every rendering that began before it.
    pub(super) fn new(updates: Arc<Updates>) -> Renderings {
        Renderings { updates, by_key: Mutex::default() }
    }

    fn of(&self, key: Vec<u8>) -> Arc<OnceCell<Rendered>> {
        let now = Instant::now();
        let mut renderings = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        renderings.retain(|_, rendering| now.duration_since(rendering.began) < SHARED_FOR);
        let rendering = renderings.entry(key).or_insert_with(|| Rendering { began: now, page: Arc::default() });
        Arc::clone(&rendering.page)
    }
}

/// Answers with the page that another request has begun to render, or renders it.
pub(super) async fn share(State(renderings): State<Arc<Renderings>>, request: Request, next: Next) -> Response<Body> {
    let Some(mut key) = key_of(&request) else { return next.run(request).await };
    key.extend_from_slice(&renderings.updates.number().to_be_bytes());
    let page = renderings.of(key);
    // If the browser of the first request leaves, the next one that waits renders the page.
    let rendered = page.get_or_init(|| render(request, next)).await;
    let mut response = Response::new(Body::from(rendered.body.clone()));
    *response.status_mut() = rendered.status;
    *response.headers_mut() = rendered.headers.clone();
    response
}

/// Everything that a page depends on; `None` if the answer is not shared.
fn key_of(request: &Request) -> Option<Vec<u8>> {
    let (uri, headers) = (request.uri(), request.headers());
    let is_shared = request.method() == Method::GET && !headers.contains_key(AUTHORIZATION);
    if !is_shared || uri.path().starts_with("/assets/") || uri.path() == "/login" {
        return None;
    }
    let mut key = uri.to_string().into_bytes();
    for name in &HEADERS {
        key.push(b'\n');
        for value in headers.get_all(name) {
            key.extend_from_slice(value.as_bytes());
            // No header has a line break, so two keys are equal only if all their parts are.
            key.push(b'\r');
        }
    }
    Some(key)
}

async fn render(request: Request, next: Next) -> Rendered {
    let (parts, body) = next.run(request).await.into_parts();
    // The whole body is here already, so this neither waits nor fails.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Rendered { status: parts.status, headers: parts.headers, body }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::any;
    use tokio::time::sleep;
    use tower::Service;

    use super::*;

    fn request(method: Method, uri: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pages_of_a_moment_are_rendered_once() {
        let rendered = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&rendered);
        let page = any(move || async move {
            sleep(Duration::from_millis(5)).await;
            format!("page {}", counter.fetch_add(1, Ordering::Relaxed))
        });
        let router = Router::new().route("/{*rest}", page);
        let router = router.route_layer(from_fn_with_state(Arc::new(Renderings::new(Arc::default())), share));
        let text = async |request: Request| {
            let response = router.clone().call(request).await.unwrap();
            String::from_utf8(axum::body::to_bytes(response.into_body(), 100).await.unwrap().to_vec()).unwrap()
        };
        let get = async |uri: &str, headers: &[(&str, &str)]| text(request(Method::GET, uri, headers)).await;

        let together = tokio::join!(get("/a?b=1", &[]), get("/a?b=1", &[]), get("/a?b=1", &[]));
        assert_eq!(together, ("page 0".to_owned(), "page 0".to_owned(), "page 0".to_owned()));
        assert_eq!(get("/a?b=1", &[]).await, "page 0");
        assert_eq!(get("/a?b=2", &[]).await, "page 1");
        assert_eq!(get("/a?b=1", &[("cookie", "login=x")]).await, "page 2");
        assert_eq!(get("/a?b=1", &[("accept-language", "ko")]).await, "page 3");
        for number in [4, 5] {
            assert_eq!(get("/a?b=1", &[("authorization", "Bearer x")]).await, format!("page {number}"));
        }
        assert_eq!(text(request(Method::POST, "/a?b=1", &[])).await, "page 6");
        sleep(SHARED_FOR).await;
        assert_eq!(get("/a?b=1", &[]).await, "page 7");
    }
}
