//! What requests and responses look like: serde and OpenAPI, known by `routers` only.

mod accounts;
mod clients;
mod keys;
mod operations;
mod problems;
mod sessions;
mod tokens;

pub use accounts::{
    ChangePasswordRequest, LoginRequest, LoginResponse, LogoutRequest, MessageResponse, PasswordChangedResponse,
    ProtectedResponse, RegisterRequest, RegisterResponse, UpdateMeRequest, UserResponse,
};
pub use clients::{ClientResponse, IntrospectionResponse, RevocationsResponse, ServerMetadataResponse};
pub use keys::{JsonWebKey, JsonWebKeySet};
pub use operations::{HealthResponse, IndexResponse, ReadinessResponse};
pub use problems::{FieldProblem, FormProblem, FormProblemDetail, OAuthProblem, Problem, TokenProblem};
pub use sessions::{EndedResponse, SessionResponse, SessionsResponse};
pub use tokens::TokenResponse;
