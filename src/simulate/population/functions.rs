//! Lambda functions: who invokes them, and what their roles do.

use super::{Character, NEWCOMER, calls, machine_address};
use crate::simulate::agents::RUNTIME;
use crate::simulate::caller::{Caller, Session};
use crate::simulate::clock::Rhythm;
use crate::simulate::dice::{Dice, unique_id};
use crate::simulate::routine::{Actor, Sessions, Timing};
use crate::simulate::world::{Function, HOME, Purpose, World};

/// What invokes a function, and how busy it is.
#[derive(Clone, Copy)]
enum Trigger {
    /// Customers, through an API.
    Api(f64),
    /// Uploads.
    Bucket(f64),
    /// A queue.
    Queue(f64),
    /// A schedule: every so many seconds.
    Schedule(i64),
}

const FUNCTIONS: [(&str, Trigger); 9] = [
    ("orders-api", Trigger::Api(900.0)),
    ("payments-webhook", Trigger::Api(260.0)),
    ("thumbnailer", Trigger::Bucket(300.0)),
    ("inventory-sync", Trigger::Schedule(900)),
    ("session-cleaner", Trigger::Schedule(3_600)),
    ("search-indexer", Trigger::Queue(700.0)),
    ("mail-sender", Trigger::Queue(350.0)),
    ("clickstream", Trigger::Queue(1_500.0)),
    ("recommendations", Trigger::Api(500.0)),
];

pub(super) fn settle(world: &mut World, account: usize, character: Character) {
    let (count, scale) = match world.accounts[account].purpose {
        Purpose::Management => (0, 0.0),
        Purpose::Production => (character.functions, 1.0),
        Purpose::Development => (2, 0.15),
    };
    for (name, trigger) in &FUNCTIONS[..count] {
        function(world, account, name, *trigger, scale);
    }
    if world.accounts[account].purpose == Purpose::Production {
        let (_, trigger) = FUNCTIONS[6];
        function(world, account, &format!("loyalty-points {NEWCOMER}"), trigger, 0.5);
    }
}

fn function(world: &mut World, account: usize, stream: &str, trigger: Trigger, scale: f64) {
    let name = stream.split(' ').next().unwrap_or(stream);
    let id = world.accounts[account].id.clone();
    let (principal, invocation, timing) = match trigger {
        Trigger::Api(rate) => {
            ("apigateway.amazonaws.com", "RequestResponse", Timing::Volume(rate * scale, Rhythm::Customers))
        }
        Trigger::Bucket(rate) => {
            ("s3.amazonaws.com", "Event", Timing::Volume(rate * scale, Rhythm::Customers))
        }
        Trigger::Queue(rate) => {
            ("lambda.amazonaws.com", "RequestResponse", Timing::Volume(rate * scale, Rhythm::Customers))
        }
        Trigger::Schedule(every) => ("events.amazonaws.com", "Event", Timing::Every(every)),
    };
    let invoker = Caller::service(&id, principal);
    let invoked =
        world.scribe(&invoker, HOME).done("lambda:Invoke", &[("function", name), ("invocation", invocation)]);
    world.actors.push(Actor {
        name: format!("{principal} {stream} {id}"),
        sessions: Sessions::Fixed(Session::service(principal)),
        routines: vec![calls(timing, [(1, invoked)])],
        from: 0,
    });
    let function = Function {
        name: name.to_owned(),
        address: machine_address(&mut Dice::new(0, &format!("{stream} {id}"))),
    };
    // A busy function calls out more often than a quiet one: about once an invocation.
    let work = match timing {
        Timing::Volume(rate, rhythm) => Timing::Volume(rate * 1.2, rhythm),
        other => other,
    };
    role(world, account, stream, &function, work);
    world.accounts[account].functions.push(function);
}

/// What the function's role does with its table, bucket and secret.
fn role(world: &mut World, account: usize, stream: &str, function: &Function, work: Timing) {
    let id = world.accounts[account].id.clone();
    let role = format!("{}-role", function.name);
    let bucket = format!("{}-{id}", function.name);
    let lambda = Caller::service(&id, "lambda.amazonaws.com");
    let role_id = unique_id("AROA", &format!("{id} {role}"));
    let renewed = world.scribe(&lambda, HOME).done(
        "sts:AssumeRole",
        &[("owner", &id), ("role", &role), ("role-id", &role_id), ("address", "lambda.amazonaws.com")],
    );
    let mut scribe = world.scribe(&Caller::role(&id, &role, RUNTIME), HOME);
    let (table, name) = (&*function.name, &*function.name);
    let menu = [
        (10, scribe.done("dynamodb:GetItem", &[("table", table)])),
        (5, scribe.done("dynamodb:PutItem", &[("table", table)])),
        (4, scribe.done("dynamodb:Query", &[("table", table)])),
        (3, scribe.done("s3:GetObject", &[("bucket", &bucket), ("key", "in/<serial:9000>.json")])),
        (2, scribe.done("s3:PutObject", &[("bucket", &bucket), ("key", "out/<serial:900000>.json")])),
        (3, scribe.done("kms:Decrypt", &[("context", "dynamodb"), ("resource", &format!("table/{table}"))])),
        (1, scribe.done("sqs:SendMessage", &[("queue", name)])),
    ];
    let start = [
        (8, scribe.done("logs:CreateLogStream", &[("function", name)])),
        (2, scribe.done("secretsmanager:GetSecretValue", &[("secret", &format!("{name}/credentials"))])),
        (
            1,
            scribe.done(
                "kms:Decrypt",
                &[("context", "secretsmanager"), ("resource", &format!("secret:{name}"))],
            ),
        ),
    ];
    world.actors.push(Actor {
        name: format!("{role} {stream} {id}"),
        sessions: Sessions::Renewed {
            every: 14_400,
            name: name.to_owned(),
            address: function.address.clone(),
            record: Some(renewed),
        },
        routines: vec![calls(work, menu), calls(Timing::Rate(24.0, Rhythm::Flat), start)],
        from: 0,
    });
}
