//! The pages' style, script and icon, from the binary. Behind a gateway the app has an `/assets` of its own, hence the name.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::routers::request;
use crate::routers::respond::Failure;
use crate::schemas::Problem;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static str,
    /// Of the bytes: another one is another file.
    version: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
        asset("account.js", "text/javascript; charset=utf-8", include_str!("assets/account.js")),
        asset("icon.svg", "image/svg+xml; charset=utf-8", include_str!("assets/icon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static str) -> Asset {
    let mut version = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes.as_bytes()));
    version.truncate(12);
    Asset { name, content_type, bytes, version }
}

/// The address of a file, with its version, so that it may be kept for ever.
pub fn url(base_path: &str, name: &str) -> String {
    let version = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.version.as_str());
    format!("{base_path}/assets/tacit/{name}?v={version}")
}

/// The pages' scripts and styles.
#[utoipa::path(
    get, path = "/assets/tacit/{file}", tag = "pages", operation_id = "show_asset",
    params(("file" = String, Path, description = "The file's name")),
    responses(
        (status = 200, description = "The file"),
        (status = 304, description = "The file that the browser has is the same"),
        (status = 404, description = "No such file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Failure> {
    let asset = ASSETS.iter().find(|asset| asset.name == name.as_str()).ok_or(Error::NotFound)?;
    let etag = format!("\"{}\"", asset.version);
    let named = request.query_string().strip_prefix("v=") == Some(asset.version.as_str());
    let caching = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = request::knows(&request, &etag);
    let mut builder = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, caching));
    if is_known {
        return Ok(builder.finish());
    }
    Ok(builder.insert_header((header::CONTENT_TYPE, asset.content_type)).body(asset.bytes))
}
