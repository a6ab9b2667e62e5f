//! `tacit doctor` finds nothing in our examples, and exactly what was broken in one that was.

use std::process::Output;

use serde_json::Value;

use crate::app::{PASSWORD, tacit_command};
use crate::caddy::CADDY;
use crate::envoy::ENVOY;
use crate::front::{Front, Kind, Listeners, Setting, make_certificate};
use crate::haproxy::HAPROXY;
use crate::nginx::{HEADERS_MORE, NGINX, NJS};

/// Paths of the API behind each kind of route.
const ECHOES: [&str; 3] = ["/api/x", "/slow/x", "/public/x"];

/// What plain nginx cannot: clear headers by pattern.
const BY_PATTERN: &str = "other-identity-names";

/// Runs the doctor; not on this thread, which plays the API.
async fn doctor(front: &Front, arguments: &[&str], password: &str) -> Output {
    let mut command = tacit_command(&front.tacit.home, None);
    command.arg("doctor").args(arguments).env("SSL_CERT_FILE", front.directory().join("certificate.pem"));
    let input = std::fs::write(front.directory().join("password"), password)
        .and_then(|()| std::fs::File::open(front.directory().join("password")));
    command.stdin(input.expect("a file"));
    tokio::task::spawn_blocking(move || command.output().expect("the binary")).await.expect("an end")
}

/// Everything that a signed-in doctor with an echo finds, by id and sorted.
async fn findings_at(front: &Front, url: &str) -> Vec<String> {
    let mut arguments = vec![url, "--json", "--user", "ada"];
    for echo in ECHOES {
        arguments.extend(["--echo", echo]);
    }
    let output = doctor(front, &arguments, PASSWORD).await;
    let report = report(&output);
    let findings = report["findings"].as_array().unwrap();
    let bad = findings.iter().any(|finding| finding["severity"] != "advice");
    assert_eq!(output.status.code(), Some(i32::from(bad)), "{report}");
    for finding in findings {
        println!("{}: {}", finding["id"], finding["what"]);
    }
    let mut ids: Vec<String> = findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

async fn findings(front: &Front) -> Vec<String> {
    front.tacit.register("ada").await;
    let found = findings_at(front, &front.url).await;
    let open = front.tacit.home.database.number("SELECT COUNT(*) AS value FROM sessions WHERE revoked_at IS NULL");
    assert_eq!(open, 0, "the doctor leaves no session behind");
    found
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Starts a gateway that differs from its example, and expects these findings.
async fn finds(setting: Setting<'_>, expected: &[&str]) {
    let front = setting.start().await;
    assert_eq!(findings(&front).await, expected);
}

fn one(kind: &Kind) -> Setting<'_> {
    Setting::of(kind, Listeners::One)
}

/// nginx where browsers come in by TLS.
fn with_tls() -> Setting<'static> {
    one(&NGINX).https().edit(
        "listen ${LISTEN};",
        "listen ${LISTEN} ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem;",
    )
}

/// Each test starts one gateway, broken in one way.
macro_rules! finds {
    ($($name:ident: $setting:expr => $expected:expr;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                finds($setting, &$expected).await;
            }
        )+
    };
}

