//! Sessions whose random OTs were made before, and dry runs that tell which ones a protocol will draw.

use std::fmt;
use std::io::Result as IoResult;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use channel::{Connection, Cost, Cots, Duplex, ONLINE, Role, Transport};
use ot::{CotPrice, Draw, End, OtReceiver, OtSender, fill_cost, stock_len};
use rand_core::Rng as _;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::session::Session;

/// What a protocol draws, in the order in which it does. It is public and follows from the sizes that both parties know; no message and no
/// secret changes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Draws {
    /// With the server as the sender of the OTs.
    pub server_sends: Vec<Draw>,
    /// With the client as the sender.
    pub client_sends: Vec<Draw>,
}

impl Draws {
    /// OTs, by direction.
    #[must_use]
    pub fn cots(&self) -> Cots {
        let sum = |draws: &[Draw]| draws.iter().map(|draw| draw.n as u64).sum();
        Cots {
            server_sends: sum(&self.server_sends),
            client_sends: sum(&self.client_sends),
        }
    }

    /// What [`Session::fill`] says and draws.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let both = [Role::Server, Role::Client].into_iter();
        both.map(|sender| fill_cost(self.of(sender), sender)).sum()
    }

    /// The bytes that a stock of them takes at either party.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        LENGTH as u64 + stock_len(&self.server_sends) + stock_len(&self.client_sends)
    }

    /// Those with this sender.
    fn of(&self, sender: Role) -> &[Draw] {
        match sender {
            Role::Server => &self.server_sends,
            Role::Client => &self.client_sends,
        }
    }
}

/// Which end of the OTs with this sender a party has.
fn end(role: Role, sender: Role) -> End {
    match role == sender {
        true => End::Sender,
        false => End::Receiver,
    }
}

/// Bytes of the length of what the server sends, which comes before it and what the client sends.
const LENGTH: usize = 8;

/// Random OTs of both directions that were made before, at one party, for one use: what [`Session::fill`] has made.
#[derive(Debug)]
pub struct Stock {
    role: Role,
    sends: ot::Stock,
    receives: ot::Stock,
}

impl Stock {
    /// The stock that is a part of some bytes, whoever they are from; they are erased with the last stock that is a part of them.
    ///
    /// # Errors
    /// [`ot::Error::BadStock`] if it is none, or the other party's.
    pub fn new(
        bytes: &Arc<Zeroizing<Vec<u8>>>,
        part: Range<usize>,
        role: Role,
    ) -> Result<Self, Error> {
        let of = bytes.get(part.clone()).ok_or(ot::Error::BadStock)?;
        let (length, rest) = of
            .split_first_chunk::<LENGTH>()
            .ok_or(ot::Error::BadStock)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok();
        let length = length.filter(|&length| length <= rest.len());
        let begin = part.start + LENGTH;
        let middle = begin + length.ok_or(ot::Error::BadStock)?;
        let server_sends = ot::Stock::new(bytes, begin..middle, end(role, Role::Server))?;
        let client_sends = ot::Stock::new(bytes, middle..part.end, end(role, Role::Client))?;
        let (sends, receives) = match role {
            Role::Server => (server_sends, client_sends),
            Role::Client => (client_sends, server_sends),
        };
        Ok(Self {
            role,
            sends,
            receives,
        })
    }

    fn ends(self) -> (OtSender, OtReceiver) {
        let (own, peer) = (self.role, self.role.peer());
        let sender = OtSender::stocked(self.sends, own);
        (sender, OtReceiver::stocked(self.receives, peer))
    }
}

impl Session {
    /// A session without pools, which needs no set-up: its random OTs come from the stocks that [`Session::restock`] gives it. Until then it
    /// has none.
    ///
    /// # Errors
    /// When the online stream cannot be opened.
    pub fn without_pools(
        connection: &Connection,
        seed: [u8; 32],
        price: CotPrice,
    ) -> Result<Self, Error> {
        let online = connection.open(ONLINE)?;
        let role = connection.role();
        let sender = OtSender::stocked(ot::Stock::empty(End::Sender), role);
        let receiver = OtReceiver::stocked(ot::Stock::empty(End::Receiver), role.peer());
        let (id, ots) = (connection.session_id(), (sender, receiver));
        Ok(Self::with_ots(online, &id, ots, price, seed))
    }

