//! The runs of a session.

use std::collections::VecDeque;
use std::ops::Range;

use channel::Connection;
use secure::SecureNetwork;
use sharing::Session;

use super::{Asked, Served, Server};
use crate::meeting::with_pools;
use crate::seed::Seed;
use crate::stocked::Named;
use crate::tally::{Spent, Tally};
use crate::{Error, Progress, traffic};

impl Server {
    /// Runs from preparations, as far as the client has some.
    pub(super) fn serve_stocked(
        &self,
        (connection, seed, network, runs): (&Connection, &Seed, &SecureNetwork, u64),
        mut named: Named<'_>,
        admit: &mut dyn FnMut(&Asked) -> Result<(), String>,
        progress: &mut dyn FnMut(Progress<'_>),
        served: &mut Served,
    ) -> Result<(), Error> {
        let price = self.extension.price();
        let mut session = Session::without_pools(connection, seed.session(), price)?;
        let (weights, mut tally) = (&self.weights, Tally::start(&session, Spent::default()));
        for run in 0..runs {
            let Some(stock) = named.next(network)? else {
                served.without = runs - run;
                let asked = Asked {
                    images: 0,
                    prepared: 0,
                    measured: false,
                    detour: true,
                    mode: served.mode,
                    ahead: served.ahead,
                    bytes: traffic::before_bytes(network, served.without, self.extension),
                };
                named.answer(admit(&asked))?;
                with_pools(self.extension, self.options.background, |pools| {
                    session.add_pools(connection, seed.pools(), pools)
                })?;
                tally.begin_pools(&session);
                self.serve_rest(&mut session, &mut tally, network, run..runs, progress)?;
                break;
            };
            let mut tell = |step: secure::Progress<'_>| progress(Progress::of(run, runs, step));
            tally.add(network.serve_stocked(&mut session, weights, stock, &mut tell)?);
        }
        served.damaged = named.damaged;
        let spent = tally.finish(&session).0;
        (served.comm, served.ahead_s) = (spent.comm, spent.ahead_s);
        Ok(())
    }

    /// Runs with all that belongs to them.
    pub(super) fn serve_whole(
        &self,
        connection: &Connection,
        seed: &Seed,
        network: &SecureNetwork,
        runs: u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Spent, Error> {
        let mut session = self.session(connection, seed)?;
        let mut tally = Tally::start(&session, Spent::default());
        self.serve_rest(&mut session, &mut tally, network, 0..runs, progress)?;
        Ok(tally.finish(&session).0)
    }

    /// The last of the runs of a session, which has pools, with all that belongs to them.
    fn serve_rest(
        &self,
        session: &mut Session,
        tally: &mut Tally,
        network: &SecureNetwork,
        rest: Range<u64>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let runs = rest.end;
        session.reserve(traffic::cots(network, runs - rest.start));
        tally.add_set_up(&network.set_up(session)?);
        let (weights, mut left) = (&self.weights, VecDeque::new());
        for run in rest {
            if network.runs_ahead() && left.is_empty() {
                let images = traffic::ahead_images(network, runs - run);
                let mut tell = |step: secure::Progress<'_>| progress(Progress::ahead(step));
                let (more, report) = network.serve_ahead(session, weights, images, &mut tell)?;
                left.extend(more);
                tally.add_ahead(&report);
            }
            let mut tell = |step: secure::Progress<'_>| progress(Progress::of(run, runs, step));
            tally.add(match left.pop_front() {
                Some(ahead) => network.serve_after(session, weights, ahead, &mut tell)?,
                None => network.serve(session, weights, &mut tell)?,
            });
        }
        Ok(())
    }
}
