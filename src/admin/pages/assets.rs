//! The style sheet and the script of the pages. They are part of the program, so nothing is loaded from elsewhere.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use flate2::Compression;
use sha2::{Digest, Sha256};

use super::gzip::{GZIP, gzipped, takes_gzip};

/// A file that pages load.
pub(super) struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    gzipped: Option<Vec<u8>>,
    /// Changes with the content, so that browsers keep a file for as long as it is current.
    version: String,
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("livehook.css", "text/css; charset=utf-8", include_str!("static/livehook.css")));
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("livehook.js", "text/javascript; charset=utf-8", include_str!("static/livehook.js")));

impl Asset {
    fn new(name: &'static str, media_type: &'static str, content: &'static str) -> Asset {
        let version = hex::encode(&Sha256::digest(content)[..8]);
        // Compressed once, so it may take its time.
        let gzipped = gzipped(content.as_bytes(), Compression::best());
        Asset { name, media_type, content, gzipped, version }
    }

    /// Its address.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}?version={}", self.name, self.version)
    }
}

/// `GET /assets/{name}`.
pub(super) async fn read(Path(name): Path<String>, headers: HeaderMap) -> Response<Body> {
    let assets: [&'static Asset; 2] = [&STYLE, &SCRIPT];
    let Some(asset) = assets.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let compressed = asset.gzipped.as_deref().filter(|_| takes_gzip(&headers));
    let mut response = Response::new(compressed.map_or_else(|| Body::from(asset.content), Body::from));
    if compressed.is_some() {
        response.headers_mut().insert(CONTENT_ENCODING, GZIP);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=31536000, immutable"));
    response
}
