//! The list of detectors, and everything that walks it.
//!
//! A detector is its module and one line here. Configuration, command line, docs, benches, tuning and the laws all come
//! from this list. The types are generated per detector, so nothing on the hot path goes through a trait object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access_denied_spike::AccessDeniedSpike;
use crate::action::Action;
use crate::detector::{Around, Claim, ConfigError, Detector};
use crate::environment::Environment;
use crate::event::Event;
use crate::finding::Finding;
use crate::first_time_privilege::{self, FirstTimePrivilege};
use crate::invocation_surge::InvocationSurge;
use crate::ledger::{Facts, Ledger, Share};
use crate::policy_change::PolicyChange;
use crate::story;
use crate::time::{EventTime, TimeRange};

/// What the catalogue knows of a detector.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// [`Detector::NAME`].
    pub name: &'static str,
    /// [`Detector::PURPOSE`].
    pub purpose: &'static str,
    /// [`Detector::DOCS`].
    pub docs: &'static str,
}

/// Where a detector's facts are among all facts.
#[derive(Debug)]
pub struct Slot<D: Detector> {
    /// To read.
    pub facts: fn(&Ledgers) -> &Ledger<D::Facts>,
    /// To grow.
    pub facts_mut: fn(&mut Ledgers) -> &mut Ledger<D::Facts>,
    /// To judge.
    pub detector: fn(&Detectors) -> &D,
}

/// Something to do with every detector, knowing its types.
pub trait Visit {
    /// Visits one detector.
    fn visit<D: Detector>(&mut self, slot: Slot<D>);
}

