//! What lies in a bucket: folders are listed side by side, and only those that can hold what is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::S3;
use crate::ingest::folders::{Verdict, Wanted};
use crate::ingest::{LogFile, ObjectRef};

/// Folders listed at once.
const AT_ONCE: usize = 32;

/// A folder or an object of a bucket, as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The bucket.
    pub bucket: Arc<str>,
    /// The key, or the folder with or without its `/`; empty for the whole bucket.
    pub prefix: String,
}

impl Root {
    /// Reads `s3://bucket/folder`; nothing for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (bucket, prefix) =
            text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
        (!bucket.is_empty()).then(|| Self { bucket: bucket.into(), prefix: prefix.to_owned() })
    }
}

impl std::fmt::Display for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// What was found in a bucket.
#[derive(Debug, Default)]
pub struct Listing {
    /// Objects to read, in no particular order.
    pub files: Vec<LogFile>,
    /// Objects delivered outside the asked span that were met on the way.
    pub outside: u64,
}

/// Why a bucket can't be listed, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Nobody says who is asking.
    #[error(
        "no AWS credentials were found for {root}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
         after `aws sso login` run: eval \"$(aws configure export-credentials --format env)\""
    )]
    Credentials {
        /// What was to be listed.
        root: Root,
        /// What the search for credentials said.
        source: Said,
    },
    /// No such bucket.
    #[error("there is no bucket {0}: `aws s3 ls` lists those of your account")]
    NoBucket(Arc<str>),
    /// Not allowed.
    #[error(
        "access to {root} is denied ({code}): reading a trail takes s3:ListBucket on the bucket, s3:GetObject on its \
         objects, and kms:Decrypt where they are encrypted with a key of your own; `aws sts get-caller-identity` says who you are"
    )]
    Denied {
        /// What was to be listed.
        root: Root,
        /// The code S3 gave.
        code: String,
    },
    /// There is nothing.
    #[error("there is nothing at {0}: give the bucket, the folder that holds AWSLogs, or a folder below")]
    Nothing(Root),
    /// The bucket lies elsewhere.
    #[error("the bucket {bucket} lies in {region}: set AWS_REGION={region}")]
    Elsewhere {
        /// The bucket.
        bucket: Arc<str>,
        /// Where it lies.
        region: String,
    },
    /// Anything else.
    #[error("{root} could not be listed")]
    Failed {
        /// What was to be listed.
        root: Root,
        /// Why.
        source: Said,
    },
}

/// What a request failed with, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl S3 {
    /// Lists what is wanted below `root`; counts what was found so far in `found`.
    pub async fn list(&self, root: &Root, wanted: &Wanted, found: &AtomicU64) -> Result<Listing, ListError> {
        list(&self.client, root, wanted, found).await
    }
}

async fn list(
    client: &Client,
    root: &Root,
    wanted: &Wanted,
    found: &AtomicU64,
) -> Result<Listing, ListError> {
    let mut listing = Listing::default();
    let mut folders = vec![root.prefix.clone()];
    let mut under_way = FuturesUnordered::new();
    let mut is_anything = false;
    loop {
        while under_way.len() < AT_ONCE
            && let Some(folder) = folders.pop()
        {
            under_way.push(page(client, root, folder, None));
        }
        let Some(page_of) = under_way.next().await else { break };
        let Page { folder, folders: inner, objects, next } = page_of?;
        // A folder may be named without its slash, as in other tools; others that begin alike are not meant.
        let is_meant = |name: &str| {
            folder.is_empty()
                || folder.ends_with('/')
                || name.strip_prefix(&*folder).is_some_and(|n| matches!(n, "" | "/"))
        };
        let inner: Vec<String> = inner.into_iter().filter(|f| is_meant(f)).collect();
        is_anything |= !inner.is_empty();
        folders.extend(inner.into_iter().filter(|f| wanted.enters(f)));
        for (key, bytes) in objects.into_iter().filter(|(key, _)| is_meant(key)) {
            is_anything = true;
            let object = ObjectRef { bucket: Arc::clone(&root.bucket), key: key.into(), size: Some(bytes) };
            let file = LogFile::in_s3(object.clone(), bytes);
            match wanted.judge(&object.key, file.delivered()) {
                Verdict::Read => listing.files.push(file),
                Verdict::Outside => listing.outside += 1,
                Verdict::Other => {}
            }
        }
        found.store(listing.files.len() as u64, Ordering::Relaxed);
        if next.is_some() {
            under_way.push(page(client, root, folder, next));
        }
    }
    if is_anything { Ok(listing) } else { Err(ListError::Nothing(root.clone())) }
}

/// One answer about one folder.
struct Page {
    folder: String,
    folders: Vec<String>,
    objects: Vec<(String, u64)>,
    next: Option<String>,
}

async fn page(client: &Client, root: &Root, folder: String, from: Option<String>) -> Result<Page, ListError> {
    let list = client
        .list_objects_v2()
        .bucket(&*root.bucket)
        .prefix(&folder)
        .delimiter("/")
        .set_continuation_token(from);
    let listed = list.send().await.map_err(|error| refused(root, &error))?;
    let folders = listed.common_prefixes().iter().filter_map(|p| p.prefix().map(str::to_owned)).collect();
    let objects = listed.contents().iter().filter_map(|object| {
        Some((object.key()?.to_owned(), object.size().and_then(|size| u64::try_from(size).ok())?))
    });
    let objects = objects.collect();
    let next = listed.next_continuation_token.filter(|_| listed.is_truncated == Some(true));
    Ok(Page { folder, folders, objects, next })
}

fn refused(root: &Root, error: &SdkError<ListObjectsV2Error>) -> ListError {
    let root = root.clone();
    let region = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
    let said = Said(DisplayErrorContext(error).to_string());
    match (error.code(), region) {
        (Some("NoSuchBucket"), _) => ListError::NoBucket(root.bucket),
        (
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"),
            Some(region),
        ) => ListError::Elsewhere { bucket: root.bucket, region: region.to_owned() },
        (
            Some(
                code @ ("AccessDenied"
                | "AllAccessDisabled"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "AccountProblem"),
            ),
            _,
        ) => ListError::Denied { root, code: code.to_owned() },
        (None, _) if said.0.contains("credential") => ListError::Credentials { root, source: said },
        _ => ListError::Failed { root, source: said },
    }
}
