//! The party that has the model.

mod desk;
mod plans;
mod runs;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use channel::{Connection, Role, Terms};
use nets::{PrivateWeights, PublicModel};
use ot::Extension;
use secure::{ExtensionChoice, Limits, Mode, ServerWeights};
use sharing::Session;

use crate::control::{Control, Offer, Work};
use crate::meeting::with_pools;
use crate::prepare::{self, Bench};
use crate::seed::Seed;
use crate::shelf::{Place, Shelf};
use crate::stocked::Named;
use crate::terms::terms;
use crate::{ClientKey, Comm, Error, Modes, Progress, traffic};
use desk::Desk;
use plans::Plans;

/// What a server allows and uses.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct ServerOptions {
    /// The most images of one session, at least one. A client that deviates from the protocols takes more of the weights from
    /// each image than what the findings tell, so that few is the cautious choice.
    pub max_images: u32,
    /// The modes that clients may ask for. Only those are planned.
    pub modes: Modes,
    /// How large the network may be. Clients have limits of their own.
    pub limits: Limits,
    /// How the OT extension is chosen, which clients are told.
    pub extension: ExtensionChoice,
    /// Whether each session refills its correlations in two threads of its own ([`ot::Background`]), ahead of the protocols.
    /// It pays where processors have nothing to do.
    pub background: bool,
    /// The most preparations of its model that a client may have, in all modes, one for each view of an image; each takes space in the store. Those of
    /// another model have room of their own, so that whoever exchanges a model need not wait for the old ones to expire. None are made without
    /// [`Server::with_shelf`].
    pub max_prepared: u32,
    /// For how many seconds a preparation is good.
    pub lifetime: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_images: 4,
            modes: Modes::ALL,
            limits: Limits::default(),
            extension: ExtensionChoice::default(),
            background: false,
            max_prepared: 16,
            lifetime: 7 * 86_400,
        }
    }
}

/// A model that is served. One value serves any number of sessions, also at the same time from several
/// threads; the plans of the network and what protocols make of the weights are made once for all.
///
/// A server does not listen by itself: it is given connections, from a [`channel::Listener`], from
/// streams of another kind ([`Connection::over`]) or in memory.
#[derive(Debug)]
pub struct Server {
    public: PublicModel,
    /// Where preparations are kept, if any are made.
    shelf: Option<Shelf>,
    /// The public part as it travels.
    json: Vec<u8>,
    terms: Terms,
    weights: ServerWeights,
    extension: &'static dyn Extension,
    offer: Offer,
    /// The network as planned for each mode that is allowed.
    faithful: Option<Plans>,
    fast: Option<Plans>,
    options: ServerOptions,
}

/// What a client asks of a server that would do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// Images that are asked about; none where preparations are made.
    pub images: u32,
    /// Preparations that are made.
    pub prepared: u64,
    /// Whether nothing is asked but to measure the line, which takes bytes and is no session yet; there may be more of this kind, and then
    /// a session.
    pub measured: bool,
    /// Whether nothing is asked but that the rest of a session at hand goes on without preparations, of which the client has none any more: the bytes
    /// are what that takes more.
    pub detour: bool,
    /// How exact they are to be computed.
    pub mode: Mode,
    /// Whether layers run ahead of the images, where they can.
    pub ahead: bool,
    /// The bytes that the session will take, in both directions.
    pub bytes: u64,
}

/// A session that ended well.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Served {
    /// Images.
    pub images: u32,
    /// How exact they were computed.
    pub mode: Mode,
    /// Whether layers ran ahead of the images, where they could.
    pub ahead: bool,
    /// Preparations that were made; the images are those that they are for, and nothing was asked about them.
    pub prepared: u64,
    /// Whether the runs were from preparations, as far as there were some.
    pub stocked: bool,
    /// Runs of such a session that were without, because there was none any more.
    pub without: u64,
    /// Preparations that the client named and that did not open here; they were deleted.
    pub damaged: u64,
    /// Traffic.
    pub comm: Comm,
    /// Wall time of the phases ahead in seconds, the waiting for the client included.
    pub ahead_s: f64,
    /// Wall time of the whole session in seconds.
    pub seconds: f64,
}

