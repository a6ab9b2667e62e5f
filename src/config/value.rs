//! How one setting becomes a value, from TOML or from text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::settings::Raw;
use crate::types::{Origin, Secret};

/// A type that a setting can have.
pub trait FromSetting: Sized {
    /// Whether an empty text is a value of this type rather than none.
    const EMPTY_IS_A_VALUE: bool = false;

    /// Reads the value; the error is a sentence that says what is expected and never repeats a secret.
    fn from_setting(raw: &Raw) -> Result<Self, String>;
}

fn text<'a>(raw: &'a Raw, expected: &str) -> Result<&'a str, String> {
    match raw {
        Raw::Text(text) | Raw::Toml(toml::Value::String(text)) => Ok(text),
        Raw::Toml(other) => Err(format!("expected {expected}, found a TOML {}", other.type_str())),
    }
}

impl FromSetting for String {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        text(raw, "a text").map(str::to_owned)
    }
}

impl FromSetting for PathBuf {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        text(raw, "a path").map(Self::from)
    }
}

impl FromSetting for Secret {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        text(raw, "a text").map(Self::new)
    }
}

impl FromSetting for bool {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Toml(toml::Value::Boolean(value)) => Ok(*value),
            Raw::Text(text) if text == "true" => Ok(true),
            Raw::Text(text) if text == "false" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        }
    }
}

impl FromSetting for u32 {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        const EXPECTED: &str = "expected a whole number of 0 or more";
        match raw {
            Raw::Toml(toml::Value::Integer(value)) => Self::try_from(*value).map_err(|_| EXPECTED.to_owned()),
            Raw::Text(text) => text.parse().map_err(|_| EXPECTED.to_owned()),
            Raw::Toml(_) => Err(EXPECTED.to_owned()),
        }
    }
}

impl FromSetting for SocketAddr {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        const EXPECTED: &str = "expected an address and a port like \"127.0.0.1:8080\"";
        let text = text(raw, "an address")?;
        match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        }
        .map_err(|_| EXPECTED.to_owned())
    }
}

impl FromSetting for Origin {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        Self::parse(text(raw, "an origin")?)
            .ok_or_else(|| "expected scheme, host and port like \"https://auth.example.com\"".to_owned())
    }
}

impl FromSetting for IpNet {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        let text = text(raw, "an address")?;
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Self::from))
            .map_err(|_| "expected addresses or networks like \"10.0.0.0/8\"".to_owned())
    }
}

impl FromSetting for Duration {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        const EXPECTED: &str = "expected a duration like \"250ms\", \"120s\", \"15m\", \"12h\" or \"14d\"";
        parse_duration(text(raw, "a duration like \"15m\"")?).ok_or_else(|| EXPECTED.to_owned())
    }
}

/// A number and its unit, like "15m".
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // A hundred years is enough for anybody, and keeps every sum below in range.
    number.checked_mul(millis_per_unit).filter(|millis| *millis <= 36_525 * 86_400_000).map(Duration::from_millis)
}

impl<T: FromSetting> FromSetting for Vec<T> {
    const EMPTY_IS_A_VALUE: bool = true;

    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Toml(toml::Value::Array(items)) => {
                items.iter().map(|item| T::from_setting(&Raw::Toml(item.clone()))).collect()
            }
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| T::from_setting(&Raw::Text(item.to_owned())))
                .collect(),
            Raw::Toml(other) => Err(format!("expected a list like [\"a\", \"b\"], found a TOML {}", other.type_str())),
        }
    }
}

/// Makes an enum of words a setting.
macro_rules! word_setting {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $crate::config::value::FromSetting for $name {
            fn from_setting(raw: &$crate::config::settings::Raw) -> Result<Self, String> {
                let word = <String as $crate::config::value::FromSetting>::from_setting(raw)?;
                match word.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("expected one of {}", [$($word),+].join(", "))),
                }
            }
        }

    };
}
pub(crate) use word_setting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let read = |text: &str| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("15m"), Some(900_000));
        assert_eq!(read("14d"), Some(1_209_600_000));
        for bad in ["", "15", "m", "-1s", "1.5s", "1 s", "99999999999999d", "é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_are_arrays_or_comma_separated() {
        let expected = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(Vec::<String>::from_setting(&Raw::Text("a, b,".to_owned())), Ok(expected.clone()));
        let array = toml::Value::Array(vec!["a".into(), "b".into()]);
        assert_eq!(Vec::<String>::from_setting(&Raw::Toml(array)), Ok(expected));
        assert!(Vec::<String>::from_setting(&Raw::Toml("a".into())).is_err());
    }
}
