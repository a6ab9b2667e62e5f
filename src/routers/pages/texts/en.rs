use super::{Script, Texts};

pub const TEXTS: Texts = Texts {
    language: "en",
    sign_in: "Sign in",
    register: "Create an account",
    account: "Your account",
    problem: "That did not work",
    error: "Error",
    username: "Username",
    email: "E-mail address",
    username_or_email: "Username or e-mail address",
    role: "Role",
    member_since: "Registered",
    password: "Password",
    current_password: "Current password",
    new_password: "New password",
    names_hint: "A username, an e-mail address, or both.",
    password_hint: "At least {} characters, and not easy to guess.",
    no_account: "No account yet?",
    have_account: "Have an account already?",
    to_sign_in: "To the sign-in page",
    sign_out: "Sign out",
    change_password: "Change password",
    change_password_hint: "All your other devices will be signed out.",
    devices: "Your devices",
    this_device: "This device",
    address: "Address",
    last_seen: "Last seen",
    signed_in: "Signed in",
    sign_out_others: "Sign out all other devices",
    sign_out_everywhere: "Sign out everywhere",
    needs_script: "Changing the password and managing devices need JavaScript. Signing out works without.",
    script: Script {
        password_changed: "Your password is changed. All other devices are signed out.",
        device_ended: "The device is signed out.",
        others_ended: "All other devices are signed out.",
        unknown_device: "Unknown device",
        sign_out_device: "Sign out {}",
        offline: "The service cannot be reached. Try again in a moment.",
    },
    sentence,
};

fn sentence(code: &str, field: Option<&str>) -> Option<&'static str> {
    Some(match (code, field) {
        ("bad_request", Some("username")) => {
            "A username has 1 to 64 characters, no @, no slash, and no space at its ends."
        }
        ("bad_request", Some("email")) => "This is not an e-mail address.",
        ("bad_request", Some("password" | "current_password" | "new_password")) => "The password is too long.",
        ("bad_request", _) => "Fill in a name and a password.",
        ("invalid_credentials", Some("current_password")) => "The current password is wrong.",
        ("invalid_credentials", _) => "The name or the password is wrong.",
        ("username_taken", _) => "This username is taken.",
        ("email_taken", _) => "This e-mail address is taken.",
        ("weak_password", _) => "The password is too short, too long or too easy to guess.",
        ("registration_closed", _) => "Nobody can register here.",
        ("session_limit", _) => "You are signed in on too many devices. Sign out on one of them first.",
        ("cross_site", _) => "This form was sent by another site, so it was not accepted.",
        ("conflict", _) => "The account was changed at the same moment. Try again.",
        ("last_admin", _) => "The last administrator has to stay.",
        ("admin_required" | "role_required" | "insufficient_scope", _) => "Your account may not do this.",
        ("not_found", _) => "This is not there, or not any more.",
        ("method_not_allowed" | "unsupported_media_type", _) => {
            "This request is of a kind that is not understood here."
        }
        ("payload_too_large", _) => "That was too much text.",
        ("request_timeout", _) => "The form did not arrive in time. Try again.",
        ("throttled", _) => "Too many attempts. Wait a while, then try again.",
        ("overloaded" | "not_ready" | "database_unavailable", _) => "Too busy right now. Try again in a moment.",
        ("internal_error", _) => "Something went wrong here. Try again in a moment.",
        (
            "not_authenticated" | "invalid_token" | "token_expired" | "session_expired" | "session_unknown"
            | "user_disabled" | "token_reuse" | "session_revoked" | "session_superseded",
            _,
        ) => "Your session has ended. Sign in again.",
        _ => return None,
    })
}