    /// From here the session draws from a stock, and from nothing else.
    ///
    /// **Security.** As with pools, if the stock serves once and at the peer the stock made in the same [`Session::fill`]. Used twice it tells the
    /// difference of secrets.
    ///
    /// # Panics
    /// If the stock is the other party's.
    pub fn restock(&mut self, stock: Stock) {
        assert_eq!(stock.role, self.role(), "the stock of the other party");
        (self.sender, self.receiver) = stock.ends();
        self.mark();
    }

    /// Whether nothing of the stocks is left, if the session draws from them.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.sender.is_spent() && self.receiver.is_spent()
    }

    /// Makes the random OTs of these draws, and appends them to `out` as the bytes of a [`Stock`], [`Draws::bytes`] of them. Both parties do so
    /// at the same point.
    ///
    /// **Protocol and Security.** [`OtSender::fill`], with a fresh seed for each direction.
    ///
    /// **Cost.** [`Draws::cost`].
    ///
    /// # Errors
    /// Those of the stream and the pools.
    pub fn fill(&mut self, draws: &Draws, out: &mut Zeroizing<Vec<u8>>) -> Result<(), Error> {
        let (role, begin) = (self.role(), out.len());
        make_room(out, draws.bytes());
        out.extend_from_slice(&[0; LENGTH]);
        self.attempt(|s| {
            let mut length = 0;
            // In this order at both parties.
            for sender in [Role::Server, Role::Client] {
                let draws = draws.of(sender);
                let mut seed = Zeroizing::new([0; 16]);
                s.rng.fill_bytes(&mut *seed);
                let seed = u128::from_le_bytes(*seed);
                match role == sender {
                    true => s.sender.fill(&mut s.online, draws, seed, out)?,
                    false => s.receiver.fill(&mut s.online, draws, seed, out)?,
                }
                if sender.is_server() {
                    length = (out.len() - begin - LENGTH) as u64;
                }
            }
            out[begin..][..LENGTH].copy_from_slice(&length.to_le_bytes());
            Ok(())
        })
    }

    /// A session for a dry run of a protocol, which tells what it draws ([`Session::rehearsed`]): this party's end alone. Whatever it hears is
    /// zero, and **nothing is secret**.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "silence is always there")]
    pub fn rehearsal(role: Role, price: CotPrice) -> Self {
        let hour = Duration::from_secs(3600);
        let connection = Connection::over(role, [0; 16], "nobody", hour, Silence);
        let online = connection.open(ONLINE).expect("silence is always there");
        let sender = OtSender::rehearsal(role);
        let receiver = OtReceiver::rehearsal(role.peer());
        let (id, ots) = (connection.session_id(), (sender, receiver));
        Self::with_ots(online, &id, ots, price, [0; 32])
    }

    /// What a rehearsal has drawn so far.
    #[must_use]
    pub fn rehearsed(&self) -> Draws {
        let (sends, receives) = (self.sender.rehearsed(), self.receiver.rehearsed());
        let (server_sends, client_sends) = match self.role() {
            Role::Server => (sends, receives),
            Role::Client => (receives, sends),
        };
        Draws {
            server_sends: server_sends.to_vec(),
            client_sends: client_sends.to_vec(),
        }
    }
}

/// Makes room, so that no bytes are left behind where the vector grows.
fn make_room(out: &mut Zeroizing<Vec<u8>>, more: u64) {
    let more = usize::try_from(more).expect("a stock fits into memory");
    if out.capacity() - out.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity(out.len() + more));
        larger.extend_from_slice(out);
        *out = larger;
    }
}

/// Streams that swallow what is written, and give zeros.
struct Silence;

impl Transport for Silence {
    fn open(&self, _: u32) -> Result<Box<dyn Duplex>, channel::Error> {
        Ok(Box::new(Self))
    }
}

impl Duplex for Silence {
    fn set_timeout(&self, _: Duration) -> IoResult<()> {
        Ok(())
    }

    fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        out.fill(0);
        Ok(out.len())
    }

    fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        Ok(bytes.len())
    }

    fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        Ok(bytes.len())
    }

    fn end(&self) {}

    fn cut(&self) {}
}

impl fmt::Debug for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silence")
    }
}
