//! Texts of documents, each kept once, as long as something refers to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A document, by the first half of the SHA-256 of its text: a re-apply costs no second copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digest([u8; 16]);

impl Digest {
    /// The digest of a document's text.
    pub(crate) fn of(text: &str) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
        Self(digest)
    }
}

/// Exactly the texts that are referred to, with how often they are: to look through all changes of a resource for whether one
/// more refers to a text would cost with every change of a busy hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Documents(BTreeMap<Digest, (Arc<str>, usize)>);

impl Documents {
    /// A text.
    pub(crate) fn get(&self, digest: Digest) -> Option<&Arc<str>> {
        self.0.get(&digest).map(|(text, _)| text)
    }

    /// Something more refers to a text.
    pub(crate) fn refer(&mut self, digest: Digest, text: &Arc<str>) {
        self.0.entry(digest).or_insert_with(|| (Arc::clone(text), 0)).1 += 1;
    }

    /// How often each text is referred to.
    #[cfg(test)]
    pub(crate) fn references(&self) -> impl Iterator<Item = (Digest, usize)> {
        self.0.iter().map(|(digest, (_, references))| (*digest, *references))
    }

    /// Something refers to it no more.
    pub(crate) fn release(&mut self, digest: Digest) {
        if let Some((_, references)) = self.0.get_mut(&digest) {
            *references -= 1;
            if *references == 0 {
                self.0.remove(&digest);
            }
        }
    }
}

/// The texts alone.
impl Serialize for Documents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(digest, (text, _))| (digest, text)))
    }
}
