//! What callers do, and when: rates that follow the hours, fixed intervals, appointments; single calls and episodes.

use std::rc::Rc;

use super::caller::Session;
use super::clock::{Days, Hour, Rhythm};
use super::dice::Dice;

/// A compiled record, by its place in the world's list.
pub(super) type RecordId = u32;

/// An event to come.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// When.
    pub(super) time: i64,
    /// What.
    pub(super) record: RecordId,
    /// In which session.
    pub(super) session: Rc<Session>,
    /// The label it is a key event of.
    pub(super) label: Option<u32>,
}

/// Records to choose from, by weight.
#[derive(Clone, Debug, Default)]
pub(super) struct Menu {
    /// Each with the sum of the weights up to it.
    entries: Vec<(u64, RecordId)>,
}

impl Menu {
    /// A menu of weighted records.
    pub(super) fn of(items: impl IntoIterator<Item = (u64, RecordId)>) -> Self {
        let mut sum = 0;
        let entries = items.into_iter().map(|(weight, record)| {
            sum += weight;
            (sum, record)
        });
        Self { entries: entries.collect() }
    }

    fn pick(&self, dice: &mut Dice) -> Option<RecordId> {
        let (sum, _) = self.entries.last()?;
        let drawn = dice.below(*sum);
        let at = self.entries.partition_point(|(upto, _)| *upto <= drawn);
        self.entries.get(at).map(|(_, record)| *record)
    }
}

/// A call of an episode that comes in a fixed place.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What.
    pub(super) record: RecordId,
    /// How likely it comes at all.
    pub(super) chance: f64,
    /// How often in a row, least and most.
    pub(super) times: (i64, i64),
    /// At most so many seconds between two of them.
    pub(super) pause: i64,
}

impl Step {
    /// A call that is made once, always.
    pub(super) fn once(record: RecordId) -> Self {
        Self { record, chance: 1.0, times: (1, 1), pause: 1 }
    }

    /// A call made now and then.
    pub(super) fn perhaps(record: RecordId, chance: f64) -> Self {
        Self { chance, ..Self::once(record) }
    }

    /// A call made several times in quick succession.
    pub(super) fn several(record: RecordId, times: (i64, i64)) -> Self {
        Self { times, ..Self::once(record) }
    }

    fn expected(&self) -> f64 {
        self.chance * (self.times.0 + self.times.1) as f64 / 2.0
    }
}

/// Something with a beginning and an end: a person's session, a CI run, a nightly job.
#[derive(Clone, Debug, Default)]
pub(super) struct Episode {
    /// How it begins.
    pub(super) opening: Vec<Step>,
    /// What it is made of.
    pub(super) menu: Menu,
    /// How many bursts of the menu's calls.
    pub(super) bursts: (i64, i64),
    /// How many calls a burst has, a few in each second.
    pub(super) calls: (i64, i64),
    /// Seconds from one burst to the next.
    pub(super) pause: (i64, i64),
    /// How it ends.
    pub(super) closing: Vec<Step>,
}

impl Episode {
    /// Calls that one episode makes on average.
    pub(super) fn expected(&self) -> f64 {
        let mean = |(low, high): (i64, i64)| (low + high) as f64 / 2.0;
        let steps: f64 = self.opening.iter().chain(&self.closing).map(Step::expected).sum();
        steps + if self.menu.entries.is_empty() { 0.0 } else { mean(self.bursts) * mean(self.calls) }
    }

