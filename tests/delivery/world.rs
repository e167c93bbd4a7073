//! The world of a run: a database, the nodes over it, pages to write to, and what befalls all of them.

use std::sync::Arc;
use std::time::Duration;

use allclear::domain::audience::Audience;
use allclear::domain::cursor::Cursor;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::Database;
use crate::feed::Transport;
use crate::journal::{Journal, Kind, WORLD};
use crate::node::{Node, Setting};
use crate::pause::pause;
use crate::random::Random;
use crate::record::Record;
use crate::schedule::Fault;
use crate::subscriber::{Manner, Stage, Subscriber};
use crate::writer::{self, Desk, Unanswered, Writer};

/// What a listener for other nodes' commits calls itself.
const LISTENER: &str = "allclear-listen";
/// How many write at once in a burst.
const BURSTING: usize = 4;

/// A page that is written to and followed.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) id: Uuid,
    /// Its id in the API.
    pub(crate) global: String,
    pub(crate) slug: String,
    /// How often it is written to, beside the others.
    pub(crate) weight: usize,
    pub(crate) components: Vec<String>,
}

/// One that is written to most of the time, one now and then, and one so rarely that what is lost there is not soon
/// made up for by what follows.
const PAGES: [(&str, usize); 3] = [("hot", 20), ("warm", 8), ("quiet", 2)];

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) pages: Vec<Page>,
    pub(crate) stage: Arc<Stage>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) record: Arc<Record>,
}

