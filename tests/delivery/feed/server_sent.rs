//! Server-sent events: by `graphql-sse`, a connection for each operation or one for all, and as browsers follow them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Body, End, Request, client, refusal};

/// What a client asks for, and gets.
const EVENTS: &str = "text/event-stream";
/// What it calls its operation where it must have a name.
const OPERATION: &str = "1";
const TOKEN: &str = "x-graphql-event-stream-token";

/// An event as it comes.
#[derive(Default)]
struct Event {
    name: String,
    id: Option<String>,
    data: String,
}

impl Event {
    fn parse(text: &str) -> Event {
        let mut event = Event::default();
        for line in text.lines() {
            // A comment begins with a colon, and is there to be seen.
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut event.name),
                "id" => event.id = Some(value.to_owned()),
                "data" => event.data.push_str(value),
                _ => {}
            }
        }
        event
    }
}

/// The events of one response.
struct Events(Body);

impl Events {
    /// The next result, and the id that it came with.
    async fn next(&mut self) -> Result<(Value, Option<String>), End> {
        loop {
            let text = String::from_utf8(self.0.until(b"\n\n").await?).map_err(End::cut)?;
            let event = Event::parse(&text);
            match event.name.as_str() {
                "next" => return Ok((serde_json::from_str(&event.data).map_err(End::cut)?, event.id)),
                "complete" => return Err(End::cut("complete")),
                "" => {}
                other => return Err(End::cut(format!("an event named {other:?}"))),
            }
        }
    }
}

/// A connection for one operation.
pub(crate) struct Distinct(Events);

impl Distinct {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Distinct, End> {
        Ok(Distinct(Events(Body::post(address, request, EVENTS, EVENTS).await?)))
    }

    pub(super) async fn next(&mut self) -> Result<Value, End> {
        Ok(self.0.next().await?.0)
    }
}

/// As a browser's own `EventSource` does it: a document in a URL that knows of no cursor, and where to go on in
/// `Last-Event-ID`.
pub(crate) struct Source(Events);

impl Source {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Source, End> {
        let variables = json!({ "page": request.page }).to_string();
        let pairs = [("query", request.document), ("variables", &variables)];
        let url = url::Url::parse_with_params(&format!("http://{address}/graphql"), pairs).map_err(End::cut)?;
        let mut get = client()?.get(url.as_str()).header("accept", EVENTS);
        if let Some(after) = &request.after {
            get = get.header("last-event-id", after);
        }
        Ok(Source(Events(Body::open(request.sign(get), EVENTS).await?)))
    }

    /// A browser knows but the id: it stands for the cursor, and one that did not come is none.
    pub(super) async fn next(&mut self) -> Result<Value, End> {
        let (mut result, id) = self.0.next().await?;
        if let Some(item) = result.pointer_mut("/data/pageEvents").and_then(Value::as_object_mut) {
            item.insert("cursor".to_owned(), json!(id));
        }
        Ok(result)
    }
}

/// One connection for all operations, of which there is one: reserved, opened, and posted to beside.
pub(crate) struct Single(Events);

impl Single {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Single, End> {
        let http = client()?;
        let url = format!("http://{address}/graphql/stream");
        let reserved = request.sign(http.put(&url)).send().await.map_err(End::cut)?;
        if reserved.status() != reqwest::StatusCode::CREATED {
            return Err(refusal(reserved).await);
        }
        let token = reserved.text().await.map_err(End::cut)?;
        let opening = http.get(&url).header("accept", EVENTS).header(TOKEN, &token);
        let events = Events(Body::open(request.sign(opening), EVENTS).await.map_err(forgotten)?);

        let mut body = request.body();
        body["extensions"] = json!({ "operationId": OPERATION });
        let post = http.post(&url).header(TOKEN, &token).json(&body);
        let posted = request.sign(post).send().await.map_err(End::cut)?;
        if posted.status() != reqwest::StatusCode::ACCEPTED {
            return Err(forgotten(refusal(posted).await));
        }
        Ok(Single(events))
    }

    pub(super) async fn next(&mut self) -> Result<Value, End> {
        let (mut message, _) = self.0.next().await?;
        match message["id"] == OPERATION {
            true => Ok(message["payload"].take()),
            false => Err(End::cut(format!("a result of {}", message["id"]))),
        }
    }
}

/// A node that began anew, or lost the stream's connection, does not know it: the client reserves another.
fn forgotten(end: End) -> End {
    match end {
        End::Refused(errors) if errors[0]["extensions"]["code"] == "STREAM_NOT_FOUND" => {
            End::cut("the stream is not known any more")
        }
        end => end,
    }
}
