//! A client that knows what a server offers, and has asked for nothing yet.

use std::collections::{BTreeSet, VecDeque};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Instant;

use channel::{Config, Connection, Role, Waiting};
use nets::PublicModel;
use ot::{Background, CotPrice, Extension};
use secure::{Mode, SecureNetwork};
use sharing::Session;

use crate::control::{AT_ONCE, Control, Wish, Work};
use crate::error::cleaned;
use crate::seed::Seed;
use crate::shelf::{Claimed, Opened, Place, Shelf};
use crate::stocked::{Otherwise, PassedOver, Stocked, Unfit};
use crate::tally::{Spent, Tally};
use crate::{Client, Damage, Discard, Error, Prepared, Progress, Request, Token, traffic};

/// How often a client asks which preparations there are.
const MOST_ASKED: usize = 16;

/// A server whose model and OT extension are known, and checked against a [`Request`]; nothing was asked of it yet. It waits no longer than
/// its time-out.
pub struct Meeting {
    pub(crate) connection: Connection,
    pub(crate) control: Control,
    pub(crate) model: PublicModel,
    pub(crate) extension: &'static dyn Extension,
    pub(crate) request: Request,
    pub(crate) seed: Seed,
    pub(crate) begin: Instant,
    /// What [`Meeting::ready`] has taken.
    pub(crate) first: Option<(Opened, Claimed)>,
    /// What it has found not to open.
    damaged: Vec<(Token, Damage)>,
    /// Whether the server has heard which preparations there are.
    settled: bool,
}

