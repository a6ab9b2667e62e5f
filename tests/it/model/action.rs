//! What can happen in the honest world, one thing at a time.

use std::fmt;

use tacit::services::refresh::decision::Decision;

use super::row::Token;

/// Numbers are places among the requests on their way, which are sorted anew after every step.
#[derive(Clone, Copy)]
pub enum Action {
    /// The browser attaches its cookie to one more request.
    Send(Token),
    /// The service reads the row and asks the table.
    Read(usize, Token, Decision),
    /// The read finds the session ended.
    ReadEnded(usize),
    /// A decision's statement.
    Write(usize, Decision, Outcome),
    /// The headers go out.
    Emit(usize),
    /// The cookie reaches the jar.
    Deliver(usize, Token),
    Tick,
    LogOut,
    /// The moment that the database will go back to.
    Backup,
    /// All commits since the backup are lost.
    LoseCommits,
    SetClock,
}

#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    NoRow,
    /// The answer is lost on its way, or too late, or carries no refresh token.
    NothingDelivered,
    Minted,
}

/// As a line of a counterexample. The row's generation is always shifted to the same number.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = |token: &Token| format!("generation {} branch {}", token.generation, token.branch);
        match self {
            Self::Send(attached) => write!(f, "the browser sends {}", token(attached)),
            Self::Read(place, read, decision) => write!(f, "request {place} ({}) is read: {decision:?}", token(read)),
            Self::ReadEnded(place) => write!(f, "request {place} is read: the session has ended"),
            Self::Write(place, decision, outcome) => write!(f, "request {place} writes: {decision:?}, {outcome:?}"),
            Self::Emit(place) => write!(f, "the headers of answer {place} go out"),
            Self::Deliver(place, minted) => write!(f, "answer {place} puts {} into the jar", token(minted)),
            Self::Tick => write!(f, "a tick passes"),
            Self::LogOut => write!(f, "the user signs out"),
            Self::Backup => write!(f, "the commits after this will be lost"),
            Self::LoseCommits => write!(f, "the database loses commits"),
            Self::SetClock => write!(f, "the database's clock is set"),
        }
    }
}
