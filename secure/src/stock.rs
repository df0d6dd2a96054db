//! Preparations: all of a run that does not depend on the input, made before and kept.

use std::sync::Arc;

use channel::{Cost, Role};
use linear::LinearProtocol;
use ring_arith::packed_len;
use sharing::{Draws, Session};
use zeroize::Zeroizing;

use crate::Error;
use crate::ahead::Ahead;
use crate::compute::{Secret, Secrets};
use crate::executor::SecureNetwork;
use crate::report::{Progress, RunReport};
use crate::run::Run;
use crate::step::Step;
use crate::weights::ServerWeights;

/// The most bytes of a preparation at either party. What stores keep and what memory holds at once is bounded by it.
pub const MOST_STOCK: u64 = (1 << 30) - (1 << 16);

/// The most COTs of linear layers by OT in a preparation: each keeps up to two keys, and a dry run goes through all their messages.
const MOST_ROWS: u64 = 1 << 25;

/// Bytes by which the memory of a preparation that is made is longer than it: room for what a caller wants to keep with it, and for a seal.
pub const STOCK_ROOM: usize = 128;

/// What the bytes begin with.
const MAGIC: [u8; 8] = *b"BRSTOCK2";
/// Bytes before the shares of the layers that ran ahead: what they begin with, the party, and the seed of the client's r.
const HEADER: usize = MAGIC.len() + 8 + 32;

/// A preparation for one run at one party: its shares of the layers that ran ahead, and its random OTs, each in as many bits as are used.
///
/// A run takes it by value: were it used twice, the parties would learn the difference of each other's secrets. It erases itself on drop, and
/// `Debug` prints no secret. [`SecureNetwork::stock`] makes its bytes.
pub struct Stock {
    role: Role,
    ahead: Ahead,
    ots: sharing::Stock,
}

impl std::fmt::Debug for Stock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stock")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Preparations.
impl SecureNetwork {
    /// What a run draws, from a dry run of the server's side, without a client. It takes as long as the server computes in a run, so it is done
    /// once for all preparations. The client has the same from [`SecureNetwork::client_draws`].
    ///
    /// # Errors
    /// [`Error::TooLarge`] if a preparation would be, for linear layers by OT above all; [`nets::Error::Weights`] for weights of another graph.
    pub fn server_draws(&self, weights: &ServerWeights) -> Result<Draws, Error> {
        weights.weights().check(self.graph())?;
        self.rehearse(Role::Server, Secret::Weights(weights))
    }

    /// What a run draws, from a dry run of the client's side, without a server.
    ///
    /// # Errors
    /// As [`SecureNetwork::server_draws`].
    pub fn client_draws(&self) -> Result<Draws, Error> {
        let image = Zeroizing::new(vec![0; self.graph().input().shape.len()]);
        self.rehearse(Role::Client, Secret::Image(image))
    }

    fn rehearse(&self, role: Role, own: Secret<'_>) -> Result<Draws, Error> {
        let too_large = |what, found, allowed| Error::TooLarge {
            what,
            found,
            allowed,
        };
        let by_ot = self.steps.iter().map(|step| match step {
            Step::Linear(step) => step.timing().cost().cots.total(),
            _ => 0,
        });
        let rows = by_ot.sum();
        if rows > MOST_ROWS {
            let what = "oblivious transfers of linear layers in a preparation";
            return Err(too_large(what, rows, MOST_ROWS));
        }
        let ahead = self.empty_ahead(role);
        let mut session = Session::rehearsal(role, self.price);
        let secrets = Secrets { own, ahead };
        session.run(async |party| {
            let mut untold = |_: Progress<'_>| {};
            let run = Run::new(self, party, &secrets, &mut untold);
            run.finish().await
        })?;
        let draws = session.rehearsed();
        let (planned, found) = (self.cost().cots, draws.cots());
        assert_eq!(planned, found, "a run draws what is planned");
        let bytes = self.stock_bytes(&draws);
        if bytes > MOST_STOCK {
            return Err(too_large("bytes of a preparation", bytes, MOST_STOCK));
        }
        Ok(draws)
    }

    /// The bytes of a preparation for one run at either party.
    #[must_use]
    pub fn stock_bytes(&self, draws: &Draws) -> u64 {
        HEADER as u64 + self.shares_bytes() + draws.bytes()
    }

    fn shares_bytes(&self) -> u64 {
        self.online_steps()
            .map(|step| share_bytes(step) as u64)
            .sum()
    }

