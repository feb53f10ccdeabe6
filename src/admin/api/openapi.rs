//! `openapi.json`: the description of the API in OpenAPI 3.1, for people and for programs that generate clients.
//!
//! The router collects it from the handlers (`#[utoipa::path]`), the parameters (`IntoParams`) and the views (`ToSchema`). Here
//! is only the part that belongs to none of them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Extension;
use axum::http::HeaderMap;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Header, OpenApi as Description, Ref, RefOr, Response};
use utoipa::{IntoResponses, OpenApi};

use super::etag::{digest_etag, with_etag};
use super::feed::Gap;
use super::json::{Answer, answer, json};
use super::parameters::KnownCopy;
use super::query::NoParameters;
use super::responses;
use super::streams::{DESCRIBED_PATH, ROUTED_PATH};
use crate::admin::problem::{API_PREFIX, Problem};
use crate::http::ErrorBody;

/// What all routes have in common, for users of the API.
const INTRODUCTION: &str = "Live streams, sessions, broadcasts, events and the state of the sinks.

Reading needs no token if the admin listener is bound to a loopback address. The `Host` header must then name the \
loopback or one of `admin.allowed_hosts`. On any other address every request needs the bearer token. Requests that change \
something always need it.

**Lists** come in pages. Send `next` as the parameter `page`, with all other parameters unchanged, until `next` is `null`. A \
page can have few or no items and still have a `next`. A token of another service, or from before a backup was restored, is \
refused. New items cause no gap and no repetition. An item that moves between two pages can come twice or not at all: a \
session that turns out to have started earlier, because its stop arrived before its push, and the broadcasts that it belongs \
to; and, sorted by `ended` or `duration`, a session that ends or goes on. These two orders read all sessions that match, and \
are slow if there are very many.

**Moments** are returned as RFC 3339 in UTC. As parameters they can be RFC 3339 with an offset (`2026-05-01T12:00:00Z`), \
a date (`2026-05-01`, from 00:00 UTC), Unix seconds (`1777636800`), or a span back from now (`15m`, `2h`, `7d`).

**Parameters** are read strictly: an unknown one, a repeated one and a value of a wrong form are answered with 400. Parameters \
for streams, types, states, reasons, errors and clients can be repeated: an item must match one of the values of each \
parameter.

**Errors** are `application/problem+json` (RFC 9457). Unknown paths are answered with 404 and unsupported methods with 405, in \
the same form. Every `GET` can be a `HEAD`. A request that is not valid HTTP is answered with 400 or 431 before its path is \
known, as `application/json` with the members `code`, `error` and `message`.

New members can be added to answers at any time: ignore members that you do not know.";

#[derive(OpenApi)]
#[openapi(
    info(title = "livehook", description = INTRODUCTION, contact()),
    components(schemas(Gap, ErrorBody, Problem)),
    security((), ("token" = [])),
    tags(
        (name = "streams", description = "Streams, sessions and broadcasts, live and past"),
        (name = "events", description = "The callbacks of CSS, as every sink gets them"),
        (name = "deliveries", description = "Events to send to sinks again: dead letters and replays"),
        (name = "service", description = "The state of livehook itself, and what the vendor's error codes mean"),
    )
)]
struct Introduction;

/// Returns the part of the description that belongs to no route.
pub(super) fn introduction() -> Description {
    Introduction::openapi()
}

/// Adds the parts that all requests that change something have in common: they need the token, and a body in JSON.
pub(super) fn describe_changes(changes: &mut Description) {
    for operation in operations(changes) {
        operation.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
        add_responses(operation, responses::BodyNotTaken::responses());
    }
}

/// Adds the header that answers from the index have.
pub(super) fn describe_index_lag(reads: &mut Description) {
    for operation in operations(reads) {
        if let Some(RefOr::T(success)) = operation.responses.responses.get_mut("200") {
            let mut header = Header::new(<u64 as utoipa::PartialSchema>::schema());
            header.description =
                Some("How many records the index lacks. 0 means that the answer has every stored event".to_owned());
            success.headers.insert("Livehook-Index-Lag-Records".to_owned(), header.into());
        }
    }
}

