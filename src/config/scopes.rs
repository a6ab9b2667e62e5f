use std::collections::BTreeMap;
use std::fmt;

use super::settings::{Raw, Reader};
use super::value::FromSetting;
use crate::types::{Role, Words};

/// The scope that one's own account's routes demand once any role is granted it.
const ACCOUNT: &str = "account";

/// What each role grants; a role that is not named grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleScopes(BTreeMap<String, Words>);

impl RoleScopes {
    /// What a role grants.
    pub fn of(&self, role: &Role) -> Words {
        self.0.get(role.as_str()).cloned().unwrap_or_default()
    }

    /// What any role grants, sorted.
    pub fn all(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.0.values().flat_map(Words::iter).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The scope that changing one's own account and ending one's sessions takes; `None`: no role is granted it, and
    /// so nobody needs it.
    pub fn of_account(&self) -> Option<&'static str> {
        self.0.values().any(|scopes| scopes.contains(ACCOUNT)).then_some(ACCOUNT)
    }

    /// Notes what an operator may not have meant.
    pub(super) fn check(&self, r: &mut Reader<'_>) {
        if self.of_account().is_some() && !self.of(&Role::user()).contains(ACCOUNT) {
            let message = "the role user is not granted account: whoever registers can neither change the own password nor end other sessions";
            r.warning("oauth.role_scopes", message);
        }
    }

    /// From pairs of a role and its scopes; all that is wrong with them is said at once.
    fn collect<'a>(pairs: impl Iterator<Item = (&'a str, Result<String, String>)>) -> Result<Self, String> {
        let (mut roles, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, scopes) in pairs {
            if let Err(message) = name.parse::<Role>() {
                wrong.push(format!("role {name:?}: {message}"));
            }
            match scopes.and_then(|text| parse_scopes(&text)) {
                Ok(scopes) => {
                    if roles.insert(name.to_owned(), scopes).is_some() {
                        wrong.push(format!("role {name:?}: named twice"));
                    }
                }
                Err(message) => wrong.push(format!("role {name:?}: {message}")),
            }
        }
        if wrong.is_empty() { Ok(Self(roles)) } else { Err(wrong.join("; ")) }
    }
}

fn parse_scopes(text: &str) -> Result<Words, String> {
    text.parse().map_err(|message| format!("expected scopes of {message}"))
}

impl FromSetting for RoleScopes {
    /// A table from roles to lists of scopes, or text like `admin=read write,user=read`.
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected a table like { admin = [\"read\", \"write\"] }, or a text like \"admin=read write,user=read\"";
        match raw {
            Raw::Toml(toml::Value::Table(roles)) => Self::collect(roles.iter().map(|(name, scopes)| {
                let scopes = Vec::<String>::from_setting(&Raw::Toml(scopes.clone())).and_then(|scopes| {
                    // Joined, two halves of one scope with a space in it would be two scopes.
                    match scopes.iter().find(|scope| scope.is_empty() || scope.contains(' ')) {
                        Some(scope) => Err(format!("{scope:?} is not one scope")),
                        None => Ok(scopes.join(" ")),
                    }
                });
                (name.as_str(), scopes)
            })),
            Raw::Text(text) | Raw::Toml(toml::Value::String(text)) => {
                let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
                Self::collect(pairs.map(|pair| match pair.split_once('=') {
                    Some((name, scopes)) => (name.trim(), Ok(scopes.to_owned())),
                    None => (pair, Err(EXPECTED.to_owned())),
                }))
            }
            Raw::Toml(_) => Err(EXPECTED.to_owned()),
        }
    }
}

impl fmt::Display for RoleScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(role, scopes)| format!("{role}={scopes}")).collect();
        f.write_str(&pairs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RoleScopes, String> {
        RoleScopes::from_setting(&Raw::Text(text.to_owned()))
    }

    fn from_toml(text: &str) -> Result<RoleScopes, String> {
        let table: toml::Table = text.parse().unwrap();
        RoleScopes::from_setting(&Raw::Toml(table["role_scopes"].clone()))
    }

    #[test]
    fn a_table_and_a_text_say_the_same() {
        let expected = "admin=read write,kiosk=,user=read";
        for text in [expected, "user=read, admin= read  write read ,kiosk=,"] {
            assert_eq!(read(text).unwrap().to_string(), expected);
        }
        let table = "role_scopes = { user = [\"read\"], admin = [\"read\", \"write\"], kiosk = [] }";
        assert_eq!(from_toml(table), read(expected));
        assert_eq!(from_toml("role_scopes = {}"), read(""));
        let scopes = read("user=a=b,admin=https://api.example/read a=b").unwrap();
        assert_eq!(scopes.all(), ["a=b", "https://api.example/read"]);
        assert_eq!(scopes.of(&"nobody".parse().unwrap()), Words::default());
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let said = read("Admin=read,user=a\"b,lonely,user=x,user=y").unwrap_err();
        for word in ["\"Admin\"", "\"user\": expected", "\"lonely\"", "named twice"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        let long = format!("user={}", "x".repeat(1025));
        assert!(read(&long).is_err() && read(&long[..1024 + 5]).is_ok());
        for bad in
            ["[\"user\"]", "7", "{ user = 7 }", "{ user = \"read\" }", "{ user = [\"a b\"] }", "{ user = [\"\"] }"]
        {
            assert!(from_toml(&format!("role_scopes = {bad}")).is_err(), "{bad}");
        }
    }
}
