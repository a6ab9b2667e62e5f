//! Log lines, as text or JSON: UTC time, level, event and its fields, and the request they belong to.
//!
//! Values are escaped, so that no input can forge a line or colour a terminal. Never logged: passwords, tokens, cookies,
//! queries, and the name typed at a failed sign-in (people type passwords there).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;

use log::kv::{Error as KvError, Key, Source, Value, VisitSource};

use crate::config::{LogConfig, LogFormat};
use crate::types::{Clock, Event};

/// The target of every security event, for filters like `warn,tacit::event=info`.
const EVENT_TARGET: &str = "tacit::event";

/// What every line that is logged on behalf of a request, or of an operator's command, carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The request's id, as the client sees it in `X-Request-Id`; or one of the command.
    pub request_id: String,
    /// The client's address; empty where there is none.
    pub address: String,
    /// The operator at the command line.
    pub actor: Option<String>,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Runs synchronous work whose log lines belong to a request.
pub fn within<T>(context: Context, work: impl FnOnce() -> T) -> T {
    struct Reset(Option<Context>);
    impl Drop for Reset {
        fn drop(&mut self) {
            CONTEXT.set(self.0.take());
        }
    }
    let _reset = Reset(CONTEXT.replace(Some(context)));
    work()
}

/// On whose behalf this thread works right now; empty: nobody's.
pub fn context() -> Context {
    CONTEXT.with_borrow(|context| context.clone().unwrap_or_default())
}

/// Logs a security event: the one way to do so.
pub fn event(event: &Event) {
    let level = event.name.level();
    if level > log::max_level() {
        return;
    }
    let fields = EventFields(event);
    let mut record = log::Record::builder();
    record.level(level).target(EVENT_TARGET).key_values(&fields);
    log::logger().log(&record.args(format_args!("{}", event.name.message())).build());
}

/// An event's fields, those that it has.
struct EventFields<'a>(&'a Event);

impl Source for EventFields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), KvError> {
        let Event { name, outcome, reason, subject, session, client, account, details } = self.0;
        let mut put = |name: &'kvs str, value: Option<Value<'kvs>>| match value {
            Some(value) => visitor.visit_pair(Key::from_str(name), value),
            None => Ok(()),
        };
        put("event", Some(name.as_str().into()))?;
        put("outcome", Some(outcome.as_str().into()))?;
        put("reason", reason.map(Value::from))?;
        put("subject", subject.as_ref().map(Value::from_display))?;
        put("session", session.as_ref().map(Value::from_display))?;
        put("client", client.as_deref().map(Value::from))?;
        put("account", account.as_deref().map(Value::from))?;
        details.iter().try_for_each(|(name, value)| put(name, Some(value.as_str().into())))
    }
}

/// Starts logging to standard error.
pub fn start(config: &LogConfig, clock: Clock) {
    let format = config.format;
    let started = env_logger::Builder::new()
        .parse_filters(&config.level)
        .format(move |out, record| {
            let mut fields =
                vec![("time", clock.now().to_iso8601()), ("level", record.level().as_str().to_lowercase())];
            let mut collected = Fields::default();
            // Collecting into memory cannot fail.
            let _ = record.key_values().visit(&mut collected);
            CONTEXT.with_borrow(|context| {
                if let Some(context) = context {
                    fields.push(("request_id", context.request_id.clone()));
                    let address = Some(&context.address).filter(|address| !address.is_empty());
                    fields.extend(address.map(|address| ("address", address.clone())));
                    fields.extend(context.actor.iter().map(|actor| ("actor", actor.clone())));
                }
            });
            let message = record.args().to_string();
            let line = match format {
                LogFormat::Text => text_line(&fields, &collected, &message),
                LogFormat::Json => json_line(&fields, &collected, &message, record.target()),
            };
            writeln!(out, "{line}")
        })
        .try_init();
    // Tests that start several services in one process log where the first one did.
    drop(started);
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), KvError> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

fn text_line(fields: &[(&str, String)], collected: &Fields, message: &str) -> String {
    let mut line = String::with_capacity(160);
    for (position, (name, value)) in fields.iter().enumerate() {
        if position < 2 {
            line.push_str(value);
            line.push(' ');
        } else {
            append(&mut line, name, value);
        }
    }
    for (name, value) in &collected.0 {
        append(&mut line, name, value);
    }
    line.push_str(&escaped(message));
    line
}

fn append(line: &mut String, name: &str, value: &str) {
    // A backslash at the end would make the closing quote part of the value.
    let value = escaped(&value.replace('\\', "\\\\"));
    let quote = if value.is_empty() || value.contains([' ', '=', '"']) { "\"" } else { "" };
    // Writing into a String cannot fail.
    let _ = write!(line, "{name}={quote}{}{quote} ", value.replace('"', "\\\""));
}

fn json_line(fields: &[(&str, String)], collected: &Fields, message: &str, target: &str) -> String {
    let mut object = serde_json::Map::new();
    let mut put = |name: &str, value: &str| object.insert(name.to_owned(), serde_json::Value::from(value));
    for (name, value) in fields {
        put(name, value);
    }
    put("target", target);
    put("message", message);
    for (name, value) in &collected.0 {
        put(name, value);
    }
    serde_json::Value::Object(object).to_string()
}

/// Control characters (CR, LF, ESC among them) and line separators as escapes.
fn escaped(text: &str) -> String {
    let special = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_forge_a_line() {
        let fields = Fields(vec![("name".to_owned(), "a\r\nb\u{1b}[31m\"".to_owned())]);
        let line = text_line(&[("time", "T".to_owned()), ("level", "info".to_owned())], &fields, "it\nis");
        assert_eq!(
            line,
            "T info name=a\\u{d}\\u{a}b\\u{1b}[31m\\\" it\\u{a}is"
                .replace("name=", "name=\"")
                .replace("\\\" it", "\\\"\" it")
        );
        assert!(!json_line(&[], &fields, "it\nis", "t").contains('\n'));
    }
}
