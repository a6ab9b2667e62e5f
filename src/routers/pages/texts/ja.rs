use super::{Script, Texts};

pub const TEXTS: Texts = Texts {
    language: "ja",
    sign_in: "ログイン",
    register: "アカウントを作成",
    account: "アカウント",
    problem: "処理できませんでした",
    error: "エラー",
    username: "ユーザー名",
    email: "メールアドレス",
    username_or_email: "ユーザー名またはメールアドレス",
    role: "権限",
    member_since: "登録日時",
    password: "パスワード",
    current_password: "現在のパスワード",
    new_password: "新しいパスワード",
    names_hint: "ユーザー名とメールアドレスのどちらか、または両方を入力してください。",
    password_hint: "{}文字以上で、推測されにくいもの。",
    no_account: "アカウントをお持ちでない方は",
    have_account: "アカウントをお持ちの方は",
    to_sign_in: "ログインページへ",
    sign_out: "ログアウト",
    change_password: "パスワードを変更",
    change_password_hint: "ほかの端末はすべてログアウトされます。",
    devices: "ログイン中の端末",
    this_device: "この端末",
    address: "アドレス",
    last_seen: "最終アクセス",
    signed_in: "ログイン日時",
    sign_out_others: "ほかの端末をすべてログアウト",
    sign_out_everywhere: "すべての端末からログアウト",
    needs_script: "パスワードの変更と端末の管理にはJavaScriptが必要です。ログアウトはJavaScriptなしでもできます。",
    script: Script {
        password_changed: "パスワードを変更しました。ほかの端末はすべてログアウトされました。",
        device_ended: "端末をログアウトしました。",
        others_ended: "ほかの端末をすべてログアウトしました。",
        unknown_device: "不明な端末",
        sign_out_device: "{}をログアウト",
        offline: "サービスに接続できません。しばらくしてからもう一度お試しください。",
    },
    sentence,
};

fn sentence(code: &str, field: Option<&str>) -> Option<&'static str> {
    Some(match (code, field) {
        ("bad_request", Some("username")) => {
            "ユーザー名は1〜64文字で、@とスラッシュは使えません。先頭と末尾に空白は置けません。"
        }
        ("bad_request", Some("email")) => "メールアドレスの形式が正しくありません。",
        ("bad_request", Some("password" | "current_password" | "new_password")) => "パスワードが長すぎます。",
        ("bad_request", _) => "名前とパスワードを入力してください。",
        ("invalid_credentials", Some("current_password")) => "現在のパスワードが違います。",
        ("invalid_credentials", _) => "名前またはパスワードが違います。",
        ("username_taken", _) => "このユーザー名はすでに使われています。",
        ("email_taken", _) => "このメールアドレスはすでに使われています。",
        ("weak_password", _) => "パスワードが短すぎるか、長すぎるか、推測されやすいものです。",
        ("registration_closed", _) => "ここでは新規登録を受け付けていません。",
        ("session_limit", _) => "ログイン中の端末が多すぎます。先にどれかの端末でログアウトしてください。",
        ("cross_site", _) => "別のサイトから送られたフォームのため、受け付けませんでした。",
        ("conflict", _) => "同時にアカウントが変更されました。もう一度お試しください。",
        ("last_admin", _) => "最後の管理者は外せません。",
        ("admin_required" | "role_required" | "insufficient_scope", _) => "このアカウントには権限がありません。",
        ("not_found", _) => "見つかりません。すでになくなった可能性があります。",
        ("method_not_allowed" | "unsupported_media_type", _) => "この種類のリクエストには対応していません。",
        ("payload_too_large", _) => "入力が長すぎます。",
        ("request_timeout", _) => "フォームが時間内に届きませんでした。もう一度お試しください。",
        ("throttled", _) => "試行回数が多すぎます。しばらく待ってからお試しください。",
        ("overloaded" | "not_ready" | "database_unavailable", _) => {
            "ただいま混み合っています。少し待ってからもう一度お試しください。"
        }
        ("internal_error", _) => "問題が発生しました。少し待ってからもう一度お試しください。",
        (
            "not_authenticated" | "invalid_token" | "token_expired" | "session_expired" | "session_unknown"
            | "user_disabled" | "token_reuse" | "session_revoked" | "session_superseded",
            _,
        ) => "セッションが終了しました。もう一度ログインしてください。",
        _ => return None,
    })
}
