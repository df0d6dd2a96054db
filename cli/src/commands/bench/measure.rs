//! Runs of one operation over loopback, both parties in this process.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use channel::{Config, Connection, Cost, Cots, Ledger, Listener, Role, connect};
use linear::{Work, work};
use nets::run_integer;
use secure::{CHUNK, Limits, Mode, RunReport, SecureNetwork, ServerWeights};
use serde::Serialize;
use service::{Extension, Request};
use sharing::Session;

use super::operations::Operation;
use super::spread::Spread;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::report::seconds;

/// What a run, or a phase of it, takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Part {
    /// CPU time of both parties together.
    pub(crate) cpu_s: Spread,
    pub(crate) wall_s: Spread,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
}

/// What is sent in both directions, and drawn. Each run has been seen to take exactly as much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Traffic {
    /// Of the protocols themselves.
    pub(crate) bytes: u64,
    /// Of keys, which a session needs once.
    pub(crate) setup_bytes: u64,
    /// Of what makes correlated OTs, without what a session does once for it.
    pub(crate) refill_bytes: u64,
    pub(crate) flights: u64,
    pub(crate) cots: u64,
}

impl Traffic {
    fn new(cost: &Cost, set_up: &Cost, refill_bytes: u64) -> Self {
        Self {
            bytes: cost.bytes(),
            setup_bytes: set_up.bytes(),
            refill_bytes,
            flights: cost.flights() as u64,
            cots: cost.cots.total(),
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            setup_bytes: self.setup_bytes + other.setup_bytes,
            refill_bytes: self.refill_bytes + other.refill_bytes,
            flights: self.flights + other.flights,
            cots: self.cots + other.cots,
        }
    }
}

/// A run by its phases.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Phases {
    /// Before there is an input; with the keys.
    pub(crate) ahead: Part,
    /// From then on.
    pub(crate) online: Part,
    pub(crate) both: Part,
}

impl Phases {
    /// Each with what it is.
    pub(crate) const fn named(&self) -> [(&'static str, &Part); 3] {
        [
            ("ahead of the input", &self.ahead),
            ("with the input", &self.online),
            ("both", &self.both),
        ]
    }
}

/// Whole runs of an operation, and the work that is planned for one.
pub(super) fn whole(
    operation: &Operation,
    extension: &'static dyn Extension,
    runs: u32,
) -> Outcome<(Part, Work)> {
    if operation.cots > 0 {
        return correlations(operation.cots, extension, runs);
    }
    let graph = Arc::clone(&operation.graph);
    let network = SecureNetwork::new(graph, Mode::Faithful, extension.price());
    let network = network.map_err(Failure::run)?;
    let planned = planned(network.cost(), &network.set_up_cost(), extension);
    let mut all = Vec::new();
    for _ in 0..runs {
        let [server, client] = sessions(extension, network.cost().cots)?;
        let refilled = client.refilled();
        let (server, (client, output, report), spent) = both(
            || operation.serve(&network, server),
            || operation.infer(&network, client),
        )?;
        drop(server);
        operation.compare(&output)?;
        let refilled = client.refilled() - refilled;
        let found = Traffic::new(&report.cost, &report.set_up, refilled);
        all.push((spent, operation.check(found, planned)?));
    }
    Ok((part(&all), network.work()))
}

/// Runs of an operation by their phases; none of one that has nothing to do ahead of its input.
pub(super) fn phases(
    operation: &Operation,
    extension: &'static dyn Extension,
    runs: u32,
) -> Outcome<Option<Phases>> {
    if operation.cots > 0 {
        return Ok(None);
    }
    let (limits, graph) = (Limits::default(), Arc::clone(&operation.graph));
    let network = SecureNetwork::ahead(&limits, graph, Mode::Faithful, extension.price());
    let network = network.map_err(Failure::run)?;
    if !network.runs_ahead() {
        return Ok(None);
    }
    let (first, then) = (network.ahead_cost(1), network.cost());
    let cots = first.cots.plus(then.cots);
    let refill = |drawn| refill_bytes(extension, cots, drawn);
    let planned = [
        Traffic::new(&first, &network.set_up_cost(), refill(first.cots)),
        Traffic::new(then, &Cost::none(), refill(cots) - refill(first.cots)),
    ];
    let (mut ahead, mut online, mut both_phases) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let [mut server, mut client] = sessions(extension, cots)?;
        let weights = operation.weights();
        let refilled = client.refilled();
        let ((mut server, at_server), (mut client, at_client, report), before) = both(
            || {
                let left = network.serve_ahead(&mut server.session, &weights, 1, &mut |_| {});
                let (left, _) = left.map_err(Failure::run)?;
                Ok((server, left))
            },
            || {
                let left = network.prepare_ahead(&mut client.session, 1, &mut |_| {});
                let (left, report) = left.map_err(Failure::run)?;
                Ok((client, left, report))
            },
        )?;
        let between = client.refilled();
        let found = Traffic::new(&report.cost, &report.set_up, between - refilled);
        let first = operation.check(found, planned[0])?;
        ahead.push((before, first));

        let one = |left: Vec<_>| left.into_iter().next().expect("of one input");
        let (server, (client, output, report), after) = both(
            || {
                let ahead = one(at_server);
                let run = network.serve_after(&mut server.session, &weights, ahead, &mut |_| {});
                run.map_err(Failure::run)?;
                Ok(server)
            },
            || {
                let (ahead, input) = (one(at_client), &operation.input);
                let run = network.infer_after(&mut client.session, input, ahead, &mut |_| {});
                let (output, report) = run.map_err(Failure::run)?;
                Ok((client, output, report))
            },
        )?;
        drop(server);
        operation.compare(&output)?;
        let found = Traffic::new(&report.cost, &report.set_up, client.refilled() - between);
        let then = operation.check(found, planned[1])?;
        online.push((after, then));
        both_phases.push((before.plus(after), first.plus(then)));
    }
    Ok(Some(Phases {
        ahead: part(&ahead),
        online: part(&online),
        both: part(&both_phases),
    }))
}

