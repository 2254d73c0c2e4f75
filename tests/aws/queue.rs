//! A queue as SQS plays it to a function: batches, messages that come again, and at last the dead-letter queue.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

use crate::runtime::{Answer, Function};

/// The function's timeout.
pub(crate) const TIME: Duration = Duration::from_secs(60);

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    /// How often a function had it and did not finish it.
    received: u32,
}

impl Message {
    pub(crate) fn new(id: impl Into<String>, body: impl Into<String>) -> Self {
        Self { id: id.into(), body: body.into(), received: 0 }
    }

    /// Word of a new object, as S3 writes it.
    pub(crate) fn of_object(id: impl Into<String>, key: &str, size: u64) -> Self {
        let encoded: String = key
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                b' ' => "+".to_owned(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let record = json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
            "s3": { "bucket": { "name": "trail" }, "object": { "key": encoded, "size": size } }
        });
        Self::new(id, json!({ "Records": [record] }).to_string())
    }
}

/// How a queue is played.
pub(crate) struct Play {
    pub(crate) handlers: usize,
    pub(crate) seed: u64,
    /// Processes that are killed, somewhere in their work.
    pub(crate) deaths: u32,
    /// One batch in so many gets too little time; 0 for none.
    pub(crate) hurried_one_in: u32,
    /// Messages that came so often are put aside.
    pub(crate) receives: u32,
}

impl Default for Play {
    fn default() -> Self {
        Self { handlers: 1, seed: 1, deaths: 0, hurried_one_in: 0, receives: 100 }
    }
}

#[derive(Default)]
struct State {
    waiting: Vec<Message>,
    under_way: usize,
    deaths: u32,
    dead: Vec<Message>,
}

/// What a batch of messages looks like to a function.
pub(crate) fn queue_event(messages: &[Message]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|m| json!({ "messageId": m.id, "body": m.body, "eventSource": "aws:sqs" }))
        .collect();
    json!({ "Records": records })
}

/// What the schedule sends.
pub(crate) fn schedule(time: &str) -> Value {
    json!({ "source": "aws.events", "detail-type": "Scheduled Event", "time": time, "detail": {} })
}

/// What a backlog showed is told once nothing of it was handled for ten minutes. Whoever asks has turned back time, in the one
/// row that says when that was.
pub(crate) fn settle(environment: &[(&'static str, String)]) {
    let function = Function::start(environment);
    for _ in 0..20 {
        function.invoke(&schedule("2026-03-20T00:00:00Z"), TIME);
        match function.answer(TIME) {
            Some(Answer::Response(_)) => return,
            Some(Answer::Failed(_)) => {}
            None => panic!("no answer in time"),
        }
    }
    panic!("something is held back for ever: {:?}", function.log());
}

/// The messages that an answer hands back.
pub(crate) fn handed_back(answer: &Value) -> BTreeSet<String> {
    let failures = answer["batchItemFailures"].as_array().expect("a batch response");
    failures.iter().map(|f| f["itemIdentifier"].as_str().expect("an id").to_owned()).collect()
}

/// Plays messages in any order, until all are done or dead: those are the answer.
pub(crate) fn play(
    messages: Vec<Message>,
    environment: &[(&'static str, String)],
    how: &Play,
) -> Vec<Message> {
    let mut rng = Pcg64Mcg::seed_from_u64(how.seed);
    let mut waiting = messages;
    waiting.shuffle(&mut rng);
    let state = Mutex::new(State { waiting, deaths: how.deaths, ..State::default() });
    std::thread::scope(|scope| {
        for handler in 0..how.handlers {
            let (state, seed) = (&state, how.seed ^ (handler as u64 + 1) << 32);
            scope.spawn(move || handle(state, environment, how, Pcg64Mcg::seed_from_u64(seed)));
        }
    });
    state.into_inner().unwrap_or_else(PoisonError::into_inner).dead
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One function's life, and that of its successors.
fn handle(state: &Mutex<State>, environment: &[(&'static str, String)], how: &Play, mut rng: Pcg64Mcg) {
    let mut function = Function::start(environment);
    loop {
        let (batch, dies) = {
            let mut state = locked(state);
            if state.waiting.is_empty() && state.under_way == 0 {
                return;
            }
            let size = rng.random_range(1..=100).min(state.waiting.len());
            let batch: Vec<Message> = state.waiting.drain(..size).collect();
            state.under_way += batch.len();
            let dies = state.deaths > 0 && !batch.is_empty() && rng.random_bool(0.4);
            state.deaths -= u32::from(dies);
            (batch, dies)
        };
        if batch.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let is_hurried = how.hurried_one_in > 0 && rng.random_range(0..how.hurried_one_in) == 0;
        let time = if is_hurried { Duration::from_millis(1_100) } else { TIME };
        function.invoke(&queue_event(&batch), time);
        // Somewhere between fetching and recording; where, the machine decides.
        let patience = if dies { Duration::from_millis(rng.random_range(5..1_500)) } else { TIME };
        let back = match function.answer(patience) {
            Some(Answer::Response(_)) if dies => None,
            Some(Answer::Response(answer)) => Some(handed_back(&answer)),
            Some(Answer::Failed(why)) => panic!("the function failed: {why}"),
            None => {
                function.kill();
                function = Function::start(environment);
                None
            }
        };
        let mut state = locked(state);
        state.under_way -= batch.len();
        for mut message in batch {
            // Answered or not, killed or not: the queue delivers at least once.
            if back.as_ref().is_none_or(|back| back.contains(&message.id)) {
                message.received += 1;
                if message.received >= how.receives {
                    state.dead.push(message)
                } else {
                    state.waiting.push(message)
                }
            }
        }
    }
}
