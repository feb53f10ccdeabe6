//! `openapi.json`: the API described as OpenAPI 3.1, for clients that are made by a program and for people.
//!
//! It is put together from what stands at the handlers (`#[utoipa::path]`) and at the views (`ToSchema`), so a member cannot
//! be added and left out here. A new handler is added to the list at [`Document`]; a test compares that list with the routes.

pub(super) mod answers;
pub(super) mod parameters;

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, Response};
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, Ref, RefOr};
use utoipa::{Modify, OpenApi};

use super::etag::{self, digest_tag};
use super::parameters::Parameters;
use super::{dead_letters, error_codes, events, feed, rebuild, refusals, replays, sessions, sinks, stats, streams};
use crate::admin::problem::Problem;
use crate::http::ErrorBody;

/// What the whole of the API has in common, for its users.
const INTRODUCTION: &str = "What livehook knows: live streams, sessions, broadcasts, events and the state of its sinks.

Reading needs no token where the admin listener is bound to a loopback address, but a `Host` header that names the \
loopback or one of `admin.allowed_hosts`; elsewhere everything needs the bearer token. What changes something always does.

**Lists** come in pages. Follow `next`, as the parameter `page` with all others unchanged, until it is `null`; a page may \
have few or no items and still have a `next`. Such a token is refused by another service, and after a restored backup. What comes in meanwhile makes no gap and no repetition. \
Only what moves itself between two pages may come twice, or not at all: a session that turns out to have started earlier, since \
its stop came before its push, and the broadcasts that it is or comes to be part of; and, sorted by `ended` or `duration`, a \
session that ends or goes on. These two orders look at all sessions that fit, and are slow where there are very many.

**Moments** are given as RFC 3339 in UTC. As parameters they are read as RFC 3339 with an offset (`2026-05-01T12:00:00Z`), \
as a date (`2026-05-01`, from 00:00 UTC), as Unix seconds (`1777636800`), or as a span back from now (`15m`, `2h`, `7d`).

**Parameters** are read strictly: one that is unknown, given twice or of a wrong form is answered with 400. Those that \
choose streams, types, states, reasons, errors and clients may be repeated: one of the values must fit, of each parameter that is given.

**What is wrong** is told as `application/problem+json` (RFC 9457). A path that is not here is answered with 404, a method \
other than those that are told with 405, in the same form. Every `GET` can be a `HEAD`. What cannot be read as an HTTP request is answered with 400 or 431 before any \
path is looked at, as `application/json` with the members `code`, `error` and `message`.

Members may be added to answers at any time: pass over those that you do not know.";

/// The description. Every handler of the API is in this list.
#[derive(OpenApi)]
#[openapi(
    info(title = "livehook", description = INTRODUCTION, contact()),
    paths(
        streams::list,
        streams::one,
        sessions::list,
        sessions::one,
        sessions::broadcasts,
        events::list,
        events::one,
        feed::open,
        sinks::list,
        dead_letters::list,
        dead_letters::one,
        dead_letters::redrive,
        dead_letters::drop,
        replays::list,
        replays::begin,
        replays::one,
        replays::cancel,
        error_codes::list,
        refusals::list,
        stats::get,
        rebuild::rebuild,
        document
    ),
    components(schemas(feed::Gap, ErrorBody)),
    security((), ("token" = [])),
    tags(
        (name = "streams", description = "Who is live, and what was: streams, sessions and broadcasts"),
        (name = "events", description = "What CSS has told, as every sink gets it"),
        (name = "deliveries", description = "What is to be sent to sinks once more: dead letters and replays"),
        (name = "service", description = "How livehook itself is doing, and what it knows by heart"),
    ),
    modifiers(&Completed)
)]
struct Document;

/// What cannot be said where the parts are.
struct Completed;

impl Modify for Completed {
    fn modify(&self, description: &mut Description) {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description =
            Some("The admin token: `admin.token`, `admin.token_file` or `LIVEHOOK_ADMIN_TOKEN`.".into());
        description.info.contact = None;
        let Some(components) = &mut description.components else { return };
        components.security_schemes.insert("token".to_owned(), SecurityScheme::Http(token).into());
        for (name, schema) in &mut components.schemas {
            // What a request may say as `null` may as well be left out.
            if !name.ends_with("Request") {
                require_nullable(schema);
            }
            if let Some(item) = name.strip_prefix("Page_") {
                refer_to_item(schema, item);
            }
        }
    }
}

/// The items of a page are of a type that is described for itself; what is made of a generic type repeats it in full.
fn refer_to_item(page: &mut RefOr<Schema>, item: &str) {
    if let RefOr::T(Schema::Object(page)) = page
        && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
    {
        items.items = Ref::from_schema_name(item).into();
    }
}

/// What may be `null` is always there: a view writes each of its members.
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

/// The text, made when it is first asked for, and the tag of what it says.
static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = super::text_of(&Document::openapi());
    let tag = digest_tag(&text);
    (text, tag)
});

/// This description of the API.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "read_openapi",
    tag = "service",
    params(parameters::Known),
    responses(
        (status = 200, body = serde_json::Value, description = "An OpenAPI 3.1 document", headers(
            ("ETag" = String, description = "To be given back as `If-None-Match`"),
            ("Cache-Control" = String, description = "How long it may be kept unasked"),
        )),
        answers::Unchanged,
        answers::Refused,
    )
)]
pub(super) async fn document(headers: HeaderMap, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let (text, tag) = &*DOCUMENT;
    Ok(etag::tagged(&headers, tag, "private, max-age=300", || super::json(text.clone(), "application/json", None)))
}

#[cfg(test)]
mod tests;
