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
        let level: String = r.optional("log.level", "info").unwrap_or_else(|| "info".to_owned());
        Self { level, format: r.get("log.format", "text") }
    }
}
