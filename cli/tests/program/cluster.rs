//! Several servers behind a balancer, with one database: HAProxy and PostgreSQL as distributions have them.

mod machines;
mod records;

use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{fails, raw, signal};
use machines::{Asker, Cluster, Findings, wait_until};

/// Sessions of all clients together.
const SESSIONS: usize = 200;
/// Clients, each with a key of its own.
const CLIENTS: usize = 4;
/// Images that each of them has preparations for: the sessions until some time after the kill.
const PREPARED: usize = 30;
/// How many sessions have begun when a server is killed.
const KILL_AFTER: usize = 80;

/// Clients in a folder, and the lines of a list of them.
fn askers(folder: &TempDir, count: usize, quota: usize) -> (Vec<Asker>, String) {
    let askers = (0..count).map(|i| Asker::new(folder.path().join(i.to_string())));
    let askers: Vec<Asker> = askers.collect();
    let line = |(i, asker): (usize, &Asker)| {
        let key = asker.key();
        format!("{key} client {i} images={quota}\n")
    };
    let lines = askers.iter().enumerate().map(line).collect();
    (askers, lines)
}

fn right(output: &Output, expected: &[i64]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one report");
    assert_eq!(raw(&report), expected);
}

/// One client's sessions: how many were answered, and with what error the others failed.
fn asks(
    asker: &Asker,
    cluster: &Cluster,
    findings: &Findings,
    left: &AtomicUsize,
) -> (usize, Vec<String>) {
    let (mut answered, mut failed) = (0, Vec::new());
    loop {
        let one_less = |left: usize| left.checked_sub(1);
        let Ok(before) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, one_less) else {
            return (answered, failed);
        };
        let (image, expected) = &findings[before % findings.len()];
        let output = asker.ask(cluster, image);
        if output.status.success() {
            right(&output, expected);
            answered += 1;
        } else {
            // One clear error, and no part of a finding.
            fails(&output, 1, "");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(said.lines().count(), 1, "{said}");
            failed.push(said);
        }
    }
}

/// Two servers, 200 sessions, one server killed in the middle: sessions at that server fail with one clear error, all others
/// are right, and no preparation is used twice, not even by a client who brings its own back.
#[test]
fn a_server_is_killed_and_nobody_else_notices() {
    let folder = TempDir::new().expect("a folder");
    let (askers, clients) = askers(&folder, CLIENTS, 1000);
    let Some(mut cluster) = Cluster::start(&clients) else {
        return;
    };
    let findings = cluster.findings();
    std::thread::scope(|scope| {
        for asker in &askers {
            // In several sessions, so that both servers have made some.
            let cluster = &cluster;
            scope.spawn(move || (0..3).for_each(|_| asker.prepare(cluster, PREPARED / 3)));
        }
    });
    let shelf = askers[0].shelf();
    let mut saved = Vec::new();
    for (token, path) in &shelf {
        saved.push((token, path, fs::read(path).expect("a preparation")));
    }
    let left = AtomicUsize::new(SESSIONS);
    let done: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let pid = cluster.nodes[0].process.0.id();
        let (cluster, findings, left) = (&cluster, &findings, &left);
        let asking = askers
            .iter()
            .map(|asker| scope.spawn(move || asks(asker, cluster, findings, left)));
        let asking: Vec<_> = asking.collect();
        let enough = || left.load(Ordering::Relaxed) <= SESSIONS - KILL_AFTER;
        wait_until("sessions end", enough);
        // Sessions that it has when it stands still do not end before it is killed.
        signal("-STOP", pid);
        while !records::is_at_work(cluster, 0) && left.load(Ordering::Relaxed) > 0 {
            signal("-CONT", pid);
            std::thread::sleep(Duration::from_millis(20));
            signal("-STOP", pid);
        }
        std::thread::sleep(Duration::from_millis(700));
        signal("-KILL", pid);
        let asking = asking.into_iter();
        asking
            .map(|asking| asking.join().expect("no panic"))
            .collect()
    });
    let answered: usize = done.iter().map(|(answered, _)| answered).sum();
    let failed: Vec<&String> = done.iter().flat_map(|(_, failed)| failed).collect();
    // Of each client one session was at hand, and half of them at that server.
    assert!((1..=CLIENTS).contains(&failed.len()), "{failed:?}");
    assert_eq!(answered + failed.len(), SESSIONS);

    cluster.nodes[0].process.kill();
    cluster.revive(0);
    let before = records::opened(&cluster, 0);
    let mut more = 0;
    while records::opened(&cluster, 0) == before {
        assert!(more < 100, "it gets no session any more");
        let (image, expected) = &findings[0];
        right(&askers[0].ask(&cluster, image), expected);
        more += 1;
    }
    records::check_sessions(&cluster, &askers, answered + more);
    // Charged is what was asked for, whether it was answered or not.
    let charged = SESSIONS + more;
    let used = records::used_images(&cluster, &askers);
    let least = answered + more;
    assert!((least..=charged).contains(&used), "{used} of {charged}");
    let made = CLIENTS * PREPARED;
    let used = records::check_tokens(&cluster, &askers, made, failed.len());
    // What is left was not needed; most was.
    assert!(used.len() > made / 2, "{} of {made}", used.len());

    // A client that has its preparations back, from a backup.
    let brought = saved.iter().filter(|(token, ..)| used.contains(*token));
    let brought: Vec<_> = brought.take(6).collect();
    assert_eq!(brought.len(), 6);
    for (_, path, bytes) in &brought {
        fs::write(path, bytes).expect("written");
    }
    for _ in &brought {
        let output = askers[0].ask_prepared(&cluster, &findings[0].0);
        fails(&output, 1, "with --prepared only");
    }
    assert_eq!(records::used_tokens(&cluster), used);
}

