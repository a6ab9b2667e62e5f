use super::{header, open, page};
use crate::app::{Tacit, problem};

#[tokio::test]
async fn what_a_page_names_is_there_and_may_be_kept_for_ever() {
    let tacit = Tacit::start().await;
    let html = page(open(&tacit, "/login").await).await;
    let named: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/tacit/")).collect();
    assert!(named.len() >= 2, "{html}");
    for path in named {
        let answer = tacit.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        let etag = header(&answer, "etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
        let known = tacit.get(path).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, etag.as_str()));
        assert!(known.text().await.unwrap().is_empty());
        // Without the version in its address the file is asked for again each time.
        let plain = tacit.get(path.split('?').next().unwrap()).send().await.unwrap();
        assert_eq!((plain.status().as_u16(), header(&plain, "cache-control")), (200, "no-cache"));
        let old = tacit.get(&format!("{path}0")).send().await.unwrap();
        assert_eq!((old.status().as_u16(), header(&old, "cache-control")), (200, "no-cache"));
    }
}

#[tokio::test]
async fn files_have_their_types_and_others_are_not_there() {
    let tacit = Tacit::start().await;
    for (file, kind) in [
        ("style.css", "text/css; charset=utf-8"),
        ("account.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
    ] {
        let answer = tacit.get(&format!("/assets/tacit/{file}")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, kind));
    }
    for path in ["/assets/tacit/none.css", "/assets/tacit/..%2fCargo.toml", "/assets/tacit/"] {
        assert_eq!(problem(tacit.get(path).send().await.unwrap()).await.0, 404, "{path}");
    }
}
