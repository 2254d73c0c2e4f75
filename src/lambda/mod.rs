//! Trailhound as a Lambda function: the live engine between the Runtime API and AWS.
//!
//! Nothing is put off until the answer is given: what an invocation answered for is in the table and at the topic. So a
//! process may be frozen or killed at any moment, and there is nothing to do when it is told to end.

mod configuration;
mod parameter;
mod settings;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;
use trailhound_detectors::EventTime;

use crate::aws;
use crate::ingest::envelope::{self, Invocation, Message};
use crate::ingest::s3::S3;
use crate::live::{Live, Moment, Ports, Report, metrics};
use crate::sink::sns::Topic;
use crate::store::dynamo::DynamoTable;
use configuration::Configuration;
use settings::Environment;

pub use configuration::ConfigurationError;
pub use settings::StartError;

/// Kept of an invocation's time for the answer.
const ANSWERING: Duration = Duration::from_millis(750);
/// The message that an invocation is which came by no queue.
const DIRECT: &str = "invocation";

type Engine = Live<DynamoTable, S3, Topic>;

/// The function, started once, asked many times, perhaps from several invocations at once.
struct Function {
    engine: Engine,
    configuration: Configuration,
    name: String,
}

/// Runs the function until its process is ended.
pub async fn run() -> Result<(), Error> {
    tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_target(false).init();
    let function = match Function::start().await {
        Ok(function) => Arc::new(function),
        Err(error) => {
            tracing::error!(%error, "failed to start");
            return Err(error.into());
        }
    };
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.invoke(event).await }
    }))
    .await
}

impl Function {
    async fn start() -> Result<Self, StartError> {
        let sdk = aws::of_function();
        let Environment { table, topic, function, settings, configuration } = Environment::read(&sdk).await?;
        let ports = Ports {
            table: DynamoTable::new(aws::dynamodb(&sdk), table),
            source: S3::new(aws::s3(&sdk)),
            sink: Topic::new(aws_sdk_sns::Client::new(&sdk), topic),
        };
        let engine = Live::new(settings, ports).map_err(|(name, error)| StartError::Detector(name, error))?;
        tracing::info!(config = &*engine.config(), "started");
        Ok(Self { engine, configuration, name: function })
    }

    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let LambdaEvent { payload, context } = event;
        match envelope::invocation(&payload)? {
            Invocation::Queue(messages) => {
                let report = self.handle(&messages, &context).await;
                let mut answer = SqsBatchResponse::default();
                report.failed.iter().for_each(|id| answer.add_failure(id));
                Ok(serde_json::to_value(answer)?)
            }
            Invocation::Direct(notices) => {
                let report = self.handle(&[Message { id: DIRECT.to_owned(), notices }], &context).await;
                if report.failed.is_empty() {
                    return Ok(Value::Null);
                }
                Err("not everything could be done: the invocation must come again".into())
            }
            Invocation::Schedule(tick) => self.look(tick, &context).await,
        }
    }

    async fn handle(&self, messages: &[Message], context: &Context) -> Report {
        let started = Instant::now();
        let moment = moment(context);
        let kept_old_config = self.reload(context).await;
        let mut report = self.engine.handle(messages, moment).await;
        report.kept_old_config = kept_old_config;
        self.log_troubles(&report, context);
        tracing::info!(
            request_id = context.request_id,
            messages = report.messages,
            failed = report.failed.len(),
            objects = report.objects,
            records = report.tally.records,
            alerts = report.alerts.published.values().sum::<u64>(),
            held = report.alerts.held,
            config = &*self.engine.config(),
            duration_ms = milliseconds(started),
            "handled"
        );
        log_metrics(metrics::lines(&report, &self.name, moment.now));
        report
    }

    /// A scheduled look. One that is incomplete has failed, so that it comes again.
    async fn look(&self, tick: EventTime, context: &Context) -> Result<Value, Error> {
        let started = Instant::now();
        let moment = moment(context);
        let kept_old_config = self.reload(context).await;
        let mut look = self.engine.look(tick, moment).await;
        look.report.kept_old_config = kept_old_config;
        self.log_troubles(&look.report, context);
        tracing::info!(
            request_id = context.request_id,
            tick = %tick,
            accounts = look.coverage.accounts,
            silent = look.coverage.silent,
            is_incomplete = look.is_incomplete,
            config = &*self.engine.config(),
            duration_ms = milliseconds(started),
            "looked"
        );
        log_metrics(metrics::lines(&look.report, &self.name, moment.now));
        if look.is_incomplete {
            return Err("not everything could be looked at: the schedule must come again".into());
        }
        log_metrics([metrics::coverage(&look.coverage, &self.name, tick)]);
        Ok(Value::Null)
    }

    /// Takes over a changed configuration. Answers whether there is one that can't be, and the old one was kept.
    async fn reload(&self, context: &Context) -> bool {
        let request_id = context.request_id.as_str();
        match self.configuration.reload().await {
            Ok(None) => false,
            Ok(Some(config)) => match self.engine.reconfigure(config) {
                Ok(()) => {
                    tracing::info!(request_id, config = &*self.engine.config(), "another configuration");
                    false
                }
                Err((detector, error)) => {
                    tracing::error!(request_id, detector, %error, "kept the old configuration");
                    true
                }
            },
            Err(error) => {
                tracing::error!(request_id, %error, config = &*self.engine.config(), "kept the old configuration");
                true
            }
        }
    }

    fn log_troubles(&self, report: &Report, context: &Context) {
        for trouble in &report.troubles {
            tracing::warn!(request_id = context.request_id, trouble);
        }
    }
}

/// Metrics that can't be written are no reason to do the work again.
fn log_metrics(lines: impl IntoIterator<Item = Value>) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn moment(context: &Context) -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(context.deadline).saturating_sub(now).saturating_sub(ANSWERING);
    Moment { now: EventTime(now.as_secs().cast_signed()), deadline: Instant::now() + left }
}
