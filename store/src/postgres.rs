//! A store in PostgreSQL.

mod link;
mod schema;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use service::channel::Digest;
use service::{
    Account, Charge, ClientKey, Doubts, Lot, Owner, Quota, Room, Said, Stock, Store, StoreError,
    Token, Usage, Verdict, doubted,
};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{
    Client, Error as DbError, GenericClient, IsolationLevel, Row, RowStream, Transaction,
};

use crate::{PIECE, damaged, unavailable, unusable};
use link::Link;

/// The longest that a call takes: less than a client waits for an answer, which then can say what the matter is.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest of one that moves a preparation.
const MUCH: Duration = Duration::from_secs(45);
/// Connections that are kept while nobody uses them.
const IDLE: usize = 8;

/// A store in a database of PostgreSQL, which several servers share. See the front page.
pub struct Postgres {
    link: Link,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
    idle: Mutex<Vec<Client>>,
}

/// Why something did not come to its end: an error of the connection, or one of ours.
enum Fault {
    Database(DbError),
    Ours(StoreError),
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    fn into_error(self, at: &Link) -> StoreError {
        match self {
            Self::Ours(error) => error,
            Self::Database(error) => at.fault(&error),
        }
    }
}

impl Postgres {
    /// Connects to the database of a URL such as `postgres://user@host/database`, and makes the tables or brings them up to date.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a URL that is none, a database that refuses this user, one of a newer version, and a host that
    /// would be spoken to in the clear; [`StoreError::Unavailable`] if the database cannot be reached.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let link = Link::new(url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("database")
            .enable_all()
            .build();
        let store = Self {
            link,
            runtime: Some(runtime.map_err(unavailable)?),
            idle: Mutex::default(),
        };
        store.with(async |client| schema::bring_up_to_date(client).await)?;
        Ok(store)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(
        &self,
        patience: Duration,
        act: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().expect("it is there until the drop");
        let done = runtime.block_on(async { timeout(patience, act).await });
        done.map_err(|_| self.late())?
            .map_err(|fault| fault.into_error(&self.link))
    }

    fn late(&self) -> StoreError {
        unavailable(format!("{} did not answer in time", self.link))
    }

    /// Does something over a connection of its own, which is kept only if all went well: after an error nobody knows what it
    /// is in the midst of.
    fn with<T>(
        &self,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.within(PATIENCE, act)
    }

    fn within<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        // Those that the database has ended meanwhile are seen to be so.
        let kept = || -> Option<Client> {
            let mut idle = self.idle();
            idle.retain(|client| !client.is_closed());
            idle.pop()
        };
        let (client, done) = self.wait(patience, async {
            let mut client = match kept() {
                Some(client) => client,
                // A database that takes a connection and says nothing is not waited for any longer for what is to come.
                None => timeout(PATIENCE, self.link.connect())
                    .await
                    .map_err(|_| self.late())??,
            };
            let done = act(&mut client).await?;
            Ok((client, done))
        })?;
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(client);
        }
        Ok(done)
    }

    /// The same in a transaction, which is final when this returns.
    fn write<T>(
        &self,
        act: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transact(PATIENCE, act)
    }

    /// The same where a preparation is moved.
    fn write_much<T>(
        &self,
        act: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transact(MUCH, act)
    }

    fn transact<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.within(patience, async |client| {
            // Whoever waits for a row then sees what became of it, whatever is usual in this database.
            let transaction = client.build_transaction();
            let transaction = transaction.isolation_level(IsolationLevel::ReadCommitted);
            let transaction = transaction.start().await?;
            // Also where the database was told to be quick rather than sure.
            let sure = "SELECT set_config('synchronous_commit', \
                 CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)";
            transaction.execute(sure, &[]).await?;
            let done = act(&transaction).await?;
            transaction.commit().await?;
            Ok(done)
        })
    }
}

/// A time or a number as the database has it: it knows no more than 2^63 - 1.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The present; before the end of all times, at which nothing expires.
fn present(now: u64) -> i64 {
    number(now).min(i64::MAX - 1)
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    place: usize,
) -> Result<T, Fault> {
    let damaged = |error| unusable(format!("a table holds something else: {error}"));
    Ok(row.try_get(place).map_err(damaged)?)
}

fn unsigned(row: &Row, place: usize) -> Result<u64, Fault> {
    let number: i64 = column(row, place)?;
    Ok(u64::try_from(number).map_err(|_| unusable("a table holds a negative number"))?)
}

fn account(row: Option<&Row>) -> Result<Account, Fault> {
    let Some(row) = row else {
        return Ok(Account::default());
    };
    Ok(Account::from_bytes(column(row, 0)?)?)
}

fn token(row: &Row) -> Result<Token, Fault> {
    let token: &[u8] = column(row, 0)?;
    let token = token.try_into();
    Ok(Token(token.map_err(|_| {
        unusable("a table holds a token of another length")
    })?))
}

