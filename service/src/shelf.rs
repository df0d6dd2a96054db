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
use crate::{
    ClientKey, Damage, Discard, Doubts, Error, Fate, Lot, Owner, Room, Said, Stock, Store,
    StoreError, Token,
};

/// Where a party keeps its preparations: a store, and the key under which they are sealed before the store sees them. Clones are the same
/// shelf.
///
/// A preparation is bound to both parties, the model, and the plan: everything that decides which correlations a run draws. It is taken from
/// the store at most once, which deletes it durably before anything is done with it but to see whether it opens.
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

    /// Deletes what has expired.
    pub(crate) fn purge(&self) -> Result<Vec<Token>, StoreError> {
        self.store.purge((self.clock)())
    }

    /// The same; what there is of all owners then.
    pub(crate) fn tend(&self) -> Result<Stock, StoreError> {
        self.purge()?;
        self.store.stock((self.clock)())
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

    /// Opens a preparation that stays on the shelf; `None` if it is not there any more.
    pub(crate) fn look(
        &self,
        place: &Place,
        token: Token,
    ) -> Result<Option<Result<Opened, Damage>>, Error> {
        let sealed = match self.store.look(&token, &place.owner, (self.clock)()) {
            Err(StoreError::Damaged { what }) => {
                return Ok(Some(Err(Damage::Unreadable { what })));
            }
            seen => seen?,
        };
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let (purpose, context) = (purpose(place.role), place.context(token));
        let opened = sealed::open_in_place(&self.key, purpose, &context, sealed);
        Ok(Some(match opened {
            Ok(bytes) => Ok(Opened { token, bytes }),
            Err(why) => Err(why.into()),
        }))
    }

    /// Takes a preparation out: deleted durably when it returns. `None` if it is not there any more.
    pub(crate) fn claim(&self, place: &Place, token: Token) -> Result<Option<Claimed>, Error> {
        let claimed = (self.store).claim(&token, &place.owner, (self.clock)())?;
        Ok(claimed.then(|| Claimed {
            shelf: self.clone(),
            owner: place.owner,
            token,
            fate: Some(Discard::Unused),
        }))
    }

    /// Throws a preparation away, and notes why. What cannot be read may have to stay where it is, and is as good as gone.
    pub(crate) fn discard(&self, place: &Place, token: Token, why: Discard) -> Result<(), Error> {
        match self.claim(place, token) {
            Ok(Some(claimed)) => claimed.discard(why),
            Ok(None) | Err(Error::Store(StoreError::Damaged { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A preparation in the clear, which may still be on the shelf.
pub(crate) struct Opened {
    pub(crate) token: Token,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// A preparation that is in no store any more. What becomes of it is noted; if nothing is said of it, that it came to no use.
pub(crate) struct Claimed {
    shelf: Shelf,
    owner: Owner,
    token: Token,
    /// Why it is thrown away unless it is used, until that is noted.
    fate: Option<Discard>,
}

impl Claimed {
    /// A run is to draw from it.
    pub(crate) fn used(mut self) -> Result<(), Error> {
        self.fate = None;
        self.note(&Fate::Used)
    }

    /// It is thrown away.
    pub(crate) fn discard(mut self, why: Discard) -> Result<(), Error> {
        self.fate = None;
        self.note(&Fate::Discarded(why))
    }

    fn note(&self, fate: &Fate) -> Result<(), Error> {
        let noted = self.shelf.store.note(&self.token, &self.owner, fate);
        Ok(noted?)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(why) = self.fate.take() {
            // It is gone, whether anybody knows or not.
            let _ = self.note(&Fate::Discarded(why));
        }
    }
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
