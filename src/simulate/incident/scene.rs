//! The stage on which incidents are acted out.

use std::rc::Rc;

use crate::simulate::Options;
use crate::simulate::agents::{CONSOLE, LAPTOP, RUNTIME, TERRAFORM};
use crate::simulate::caller::{Caller, Session};
use crate::simulate::dice::Dice;
use crate::simulate::record::Outcome;
use crate::simulate::routine::{Planned, RecordId};
use crate::simulate::template::Bindings;
use crate::simulate::world::{Account, Function, HOME, Purpose, User, World};

/// Somebody on stage.
pub(super) struct Role {
    pub(super) caller: Caller,
    pub(super) session: Rc<Session>,
    pub(super) region: &'static str,
}

/// One incident being acted out: events are added at the scene's time, which only moves on.
pub(super) struct Scene<'w> {
    world: &'w mut World,
    pub(super) dice: Dice,
    /// The time of the next event.
    pub(super) now: i64,
    /// What a flood has to exceed in a larger organisation: about ten times a busy function's five minutes.
    pub(super) scale: u64,
    label: Option<u32>,
    account: usize,
    /// How many scenes of its kind were acted out before.
    turn: usize,
    /// Accounts in production.
    stages: usize,
}

impl<'w> Scene<'w> {
    /// A scene in an account in production. The same kind of thing hits others each time, as long as there are others: who was
    /// robbed has new credentials, and what was opened is closed.
    pub(super) fn new(
        world: &'w mut World,
        options: &Options,
        (start, stream, turn): (i64, &str, usize),
        label: Option<u32>,
    ) -> Self {
        let dice = Dice::new(options.seed, stream);
        let in_production: Vec<usize> = (0..world.accounts.len())
            .filter(|account| world.accounts[*account].purpose == Purpose::Production)
            .collect();
        // Where it begins is left to chance, the rest follows.
        let first = dice_of_kind(options.seed, stream).below(in_production.len() as u64) as usize;
        let stages = in_production.len();
        let account = in_production[(first + turn) % stages];
        let scale = options.events_per_day / 100;
        Self { world, dice, now: start, scale, label, account, turn, stages }
    }

    /// Moves the scene to another account.
    pub(super) fn move_to(&mut self, account: usize) {
        self.account = account;
    }

    /// Where it happens.
    pub(super) fn account(&self) -> &Account {
        &self.world.accounts[self.account]
    }

    /// The account's id.
    pub(super) fn id(&self) -> String {
        self.account().id.clone()
    }

    /// An account that has nothing to do with the organisation.
    pub(super) fn foreign_account(&mut self) -> String {
        format!("9{:011}", self.dice.below(100_000_000_000))
    }

    /// Where attackers call from.
    pub(super) fn outside(&mut self) -> String {
        format!("203.0.113.{}", 1 + self.dice.below(254))
    }

    /// One of several, another one each time the scene comes back to the account.
    fn next_of<T: Clone>(&self, several: &[T]) -> T {
        several[(self.turn / self.stages) % several.len()].clone()
    }

    /// One of the account's functions.
    pub(super) fn function(&self) -> Function {
        let functions = &self.account().functions;
        // The first few have tables worth reading and were there from the beginning.
        self.next_of(&functions[..functions.len().min(3)])
    }

    /// One of the functions with a public API: the first two.
    pub(super) fn public_function(&self) -> Function {
        let functions = &self.account().functions;
        self.next_of(&functions[..functions.len().min(2)])
    }

    /// One of the account's IAM users.
    pub(super) fn user(&self) -> User {
        self.next_of(&self.account().users)
    }

    /// The role of a function, calling from an address with a user agent.
    pub(super) fn function_role(&mut self, function: &Function, address: &str, agent: &str) -> Role {
        let caller = Caller::role(&self.id(), &format!("{}-role", function.name), agent);
        self.role(caller, Session::temporary(&function.name, self.now - 1_800, address))
    }

    /// The role of a function, calling from within the function.
    pub(super) fn function_itself(&mut self, function: &Function) -> Role {
        self.function_role(function, &function.address.clone(), RUNTIME)
    }

