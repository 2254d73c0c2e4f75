//! Objects in S3.

pub mod list;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::get_object::GetObjectOutput;

use super::envelope::ObjectRef;
use super::source::{FetchError, Source};

/// How often an object is asked for again because its bytes stopped coming; refused requests are retried by the client.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles from there.
const PAUSE: Duration = Duration::from_millis(100);

/// Objects in S3.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// Through a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn open(&self, object: &ObjectRef) -> Result<GetObjectOutput, FetchError> {
        let get = self.client.get_object().bucket(&*object.bucket).key(&*object.key);
        get.send().await.map_err(|e| match e.code() {
            // Without s3:ListBucket a missing key is answered like a forbidden one.
            Some("NoSuchKey" | "NoSuchBucket" | "AccessDenied") => FetchError::Missing,
            Some("InvalidObjectState") => FetchError::Archived,
            // Customer keys, and keys of KMS that are disabled or gone: about this object alone.
            Some(code) if code == "InvalidRequest" || code.starts_with("KMS.") => {
                FetchError::Refused(code.to_owned())
            }
            _ => FetchError::Failed(e.into()),
        })
    }
}

impl Source for S3 {
    async fn fetch(&self, object: &ObjectRef, limit: u64) -> Result<Vec<u8>, FetchError> {
        let mut attempt = 1;
        loop {
            let opened = self.open(object).await?;
            match collect(opened, limit).await {
                Err(FetchError::Failed(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE * 2u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }
}

/// The whole body. What it says of its size is checked before, and counted while it comes.
async fn collect(opened: GetObjectOutput, limit: u64) -> Result<Vec<u8>, FetchError> {
    let stated = opened.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    if stated > limit {
        return Err(FetchError::TooLarge { limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stated).unwrap_or(0));
    let mut body = opened.body;
    while let Some(chunk) = body.try_next().await.map_err(|e| FetchError::Failed(e.into()))? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(FetchError::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
