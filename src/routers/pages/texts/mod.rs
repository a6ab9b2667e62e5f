//! What the pages say: one file a language, and the choice among them.

mod en;
mod ja;
mod ko;

use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Serialize;
use serde_json::{Map, Value};

/// Every text of the pages in one language.
#[derive(Debug)]
pub struct Texts {
    /// The tag of BCP 47, for `lang` and `Content-Language`.
    pub language: &'static str,
    pub sign_in: &'static str,
    pub register: &'static str,
    pub account: &'static str,
    pub problem: &'static str,
    pub error: &'static str,
    pub username: &'static str,
    pub email: &'static str,
    pub username_or_email: &'static str,
    pub role: &'static str,
    pub member_since: &'static str,
    pub password: &'static str,
    pub current_password: &'static str,
    pub new_password: &'static str,
    pub names_hint: &'static str,
    /// `{}` stands for the least number of characters.
    pub password_hint: &'static str,
    pub no_account: &'static str,
    pub have_account: &'static str,
    pub to_sign_in: &'static str,
    pub sign_out: &'static str,
    pub change_password: &'static str,
    pub change_password_hint: &'static str,
    pub devices: &'static str,
    pub this_device: &'static str,
    pub address: &'static str,
    pub last_seen: &'static str,
    pub signed_in: &'static str,
    pub sign_out_others: &'static str,
    pub sign_out_everywhere: &'static str,
    pub needs_script: &'static str,
    pub script: Script,
    /// The sentence for an error's code and the refused field.
    sentence: fn(&str, Option<&str>) -> Option<&'static str>,
}

/// What the account page's script says by itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    pub password_changed: &'static str,
    pub device_ended: &'static str,
    pub others_ended: &'static str,
    pub unknown_device: &'static str,
    /// `{}` stands for the device's name.
    pub sign_out_device: &'static str,
    pub offline: &'static str,
}

/// The codes that the account page's script may meet.
const SCRIPT_CODES: [&str; 13] = [
    "bad_request",
    "invalid_credentials",
    "weak_password",
    "insufficient_scope",
    "conflict",
    "not_found",
    "cross_site",
    "throttled",
    "overloaded",
    "not_ready",
    "database_unavailable",
    "request_timeout",
    "internal_error",
];

const ALL: [&Texts; 3] = [&en::TEXTS, &ja::TEXTS, &ko::TEXTS];

impl Texts {
    /// The language that a browser asks for (RFC 9110, section 12.5.4); English when it asks for none of ours.
    pub fn of(request: &HttpRequest) -> &'static Self {
        let asked = request.headers().get_all(header::ACCEPT_LANGUAGE).filter_map(|value| value.to_str().ok());
        let mut best: (f32, &'static Self) = (0.0, &en::TEXTS);
        for range in asked.flat_map(|line| line.split(',')) {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = parameter.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let known = ALL
                .into_iter()
                .find(|texts| texts.language.eq_ignore_ascii_case(primary))
                .or_else(|| (primary == "*").then_some(&en::TEXTS));
            if let (Some(texts), Some(quality)) = (known, quality)
                && (0.0..=1.0).contains(&quality)
                && quality > best.0
            {
                best = (quality, texts);
            }
        }
        best.1
    }

    /// One sentence about an error; `detail` is the English of one that has none of its own.
    pub fn sentence(&self, code: &str, field: Option<&str>, detail: &str) -> String {
        match (self.sentence)(code, field) {
            // A password that is refused can be so for several reasons, and English tells them apart.
            Some(_) if code == "weak_password" && self.language == en::TEXTS.language => format!("{detail}."),
            Some(sentence) => sentence.to_owned(),
            None => (self.sentence)("internal_error", None).unwrap_or_default().to_owned(),
        }
    }

    /// The rule for a new password.
    pub fn password_rule(&self, min_length: usize) -> String {
        self.password_hint.replace("{}", &min_length.to_string())
    }

    /// What the account page's script needs, as JSON.
    pub fn for_script(&self) -> String {
        let sentences: Map<String, Value> = SCRIPT_CODES
            .iter()
            // Of its fields only the current password can be wrong in a way that is told by the code alone.
            .filter_map(|code| Some(((*code).to_owned(), (self.sentence)(code, Some("current_password"))?.into())))
            .collect();
        serde_json::json!({ "say": self.script, "errors": sentences }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_has_a_sentence_in_every_language() {
        let documented = include_str!("../../../../docs/api-design.md");
        let (_, rest) = documented.split_once("## Error codes").unwrap();
        let (table, _) = rest.split_once("\n## ").unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let codes: Vec<&str> = rows.map(|(code, _)| code).chain(SCRIPT_CODES).collect();
        assert!(codes.len() > 35);
        for texts in ALL {
            for code in &codes {
                let sentence = (texts.sentence)(code, None);
                assert!(sentence.is_some_and(|text| !text.is_empty()), "{code} in {}", texts.language);
            }
            assert_eq!((texts.sentence)("no_such_code", None), None);
        }
    }

    #[test]
    fn no_language_says_what_another_one_says() {
        for (position, texts) in ALL.iter().enumerate() {
            for other in ALL.iter().skip(position + 1) {
                for (one, two) in texts.everything().iter().zip(other.everything()) {
                    assert_ne!(*one, two);
                }
            }
            assert_eq!(texts.password_hint.matches("{}").count(), 1);
            assert_eq!(texts.script.sign_out_device.matches("{}").count(), 1);
        }
    }

    impl Texts {
        fn everything(&self) -> Vec<&'static str> {
            let script = &self.script;
            vec![
                self.language,
                self.sign_in,
                self.register,
                self.account,
                self.problem,
                self.error,
                self.username,
                self.email,
                self.username_or_email,
                self.role,
                self.member_since,
                self.password,
                self.current_password,
                self.new_password,
                self.names_hint,
                self.password_hint,
                self.no_account,
                self.have_account,
                self.to_sign_in,
                self.sign_out,
                self.change_password,
                self.change_password_hint,
                self.devices,
                self.this_device,
                self.address,
                self.last_seen,
                self.signed_in,
                self.sign_out_others,
                self.sign_out_everywhere,
                self.needs_script,
                script.password_changed,
                script.device_ended,
                script.others_ended,
                script.unknown_device,
                script.sign_out_device,
                script.offline,
            ]
        }
    }
}
