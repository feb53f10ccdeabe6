//! The style sheet and the script of the pages. They are part of the program, so nothing is loaded from elsewhere.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use sha2::{Digest, Sha256};

/// A file that pages load.
pub(super) struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    /// Changes with the content, so that browsers keep a file for as long as it is current.
    version: LazyLock<String>,
}

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            content: include_str!(concat!("static/", $name)),
            version: LazyLock::new(|| version(include_str!(concat!("static/", $name)))),
        }
    };
}

pub(super) static STYLE: Asset = asset!("livehook.css", "text/css; charset=utf-8");
pub(super) static SCRIPT: Asset = asset!("livehook.js", "text/javascript; charset=utf-8");

impl Asset {
    /// Its address.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}?version={}", self.name, *self.version)
    }
}

fn version(content: &str) -> String {
    hex::encode(&Sha256::digest(content)[..8])
}

/// `GET /assets/{name}`.
pub(super) async fn read(Path(name): Path<String>) -> Response<Body> {
    let Some(asset) = [&STYLE, &SCRIPT].into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(Body::from(asset.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=31536000, immutable"));
    response
}