finds! {
    nothing_is_found_in_the_example_for_caddy: one(&CADDY) => [];
    nothing_is_found_in_the_example_for_haproxy: one(&HAPROXY) => [];
    nothing_is_found_in_the_example_for_envoy: one(&ENVOY) => [];
    nothing_is_found_in_the_example_for_nginx_but_what_it_cannot: one(&NGINX) => [BY_PATTERN];
    nothing_is_found_in_the_example_for_nginx_with_headers_more: one(&HEADERS_MORE) => [];
    nothing_is_found_in_the_example_for_njs: one(&NJS) => [];
    nothing_is_found_behind_an_internal_listener: Setting::of(&CADDY, Listeners::Two) => [];

    nginx_that_passes_verify_on: one(&NGINX).edit(
        "location ~ ^/verify(?:/|$) { return 404; }",
        "location ~ ^/verify(?:/|$) { proxy_set_header Host $http_host; proxy_pass http://tacit; }",
    ) => [BY_PATTERN, "verify-reachable"];
    nginx_that_passes_verify_on_with_an_internal_listener: Setting::of(&NGINX, Listeners::Two).edit(
        "location ~ ^/verify(?:/|$) { return 404; }",
        "location ~ ^/verify(?:/|$) { proxy_set_header Host $http_host; proxy_pass http://tacit; }",
    ) => [BY_PATTERN];
    nginx_that_passes_one_mount_on: one(&NGINX).edit(
        "location ~ ^/verify(?:/|$) { return 404; }",
        "location = /verify/access { proxy_set_header Host $http_host; proxy_pass http://tacit; }\n\
         location ~ ^/verify(?:/|$) { return 404; }",
    ) => [BY_PATTERN, "verify-reachable"];
    nginx_that_passes_metrics_on: one(&NGINX).edit("|me|sessions)", "|me|sessions|metrics|readyz)")
        => ["operations-reachable", BY_PATTERN];
    nginx_that_drops_the_second_cookie: one(&NGINX).edit("add_header Set-Cookie $tacit_set_cookie_2 always;", "")
        => ["cookie-dropped", BY_PATTERN];
    nginx_that_drops_cookies_on_errors: one(&NGINX)
        .edit("add_header Set-Cookie $tacit_set_cookie_1 always;", "add_header Set-Cookie $tacit_set_cookie_1;")
        => ["cookie-dropped", BY_PATTERN];
    nginx_that_takes_the_cookies_at_sign_in: one(&NGINX)
        .edit("proxy_set_header X-Forwarded-Uri $request_uri;\n        proxy_pass http://tacit;", "proxy_hide_header Set-Cookie; proxy_pass http://tacit;")
        => ["cookie-dropped", BY_PATTERN];
    nginx_that_moves_the_cookies: one(&NGINX).edit("proxy_pass http://tacit;", "proxy_cookie_path / /app; proxy_pass http://tacit;")
        => ["cookie-altered", BY_PATTERN];
    nginx_that_lets_caches_keep_cookies: one(&NGINX)
        .edit("add_header Cache-Control $tacit_cache_control always;", "add_header Cache-Control $upstream_http_cache_control always;")
        => ["cacheable", BY_PATTERN];
    nginx_that_shows_the_tokens: one(&NGINX)
        .edit("add_header Cache-Control", "add_header X-Auth-Set-Cookie-1 $tacit_cookie_1 always;\nadd_header Cache-Control")
        => [BY_PATTERN, "tokens-in-answer"];
    nginx_that_lets_an_identity_header_through: one(&NGINX).edit("    proxy_set_header X-Auth-Roles $tacit_roles;\n", "")
        => ["forged-identity", BY_PATTERN];
    nginx_that_takes_underscores: one(&NGINX).edit("underscores_in_headers off;", "underscores_in_headers on;")
        => ["forged-identity", BY_PATTERN];
    nginx_that_takes_any_name: one(&NGINX).edit("ignore_invalid_headers on;", "ignore_invalid_headers off;")
        => ["forged-identity", BY_PATTERN];
    nginx_that_passes_our_cookies_on: one(&NGINX)
        .edit("proxy_set_header Cookie $tacit_other_cookies;", "proxy_set_header Cookie $http_cookie;")
        => ["cookies-upstream", BY_PATTERN];
    nginx_that_takes_all_cookies: one(&NGINX)
        .edit("proxy_set_header Cookie $tacit_other_cookies;", "proxy_set_header Cookie \"\";")
        => ["other-cookies-lost", BY_PATTERN];
    nginx_that_believes_the_clients_method: one(&NGINX).edit(
        "proxy_set_header X-Forwarded-Method $request_method;\n        proxy_set_header X-Forwarded-Uri $request_uri;\n    }\n    auth_request_set",
        "proxy_set_header X-Forwarded-Uri $request_uri;\n    }\n    auth_request_set",
    ) => ["cross-site", BY_PATTERN];
    nginx_that_forgets_where_a_person_was: one(&NGINX).edit("proxy_set_header X-Forwarded-Uri $request_uri;", "")
        => [BY_PATTERN, "way-back-lost"];
    nginx_that_leaves_a_person_with_an_error: one(&NGINX).edit("if ($tacit_location) { return 302 $tacit_location; }", "")
        => ["no-way-to-sign-in", BY_PATTERN];
    nginx_that_redirects_scripts: one(&NGINX).edit("return 401 '{", "return 302 /login; set $x '{")
        .edit("\"code\":\"$tacit_error\"}'", "'")
        => ["fetch-redirected", BY_PATTERN];
    nginx_that_has_no_style: one(&NGINX).edit("assets/tacit|", "") => ["assets-not-routed", BY_PATTERN];
    nginx_that_does_not_route_the_login_page: one(&NGINX).edit("(?:login|logout|", "(?:logout|")
        => ["login-not-routed", BY_PATTERN];
    nginx_that_lets_nobody_sign_in: one(&NGINX)
        .edit("proxy_pass http://tacit;", "proxy_set_header Sec-Fetch-Site cross-site; proxy_pass http://tacit;")
        => [BY_PATTERN, "sign-in-failed"];

    nothing_more_is_found_with_tls: with_tls() => [BY_PATTERN];
    tls_without_a_promise_to_keep_it: with_tls()
        .edit("proxy_pass http://tacit;", "proxy_hide_header Strict-Transport-Security; proxy_pass http://tacit;")
        => ["no-hsts", BY_PATTERN];
    tls_of_which_tacit_knows_nothing: with_tls()
        .edit("proxy_hide_header Cache-Control;", "proxy_hide_header Cache-Control; add_header Strict-Transport-Security max-age=600;")
        .set("server.public_url", "http://localhost:1") => ["insecure-cookies", BY_PATTERN];

    nginx_that_asks_without_cookies: one(&NGINX)
        .edit("proxy_set_header Content-Length \"\";", "proxy_set_header Content-Length \"\"; proxy_set_header Cookie \"\";")
        => [BY_PATTERN, "session-not-seen"];

    njs_that_forgets_the_device: one(&NJS).edit("|refresh|device)", "|refresh)") => ["cookies-upstream"];
    njs_that_keeps_our_cookies: one(&NJS).edit("!OURS.test(pair)", "true") => ["cookies-upstream"];
    njs_that_lets_other_names_through: one(&NJS).edit("if ($tacit_is_forged) { return 400; }", "") => [BY_PATTERN];
    njs_that_adds_one_cookie_only: one(&NJS).edit(".concat(ours)", ".concat(ours.slice(1))") => ["cookie-dropped"];

    caddy_that_passes_verify_on: one(&CADDY)
        .edit("respond @verify 404", "handle @verify {\n\t\t\treverse_proxy {$TACIT}\n\t\t}") => ["verify-reachable"];
    caddy_with_the_usual_snippet_for_cookies: one(&CADDY)
        .edit("header @both +Set-Cookie {tacit_cookie_2}", "") => ["cookie-dropped"];
    caddy_that_lets_underscores_through: one(&CADDY).edit("\trequest_header -X_Auth*\n", "") => ["forged-identity", BY_PATTERN];
    caddy_that_believes_connection: one(&CADDY).edit("\trequest_header @plain -Connection\n", "") => ["identity-missing"];
    caddy_that_lets_authorization_through: one(&CADDY)
        .edit("\t\thandle @public {\n\t\t\trequest_header -Authorization\n", "\t\thandle @public {\n") => ["forged-authorization"];
    caddy_that_keeps_the_token: one(&CADDY)
        .edit("request_header Authorization {rp.header.Authorization}", "request_header -Authorization") => ["bearer-missing"];
    caddy_that_is_no_trusted_proxy: one(&CADDY).set("server.trusted_proxies", "192.0.2.1")
        => ["bearer-missing", "cross-site", "way-back-lost"];

    haproxy_that_looks_at_the_raw_path_only: one(&HAPROXY)
        .edit("{ path,url_dec -m reg ^/+verify(/.*)?$ }", "{ path -m beg /verify }")
        .edit("acl tacit path_beg /login/", "acl tacit path_beg /% /login/") => ["verify-reachable"];
    haproxy_that_joins_the_cookies: one(&HAPROXY)
        .edit("add-header Set-Cookie %[var(txn.cookie_1)]", "add-header Set-Cookie %[var(txn.cookie_1)],%[var(txn.cookie_2)]")
        .edit("add-header Set-Cookie %[var(txn.cookie_2)] if { var(txn.cookie_2) -m found } in_time", "set-header X-Nothing 1")
        => ["cookie-dropped"];
    haproxy_that_clears_plain_names_only: one(&HAPROXY).edit("^x[^a-z0-9]auth", "^x-auth") => ["forged-identity", BY_PATTERN];
    haproxy_that_passes_our_cookies_on: one(&HAPROXY).edit("http-request lua.tacit_strip if !tacit", "") => ["cookies-upstream"];

    envoy_that_passes_verify_on: one(&ENVOY)
        .edit("regex: \"/verify(/.*)?\"", "regex: \"/nothing(/.*)?\"")
        .edit("/(login|", "/(verify|login|") => ["verify-reachable"];
    envoy_with_the_usual_answer: one(&ENVOY)
        .edit("patterns: [{ exact: set-cookie, ignore_case: true }]", "patterns: [{ exact: x-nothing }]") => ["cookie-dropped"];
    envoy_that_clears_plain_names_only: one(&ENVOY).edit("^x[^a-z0-9]auth", "^x%-auth") => ["forged-identity", BY_PATTERN];
}