impl std::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meeting")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Meeting {
    /// Connects to a server over TCP; see [`Client::dial_in_line`].
    ///
    /// # Errors
    /// As [`Client::over`], and [`Error::Transport`] if nobody answers at the address.
    pub fn dial(
        address: impl ToSocketAddrs,
        config: &Config,
        request: &Request,
        seed: [u8; 32],
        waiting: &mut dyn FnMut(Waiting),
    ) -> Result<Self, Error> {
        let (seed, begin) = (Seed::new(seed), Instant::now());
        let (terms, entropy) = (request.terms(), seed.entropy());
        let connection = channel::connect_in_line(address, &terms, config, entropy, waiting)?;
        Self::start(connection, request, seed, begin)
    }

    /// The same over a connection that is there already; see [`Client::over`].
    ///
    /// # Errors
    /// As [`Client::over`].
    ///
    /// # Panics
    /// As [`Client::over`].
    pub fn over(connection: Connection, request: &Request, seed: [u8; 32]) -> Result<Self, Error> {
        Self::start(connection, request, Seed::new(seed), Instant::now())
    }

    fn start(
        connection: Connection,
        request: &Request,
        seed: Seed,
        begin: Instant,
    ) -> Result<Self, Error> {
        assert_eq!(
            connection.role(),
            Role::Client,
            "a client was given the server's end of a connection: give it the other end, which `channel::connect` \
             returns, or `Connection::over` with `Role::Client`"
        );
        let mut control = Control::open(&connection, &request.terms())?;
        let model = control.meet(request.expect)?;
        let extension = control.extension(request.extensions)?;
        Ok(Self {
            connection,
            control,
            model,
            extension,
            request: *request,
            seed,
            begin,
            first: None,
            damaged: Vec::new(),
            settled: false,
        })
    }

    /// What the server offers.
    #[must_use]
    pub const fn model(&self) -> &PublicModel {
        &self.model
    }

    /// The connection.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The OT extension, which the server chose.
    #[must_use]
    pub const fn extension(&self) -> &'static dyn Extension {
        self.extension
    }

    /// For how many images a shelf has preparations that are still good: for this server, its model, and runs in the mode of the request.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn prepared(&self, shelf: &Shelf) -> Result<u64, Error> {
        let mut tokens = shelf.tokens(&self.place(shelf).owner)?;
        tokens.retain(|&token| !self.is_damaged(token));
        let runs = tokens.len() as u64 + u64::from(self.first.is_some());
        Ok(runs / self.views())
    }

    /// Deletes the preparations on a shelf that have expired, whoever they were for; how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn discard_expired(&self, shelf: &Shelf) -> Result<u64, Error> {
        Ok(shelf.purge()?.len() as u64)
    }

    /// Opens the preparations on a shelf that [`Meeting::prepared`] counts, but for those of `good`, to which it adds those that open. Those that do not
    /// ([`Meeting::damaged`]) are left there, and count no more, here and at the server.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn inspect(&mut self, shelf: &Shelf, good: &mut BTreeSet<Token>) -> Result<(), Error> {
        let place = self.place(shelf);
        for token in shelf.tokens(&place.owner)? {
            if good.contains(&token) || self.is_damaged(token) {
                continue;
            }
            match shelf.look(&place, token)? {
                Some(Ok(_)) => drop(good.insert(token)),
                Some(Err(why)) => self.damaged.push((token, why)),
                None => {}
            }
        }
        Ok(())
    }

    fn is_damaged(&self, token: Token) -> bool {
        self.damaged.iter().any(|&(other, _)| other == token)
    }

    /// What [`Meeting::ready`] or [`Meeting::inspect`] has found on the shelf that does not open, and why not: damaged, or sealed with another key. It is left there,
    /// and not used. What a session finds later, [`Client::passed_over`] names as well.
    #[must_use]
    pub fn damaged(&self) -> &[(Token, Damage)] {
        &self.damaged
    }

    /// Tells the server which preparations of its model are on a shelf, in any mode, and deletes those that the server has not. If there is no room at the
    /// server for new ones, it may delete those that are not on the shelf any more: at once where it has missed them before, ten minutes
    /// ago or earlier. It does so for a client that it knows by a key; one that has others under the same key on another shelf, as of another
    /// machine, may lose those.
    ///
    /// [`Meeting::prepare`] does this by itself; a caller that first asks [`Meeting::prepared`] does it before. Nothing is said of more than 1,024
    /// preparations.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::PeerMisbehaved`] or [`Error::Transport`].
    pub fn settle(&mut self, shelf: &Shelf) -> Result<(), Error> {
        if std::mem::replace(&mut self.settled, true) {
            return Ok(());
        }
        let mut asks = Vec::new();
        for mode in [Mode::Faithful, Mode::Fast] {
            let place = self.place_in(mode, shelf);
            let mut tokens = shelf.tokens(&place.owner)?;
            tokens.retain(|&token| !self.is_damaged(token));
            let some = tokens.chunks(AT_ONCE).map(<[Token]>::to_vec);
            asks.extend(some.map(|tokens| (mode, place, tokens)));
        }
        if asks.is_empty() {
            let mode = self.request.mode;
            asks.push((mode, self.place_in(mode, shelf), Vec::new()));
        }
        if asks.len() > MOST_ASKED {
            return Ok(());
        }
        let last = asks.len() - 1;
        for (number, (mode, place, tokens)) in asks.iter().enumerate() {
            let Some(kept) = self.control.ask_held(*mode, tokens, number == last)? else {
                return Ok(());
            };
            for (&token, kept) in tokens.iter().zip(kept) {
                if !kept {
                    shelf.discard(place, token, Discard::Lost)?;
                }
            }
        }
        Ok(())
    }

    /// Asks the server which preparations of a shelf it still has, deletes those that it has not, and says for how many images there are preparations
    /// at both. `None`: the server keeps none now, and nothing was deleted.
    ///
    /// If there are enough, for the request or, [`Otherwise::Without`], for an image, it also takes the first that opens, so that what is wrong with a shelf shows here;
    /// those that do not open are left on it ([`Meeting::damaged`]). A caller can still go on with [`Meeting::begin`], also after an error of this party:
    /// nothing was asked of the server, and nothing charged. The preparation that was taken is lost if the session does not begin.
    ///
    /// # Errors
    /// [`Error::Store`], and [`Error::Damaged`] if none opens, after which the meeting is as before; [`Error::PeerMisbehaved`] or [`Error::Transport`].
    pub fn ready(&mut self, shelf: &Shelf, otherwise: Otherwise) -> Result<Option<u64>, Error> {
        let (place, mode) = (self.place(shelf), self.request.mode);
        let needed = match otherwise {
            Otherwise::Fail => self.runs(),
            Otherwise::Without => self.views(),
        };
        let mut good = VecDeque::new();
        // Of very many, the rest are for another time.
        for tokens in shelf.tokens(&place.owner)?.chunks(AT_ONCE).take(MOST_ASKED) {
            if good.len() as u64 >= self.runs() {
                break;
            }
            let Some(kept) = self.control.ask_held(mode, tokens, false)? else {
                return Ok(None);
            };
            for (&token, kept) in tokens.iter().zip(kept) {
                match kept {
                    true => good.push_back(token),
                    false => shelf.discard(&place, token, Discard::Lost)?,
                }
            }
        }
        good.retain(|&token| !self.is_damaged(token));
        while good.len() as u64 >= needed
            && self.first.is_none()
            && let Some(token) = good.pop_front()
        {
            match shelf.look(&place, token)? {
                Some(Ok(opened)) => {
                    let claimed = shelf.claim(&place, token)?;
                    // Unless another process was faster.
                    self.first = claimed.map(|claimed| (opened, claimed));
                }
                Some(Err(why)) => self.damaged.push((token, why)),
                None => {}
            }
        }
        let there = good.len() as u64 + u64::from(self.first.is_some());
        match self.damaged.first() {
            Some((_, why)) if there == 0 => Err(why.clone().into()),
            _ => Ok(Some(there / self.views())),
        }
    }

    /// Asks for a session without preparations; see [`Client::over`].
    ///
    /// # Errors
    /// As [`Client::over`].
    pub fn begin(mut self) -> Result<Client, Error> {
        let network = self.plan(self.request.ahead)?;
        let runs = self.runs();
        self.request
            .allow(traffic::bytes(&network, runs, self.extension))?;
        self.ask(self.request.ahead, Work::Infer)?;
        let mut session = self.session()?;
        session.reserve(traffic::cots(&network, runs));
        let mut tally = Tally::start(&session, Spent::default());
        tally.add_set_up(&network.set_up(&mut session)?);
        let (before, _) = tally.finish(&session);
        Ok(self.client(session, network, before, |_| None))
    }

    /// Asks for a session whose runs are from preparations of a shelf. Of the protocols such a run has only what depends on the image; it makes no
    /// correlations and no keys.
    ///
    /// Each run takes a preparation, which is deleted durably at both parties before anything of the run is said. One that does not open at the client is left on
    /// the shelf, one that the server refuses is deleted, and the run takes the next ([`Client::passed_over`]). Where there is none any more, `otherwise` says what becomes of
    /// the run and of all that follow. Where the session fails, the preparation of the run under way is lost, and the others are left.
    ///
    /// # Errors
    /// As [`Client::over`]; [`Error::NotPrepared`] if there are too few preparations for the images of the request, and [`Otherwise::Fail`] is wanted;
    /// [`Error::Store`].
    pub fn begin_prepared(mut self, shelf: &Shelf, otherwise: Otherwise) -> Result<Client, Error> {
        let (wanted, there) = (u64::from(self.request.images), self.prepared(shelf)?);
        let network = self.plan(true)?;
        let runs = self.runs();
        let short = runs.saturating_sub(there * self.views());
        match otherwise {
            Otherwise::Fail if there < wanted => {
                return Err(Error::NotPrepared { wanted, there });
            }
            Otherwise::Without if short > 0 => {
                let planned = traffic::detour_bytes(&network, runs, short, self.extension);
                self.request.allow(planned)?;
            }
            _ => self
                .request
                .allow(network.cost().bytes().saturating_mul(runs))?,
        }
        self.ask(true, Work::Stocked)?;
        let (seed, price) = (self.seed.session(), self.price());
        let session = Session::without_pools(&self.connection, seed, price)?;
        let place = self.place(shelf);
        let (first, damaged) = (self.first.take(), std::mem::take(&mut self.damaged));
        let passed = damaged.into_iter().map(|(token, damage)| PassedOver {
            token,
            why: Unfit::Damaged(damage),
        });
        let shelf = (shelf.clone(), place);
        let otherwise = (otherwise, self.seed.pools());
        let from = |control| {
            let passed = passed.collect();
            Some(Stocked::new(control, shelf, first, passed, otherwise))
        };
        Ok(self.client(session, network, Spent::default(), from))
    }

    /// Makes preparations for so many images, whatever number the request says, and puts them on a shelf, as the server does on its own. The
    /// phase ahead runs for as many images at once as there is room for.
    ///
    /// `progress` is told before each layer of the phases ahead, and before each preparation.
    ///
    /// # Errors
    /// As [`Client::over`]; [`Error::Store`]; [`Error::Refused`] also where the server has as many as it keeps; [`Error::Local`] if the preparations would be too large. What is on the shelf by then stays there.
    pub fn prepare(
        mut self,
        shelf: &Shelf,
        images: u32,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        self.request.images = images;
        self.settle(shelf)?;
        crate::prepare::client(self, shelf, progress)
    }

    pub(crate) fn views(&self) -> u64 {
        self.model.preprocessing.views() as u64
    }

    /// Runs of the network for the images of the request.
    pub(crate) fn runs(&self) -> u64 {
        u64::from(self.request.images) * self.views()
    }

    pub(crate) fn price(&self) -> CotPrice {
        self.extension.price()
    }

    pub(crate) fn place(&self, shelf: &Shelf) -> Place {
        self.place_in(self.request.mode, shelf)
    }

    fn place_in(&self, mode: Mode, shelf: &Shelf) -> Place {
        let (own, price) = (shelf.own(), self.price());
        Place::new(&self.connection, own, &self.model, mode, price)
    }

    pub(crate) fn plan(&self, ahead: bool) -> Result<SecureNetwork, Error> {
        let (limits, mode) = (&self.request.limits, self.request.mode);
        let graph = Arc::new(self.model.graph.clone());
        let plan = match ahead {
            true => SecureNetwork::ahead,
            false => SecureNetwork::within,
        };
        // The graph is the server's, and so is the fault.
        let network = plan(limits, graph, mode, self.price()).map_err(|e| match e {
            secure::Error::TooLarge { .. } => Error::Local(e),
            e => Error::peer(&format!("the server's model cannot be computed: {e}")),
        })?;
        let homomorphic = network.homomorphic();
        if let Some(layer) = homomorphic.filter(|_| !self.request.homomorphic) {
            let layer = cleaned(layer);
            return Err(Error::Homomorphic { layer });
        }
        Ok(network)
    }

    /// Says what is wanted of the server.
    pub(crate) fn say(&mut self, ahead: bool, work: Work) -> Result<(), Error> {
        let Request { mode, images, .. } = self.request;
        self.control.want(Wish {
            mode,
            images,
            ahead,
            work,
        })
    }

    /// Says it, and hears whether it is granted.
    fn ask(&mut self, ahead: bool, work: Work) -> Result<(), Error> {
        self.say(ahead, work)?;
        self.control.hear()
    }

    /// A session with pools.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let Request { background, .. } = self.request;
        with_pools(self.extension, background, |pools| {
            Ok(Session::establish(
                &self.connection,
                self.seed.session(),
                pools,
            )?)
        })
    }

    fn client(
        self,
        session: Session,
        network: SecureNetwork,
        before: Spent,
        stocked: impl FnOnce(Control) -> Option<Stocked>,
    ) -> Client {
        let Self {
            control,
            connection,
            model,
            extension,
            request,
            begin,
            ..
        } = self;
        Client {
            ahead: VecDeque::new(),
            stocked: stocked(control),
            before,
            connection,
            session: Some(session),
            network,
            model,
            extension,
            request,
            left: request.images,
            setup_s: begin.elapsed().as_secs_f64(),
        }
    }
}

/// Does something with the pools of a session: of its extension, made beside the protocols or not.
pub(crate) fn with_pools<T>(
    extension: &'static dyn Extension,
    background: bool,
    act: impl FnOnce(&dyn Extension) -> T,
) -> T {
    match background {
        true => act(&Background::new(extension)),
        false => act(extension),
    }
}
