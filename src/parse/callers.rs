//! Who calls is written the same again and again: all records of a session hold one text. It is scanned, and its actor
//! looked up, where it is seen first.

use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::FixedState;
use trailhound_detectors::{Actor, EventTime, Identity};

use super::fields::{Caller, Context, Sitting};

/// So many texts are remembered: an object rarely holds records of more sessions at a time.
const SLOTS: usize = 512;
/// Longer texts are not remembered.
const MAX_BYTES: usize = 2 << 10;
/// Texts of a caller.
const PARTS: usize = 12;

/// Callers by what the log wrote of them. Each text has one place, and the last text of a place stays.
#[derive(Debug, Default)]
pub(super) struct Callers(Vec<Option<Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// A whole `userIdentity`.
    text: Box<str>,
    /// Where each part of the caller begins in it, and how long it is.
    parts: [(u16, u16); PARTS],
    mfa: Option<bool>,
    /// Where the session's name begins in it, and how long it is.
    session_name: (u16, u16),
    session_created: Option<EventTime>,
    actor: Arc<Actor>,
}

/// A caller that was met before.
pub(super) struct Recalled<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) sitting: Sitting<'a>,
    pub(super) actor: Arc<Actor>,
    /// The byte after it.
    pub(super) end: usize,
}

/// Where a text is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Callers {
    /// The place of what begins at `at`; none for what is too long to be remembered.
    #[inline]
    pub(super) fn place(text: &str, at: usize) -> Option<Place> {
        let bytes = text.as_bytes().get(at..)?;
        let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
        // Up to here lies what tells one session from another: name and access key.
        let end = memchr::memchr(b'}', bytes)?;
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(&bytes[..end]);
        Some(Place(hasher.finish() as usize % SLOTS))
    }

    /// The caller that begins at `at`, if the very same text was met before.
    #[inline]
    pub(super) fn recall<'a>(&self, Place(place): Place, text: &'a str, at: usize) -> Option<Recalled<'a>> {
        let known = self.0.get(place)?.as_ref()?;
        let end = at + known.text.len();
        // A whole object is no beginning of a longer one.
        let text = text.get(at..end).filter(|text| **text == *known.text)?;
        let sitting = Sitting { name: text.get(range(known.session_name))?, created: known.session_created };
        Some(Recalled { caller: known.caller_in(text)?, sitting, actor: Arc::clone(&known.actor), end })
    }

    /// Remembers the caller that was read from `text`.
    pub(super) fn remember(
        &mut self,
        Place(place): Place,
        text: &str,
        (caller, sitting): (&Caller<'_>, &Sitting<'_>),
        actor: &Arc<Actor>,
    ) {
        if text.len() > MAX_BYTES {
            return;
        }
        if self.0.is_empty() {
            self.0.resize_with(SLOTS, || None);
        }
        let start = text.as_ptr().addr();
        // What lies elsewhere is found to be missing below.
        let place_of = |part: &str| match part {
            "" => (0, 0),
            part => {
                let offset = part.as_ptr().addr().wrapping_sub(start);
                (u16::try_from(offset).unwrap_or(0), u16::try_from(part.len()).unwrap_or(0))
            }
        };
        let known = Remembered {
            text: text.into(),
            parts: caller.texts().map(place_of),
            mfa: caller.context.mfa,
            session_name: place_of(sitting.name),
            session_created: sitting.created,
            actor: Arc::clone(actor),
        };
        // Every part lies in the text; a caller of whom that is not so is read anew each time.
        let is_whole = known.caller_in(text).as_ref() == Some(caller)
            && text.get(range(known.session_name)) == Some(sitting.name);
        self.0[place] = is_whole.then_some(known);
    }
}

impl Remembered {
    #[inline]
    fn caller_in<'a>(&self, text: &'a str) -> Option<Caller<'a>> {
        let mut texts = [""; PARTS];
        // Half of them are empty, as a rule.
        for (part, place) in texts.iter_mut().zip(self.parts).filter(|(_, (_, length))| *length > 0) {
            *part = text.get(range(place))?;
        }
        Some(Caller::of(texts, self.mfa))
    }
}

