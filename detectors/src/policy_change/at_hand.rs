//! What observing keeps at hand to be quick: none of it is a fact.

use crate::lately::Lately;
use crate::policy_change::deeds::Read;

/// All of it.
#[derive(Debug, Default)]
pub struct AtHand {
    pub(crate) read: Read,
    /// More doings than busy hours hold.
    pub(crate) lately: Lately<4_096>,
}
