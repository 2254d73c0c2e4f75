//! Growing the facts by one event.
//!
//! Nearly every event repeats what its actor did earlier that day, and ends after a glance at what was done lately. What the actor shares with others is only told when the actor's own facts changed: stretches are closed
//! sets of uses, so an event inside the actor's stretch lies inside the shared one already.

use super::facts::{self, ActionUse, ActorFacts, Common, Named, Remembered, Shared, has_siblings};
use super::lately::context;
use super::origin::{Network, client, sign_in};
use super::stretches::Stretches;
use crate::action::{Action, stable_hash};
use crate::chain::{Link, opens_session};
use crate::detector::Claim;
use crate::event::{Category, Event};
use crate::lattice::{Join, Smallest};
use crate::ledger::{KeyRef, Ledger, Strings};

/// What an event taught that others want to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    action: bool,
    region: bool,
}

/// An action of which a repeat teaches nothing.
const PLAIN: Claim = 1;
/// One that gives out credentials, new ones each time.
const OPENS_SESSION: Claim = 2;

pub(super) fn claim(action: &Action) -> Claim {
    if opens_session(action) { OPENS_SESSION } else { PLAIN }
}

pub(super) fn observe<'e, 'a: 'e>(
    events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
    ledger: &mut Ledger<Remembered>,
) {
    let memo = ledger.memo();
    // All are asked about before the first is learnt from: a processor waits for the answers to many such questions at once.
    let is_news = |(claim, event): &(Claim, &Event<'_>)| {
        let may_repeat = *claim == PLAIN && event.succeeded();
        !(event.actor.kind.is_aws() || may_repeat && memo.is_repeat(event, context(event)))
    };
    let news: Vec<(Claim, &Event<'_>)> = events.filter(is_news).collect();
    news.into_iter().for_each(|(claim, event)| learn(event, claim, ledger));
}

fn learn(event: &Event<'_>, claim: Claim, ledger: &mut Ledger<Remembered>) {
    let key = KeyRef { class: facts::ACTOR, account: event.account, entity: &event.actor.id };
    let (remembered, strings, _) = ledger.grow_hashed(key, event.actor.hash);
    let Some(actor) = remembered.grow_actor() else { return };
    actor.seen(event.actor, event.time);
    if !event.succeeded() {
        if let Some(action) = grow_action(actor, event.action) {
            facts::touch(&mut action.failed, event, strings);
        }
        return;
    }
    let news = News {
        // There is no place for the action: nobody knows whether it is news.
        action: grow_action(actor, event.action).is_none_or(|a| facts::touch(&mut a.done, event, strings)),
        region: event.category != Category::Data && observe_origin(actor, event, strings),
    };
    if claim == OPENS_SESSION {
        observe_session(event, actor, strings);
        if let Some((access_key, link)) = Link::of(event, strings) {
            ledger.grow(facts::chain_key(&access_key)).0.join(&Remembered::Chain(Box::new(link)));
        }
    }
    if news == News::default() {
        return;
    }
    share(event, news, ledger.grow(facts::account_key(event.account)).0);
    let family = &*event.actor.family;
    if has_siblings(event.actor.kind) && !family.is_empty() {
        share(event, news, ledger.grow(facts::siblings_key(family)).0);
    }
}

fn grow_action<'f>(actor: &'f mut ActorFacts, action: &Action) -> Option<&'f mut ActionUse> {
    actor.actions.grow(action.id.0, || ActionUse {
        label: action.label.clone(),
        done: Stretches::default(),
        failed: Stretches::default(),
    })
}

/// Region, network, client and way of signing in; whether the region was news.
fn observe_origin(actor: &mut ActorFacts, event: &Event<'_>, strings: &mut Strings) -> bool {
    if !event.session.invoked_by.is_empty() {
        // The origin is that of a service calling for the actor.
        return false;
    }
    if let Some(network) = Network::of(event.source_ip) {
        let named = |strings: &mut Strings| strings.share(&network.name());
        touch_named(&mut actor.networks, network.key(), named, (event, strings));
    }
    for means in [client(event.user_agent), sign_in(event)].into_iter().flatten() {
        touch_named(&mut actor.means, stable_hash(means.as_bytes()), |s| s.share(means), (event, strings));
    }
    let region = stable_hash(event.region.as_bytes());
    uses_region(event.action)
        && touch_named(&mut actor.regions, region, |s| s.share(event.region), (event, strings))
}

/// Whether a call changes something in its region, or runs something there; consoles and scanners read in all regions.
fn uses_region(action: &Action) -> bool {
    !action.level.only_reads() || ["Invoke", "Converse"].iter().any(|verb| action.name.starts_with(verb))
}

/// The role whose session was opened.
fn observe_session(event: &Event<'_>, actor: &mut ActorFacts, strings: &mut Strings) {
    if let Some(role) = event.parts.request.top_str("roleArn") {
        let key = stable_hash(role.as_bytes());
        touch_named(&mut actor.roles, key, |s| s.share(&role), (event, strings));
    }
}

/// Whether the use was news, or there was no place for it.
fn touch_named<const N: usize>(
    all: &mut Smallest<Named, N>,
    key: u64,
    name: impl FnOnce(&mut Strings) -> std::sync::Arc<str>,
    (event, strings): (&Event<'_>, &mut Strings),
) -> bool {
    all.grow(key, || Named { name: name(strings), used: Stretches::default() })
        .is_none_or(|named| facts::touch(&mut named.used, event, strings))
}

fn share(event: &Event<'_>, news: News, remembered: &mut Remembered) {
    let Some(Shared { since, actions, regions }) = remembered.grow_shared() else { return };
    since.lower(event.time);
    let touch = |used: &mut Stretches<_>| used.touch(event.time, |_| false, || event.time);
    if news.action
        && let Some(common) = actions.grow(event.action.id.0, Common::default)
    {
        touch(&mut common.used);
        common.pioneers.insert(event.time, event.actor.hash);
    }
    if news.region
        && let Some(used) = regions.grow(stable_hash(event.region.as_bytes()), Stretches::default)
    {
        touch(used);
    }
}
