use super::settings::Reader;
use super::value::word_setting;

word_setting! {
    /// `log.format`.
    LogFormat {
        /// One line of text an event.
        #[default] Text = "text",
        /// One JSON object an event.
        Json = "json",
    }
}

/// Section `log`.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `log.level`, in env_logger's filter syntax.
    pub level: String,
    /// `log.format`.
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        const KEY: &str = "log.level";
        let level: String = r.optional(KEY, "info").unwrap_or_else(|| "info".to_owned());
        if !level.split(',').all(is_directive) {
            r.problem(
                KEY,
                "expected error, warn, info, debug or trace, also by module like \"info,tacit::services=debug\"",
            );
        }
        Self { level, format: r.get("log.format", "text") }
    }
}

/// env_logger takes an unknown word for a module's name and then logs nothing else: a typing mistake would silence it.
fn is_directive(directive: &str) -> bool {
    let (module, level) = directive.split_once('=').map_or((None, directive), |(module, level)| (Some(module), level));
    let named = |name: &str| !name.trim().is_empty() && !name.contains(['/', ' ']);
    module.is_none_or(named) && level.trim().parse::<log::LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_directive;

    #[test]
    fn a_typing_mistake_is_no_level() {
        for good in ["info", "WARN", "off", "tacit::event=info", "actix_server=error"] {
            assert!(is_directive(good), "{good}");
        }
        for bad in ["", "loud", "tacit", "=info", "tacit=", "tacit=loud", "info/regex", "a=b=c"] {
            assert!(!is_directive(bad), "{bad}");
        }
    }
}
