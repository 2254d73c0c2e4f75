//! Any text as a policy document, of every kind: it is judged or refused, and verdicts have reasons.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailhound_detectors::environment::Organization;
use trailhound_detectors::policy_change::{Kind, explain};

const KINDS: [Option<Kind>; 7] = [
    None,
    Some(Kind::Identity),
    Some(Kind::Trust),
    Some(Kind::Resource),
    Some(Kind::Guardrail),
    Some(Kind::Cedar),
    Some(Kind::OpenSearch),
];

fuzz_target!(|text: &str| {
    for kind in KINDS {
        let Ok(explanation) = explain(text, kind, "111122223333", &Organization::default()) else { continue };
        assert!(explanation.verdicts.iter().all(|verdict| !verdict.text.is_empty()));
        assert!(explanation.verdicts.is_sorted_by_key(|verdict| std::cmp::Reverse(verdict.severity)));
    }
});
