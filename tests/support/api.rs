//! A Messages API on loopback that answers from a script.
//!
//! The CLI talks to any server named in `ANTHROPIC_BASE_URL`. Turns of the conversation carry `tools`;
//! requests without them (titles, token counts) are on the side and get a word at once. The answers of
//! the script go to the turns, in order; the last one repeats.

use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use super::bell::{Bell, lock};

/// What a request gets.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A streamed message.
    Text(String),
    /// A streamed call of a tool.
    Tool { name: &'static str, input: Value },
    /// An HTTP error with the API's error object.
    Error {
        status: u16,
        kind: &'static str,
        message: &'static str,
        headers: Vec<(&'static str, String)>,
    },
    /// The connection is closed with no answer.
    Drop,
    /// A stream that turns into an error behind a block of text: the message is not complete.
    Cut(String),
}

/// One entry of the script.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    reply: Reply,
    gated: bool,
}

impl Answer {
    fn new(reply: Reply) -> Self {
        Self {
            reply,
            gated: false,
        }
    }

    /// A message.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::new(Reply::Text(text.into()))
    }

    /// A call of the Bash tool.
    pub(crate) fn bash(command: &str) -> Self {
        Self::new(Reply::Tool {
            name: "Bash",
            input: json!({"command": command, "description": "Echo"}),
        })
    }

    /// A call of this tool.
    pub(crate) fn tool(name: &'static str, input: Value) -> Self {
        Self::new(Reply::Tool { name, input })
    }

    /// An error with its status, type and message.
    pub(crate) fn error(status: u16, kind: &'static str, message: &'static str) -> Self {
        Self::new(Reply::Error {
            status,
            kind,
            message,
            headers: Vec::new(),
        })
    }

    /// The 429 that is no usage limit.
    pub(crate) fn throttle() -> Self {
        Self::error(429, "rate_limit_error", "Rate limited")
    }

    /// A closed connection.
    pub(crate) fn drop_connection() -> Self {
        Self::new(Reply::Drop)
    }

    /// A message cut behind its first block; one cut before that, the CLI asks for again by itself.
    pub(crate) fn cut(text: impl Into<String>) -> Self {
        Self::new(Reply::Cut(text.into()))
    }

    /// With a header; only errors have any.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Reply::Error { headers, .. } = &mut self.reply {
            headers.push((name, value.into()));
        }
        self
    }

    /// Held back until [`Api::release`].
    pub(crate) fn gated(mut self) -> Self {
        self.gated = true;
        self
    }
}

/// A line of the request log.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its path.
    pub(crate) path: String,
    /// A turn of the conversation.
    pub(crate) turn: bool,
    /// How many messages it carries.
    pub(crate) messages: usize,
    /// The text of its last user message, without system reminders.
    pub(crate) text: String,
    /// All of its messages, as they came.
    pub(crate) conversation: Arc<Value>,
}

impl Request {
    /// How often this text is said in its messages.
    pub(crate) fn says(&self, text: &str) -> usize {
        let escaped = Value::from(text).to_string();
        let inner = &escaped[1..escaped.len() - 1];
        self.conversation.to_string().matches(inner).count()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.turn { "turn" } else { "side" };
        let (path, messages) = (&self.path, self.messages);
        // The end is what was said; before it may stand a page of instructions.
        let end = self.text.char_indices().rev().nth(199);
        let text = &self.text[end.map_or(0, |(at, _)| at)..];
        write!(f, "{kind} {path}, {messages} messages, …{text:?}")
    }
}

/// What the turn at this place, from 0, gets.
type Script = Box<dyn Fn(usize, &Request) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    log: Mutex<Vec<Request>>,
    gate: Semaphore,
    bell: Bell,
}

/// The server. It ends when dropped.
pub(crate) struct Api {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    /// Binds a port of its own and serves from a thread of its own.
    pub(crate) fn serve(script: Vec<Answer>, bell: Bell) -> io::Result<Self> {
        let by_place = move |place: usize, _: &Request| script[place.min(script.len() - 1)].clone();
        Self::serve_by(by_place, bell)
    }