impl World {
    pub(crate) async fn begin(
        database: Database,
        nodes: usize,
        setting: &Setting,
        (seed, transports): (u64, &'static [Transport]),
        journal: &Arc<Journal>,
    ) -> Result<World, String> {
        let mut running = Vec::new();
        for index in 0..nodes {
            let node = Node::start(format!("node-{index}"), setting.clone()).await?;
            running.push(Arc::new(node));
        }
        let stage = Arc::new(Stage {
            journal: Arc::clone(journal),
            cursors: crate::subscriber::Cursors::default(),
            ways: running
                .iter()
                .map(|node| (node.proxy.address, node.proxy.narrow))
                .collect(),
            transports,
            seed,
        });
        let mut pages = Vec::new();
        for (slug, weight) in PAGES {
            pages.push(create(&stage, slug, weight).await?);
        }
        let record = Arc::new(Record::of(&pages.iter().map(|page| page.id).collect::<Vec<_>>()));
        let desk = Arc::new(Desk {
            stage: Arc::clone(&stage),
            acknowledged: writer::Acknowledged::default(),
            gate: tokio::sync::RwLock::default(),
            is_closed: false.into(),
        });
        Ok(World {
            database,
            nodes: running,
            pages,
            stage,
            desk,
            record,
        })
    }

    /// Lets a fault happen, from its beginning until it is mended. Returns those whom it brought.
    pub(crate) async fn suffer(&self, fault: Fault, mut random: Random) -> Vec<Arc<Subscriber>> {
        let journal = &self.stage.journal;
        journal.tell(WORLD, format!("{fault} begins"));
        let mut come = Vec::new();
        let done = match fault {
            Fault::Kill { node, away } => self.node_fault(self.nodes[node].kill(away).await),
            Fault::Freeze { node, length } => self.node_fault(self.nodes[node].freeze(length).await),
            Fault::Roll => self.roll().await,
            Fault::RestartPostgres => self.database.restart().await,
            Fault::CutListeners => self.database.cut(Some(LISTENER)).await,
            Fault::CutBackends => self.database.cut(None).await,
            Fault::Links {
                node,
                trouble,
                percent,
                length,
            } => {
                let proxy = &self.nodes[node].proxy;
                let met = proxy.trouble(trouble, percent, &mut random);
                pause(length).await;
                proxy.mend(trouble, &met);
                Ok(())
            }
            Fault::Prune { clients } => {
                come.extend((0..clients).filter_map(|_| self.come_back(&mut random)));
                let pruned = self.record.prune(&self.database).await;
                come.extend((0..clients).filter_map(|_| self.come_back(&mut random)));
                pruned.map(|count| journal.tell(WORLD, format!("{count} events are pruned")))
            }
            Fault::Return { clients } => {
                come.extend((0..clients).filter_map(|_| self.come_back(&mut random)));
                Ok(())
            }
            Fault::Burst { changes } => {
                self.burst(changes, &mut random).await;
                Ok(())
            }
        };
        let how = done.map_or_else(|why| format!("in vain: {why}"), |()| "is over".to_owned());
        journal.tell(WORLD, format!("{fault} {how}"));
        come
    }

    fn node_fault(&self, done: Result<(), String>) -> Result<(), String> {
        if let Err(why) = &done {
            self.stage.journal.violate(Kind::NodeFailed, WORLD, why);
        }
        done
    }

    async fn roll(&self) -> Result<(), String> {
        for node in &self.nodes {
            self.node_fault(node.restart().await)?;
        }
        Ok(())
    }

    /// A client that comes back after long, with a cursor that somebody was told once.
    fn come_back(&self, random: &mut Random) -> Option<Arc<Subscriber>> {
        let manner = Manner {
            page: random.pick(&self.pages).clone(),
            audience: *random.pick(Audience::ALL),
            transport: *random.pick(self.stage.transports),
            node: random.below(self.nodes.len()),
            is_heavy: random.percent(20),
        };
        let after = self.stage.cursors.any((manner.page.id, manner.audience), random)?;
        let name = format!("returner {:08x} to {}", random.next() >> 32, manner.page.slug);
        let how = format!(
            "{name} comes back to node {} after {} over {:?}",
            manner.node, after.0, manner.transport
        );
        self.stage.journal.tell(&name, how);
        Some(Subscriber::listen(&self.stage, name, manner, Some(after)))
    }

    async fn burst(&self, changes: usize, random: &mut Random) {
        let page = random.pick(&self.pages).clone();
        let writers = (0..BURSTING).map(|_| {
            let mut writer = Writer::new(&self.desk, format!("burst {:016x}", random.next()));
            let page = page.clone();
            async move {
                for _ in 0..changes / BURSTING {
                    if writer.write(&page).await.is_none() {
                        return;
                    }
                }
            }
        });
        futures_util::future::join_all(writers).await;
    }

    /// The log as the API has it is the log as the database has it.
    pub(crate) async fn check_polling(&self) -> Result<(), String> {
        let http = writer::client();
        for (way, _) in &self.stage.ways {
            for page in &self.pages {
                let polled = poll(&http, *way, page).await?;
                let stream = (page.id, Audience::Staff);
                let log = self.record.stream(stream);
                let from = log.len().saturating_sub(polled.len());
                let expected: Vec<_> = log
                    .into_iter()
                    .skip(from)
                    .map(|(number, told)| (number, told.kind))
                    .collect();
                let differing = polled.iter().zip(&expected).find(|(one, other)| one != other);
                if let Some((polled, expected)) = differing {
                    let what = format!("{} polled: {polled:?} where the log has {expected:?}", page.slug);
                    self.stage.journal.violate(Kind::WrongContent, WORLD, what);
                }
            }
        }
        Ok(())
    }
}

/// All that a page's log has, a hundred at a time: numbers and kinds.
async fn poll(http: &reqwest::Client, way: std::net::SocketAddr, page: &Page) -> Result<Vec<(u64, String)>, String> {
    let document = "query($slug: String!, $after: Cursor) { page(slug: $slug) { \
        events(first: 100, after: $after) { nodes { __typename cursor } } } }";
    let mut polled = Vec::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "slug": page.slug, "after": after });
        let answer = writer::ask(http, way, document, variables).await;
        let answer = answer.map_err(|why| format!("the log cannot be polled: {why:?}"))?;
        let nodes = answer["page"]["events"]["nodes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let Some(last) = nodes.last() else {
            return Ok(polled);
        };
        after = last["cursor"].clone();
        for node in &nodes {
            let number =
                Cursor::decode(node["cursor"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
            polled.push((
                number.number,
                node["__typename"].as_str().unwrap_or_default().to_owned(),
            ));
        }
    }
}

async fn create(stage: &Stage, slug: &str, weight: usize) -> Result<Page, String> {
    let http = writer::client();
    let way = stage.ways[0].0;
    let failed = |why: Unanswered| format!("no page can be made: {why:?}");
    let input = json!({ "slug": slug, "name": format!("The {slug} service") });
    let made = writer::mutate(&http, way, "pageCreate", &input).await.map_err(failed)?;
    let global = text(&made["page"]["id"])?;
    let cursor = Cursor::decode(&text(&made["page"]["cursor"])?).map_err(|error| error.to_string())?;
    let mut components = Vec::new();
    for name in ["Search", "Mail"] {
        let input = json!({ "page": global, "name": name });
        let made = writer::mutate(&http, way, "componentCreate", &input)
            .await
            .map_err(failed)?;
        components.push(text(&made["component"]["id"])?);
    }
    Ok(Page {
        id: cursor.stream.page,
        global,
        slug: slug.to_owned(),
        weight,
        components,
    })
}

fn text(value: &Value) -> Result<String, String> {
    value
        .as_str()
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("no text: {value}"))
}

/// How long everybody may take to catch up once all is mended (issue's promise).
pub(crate) const CATCH_UP: Duration = Duration::from_secs(10);
