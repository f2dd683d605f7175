//! Spans for an OpenTelemetry collector, where one is configured: each is told once it is over, waits
//! in a bounded queue, and is sent with others by a thread of its own (OTLP over HTTP). A collector that
//! is slow or away costs spans and nothing else.

use std::{
    borrow::Cow,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

pub use opentelemetry::Value as Attribute;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanKind as OtelKind, Status, TraceFlags, TraceState},
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};

use crate::domain::TraceContext;

/// Below a collector's address; OTLP 1.0.
const TRACES_PATH: &str = "v1/traces";
/// For one batch.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// For what is left when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Of this process, like its log.
static EXPORT: OnceLock<Export> = OnceLock::new();

#[derive(Debug)]
struct Export {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

/// Which side of a conversation a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Answers a request.
    Server,
    /// Takes work from the queue.
    Consumer,
    /// A part of one of these.
    Part,
}

/// A piece of work that is over.
#[derive(Debug)]
pub struct Span {
    /// Its own place.
    pub context: TraceContext,
    /// What set it off; None at the beginning of a trace.
    pub parent: Option<TraceContext>,
    /// What was done, in one of few words: never an id.
    pub name: Cow<'static, str>,
    /// Which side.
    pub kind: SpanKind,
    /// When it began.
    pub began_at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What is known of it; no payload, no secret.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it did not end as it should.
    pub failed: bool,
}

/// Why no spans can be sent; a collector that is away is none of the reasons.
#[derive(Debug, thiserror::Error)]
#[error("failed to prepare for sending spans")]
pub struct SpansError(#[from] ExporterBuildError);

/// From now on spans go to the collector at `endpoint`, as those of `service`; a second call changes
/// nothing. What else the standard's variables ask for holds (`OTEL_EXPORTER_OTLP_HEADERS`,
/// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*`).
pub fn export_spans(
    endpoint: &str,
    service: &'static str,
    version: &'static str,
) -> Result<(), SpansError> {
    // The exporter's client brings no cryptography of its own and refuses to be made without. An error
    // means that the process has some already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/{TRACES_PATH}", endpoint.trim_end_matches('/')))
        .with_timeout(SEND_TIMEOUT)
        .build()?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", version));
    let is_named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    let resource = if is_named { resource } else { resource.with_service_name(service) };
    processor.set_resource(&resource.build());
    let scope = InstrumentationScope::builder("apprun").with_version(version).build();
    // The only failure is that somebody else was first.
    let _ = EXPORT.set(Export { processor, scope });
    Ok(())
}

/// Tells of a span, if anybody wants to know; never waits.
pub fn tell(span: impl FnOnce() -> Span) {
    if let Some(export) = EXPORT.get() {
        let span = span();
        if span.context.is_sampled() {
            export.processor.on_end(export.data_of(span));
        }
    }
}

/// Sends what waits, within a second; spans told afterwards are lost.
pub async fn flush_spans() {
    let Some(export) = EXPORT.get() else { return };
    let flush = move || export.processor.shutdown_with_timeout(FLUSH_TIMEOUT);
    // What goes wrong here was logged by the exporter.
    let _ = tokio::task::spawn_blocking(flush).await;
}

impl Export {
    fn data_of(&self, span: Span) -> SpanData {
        let attributes = span.attributes.into_iter();
        SpanData {
            span_context: SpanContext::new(
                span.context.trace_id().get().into(),
                span.context.span_id().get().into(),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: span.parent.map_or(0, |parent| parent.span_id().get()).into(),
            parent_span_is_remote: span.parent.is_some() && span.kind != SpanKind::Part,
            span_kind: match span.kind {
                SpanKind::Server => OtelKind::Server,
                SpanKind::Consumer => OtelKind::Consumer,
                SpanKind::Part => OtelKind::Internal,
            },
            name: span.name,
            start_time: span.began_at,
            end_time: span.began_at + span.took,
            attributes: attributes.map(|(name, value)| KeyValue::new(name, value)).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if span.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        }
    }
}
