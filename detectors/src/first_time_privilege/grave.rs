//! Calls that are grave whatever they are given: `data/grave_actions.tsv`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How much the first use of a call matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gravity {
    /// Worth points, rarely an alert alone.
    Medium,
    /// A step of known attacks.
    High,
    /// Blinds, unlocks or gives away what protects the rest.
    Critical,
}

/// A grave call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grave {
    pub(super) gravity: Gravity,
    /// ATT&CK technique.
    pub(super) technique: &'static str,
    /// What it does, to follow a name in a sentence.
    pub(super) effect: &'static str,
}

/// The grave call of this label (`service:Name`), if it is one.
pub(super) fn grave(label: &str) -> Option<&'static Grave> {
    TABLE.get(label)
}

static TABLE: LazyLock<BTreeMap<&'static str, Grave>> = LazyLock::new(|| {
    include_str!("../../data/grave_actions.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
});

fn row(line: &'static str) -> Option<(&'static str, Grave)> {
    let mut fields = line.split('\t');
    let (label, gravity) = (fields.next()?, fields.next()?);
    let gravity = match gravity {
        "medium" => Gravity::Medium,
        "high" => Gravity::High,
        "critical" => Gravity::Critical,
        _ => return None,
    };
    Some((label, Grave { gravity, technique: fields.next()?, effect: fields.next()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_names_a_call_and_a_technique() {
        let rows = include_str!("../../data/grave_actions.tsv").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(TABLE.len(), rows.count());
        for (label, grave) in TABLE.iter() {
            let (service, name) = label.split_once(':').unwrap();
            assert!(!service.contains('.') && name.starts_with(|c: char| c.is_ascii_uppercase()), "{label}");
            assert!(grave.technique.starts_with('T') && !grave.effect.is_empty(), "{label}");
        }
        assert_eq!(grave("cloudtrail:StopLogging").map(|g| g.gravity), Some(Gravity::Critical));
        assert!(grave("s3:GetObject").is_none());
    }
}
