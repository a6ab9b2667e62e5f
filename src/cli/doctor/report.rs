//! What was found, for people and for programs.

use serde::Serialize;

use super::super::{Failure, print_json, print_line};

/// What a finding names; more is counted.
const NAMED: usize = 6;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Somebody else's account is at risk.
    Grave,
    /// People or programs will be in trouble.
    Serious,
    /// Could be better.
    Advice,
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// Stable, for programs; docs/operations.md lists them.
    pub id: &'static str,
    pub severity: Severity,
    /// What was seen, and why that is bad.
    pub what: String,
    /// How to mend it.
    pub mend: &'static str,
}

/// What could not be found out.
#[derive(Debug, Serialize)]
pub(super) struct NotChecked {
    what: &'static str,
    why: String,
}

/// Everything that an examination found, and everything that it could not look at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub url: String,
    pub findings: Vec<Finding>,
    pub not_checked: Vec<NotChecked>,
}

impl Report {
    pub fn grave(&mut self, id: &'static str, what: impl Into<String>, mend: &'static str) {
        self.findings.push(Finding { id, severity: Severity::Grave, what: what.into(), mend });
    }

    pub fn serious(&mut self, id: &'static str, what: impl Into<String>, mend: &'static str) {
        self.findings.push(Finding { id, severity: Severity::Serious, what: what.into(), mend });
    }

    pub fn advise(&mut self, id: &'static str, what: impl Into<String>, mend: &'static str) {
        self.findings.push(Finding { id, severity: Severity::Advice, what: what.into(), mend });
    }

    /// Whether a finding of this kind was made already.
    pub fn has(&self, id: &str) -> bool {
        self.findings.iter().any(|finding| finding.id == id)
    }

    pub fn skip(&mut self, what: &'static str, why: impl Into<String>) {
        self.not_checked.push(NotChecked { what, why: why.into() });
    }

    /// Prints it; fails if anything is worse than advice.
    pub fn conclude(mut self, json: bool) -> Result<(), Failure> {
        self.findings.sort_by_key(|finding| match finding.severity {
            Severity::Grave => 0,
            Severity::Serious => 1,
            Severity::Advice => 2,
        });
        if json {
            print_json(&self)?;
        } else {
            self.print()?;
        }
        let bad = self.findings.iter().filter(|finding| finding.severity != Severity::Advice).count();
        match bad {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 finding has to be mended".to_owned())),
            _ => Err(Failure::Failed(format!("{bad} findings have to be mended"))),
        }
    }

    fn print(&self) -> Result<(), Failure> {
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Grave => "GRAVE",
                Severity::Serious => "SERIOUS",
                Severity::Advice => "advice",
            };
            print_line(format_args!("{severity}: {}", finding.id))?;
            print_line(format_args!("  {}", finding.what))?;
            print_line(format_args!("  To mend it: {}\n", finding.mend))?;
        }
        if !self.not_checked.is_empty() {
            print_line("Not checked:")?;
            for skipped in &self.not_checked {
                print_line(format_args!("  {}: {}", skipped.what, skipped.why))?;
            }
            print_line("")?;
        }
        if self.findings.is_empty() {
            print_line(format_args!("{}: nothing is wrong with what was checked.", self.url))?;
        }
        Ok(())
    }
}

/// The first of a list, and how many more there are.
pub(super) fn named(all: &[String]) -> String {
    let text = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let list = |count: u8| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(named(&list(2)), "0, 1");
        assert_eq!(named(&list(9)), "0, 1, 2, 3, 4, 5 and 3 more");
    }
}
