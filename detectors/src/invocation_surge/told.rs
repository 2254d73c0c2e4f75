//! What is told of calls, kept once for neighbours that have most of it in common.

use std::borrow::Cow;
use std::sync::Arc;

use super::facts::Call;
use super::families::{Family, Subject};
use crate::action::{Action, stable_hash};
use crate::actor::{account_of_arn, arn_part, colon};
use crate::event::Event;
use crate::finding::Circumstances;
use crate::joined::Joined;
use crate::strings::{Answers, Extent, Strings, glance, same};

/// An event, as it is told of.
pub(super) struct Telling<'a> {
    pub(super) event: &'a Event<'a>,
    pub(super) target: &'a str,
    /// A hash of the target.
    pub(super) target_hash: u64,
    pub(super) name: &'a str,
    pub(super) trigger: &'a str,
}

impl Telling<'_> {
    /// All that decides what is told, but for who called and what.
    fn texts(&self) -> [&str; 8] {
        let Self { event, target, name, trigger, .. } = self;
        [
            event.session.access_key,
            event.session.name,
            event.source_ip,
            target,
            name,
            trigger,
            event.region,
            event.error_code,
        ]
    }
}

/// What was told of calls lately, and what was found in their parts. Not a fact: facts come out the same without it.
#[derive(Debug, Default)]
pub struct Told {
    stories: Vec<Option<Box<Story>>>,
    resources: Answers<Option<Resource>>,
    /// Nothing where the trigger does not stand in the text as it is.
    triggers: Answers<Option<Extent>>,
    /// Where the name of a call in its region is written.
    pub(super) api: String,
}

/// Where in [`Told`], until another event is told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

/// The first ARN of the called service in `resources`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    name: Extent,
    /// The account in the name.
    pub(super) account: Extent,
    /// A hash of the name.
    pub(super) hash: u64,
}

impl Told {
    /// Different doings remembered at once; others push them out.
    const SLOTS: usize = 8_192;

    /// Where what is told of an event stands, now at the latest.
    pub(super) fn place(&mut self, telling: &Telling<'_>, strings: &mut Strings) -> Place {
        if self.stories.is_empty() {
            self.stories.resize_with(Self::SLOTS, || None);
        }
        let Telling { event, target_hash, name, .. } = telling;
        let said = telling.texts();
        let begin = event.action.id.0 ^ event.actor.hash.rotate_left(21) ^ target_hash.rotate_left(42);
        let texts = [event.session.access_key, event.session.name, event.source_ip, name];
        let place = glance(begin, texts) as usize % Self::SLOTS;
        match &mut self.stories[place] {
            Some(story) if story.is_of(event, &said) => {}
            Some(story) => **story = Story::of(telling, strings),
            empty => *empty = Some(Box::new(Story::of(telling, strings))),
        }
        Place(place)
    }

    pub(super) fn at(&mut self, place: Place) -> &mut Story {
        self.stories[place.0].get_or_insert_default()
    }

    /// The first ARN of the called service in `resources`, of a function without version or alias.
    pub(super) fn resource<'a>(
        &mut self,
        family: Family,
        event: &'a Event<'_>,
    ) -> Option<(&'a str, Resource)> {
        let Event { action, parts, .. } = event;
        let text = parts.resources.text();
        let find = || {
            let arn = parts.resources.arns().find(|arn| arn_part(arn, 2) == &*action.service)?;
            let name = if family.is_of_functions() { unversioned(arn) } else { arn };
            Some(Resource {
                name: Extent::of(name, text),
                account: Extent::of(account_of_arn(name), name),
                hash: stable_hash(name.as_bytes()),
            })
        };
        // The action decides the family.
        let found = self.resources.of(action.id.0, text, find)?;
        Some((found.name.in_text(text), found))
    }

    /// What made a service call a function, which `find` finds in the text; nothing where it does not stand there as it is.
    pub(super) fn trigger<'a>(
        &mut self,
        action: &Action,
        text: &'a str,
        find: impl FnOnce() -> Cow<'a, str>,
    ) -> Option<&'a str> {
        let find = || match find() {
            Cow::Borrowed(trigger) => Some(Extent::of(trigger, text)),
            Cow::Owned(_) => None,
        };
        self.triggers.of(action.id.0, text, find).map(|trigger| trigger.in_text(text))
    }
}

/// A function's ARN without version or alias; what is no ARN as it is.
pub(super) fn unversioned(arn: &str) -> &str {
    match colon(arn, 7) {
        Some(end) if arn.starts_with("arn:") => &arn[..end],
        _ => arn,
    }
}

/// Everything told of a call but when it was.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What it is told of.
    texts: Joined<8>,
    circumstances: Arc<Circumstances>,
    actor: Arc<str>,
    target: Arc<str>,
    name: Arc<str>,
    trigger: Arc<str>,
    region: Arc<str>,
    /// The target is the call itself: an actor that is the key is told of with the name alone.
    names_target: bool,
    /// Under a key that is the target, and under one that is the actor; made when the first wants it.
    calls: [Option<Arc<Call>>; 2],
}

impl Story {
    fn of(telling: &Telling<'_>, strings: &mut Strings) -> Self {
        let Telling { event, target, name, trigger, .. } = *telling;
        Self {
            texts: Joined::of(&telling.texts()),
            circumstances: strings.circumstances(event, event.error_code),
            actor: Arc::clone(&event.actor.id),
            target: if names_no_target(telling) {
                Arc::clone(&event.action.label)
            } else {
                strings.share(target)
            },
            name: strings.share(name),
            trigger: strings.share(trigger),
            region: strings.share(event.region),
            names_target: !names_no_target(telling),
            calls: [None, None],
        }
    }

    /// Whether this is what is told of the event, of which these are the texts.
    fn is_of(&self, event: &Event<'_>, texts: &[&str; 8]) -> bool {
        same(&self.actor, &event.actor.id) && self.circumstances.is_of(event.action) && self.texts.is(texts)
    }

    pub(super) fn circumstances(&self) -> Arc<Circumstances> {
        Arc::clone(&self.circumstances)
    }

    /// What is told under a key, shared with earlier equal calls.
    pub(super) fn call(&mut self, subject: Subject) -> Arc<Call> {
        let Self { circumstances, actor, target, name, trigger, region, names_target, calls, .. } = self;
        let (known, other) = match subject {
            Subject::Target | Subject::Throttled => (&mut calls[0], &*actor),
            Subject::Actor if *names_target => (&mut calls[1], &*target),
            Subject::Actor => (&mut calls[1], &*name),
        };
        Arc::clone(known.get_or_insert_with(|| {
            Arc::new(Call {
                other: Arc::clone(other),
                name: Arc::clone(name),
                source: Arc::clone(&circumstances.source_ip),
                session: Arc::clone(&circumstances.session),
                trigger: Arc::clone(trigger),
                region: Arc::clone(region),
            })
        }))
    }
}

fn names_no_target(telling: &Telling<'_>) -> bool {
    *telling.target == *telling.event.action.label
}
