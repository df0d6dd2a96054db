//! What the parties keep in a session: the keys of each parameter set.

use std::sync::Arc;

use ::rlwe::{ClientKey, Numbers, ServerKey, Set};
use channel::{Cost, Role, SessionId};
use sharing::{Party, Session};

use super::plan::Plan;
use super::tag::{TAG, tag};
use crate::{Error, SetUp};

/// The keys of a session, and the number of layers that it ran. A session holds those of its own role.
#[derive(Default)]
pub(super) struct Keys {
    client: [Option<ForClient>; Set::ALL.len()],
    server: [Option<Arc<ServerKey>>; Set::ALL.len()],
    layers: u64,
}

struct ForClient {
    key: Arc<ClientKey>,
    /// Levels of which the server has the packing key.
    levels: u32,
}

/// What a party needs for one layer: the keys, the numbers of its requests, and what the client says before them.
pub(super) struct Start<K> {
    pub(super) key: Arc<K>,
    pub(super) numbers: Numbers,
    pub(super) tag: [u8; TAG],
}

impl Keys {
    /// The levels of packing for which there are keys; `None` without a public key.
    fn levels(&self, set: Set) -> Option<u32> {
        let at = set as usize;
        match (&self.client[at], &self.server[at]) {
            (Some(client), _) => Some(client.levels),
            (None, server) => server.as_ref().map(|key| key.levels()),
        }
    }

    /// The client begins a layer for some images.
    pub(super) fn request(
        &mut self,
        id: &SessionId,
        plan: &Plan,
        images: usize,
    ) -> Result<Start<ClientKey>, Error> {
        let tag = self.begin(id, plan, images)?;
        let key = self.client[plan.format.set() as usize].as_ref();
        let key = Arc::clone(&key.expect("the client's session").key);
        let numbers = key.numbers(images * plan.requests());
        Ok(Start { key, numbers, tag })
    }

    /// The server begins a layer for some images.
    pub(super) fn serve(
        &mut self,
        id: &SessionId,
        plan: &Plan,
        images: usize,
    ) -> Result<Start<ServerKey>, Error> {
        let tag = self.begin(id, plan, images)?;
        let key = self.server[plan.format.set() as usize].as_ref();
        let key = Arc::clone(key.expect("the server's session"));
        let numbers = key.numbers(images * plan.requests());
        Ok(Start { key, numbers, tag })
    }

    /// Counts a layer. Both parties begin layers in the same order.
    fn begin(&mut self, id: &SessionId, plan: &Plan, images: usize) -> Result<[u8; TAG], Error> {
        let missing = plan.items().into_iter().find(|item| !item.is_in(self));
        if let Some(item) = missing {
            return Err(Error::NotSetUp { item: item.name() });
        }
        let layer = self.layers;
        self.layers += 1;
        Ok(tag(id, layer, plan, images))
    }
}

/// A key that the parties need in a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// The public key.
    Public(Set),
    /// The packing key of a level, the lowest first.
    Packing(Set, u32),
}

impl Item {
    fn is_in(self, keys: &Keys) -> bool {
        match self {
            Self::Public(set) => keys.levels(set).is_some(),
            Self::Packing(set, level) => keys.levels(set).is_some_and(|levels| levels > level),
        }
    }

    const fn set(self) -> Set {
        match self {
            Self::Public(set) | Self::Packing(set, _) => set,
        }
    }

    /// Bytes of the key.
    fn len(self) -> usize {
        match self {
            Self::Public(set) => ServerKey::public_key_len(set),
            Self::Packing(set, _) => ServerKey::packing_key_len(set),
        }
    }

    /// The client makes the key.
    fn make(self, session: &mut Session) -> Result<Vec<u8>, Error> {
        let at = self.set() as usize;
        match self {
            Self::Public(set) => {
                let id = *session.id();
                let key = Arc::new(ClientKey::generate(set, &id, session.rng()));
                let bytes = key.public_key();
                session.kept::<Keys>().client[at] = Some(ForClient { key, levels: 0 });
                Ok(bytes)
            }
            Self::Packing(set, level) => {
                let key = session.kept::<Keys>().client[at].as_mut();
                let key = key.filter(|key| key.levels == level);
                let key = key.ok_or_else(|| Self::before(set, level))?;
                key.levels += 1;
                Ok(key.key.packing_key(level))
            }
        }
    }

    /// The server takes the key.
    fn take(self, session: &mut Session, bytes: &[u8]) -> Result<(), Error> {
        let at = self.set() as usize;
        match self {
            Self::Public(set) => {
                let id = *session.id();
                let key = ServerKey::read(set, &id, bytes, session.rng())?;
                session.kept::<Keys>().server[at] = Some(Arc::new(key));
            }
            Self::Packing(set, level) => {
                let key = session.kept::<Keys>().server[at].as_mut();
                let key = key.filter(|key| key.levels() == level);
                // No layer is under way that would hold it.
                let key = key.and_then(Arc::get_mut);
                key.ok_or_else(|| Self::before(set, level))?
                    .add_packing_key(bytes)?;
            }
        }
        Ok(())
    }

    /// The item before the packing key of a level is missing.
    fn before(set: Set, level: u32) -> Error {
        let before = match level.checked_sub(1) {
            Some(before) => Self::Packing(set, before),
            None => Self::Public(set),
        };
        Error::NotSetUp {
            item: before.name(),
        }
    }
}

impl SetUp for Item {
    fn name(&self) -> String {
        match self {
            Self::Public(set) => format!("ring-lwe-{set:?}-public-key").to_lowercase(),
            Self::Packing(set, level) => {
                format!("ring-lwe-{set:?}-packing-key-{level}").to_lowercase()
            }
        }
    }

    fn cost(&self) -> Cost {
        Cost::to_server(self.len() as u64)
    }

    fn is_done(&self, session: &mut Session) -> bool {
        self.is_in(session.kept())
    }

    fn run(&self, session: &mut Session) -> Result<(), Error> {
        session.attempt(|session| match session.role() {
            Role::Client => {
                let bytes = self.make(session)?;
                session.run(async |party: &Party<'_>| party.send(bytes).await)?;
                Ok(())
            }
            Role::Server => {
                let len = self.len();
                let bytes = session.run(async |party: &Party<'_>| party.recv(len).await)?;
                self.take(session, &bytes)
            }
        })
    }
}