/// What names the lock under which preparations of a peer and a model are counted: others with the same name wait for nothing.
fn lock_of(peer: &ClientKey, model: &Digest) -> [i32; 2] {
    [&peer.0, model].map(|bytes| i32::from_le_bytes(*bytes.first_chunk().expect("32 bytes")))
}

async fn count(
    client: &impl GenericClient,
    peer: &ClientKey,
    model: &Digest,
    now: u64,
) -> Result<u64, Fault> {
    let values: [&(dyn ToSql + Sync); 3] = [&&peer.0[..], &&model[..], &present(now)];
    let select =
        "SELECT count(*) FROM blindray_lots WHERE peer = $1 AND model = $2 AND expires > $3";
    unsigned(&client.query_one(select, &values).await?, 0)
}

/// The bytes of a preparation, of its pieces in any order: a number, and bytes.
async fn whole(rows: RowStream, length: u64) -> Result<Vec<u8>, Fault> {
    let lacks = || damaged("it lacks pieces");
    let length = usize::try_from(length).map_err(|_| lacks())?;
    let mut sealed = vec![0; length.min(1 << 30)];
    let (mut rows, mut came) = (pin!(rows), 0);
    while let Some(row) = rows.next().await {
        let row = row?;
        let number: i32 = column(&row, 0)?;
        let piece: &[u8] = column(&row, 1)?;
        let place = usize::try_from(number).ok();
        let place = place.and_then(|number| number.checked_mul(PIECE));
        let room = place.and_then(|place| sealed.get_mut(place..)?.get_mut(..piece.len()));
        room.ok_or_else(lacks)?.copy_from_slice(piece);
        came += piece.len();
    }
    match came == length {
        true => Ok(sealed),
        false => Err(lacks().into()),
    }
}

/// An insert of a token that is there already.
fn insertion(error: DbError) -> Fault {
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => StoreError::Exists.into(),
        _ => error.into(),
    }
}

