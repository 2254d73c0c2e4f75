//! Objects: fetched and listed.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Answer, BUCKET, Call, Inner, locked};
use crate::http::decoded;

/// Few, so that listings have pages.
const PAGE: usize = 25;

pub(super) fn error(status: &'static str, code: &str) -> Answer {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as asked for</Message></Error>");
    Answer { headers: vec![("Content-Type", "application/xml".into())], ..Answer::new(status, body) }
}

/// Refuses what is asked of other buckets than the trail's: one is forbidden, one lies in another region.
fn refused(bucket: &str, region: &str) -> Option<Answer> {
    match (bucket, region) {
        (BUCKET, _) | ("elsewhere", "eu-west-1") => None,
        ("elsewhere", _) => {
            let mut answer = error("301 Moved Permanently", "PermanentRedirect");
            answer.headers.push(("x-amz-bucket-region", "eu-west-1".into()));
            Some(answer)
        }
        ("forbidden", _) => Some(error("403 Forbidden", "AccessDenied")),
        _ => Some(error("404 Not Found", "NoSuchBucket")),
    }
}

impl Inner {
    pub(super) fn fetch(&self, call: &Call) -> Answer {
        // A path says `+` as it is.
        let path = decoded(&call.path.replace('+', "%2B"));
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        if let Some(refused) = refused(bucket, &call.region) {
            return refused;
        }
        locked(&self.fetched).insert(key.to_owned());
        let object = locked(&self.objects).get(key).map(Arc::clone);
        match object {
            Some(bytes) => Answer::new("200 OK", bytes.as_slice()),
            None => error("404 Not Found", "NoSuchKey"),
        }
    }

    pub(super) fn list(&self, call: &Call) -> Answer {
        let bucket = call.path.trim_matches('/');
        if let Some(refused) = refused(bucket, &call.region) {
            return refused;
        }
        let asked = |name: &str| call.query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, delimiter, after) = (asked("prefix"), asked("delimiter"), asked("continuation-token"));
        let objects = locked(&self.objects);
        let mut entries: Vec<(String, Option<usize>)> = Vec::new();
        let keys = objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, bytes) in keys {
            let inner = key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty());
            let entry = match inner {
                Some(end) => (key[..prefix.len() + end + delimiter.len()].to_owned(), None),
                None => (key.clone(), Some(bytes.len())),
            };
            if entries.last() != Some(&entry) && entry.0.as_str() > after {
                entries.push(entry);
            }
        }
        let is_truncated = entries.len() > PAGE;
        entries.truncate(PAGE);
        let mut xml =
            format!("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>");
        for (name, size) in &entries {
            let name = name.replace('&', "&amp;").replace('<', "&lt;");
            let _ = match size {
                Some(size) => write!(xml, "<Contents><Key>{name}</Key><Size>{size}</Size></Contents>"),
                None => write!(xml, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            };
        }
        if let Some((last, _)) = entries.last().filter(|_| is_truncated) {
            let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
        }
        xml += "</ListBucketResult>";
        Answer { headers: vec![("Content-Type", "application/xml".into())], ..Answer::new("200 OK", xml) }
    }
}