    /// What a phase ahead of zeros would leave.
    fn empty_ahead(&self, role: Role) -> Ahead {
        let zeros = |step| Zeroizing::new(vec![0; share_bytes(step)]);
        let shares = self.online_steps().map(zeros).collect();
        Ahead::with(role, Zeroizing::default(), shares)
    }

    /// Makes the preparation for one run, after a phase ahead whose leftovers for this run are `ahead`, and gives its bytes. Both parties do
    /// so at the same point, with the same draws. There is room for [`STOCK_ROOM`] bytes more.
    ///
    /// **Cost.** [`Draws::cost`], which is also what is returned as measured.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong.
    ///
    /// # Panics
    /// If `ahead` is of another network or party, or the session has another price of correlations than the plan.
    pub fn stock(
        &self,
        session: &mut Session,
        ahead: Ahead,
        draws: &Draws,
    ) -> Result<(Zeroizing<Vec<u8>>, Cost), Error> {
        self.check_price(session);
        session.mark();
        let role = session.role();
        ahead.check(role, self.online.len());
        let bytes = usize::try_from(self.stock_bytes(draws));
        let bytes = bytes.expect("it fits into memory") + STOCK_ROOM;
        let mut out = Zeroizing::new(Vec::with_capacity(bytes));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[u8::from(role.is_server()), 0, 0, 0, 0, 0, 0, 0]);
        ahead.write(&mut out);
        drop(ahead);
        session.enter_phase("correlations, prepared");
        session.fill(draws, &mut out)?;
        Ok((out, session.measured()))
    }

    /// The preparation of these bytes, whoever they are from.
    ///
    /// # Errors
    /// [`ot::Error::BadStock`] if they are none, of another network, or the other party's.
    pub fn open_stock(&self, role: Role, bytes: Zeroizing<Vec<u8>>) -> Result<Stock, Error> {
        let bad = || sharing::Error::from(ot::Error::BadStock);
        let (header, mut rest) = bytes.split_at_checked(HEADER).ok_or_else(bad)?;
        let (begin, seed) = header.split_at(HEADER - 32);
        let expected = [u8::from(role.is_server()), 0, 0, 0, 0, 0, 0, 0];
        if begin != [MAGIC, expected].concat() {
            return Err(bad().into());
        }
        let mut own = Zeroizing::new([0; 32]);
        own.copy_from_slice(seed);
        let mut shares = Vec::with_capacity(self.online.len());
        for step in self.online_steps() {
            let share;
            (share, rest) = rest.split_at_checked(share_bytes(step)).ok_or_else(bad)?;
            shares.push(Zeroizing::new(share.to_vec()));
        }
        let part = bytes.len() - rest.len()..bytes.len();
        let ahead = Ahead::with(role, own, shares);
        let ots = sharing::Stock::new(&Arc::new(bytes), part, role)?;
        Ok(Stock { role, ahead, ots })
    }

    /// The server's side of a run on one input, from a preparation. The session needs no pools ([`Session::without_pools`]).
    ///
    /// # Errors
    /// As [`SecureNetwork::serve`]; [`ot::Error::OtherDraw`] if the preparation is of another plan, before anything is said that depends on
    /// the draw.
    ///
    /// # Panics
    /// As [`SecureNetwork::serve`].
    pub fn serve_stocked(
        &self,
        session: &mut Session,
        weights: &ServerWeights,
        stock: Stock,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunReport, Error> {
        session.restock(stock.ots);
        let report = self.serve_after(session, weights, stock.ahead, progress)?;
        spent(session)?;
        Ok(report)
    }

    /// The client's side of a run on one input, from a preparation; see [`SecureNetwork::serve_stocked`].
    ///
    /// # Errors
    /// As [`SecureNetwork::infer`], and as [`SecureNetwork::serve_stocked`].
    ///
    /// # Panics
    /// As [`SecureNetwork::infer`].
    pub fn infer_stocked(
        &self,
        session: &mut Session,
        input: &[i64],
        stock: Stock,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<i64>, RunReport), Error> {
        session.restock(stock.ots);
        let found = self.infer_after(session, input, stock.ahead, progress)?;
        spent(session)?;
        Ok(found)
    }
}

/// What a layer that runs ahead leaves at a party for one run.
fn share_bytes(step: &dyn LinearProtocol) -> usize {
    packed_len(step.layer().shape.output_len(), step.output_bits())
}

/// A run takes all of its preparation.
fn spent(session: &mut Session) -> Result<(), Error> {
    if session.is_spent() {
        return Ok(());
    }
    session.kill();
    Err(sharing::Error::from(ot::Error::BadStock).into())
}
