use serde::Serialize;
use utoipa::ToSchema;

use crate::models::session::Session;
use crate::types::SessionId;

/// A sign-in of one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionResponse {
    /// `sid` in tokens.
    #[schema(format = Uuid)]
    pub id: String,
    /// What a person calls the device, from the User-Agent at sign-in.
    #[schema(example = "Firefox on Linux")]
    pub label: Option<String>,
    /// The User-Agent header.
    pub user_agent: Option<String>,
    /// The client's address.
    pub ip: Option<String>,
    /// The sign-in: ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The last refresh, rounded down to the minute: ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub last_refreshed_at: String,
    /// Whether this is the session that asks.
    pub current: bool,
}

impl SessionResponse {
    /// As the session `current` sees it.
    pub fn new(session: &Session, current: SessionId) -> Self {
        Self {
            id: session.id.to_string(),
            label: session.label.clone(),
            user_agent: session.user_agent.clone(),
            ip: session.ip.clone(),
            created_at: session.created_at.to_iso8601(),
            last_refreshed_at: session.last_refreshed_at().floor_to_minute().to_iso8601(),
            current: session.id == current,
        }
    }
}

/// A user's sessions, newest sign-in first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsResponse {
    /// Those that could still refresh.
    pub sessions: Vec<SessionResponse>,
}

/// Sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedResponse {
    /// Always "success".
    pub status: &'static str,
    /// One sentence for a person.
    pub message: &'static str,
    /// How many sessions that were.
    pub sessions_ended: usize,
}
