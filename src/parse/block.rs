//! Records that wait until there is a block of them.
//!
//! The parser and each detector are so much code that together they do not fit into a processor's first cache for
//! instructions. Taken in turn, record by record, they push each other out; a block of records at a time, each stays for
//! the whole block.

use std::sync::Arc;

use trailhound_detectors::action::ActionPlace;
use trailhound_detectors::{Actor, Event, EventTime, Parts};

use super::Tables;
use super::fields::{Fields, Sitting};
use crate::ingest::Origin;

/// So many records make a block. All of them and what is made of them should fit into a processor's second cache.
const RECORDS: usize = 64;

/// A record that is judged.
#[derive(Debug, Default)]
pub(super) struct Held<'a> {
    pub(super) fields: Fields<'a>,
    /// Who called, where that is known already.
    pub(super) actor: Option<Arc<Actor>>,
    /// What of the session is known already.
    pub(super) sitting: Option<Sitting<'a>>,
    /// All of it.
    pub(super) text: &'a str,
    pub(super) time: EventTime,
    pub(super) late: bool,
}

/// Records of one object, up to so many.
#[derive(Debug, Default)]
pub(super) struct Block<'a> {
    held: Vec<Held<'a>>,
    room: Room,
}

/// Memory for what is made of a block, used again and again.
#[derive(Debug, Default)]
struct Room {
    known: Vec<(ActionPlace, Arc<Actor>)>,
    parts: Vec<Parts<'static>>,
}

impl<'a> Block<'a> {
    /// An empty block in the memory of another.
    pub(super) fn in_memory_of(other: Block<'_>) -> Self {
        Self { held: emptied(other.held), room: other.room }
    }

    /// A place for the next record, with empty fields.
    pub(super) fn next(&mut self) -> &mut Held<'a> {
        let at = self.held.len();
        self.held.push(Held::default());
        &mut self.held[at]
    }

    /// The newest record.
    pub(super) fn newest(&mut self) -> Option<&mut Held<'a>> {
        self.held.last_mut()
    }

    /// The newest record is not to be judged, or is none.
    pub(super) fn give_back(&mut self) {
        self.held.pop();
    }

    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= RECORDS
    }

    /// Shows all records as events, and is empty afterwards.
    pub(super) fn show(&mut self, origin: &Origin, tables: &mut Tables, each: &mut impl FnMut(&[Event<'_>])) {
        if !self.held.is_empty() {
            self.room.show(&mut self.held, origin, tables, each);
            self.held.clear();
        }
    }

    /// Shows a record that is none of the block.
    pub(super) fn show_one(
        &mut self,
        held: Held<'_>,
        origin: &Origin,
        tables: &mut Tables,
        each: &mut impl FnMut(&[Event<'_>]),
    ) {
        self.room.show(&mut [held], origin, tables, each);
    }
}

impl Room {
    fn show(
        &mut self,
        held: &mut [Held<'_>],
        origin: &Origin,
        tables: &mut Tables,
        each: &mut impl FnMut(&[Event<'_>]),
    ) {
        let Self { known, parts } = self;
        // All are named before the first is shown: the tables may still grow.
        known.extend(held.iter_mut().map(|Held { fields, actor, .. }| {
            let action = tables.actions.intern(fields.source, fields.name);
            let actor = actor.take();
            (action, actor.unwrap_or_else(|| Arc::clone(tables.actors.intern(&fields.caller.identity()))))
        }));
        let mut of_these = emptied(std::mem::take(parts));
        of_these.extend(held.iter().map(|held| held.fields.parts()));
        let whose = known.iter().zip(&of_these);
        let of_each = held.iter().zip(whose);
        let events: Vec<Event<'_>> = of_each
            .map(|(held, ((action, actor), parts))| {
                held.event(origin, (tables.actions.at(*action), actor), parts)
            })
            .collect();
        each(&events);
        drop(events);
        *parts = emptied(of_these);
        known.clear();
    }
}

/// The memory of a list, for one of things that live longer or shorter: the standard library collects into the memory it
/// collects from where both hold things of one size.
fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    list.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let text = String::from("gone soon");
        let mut block = Block::default();
        block.next().text = &text;
        let (capacity, at) = (block.held.capacity(), block.held.as_ptr().addr());
        let again: Block<'static> = Block::in_memory_of(block);
        drop(text);
        assert_eq!((again.held.len(), again.held.capacity(), again.held.as_ptr().addr()), (0, capacity, at));
    }
}