impl Server {
    /// Makes a model ready to be served.
    ///
    /// # Errors
    /// [`Error::Local`] for a public part that contradicts itself, weights of another model, a layer that no
    /// protocol computes, or options that allow no image, under which every client would be refused.
    pub fn new(
        public: PublicModel,
        weights: PrivateWeights,
        options: ServerOptions,
    ) -> Result<Self, Error> {
        if options.max_images == 0 {
            let problem = "every client would be refused".to_owned();
            let option = "max_images";
            return Err(secure::Error::Option { option, problem }.into());
        }
        public.check().map_err(secure::Error::from)?;
        weights.check(&public.graph).map_err(secure::Error::from)?;
        let graph = Arc::new(public.graph.clone());
        // The mode that draws more decides.
        let mode = match options.modes.allows(Mode::Faithful) {
            true => Mode::Faithful,
            false => Mode::Fast,
        };
        let (views, limits) = (public.preprocessing.views() as u64, &options.limits);
        let extension = options.extension.extension(&graph, mode, views, limits)?;
        let price = extension.price();
        let plan = |mode| {
            let allowed = options.modes.allows(mode);
            let plan = || Plans::new(limits, &graph, mode, price);
            allowed.then(plan).transpose()
        };
        Ok(Self {
            json: public.to_json(),
            terms: terms(Some(public.digest())),
            weights: ServerWeights::new(Arc::new(weights)),
            offer: Offer::of(extension),
            extension,
            faithful: plan(Mode::Faithful)?,
            fast: plan(Mode::Fast)?,
            options,
            public,
            shelf: None,
        })
    }

    /// The same server, which makes preparations for clients and serves images from them.
    #[must_use]
    pub fn with_shelf(mut self, shelf: Shelf) -> Self {
        self.shelf = Some(shelf);
        self
    }

    /// Where its preparations are.
    pub(crate) const fn shelf(&self) -> Option<&Shelf> {
        self.shelf.as_ref()
    }

    /// What clients are told of the model.
    #[must_use]
    pub const fn model(&self) -> &PublicModel {
        &self.public
    }

