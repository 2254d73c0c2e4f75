//! A stand-in for S3, DynamoDB and SNS in the process of the tests: quick, linearizable, and at fault on demand. It knows the
//! calls that Trailhound makes, and no others.

mod dynamo;
pub(crate) mod faults;
mod s3;
mod sns;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use serde_json::{Map, Value};
use trailhound::alert::Alert;

use crate::http::form;
use crate::runtime::{Request, read_message};
use faults::{Fate, Faults};

pub(crate) const BUCKET: &str = "trail";
/// Longer than a client waits for an answer.
const STALL: Duration = Duration::from_secs(22);

/// What a call asks for, by the step of the function it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// An object is fetched.
    Fetch,
    /// A folder is listed.
    List,
    /// Rows are read.
    Read,
    /// Facts are saved.
    Save,
    /// A row is deleted.
    Delete,
    /// The table is scanned.
    Scan,
    /// Alerts are published.
    Publish,
    /// An alert is recorded as published.
    Record,
}

/// One call, understood.
struct Call {
    step: Step,
    /// Made by the function or a command, not by the tests themselves.
    is_theirs: bool,
    region: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What is answered.
struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// A call at which the process that makes it is killed.
pub(crate) struct Trap {
    pub(crate) step: Step,
    /// So many calls of this step go well before.
    pub(crate) after: usize,
    /// Whether the call is carried out.
    pub(crate) moment: TrapMoment,
    /// Told when the trap has closed.
    pub(crate) closed: Sender<()>,
}

/// When, as seen by whoever is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrapMoment {
    /// The call has arrived, and nothing is done.
    Arrived,
    /// All is done, and the answer is not sent.
    Done,
}

#[derive(Default)]
pub(crate) struct Inner {
    objects: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
    rows: Mutex<BTreeMap<String, Map<String, Value>>>,
    published: Mutex<Vec<Alert>>,
    calls: Mutex<BTreeMap<Step, u64>>,
    fetched: Mutex<BTreeSet<String>>,
    faults: Mutex<Faults>,
    trap: Mutex<Option<Trap>>,
}

/// The stand-in; it listens until the tests end.
#[derive(Clone)]
pub(crate) struct Pocket {
    inner: Arc<Inner>,
    port: u16,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pocket {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let inner = Arc::<Inner>::default();
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let inner = Arc::clone(&served);
                std::thread::spawn(move || inner.converse(client));
            }
        });
        Self { inner, port }
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        locked(&self.inner.objects).insert(key.to_owned(), Arc::new(bytes.to_vec()));
    }

    /// Drops the row that says when a backlog was last worked on.
    pub(crate) fn forget_activity(&self) {
        locked(&self.inner.rows).remove("held#activity");
    }

    /// What goes wrong from now on.
    pub(crate) fn faults(&self, faults: Faults) {
        *locked(&self.inner.faults) = faults;
    }

    /// How many faults there were, by kind.
    pub(crate) fn faults_met(&self) -> BTreeMap<Fate, u64> {
        locked(&self.inner.faults).met.clone()
    }

    /// Sets a trap; it closes once.
    pub(crate) fn trap(&self, trap: Trap) {
        *locked(&self.inner.trap) = Some(trap);
    }

    /// Takes a trap away; whether it was still open.
    pub(crate) fn untrap(&self) -> bool {
        locked(&self.inner.trap).take().is_some()
    }

    /// Calls made since the last time this was asked, by step.
    pub(crate) fn take_calls(&self) -> BTreeMap<Step, u64> {
        std::mem::take(&mut *locked(&self.inner.calls))
    }

    /// How many keys were fetched since they were taken.
    pub(crate) fn fetched(&self) -> usize {
        locked(&self.inner.fetched).len()
    }

    /// Keys fetched since the last time this was asked.
    pub(crate) fn take_fetched(&self) -> BTreeSet<String> {
        std::mem::take(&mut *locked(&self.inner.fetched))
    }

    /// All that was published.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        locked(&self.inner.published).clone()
    }

    /// What a program must find in its environment, to be known by this name.
    pub(crate) fn environment_of(&self, name: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", name.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("TRAILHOUND_TABLE", "facts".to_owned()),
            ("TRAILHOUND_TOPIC", "arn:aws:sns:us-east-1:123456789012:alerts".to_owned()),
            ("TRAILHOUND_BUCKETS", BUCKET.to_owned()),
        ]
    }

    /// For programs that meet faults.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_of("trailhound")
    }
}

