//! An alert as a message of SNS: JSON for machines, text for people, attributes for filter policies, within SNS's limits.

use std::fmt::Write as _;

use serde_json::json;

use crate::alert::Alert;

/// A message may have 256 KiB, attributes included (AWS, "Amazon SNS quotas"); some of it is left for those.
pub const MAX_BYTES: usize = (256 << 10) - (4 << 10);
/// Longest subject of an e-mail (AWS, SNS `Publish`), less one.
const MAX_SUBJECT: usize = 99;
/// Evidence listed in an e-mail.
const LISTED: usize = 5;

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// With `MessageStructure=json`: a text for each protocol.
    pub body: String,
    /// The subject of e-mails: ASCII on one line.
    pub subject: String,
    /// For filter policies: name and value.
    pub attributes: Vec<(&'static str, String)>,
    /// FIFO topics: alerts of one account stay in order.
    pub group: String,
    /// FIFO topics: the same alert in the same revision is the same message.
    pub deduplication: String,
}

impl Message {
    /// The message of an alert. What is too large loses evidence, never its id.
    pub fn of(alert: &Alert) -> Self {
        let mut attributes = vec![
            ("detector", alert.detector.clone().into_owned()),
            ("kind", alert.kind.clone().into_owned()),
            ("severity", alert.severity.name().to_owned()),
            ("account", alert.account.clone()),
        ];
        attributes.extend(alert.region.clone().map(|region| ("region", region)));
        // An attribute must not be empty, nor of any length: accounts and regions are what logs say.
        attributes.retain(|(_, value)| !value.is_empty() && value.len() <= 256);
        Self {
            body: body(alert),
            subject: subject(alert),
            attributes,
            group: group(&alert.account),
            deduplication: format!("{}-{}", alert.id, alert.revision),
        }
    }
}

impl Message {
    /// What it counts towards the limit of a request, with some room for what wraps it.
    pub fn bytes(&self) -> usize {
        const WRAPPING: usize = 64;
        let attributes: usize =
            self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len()).sum();
        self.body.len() + self.subject.len() + attributes + WRAPPING
    }
}

fn body(alert: &Alert) -> String {
    let mut trimmed = alert.clone();
    loop {
        let body = structured(&trimmed);
        if body.len() <= MAX_BYTES {
            return body;
        }
        if !halve(&mut trimmed) {
            // Nothing but single overlong texts is left.
            shorten(&mut trimmed);
            return structured(&trimmed);
        }
    }
}

fn structured(alert: &Alert) -> String {
    // An alert is plain values under string keys: there is nothing in it that JSON can't say.
    let machine = serde_json::to_string(alert).unwrap_or_default();
    let text = text(alert);
    json!({ "default": machine, "email": text, "sms": subject(alert) }).to_string()
}

/// Halves the longest of the lists; false when none has two entries.
fn halve(alert: &mut Alert) -> bool {
    let lists = [alert.evidence.len(), alert.actors.len(), alert.reasons.len(), alert.next_steps.len()];
    let Some((longest, len)) =
        lists.into_iter().enumerate().max_by_key(|(_, len)| *len).filter(|(_, len)| *len > 1)
    else {
        return false;
    };
    match longest {
        0 => alert.evidence.truncate(len / 2),
        1 => alert.actors.truncate(len / 2),
        2 => alert.reasons.truncate(len / 2),
        _ => alert.next_steps.truncate(len / 2),
    }
    true
}

fn shorten(alert: &mut Alert) {
    alert.evidence.clear();
    alert.actors.clear();
    alert.next_steps.clear();
    for text in [&mut alert.title, &mut alert.summary, &mut alert.entity.id, &mut alert.account] {
        *text = text.chars().take(1_000).collect();
    }
    for reason in &mut alert.reasons {
        reason.text = reason.text.chars().take(1_000).collect();
    }
    if let Some(actor) = &mut alert.actor {
        actor.id = actor.id.chars().take(1_000).collect();
        (actor.session, actor.access_key) = (None, None);
    }
}

