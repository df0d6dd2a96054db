//! The party that has the images.

use std::collections::VecDeque;
use std::net::ToSocketAddrs;
use std::time::Instant;

use channel::{Config, Connection, Digest, Terms, Waiting};
use nets::{Picture, Prepared, PublicModel};
use ot::{EXTENSIONS, Extension};
use secure::{Ahead, Limits, Mode, SecureNetwork, Stock};
use sharing::Session;

use crate::findings::{Finding, Findings, Times};
use crate::meeting::Meeting;
use crate::meeting::with_pools;
use crate::prepare::Preparation;
use crate::stocked::{PassedOver, Stocked};
use crate::tally::{Spent, Tally};
use crate::terms::terms;
use crate::{Error, Progress, traffic};

/// What a client wants of a server.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Request {
    /// How many images will come; each may be seen in several views.
    pub images: u32,
    /// How exact they are to be computed.
    pub mode: Mode,
    /// The digest ([`PublicModel::digest`]) of the model that the client insists on; `None` takes what the
    /// server has.
    pub expect: Option<Digest>,
    /// The most bytes that the session may take, in both directions: its set-up, the runs of all images in all
    /// views, and the refills of correlations. A plan that takes more ends with [`Error::TooMuchTraffic`]
    /// before the server hears of the request. `None` takes whatever the model needs.
    pub max_traffic: Option<u64>,
    /// How large the server's network may be.
    pub limits: Limits,
    /// The OT extensions in which the client takes part. The server says which one it uses, and any other ends with
    /// [`Error::OtherExtension`] before the server hears of the request.
    pub extensions: &'static [&'static dyn Extension],
    /// Whether the session refills its correlations in two threads of its own ([`ot::Background`]), ahead of the protocols.
    pub background: bool,
    /// Whether linear layers may be computed by homomorphic encryption, on a lattice assumption. A server whose plan has such a layer
    /// otherwise ends with [`Error::Homomorphic`] before it hears of the request.
    pub homomorphic: bool,
    /// Whether linear layers run ahead of the images where their algorithms can, for as many images at once as there is room for
    /// ([`Client::run_ahead`]). With an image at hand, little is left to do for them.
    pub ahead: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            images: 1,
            mode: Mode::Faithful,
            expect: None,
            max_traffic: None,
            limits: Limits::default(),
            extensions: &EXTENSIONS,
            background: false,
            homomorphic: true,
            ahead: false,
        }
    }
}

impl Request {
    /// What [`channel::connect`] must compare.
    #[must_use]
    pub fn terms(&self) -> Terms {
        terms(self.expect)
    }

    /// Whether the session may take so many bytes.
    pub(crate) fn allow(&self, planned: u64) -> Result<(), Error> {
        match self.max_traffic.filter(|&most| most < planned) {
            Some(allowed) => Err(Error::TooMuchTraffic { planned, allowed }),
            None => Ok(()),
        }
    }
}

/// What a run begins with.
enum Begin {
    /// A preparation, and what it took.
    Stock(Stock, Preparation),
    /// What a phase ahead has left.
    Ahead(Ahead),
    /// Nothing.
    Plain,
}

/// A session with a server, ready for images.
///
/// A server waits for the next image no longer than the time-out of its connection.
#[derive(Debug)]
pub struct Client {
    pub(crate) connection: Connection,
    /// None after an error, or a panic of whoever was told of the progress.
    pub(crate) session: Option<Session>,
    pub(crate) network: SecureNetwork,
    pub(crate) model: PublicModel,
    pub(crate) extension: &'static dyn Extension,
    pub(crate) request: Request,
    pub(crate) left: u32,
    /// What the phase ahead left for the runs to come.
    pub(crate) ahead: VecDeque<Ahead>,
    /// Where preparations come from, if runs are from these.
    pub(crate) stocked: Option<Stocked>,
    /// Reported with the first image, then nothing: set-up, and phases ahead that were asked for.
    pub(crate) before: Spent,
    pub(crate) setup_s: f64,
}

impl Client {
    /// Connects to a server over TCP and makes a session ready for the images of `request`. The line is not
    /// encrypted: the protocols promise nothing against others who read or change what passes.
    /// `seed` must be fresh and secret; everything random comes from it.
    ///
    /// # Errors
    /// As [`Client::over`], and [`Error::Transport`] if nobody answers at the address.
    pub fn dial(
        address: impl ToSocketAddrs,
        config: &Config,
        request: &Request,
        seed: [u8; 32],
    ) -> Result<Self, Error> {
        Self::dial_in_line(address, config, request, seed, &mut |_| {})
    }

