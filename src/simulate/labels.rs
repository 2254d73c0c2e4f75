//! What was planted, as a detection engineer would label it after the fact.

use serde::Serialize;

use super::Options;

/// Whether an alert has to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// The detector has to find it.
    Must,
    /// The detector should find it.
    Should,
    /// An alert is no mistake, silence neither.
    May,
    /// An alert is a false one.
    MustNot,
}

/// An event a label points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyEvent {
    /// `eventID`.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// `eventName`.
    #[serde(rename = "eventName")]
    pub event_name: String,
    /// `eventTime`.
    #[serde(rename = "eventTime")]
    pub event_time: String,
    /// `errorCode`.
    #[serde(rename = "errorCode", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
}

/// One thing that was planted, and the detector it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Names shape and seed.
    pub dataset: String,
    /// The log objects that hold the key events, relative to the simulation's folder.
    pub files: Vec<String>,
    /// MITRE ATT&CK techniques, or `none`.
    pub technique: String,
    /// What happens.
    pub description: String,
    /// Time of the first and the last key event.
    pub window: [String; 2],
    /// ARNs of those who do it, sessions included.
    pub actors: Vec<String>,
    /// The first key events; a flood has more than are listed.
    pub key_events: Vec<KeyEvent>,
    /// How many there are.
    pub key_events_total: usize,
    /// The detector, or `none`.
    pub which_detector_should_fire: &'static str,
    /// Whether it has to.
    pub expectation: Expectation,
    /// Hostile, not merely conspicuous.
    pub attack: bool,
    /// Where the truth comes from.
    pub source_states: &'static str,
    /// What was concluded rather than known.
    pub inferred: &'static str,
}

/// A label lists so many key events at most.
const LISTED: usize = 300;

/// The labels of all plots, one for each plot and detector; none of plots that nothing happened in before the simulated time
/// ended. `of_firsts` is the detector that tells of what is new.
pub(super) fn labels(mut plots: Vec<Plot>, of_firsts: &str) -> Vec<Label> {
    plots.retain(|plot| !plot.label.key_events.is_empty());
    let is_of_firsts = |plot: &Plot| plot.found_by.first().is_some_and(|(first, _)| *first == of_firsts);
    let earlier = |plot: &Plot| plots.iter().filter(|earlier| plot.repeats(earlier)).count();
    let repeats: Vec<usize> =
        plots.iter().map(|plot| if is_of_firsts(plot) { earlier(plot) } else { 0 }).collect();
    plots.iter_mut().zip(repeats).for_each(|(plot, repeats)| plot.repeated(repeats));
    plots.into_iter().flat_map(Plot::into_labels).collect()
}

/// The role of a session's ARN; any other ARN as it is, as is that of a person, whom only the session names.
fn sessionless(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((account, session)) if !session.starts_with("AWSReservedSSO_") => {
            format!("{account}:role/{}", session.split('/').next().unwrap_or(session))
        }
        _ => arn.to_owned(),
    }
}