    /// A user's long-lived key in a stranger's hands.
    pub(super) fn stolen_key(&mut self, user: &User) -> Role {
        let address = self.outside();
        let caller = Caller::user(&self.id(), &user.name, LAPTOP);
        self.role(caller, Session::new("", &user.key.key, 0, &address))
    }

    /// The role of an instance, its credentials taken out of it.
    pub(super) fn stolen_instance(&mut self) -> Role {
        let mut machines = self.account().instances.clone();
        machines.dedup_by(|a, b| a.role == b.role);
        let machine = self.next_of(&machines);
        let address = self.outside();
        let caller = Caller::instance(&self.id(), &machine.role, LAPTOP);
        self.role(caller, Session::temporary(&machine.id, self.now - 3_600, &address))
    }

    /// The browser session of somebody who may change things, in a stranger's hands.
    pub(super) fn hijacked_person(&mut self) -> Role {
        let address = self.outside();
        let person = self.next_of(&self.account().people);
        let caller = Caller::permission_set(&self.id(), HOME, "PowerUserAccess", LAPTOP);
        self.role(caller, Session::temporary(&format!("{person}@example.com"), self.now - 2_400, &address))
    }

    /// Somebody who administers the organisation, at the desk.
    pub(super) fn administrator(&mut self) -> Role {
        let management = self.world.accounts[0].id.clone();
        let caller = Caller::permission_set(&management, HOME, "AdministratorAccess", CONSOLE);
        self.role(caller, Session::temporary("mary.major@example.com", self.now - 600, "192.0.2.10"))
    }

    /// A CI run.
    pub(super) fn ci_run(&mut self) -> Role {
        let role = self.account().delivery_role.clone();
        let caller = Caller::role(&self.id(), &role, TERRAFORM);
        let name = format!("run-{}", 10_000_000_000 + self.dice.below(9_999_999_999));
        let address = format!("198.51.100.{}", 1 + self.dice.below(254));
        self.role(caller, Session::temporary(&name, self.now - 30, &address))
    }

    /// Anybody.
    pub(super) fn role(&mut self, caller: Caller, session: Rc<Session>) -> Role {
        let arn = caller.arn_in(&session);
        self.involve(&arn);
        Role { caller, session, region: HOME }
    }

    /// Names something in the label that alerts may be about: a function, an address.
    pub(super) fn involve(&mut self, entity: &str) {
        if let Some(label) = self.label {
            self.world.plots[label as usize].involve(entity);
        }
    }

    /// Lets time pass, within a range of seconds.
    pub(super) fn wait(&mut self, seconds: (i64, i64)) {
        self.now += self.dice.within(seconds);
    }

    /// A call that goes through.
    pub(super) fn done(&mut self, role: &Role, action: &str, names: Bindings<'_>) {
        self.ended(role, action, Outcome::Done, names);
    }

    /// A call with an outcome.
    pub(super) fn ended(&mut self, role: &Role, action: &str, outcome: Outcome<'_>, names: Bindings<'_>) {
        let record = self.record(role, action, outcome, names);
        self.happen(role, record);
        self.now += self.dice.within((0, 2));
    }

    /// Compiles a record that will happen often.
    pub(super) fn record(
        &mut self,
        role: &Role,
        action: &str,
        outcome: Outcome<'_>,
        names: Bindings<'_>,
    ) -> RecordId {
        self.world.scribe(&role.caller, role.region).ended(action, outcome, names)
    }

    /// A record happens once, now.
    pub(super) fn happen(&mut self, role: &Role, record: RecordId) {
        let session = Rc::clone(&role.session);
        self.world.scripted.push(Planned { time: self.now, record, session, label: self.label });
    }

    /// Records happen at random, so many in so many seconds.
    pub(super) fn flood(&mut self, role: &Role, records: &[RecordId], count: u64, seconds: i64) {
        let start = self.now;
        for number in 0..count {
            self.now = start + (number as i64 * seconds) / count.cast_signed();
            let record = *self.dice.pick(records);
            self.happen(role, record);
        }
        self.now = start + seconds;
    }
}

/// The choices all scenes of a kind share: a stream's name is its kind and a number.
fn dice_of_kind(seed: u64, stream: &str) -> Dice {
    Dice::new(seed, stream.trim_end_matches(|c: char| c.is_ascii_digit()))
}
