use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::shared::Shared;
use super::{request, respond};
use crate::schemas::{JsonWebKey, JsonWebKeySet};

/// Where the keys stand.
pub const PATH: &str = "/.well-known/jwks.json";

/// Short: a new key has to reach every backend before it signs, and a retired one is to be forgotten soon.
const CACHE_CONTROL: &str = "public, max-age=60";

/// The public keys that verify access tokens (RFC 7517). A secret is never among them.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "clients", operation_id = "show_jwks",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of the last answer")),
    responses(
        (status = 200, description = "The keys, with an ETag", body = JsonWebKeySet),
        (status = 304, description = "Nothing is new"),
    )
)]
pub async fn show_jwks(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let published = shared.app.access_keys.published();
    let keys: Vec<JsonWebKey> = published.iter().filter_map(|key| key.public.as_ref()).map(JsonWebKey::from).collect();
    // A kid is the hash of its key, so that the kids say all.
    let kids = keys.iter().fold(Sha256::new(), |digest, key| digest.chain_update(&key.kid));
    let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(kids.finalize()));
    let is_known = request::knows(&request, &etag);
    let mut builder = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, CACHE_CONTROL));
    if is_known { builder.finish() } else { respond::json(&mut builder, &JsonWebKeySet { keys }) }
}
