use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::tokens::TokenResponse;
use crate::models::user::User;

/// Registers a user by username, e-mail address or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// 1 to 64 characters.
    #[schema(example = "ada", max_length = 64)]
    pub username: Option<String>,
    /// An address to sign in with.
    #[schema(example = "ada@example.com", max_length = 254)]
    pub email: Option<String>,
    /// 8 to 128 characters that are not easy to guess.
    #[schema(value_type = String, required, format = Password, example = "correct horse battery staple", min_length = 1, max_length = 128)]
    pub password: Option<String>,
}

/// A user's own view of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserResponse {
    /// Never reused; `sub` in tokens.
    #[schema(format = Uuid)]
    pub id: String,
    /// As typed.
    pub username: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// "user", "admin" or another word of [a-z0-9_-].
    pub role: String,
    /// The same, in a list.
    pub roles: Vec<String>,
    /// A disabled user is signed in nowhere.
    pub disabled: bool,
    /// ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl From<&User> for UserResponse {
    fn from(user: &User) -> Self {
        let role = user.role().to_string();
        Self {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            roles: vec![role.clone()],
            role,
            disabled: user.disabled,
            created_at: user.created_at.to_iso8601(),
            updated_at: user.updated_at.to_iso8601(),
        }
    }
}

/// A registered user.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisterResponse {
    /// Always "success".
    pub status: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// Who was registered.
    pub user: UserResponse,
}

/// Signs in with a username or an e-mail address.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LoginRequest {
    /// A username; an e-mail address will do too.
    #[schema(example = "ada")]
    pub username: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// As registered.
    #[schema(value_type = String, required, format = Password, example = "correct horse battery staple", min_length = 1, max_length = 1024)]
    pub password: Option<String>,
}

/// A sign-in; the cookies go with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginResponse {
    /// Always "success".
    pub status: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// Who signed in.
    pub user: UserResponse,
    /// Always "bearer".
    pub token_type: &'static str,
    /// The access token's lifetime, in seconds.
    pub expires_in: i64,
    /// When it runs out: ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// The access token; only for callers that show no sign of being a browser's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The same again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Signs out; the token is for clients without cookies.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LogoutRequest {
    /// A refresh token of the session to end.
    pub refresh_token: Option<String>,
}

/// Changes names; what is absent stays, null removes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMeRequest {
    /// A new username.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub username: Option<Option<String>>,
    /// A new e-mail address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// The password as it is now.
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 1024)]
    pub current_password: Option<String>,
}

/// Tells null (`Some(None)`) from absent (`None`).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Changes the password; every other session ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    /// The password as it is now.
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 1024)]
    pub current_password: Option<String>,
    /// The password as it is to be.
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 128)]
    pub new_password: Option<String>,
}

/// Something was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageResponse {
    /// Always "success".
    pub status: &'static str,
    /// One sentence for a person.
    pub message: String,
}

impl MessageResponse {
    /// A success with a sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { status: "success", message: message.into() }
    }
}

/// A password was changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PasswordChangedResponse {
    /// To a caller with cookies, which gets new ones.
    Cookies(MessageResponse),
    /// To a Bearer caller.
    Bearer(TokenResponse),
}

/// The smallest protected resource.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProtectedResponse {
    /// Always "success".
    pub status: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// Who is signed in; null for a user without a username.
    pub username: Option<String>,
    /// With which role.
    pub role: String,
}