fn operations(description: &mut Description) -> impl Iterator<Item = &mut Operation> {
    description.paths.paths.values_mut().flat_map(|path| [&mut path.get, &mut path.post]).flatten()
}

/// Adds responses to an operation. A response that the operation describes itself stays.
fn add_responses(operation: &mut Operation, added: BTreeMap<String, RefOr<Response>>) {
    for (status, response) in added {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

/// The description as it is served. The first request makes it.
#[derive(Clone)]
pub(super) struct Document(Arc<LazyLock<Text, Box<dyn FnOnce() -> Text + Send>>>);

struct Text {
    json: String,
    etag: String,
}

impl Document {
    /// `describe` returns the description that the router collects. It is called once at most.
    pub(super) fn new(describe: impl FnOnce() -> Description + Send + 'static) -> Document {
        Document(Arc::new(LazyLock::new(Box::new(|| {
            let mut description = describe();
            complete(&mut description);
            let json = json(&description);
            Text { etag: digest_etag(&json), json }
        }))))
    }
}

/// Describe the API.
///
/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", params(KnownCopy),
    responses(
        (status = 200, body = serde_json::Value, description = "An OpenAPI 3.1 document", headers(
            ("ETag" = String, description = "Send it back as `If-None-Match`"),
            ("Cache-Control" = String, description = "How long the copy can be used without a new request"),
        )),
        responses::Unchanged,
    )
)]
pub(super) async fn read_openapi(
    Extension(document): Extension<Document>,
    headers: HeaderMap,
    _: NoParameters,
) -> Answer {
    let Text { json, etag } = &**document.0;
    Ok(with_etag(&headers, etag, "private, max-age=300", || answer(json.clone())))
}

/// Adds and corrects what the macros can't express.
pub(super) fn complete(description: &mut Description) {
    // The macro cannot leave the contact out. Without `contact()` it would take the authors of the package.
    description.info.contact = None;
    for operation in operations(description) {
        add_responses(operation, responses::Refused::responses());
    }
    let paths = &mut description.paths.paths;
    if let Some(item) = paths.remove(&format!("{API_PREFIX}{ROUTED_PATH}")) {
        paths.insert(format!("{API_PREFIX}{DESCRIBED_PATH}"), item);
    }
    let Some(components) = &mut description.components else { return };
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some("The admin token: `admin.token`, `admin.token_file` or `LIVEHOOK_ADMIN_TOKEN`.".into());
    components.security_schemes.insert("token".to_owned(), SecurityScheme::Http(token).into());
    for (name, schema) in &mut components.schemas {
        // In a request, `null` and an absent member mean the same.
        if !name.ends_with("Request") {
            require_nullable(schema);
        }
        if let Some(item) = name.strip_prefix("Page_") {
            refer_to_item(schema, item);
        }
    }
}

/// Makes the items of a page refer to the schema of their type. The macro repeats that schema in full.
fn refer_to_item(page: &mut RefOr<Schema>, item: &str) {
    if let RefOr::T(Schema::Object(page)) = page
        && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
    {
        items.items = Ref::from_schema_name(item).into();
    }
}

/// Marks members that can be `null` as required: a view writes all of its members.
fn require_nullable(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            let nullable = object.properties.iter().filter(|(_, property)| is_nullable(property));
            let nullable: Vec<String> = nullable.map(|(name, _)| name.clone()).collect();
            for name in nullable {
                if !object.required.contains(&name) {
                    object.required.push(name);
                }
            }
        }
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(require_nullable),
        _ => {}
    }
}

fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let holds_null = |schema_type: &SchemaType| match schema_type {
        SchemaType::Type(only) => *only == Type::Null,
        SchemaType::Array(types) => types.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => holds_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => holds_null(&array.schema_type),
        RefOr::T(Schema::OneOf(any)) => any.items.iter().any(is_nullable),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
