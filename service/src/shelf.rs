//! Where a party keeps its preparations.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use channel::{Connection, Digest, Role};
use nets::PublicModel;
use ot::CotPrice;
use secure::Mode;
use zeroize::Zeroizing;

use crate::seed::Salts;
use crate::terms::{WIRE_VERSION, terms};
use crate::{ClientKey, Doubts, Error, Lot, Owner, Room, Said, Stock, Store, StoreError, Token};

/// How many preparations that do not open are passed over.
const PASSED_OVER: usize = 16;

/// Where a party keeps its preparations: a store, and the key under which they are sealed before the store sees them. Clones are the same
/// shelf.
///
/// A preparation is bound to both parties, the model, and the plan: everything that decides which correlations a run draws. It is taken from
/// the store at most once, which deletes it durably before anything is done with it.
#[derive(Clone)]
pub struct Shelf {
    store: Arc<dyn Store>,
    key: Arc<sealed::Key>,
    clock: fn() -> u64,
    /// By which of its keys this party is known to the others.
    own: ClientKey,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The purpose of sealed preparations, by party.
const fn purpose(role: Role) -> &'static str {
    match role {
        Role::Server => "Blindray preparation, server",
        Role::Client => "Blindray preparation, client",
    }
}

impl Shelf {
    /// A shelf in a store, by the clock of the system.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, key: sealed::Key) -> Self {
        Self::with_clock(store, key, || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs())
        })
    }

    /// The same with another clock, which gives Unix seconds.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, key: sealed::Key, clock: fn() -> u64) -> Self {
        let (key, own) = (Arc::new(key), ClientKey::default());
        Self {
            store,
            key,
            clock,
            own,
        }
    }

    /// The same for a client that is known to its servers by this key. What it prepares by one key is of no use to it by another one, since
    /// servers keep theirs for the key; so what was put there by another key is not on this shelf.
    #[must_use]
    pub fn of(self, own: ClientKey) -> Self {
        Self { own, ..self }
    }

    /// By which key.
    pub(crate) const fn own(&self) -> ClientKey {
        self.own
    }

    /// The preparations of an owner that are still good, the earliest to expire first.
    pub(crate) fn tokens(&self, owner: &Owner) -> Result<Vec<Token>, Error> {
        Ok(self.store.tokens(owner, (self.clock)())?)
    }

    /// How many a client has of a model, whatever their plans.
    pub(crate) fn count(&self, owner: &Owner) -> Result<u64, Error> {
        let Owner { peer, model, .. } = owner;
        Ok(self.store.count(peer, model, (self.clock)())?)
    }

    /// Deletes what has expired; what there is of all owners then.
    pub(crate) fn tend(&self) -> Result<Stock, StoreError> {
        let now = (self.clock)();
        self.store.purge(now)?;
        self.store.stock(now)
    }

    /// Hears which preparations of this model a client says it has, of all plans; whether it has no others.
    pub(crate) fn settle(
        &self,
        owner: &Owner,
        tokens: &BTreeSet<Token>,
        all: bool,
    ) -> Result<Doubts, Error> {
        let Owner { peer, model, .. } = *owner;
        let said = Said {
            peer,
            model,
            tokens,
            all,
        };
        Ok(self.store.settle(&said, (self.clock)())?)
    }

    /// Puts a preparation aside if there is room; durable when it returns.
    pub(crate) fn put(
        &self,
        place: &Place,
        token: Token,
        lifetime: u64,
        mut bytes: Zeroizing<Vec<u8>>,
        salts: &mut Salts,
    ) -> Result<(), Error> {
        let now = (self.clock)();
        // What has expired makes room.
        self.store.purge(now)?;
        let (purpose, context) = (purpose(place.role), place.context(token));
        // A second copy would be as large again.
        let bytes = std::mem::take(&mut *bytes);
        let sealed = sealed::seal_in_place(&self.key, purpose, &context, salts.next(), bytes);
        let lot = Lot {
            token,
            owner: place.owner,
            expires: now.saturating_add(lifetime),
            sealed: &sealed,
        };
        let room = place.most.map(|most| Room { most, now });
        Ok(self.store.put(&lot, room)?)
    }

    /// Takes a preparation out: deleted durably when it returns, and still sealed. `None` if it is not there, or not good any more.
    pub(crate) fn take(&self, place: &Place, token: Token) -> Result<Option<Taken>, Error> {
        let now = (self.clock)();
        let sealed = self.store.take(&token, &place.owner, now)?;
        Ok(sealed.map(|sealed| Taken { token, sealed }))
    }

    /// The same of one that was opened while it was still there: whether it is this party's now.
    pub(crate) fn claim(&self, place: &Place, token: Token) -> Result<bool, Error> {
        Ok(self.store.claim(&token, &place.owner, (self.clock)())?)
    }

    /// Takes out the first that nobody else has taken, if there is one; none of those to be passed over.
    pub(crate) fn take_any(
        &self,
        place: &Place,
        but: &[(Token, sealed::Error)],
    ) -> Result<Option<Taken>, Error> {
        let mut tokens = self.tokens(&place.owner)?;
        tokens.retain(|token| but.iter().all(|(other, _)| other != token));
        for token in tokens {
            if let Some(taken) = self.take(place, token)? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// Opens a preparation that stays on the shelf; `None` if it is not there any more.
    pub(crate) fn look(
        &self,
        place: &Place,
        token: Token,
    ) -> Result<Option<Result<Opened, sealed::Error>>, Error> {
        let sealed = self.store.look(&token, &place.owner, (self.clock)())?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        match self.open(place, Taken { token, sealed }) {
            Ok(bytes) => Ok(Some(Ok(Opened { token, bytes }))),
            Err(Error::Sealed(why)) => Ok(Some(Err(why))),
            Err(error) => Err(error),
        }
    }

    /// The first that opens, and those before it that do not; all of them are still on the shelf.
    pub(crate) fn first_that_opens(&self, place: &Place) -> Result<Looked, Error> {
        let mut damaged = Vec::new();
        for token in self.tokens(&place.owner)? {
            match self.look(place, token)? {
                Some(Ok(opened)) => return Ok((Some(opened), damaged)),
                Some(Err(why)) => damaged.push((token, why)),
                None => {}
            }
            if damaged.len() >= PASSED_OVER {
                break;
            }
        }
        Ok((None, damaged))
    }

    /// What was taken, in the clear.
    pub(crate) fn open(&self, place: &Place, taken: Taken) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (purpose, context) = (purpose(place.role), place.context(taken.token));
        let opened = sealed::open_in_place(&self.key, purpose, &context, taken.sealed);
        Ok(opened?)
    }
}