/// ASCII without control characters: SNS refuses other subjects.
fn subject(alert: &Alert) -> String {
    let text = format!("[{}] {}", alert.severity, alert.title);
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(MAX_SUBJECT).collect()
}

/// A FIFO group takes 128 characters of few sorts.
fn group(account: &str) -> String {
    let group: String = account.chars().filter(char::is_ascii_alphanumeric).take(128).collect();
    if group.is_empty() { "none".to_owned() } else { group }
}

/// What a person reads. Strings from logs lose their control characters.
fn text(alert: &Alert) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "{words}");
    };
    line(format!("{} ({})", alert.title, alert.severity));
    line(String::new());
    line(alert.summary.clone());
    line(String::new());
    line(format!("Account: {}   Region: {}", alert.account, alert.region.as_deref().unwrap_or("several")));
    if let Some(actor) = &alert.actor {
        line(format!("Actor: {} ({})", actor.id, actor.kind));
    }
    line(format!("About: {} {}", alert.entity.kind, alert.entity.id));
    line(format!("When: {} to {}", alert.window.start, alert.window.end));
    for reason in &alert.reasons {
        line(format!("- {}", reason.text));
    }
    for evidence in alert.evidence.iter().take(LISTED) {
        line(format!(
            "  {} {} {} from {} in {}",
            evidence.event_time, evidence.event_name, evidence.event_id, evidence.source_ip, evidence.object
        ));
    }
    if alert.evidence_total > LISTED as u64 {
        line(format!("  {} events in all", alert.evidence_total));
    }
    for step in &alert.next_steps {
        line(format!("> {step}"));
    }
    line(format!("Alert {} (revision {}), {} {}", alert.id, alert.revision, alert.detector, alert.kind));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn alert() -> Alert {
        serde_json::from_str(include_str!("../../tests/fixtures/alert.json")).unwrap()
    }

    fn machine(message: &Message) -> Value {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        serde_json::from_str(body["default"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn machines_get_the_alert_and_people_a_text() {
        let message = Message::of(&alert());
        assert_eq!(serde_json::from_value::<Alert>(machine(&message)).unwrap(), alert());
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let email = body["email"].as_str().unwrap();
        assert!(email.contains(&alert().title) && email.contains(&alert().id), "{email}");
        assert!(message.attributes.contains(&("severity", alert().severity.to_string())));
        assert_eq!(message.deduplication, format!("{}-0", alert().id));
    }

    #[test]
    fn what_is_too_large_loses_evidence_and_keeps_its_id() {
        let mut large = alert();
        let evidence = large.evidence[0].clone();
        large.evidence = std::iter::repeat_n(evidence, 5_000).collect();
        let message = Message::of(&large);
        assert!(message.body.len() <= MAX_BYTES, "{}", message.body.len());
        let told = machine(&message);
        assert_eq!(told["id"], large.id.as_str());
        assert!(told["evidence"].as_array().unwrap().len() > 100, "no more is trimmed than must be");
        large.summary = "\u{1}".repeat(1 << 20);
        large.entity.id = "é".repeat(1 << 20);
        let message = Message::of(&large);
        assert!(message.body.len() <= MAX_BYTES, "{}", message.body.len());
        assert_eq!(machine(&message)["id"], large.id.as_str());
        assert!(message.bytes() <= 256 << 10, "with attributes and subject");
    }

    #[test]
    fn what_logs_say_breaks_no_subject_group_or_line() {
        let mut hostile = alert();
        hostile.title = format!("é\r\nBcc: x\u{1b}[31m{}", "y".repeat(300));
        hostile.account = "12#\n é".into();
        hostile.region = Some(String::new());
        let message = Message::of(&hostile);
        assert!(
            message.subject.len() <= MAX_SUBJECT
                && message.subject.bytes().all(|b| (b' '..=b'~').contains(&b))
        );
        assert_eq!(message.group, "12");
        assert!(!message.attributes.iter().any(|(name, _)| *name == "region"));
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let email = body["email"].as_str().unwrap();
        assert!(!email.contains('\u{1b}') && !email.contains('\r'), "{email}");
    }
}