    /// The OT extension of all sessions.
    #[must_use]
    pub const fn extension(&self) -> &'static dyn Extension {
        self.extension
    }

    /// The bytes of the largest session that is allowed, in both directions: its set-up, the runs of all images in all views
    /// in the mode that takes most, and the refills of correlations.
    #[must_use]
    pub fn largest_session(&self) -> u64 {
        let runs = self.runs(self.options.max_images);
        let modes = [&self.faithful, &self.fast].into_iter().flatten();
        let plans = modes.flat_map(|plans| [false, true].map(|ahead| plans.get(ahead)));
        let bytes = plans.map(|network| traffic::bytes(network, runs, self.extension));
        bytes.max().unwrap_or_default()
    }

    /// What [`channel::Listener::accept`] must compare.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Serves one client until it has had all its images.
    ///
    /// The parties compare their session id and their terms if the connection had no handshake; the server presents
    /// the public part of its model and its OT extension, hears how many images will come and in which mode, and takes part in
    /// the protocols for each. It learns nothing of images and findings. `seed` must be fresh and secret;
    /// everything random comes from it.
    ///
    /// All that comes before the protocols has to be over within the time-out of the connection; after it, each message has
    /// to be over within that time-out and the time that its bytes take at the least rate of the connection
    /// ([`channel::Config`]). A panic of `progress` ends the session, and the client hears it at once.
    ///
    /// # Errors
    /// All but [`Error::NoImagesLeft`]. An error ends this session and no other one.
    ///
    /// # Panics
    /// If the connection is the client's end; a server needs the one that [`channel::Listener::accept`] returns, or
    /// [`Connection::over`] with [`Role::Server`].
    pub fn serve(
        &self,
        connection: &Connection,
        seed: [u8; 32],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Served, Error> {
        self.serve_if(connection, seed, &mut |_| Ok(()), progress)
    }

    /// The same if `admit` has nothing against it: it hears what the client asks for before the client is told
    /// that it gets it, and otherwise says why not, in at most 200 characters, which the client is told. It hears more than one thing of a session that measures the line before
    /// ([`Asked::measured`]), or goes on without preparations ([`Asked::detour`]).
    ///
    /// # Errors
    /// As [`Server::serve`]; [`Error::Refused`] with the words of `admit`.
    ///
    /// # Panics
    /// As [`Server::serve`].
    pub fn serve_if(
        &self,
        connection: &Connection,
        seed: [u8; 32],
        admit: &mut dyn FnMut(&Asked) -> Result<(), String>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Served, Error> {
        assert_eq!(
            connection.role(),
            Role::Server,
            "a server was given the client's end of a connection: give it the other end, which `Listener::accept` \
             returns, or `Connection::over` with `Role::Server`"
        );
        let (seed, begin) = (Seed::new(seed), Instant::now());
        let mut control = Control::open(connection, &self.terms)?;
        let place = |mode| self.place(connection, mode);
        let mut desk = Desk {
            shelf: self.shelf.as_ref(),
            place: &place,
            known: connection.peer_identity().is_some(),
            admit,
            named: BTreeSet::new(),
            all: false,
            broken: None,
        };
        let granted = control.present(&self.json, &self.offer, &mut desk, |desk, wish| {
            let plans = self.plans_for(wish)?;
            if wish.work != Work::Infer {
                self.check_stock(wish, desk)?;
            }
            (desk.admit)(&self.asked(wish, plans)?)?;
            Ok(plans)
        });
        let (wish, plans) = granted.map_err(|refused| desk.broken.unwrap_or(refused))?;
        let mut served = Served {
            images: wish.images,
            mode: wish.mode,
            ahead: wish.ahead,
            prepared: 0,
            stocked: wish.work == Work::Stocked,
            without: 0,
            damaged: 0,
            comm: Comm::default(),
            ahead_s: 0.0,
            seconds: 0.0,
        };
        let runs = self.runs(wish.images);
        match (wish.work, &self.shelf) {
            (Work::Prepare, Some(shelf)) => {
                let draws = plans.draws(&self.weights);
                let draws = draws.expect("they were there when it was granted");
                let network = plans.get(true);
                let bench = Bench {
                    network,
                    draws,
                    runs,
                    planned: traffic::stock_bytes(network, draws, runs, self.extension),
                };
                let place = (shelf, &place(wish.mode), self.options.lifetime);
                let mut session = self.session(connection, &seed)?;
                let ahead =
                    |session: &mut Session, images, tell: &mut dyn FnMut(secure::Progress<'_>)| {
                        bench
                            .network
                            .serve_ahead(session, &self.weights, images, tell)
                    };
                let session = &mut session;
                (served.comm, served.ahead_s) =
                    prepare::server(&mut control, place, &seed, session, &bench, ahead, progress)?;
                served.prepared = runs;
            }
            (Work::Stocked, Some(shelf)) => {
                let named = Named::new(&mut control, shelf, place(wish.mode));
                let of = (connection, &seed, plans.get(true), runs);
                self.serve_stocked(of, named, desk.admit, progress, &mut served)?;
            }
            (Work::Infer | Work::Prepare | Work::Stocked, _) => {
                // Nothing more is said on it.
                drop(control);
                let network = plans.get(wish.ahead);
                let spent = self.serve_whole(connection, &seed, network, runs, progress)?;
                (served.comm, served.ahead_s) = (spent.comm, spent.ahead_s);
            }
        }
        served.seconds = begin.elapsed().as_secs_f64();
        Ok(served)
    }

    /// A session with pools.
    fn session(&self, connection: &Connection, seed: &Seed) -> Result<Session, Error> {
        with_pools(self.extension, self.options.background, |pools| {
            Ok(Session::establish(connection, seed.session(), pools)?)
        })
    }

    /// Where preparations of a client are.
    fn place(&self, connection: &Connection, mode: Mode) -> Place {
        let (own, price) = (ClientKey::default(), self.extension.price());
        let place = Place::new(connection, own, &self.public, mode, price);
        place.with_room(u64::from(self.options.max_prepared))
    }

    /// Runs of the network for so many images.
    fn runs(&self, images: u32) -> u64 {
        u64::from(images) * self.public.preprocessing.views() as u64
    }
}