    fn play(&self, start: i64, dice: &mut Dice, mut call: impl FnMut(i64, RecordId)) {
        const CALLS_PER_SECOND: u64 = 4;
        let mut now = start;
        let mut steps = |steps: &[Step], now: &mut i64, dice: &mut Dice| {
            for step in steps {
                if dice.chance(step.chance) {
                    for _ in 0..dice.within(step.times) {
                        call(*now, step.record);
                        *now += dice.within((0, step.pause));
                    }
                }
            }
        };
        steps(&self.opening, &mut now, dice);
        let mut middle = Vec::new();
        for _ in 0..dice.within(self.bursts) {
            for _ in 0..dice.within(self.calls) {
                middle.extend(self.menu.pick(dice).map(|record| (now, record)));
                now += i64::from(dice.below(CALLS_PER_SECOND) == 0);
            }
            now += dice.within(self.pause);
        }
        steps(&self.closing, &mut now, dice);
        for (time, record) in middle {
            call(time, record);
        }
    }
}

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum Activity {
    /// One call.
    Call(Menu),
    /// A whole episode.
    Episode(Episode),
}

impl Activity {
    fn expected(&self) -> f64 {
        match self {
            Self::Call(_) => 1.0,
            Self::Episode(episode) => episode.expected(),
        }
    }
}

/// When it is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timing {
    /// So often on a weekday, at random times that follow a rhythm.
    Rate(f64, Rhythm),
    /// As [`Timing::Rate`], and grown or shrunk to reach the wanted number of events a day.
    Volume(f64, Rhythm),
    /// Every so many seconds.
    Every(i64),
    /// Once, some minutes after the hour, on certain days.
    At(Days, u8),
}

/// Something a caller does again and again.
#[derive(Clone, Debug)]
pub(super) struct Routine {
    /// When.
    pub(super) timing: Timing,
    /// What.
    pub(super) activity: Activity,
}

impl Routine {
    /// Events a day: those that scale with the wanted volume, and those that do not.
    pub(super) fn expected(&self) -> (f64, f64) {
        let size = self.activity.expected();
        match self.timing {
            Timing::Volume(per_day, rhythm) => (per_day * rhythm.share_of_week() * size, 0.0),
            Timing::Rate(per_day, rhythm) => (0.0, per_day * rhythm.share_of_week() * size),
            Timing::Every(seconds) => (0.0, 86_400.0 / seconds as f64 * size),
            Timing::At(days, _) => (0.0, days.per_day() * size),
        }
    }

    /// The same in an organisation that is this much less busy: fewer times rather than fewer kinds of things.
    pub(super) fn slow_down(&mut self, share: f64) {
        match &mut self.timing {
            Timing::Volume(..) => {}
            Timing::Rate(per_day, _) => *per_day *= share.sqrt(),
            Timing::Every(seconds) => *seconds = ((*seconds as f64 / share / 60.0) as i64 * 60).min(43_200),
            Timing::At(..) => {}
        }
        if let Activity::Episode(episode) = &mut self.activity {
            for most in [&mut episode.bursts.0, &mut episode.bursts.1] {
                *most = (*most as f64 * share.sqrt()).ceil() as i64;
            }
            for most in [&mut episode.calls.0, &mut episode.calls.1] {
                *most = (*most as f64 * share.sqrt()).ceil() as i64;
            }
        }
    }

    /// The starts of the activity within an hour.
    fn starts(&self, hour: &Hour, dice: &mut Dice) -> Vec<i64> {
        let at_random =
            |count: u64, dice: &mut Dice| (0..count).map(|_| hour.start + dice.within((0, 3_599))).collect();
        match self.timing {
            Timing::Rate(per_day, rhythm) => {
                let count = dice.count(per_day / 24.0 * rhythm.weight(hour));
                at_random(count, dice)
            }
            Timing::Volume(per_day, rhythm) => {
                let count = dice.count(per_day / 24.0 * rhythm.weight(hour) * hour.volume);
                at_random(count, dice)
            }
            Timing::Every(seconds) => {
                let first = hour.start + (seconds - hour.start.rem_euclid(seconds)) % seconds;
                let late = dice.within((0, seconds.min(60) - 1));
                (first..hour.start + 3_600)
                    .step_by(seconds.cast_unsigned() as usize)
                    .map(|t| t + late)
                    .collect()
            }
            Timing::At(days, at) if hour.of_day == at && days.contains(hour) => {
                vec![hour.start + dice.within((60, 900))]
            }
            Timing::At(..) => Vec::new(),
        }
    }
}

