//! What the parties of a cluster have recorded, and what their stores hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::machines::{Asker, Cluster};
use crate::support::{run, text};

/// The lines of a log, found whole by `audit verify`.
fn lines(log: &Path) -> Vec<Value> {
    let verified = run(&["audit", "verify", text(log)]);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    let text = fs::read_to_string(log).expect("a log");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What a field of the events of a kind says, in their order.
fn fields<'a>(lines: &'a [Value], event: &str, field: &str) -> Vec<&'a str> {
    let of_event = lines.iter().filter(|line| line["event"] == event);
    of_event
        .map(|line| line[field].as_str().expect("text"))
        .collect()
}

/// Sessions that a server has opened.
pub(super) fn opened(cluster: &Cluster, node: usize) -> usize {
    fields(&lines(&cluster.log(node)), "opened", "session").len()
}

/// Whether a server has begun a session and not answered yet, as far as its log has whole lines.
pub(super) fn is_at_work(cluster: &Cluster, node: usize) -> bool {
    let text = fs::read_to_string(cluster.log(node)).expect("a log");
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    let lines: Vec<Value> = lines.collect();
    let of = |event| fields(&lines, event, "session").into_iter().collect();
    let (opened, answered, closed): (BTreeSet<_>, BTreeSet<_>, BTreeSet<_>) =
        (of("opened"), of("answered"), of("closed"));
    opened
        .difference(&closed)
        .any(|session| !answered.contains(session))
}

/// Images that a server has answered.
pub(super) fn answered(cluster: &Cluster, node: usize) -> usize {
    done(&lines(&cluster.log(node))).len()
}

/// Sessions of one image that was answered.
fn done(lines: &[Value]) -> BTreeSet<String> {
    let answered = lines
        .iter()
        .filter(|line| line["event"] == "answered" && line["outcome"] == "done");
    let session = |line: &Value| line["session"].as_str().expect("text").to_owned();
    answered.map(session).collect()
}

/// What clients and servers have recorded of their sessions is the same; but of what the first server had answered and had not yet
/// recorded when it was killed, it has only that it was begun. There was one session of each client at most.
pub(super) fn check_sessions(cluster: &Cluster, askers: &[Asker], answered: usize) {
    let (mut opened, mut at_servers) = (BTreeSet::new(), BTreeSet::new());
    for node in 0..2 {
        let lines = lines(&cluster.log(node));
        for session in fields(&lines, "opened", "session") {
            // None is at two servers.
            assert!(opened.insert(session.to_owned()));
        }
        at_servers.extend(done(&lines));
    }
    let at_clients = askers.iter().flat_map(|asker| done(&lines(&asker.log())));
    let at_clients: BTreeSet<String> = at_clients.collect();
    assert_eq!(at_clients.len(), answered);
    let at_first: BTreeSet<String> = fields(&lines(&cluster.log(0)), "opened", "session")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let lost: BTreeSet<String> = at_clients.difference(&at_servers).cloned().collect();
    assert!(lost.is_subset(&at_first), "in no server's log");
    assert!(lost.len() <= askers.len(), "{lost:?}");
}

/// Tokens, as logs tell of them: each was used once, or thrown away once.
#[derive(Default)]
struct Tokens {
    made: BTreeSet<String>,
    used: BTreeSet<String>,
    discarded: BTreeSet<String>,
}

impl Tokens {
    fn add(&mut self, log: &Path) {
        let lines = lines(log);
        for (event, tokens) in [
            ("prepared", &mut self.made),
            ("used", &mut self.used),
            ("discarded", &mut self.discarded),
        ] {
            for token in fields(&lines, event, "token") {
                assert!(tokens.insert(token.to_owned()), "{event} twice: {token}");
            }
        }
        assert!(self.used.is_disjoint(&self.discarded));
        assert!(lines.len() > 1);
    }

    /// Those that are in no store any more.
    fn gone(&self) -> BTreeSet<String> {
        &self.used | &self.discarded
    }
}

/// No preparation was used twice: by the logs of both sides, and by what their stores still have. Of as many as `failed` it
/// may be unknown. The tokens that servers have used.
pub(super) fn check_tokens(
    cluster: &Cluster,
    askers: &[Asker],
    made: usize,
    failed: usize,
) -> BTreeSet<String> {
    let (mut servers, mut clients) = (Tokens::default(), Tokens::default());
    let mut nodes = Vec::new();
    for node in 0..2 {
        servers.add(&cluster.log(node));
        let mut alone = Tokens::default();
        alone.add(&cluster.log(node));
        nodes.push(alone);
    }
    let mut left = BTreeSet::new();
    for asker in askers {
        clients.add(&asker.log());
        left.extend(asker.shelf().into_keys());
    }
    assert_eq!(clients.made.len(), made);
    assert_eq!(servers.made, clients.made);
    // Clients delete theirs before a server hears of it. One that hears nothing back does not know what became of it.
    let gone = clients.gone();
    assert!(servers.used.is_subset(&gone));
    assert_eq!(&gone | &left, clients.made);
    assert!(gone.is_disjoint(&left));
    let lost = gone.len() - servers.used.len();
    assert!(lost <= failed, "{lost} of {failed}");
    assert!(clients.used.is_subset(&servers.used));
    let stored = stored(cluster);
    assert!(stored.is_disjoint(&servers.used) && stored.is_subset(&servers.made));
    // Killed between its store and its log, a server has what is in neither.
    let nowhere = made - stored.len() - servers.gone().len();
    assert!(nowhere <= failed, "{nowhere} of {failed}");
    // What one has made the other one uses.
    for (one, other) in [(0, 1), (1, 0)] {
        assert!(!nodes[one].made.is_disjoint(&nodes[other].used));
    }
    servers.used
}

/// Tokens that the servers' store has.
pub(super) fn stored(cluster: &Cluster) -> BTreeSet<String> {
    let statement = "SELECT encode(token, 'hex') FROM blindray_lots";
    let tokens = cluster.database.run(statement);
    tokens.lines().map(str::to_owned).collect()
}

/// Tokens that servers have used.
pub(super) fn used_tokens(cluster: &Cluster) -> BTreeSet<String> {
    let mut tokens = Tokens::default();
    for node in 0..2 {
        tokens.add(&cluster.log(node));
    }
    tokens.used
}

/// Images that the database says each client has used.
pub(super) fn used_images(cluster: &Cluster, askers: &[Asker]) -> usize {
    let store = store::open(&cluster.database.url()).expect("the store");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let of = |asker: &Asker| {
        let key: identity::Fingerprint = asker.key().parse().expect("a fingerprint");
        let key = service::ClientKey(*key.as_bytes());
        let usage = store.usage(&key, now.as_secs()).expect("it answers");
        usize::try_from(usage.images).expect("a few")
    };
    askers.iter().map(of).sum()
}

/// How many events of which kind a log has.
pub(super) fn count(log: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines(log) {
        let event = line["event"].as_str().expect("text").to_owned();
        *counts.entry(event).or_default() += 1;
    }
    counts
}