    /// The same, and tells `waiting` about each second how many clients come before this one and how long that may take, if the
    /// server is busy with others.
    ///
    /// # Errors
    /// As [`Client::dial`].
    pub fn dial_in_line(
        address: impl ToSocketAddrs,
        config: &Config,
        request: &Request,
        seed: [u8; 32],
        waiting: &mut dyn FnMut(Waiting),
    ) -> Result<Self, Error> {
        Meeting::dial(address, config, request, seed, waiting)?.begin()
    }

    /// The same over a connection that is there already: over streams from outside, in memory, or from
    /// [`channel::connect`] with [`Request::terms`].
    ///
    /// The parties compare their session id and their terms if the connection had no handshake. The client hears the public
    /// part of the model and which OT extension the server uses, checks both, plans the network, and says what it wants; both parties then set up
    /// their session.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the parties do not fit together, [`Error::Refused`] if the server does
    /// not take the request, [`Error::Homomorphic`] if the client does not take part in a layer, [`Error::OtherExtension`] if the client does not take part in the server's OT extension,
    /// [`Error::TooMuchTraffic`] if the plan exceeds [`Request::max_traffic`],
    /// [`Error::PeerMisbehaved`] if the server breaks the rules or presents a model that cannot be,
    /// [`Error::Transport`] if the connection fails, [`Error::Local`] if the model exceeds [`Request::limits`], or
    /// the connection was used before or lacks one of the [`STREAMS`](crate::STREAMS).
    ///
    /// # Panics
    /// If the connection is the server's end; a client needs the one that [`channel::connect`] returns, or
    /// [`Connection::over`] with [`channel::Role::Client`].
    pub fn over(connection: Connection, request: &Request, seed: [u8; 32]) -> Result<Self, Error> {
        Meeting::over(connection, request, seed)?.begin()
    }

    /// What the server offers.
    #[must_use]
    pub const fn model(&self) -> &PublicModel {
        &self.model
    }