fn range((start, length): (u16, u16)) -> Range<usize> {
    usize::from(start)..usize::from(start) + usize::from(length)
}

impl<'a> Caller<'a> {
    fn texts(&self) -> [&'a str; PARTS] {
        let Self { identity, access_key, context } = self;
        [
            identity.kind,
            identity.arn,
            identity.account,
            identity.principal_id,
            identity.user_name,
            identity.invoked_by,
            identity.provider,
            identity.on_behalf_of,
            access_key,
            context.issuer_arn,
            context.source_identity,
            context.created,
        ]
    }

    fn of(texts: [&'a str; PARTS], mfa: Option<bool>) -> Self {
        let [kind, arn, account, principal_id, user_name, invoked_by, provider, on_behalf_of, ..] = texts;
        let [.., access_key, issuer_arn, source_identity, created] = texts;
        let identity = Identity {
            kind,
            arn,
            account,
            principal_id,
            user_name,
            invoked_by,
            provider,
            // It stands in the context.
            issuer_arn: "",
            on_behalf_of,
        };
        Self { identity, access_key, context: Context { issuer_arn, source_identity, mfa, created } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Parts are found by where they lie: it must lie in one place.
    static TEXT: &str = r#"{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/ann","userName":"ann"}"#;

    fn remembering() -> (Callers, Place, Arc<Actor>) {
        let part = |from: &str, to: &str| &TEXT[TEXT.find(from).unwrap()..TEXT.find(to).unwrap() + to.len()];
        let identity = Identity {
            kind: part("IAM", "User"),
            arn: part("arn:aws", "user/ann"),
            user_name: TEXT.rsplit('"').nth(1).unwrap(),
            ..Identity::default()
        };
        let (actor, place) = (Arc::new(Actor::of(&identity)), Callers::place(TEXT, 0).unwrap());
        let mut callers = Callers::default();
        let caller = Caller { identity, ..Caller::default() };
        callers.remember(place, TEXT, (&caller, &caller.sitting()), &actor);
        (callers, place, actor)
    }

    #[test]
    fn the_same_text_is_the_same_caller_wherever_it_stands() {
        let (callers, place, actor) = remembering();
        let text = format!("é{TEXT},\"eventTime\":");
        assert_eq!(Callers::place(&text, 2), Some(place));
        let recalled = callers.recall(place, &text, 2).expect("a caller");
        assert!(Arc::ptr_eq(&recalled.actor, &actor));
        assert_eq!(&text[..recalled.end], format!("é{TEXT}"));
        let identity = recalled.caller.identity();
        assert_eq!((identity.kind, identity.user_name, identity.provider), ("IAMUser", "ann", ""));
        assert_eq!(identity.arn, "arn:aws:iam::123456789012:user/ann");
    }

    #[test]
    fn any_other_text_is_another_caller() {
        let (callers, place, _) = remembering();
        for at in 0..TEXT.len() {
            let mut other = TEXT.to_owned();
            other.replace_range(at..=at, "~");
            assert!(callers.recall(place, &other, 0).is_none(), "{other}");
            assert!(callers.recall(place, &TEXT[..at], 0).is_none());
        }
    }

    #[test]
    fn a_place_keeps_its_last_text_and_no_long_one() {
        let (mut callers, place, actor) = remembering();
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert_eq!(Callers::place(&long, 0), None);
        callers.remember(place, &long, (&Caller::default(), &Sitting::default()), &actor);
        assert!(callers.recall(place, TEXT, 0).is_some());
        callers.remember(place, "{}", (&Caller::default(), &Sitting::default()), &actor);
        assert!(callers.recall(place, TEXT, 0).is_none() && callers.recall(place, "{}", 0).is_some());
    }
}