macro_rules! catalogue {
    ($($field:ident: $detector:ty),+ $(,)?) => {
        /// All detectors, in the order of everything.
        pub const ENTRIES: &[Entry] = &[$(Entry {
            name: <$detector>::NAME,
            purpose: <$detector>::PURPOSE,
            docs: <$detector>::DOCS,
        }),+];

        /// The facts of every detector.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Ledgers {
            $(#[doc = concat!("What `", stringify!($field), "` remembers.")]
            pub $field: Ledger<<$detector as Detector>::Facts>,)+
        }

        /// The configuration of every detector.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Configs {
            $(#[doc = concat!("`[detectors.", stringify!($field), "]`.")]
            pub $field: <$detector as Detector>::Config,)+
        }

        /// Configured detectors.
        #[derive(Debug)]
        pub struct Detectors {
            $($field: $detector,)+
        }

        /// What judging keeps at hand from key to key of the same ledgers.
        #[derive(Debug, Default)]
        pub struct Notebook {
            $($field: <<$detector as Detector>::Facts as Facts>::Notes,)+
        }

        /// Asks every detector what sort of action this is to it: one byte each, in the order of [`ENTRIES`].
        pub fn claims(action: &Action) -> u64 {
            const { assert!(ENTRIES.len() <= 8, "claims have a byte for each detector") };
            [$(<$detector>::claim(action)),+]
                .into_iter()
                .rev()
                .fold(0, |claims, claim| claims << Claim::BITS | u64::from(claim))
        }

        /// Visits every detector.
        pub fn each(visit: &mut impl Visit) {
            $(visit.visit::<$detector>(Slot {
                facts: |l| &l.$field,
                facts_mut: |l| &mut l.$field,
                detector: |d| &d.$field,
            });)+
        }

        impl Ledgers {
            /// No facts yet, in so many parts.
            pub fn in_parts(count: usize) -> Self {
                Self { $($field: Ledger::in_parts(count),)+ }
            }

            /// Takes out the facts of the keys that belong to a part.
            pub fn take_part(&mut self, part: usize) -> Self {
                Self { $($field: self.$field.take_part(part),)+ }
            }

            /// Takes all facts out, and leaves what is remembered of events.
            pub fn take_out(&mut self) -> Self {
                Self { $($field: self.$field.take_out(),)+ }
            }

            /// Tells which keys grew since this was asked last: the detector's place in [`ENTRIES`], and the key's digest.
            pub fn grown(&mut self, mut tell: impl FnMut(u8, u64)) {
                let mut place = 0;
                $(
                    self.$field.grown(|digest| tell(place, digest));
                    place += 1;
                )+
                debug_assert_eq!(usize::from(place), ENTRIES.len());
            }

            /// Grows the facts of every detector with the events it claims. One detector after the other: the code of all
            /// of them together is more than a processor keeps at hand.
            pub fn observe(&mut self, events: &[Event<'_>]) {
                let mut place = 0;
                $(
                    let claimed = events.iter().map(|event| ((event.action.claims >> place) as Claim, event));
                    <$detector>::observe(claimed.filter(|(claim, _)| *claim != 0), &mut self.$field);
                    place += Claim::BITS;
                )+
                debug_assert!(
                    events.iter().all(|e| e.action.claims.checked_shr(place).unwrap_or(0) == 0),
                    "a claim beyond the catalogue"
                );
            }

            /// Takes in everything other facts know.
            pub fn absorb(&mut self, other: Self) {
                $(self.$field.absorb(other.$field);)+
            }

            /// Closes windows that end at or before a minute.
            pub fn close(&mut self, closed: i64) {
                $(self.$field.close(closed);)+
            }

            /// Forgets what ended before `horizon`, less what stories may begin with.
            pub fn forget(&mut self, horizon: EventTime) {
                $(self.$field.forget(horizon.plus(-story::LOOKBACK));)+
            }

            /// In how many parts the facts lie.
            pub fn parts(&self) -> usize {
                [$(self.$field.parts()),+].into_iter().max().unwrap_or(1)
            }

            /// How many keys are remembered, by detector.
            pub fn keys(&self) -> Vec<(&'static str, usize)> {
                vec![$((<$detector>::NAME, self.$field.len())),+]
            }
        }

        impl Detectors {
            /// Detectors with these configurations, or the first that is refused, with the detector's name.
            pub fn new(configs: &Configs) -> Result<Self, (&'static str, ConfigError)> {
                Ok(Self {
                    $($field: <$detector>::new(configs.$field.clone())
                        .map_err(|e| (<$detector>::NAME, e))?,)+
                })
            }

            /// Judges every key of every detector for a span of event time. Sorted by time, detector and id, and linked
            /// into stories.
            pub fn judge(&self, ledgers: &Ledgers, environment: &Environment, span: TimeRange) -> Vec<Finding> {
                let notebook = Notebook::default();
                let parts = (0..ledgers.parts()).map(Share::whole);
                let found = parts.flat_map(|part| self.judge_share((ledgers, part), environment, span, &notebook));
                self.tell(ledgers, found.collect(), span)
            }

            /// Judges a share of the keys of the ledgers. For [`Detectors::tell`]: in no order, and with findings from
            /// before the span, which stories may begin with.
            pub fn judge_share(
                &self,
                (ledgers, share): (&Ledgers, Share),
                environment: &Environment,
                span: TimeRange,
                notebook: &Notebook,
            ) -> Vec<Finding> {
                let span = TimeRange { start: span.start.plus(-story::LOOKBACK), ..span };
                let mut found = Vec::new();
                $({
                    let notes = &notebook.$field;
                    let around = Around { others: &ledgers.$field, environment, span, notes };
                    for (key, facts) in ledgers.$field.share(share) {
                        self.$field.judge(key, facts, &around, &mut found);
                    }
                })+
                found.retain(|finding| span.contains(finding.window.start));
                found
            }

            /// What was found in all shares, as [`Detectors::judge`] gives it.
            pub fn tell(&self, ledgers: &Ledgers, mut found: Vec<Finding>, span: TimeRange) -> Vec<Finding> {
                sort_findings(&mut found);
                story::link(&mut found, |access_key, time| {
                    first_time_privilege::root_of(&ledgers.first_time_privilege, access_key, time)
                });
                found.retain(|finding| span.contains(finding.window.start));
                found
            }
        }
    };
}

catalogue! {
    policy_change: PolicyChange,
    access_denied_spike: AccessDeniedSpike,
    first_time_privilege: FirstTimePrivilege,
    invocation_surge: InvocationSurge,
}

/// The order alerts come in: by start, detector, id.
pub fn sort_findings(findings: &mut [Finding]) {
    // Findings are large: places are sorted, and each finding moved once.
    findings.sort_by_cached_key(|f| (f.window.start, f.detector));
    // Ids cost a hash each, and few findings begin in one second.
    for alike in findings.chunk_by_mut(|a, b| (a.window.start, a.detector) == (b.window.start, b.detector)) {
        if alike.len() > 1 {
            alike.sort_by_cached_key(Finding::id);
        }
    }
}
