//! The frame of every page, its headers, and the parts that several pages have.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::return_to::form_targets;
use super::texts::Texts;
use crate::config::Config;
use crate::routers::respond::Shown;

/// One page.
pub struct Page<'a> {
    pub texts: &'static Texts,
    pub config: &'a Config,
    pub title: &'a str,
    /// What went wrong, if the page is shown for that.
    pub problem: Option<&'a str>,
    /// Whether the account's script belongs to it.
    pub script: bool,
    /// Between `<main>` and its end.
    pub main: Markup,
}

impl Page<'_> {
    fn render(&self) -> String {
        let base = &self.config.server.base_path;
        let page = html! {
            (DOCTYPE)
            html lang=(self.texts.language) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title {
                        @if self.problem.is_some() { (self.texts.error) ": " }
                        (self.title) " · Tacit"
                    }
                    link rel="icon" type="image/svg+xml" href=(assets::url(base, "icon.svg"));
                    link rel="stylesheet" href=(assets::url(base, "style.css"));
                    @if self.script { script defer src=(assets::url(base, "account.js")) {} }
                }
                body {
                    header.narrow[!self.script] { a.brand href={ (base) "/account" } { span.mark aria-hidden="true" {} "Tacit" } }
                    (self.main)
                }
            }
        };
        page.into_string()
    }

    /// Makes the page the body of an answer, whose status and other headers stay.
    pub fn on(&self, response: HttpResponse) -> HttpResponse {
        let mut response = response.set_body(self.render()).map_into_boxed_body();
        // The page is the error's body, so it needs no other.
        response.extensions_mut().remove::<Shown>();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action {}; frame-ancestors 'none'; base-uri 'none'",
            form_targets(self.config)
        );
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_LANGUAGE, self.texts.language),
            (header::REFERRER_POLICY, "same-origin"),
            (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
            (header::CACHE_CONTROL, "no-store"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.append(header::VARY, HeaderValue::from_static("Accept, Accept-Language, Cookie"));
        response
    }
}

/// The sentence that says what went wrong; fields refer to it as `error`.
pub fn alert(problem: Option<&str>) -> Markup {
    html! {
        @if let Some(problem) = problem { p.alert id="error" role="alert" { (problem) } }
    }
}

/// A labelled line to type in.
pub struct Field<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub kind: &'a str,
    pub autocomplete: &'a str,
    pub value: &'a str,
    pub required: bool,
    /// Whether typing begins here.
    pub focus: bool,
    /// Whether it is what went wrong.
    pub wrong: bool,
    /// The id of the sentence that explains it.
    pub hint: Option<&'a str>,
}

impl Field<'_> {
    pub fn markup(&self) -> Markup {
        let described = match (self.wrong, self.hint) {
            (true, Some(hint)) => Some(format!("error {hint}")),
            (true, None) => Some("error".to_owned()),
            (false, hint) => hint.map(str::to_owned),
        };
        let is_name = self.kind != "password";
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                input id=(self.name) name=(self.name) type=(self.kind) autocomplete=(self.autocomplete)
                    value=[is_name.then_some(self.value)] autocapitalize=[is_name.then_some("none")]
                    spellcheck=[is_name.then_some("false")] aria-describedby=[described]
                    aria-invalid=[self.wrong.then_some("true")] required[self.required] autofocus[self.focus];
            }
        }
    }
}
