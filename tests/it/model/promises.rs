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
    /// Only a generation that was reissued, and of which a branch was presented, is confirmed.
    ConfirmedWasSeen,
    /// A statement changes no row only if another request changed it since the read.
    FailsOnlyForCause,
    /// No statement changes a session that has ended: a logout stays, and its reason with it.
    EndedStaysEnded,
    /// More than a second after a logout no answer sets a refresh cookie of that session.
    NoCookieAfterLogout,
}

impl Promise {
    pub const ALL: [Self; 11] = [
        Self::HonestSessionLives,
        Self::AlwaysAnswered,
        Self::GenerationRises,
        Self::MintedIsCurrent,
        Self::NothingAfterConfirmation,
        Self::NothingInsideTheWindow,
        Self::RenewedOutsideTheWindow,
        Self::ConfirmedWasSeen,
        Self::FailsOnlyForCause,
        Self::EndedStaysEnded,
        Self::NoCookieAfterLogout,
    ];
}
