//! What goes wrong in a stand-in, and how often.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Step;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It is answered as it should be.
    Fine,
    /// 5xx, and nothing was done.
    Refused,
    /// Too many requests, and nothing was done.
    Throttled,
    /// Done, and then 5xx.
    Lost,
    /// The connection ends without an answer, and nothing was done.
    Gone,
    /// Done; the connection ends in the middle of the answer.
    Cut,
    /// Done; the answer comes in drips.
    Dripping,
    /// Half of it is done, and the answer says so, where the service can.
    Partial,
    /// No answer comes for longer than anybody waits.
    Stalled,
}

const OFTEN: [Fate; 7] =
    [Fate::Refused, Fate::Throttled, Fate::Lost, Fate::Gone, Fate::Cut, Fate::Dripping, Fate::Partial];

/// What goes wrong, and how often.
pub(crate) struct Faults {
    rng: Pcg64Mcg,
    /// One call in so many; 0 for none.
    one_in: u32,
    /// So many of them stall, of those to come.
    stalls: u32,
    /// Every fetch takes so long.
    pub(super) pace: Duration,
    /// How often each happened.
    pub(crate) met: BTreeMap<Fate, u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self::one_in(0, 0, 0)
    }
}

impl Faults {
    /// One call in so many goes wrong; `stalls` of them are not answered at all, now and then.
    pub(crate) fn one_in(one_in: u32, stalls: u32, seed: u64) -> Self {
        Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            one_in,
            stalls,
            pace: Duration::ZERO,
            met: BTreeMap::new(),
        }
    }

    /// All goes well, but every fetch takes so long.
    pub(crate) fn slow(pace: Duration) -> Self {
        Self { pace, ..Self::default() }
    }

    pub(super) fn draw(&mut self, step: Step) -> Fate {
        if self.one_in == 0 || self.rng.random_range(0..self.one_in) != 0 {
            return Fate::Fine;
        }
        let fate = if self.stalls > 0 && self.rng.random_range(0..50) == 0 {
            self.stalls -= 1;
            Fate::Stalled
        } else {
            OFTEN[self.rng.random_range(0..OFTEN.len())]
        };
        // Only these services can do half of what they are asked.
        let fate = match (fate, step) {
            (Fate::Partial, Step::Read | Step::Publish) => Fate::Partial,
            (Fate::Partial, _) => Fate::Throttled,
            (fate, _) => fate,
        };
        *self.met.entry(fate).or_default() += 1;
        fate
    }
}

/// Half a second of drips, and then the rest.
pub(super) fn drip(client: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let (drips, rest) = bytes.split_at(bytes.len().min(400));
    for drip in drips.chunks(16) {
        client.write_all(drip)?;
        client.flush()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    client.write_all(rest)
}