/// How a caller comes by its credentials.
#[derive(Clone, Debug)]
pub(super) enum Sessions {
    /// One session for good: a user's key, an AWS service.
    Fixed(Rc<Session>),
    /// New credentials every so many seconds under one name; the record of the renewal, if it is logged.
    Renewed { every: i64, name: String, address: String, record: Option<RecordId> },
    /// New credentials for every episode: a name, or the beginning of one that a number completes.
    PerEpisode { name: String, numbered: Numbered, addresses: Vec<String> },
}

/// Whether session names repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// The same name each time.
    No,
    /// A new number each time.
    Yes,
}

/// Somebody who does things.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    /// Names its stream of random choices.
    pub(super) name: String,
    /// Its credentials.
    pub(super) sessions: Sessions,
    /// What it does.
    pub(super) routines: Vec<Routine>,
    /// When it appears.
    pub(super) from: i64,
}

impl Actor {
    /// Plans what the actor begins in an hour; an episode may last longer.
    pub(super) fn plan(&self, hour: &Hour, out: &mut Vec<Planned>) {
        if hour.start < self.from {
            return;
        }
        let mut dice = Dice::new(hour.seed.wrapping_add(hour.start.cast_unsigned()), &self.name);
        self.renew(hour, out);
        for routine in &self.routines {
            // Sessions that last are made once an hour, not once an event.
            let mut lasting: Option<Rc<Session>> = None;
            for start in routine.starts(hour, &mut dice) {
                let session = match &lasting {
                    Some(session) if self.is_in(session, start) => Rc::clone(session),
                    _ => self.session(start, &mut dice),
                };
                lasting = Some(Rc::clone(&session));
                let mut call = |time, record| {
                    out.push(Planned { time, record, session: Rc::clone(&session), label: None });
                };
                match &routine.activity {
                    Activity::Call(menu) => {
                        if let Some(record) = menu.pick(&mut dice) {
                            call(start, record);
                        }
                    }
                    Activity::Episode(episode) => episode.play(start, &mut dice, call),
                }
            }
        }
    }

    /// The session the actor is in at a time, or begins then.
    pub(super) fn session(&self, time: i64, dice: &mut Dice) -> Rc<Session> {
        match &self.sessions {
            Sessions::Fixed(session) => Rc::clone(session),
            Sessions::Renewed { every, name, address, .. } => {
                Session::temporary(name, self.renewal(time, *every), address)
            }
            Sessions::PerEpisode { name, numbered, addresses } => {
                let name = match numbered {
                    Numbered::No => name.clone(),
                    Numbered::Yes => format!("{name}{}", 10_000_000_000 + dice.below(9_999_999_999)),
                };
                Session::temporary(&name, time, dice.pick::<String>(addresses))
            }
        }
    }

    /// Whether what begins at a time still belongs to a session.
    fn is_in(&self, session: &Session, time: i64) -> bool {
        match &self.sessions {
            Sessions::Fixed(_) => true,
            Sessions::Renewed { every, .. } => (session.start..session.start + every).contains(&time),
            Sessions::PerEpisode { .. } => false,
        }
    }

    /// When the session that holds at `time` began. Each actor renews at its own minute.
    fn renewal(&self, time: i64, every: i64) -> i64 {
        let offset = Dice::new(0, &self.name).within((0, every - 1));
        (time - offset).div_euclid(every) * every + offset
    }

    fn renew(&self, hour: &Hour, out: &mut Vec<Planned>) {
        if let Sessions::Renewed { every, name, address, record: Some(record) } = &self.sessions {
            let last = hour.start + 3_599;
            let mut begun = self.renewal(last, *every);
            while begun >= hour.start {
                let session = Session::temporary(name, begun, address);
                out.push(Planned { time: begun, record: *record, session, label: None });
                begun -= every;
            }
        }
    }
}
