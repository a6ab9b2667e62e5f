//! Bodies that are not what their route reads.

use reqwest::header::CONTENT_TYPE;

use super::{BODILESS, FORM, JSON, OPTIONAL, Service, concrete, read};

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

impl Service {
    async fn send(&self, route: (&str, &str), kinds: &[&str], body: impl Into<reqwest::Body>) -> (u16, String) {
        let mut request = self.tacit.request(route.0.parse().unwrap(), &concrete(route.1)).body(body);
        for kind in kinds {
            request = request.header(CONTENT_TYPE, *kind);
        }
        // A client's own credentials where it has to prove itself, a user's elsewhere, but not to sign out with.
        let request = match route {
            form if FORM.contains(&form) => self.client.on(request),
            optional if OPTIONAL.contains(&optional) => request,
            _ => request.bearer_auth(&self.token),
        };
        read(request.send().await.unwrap()).await
    }
}

fn part(headers: &str, value: &[u8]) -> Vec<u8> {
    [b"--b\r\nContent-Disposition: form-data; ", headers.as_bytes(), b"\r\n\r\n", value, b"\r\n"].concat()
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_400_on_every_route_that_reads_one() {
    let service = Service::start().await;
    let many = vec!["x=1"; 65].join("&");
    let parts = |parts: &[Vec<u8>]| [parts.concat(), b"--b--\r\n".to_vec()].concat();
    let urlencoded = [
        b"token=\xff".to_vec(),
        b"token=%ff".to_vec(),
        b"%ff=x".to_vec(),
        b"token=%c0%80".to_vec(),
        b"token=%ed%a0%80".to_vec(),
        b"token=\xed\xa0\x80".to_vec(),
        many.clone().into_bytes(),
    ];
    let multipart = [
        Vec::new(),
        b"token=x".to_vec(),
        part("name=\"token\"", b"x"),
        parts(&[part("name=\"token\"", b"\xff")]),
        parts(&[part("name=\"token\"", b"\xed\xa0\x80")]),
        parts(&[part("x=\"token\"", b"x")]),
        parts(&vec![part("name=\"x\"", b"1"); 65]),
        b"--b\r\n\r\n\r\n--b--\r\n".to_vec(),
        b"--b\r\nContent-Disposition: attachment; name=\"token\"\r\n\r\nx\r\n--b--\r\n".to_vec(),
    ];
    for route in FORM.into_iter().chain(OPTIONAL) {
        for (kind, bodies) in [(URLENCODED, &urlencoded[..]), (MULTIPART, &multipart[..])] {
            for body in bodies {
                let (status, code) = service.send(route, &[kind], body.clone()).await;
                let shown = body.escape_ascii();
                assert!(status == 400, "{route:?} {kind} {shown:.60}: {status} {code}");
                assert!(["bad_request", "invalid_request"].contains(&code.as_str()), "{route:?} {shown:.60}: {code}");
            }
        }
        for kind in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary"] {
            assert_eq!(service.send(route, &[kind], "--\r\n").await.0, 400, "{route:?} {kind}");
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn a_parameter_that_comes_twice_is_refused_in_every_spelling_and_encoding() {
    let service = Service::start().await;
    let token = &service.refresh_token;
    for (route, name) in [
        ("/token", "username"),
        ("/token", "password"),
        ("/token", "grant_type"),
        ("/token", "refresh_token"),
        ("/token", "client_id"),
        ("/token", "client_secret"),
        ("/token", "scope"),
        ("/introspect", "token"),
        ("/introspect", "token_type_hint"),
        ("/introspect", "client_id"),
        ("/revoke", "token"),
        ("/revoke", "token_type_hint"),
        ("/revoke", "client_secret"),
        ("/logout", "refresh_token"),
    ] {
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let quoted = format!("name=\"{name}\"");
        let multipart = [part(&quoted, token.as_bytes()), part(&quoted, b""), b"--b--\r\n".to_vec()].concat();
        for (kind, body) in [
            (URLENCODED, format!("{name}={token}&{name}=x").into_bytes()),
            (URLENCODED, format!("{name}={token}&{name}={token}").into_bytes()),
            (URLENCODED, format!("{name}={token}&{escaped}=").into_bytes()),
            (URLENCODED, format!("{name}=&{name}={token}").into_bytes()),
            (MULTIPART, multipart),
        ] {
            let shown = body.escape_ascii().to_string();
            let (status, code) = service.send(("POST", route), &[kind], body).await;
            // FastAPI's dialect has a status of its own for fields.
            let fields = route == "/token" && name != "grant_type" && (status, code.as_str()) == (422, "detail");
            assert!(status == 400 || fields, "{route} {shown}: {status} {code}");
        }
    }
    // The session lives: nothing of this was taken.
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(service.tacit.post("/token").form(&form).send().await.unwrap().status(), 200);
    service.assert_unharmed().await;
}

#[tokio::test]
async fn a_type_that_a_route_does_not_read_is_415_before_anything_is_looked_at() {
    let service = Service::start().await;
    let odd: [&[&str]; 9] = [
        &[],
        &[""],
        &["x"],
        &["/"],
        &["text/plain"],
        &["text/json"],
        &["*/*"],
        &["application/octet-stream"],
        &["application/json, application/x-www-form-urlencoded"],
    ];
    for route in JSON.into_iter().chain(FORM).chain(OPTIONAL) {
        for kinds in odd {
            assert_eq!(service.send(route, kinds, "{}").await.0, 415, "{route:?} {kinds:?}");
        }
        // Of two types nobody knows which one a gateway in between went by.
        for kinds in
            [["application/json", URLENCODED], [URLENCODED, "application/json"], ["text/plain", "application/json"]]
        {
            assert_eq!(service.send(route, &kinds, "{}").await.0, 415, "{route:?} {kinds:?}");
        }
    }
    for route in FORM {
        assert_eq!(service.send(route, &["application/json"], "{}").await.0, 415, "{route:?}");
    }
    for route in JSON {
        for kind in
            ["application/json; charset=utf-16", "application/json;charset=\"latin1\"", "application/json; \u{e9}"]
        {
            // JSON is UTF-8 whatever is said of it (RFC 8259, section 8.1).
            let bytes = b"{\"username\":\"\xe9\",\"password\":\"x\"}".to_vec();
            let status = service.send(route, &[kind], bytes).await.0;
            assert!(status == 400 || status == 415 && !kind.is_ascii(), "{route:?} {kind}: {status}");
        }
        let utf16: Vec<u8> = "{\"username\":\"ada\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(service.send(route, &["application/json"], utf16).await.0, 400, "{route:?}");
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn nesting_of_any_depth_and_numbers_of_any_size_cost_nothing() {
    let service = Service::start().await;
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for route in JSON.into_iter().chain(OPTIONAL) {
        for (body, expected) in [
            (nested("[", "]", 30_000), 400),
            ("[".repeat(60_000), 400),
            ("[".repeat(100_000), 413),
            (nested("{\"a\":", "}", 10_000), 400),
            (format!("{{\"username\":{}", "[".repeat(60_000)), 400),
            (format!("{{\"username\":{}}}", "9".repeat(60_000)), 400),
            ("{\"username\":1e99999999999}".to_owned(), 400),
            ("{\"refresh_token\":-0.0e-999,\"username\":0}".to_owned(), 400),
            (format!("{{\"{}\":1,\"password\":1}}", "k".repeat(60_000)), 400),
        ] {
            let optional = OPTIONAL.contains(&route) && body.starts_with("{\"") && !body.contains("refresh_token");
            let (status, code) = service.send(route, &["application/json"], body.clone()).await;
            // What a route does not know it does not read, where unknown members are tolerated.
            assert!(status == expected || optional && status == 200, "{route:?} {body:.40}: {status} {code}");
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn a_route_without_a_body_does_not_read_one() {
    let service = Service::start().await;
    for route in BODILESS.into_iter().filter(|route| !route.1.contains("all")) {
        for (kind, body) in
            [("application/json", "[".repeat(60_000)), (URLENCODED, "a=%ff".to_owned()), ("", "x".repeat(200_000))]
        {
            let without = service.send(route, &[], "").await;
            assert_eq!(service.send(route, &[kind], body).await, without, "{route:?} {kind}");
        }
    }
    service.assert_unharmed().await;
}
