//! What the protocol promises, as far as the search of the honest world watches it.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// No run of an honest client ends in a THEFT.
    HonestSessionLives,
    /// No honest request is given up (503).
    AlwaysAnswered,
    /// A rotation raises the generation, and nothing lowers it: each is minted by one rotation only.
    GenerationRises,
    /// A refresh token is of the current generation when it is minted.
    MintedIsCurrent,
    /// Once a branch of the current generation was seen, its predecessor gets no refresh token any more.
    NothingAfterConfirmation,
    /// Inside the window nobody gets a refresh token, but for the predecessor of a reissued generation.
    NothingInsideTheWindow,
    /// Outside the window a token that is good gets a refresh token, and the idle limit moves on.
    RenewedOutsideTheWindow,
    /// A replayed token, older than the predecessor, ends the session, whenever it comes.
    ReplayIsFound,
    /// Nobody is signed in with a token of a later generation than the row's: it catches up first.
    RowCatchesUp,
    /// A generation starts fresh; it is confirmed only if it was reissued, and a branch of it was presented.
    ConfirmedWasSeen,
    /// A statement changes no row only if another request changed it since the read.
    FailsOnlyForCause,
    /// No statement changes a session that has ended: a logout stays, and its reason with it.
    EndedStaysEnded,
    /// More than a second after a logout no answer sets a refresh cookie of that session.
    NoCookieAfterLogout,
}

impl Promise {
    pub const ALL: [Self; 13] = [
        Self::HonestSessionLives,
        Self::AlwaysAnswered,
        Self::GenerationRises,
        Self::MintedIsCurrent,
        Self::NothingAfterConfirmation,
        Self::NothingInsideTheWindow,
        Self::RenewedOutsideTheWindow,
        Self::ReplayIsFound,
        Self::RowCatchesUp,
        Self::ConfirmedWasSeen,
        Self::FailsOnlyForCause,
        Self::EndedStaysEnded,
        Self::NoCookieAfterLogout,
    ];

    /// Those that hold without any bound on delays.
    pub const WHATEVER_THE_TIMING: [Self; 11] = [
        Self::GenerationRises,
        Self::MintedIsCurrent,
        Self::NothingAfterConfirmation,
        Self::NothingInsideTheWindow,
        Self::RenewedOutsideTheWindow,
        Self::ReplayIsFound,
        Self::RowCatchesUp,
        Self::ConfirmedWasSeen,
        Self::FailsOnlyForCause,
        Self::EndedStaysEnded,
        Self::NoCookieAfterLogout,
    ];
}
