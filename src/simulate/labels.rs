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

    /// The labels, one for each detector; none when the simulated time ended before anything happened.
    pub(super) fn into_labels(self) -> impl Iterator<Item = Label> {
        let Self { label, mut found_by } = self;
        if label.key_events.is_empty() {
            found_by.clear();
        }
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
