//! What every error looks like, whichever route it comes from.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Words that would tell a stranger what is inside.
const INTERNAL: [&str; 16] = [
    "serde",
    "diesel",
    "sqlite",
    "postgres",
    "select ",
    "insert ",
    "panicked",
    ".rs",
    "src/",
    "line 1",
    "column",
    "expected ",
    "actix",
    "unwrap",
    "/tmp",
    "errno",
];

/// An error as a client sees it.
#[derive(Debug)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Problem {
    /// The status and code.
    pub fn is(&self, status: u16, code: &str) -> bool {
        self.status == status && self.code == code
    }

    /// The refused fields' names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().expect("a field")).collect()
    }
}

/// Reads a problem document and checks all that holds for every one of them.
pub async fn read(answer: Response) -> Problem {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("a body");
    check(status, &headers, &text)
}

/// The same for an answer that was read already.
pub fn check(status: u16, headers: &HeaderMap, text: &str) -> Problem {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default();
    assert_eq!(header("content-type"), "application/problem+json; charset=utf-8", "{status} {text}");
    let body: Value = serde_json::from_str(text).expect("JSON");
    let known = ["type", "title", "status", "detail", "code", "request_id", "errors", "error"];
    for member in body.as_object().expect("an object").keys() {
        assert!(known.contains(&member.as_str()), "{member} in {text}");
    }
    assert_eq!((&body["type"], &body["status"]), (&Value::from("about:blank"), &Value::from(status)));
    let word = |member: &str| body[member].as_str().filter(|text| !text.is_empty()).expect(member).to_owned();
    let (code, detail) = (word("code"), word("detail"));
    assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    assert_eq!(word("request_id"), header("x-request-id"));
    assert!(!word("title").is_empty());
    let lower = text.to_lowercase();
    for word in INTERNAL {
        assert!(!lower.contains(word), "{word} in {text}");
    }
    if status == 401 {
        assert!(header("www-authenticate").starts_with("Bearer"), "a 401 without a challenge: {text}");
    }
    if status == 503 || status == 429 {
        assert!(header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{text}");
    }
    if status == 405 {
        assert!(!header("allow").is_empty(), "405 without Allow");
    }
    assert_plain_security_headers(headers);
    Problem { status, code, detail, headers: headers.clone(), body }
}

/// The headers of every answer that is no page.
pub fn assert_plain_security_headers(headers: &HeaderMap) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default();
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert!(!headers.contains_key("server") && !headers.contains_key("x-powered-by"), "{headers:?}");
    assert!(!header("x-request-id").is_empty());
}
