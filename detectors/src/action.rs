//! Which call an event is: service and name, interned once, with what is known about the pair.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table};
use std::hash::BuildHasher;

use crate::access_level::AccessLevel;
use crate::joined::Joined;
use crate::strings::glance;

/// A call, as (service, name): what detectors match on, and what they remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// `eventSource` as logged, for example `lambda.amazonaws.com`.
    pub source: Arc<str>,
    /// `eventName` as logged, for example `AddPermission20150331v2`.
    pub logged_name: Arc<str>,
    /// The service: the source without `.amazonaws.com`, lower case.
    pub service: Arc<str>,
    /// The name without the API version some services append: `AddPermission`.
    pub name: Arc<str>,
    /// `service:name`, the form people read and facts remember.
    pub label: Arc<str>,
    /// A stable hash of the label: the same in every process and release.
    pub id: ActionId,
    /// How dangerous the call is by its kind.
    pub level: AccessLevel,
    /// What sort of action it is to each detector of the catalogue, one byte each, by their order there, the first lowest; 0
    /// where none of its events are wanted.
    pub claims: u64,
}

/// A stable 64-bit hash of an action's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u64);

impl Action {
    /// An action from the two fields of a record.
    pub fn new(source: &str, logged_name: &str) -> Self {
        let service = service_of(source).to_ascii_lowercase();
        let name = strip_version(logged_name);
        let label: Arc<str> = format!("{service}:{name}").into();
        Self {
            source: source.into(),
            logged_name: logged_name.into(),
            level: AccessLevel::of(&service, name),
            service: service.into(),
            name: name.into(),
            id: ActionId(stable_hash(label.as_bytes())),
            label,
            claims: 0,
        }
    }

    /// Whether this is the call `name` of `service`.
    pub fn is(&self, service: &str, name: &str) -> bool {
        &*self.service == service && &*self.name == name
    }
}

/// `iam.amazonaws.com` → `iam`; what has another form stays whole.
pub fn service_of(source: &str) -> &str {
    source.strip_suffix(".amazonaws.com").unwrap_or(source)
}