/// A preparation in the clear, if there is one, and others that do not open.
pub(crate) type Looked = (Option<Opened>, Vec<(Token, sealed::Error)>);

/// A preparation in the clear.
pub(crate) struct Opened {
    pub(crate) token: Token,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// A preparation that is in no store any more.
pub(crate) struct Taken {
    pub(crate) token: Token,
    sealed: Vec<u8>,
}

/// Which preparations a session is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    role: Role,
    pub(crate) owner: Owner,
    /// The most that are put aside of the peer and the model, whatever their plans.
    most: Option<u64>,
}

impl Place {
    /// Those of this party, known by a key of its own, with the peer of a connection, for a model, a mode and a price of correlations.
    pub(crate) fn new(
        connection: &Connection,
        own: ClientKey,
        model: &PublicModel,
        mode: Mode,
        price: CotPrice,
    ) -> Self {
        let peer = connection.peer_identity().map(|peer| peer.key);
        Self {
            role: connection.role(),
            owner: Owner {
                peer: ClientKey(peer.unwrap_or_default()),
                model: model.digest(),
                plan: plan_digest(&model.to_json(), own, mode, price),
            },
            most: None,
        }
    }

    /// The same with room for so many.
    pub(crate) const fn with_room(self, most: u64) -> Self {
        let most = Some(most);
        Self { most, ..self }
    }

    /// What a sealed preparation opens for alone.
    fn context(&self, token: Token) -> Vec<u8> {
        let Owner { peer, model, plan } = self.owner;
        [&peer.0[..], &model, &plan, &token.0].concat()
    }
}

/// The digest of all that decides what a run draws: the graph with its algorithms, mode, price of correlations, the constants of the
/// protocols, and their version; and of the key by which this party is known to the other one.
fn plan_digest(json: &[u8], own: ClientKey, mode: Mode, price: CotPrice) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026 plan of a preparation");
    hasher.update(&WIRE_VERSION.to_le_bytes());
    hasher.update(&terms(None).parameters);
    hasher.update(&price.as_millibits().to_le_bytes());
    hasher.update(&[u8::from(mode == Mode::Fast)]);
    hasher.update(&own.0);
    hasher.update(json);
    hasher.finalize().into()
}