    /// The same where each turn gets what is decided at the sight of it.
    pub(crate) fn serve_by(
        script: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
        bell: Bell,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            script: Box::new(script),
            log: Mutex::default(),
            gate: Semaphore::new(0),
            bell,
        });
        let thread = std::thread::spawn({
            let (stop, shared) = (Arc::clone(&stop), Arc::clone(&shared));
            move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = stop.notified() => {}
                        () = accept(listener, shared) => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn log(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }

    /// The last user text of each turn so far.
    pub(crate) fn turns(&self) -> Vec<String> {
        let log = lock(&self.shared.log);
        let turns = log.iter().filter(|request| request.turn);
        turns.map(|request| request.text.clone()).collect()
    }

    /// Lets one gated answer go, the one that waits or the next.
    pub(crate) fn release(&self) {
        self.shared.gate.add_permits(1);
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, is on stderr already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime with I/O");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| respond(request, Arc::clone(&shared)));
            // A client that goes away is its own business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An `Err` closes the connection with no answer.
async fn respond(
    request: HttpRequest<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<Response<Full<Bytes>>> {
    match *request.method() {
        Method::POST => {}
        Method::HEAD => return Ok(plain(200, "")),
        _ => return Ok(plain(404, "{}")),
    }
    let path = request.uri().path().to_owned();
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let messages = path.starts_with("/v1/messages");
    let turn = messages
        && !path.contains("count_tokens")
        && body["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty());
    let request = Request {
        path,
        turn,
        messages: body["messages"].as_array().map_or(0, Vec::len),
        text: last_user_text(&body),
        conversation: Arc::new(body["messages"].clone()),
    };
    let place = {
        let mut log = lock(&shared.log);
        let place = log.iter().filter(|request| request.turn).count();
        log.push(request.clone());
        place
    };
    shared.bell.ring();
    if !messages {
        return Ok(plain(200, "{}"));
    }
    let answer = if turn {
        (shared.script)(place, &request)
    } else {
        Answer::text("side")
    };
    if answer.gated {
        let permit = shared.gate.acquire().await.map_err(io::Error::other)?;
        permit.forget();
    }
    answer_with(answer.reply, &body)
}

fn answer_with(reply: Reply, request: &Value) -> io::Result<Response<Full<Bytes>>> {
    let model = request["model"].as_str().unwrap_or("model");
    let (content, cut) = match reply {
        Reply::Drop => return Err(io::ErrorKind::ConnectionAborted.into()),
        Reply::Error {
            status,
            kind,
            message,
            headers,
        } => {
            let error = json!({"type": "error", "error": {"type": kind, "message": message}});
            let mut response = plain(status, &error.to_string());
            for (name, value) in headers {
                let value = value.parse().map_err(io::Error::other)?;
                response.headers_mut().insert(name, value);
            }
            return Ok(response);
        }
        Reply::Text(text) => (json!({"type": "text", "text": text}), false),
        Reply::Cut(text) => (json!({"type": "text", "text": text}), true),
        Reply::Tool { name, input } => (
            json!({"type": "tool_use", "id": "toolu_01", "name": name, "input": input}),
            false,
        ),
    };
    if request["stream"] == json!(true) {
        let mut response = plain(200, &stream(model, &content, cut));
        let kind = "text/event-stream".parse().map_err(io::Error::other)?;
        response.headers_mut().insert("content-type", kind);
        return Ok(response);
    }
    let message = json!({"id": message_id(), "type": "message", "role": "assistant", "model": model,
        "content": [content], "stop_reason": stop_reason(&content), "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    Ok(plain(200, &message.to_string()))
}

/// Another one for each message: newer versions count the conversation's steps by it (`/compact`).
fn message_id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("msg_{:08}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn plain(status: u16, body: &str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("request-id", "req_01")
        .body(Full::from(body.to_owned()))
        .expect("a valid response")
}

fn stop_reason(content: &Value) -> &'static str {
    if content["type"] == "tool_use" {
        "tool_use"
    } else {
        "end_turn"
    }
}

/// The events of one streamed message with one block of content.
fn stream(model: &str, content: &Value, cut: bool) -> String {
    let mut out = String::new();
    let mut event = |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        let _ = write!(out, "event: {kind}\ndata: {data}\n\n");
    };
    event(
        "message_start",
        json!({"message": {"id": message_id(), "type": "message", "role": "assistant", "model": model,
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": 1}}}),
    );
    let (empty, deltas) = if let Some(text) = content["text"].as_str() {
        let words = text.split_inclusive(' ');
        let deltas = words.map(|word| json!({"type": "text_delta", "text": word}));
        (json!({"type": "text", "text": ""}), deltas.collect())
    } else {
        let input = content["input"].to_string();
        let mut empty = content.clone();
        empty["input"] = json!({});
        (
            empty,
            vec![json!({"type": "input_json_delta", "partial_json": input})],
        )
    };
    event(
        "content_block_start",
        json!({"index": 0, "content_block": empty}),
    );
    for delta in deltas {
        event("content_block_delta", json!({"index": 0, "delta": delta}));
    }
    event("content_block_stop", json!({"index": 0}));
    if cut {
        let error = json!({"type": "api_error", "message": "Internal server error"});
        event("error", json!({"error": error}));
    } else {
        let delta = json!({"stop_reason": stop_reason(content), "stop_sequence": null});
        event(
            "message_delta",
            json!({"delta": delta, "usage": {"output_tokens": 12}}),
        );
        event("message_stop", json!({}));
    }
    out
}

/// The text of the last user message; a block that is no text stands as its type in brackets.
fn last_user_text(body: &Value) -> String {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(last) = messages
        .iter()
        .rev()
        .find(|message| message["role"] == "user")
    else {
        return String::new();
    };
    let blocks: Vec<String> = match &last["content"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| match block["text"].as_str() {
                Some(text) => text.to_owned(),
                None => format!("<{}>", block["type"].as_str().unwrap_or_default()),
            })
            .collect(),
        _ => Vec::new(),
    };
    // 2.1.330 has in a reminder what begins a turn of its own accord.
    let spoken = blocks.iter().filter(|text| {
        !text.starts_with("<system-reminder>") || text.contains("<task-notification>")
    });
    spoken.map(String::as_str).collect::<Vec<_>>().join(" | ")
}
