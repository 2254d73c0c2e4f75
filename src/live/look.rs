//! A scheduled look: what has fallen silent, what is covered, and what was held back and may be told now.

use std::collections::BTreeMap;

use trailhound_detectors::EventTime;

use super::coverage::{self, Coverage};
use super::desk::Trouble;
use super::held;
use super::judge::{Found, Judgement};
use super::kind::FactKey;
use super::read::{Batch, Touched};
use super::report::{Report, StoreCounts};
use super::rules::Rules;
use super::shared::Lasts;
use super::silence::{self, Verdict};
use super::tell::Dress;
use super::working::Working;
use super::{Live, Moment};
use crate::ingest::source::Source;
use crate::sink::Publish;
use crate::store::table::{READ_BATCH, Table};

/// Keys of a backlog judged at once.
const AT_ONCE: usize = 500;

/// What a scheduled look found.
#[derive(Debug, Default)]
pub struct Look {
    /// What is covered.
    pub coverage: Coverage,
    /// What was told, and what went wrong.
    pub report: Report,
    /// Something could not be read, judged or told: the look must come again.
    pub is_incomplete: bool,
}

impl<T: Table, S: Source, P: Publish> Live<T, S, P> {
    /// Looks at everything as of `tick`, the time that the schedule states: who looks again, or late, finds the same.
    pub async fn look(&self, tick: EventTime, moment: Moment) -> Look {
        let rules = self.rules();
        let mut look = Look::default();
        self.write_notes(&rules, moment, &mut look.report).await;
        match coverage::read(&self.store, moment.deadline).await {
            Ok(noted) => {
                let verdict = silence::judge(&noted.deliveries, tick, &rules.coverage);
                look.coverage = Coverage::of(&noted, tick);
                look.coverage.accounts = verdict.known;
                look.coverage.silent = verdict.silent_accounts();
                look.coverage.silences = verdict.silences.iter().map(|s| s.finding().title).collect();
                self.tell_of_silence(&rules, &verdict, moment, &mut look).await;
            }
            Err(trouble) => look.fail(&trouble),
        }
        look.is_incomplete |= self.tell_what_was_held(&rules, moment, &mut look.report).await;
        look.is_incomplete |= look.report.alerts.failed > 0;
        look
    }

    /// Tells of silences, and of those that are over and were told.
    async fn tell_of_silence(&self, rules: &Rules, verdict: &Verdict, moment: Moment, look: &mut Look) {
        let mut findings: Vec<_> = verdict.silences.iter().map(|silence| silence.finding()).collect();
        for resumed in verdict.resumed.chunks(READ_BATCH) {
            let ids: Vec<String> = resumed.iter().map(|resumed| resumed.of()).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            match tokio::time::timeout_at(moment.deadline, self.store.sent(&ids)).await {
                Ok(Ok(sent)) => {
                    let told = resumed.iter().zip(sent).filter(|(_, sent)| sent.is_some());
                    findings.extend(told.map(|(resumed, _)| resumed.finding()));
                }
                Ok(Err(error)) => look.fail(&error.into()),
                Err(_) => look.fail(&Trouble::OutOfTime),
            }
        }
        let found = findings.into_iter().map(|finding| Found { finding, objects: Vec::new(), key: None });
        let mut desk = self.desk(moment, None);
        let dress =
            Dress { provenance: &rules.provenance, suppressions: &rules.suppressions, now: moment.now };
        desk.tell(found.collect(), &dress, &self.sink, &mut look.report).await;
        look.report.store.add(desk.counts);
    }

    /// Judges and tells what was held back, where its backlog is worked off. Answers whether something is left undone.
    pub(super) async fn tell_what_was_held(
        &self,
        rules: &Rules,
        moment: Moment,
        report: &mut Report,
    ) -> bool {
        let Moment { now, deadline } = moment;
        report.store.reads += 1;
        let (shards, newest) = match held::ripe(&self.store, now, deadline).await {
            Ok(ripe) => ripe,
            Err(trouble) => {
                report.trouble(|| format!("what is held back can't be read: {trouble}"));
                return true;
            }
        };
        self.backlog().heard(newest);
        let mut left = false;
        for mut shard in shards {
            let lasts = Lasts { expires: held::expires(now), deadline };
            loop {
                let names = shard.value.some();
                if names.is_empty() {
                    break;
                }
                let keys = match held::keys(&self.store, &names, &self.kinds, deadline).await {
                    Ok(keys) => keys.into_iter().collect::<Vec<_>>(),
                    Err(trouble) => {
                        report.trouble(|| format!("what is held back can't be read: {trouble}"));
                        return true;
                    }
                };
                let mut is_done = true;
                for keys in keys.chunks(AT_ONCE) {
                    is_done &= self.judge_and_tell(rules, keys, moment, report).await;
                }
                if !is_done {
                    left = true;
                    break;
                }
                if let Err(trouble) = held::told(&self.store, &shard.name, &names, lasts).await {
                    report
                        .trouble(|| format!("what was held back is told and can't be forgotten: {trouble}"));
                    left = true;
                    break;
                }
                shard.value.without(&names);
            }
        }
        left
    }

    /// Judges keys by what is stored, and tells what is found. Answers whether all of it was done.
    async fn judge_and_tell(
        &self,
        rules: &Rules,
        keys: &[(FactKey, EventTime)],
        moment: Moment,
        report: &mut Report,
    ) -> bool {
        let touched = |(key, since): &(FactKey, EventTime)| {
            (key.clone(), Touched { objects: Vec::new(), since: *since })
        };
        let batch = Batch { touched: keys.iter().map(touched).collect(), ..Batch::default() };
        let mut desk = self.desk(moment, None);
        let mut working = Working::default();
        let unread = desk.load(batch.touched.keys().cloned(), &mut working).await;
        let court = rules.court();
        let Judgement { found, troubles: unjudged, .. } =
            desk.judge(court, &batch, &mut working, &unread).await;
        let troubles: BTreeMap<_, _> = unread.into_iter().chain(unjudged).collect();
        for (key, trouble) in &troubles {
            report.trouble(|| self.told(key, trouble));
        }
        let failed = report.alerts.failed;
        let dress =
            Dress { provenance: &rules.provenance, suppressions: &rules.suppressions, now: moment.now };
        desk.tell(found, &dress, &self.sink, report).await;
        report.store.add(desk.counts);
        troubles.is_empty() && report.alerts.failed == failed
    }

    /// Writes down what was delivered, now and then. No message is handed back for it: it is written next time.
    pub(super) async fn write_notes(&self, rules: &Rules, moment: Moment, report: &mut Report) {
        let Moment { now, deadline } = moment;
        let (due, process) = {
            let mut notes = self.notes();
            (notes.due(now, || rules.reader.seen()), notes.process())
        };
        let Some(noted) = due else { return };
        report.store.notes += 1;
        if let Err((lost, trouble)) = coverage::write(&self.store, &noted, process, (now, deadline)).await {
            report.trouble(|| format!("what was delivered can't be noted: {trouble}"));
            self.notes().take_back(&lost);
        }
    }
}

impl Look {
    fn fail(&mut self, trouble: &Trouble) {
        self.is_incomplete = true;
        self.report.trouble(|| format!("looking at what is covered: {trouble}"));
    }
}

impl StoreCounts {
    /// Adds what another part of the invocation asked.
    pub(super) fn add(&mut self, other: Self) {
        let Self { cache_hits, reads, writes, conflicts, notes } = other;
        self.cache_hits += cache_hits;
        self.reads += reads;
        self.writes += writes;
        self.conflicts += conflicts;
        self.notes += notes;
    }
}