/// Takes off the API version that Lambda and CloudFront append to names: `Invoke20150331`, `AddPermission20150331v2`,
/// `UpdateDistribution2020_05_31`.
pub fn strip_version(name: &str) -> &str {
    let without_revision = match name.rsplit_once('v') {
        Some((head, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => name,
    };
    for candidate in [without_revision, name] {
        let bytes = candidate.as_bytes();
        let Some(start) = bytes.iter().rposition(|b| !b.is_ascii_digit() && *b != b'_').map(|i| i + 1) else {
            continue;
        };
        let digits = bytes[start..].iter().filter(|b| b.is_ascii_digit()).count();
        if digits == 8 && bytes[start..].starts_with(b"20") && matches!(bytes.len() - start, 8 | 10) {
            return &name[..start];
        }
    }
    name
}

/// FNV-1a over the bytes, finished with a mixing step. Stable by definition: facts at rest depend on it.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: [u8; 8]| {
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3 ^ 0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().copied().for_each(&mut mix);
    if !rest.is_empty() {
        mix(padded(rest, bytes));
    }
    hash = (hash ^ bytes.len() as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The up to seven bytes `bytes` ends with and zeros, as one word; read at once where there are enough bytes before them.
fn padded(rest: &[u8], bytes: &[u8]) -> [u8; 8] {
    if let Some(last) = bytes.last_chunk::<8>() {
        return (u64::from_le_bytes(*last) >> (64 - 8 * rest.len())).to_le_bytes();
    }
    let mut word = [0; 8];
    word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    word
}

/// Actions seen so far, found without copying by the two fields of a record.
#[derive(Debug)]
pub struct ActionTable {
    all: Vec<Known>,
    /// The hash of each, and its place among all.
    table: HashTable<(u64, usize)>,
    /// Places of those met lately, by the ends of their fields: names that begin and end alike push each other out.
    lately: [usize; Self::LATELY],
    claims: fn(&Action) -> u64,
}

#[derive(Debug)]
struct Known {
    /// Source and name at one place, to compare them by.
    fields: Joined<2>,
    action: Arc<Action>,
}

/// Where in an [`ActionTable`] an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionPlace(usize);

impl ActionTable {
    const LATELY: usize = 512;

    /// An empty table; `claims` is asked once for each action.
    pub fn new(claims: fn(&Action) -> u64) -> Self {
        Self { all: Vec::new(), table: HashTable::new(), lately: [0; Self::LATELY], claims }
    }

    /// Where the action with these fields stands, from now on at the latest.
    pub fn intern(&mut self, source: &str, logged_name: &str) -> ActionPlace {
        let fields = [source, logged_name];
        let slot = glance(0, fields) as usize % Self::LATELY;
        let lately = self.lately[slot];
        if self.all.get(lately).is_some_and(|known| known.fields.is(&fields)) {
            return ActionPlace(lately);
        }
        let place = self.look_up(&fields);
        self.lately[slot] = place;
        ActionPlace(place)
    }

    fn look_up(&mut self, fields: &[&str; 2]) -> usize {
        let Self { all, table, claims, .. } = self;
        let hash = FixedState::default().hash_one(fields);
        let is_same = |(known, place): &(u64, usize)| *known == hash && all[*place].fields.is(fields);
        match table.entry(hash, is_same, |(known, _)| *known) {
            hash_table::Entry::Occupied(known) => known.get().1,
            hash_table::Entry::Vacant(slot) => {
                let mut action = Action::new(fields[0], fields[1]);
                action.claims = claims(&action);
                let place = all.len();
                slot.insert((hash, place));
                all.push(Known { fields: Joined::of(fields), action: Arc::new(action) });
                place
            }
        }
    }

    /// The action at a place this table gave.
    pub fn at(&self, ActionPlace(place): ActionPlace) -> &Arc<Action> {
        &self.all[place].action
    }

    /// The actions seen so far, in the order they were met.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Action>> + Clone {
        self.all.iter().map(|known| &known.action)
    }

    /// How many actions were seen.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_off_and_nothing_else_does() {
        for (logged, name) in [
            ("AddPermission20150331v2", "AddPermission"),
            ("AddPermission20150331", "AddPermission"),
            ("AddLayerVersionPermission20181031", "AddLayerVersionPermission"),
            ("UpdateDistribution2020_05_31", "UpdateDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("CreateTagsv2", "CreateTagsv2"),
            ("GetV2LoggingOptions", "GetV2LoggingOptions"),
            ("Invoke", "Invoke"),
            ("20150331", "20150331"),
            ("", ""),
            ("ÄddPermission20150331", "ÄddPermission"),
        ] {
            assert_eq!(strip_version(logged), name);
        }
    }

    #[test]
    fn the_stable_hash_is_stable() {
        assert_eq!(stable_hash(b"iam:CreateUser"), stable_hash(b"iam:CreateUser"));
        assert_ne!(stable_hash(b"a"), stable_hash(b"a\0"));
        // Facts at rest depend on these values.
        assert_eq!(stable_hash(b""), 17_126_877_336_604_512_952);
        for length in 0..40 {
            let bytes: Vec<u8> = (1..=length).collect();
            let (words, rest) = bytes.as_chunks::<8>();
            let mut whole = words.concat();
            whole.extend(rest);
            whole.resize(bytes.len().next_multiple_of(8), 0);
            if !rest.is_empty() {
                assert_eq!(padded(rest, &bytes), whole[words.len() * 8..], "{length}");
            }
        }
        assert_eq!(stable_hash(b"iam:CreateUser"), 9_043_443_069_256_257_823);
    }

    #[test]
    fn interning_gives_one_action_with_its_claims() {
        let mut table = ActionTable::new(|a| u64::from(&*a.service == "iam"));
        let first = table.intern("iam.amazonaws.com", "CreateUser");
        assert_eq!(table.intern("iam.amazonaws.com", "CreateUser"), first);
        assert_eq!((table.at(first).claims, &*table.at(first).label), (1, "iam:CreateUser"));
        let other = table.intern("ec2.amazonaws.com", "CreateUser");
        assert_eq!(table.at(other).claims, 0);
        assert_eq!(table.len(), 2);
        // Alike at both ends.
        let names =
            ["DescribeA1Instances", "DescribeB2Instances", "DescribeA1Instances", "DescribeB2Instances"];
        for name in names {
            let place = table.intern("ec2.amazonaws.com", name);
            assert_eq!(&*table.at(place).name, name);
            assert_eq!(table.intern("ec2.amazonaws.com", name), place);
        }
        assert_eq!(table.len(), 4);
    }
}
