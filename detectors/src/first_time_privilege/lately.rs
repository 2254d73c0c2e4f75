//! Which events only repeat what an actor did earlier that day in the same way: every stretch of use such an event could lengthen
//! goes on to the end of the day already.

use crate::action::stable_hash;
use crate::event::{Category, Event};

/// What actors were seen doing lately.
pub(super) type Lately = crate::lately::Lately<8_192>;

/// Everything but actor and action that decides what an event teaches, as a hash. Two that share one by chance or malice hide
/// a new network or client, never a new action.
pub(super) fn context(event: &Event<'_>) -> u64 {
    let day = event.time.day().cast_unsigned();
    if event.category == Category::Data {
        return day.wrapping_mul(2);
    }
    // Families of clients are told by their first and last letters, sorts of keys by their first four.
    let agent = event.user_agent.as_bytes();
    let parts = [
        event.region.as_bytes(),
        event.source_ip.as_bytes(),
        &agent[..agent.len().min(16)],
        &agent[agent.len().saturating_sub(16)..],
    ];
    let key = event.session.access_key.as_bytes().first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    let flags = u64::from(event.session.from_console) << 1 | u64::from(event.session.invoked_by.is_empty());
    let begin =
        (day << 3 | flags << 1 | 1).rotate_left(23) ^ u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    parts.iter().fold(begin, |hash, part| hash.rotate_left(23) ^ stable_hash(part))
}