#[test]
fn what_has_expired_is_of_no_use() {
    let folder = TempDir::new().expect("a folder");
    let (askers, clients) = askers(&folder, 1, 100);
    let Some(cluster) = Cluster::start(&clients) else {
        return;
    };
    let (asker, findings) = (&askers[0], cluster.findings());
    let (image, expected) = &findings[0];
    asker.prepare(&cluster, 4);
    right(&asker.ask_prepared(&cluster, image), expected);
    assert_eq!(records::stored(&cluster).len(), 3);
    // At the servers, sooner than they have told the client.
    let soon = "UPDATE blindray_lots SET expires = extract(epoch FROM now())::bigint + 1";
    assert_eq!(cluster.database.run(soon), "UPDATE 3");
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..2 {
        let output = asker.ask_prepared(&cluster, image);
        fails(&output, 1, "with --prepared only");
    }
    wait_until("servers throw it away", || {
        records::stored(&cluster).is_empty()
    });
    // The client has thrown them away, since no server has them.
    assert!(asker.shelf().is_empty());
    // At the client: the end of the name of its file says when.
    asker.prepare(&cluster, 1);
    for path in asker.shelf().values() {
        let name = path.file_name().expect("a name").to_string_lossy();
        let (rest, _) = name.rsplit_once('-').expect("two parts");
        let expired = path.with_file_name(format!("{rest}-1000000000"));
        fs::rename(path, expired).expect("renamed");
    }
    assert_eq!(asker.shelf().len(), 1);
    let output = asker.ask_prepared(&cluster, image);
    fails(&output, 1, "with --prepared only");
    assert_eq!(records::used_tokens(&cluster).len(), 1);
    // Without them it is as it always was.
    right(&asker.ask(&cluster, image), expected);
    // Nobody was asked about an image where preparations were made, at either side.
    let (client, mut servers) = (records::count(&asker.log()), [0, 0]);
    for node in 0..2 {
        let counts = records::count(&cluster.log(node));
        for (sum, event) in servers.iter_mut().zip(["prepared", "asked"]) {
            *sum += counts.get(event).copied().unwrap_or(0);
        }
    }
    assert_eq!(servers, [5, 2]);
    // Three that no server had any more, and the one that had expired here.
    let fates = [client["prepared"], client["used"], client["discarded"]];
    assert_eq!(fates, [5, 1, 4]);
}

#[test]
fn servers_share_quotas() {
    let folder = TempDir::new().expect("a folder");
    let (askers, clients) = askers(&folder, 1, 5);
    let Some(cluster) = Cluster::start(&clients) else {
        return;
    };
    let findings = cluster.findings();
    for (image, expected) in findings.iter().cycle().take(5) {
        right(&askers[0].ask(&cluster, image), expected);
    }
    for (image, _) in findings.iter().take(3) {
        fails(&askers[0].ask(&cluster, image), 1, "images");
    }
    // Both have served.
    assert!((0..2).all(|node| records::answered(&cluster, node) > 0));
    assert_eq!(records::used_images(&cluster, &askers), 5);
}