    /// The OT extension of the session, which the server chose.
    #[must_use]
    pub const fn extension(&self) -> &'static dyn Extension {
        self.extension
    }

    /// What was asked of it.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The network as planned: its layers, and what each will cost.
    #[must_use]
    pub const fn network(&self) -> &SecureNetwork {
        &self.network
    }

    /// The connection, for its counters of bytes.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether its next run is from a preparation, if there is one.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.stocked.as_ref().is_some_and(Stocked::goes_on)
    }

    /// The preparations that were found to be no good, in this session and while it was asked for.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        self.stocked.as_ref().map_or(&[], Stocked::passed_over)
    }

    /// For how many images there are preparations left, if the session began with some.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn prepared_left(&self) -> Result<Option<u64>, Error> {
        let left = self.stocked.as_ref().map(Stocked::left).transpose()?;
        let views = self.model.preprocessing.views() as u64;
        Ok(left.map(|runs| runs / views))
    }

    /// Images that may still come.
    #[must_use]
    pub const fn images_left(&self) -> u32 {
        self.left
    }

    /// Runs layers ahead of images of which nothing is known yet, unless that was done before: all that are left, or as many as there is room
    /// for. [`Client::infer`] does so by itself where it was not done; this is for the time before there is an image. Does nothing if
    /// the request did not ask for it, no layer can, or no images are left.
    ///
    /// # Errors
    /// [`Error::Ended`] after an earlier error or panic; else [`Error::PeerMisbehaved`] or [`Error::Transport`].
    pub fn run_ahead(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Error> {
        let done = !self.ahead.is_empty() || self.is_prepared() || self.left == 0;
        if done || !self.network.runs_ahead() {
            return Ok(());
        }
        let mut session = self.session.take().ok_or(Error::Ended)?;
        let mut tally = Tally::start(&session, self.before);
        let runs = u64::from(self.left) * self.model.preprocessing.views() as u64;
        self.phase(&mut session, &mut tally, runs, progress)?;
        (self.before, _) = tally.finish(&session);
        self.session = Some(session);
        Ok(())
    }

    /// What the next run begins with, of those that are left.
    fn begin_run(
        &mut self,
        session: &mut Session,
        tally: &mut Tally,
        left: u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Begin, Error> {
        if let Some(mut stocked) = self.stocked.take_if(|stocked| stocked.goes_on()) {
            let next = stocked.next(&self.network);
            let gone = match &next {
                Ok(None) => self.go_without(&mut stocked, session, tally, left),
                _ => Ok(()),
            };
            // What was passed over is told also after an error.
            self.stocked = Some(stocked);
            gone?;
            if let Some((stock, spent)) = next? {
                return Ok(Begin::Stock(stock, spent));
            }
        }
        if self.network.runs_ahead() && self.ahead.is_empty() {
            self.phase(session, tally, left, progress)?;
        }
        Ok(self.ahead.pop_front().map_or(Begin::Plain, Begin::Ahead))
    }

    /// From here this and all runs that are left are without preparations.
    fn go_without(
        &self,
        stocked: &mut Stocked,
        session: &mut Session,
        tally: &mut Tally,
        left: u64,
    ) -> Result<(), Error> {
        let runs = u64::from(self.request.images) * self.model.preprocessing.views() as u64;
        let planned = traffic::detour_bytes(&self.network, runs, left, self.extension);
        self.request.allow(planned)?;
        let seed = stocked.go_without()?;
        with_pools(self.extension, self.request.background, |pools| {
            session.add_pools(&self.connection, *seed, pools)
        })?;
        tally.begin_pools(session);
        session.reserve(traffic::cots(&self.network, left));
        tally.add_set_up(&self.network.set_up(session)?);
        Ok(())
    }

    /// A phase ahead of some of the runs to come.
    fn phase(
        &mut self,
        session: &mut Session,
        tally: &mut Tally,
        runs: u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let images = traffic::ahead_images(&self.network, runs);
        let mut tell = |step: secure::Progress<'_>| progress(Progress::ahead(step));
        let (left, report) = self.network.prepare_ahead(session, images, &mut tell)?;
        self.ahead.extend(left);
        tally.add_ahead(&report);
        Ok(())
    }

    /// The findings of one image; the server learns nothing.
    ///
    /// An error, or a panic of `progress`, ends the session, and the server hears it at once.
    ///
    /// # Errors
    /// [`Error::NoImagesLeft`] after as many images as the request said, with nothing sent;
    /// [`Error::Ended`] after an earlier error or panic. Of a session with preparations: [`Error::Store`]; where there is none any more,
    /// [`Error::NotPrepared`], [`Error::Damaged`] or [`Error::Refused`] of the last one, or, if it may go on without, [`Error::TooMuchTraffic`] or [`Error::Refused`]
    /// for what that takes. Else [`Error::PeerMisbehaved`] or [`Error::Transport`].
    pub fn infer(
        &mut self,
        picture: &Picture,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Findings, Error> {
        let begin = Instant::now();
        let images = self.request.images;
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(Error::NoImagesLeft { images })?;
        let views = 0..self.model.preprocessing.views();
        let prepare = |view| self.model.prepare(picture, view);
        let inputs: Vec<Prepared> = views.map(prepare).collect();
        let preprocess_s = begin.elapsed().as_secs_f64();

        let (online, runs) = (Instant::now(), inputs.len() as u64);
        // It is put back when all went well.
        let mut session = self.session.take().ok_or(Error::Ended)?;
        let mut tally = Tally::start(&session, std::mem::take(&mut self.before));
        let done_before_s = tally.ahead_s();
        let mut views = Vec::with_capacity(inputs.len());
        let mut preparation: Option<Preparation> = None;
        for (run, input) in (0..).zip(&inputs) {
            let left = u64::from(self.left) * runs + (runs - run);
            let begin = self.begin_run(&mut session, &mut tally, left, progress)?;
            let mut tell = |step: secure::Progress<'_>| progress(Progress::of(run, runs, step));
            let (network, input) = (&self.network, input.fixed());
            let (outputs, report) = match begin {
                Begin::Stock(stock, spent) => {
                    preparation.get_or_insert_default().add(&spent);
                    network.infer_stocked(&mut session, input, stock, &mut tell)?
                }
                Begin::Ahead(ahead) => {
                    network.infer_after(&mut session, input, ahead, &mut tell)?
                }
                Begin::Plain => network.infer(&mut session, input, &mut tell)?,
            };
            views.push(outputs);
            tally.add(report);
        }
        let elapsed_s = online.elapsed().as_secs_f64();

        let (Spent { comm, ahead_s }, layers) = tally.finish(&session);
        self.session = Some(session);
        let setup_s = std::mem::take(&mut self.setup_s);
        Ok(Findings {
            outputs: Finding::of_integers(&self.model, &views),
            views,
            preparation,
            comm,
            time: Times {
                setup_s,
                ahead_s,
                preprocess_s,
                online_s: elapsed_s - (ahead_s - done_before_s),
                total_s: setup_s + done_before_s + begin.elapsed().as_secs_f64(),
            },
            layers,
        })
    }
}
