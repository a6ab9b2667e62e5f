use super::{Script, Texts};

pub const TEXTS: Texts = Texts {
    language: "ko",
    sign_in: "로그인",
    register: "계정 만들기",
    account: "내 계정",
    problem: "처리하지 못했습니다",
    error: "오류",
    username: "사용자 이름",
    email: "이메일 주소",
    username_or_email: "사용자 이름 또는 이메일 주소",
    role: "권한",
    member_since: "가입 일시",
    password: "비밀번호",
    current_password: "현재 비밀번호",
    new_password: "새 비밀번호",
    names_hint: "사용자 이름이나 이메일 주소 중 하나, 또는 둘 다 입력하세요.",
    password_hint: "{}자 이상이며 추측하기 어려워야 합니다.",
    no_account: "계정이 없으신가요?",
    have_account: "이미 계정이 있으신가요?",
    to_sign_in: "로그인 페이지로",
    sign_out: "로그아웃",
    change_password: "비밀번호 변경",
    change_password_hint: "다른 기기는 모두 로그아웃됩니다.",
    devices: "로그인된 기기",
    this_device: "이 기기",
    address: "주소",
    last_seen: "마지막 접속",
    signed_in: "로그인 일시",
    sign_out_others: "다른 기기 모두 로그아웃",
    sign_out_everywhere: "모든 기기에서 로그아웃",
    needs_script: "비밀번호 변경과 기기 관리에는 JavaScript가 필요합니다. 로그아웃은 JavaScript 없이도 됩니다.",
    script: Script {
        password_changed: "비밀번호를 변경했습니다. 다른 기기는 모두 로그아웃되었습니다.",
        device_ended: "기기를 로그아웃했습니다.",
        others_ended: "다른 기기를 모두 로그아웃했습니다.",
        unknown_device: "알 수 없는 기기",
        sign_out_device: "{} 로그아웃",
        offline: "서비스에 연결할 수 없습니다. 잠시 후 다시 시도하세요.",
    },
    sentence,
};

fn sentence(code: &str, field: Option<&str>) -> Option<&'static str> {
    Some(match (code, field) {
        ("bad_request", Some("username")) => {
            "사용자 이름은 1~64자이며 @와 슬래시를 쓸 수 없고, 앞뒤에 공백을 둘 수 없습니다."
        }
        ("bad_request", Some("email")) => "올바른 이메일 주소가 아닙니다.",
        ("bad_request", Some("password" | "current_password" | "new_password")) => "비밀번호가 너무 깁니다.",
        ("bad_request", _) => "이름과 비밀번호를 입력하세요.",
        ("invalid_credentials", Some("current_password")) => "현재 비밀번호가 올바르지 않습니다.",
        ("invalid_credentials", _) => "이름 또는 비밀번호가 올바르지 않습니다.",
        ("username_taken", _) => "이미 사용 중인 사용자 이름입니다.",
        ("email_taken", _) => "이미 사용 중인 이메일 주소입니다.",
        ("weak_password", _) => "비밀번호가 너무 짧거나 길거나 추측하기 쉽습니다.",
        ("registration_closed", _) => "여기서는 새로 가입할 수 없습니다.",
        ("session_limit", _) => "너무 많은 기기에 로그인되어 있습니다. 먼저 한 기기에서 로그아웃하세요.",
        ("cross_site", _) => "다른 사이트에서 보낸 양식이라 받지 않았습니다.",
        ("conflict", _) => "같은 순간에 계정이 변경되었습니다. 다시 시도하세요.",
        ("last_admin", _) => "마지막 관리자는 남아 있어야 합니다.",
        ("admin_required" | "role_required" | "insufficient_scope", _) => "이 계정에는 권한이 없습니다.",
        ("not_found", _) => "찾을 수 없습니다. 이미 없어졌을 수 있습니다.",
        ("method_not_allowed" | "unsupported_media_type", _) => "이 종류의 요청은 처리할 수 없습니다.",
        ("payload_too_large", _) => "입력이 너무 깁니다.",
        ("request_timeout", _) => "양식이 제시간에 도착하지 않았습니다. 다시 시도하세요.",
        ("throttled", _) => "시도 횟수가 너무 많습니다. 잠시 기다린 뒤 다시 시도하세요.",
        ("overloaded" | "not_ready" | "database_unavailable", _) => "지금은 요청이 많습니다. 잠시 후 다시 시도하세요.",
        ("internal_error", _) => "문제가 발생했습니다. 잠시 후 다시 시도하세요.",
        (
            "not_authenticated" | "invalid_token" | "token_expired" | "session_expired" | "session_unknown"
            | "user_disabled" | "token_reuse" | "session_revoked" | "session_superseded",
            _,
        ) => "세션이 끝났습니다. 다시 로그인하세요.",
        _ => return None,
    })
}
