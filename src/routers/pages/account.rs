//! The page of somebody signed in: who it is, the password, the devices.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::html::{Field, Page};
use super::texts::Texts;
use crate::error::Error;
use crate::models::user::User;
use crate::routers::cookies;
use crate::routers::extract::SignedIn;
use crate::routers::respond::{self, Failure};
use crate::routers::shared::Shared;
use crate::services::account;

/// One's own account; anybody else is led to the sign-in page.
#[utoipa::path(
    get, path = "/account", tag = "pages", operation_id = "show_account",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "HTML", body = String, content_type = "text/html"),
        (status = 302, description = "Not signed in: to the sign-in page"),
        (status = 400, description = "Two Authorization headers", body = crate::schemas::Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in, and fetched ahead or by a script", content_type = "application/problem+json", body = crate::schemas::Problem),
        (status = 503, description = "The database is away", body = String, content_type = "text/html"),
    )
)]
pub async fn show_account(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: SignedIn,
) -> Result<HttpResponse, Failure> {
    let id = who.user_id;
    let user = match shared.blocking(&request, move |_, connection| account::load(connection, id)).await {
        Err(error @ Error::Unauthenticated(_)) => {
            // Disabled a moment ago. With its cookies the browser would be led here again by the sign-in page.
            let mut response = respond::response(&error);
            cookies::clear(response.headers_mut(), &shared.app.config.cookies);
            return Ok(response);
        }
        loaded => loaded?,
    };
    let (config, texts) = (&shared.app.config, Texts::of(&request));
    let main = html! {
        main.wide id="account" data-base=(config.server.base_path) data-user=(user.id) data-texts=(texts.for_script()) {
            h1 { (texts.account) }
            (who_is_it(texts, &user, &config.server.base_path))
            noscript { p.hint { (texts.needs_script) } }
            (password(texts, &user, config.passwords.min_length))
            (devices(texts))
        }
    };
    let page = Page { texts, config, title: texts.account, problem: None, script: true, main };
    Ok(page.on(HttpResponse::Ok().finish()))
}

fn who_is_it(texts: &Texts, user: &User, base: &str) -> Markup {
    html! {
        section.who {
            div.identity {
                p.name { (user.display_name()) }
                @if user.username.is_some() {
                    @if let Some(email) = &user.email { p.hint { (email) } }
                }
                p.hint {
                    (texts.role) ": " (user.role()) " · " (texts.member_since) " "
                    time datetime=(user.created_at.to_iso8601()) { (user.created_at.to_iso8601().get(..10).unwrap_or_default()) }
                }
            }
            form method="post" action={ (base) "/logout" } { button.quiet type="submit" { (texts.sign_out) } }
        }
    }
}

/// Hidden until the script that carries it out is there.
fn password(texts: &Texts, user: &User, min_length: usize) -> Markup {
    let field =
        |name: &'static str, label: &'static str, autocomplete: &'static str, hint: Option<&'static str>| Field {
            name,
            label,
            kind: "password",
            autocomplete,
            value: "",
            required: true,
            focus: false,
            wrong: false,
            hint,
        };
    html! {
        section aria-labelledby="password-heading" hidden data-script {
            h2 id="password-heading" { (texts.change_password) }
            p.hint { (texts.change_password_hint) }
            p.alert id="password-error" role="alert" aria-live="assertive" {}
            form id="password-form" method="post" {
                // Tells a password manager whose password this is.
                input hidden type="text" name="username" autocomplete="username" value=(user.display_name());
                (field("current_password", texts.current_password, "current-password", Some("password-error")).markup())
                (field("new_password", texts.new_password, "new-password", Some("password-error password-hint")).markup())
                p.hint id="password-hint" { (texts.password_rule(min_length)) }
                button type="submit" { (texts.change_password) }
            }
            p.done id="password-done" role="status" aria-live="polite" {}
        }
    }
}

fn devices(texts: &Texts) -> Markup {
    html! {
        section aria-labelledby="devices-heading" hidden data-script {
            h2 id="devices-heading" tabindex="-1" { (texts.devices) }
            p.alert id="devices-error" role="alert" aria-live="assertive" {}
            p.done id="devices-done" role="status" aria-live="polite" {}
            ul.devices id="devices" {}
            template id="device" {
                li {
                    div.device {
                        p.label { span data-label {} " " span.badge data-current hidden { (texts.this_device) } }
                        p.hint data-browser {}
                        dl {
                            div { dt { (texts.address) } dd data-address {} }
                            div { dt { (texts.last_seen) } dd { time data-seen {} } }
                            div { dt { (texts.signed_in) } dd { time data-created {} } }
                        }
                    }
                    button.quiet type="button" data-end { (texts.sign_out) }
                }
            }
            div.actions {
                button.quiet type="button" id="end-others" { (texts.sign_out_others) }
                button.danger type="button" id="end-all" { (texts.sign_out_everywhere) }
            }
        }
    }
}