#[tokio::test]
async fn what_could_not_be_checked_is_said() {
    let front = one(&CADDY).start().await;
    let output = doctor(&front, &[&front.url, "--json"], "").await;
    assert_eq!(output.status.code(), Some(0));
    let text = report(&output)["not_checked"].to_string();
    for missing in ["//verify", "--user NAME", "--echo PATH", "late answers"] {
        assert!(text.contains(missing), "{missing}: {text}");
    }
    front.tacit.register("ada").await;
    let output = doctor(&front, &[&front.url, "--json", "--user", "ada", "--echo", "/api/status/200"], PASSWORD).await;
    let text = report(&output)["not_checked"].to_string();
    assert!(!text.contains("--user NAME") && text.contains("/api/status/200 answers 200 and not with"), "{text}");
    let output = doctor(&front, &[&front.url, "--json", "--user", "ada", "--echo", "/slow/x"], PASSWORD).await;
    let text = report(&output)["not_checked"].to_string();
    assert!(text.contains("/slow/x never rotates"), "{text}");
    // A role that the user lacks is no dropped cookie.
    let output = doctor(&front, &[&front.url, "--json", "--user", "ada", "--echo", "/admin/x"], PASSWORD).await;
    assert_eq!(report(&output)["findings"], serde_json::json!([]));
    assert!(report(&output)["not_checked"].to_string().contains("/admin/x answers 403"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_said() {
    let front = with_tls().start().await;
    let finding = async || {
        let output = doctor(&front, &[&front.url, "--json"], "").await;
        let finding = &report(&output)["findings"][0];
        assert_eq!((&finding["id"], output.status.code()), (&serde_json::json!("unreachable"), Some(1)));
        finding["what"].as_str().unwrap().to_owned()
    };
    let no_root = "no certificate authority could be read on this machine";
    // The doctor knows another one than the gateway, which read its own at the start.
    make_certificate(front.directory());
    let what = finding().await;
    assert!(what.contains("name a file with its certificate in SSL_CERT_FILE") && !what.contains(no_root), "{what}");
    std::fs::remove_file(front.directory().join("certificate.pem")).unwrap();
    let what = finding().await;
    assert!(what.contains("name a file with its certificate in SSL_CERT_FILE") && what.contains(no_root), "{what}");
}

#[tokio::test]
async fn without_a_session_a_guard_and_verify_itself_look_alike() {
    let rule = "location ~ ^/verify(?:/|$) { return 404; }";
    let guarded = one(&NGINX).edit(rule, "").start().await;
    let output = doctor(&guarded, &[&guarded.url, "--json"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report(&output)["findings"][0]["id"], "verify-unclear");
    // With a session it shows: the API answered.
    assert_eq!(findings(&guarded).await, [BY_PATTERN]);
    // Where other paths are open to anybody, there is no doubt.
    let open = one(&NGINX)
        .edit(rule, "location = /verify { proxy_set_header Host $http_host; proxy_pass http://tacit; }")
        .edit(
            "auth_request /tacit-verify;\n        proxy_pass http://api;\n    }\n\n    location @api",
            "proxy_pass http://api; }\n\n    location @api",
        )
        .start()
        .await;
    let output = doctor(&open, &[&open.url, "--json"], "").await;
    assert_eq!(report(&output)["findings"][0]["id"], "verify-reachable");
}

#[tokio::test]
async fn plain_http_is_grave_but_on_this_machine() {
    let front = one(&HAPROXY).set("gateway.return_hosts", "0.0.0.0").start().await;
    front.tacit.register("ada").await;
    let url = front.url.replace("localhost", "0.0.0.0");
    assert_eq!(findings_at(&front, &url).await, ["plain-http"]);
}

#[tokio::test]
async fn people_get_words_and_an_exit_code() {
    let front = one(&CADDY).edit("respond @verify 404", "handle @verify {\n reverse_proxy {$TACIT}\n }").start().await;
    front.tacit.register("ada").await;
    let output = doctor(&front, &[&front.url, "--user", "ada"], PASSWORD).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("GRAVE: verify-reachable\n  /verify, "), "{printed}");
    assert!(printed.contains("To mend it: answer 404") && printed.contains("Not checked:"), "{printed}");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), complaint.trim()), (Some(1), "tacit: 1 finding has to be mended"));
    for (arguments, password) in [
        (vec!["localhost"], ""),
        (vec![front.url.as_str(), "--echo", "x"], ""),
        (vec![front.url.as_str(), "--user", "ada"], ""),
        (vec![front.url.as_str(), "--user", "ada"], "wrong"),
    ] {
        let output = doctor(&front, &arguments, password).await;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
    }
    let nobody = format!("http://127.0.0.1:{}", crate::front::free_port());
    let output = doctor(&front, &[&nobody, "--json"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report(&output)["findings"][0]["id"], "unreachable");
}