impl Store for Postgres {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        lot.check()?;
        self.write_much(async |transaction| {
            let insert = "INSERT INTO blindray_pieces (token, number, piece) VALUES ($1, $2, $3)";
            let types = [Type::BYTEA, Type::INT4, Type::BYTEA];
            let insert = transaction.prepare_typed(insert, &types).await?;
            for (number, piece) in (0_i32..).zip(lot.sealed.chunks(PIECE)) {
                let values: [&(dyn ToSql + Sync); 3] = [&&lot.token.0[..], &number, &piece];
                let inserted = transaction.execute(&insert, &values).await;
                inserted.map_err(insertion)?;
            }
            let Owner { peer, model, plan } = &lot.owner;
            let values: [&(dyn ToSql + Sync); 6] = [
                &&lot.token.0[..],
                &&peer.0[..],
                &&model[..],
                &&plan[..],
                &number(lot.expires),
                &number(lot.sealed.len() as u64),
            ];
            let insert = "INSERT INTO blindray_lots (token, peer, model, plan, expires, bytes) \
                 VALUES ($1, $2, $3, $4, $5, $6)";
            // The pieces came first: from here to the commit is not long, and others of this client wait for it.
            if let Some(Room { most, now }) = room {
                let [one, two] = lock_of(peer, model);
                let lock = "SELECT pg_advisory_xact_lock($1, $2)";
                transaction.execute(lock, &[&one, &two]).await?;
                let inserted = transaction.execute(insert, &values).await;
                inserted.map_err(insertion)?;
                return match count(transaction, peer, model, now).await? > most {
                    true => Err(StoreError::Full { most }.into()),
                    false => Ok(()),
                };
            }
            let inserted = transaction.execute(insert, &values).await;
            inserted.map(drop).map_err(insertion)
        })
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        self.write(async |transaction| {
            let Owner { peer, model, plan } = owner;
            let now = present(now);
            let token = &token.0[..];
            let values: [&(dyn ToSql + Sync); 5] =
                [&token, &&peer.0[..], &&model[..], &&plan[..], &now];
            // Whoever else wants the row waits here, and then finds it gone.
            let delete = "DELETE FROM blindray_lots WHERE token = $1 AND peer = $2 AND model = $3 \
                 AND plan = $4 AND expires > $5";
            if transaction.execute(delete, &values).await? == 0 {
                return Ok(false);
            }
            let delete = "DELETE FROM blindray_pieces WHERE token = $1";
            transaction.execute(delete, &[&token]).await?;
            Ok(true)
        })
    }

    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.write_much(async |transaction| {
            let Owner { peer, model, plan } = owner;
            let now = present(now);
            let token = &token.0[..];
            let values: [&(dyn ToSql + Sync); 5] =
                [&token, &&peer.0[..], &&model[..], &&plan[..], &now];
            // Nobody deletes the pieces before this is over.
            let select = "SELECT bytes FROM blindray_lots WHERE token = $1 AND peer = $2 AND model = $3 \
                 AND plan = $4 AND expires > $5 FOR SHARE";
            let Some(row) = transaction.query_opt(select, &values).await? else {
                return Ok(None);
            };
            let select = "SELECT number, piece FROM blindray_pieces WHERE token = $1";
            let rows = transaction.query_raw(select, [token]).await?;
            whole(rows, unsigned(&row, 0)?).await.map(Some)
        })
    }

    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        self.with(async |client| {
            let Owner { peer, model, plan } = owner;
            let now = present(now);
            let values: [&(dyn ToSql + Sync); 4] = [&&peer.0[..], &&model[..], &&plan[..], &now];
            let select = "SELECT token FROM blindray_lots WHERE peer = $1 AND model = $2 \
                 AND plan = $3 AND expires > $4 ORDER BY expires, token";
            let rows = client.query(select, &values).await?;
            rows.iter().map(token).collect()
        })
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        self.with(async |client| count(client, peer, model, now).await)
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        self.write(async |transaction| {
            if !said.all {
                // Most often nothing is in doubt, and nothing is written.
                let tokens: Vec<_> = said.tokens.iter().map(|token| &token.0[..]).collect();
                let values: [&(dyn ToSql + Sync); 3] =
                    [&&said.peer.0[..], &&said.model[..], &tokens];
                let update = "UPDATE blindray_lots SET doubt = NULL WHERE peer = $1 AND model = $2 \
                     AND token = ANY ($3) AND doubt IS NOT NULL";
                transaction.execute(update, &values).await?;
                return Ok(Doubts::default());
            }
            let values: [&(dyn ToSql + Sync); 3] =
                [&&said.peer.0[..], &&said.model[..], &present(now)];
            // In an order, so that two who do this do not wait for each other.
            let select = "SELECT token, doubt FROM blindray_lots WHERE peer = $1 AND model = $2 \
                 AND expires > $3 ORDER BY token FOR UPDATE";
            let (mut doubts, mut deleted) = (Doubts::default(), Vec::new());
            for row in transaction.query(select, &values).await? {
                let token = token(&row)?;
                let since: Option<i64> = column(&row, 1)?;
                let became = match said.tokens.contains(&token) {
                    true => None,
                    false => {
                        let since = since.map(|since| since.unsigned_abs());
                        let became = doubted(since, now);
                        doubts.count(&token, became, now);
                        if became.is_none() {
                            deleted.push(token.0.to_vec());
                            continue;
                        }
                        became.map(number)
                    }
                };
                if became != since {
                    let update = "UPDATE blindray_lots SET doubt = $2 WHERE token = $1";
                    let values: [&(dyn ToSql + Sync); 2] = [&&token.0[..], &became];
                    transaction.execute(update, &values).await?;
                }
            }
            if !deleted.is_empty() {
                for delete in [
                    "DELETE FROM blindray_lots WHERE token = ANY ($1)",
                    "DELETE FROM blindray_pieces WHERE token = ANY ($1)",
                ] {
                    transaction.execute(delete, &[&deleted]).await?;
                }
            }
            Ok(doubts)
        })
    }

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        self.write(async |transaction| {
            let now = present(now);
            // One statement, so that the pieces go with their rows whoever else does the same.
            let delete = "WITH gone AS (DELETE FROM blindray_lots WHERE expires <= $1 RETURNING token), \
                 pieces AS (DELETE FROM blindray_pieces USING gone WHERE blindray_pieces.token = gone.token) \
                 SELECT token FROM gone";
            let rows = transaction.query(delete, &[&now]).await?;
            rows.iter().map(token).collect()
        })
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        self.with(async |client| {
            let now = present(now);
            let select = "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM blindray_lots \
                 WHERE expires > $1";
            let row = client.query_one(select, &[&now]).await?;
            Ok(Stock {
                lots: unsigned(&row, 0)?,
                bytes: unsigned(&row, 1)?,
            })
        })
    }

    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        self.write(async |transaction| {
            let client = &client.0[..];
            // A row to be locked, also the first time: until the commit nobody else charges this client.
            let insert = "INSERT INTO blindray_accounts (client, account) VALUES ($1, $2) \
                 ON CONFLICT (client) DO NOTHING";
            let empty = Account::default().to_bytes();
            transaction.execute(insert, &[&client, &empty]).await?;
            let select = "SELECT account FROM blindray_accounts WHERE client = $1 FOR UPDATE";
            let row = transaction.query_one(select, &[&client]).await?;
            let mut account = account(Some(&row))?;
            let verdict = account.charge(charge, quota, now);
            if verdict == Verdict::Charged {
                let update = "UPDATE blindray_accounts SET account = $2 WHERE client = $1";
                let bytes = account.to_bytes();
                transaction.execute(update, &[&client, &bytes]).await?;
            }
            Ok(verdict)
        })
    }

    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        let account = self.with(async |database| {
            let select = "SELECT account FROM blindray_accounts WHERE client = $1";
            let row = database.query_opt(select, &[&&client.0[..]]).await?;
            account(row.as_ref())
        })?;
        Ok(account.usage(now))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.idle().clear();
        if let Some(runtime) = self.runtime.take() {
            // A database that does not answer is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("link", &self.link.to_string())
            .finish_non_exhaustive()
    }
}
