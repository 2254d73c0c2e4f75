//! What observing keeps at hand to be quick: none of it is a fact.

use crate::lately::Lately;
use crate::policy_change::deeds::Read;
use crate::strings::Answers;

/// All of it.
#[derive(Debug, Default)]
pub struct AtHand {
    pub(crate) read: Read,
    /// More doings than busy hours hold.
    pub(crate) lately: Lately<4_096>,
    /// Whether a code is one of refusals.
    pub(crate) refusals: Answers<bool>,
}
