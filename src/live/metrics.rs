//! Counts of an invocation in CloudWatch's embedded metric format (AWS, "CloudWatch embedded metric format specification").
//!
//! They reconcile: `records = judged + records_skipped`, `notices = objects + notices_ignored` but for repeats and broken
//! messages, `findings = alerts + alerts_failed + alerts_known +
//! alerts_suppressed + alerts_held`.

use serde_json::{Map, Value, json};
use trailhound_detectors::EventTime;

use super::coverage::Coverage;
use super::report::Report;

const NAMESPACE: &str = "Trailhound";

/// The lines to log for an invocation of a function: one for all, and one for each detector that alerted.
pub fn lines(report: &Report, function: &str, now: EventTime) -> Vec<Value> {
    let Report { tally, store, alerts, .. } = report;
    let skipped: u64 = tally.skipped.values().sum();
    let counts = [
        ("messages", report.messages),
        ("messages_failed", report.failed.len() as u64),
        ("notices_ignored", report.ignored.values().sum()),
        ("objects", report.objects),
        ("objects_failed", tally.files.failed + tally.files.cut),
        ("records", tally.records),
        ("judged", tally.judged),
        ("records_skipped", skipped),
        ("records_late", tally.late),
        ("bytes_read", tally.bytes_read),
        ("keys", report.keys),
        ("cache_hits", store.cache_hits),
        ("store_reads", store.reads),
        ("store_writes", store.writes),
        ("conflicts", store.conflicts),
        ("store_notes", store.notes),
        ("findings", alerts.found),
        ("alerts", alerts.published.values().sum()),
        ("alerts_failed", alerts.failed),
        ("alerts_known", alerts.known),
        ("alerts_suppressed", alerts.suppressed),
        ("alerts_held", alerts.held),
        ("config_reload_failed", u64::from(report.kept_old_config)),
    ];
    let mut times: Vec<(&str, i64)> =
        report.delay.into_iter().map(|delay| ("delay_seconds", delay)).collect();
    for (name, share) in [("lateness_p50_seconds", 0.5), ("lateness_p99_seconds", 0.99)] {
        times.extend(tally.lateness.quantile(share).map(|seconds| (name, seconds)));
    }
    let mut all = line("function", function, &counts, now);
    add_seconds(&mut all, &times);
    // Told, but not metrics: reasons are many, and each metric costs.
    all.insert("ignored".into(), json!(report.ignored));
    all.insert("skipped".into(), json!(tally.skipped));
    let by_detector = alerts.published.iter().map(|(detector, count)| {
        Value::Object(line("detector", detector, &[("alerts_by_detector", *count)], now))
    });
    std::iter::once(Value::Object(all)).chain(by_detector).collect()
}

/// The line to log for a look at what is covered.
pub fn coverage(coverage: &Coverage, function: &str, tick: EventTime) -> Value {
    let mut blind: Vec<&str> = coverage.blind.iter().map(|spot| spot.detector).collect();
    blind.dedup();
    let counts = [
        ("accounts", coverage.accounts as u64),
        ("accounts_silent", coverage.silent as u64),
        ("day_objects", coverage.objects),
        ("day_objects_skipped", coverage.skipped.values().sum()),
        ("day_records", coverage.records),
        ("day_records_skipped", coverage.records_skipped),
        ("detectors_blind", blind.len() as u64),
    ];
    let mut all = line("function", function, &counts, tick);
    if let Some((half, most)) = coverage.lateness {
        add_seconds(&mut all, &[("day_lateness_p50_seconds", half), ("day_lateness_p99_seconds", most)]);
    }
    all.insert("skipped".into(), json!(coverage.skipped));
    all.insert("blind".into(), json!(coverage.blind));
    all.insert("silent".into(), json!(coverage.silences));
    Value::Object(all)
}

/// Adds metrics in seconds to a line.
fn add_seconds(line: &mut Map<String, Value>, times: &[(&str, i64)]) {
    for (name, seconds) in times {
        let metrics = line["_aws"].pointer_mut("/CloudWatchMetrics/0/Metrics").and_then(Value::as_array_mut);
        if let Some(metrics) = metrics {
            metrics.push(json!({ "Name": name, "Unit": "Seconds" }));
            line.insert((*name).to_owned(), (*seconds).into());
        }
    }
}

fn line(dimension: &str, value: &str, counts: &[(&str, u64)], now: EventTime) -> Map<String, Value> {
    let metrics: Vec<Value> =
        counts.iter().map(|(name, _)| json!({ "Name": name, "Unit": "Count" })).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": now.0.saturating_mul(1_000),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[dimension]], "Metrics": metrics }],
        }),
    );
    line.insert(dimension.into(), value.into());
    line.extend(counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_announced_has_a_value() {
        let mut report = Report { messages: 3, delay: Some(61), ..Report::default() };
        report.tally.lateness.note(200);
        report.alerts.published.insert("policy_change".into(), 2);
        let lines = lines(&report, "trailhound", EventTime(1_772_409_600));
        assert_eq!(lines.len(), 2);
        let look = Coverage { lateness: Some((240, 900)), accounts: 3, ..Coverage::default() };
        let look = coverage(&look, "trailhound", EventTime(1_772_409_600));
        assert_eq!((&look["accounts"], &look["day_lateness_p99_seconds"]), (&json!(3), &json!(900)));
        for line in lines.iter().chain([&look]) {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert!(line[directive["Dimensions"][0][0].as_str().unwrap()].is_string());
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
            }
            assert_eq!(line["_aws"]["Timestamp"], 1_772_409_600_000i64);
        }
        assert_eq!((&lines[0]["messages"], &lines[1]["alerts_by_detector"]), (&json!(3), &json!(2)));
    }
}