/// Random COTs by themselves.
fn correlations(
    cots: usize,
    extension: &'static dyn Extension,
    runs: u32,
) -> Outcome<(Part, Work)> {
    let cost = ot::rot_cost(cots, Role::Server);
    let planned = planned(&cost, &Cost::none(), extension);
    let mut all = Vec::new();
    for _ in 0..runs {
        let [mut server, mut client] = sessions(extension, cost.cots)?;
        let refilled = client.refilled();
        let (server, client, spent) = both(
            || {
                for _ in 0..cots / CHUNK {
                    server.session.ot().1.rot(CHUNK).map_err(Failure::run)?;
                }
                Ok(server)
            },
            || {
                for _ in 0..cots / CHUNK {
                    client.session.ot().2.rot(CHUNK).map_err(Failure::run)?;
                }
                Ok(client)
            },
        )?;
        drop(server);
        let found = Traffic {
            refill_bytes: client.refilled() - refilled,
            ..planned
        };
        all.push((spent, agreed("random COTs", found, planned)?));
    }
    Ok((part(&all), Work::of([(work::COTS, cots as u64)])))
}

/// What a whole run takes.
fn planned(cost: &Cost, set_up: &Cost, extension: &dyn Extension) -> Traffic {
    Traffic::new(cost, set_up, refill_bytes(extension, cost.cots, cost.cots))
}

/// The bytes of both directions that make the first so many of the correlations that were announced.
fn refill_bytes(extension: &dyn Extension, announced: Cots, drawn: Cots) -> u64 {
    let pools = [
        (Role::Server, announced.server_sends, drawn.server_sends),
        (Role::Client, announced.client_sends, drawn.client_sends),
    ];
    let pools = pools.map(|(sender, announced, drawn)| {
        let cost = extension.refill_cost_announced(Some(announced), drawn, sender);
        cost.bytes()
    });
    pools.into_iter().sum()
}

/// One party's end of a session.
struct Side {
    session: Session,
    /// Open as long as the session.
    _connection: Connection,
}

impl Side {
    /// Bytes of both directions that have made correlations so far.
    fn refilled(&self) -> u64 {
        let ledgers = self.session.refill_ledgers().into_iter().flatten();
        ledgers.map(|ledger| Ledger::measured(ledger).bytes()).sum()
    }
}