/// Something planted, and which detectors have to say so: one label for each of them.
pub(super) struct Plot {
    label: Label,
    found_by: Vec<(&'static str, Expectation)>,
}

impl Plot {
    /// A plot nothing has happened in yet.
    pub(super) fn new(
        options: &Options,
        (technique, description): (&str, &str),
        found_by: Vec<(&'static str, Expectation)>,
    ) -> Self {
        let (_, expectation) = found_by.first().copied().unwrap_or(("none", Expectation::May));
        let label = Label {
            dataset: format!("simulated-{}-{}", options.shape.name(), options.seed),
            files: Vec::new(),
            technique: technique.to_owned(),
            description: description.to_owned(),
            window: [String::new(), String::new()],
            actors: Vec::new(),
            key_events: Vec::new(),
            key_events_total: 0,
            which_detector_should_fire: "none",
            expectation,
            attack: expectation == Expectation::Must,
            source_states: "planted by `trailhound simulate`",
            inferred: "nothing",
        };
        Self { label, found_by }
    }

    /// Adds an actor, or something else an alert may name.
    pub(super) fn involve(&mut self, name: &str) {
        if !name.is_empty() && !self.label.actors.iter().any(|known| known == name) {
            self.label.actors.push(name.to_owned());
        }
    }

    /// Whether the same was done before by the same actor, whichever session it was.
    fn repeats(&self, earlier: &Self) -> bool {
        // Who does it enters first.
        let who = |label: &Label| label.actors.first().map(|arn| sessionless(arn));
        let (label, earlier) = (&self.label, &earlier.label);
        label.description == earlier.description
            && label.window[0] > earlier.window[0]
            && who(label) == who(earlier)
    }

    /// What has to be found as something new is new once. Where another detector should tell of it, that one has to the second
    /// time; later it has become usual to all of them.
    fn repeated(&mut self, before: usize) {
        let [(_, first @ Expectation::Must), (_, second @ Expectation::Should), ..] = &mut *self.found_by
        else {
            return;
        };
        match before {
            0 => {}
            1 => std::mem::swap(first, second),
            _ => *first = Expectation::Should,
        }
    }

    fn into_labels(self) -> impl Iterator<Item = Label> {
        let Self { label, found_by } = self;
        found_by.into_iter().map(move |(detector, expectation)| Label {
            which_detector_should_fire: detector,
            expectation,
            ..label.clone()
        })
    }

    /// Takes in a key event and the file it went to. Events come in order of time, nearly.
    pub(super) fn note(&mut self, event: KeyEvent, file: &str) {
        let time = event.event_time.clone();
        let label = &mut self.label;
        if label.key_events_total == 0 || time < label.window[0] {
            label.window[0].clone_from(&time);
        }
        if time > label.window[1] {
            label.window[1] = time;
        }
        label.key_events_total += 1;
        if label.key_events.len() < LISTED {
            label.key_events.push(event);
            if let Err(at) = label.files.binary_search_by(|known| (**known).cmp(file)) {
                label.files.insert(at, file.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Expectation::{Must, Should};

    use super::*;

    fn plot(first: &'static str, session: &str, time: &str) -> Plot {
        let mut plot = Plot::new(
            &Options::default(),
            ("T1098", "makes itself an administrator"),
            vec![(first, Must), ("policy_change", Should)],
        );
        plot.involve(&format!("arn:aws:sts::111122223333:assumed-role/{session}"));
        plot.involve("arn:aws:iam::111122223333:user/support-temp");
        if !time.is_empty() {
            let (event_id, event_name) = (String::new(), String::new());
            let event = KeyEvent { event_id, event_name, event_time: time.to_owned(), error_code: None };
            plot.note(event, "file");
        }
        plot
    }

    fn expected(plots: Vec<Plot>) -> Vec<Expectation> {
        labels(plots, "new").into_iter().map(|label| label.expectation).collect()
    }

    #[test]
    fn who_does_the_same_again_is_left_to_the_second_detector() {
        let (first, again) = (plot("new", "web/i-1", "2026-03-02"), plot("new", "web/i-2", "2026-03-09"));
        assert_eq!(expected(vec![again, first]), [Should, Must, Must, Should]);
        let times = ["2026-03-02", "2026-03-09", "2026-03-12"];
        let often = times.map(|time| plot("new", "web/i-1", time));
        assert_eq!(expected(often.into()), [Must, Should, Should, Must, Should, Should]);
    }

    #[test]
    fn others_what_is_not_new_and_what_did_not_happen_repeat_nothing() {
        let first = || plot("new", "web/i-1", "2026-03-02");
        assert_eq!(
            expected(vec![first(), plot("new", "db/i-3", "2026-03-09")]),
            [Must, Should, Must, Should]
        );
        assert_eq!(expected(vec![first(), plot("new", "web/i-1", "")]), [Must, Should]);
        let person = |name, time| plot("new", &format!("AWSReservedSSO_PowerUser_0/{name}"), time);
        let people = vec![person("kim", "2026-03-02"), person("lee", "2026-03-09")];
        assert_eq!(expected(people), [Must, Should, Must, Should]);
        let mut alone = plot("new", "web/i-2", "2026-03-09");
        alone.found_by[1].1 = Expectation::May;
        assert_eq!(expected(vec![first(), alone]), [Must, Should, Must, Expectation::May]);
        let known = |time| plot("known", "web/i-1", time);
        assert_eq!(expected(vec![known("2026-03-02"), known("2026-03-09")]), [Must, Should, Must, Should]);
    }
}
