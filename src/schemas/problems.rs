use serde::Serialize;
use utoipa::ToSchema;

/// An error (RFC 9457), `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always "about:blank".
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for a person.
    pub detail: String,
    /// Stable, for programs; docs/api-design.md lists all.
    pub code: &'static str,
    /// As in the header X-Request-Id.
    pub request_id: String,
    /// Refused fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// At OAuth's own endpoints: the code of RFC 6749, section 5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

/// A refused field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The member's name.
    pub field: &'static str,
    /// One sentence for a person.
    pub message: String,
}

/// An error of the token endpoint (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthProblem {
    /// The code.
    pub error: &'static str,
    /// One sentence for a developer.
    pub error_description: String,
    /// After a refused refresh: why, as in the codes of 401.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// An error of the token endpoint, in the words of the dialect that the form spoke.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TokenProblem {
    /// With `grant_type`, and whatever is wrong with the client.
    OAuth(OAuthProblem),
    /// Without `grant_type`.
    Form(FormProblem),
}

/// An error of the token endpoint to a form without `grant_type`, as FastAPI words it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FormProblem {
    /// Wrong name or password.
    Sentence {
        /// One sentence for a person.
        detail: &'static str,
    },
    /// Missing or repeated fields.
    Fields {
        /// One entry a field.
        detail: Vec<FormProblemDetail>,
    },
}

/// What is wrong with one field of a form.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormProblemDetail {
    /// "missing" or "multiple".
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where: "body" and the field's name.
    pub loc: [&'static str; 2],
    /// One sentence.
    pub msg: &'static str,
}