/// Both ends of a new session over loopback, the server's first.
fn sessions(extension: &'static dyn Extension, cots: Cots) -> Outcome<[Side; 2]> {
    let (terms, config) = (Request::default().terms(), Config::default());
    let listener = Listener::bind("127.0.0.1:0", config.clone()).map_err(Failure::run)?;
    let address = listener.local_addr();
    let (at_server, at_client) = (entropy::bytes()?, entropy::bytes()?);
    let side = |connection: Connection| -> Outcome<Side> {
        let session = Session::establish(&connection, entropy::bytes()?, extension);
        let mut session = session.map_err(Failure::run)?;
        session.reserve(cots);
        Ok(Side {
            session,
            _connection: connection,
        })
    };
    let (server, client, _) = both(
        || side(listener.accept(&terms, at_server).map_err(Failure::run)?),
        || side(connect(address, &terms, &config, at_client).map_err(Failure::run)?),
    )?;
    Ok([server, client])
}

/// Seconds of something.
#[derive(Clone, Copy)]
struct Spent {
    cpu: f64,
    wall: f64,
}

impl Spent {
    const fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            wall: self.wall + other.wall,
        }
    }
}

/// Runs both parties. Who fails lets go of its end of the line, so that the other one ends too.
fn both<S: Send, C>(
    server: impl FnOnce() -> Outcome<S> + Send,
    client: impl FnOnce() -> Outcome<C>,
) -> Outcome<(S, C, Spent)> {
    let (cpu, wall) = (cpu_seconds().unwrap_or_default(), Instant::now());
    let (theirs, mine) = thread::scope(|scope| {
        let server = scope.spawn(server);
        let mine = client();
        (server.join(), mine)
    });
    let spent = Spent {
        cpu: cpu_seconds().unwrap_or_default() - cpu,
        wall: seconds(wall.elapsed()),
    };
    let mine = mine?;
    let failed = |_| Err(Failure::run("the other party's thread failed"));
    Ok((theirs.unwrap_or_else(failed)?, mine, spent))
}

/// The spread of runs that took as much traffic.
fn part(runs: &[(Spent, Traffic)]) -> Part {
    let of = |value: fn(&Spent) -> f64| Spread::of(runs.iter().map(|(spent, _)| value(spent)));
    Part {
        cpu_s: of(|spent| spent.cpu),
        wall_s: of(|spent| spent.wall),
        traffic: runs[0].1,
    }
}

/// What was found, if it is what was planned.
fn agreed(name: &str, found: Traffic, planned: Traffic) -> Outcome<Traffic> {
    match found == planned {
        true => Ok(found),
        false => Err(Failure::run(format!(
            "{name}: it took {found:?}, and {planned:?} was planned"
        ))),
    }
}

impl Operation {
    /// As a server has them when it starts.
    fn weights(&self) -> ServerWeights {
        ServerWeights::new(Arc::clone(&self.weights))
    }

    fn serve(&self, network: &SecureNetwork, mut side: Side) -> Outcome<Side> {
        let run = network.serve(&mut side.session, &self.weights(), &mut |_| {});
        run.map_err(Failure::run)?;
        Ok(side)
    }

    fn infer(
        &self,
        network: &SecureNetwork,
        mut side: Side,
    ) -> Outcome<(Side, Vec<i64>, RunReport)> {
        let run = network.infer(&mut side.session, &self.input, &mut |_| {});
        let (output, report) = run.map_err(Failure::run)?;
        Ok((side, output, report))
    }

    /// Fails if a result is not that of the clear integers.
    fn compare(&self, output: &[i64]) -> Outcome<()> {
        let expected = run_integer(&self.graph, &self.weights, &self.input);
        match expected.map_err(Failure::run)? == output {
            true => Ok(()),
            false => Err(Failure::run(format!(
                "{}: the result is wrong",
                self.name.text()
            ))),
        }
    }

    fn check(&self, found: Traffic, planned: Traffic) -> Outcome<Traffic> {
        agreed(self.name.text(), found, planned)
    }
}

/// CPU seconds of this process so far, in which both parties run; none on systems that do not tell.
pub(super) fn cpu_seconds() -> Option<f64> {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};

        let time = clock_gettime(ClockId::ProcessCPUTime);
        let whole = u64::try_from(time.tv_sec).ok()?;
        let parts = u32::try_from(time.tv_nsec).ok()?;
        Some(seconds(std::time::Duration::new(whole, parts)))
    }
    #[cfg(not(unix))]
    None
}
