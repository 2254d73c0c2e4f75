//! The simulated organisation: its accounts, everybody who acts in them, and every record they can cause.

use std::rc::Rc;

use super::Options;
use super::call::Calls;
use super::caller::{Caller, Session};
use super::clock::Hour;
use super::dice::Dice;
use super::labels::Plot;
use super::record::{Compiled, NOT_ALLOWED, Outcome, Record};
use super::routine::{Actor, Planned, RecordId};
use super::template::Bindings;

/// Where the organisation lives.
pub(super) const HOME: &str = "eu-west-1";

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Organisation, billing, security tooling.
    Management,
    /// Customers depend on it; data events are logged.
    Production,
    /// Nobody depends on it.
    Development,
}

/// An account, and what incidents need to know of what is in it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) purpose: Purpose,
    /// Functions; each has a role, a table and a bucket of its own.
    pub(super) functions: Vec<Function>,
    /// IAM users with long-lived keys.
    pub(super) users: Vec<User>,
    /// People who may change nearly everything, and were there from the beginning.
    pub(super) people: Vec<String>,
    /// Roles of instances, with one instance each.
    pub(super) instances: Vec<Machine>,
    /// The place of the CI role's sessions.
    pub(super) delivery_role: String,
}

/// A Lambda function.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// Its name; the role is `NAME-role`, the table `NAME`, the bucket `NAME-ACCOUNT`.
    pub(super) name: String,
    /// Where its calls come from.
    pub(super) address: String,
}

/// An EC2 instance.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Its role.
    pub(super) role: String,
    /// Its id: the session name.
    pub(super) id: String,
    /// Where its calls come from.
    pub(super) address: String,
}

/// An IAM user.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) name: String,
    /// The long-lived key's session.
    pub(super) key: Rc<Session>,
}

/// The organisation and everything that will happen in it.
pub(super) struct World {
    /// `o-…`.
    pub(super) organization: String,
    /// The accounts; the first is the one that manages the organisation.
    pub(super) accounts: Vec<Account>,
    /// Everybody.
    pub(super) actors: Vec<Actor>,
    /// Every record that can occur.
    pub(super) records: Vec<Compiled>,
    /// Scripted events, in order of time.
    pub(super) scripted: Vec<Planned>,
    /// What was planted.
    pub(super) plots: Vec<Plot>,
    calls: Calls,
}

impl World {
    /// An organisation of accounts, still empty.
    pub(super) fn new(options: &Options, calls: Calls) -> Self {
        let mut dice = Dice::new(options.stream(), "organisation");
        let accounts = account_ids(&mut dice).take(options.accounts as usize).enumerate();
        Self {
            organization: format!("o-{}example", dice.base32(3).to_lowercase()),
            accounts: accounts.map(|(number, id)| Account::new(number, id, options.accounts)).collect(),
            actors: Vec::new(),
            records: Vec::new(),
            scripted: Vec::new(),
            plots: Vec::new(),
            calls,
        }
    }

    /// Writes records of a caller's calls in a region.
    pub(super) fn scribe<'w>(&'w mut self, caller: &Caller, region: &str) -> Scribe<'w> {
        Scribe { world: self, caller: caller.clone(), region: region.to_owned() }
    }

    /// Events a day on average: those that scale with the wanted volume, and those that do not.
    pub(super) fn expected(&self) -> (f64, f64) {
        let routines = self.actors.iter().flat_map(|actor| &actor.routines);
        routines
            .map(super::routine::Routine::expected)
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Everything that begins in an hour.
    pub(super) fn plan(&self, hour: &Hour, out: &mut Vec<Planned>) {
        for actor in &self.actors {
            actor.plan(hour, out);
        }
        let from = self.scripted.partition_point(|event| event.time < hour.start);
        let to = self.scripted.partition_point(|event| event.time < hour.start + 3_600);
        out.extend_from_slice(&self.scripted[from..to]);
    }
}

impl Account {
    fn new(number: usize, id: String, of: u32) -> Self {
        let purpose = match number {
            0 if of > 1 => Purpose::Management,
            n if n % 2 == 1 || of == 1 => Purpose::Production,
            _ => Purpose::Development,
        };
        Self {
            id,
            purpose,
            functions: Vec::new(),
            users: Vec::new(),
            people: Vec::new(),
            instances: Vec::new(),
            delivery_role: String::new(),
        }
    }
}

/// Account ids as AWS's documentation makes them up: four times one digit, four times another, four times a third.
fn account_ids(dice: &mut Dice) -> impl Iterator<Item = String> + use<> {
    let mut triples: Vec<u64> =
        (0..1_000).filter(|n| n / 100 != n / 10 % 10 && n / 10 % 10 != n % 10).collect();
    dice.shuffle(&mut triples);
    triples
        .into_iter()
        .map(|n| [n / 100, n / 10 % 10, n % 10].map(|digit| digit.to_string().repeat(4)).concat())
}

/// Compiles the records of one caller.
pub(super) struct Scribe<'w> {
    world: &'w mut World,
    caller: Caller,
    region: String,
}

impl Scribe<'_> {
    /// A call that goes through.
    pub(super) fn done(&mut self, action: &str, names: Bindings<'_>) -> RecordId {
        self.ended(action, Outcome::Done, names)
    }

    /// A call nobody allowed.
    pub(super) fn denied(&mut self, action: &str, names: Bindings<'_>) -> RecordId {
        self.ended(action, NOT_ALLOWED, names)
    }

    /// A call with any outcome.
    pub(super) fn ended(&mut self, action: &str, outcome: Outcome<'_>, names: Bindings<'_>) -> RecordId {
        let call = self.world.calls.get(action);
        let record = Record { caller: &self.caller, call: &call, region: &self.region, outcome, names };
        self.world.records.push(record.compile());
        (self.world.records.len() - 1) as RecordId
    }
}
