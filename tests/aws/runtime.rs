//! The Runtime API of Lambda, as a function's process sees it, and that process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, unbounded as channel};
use serde_json::Value;

/// One request of a client, read whole.
pub(crate) struct Request {
    pub(crate) line: String,
    /// By name, in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Reads one HTTP/1.1 message: its first line and its body.
pub(crate) fn read_message(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers.get("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        while let Some(chunk) = read_chunk(reader)? {
            body.extend(chunk);
        }
    }
    Some(Request { line: line.trim().to_owned(), headers, body })
}

/// One chunk of a body; nothing after the last.
fn read_chunk(reader: &mut BufReader<TcpStream>) -> Option<Option<Vec<u8>>> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(chunk.len() - 2);
    Some((!chunk.is_empty()).then_some(chunk))
}

/// What a function answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The response to the invocation.
    Response(Value),
    /// An error, or the end of the process.
    Failed(String),
}

/// The function's process with a Runtime API of its own.
pub(crate) struct Function {
    child: Child,
    invocations: Sender<(String, Duration)>,
    answers: Receiver<Answer>,
    started: Instant,
    asked: Receiver<Instant>,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

fn keep(lines: ChildStdout, log: &Mutex<Vec<String>>) {
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        log.lock().expect("a log").push(line);
    }
}

impl Function {
    /// Starts the real binary with this environment.
    pub(crate) fn start(environment: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (invocations, queue) = channel();
        let (answer, answers) = channel();
        let (ask, asked) = channel();
        std::thread::spawn(move || serve(&listener, &queue, &answer, &ask));
        let started = Instant::now();
        // Another build of it can be tried: the one to be deployed.
        let binary = std::env::var_os("TRAILHOUND_LAMBDA");
        let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_trailhound-lambda").into());
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "trailhound")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the function starts");
        let log = Arc::default();
        let lines = child.stdout.take().expect("its output");
        let keeper = Arc::clone(&log);
        let reader = std::thread::spawn(move || keep(lines, &keeper));
        Self { child, invocations, answers, started, asked, log, reader: Some(reader) }
    }

    /// What it logged so far, line by line.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = self.log.lock().expect("a log");
        log.iter().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
    }

    /// What it logged, once that holds more than so many lines of a sort: an answer may be here before the log that was
    /// written ahead of it.
    pub(crate) fn logged(&self, more_than: usize, sort: impl Fn(&Value) -> bool) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let log = self.log();
            if log.iter().filter(|line| sort(line)).count() > more_than {
                return log;
            }
            assert!(Instant::now() < until, "no such line: {log:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the process ends by itself; how, and what it logged.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let ended = self.child.wait().expect("a process");
        let _ = self.reader.take().map(JoinHandle::join);
        let log = self.log.lock().expect("a log").join("\n");
        (ended, log)
    }

    /// From the start of the process to its first call for an invocation.
    pub(crate) fn startup(&self) -> Duration {
        self.asked.recv_timeout(Duration::from_secs(20)).expect("the function asks for work") - self.started
    }

    /// Hands over an invocation.
    pub(crate) fn invoke(&self, payload: &Value, time: Duration) {
        self.invocations.send((payload.to_string(), time)).expect("the server lives");
    }

    /// The answer to the oldest invocation not answered yet, or nothing within this time.
    pub(crate) fn answer(&self, within: Duration) -> Option<Answer> {
        self.answers.recv_timeout(within).ok()
    }

    /// Answers, as they come.
    pub(crate) fn answers(&self) -> &Receiver<Answer> {
        &self.answers
    }

    /// Kills the process, as the kernel does when memory runs out.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a living process");
        self.child.wait().expect("a dead process");
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The runtime keeps one connection for `next` and opens others as it likes: each has a thread.
fn serve(
    listener: &TcpListener,
    queue: &Receiver<(String, Duration)>,
    answer: &Sender<Answer>,
    ask: &Sender<Instant>,
) {
    std::thread::scope(|scope| {
        let (wanted, wants) = channel::<TcpStream>();
        scope.spawn(move || {
            for (number, mut client) in wants.into_iter().enumerate() {
                let Ok((payload, time)) = queue.recv() else { return };
                let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: r-{number}\r\n\
                     Lambda-Runtime-Deadline-Ms: {}\r\n\
                     Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:trailhound\r\n\
                     Content-Length: {}\r\n\r\n",
                    deadline.as_millis(),
                    payload.len()
                );
                if client.write_all(&[head.as_bytes(), payload.as_bytes()].concat()).is_err() {
                    return;
                }
            }
        });
        for client in listener.incoming().flatten() {
            let _ = client.set_nodelay(true);
            let wanted = wanted.clone();
            let (answer, ask) = (answer.clone(), ask.clone());
            scope.spawn(move || converse(client, &wanted, &answer, &ask));
        }
    });
}

fn converse(
    mut client: TcpStream,
    wanted: &Sender<TcpStream>,
    answer: &Sender<Answer>,
    ask: &Sender<Instant>,
) {
    let Ok(reading) = client.try_clone() else { return };
    let mut reader = BufReader::new(reading);
    while let Some(Request { line, body, .. }) = read_message(&mut reader) {
        let path = line.split(' ').nth(1).unwrap_or_default();
        if path.ends_with("/invocation/next") {
            let _ = ask.send(Instant::now());
            let Ok(waiting) = client.try_clone() else { return };
            let _ = wanted.send(waiting);
            continue;
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let _ = answer.send(if path.ends_with("/response") {
            Answer::Response(serde_json::from_str(&text).unwrap_or_default())
        } else {
            Answer::Failed(format!("{path}: {text}"))
        });
        if client.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}
