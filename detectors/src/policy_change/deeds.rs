//! What a call did, told without its time and record: calls of one actor with the same parameters did the same, and are read
//! once.

use std::sync::Arc;

use crate::actor::ActorKind;
use crate::event::Event;
use crate::finding::Severity;
use crate::joined::Joined;
use crate::policy_change::calls::Call;
use crate::policy_change::documents::Digest;
use crate::policy_change::extract;
use crate::policy_change::facts::{Doing, What};
use crate::policy_change::steps::Draft;
use crate::strings::{Recent, mixed};

/// Calls with longer parameters, bytes, are read every time.
const LONGEST: usize = 8 * 1_024;

/// What was done, and the text of the document it refers to.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) what: What,
    pub(crate) text: Option<Arc<str>>,
}

impl Effect {
    /// What is done with a document.
    pub(crate) fn of_document(text: String, what: impl FnOnce(Digest) -> What) -> Self {
        Self { what: what(Digest::of(&text)), text: Some(text.into()) }
    }
}

impl From<What> for Effect {
    fn from(what: What) -> Self {
        Self { what, text: None }
    }
}

/// What a call did to one resource.
#[derive(Debug)]
pub(crate) struct Deed {
    /// The resource's key.
    pub(crate) entity: Box<str>,
    /// What was done, by whom.
    pub(crate) doing: Arc<Doing>,
    /// The text of the document it refers to.
    pub(crate) text: Option<Arc<str>>,
    /// How grave that is by itself.
    pub(crate) weight: Severity,
    /// The step of the caller it is.
    pub(crate) step: Option<Draft>,
    /// Who got a policy by it: see [`held::holder`](super::held::holder).
    pub(crate) holder: Option<Box<str>>,
}

/// All a call did.
#[derive(Debug)]
pub(crate) struct Deeds {
    pub(crate) deeds: Vec<Deed>,
    /// The role it uses, as the target of a step.
    pub(crate) role: Option<Arc<str>>,
}

/// Calls read lately.
#[derive(Debug, Default)]
pub(crate) struct Read(Recent<Known>);

/// Everything that decides what a call did, and what that is.
#[derive(Debug)]
struct Known {
    action: u64,
    /// Parameters, answer (where it counts), account, region, the caller's id and name.
    texts: Joined<6>,
    flags: (ActorKind, bool, bool),
    deeds: Arc<Deeds>,
}

impl Read {
    /// What an event did.
    pub(crate) fn of(&mut self, event: &Event<'_>, call: Option<&Call>) -> Arc<Deeds> {
        let parts = event.parts;
        let reads_response =
            call.is_some_and(Call::reads_response) || &*event.action.name == "CreatePolicyVersion";
        let response = if reads_response { parts.response.text() } else { "" };
        let request = parts.request.text();
        if request.len() + response.len() > LONGEST {
            return Arc::new(extract::read(event, call));
        }
        let (action, actor) = (event.action.id.0, event.actor);
        let texts = [request, response, event.account, event.region, &actor.id, &actor.name];
        let flags = (actor.kind, event.succeeded(), extract::is_omitted(event));
        let hash = mixed(action, texts);
        // The texts themselves are compared: who could make two of one hash must not hide one behind the other.
        let is_same =
            |known: &Known| known.action == action && known.flags == flags && known.texts.is(&texts);
        if let Some(known) = self.0.get(hash, is_same) {
            return Arc::clone(&known.deeds);
        }
        let deeds = Arc::new(extract::read(event, call));
        self.0.keep(hash, Known { action, texts: Joined::of(&texts), flags, deeds: Arc::clone(&deeds) });
        deeds
    }
}