impl Inner {
    fn converse(&self, mut client: TcpStream) -> Option<()> {
        client.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(client.try_clone().ok()?);
        while let Some(request) = read_message(&mut reader) {
            let call = Call::of(request);
            *locked(&self.calls).entry(call.step).or_default() += 1;
            let fate = if call.is_theirs { locked(&self.faults).draw(call.step) } else { Fate::Fine };
            if call.is_theirs && call.step == Step::Fetch {
                let pace = locked(&self.faults).pace;
                std::thread::sleep(pace);
            }
            self.spring(&call, TrapMoment::Arrived);
            let answer = match fate {
                Fate::Refused => call.refusal(),
                Fate::Throttled => call.throttling(),
                Fate::Gone => return None,
                Fate::Stalled => {
                    std::thread::sleep(STALL);
                    return None;
                }
                _ => self.perform(&call, fate),
            };
            self.spring(&call, TrapMoment::Done);
            let answer = if fate == Fate::Lost { call.refusal() } else { answer };
            let bytes = answer.bytes();
            match fate {
                Fate::Cut => {
                    let _ = client.write_all(&bytes[..bytes.len() - answer.body.len() / 2 - 1]);
                    return None;
                }
                Fate::Dripping => faults::drip(&mut client, &bytes).ok()?,
                _ => client.write_all(&bytes).ok()?,
            }
        }
        Some(())
    }

    fn perform(&self, call: &Call, fate: Fate) -> Answer {
        match call.step {
            Step::Fetch => self.fetch(call),
            Step::List => self.list(call),
            Step::Read => self.read(call, fate),
            Step::Save | Step::Record => self.put(call),
            Step::Delete => self.delete(call),
            Step::Scan => self.scan(call),
            Step::Publish => self.publish(call, fate),
        }
    }

    /// Closes the trap if it is set for this call; the process that made it hears no more.
    fn spring(&self, call: &Call, moment: TrapMoment) {
        let closed = {
            let mut trap = locked(&self.trap);
            match &mut *trap {
                Some(set) if call.is_theirs && set.step == call.step && set.moment == moment => {
                    if set.after == 0 {
                        trap.take()
                    } else {
                        set.after -= 1;
                        None
                    }
                }
                _ => None,
            }
        };
        if let Some(trap) = closed {
            let _ = trap.closed.send(());
            std::thread::sleep(Duration::from_secs(3_600));
        }
    }
}

impl Call {
    fn of(request: Request) -> Self {
        let Request { line, headers, body } = request;
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // AWS4-HMAC-SHA256 Credential=NAME/DATE/REGION/SERVICE/aws4_request, …
        let signed = headers.get("authorization").map(String::as_str).unwrap_or_default();
        let scope: Vec<&str> = signed
            .split("Credential=")
            .nth(1)
            .and_then(|c| c.split(',').next())
            .unwrap_or_default()
            .split('/')
            .collect();
        let part = |n: usize| scope.get(n).copied().unwrap_or_default();
        let query = form(query);
        let step = match (part(3), headers.get("x-amz-target").and_then(|t| t.split('.').nth(1))) {
            ("s3", _) if query.contains_key("list-type") => Step::List,
            ("s3", _) => Step::Fetch,
            ("sns", _) => Step::Publish,
            (_, Some("BatchGetItem")) => Step::Read,
            (_, Some("PutItem")) if dynamo::is_record(&body) => Step::Record,
            (_, Some("PutItem")) => Step::Save,
            (_, Some("DeleteItem")) => Step::Delete,
            (_, Some("Scan")) => Step::Scan,
            (service, target) => panic!("nobody knows {line} of {service} {target:?}"),
        };
        Self {
            step,
            is_theirs: part(0) == "trailhound",
            region: part(2).to_owned(),
            path: path.to_owned(),
            query,
            body,
        }
    }

    fn refusal(&self) -> Answer {
        match self.step {
            Step::Fetch | Step::List => s3::error("503 Service Unavailable", "InternalError"),
            Step::Publish => sns::error("503 Service Unavailable", "ServiceUnavailable"),
            _ => dynamo::error("500 Internal Server Error", "InternalServerError"),
        }
    }

    fn throttling(&self) -> Answer {
        match self.step {
            Step::Fetch | Step::List => s3::error("503 Slow Down", "SlowDown"),
            Step::Publish => sns::error("429 Too Many Requests", "Throttled"),
            _ => dynamo::error("400 Bad Request", "ProvisionedThroughputExceededException"),
        }
    }
}
