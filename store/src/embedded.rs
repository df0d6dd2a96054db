//! A store in a file.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, Error as DbError, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, WriteTransaction,
};
use service::channel::Digest;
use service::{
    Account, Charge, ClientKey, Doubts, Lot, MAX_LOT, Owner, Quota, Room, Said, Stock, Store,
    StoreError, Token, Usage, Verdict, doubted,
};

use crate::{PIECE, damaged, unavailable, unusable};

/// The version of the tables below. Another one is refused; a newer program that has another layout brings the old one to it here.
const SCHEMA: u64 = 1;
/// What the database may keep of the file in memory.
const CACHE: usize = 16 << 20;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// How many transactions there were, in [`META`]. See [`Count`].
const COUNT: &str = "count";
/// (peer, model, plan), when it expires, its bytes.
type Entry = ([[u8; 32]; 3], u64, u64);
/// What there is, by token.
const LOTS: TableDefinition<'_, [u8; 16], Entry> = TableDefinition::new("lots");
/// Their bytes: token and number of a piece.
const PIECES: TableDefinition<'_, ([u8; 16], u32), &[u8]> = TableDefinition::new("pieces");
/// Since when preparations are in doubt, by token. A file that was made before has no such table until somebody writes to it.
const DOUBTS: TableDefinition<'_, [u8; 16], u64> = TableDefinition::new("doubts");
/// What clients have used, as [`Account::to_bytes`] has it.
const ACCOUNTS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("accounts");

/// A store in one file, of which one process at a time has the use. See the front page.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// `None` after an error of the medium: it is opened anew at the next use.
    database: Mutex<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    /// Without links: the count is beside the file itself.
    path: PathBuf,
    database: Database,
    count: Count,
}

impl Embedded {
    /// Opens a file, or makes it with the folders above it, for the eyes of its owner alone.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a file that others may read, that another process uses, that is no store or one of another
    /// version, is damaged, or is not as the last transaction left it; [`StoreError::Unavailable`] if the system does not let it be
    /// read or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = opened(path)?;
        let path = opened.path.clone();
        let database = Mutex::new(Some(opened));
        Ok(Self { path, database })
    }

    /// Does something with the database, opened again if the medium had failed.
    fn held<T>(&self, act: impl FnOnce(&Opened) -> Result<T, DbError>) -> Result<T, StoreError> {
        let mut held = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // Held outside of its place meanwhile, so that it is opened anew if `act` fails, or panics.
        let opened = match held.take() {
            Some(opened) => opened,
            None => opened(&self.path)?,
        };
        let done = act(&opened).map_err(|error| failed(&self.path, error))?;
        *held = Some(opened);
        Ok(done)
    }

    fn with<T>(&self, act: impl FnOnce(&Database) -> Result<T, DbError>) -> Result<T, StoreError> {
        self.held(|opened| act(&opened.database))
    }

    /// The same in a transaction, which is on the medium, and counted there, when this returns.
    fn write<T>(
        &self,
        act: impl FnOnce(&WriteTransaction) -> Result<T, DbError>,
    ) -> Result<T, StoreError> {
        self.held(|opened| {
            let transaction = opened.database.begin_write()?;
            let done = act(&transaction)?;
            let mut meta = transaction.open_table(META)?;
            let counted = meta.get(COUNT)?.map_or(0, |count| count.value()) + 1;
            meta.insert(COUNT, counted)?;
            drop(meta);
            transaction.commit()?;
            // Whoever asked is told after this alone, so a transaction that he knows of is missed if it is gone.
            opened.count.write(counted)?;
            Ok(done)
        })
    }
}

/// How many transactions the store has had, in a file beside it.
///
/// Where the newest root of a database is damaged, redb takes the one before: what was deleted would be there again. This number is
/// written after each commit, so the database has the same, or one more after a crash between the two. With any other number
/// it is not what it was, and is refused.
#[derive(Debug)]
struct Count(File);

impl Count {
    fn path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".count");
        PathBuf::from(name)
    }

    /// What it says; `None` if it is new, or damaged.
    fn read(&self) -> Result<Option<u64>, IoError> {
        let mut file = &self.0;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(17).read_to_end(&mut bytes)?;
        let Ok(bytes) = <[u8; 16]>::try_from(bytes) else {
            return Ok(None);
        };
        let count = bytes.first_chunk().map(|count| u64::from_le_bytes(*count));
        Ok(count.filter(|&count| doubled(count) == bytes))
    }

    /// It is on the medium when this returns.
    fn write(&self, count: u64) -> Result<(), IoError> {
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&doubled(count))?;
        file.sync_data()
    }
}

/// A number and its complement, so that damage shows.
fn doubled(count: u64) -> [u8; 16] {
    (u128::from(count) | u128::from(!count) << 64).to_le_bytes()
}

/// Refuses a database that is not as the last transaction left it.
fn counted(path: &Path, database: &Database) -> Result<Count, StoreError> {
    let beside = Count::path(path);
    let denied = |cause: IoError| unavailable(format!("{}: {cause}", beside.display()));
    let count = Count(file(&beside)?);
    let empty = count.0.metadata().map_err(denied)?.len() == 0;
    let said = count.read().map_err(denied)?;
    let here = || -> Result<u64, DbError> {
        let meta = database.begin_read()?.open_table(META)?;
        Ok(meta.get(COUNT)?.map_or(0, |count| count.value()))
    };
    let here = here().map_err(|error| failed(path, error))?;
    match said {
        Some(said) if said == here => {}
        // A crash between a commit and its count. The commit may not have reached the medium: another one takes it there.
        Some(said) if said.checked_add(1) == Some(here) => {
            let again = || -> Result<(), DbError> {
                let transaction = database.begin_write()?;
                transaction.open_table(META)?.insert(COUNT, here)?;
                Ok(transaction.commit()?)
            };
            again().map_err(|error| failed(path, error))?;
            count.write(here).map_err(denied)?;
        }
        // A new store, or one that was made before there were counts.
        None if empty && here == 0 => count.write(0).map_err(denied)?,
        Some(said) => {
            return Err(ruined(
                path,
                format!("it has had {said} transactions, and this file knows of {here}"),
            ));
        }
        None => {
            let why = if empty { "missing" } else { "damaged" };
            return Err(ruined(path, format!("its .count is {why}")));
        }
    }
    Ok(count)
}

/// What cannot be trusted, and what is to be done.
fn ruined(path: &Path, why: impl std::fmt::Display) -> StoreError {
    unusable(format!(
        "{} is damaged, or an older copy was put in its place ({why}). Its preparations and quotas cannot be trusted: what was used up could \
         be used again. Move it and {} away, and a new store is made, or name another file for the store: clients make new preparations then, \
         and quotas begin at zero",
        path.display(),
        Count::path(path).display()
    ))
}

fn failed(path: &Path, error: DbError) -> StoreError {
    // Something else than a store has no count beside it.
    let ours = || std::fs::metadata(Count::path(path)).is_ok_and(|count| count.len() > 0);
    let lost = match &error {
        DbError::Corrupted(_) => true,
        DbError::Io(cause) => cause.kind() == ErrorKind::InvalidData && ours(),
        DbError::UpgradeRequired(_) => ours(),
        _ => false,
    };
    if lost {
        return ruined(path, error);
    }
    let path = path.display();
    match error {
        // So redb says that a file is none of its own, or of one of its versions.
        DbError::Io(cause) if cause.kind() == ErrorKind::InvalidData => unusable(format!(
            "{path} is no store of this program, but something else: name another file, or move that one away, and a new one is made"
        )),
        DbError::Io(cause) => unavailable(format!("{path}: {cause}")),
        DbError::Backend(cause) => unavailable(format!("{path}: {cause}")),
        DbError::PreviousIo => unavailable(format!("{path}: it failed before")),
        DbError::DatabaseAlreadyOpen => unusable(format!(
            "{path} is in use by another process: let each server have its own file, or all of them PostgreSQL"
        )),
        other => unusable(format!("{path}: {other}")),
    }
}

fn opened(path: &Path) -> Result<Opened, StoreError> {
    let denied = |cause: IoError| unavailable(format!("{}: {cause}", path.display()));
    let file = file(path)?;
    let path = &std::fs::canonicalize(path).map_err(denied)?;
    let backend = FileBackend::new(file).map_err(|error| failed(path, error.into()))?;
    let opened = Builder::new()
        .set_cache_size(CACHE)
        // A damaged file is an error then, and no panic.
        .set_check_integrity_on_open(true)
        .create_with_backend(backend);
    let database = opened.map_err(|error| failed(path, error.into()))?;
    let found = tables(&database).map_err(|error| failed(path, error))?;
    if found != SCHEMA {
        return Err(unusable(format!(
            "{} is a store of version {found}, and this program has version {SCHEMA}",
            path.display()
        )));
    }
    let count = counted(path, &database)?;
    // The names of new files are on the medium as well.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(denied)?;
    folder.sync_all().map_err(denied)?;
    Ok(Opened {
        path: path.clone(),
        database,
        count,
    })
}

/// The tables of a new file, or the version of the tables that there are.
fn tables(database: &Database) -> Result<u64, DbError> {
    let reading = database.begin_read()?;
    let found = match reading.open_table(META) {
        Ok(meta) => meta.get("schema")?.map(|version| version.value()),
        Err(TableError::TableDoesNotExist(_)) if reading.list_tables()?.next().is_none() => None,
        // A database of something else.
        Err(TableError::TableDoesNotExist(_)) => Some(0),
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let transaction = database.begin_write()?;
    transaction.open_table(LOTS)?;
    transaction.open_table(PIECES)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(META)?.insert("schema", SCHEMA)?;
    transaction.commit()?;
    Ok(SCHEMA)
}

/// The file, which belongs to its owner alone.
fn file(path: &Path) -> Result<File, StoreError> {
    let denied = |cause: IoError| unavailable(format!("{}: {cause}", path.display()));
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(denied)?;
    }
    match std::fs::metadata(path) {
        // A pipe would be waited for.
        Ok(there) if !there.is_file() => {
            return Err(unusable(format!("{} is no file", path.display())));
        }
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(denied(cause)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(denied)?;
    #[cfg(unix)]
    {
        let metadata = file.metadata().map_err(denied)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
        if mode & 0o077 != 0 {
            return Err(unusable(format!(
                "others may use {} (mode {mode:o}): chmod 600 it",
                path.display()
            )));
        }
    }
    Ok(file)
}

const fn bound(owner: &Owner) -> [[u8; 32]; 3] {
    [owner.peer.0, owner.model, owner.plan]
}

/// The tokens of the preparations of a peer and a model that are still good.
fn good(
    lots: &impl ReadableTable<[u8; 16], Entry>,
    peer: &ClientKey,
    model: &Digest,
    now: u64,
) -> Result<Vec<[u8; 16]>, DbError> {
    let mut good = Vec::new();
    for lot in lots.iter()? {
        let (token, lot) = lot?;
        let ([of, about, _], expires, _) = lot.value();
        if of == peer.0 && about == *model && expires > now {
            good.push(token.value());
        }
    }
    Ok(good)
}

/// The length of a preparation, if it is there, this owner's, and still good.
fn found(
    lots: &impl ReadableTable<[u8; 16], Entry>,
    token: [u8; 16],
    owner: &Owner,
    now: u64,
) -> Result<Option<u64>, DbError> {
    let lot = lots.get(token)?.map(|lot| lot.value());
    let lot = lot.filter(|&(bound_to, expires, _)| bound_to == bound(owner) && expires > now);
    Ok(lot.map(|(_, _, length)| length))
}

/// Whether any that is named is in doubt.
fn any_doubt(database: &Database, said: &Said<'_>) -> Result<bool, DbError> {
    let doubts = match database.begin_read()?.open_table(DOUBTS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        doubts => doubts?,
    };
    for token in said.tokens {
        if doubts.get(token.0)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Store for Embedded {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        lot.check()?;
        let token = lot.token.0;
        let put = self.write(|transaction| {
            let mut lots = transaction.open_table(LOTS)?;
            if lots.get(token)?.is_some() {
                return Ok(Err(StoreError::Exists));
            }
            let Owner { peer, model, .. } = &lot.owner;
            if let Some(Room { most, now }) = room
                && good(&lots, peer, model, now)?.len() as u64 >= most
            {
                return Ok(Err(StoreError::Full { most }));
            }
            let bytes = lot.sealed.len() as u64;
            lots.insert(token, (bound(&lot.owner), lot.expires, bytes))?;
            let mut pieces = transaction.open_table(PIECES)?;
            for (number, piece) in (0..).zip(lot.sealed.chunks(PIECE)) {
                pieces.insert((token, number), piece)?;
            }
            Ok(Ok(()))
        });
        put?
    }

    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let token = token.0;
        let seen = self.with(|database| {
            let reading = database.begin_read()?;
            let lots = reading.open_table(LOTS)?;
            let Some(length) = found(&lots, token, owner, now)? else {
                return Ok(None);
            };
            let room = usize::try_from(length.min(MAX_LOT));
            let mut sealed = Vec::with_capacity(room.unwrap_or_default());
            let pieces = reading.open_table(PIECES)?;
            for piece in pieces.range((token, 0)..=(token, u32::MAX))? {
                sealed.extend_from_slice(piece?.1.value());
            }
            Ok(Some((sealed, length)))
        });
        match seen? {
            Some((sealed, length)) if sealed.len() as u64 != length => {
                Err(damaged("it lacks pieces"))
            }
            seen => Ok(seen.map(|(sealed, _)| sealed)),
        }
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        let token = token.0;
        self.write(|transaction| {
            let mut lots = transaction.open_table(LOTS)?;
            if found(&lots, token, owner, now)?.is_none() {
                return Ok(false);
            }
            lots.remove(token)?;
            transaction.open_table(DOUBTS)?.remove(token)?;
            let mut pieces = transaction.open_table(PIECES)?;
            pieces.retain_in((token, 0)..=(token, u32::MAX), |_, _| false)?;
            Ok(true)
        })
    }

    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        self.with(|database| {
            let lots = database.begin_read()?.open_table(LOTS)?;
            let mut good = Vec::new();
            for lot in lots.iter()? {
                let (token, lot) = lot?;
                let (bound_to, expires, _) = lot.value();
                if bound_to == bound(owner) && expires > now {
                    good.push((expires, Token(token.value())));
                }
            }
            good.sort_unstable();
            Ok(good.into_iter().map(|(_, token)| token).collect())
        })
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        self.with(|database| {
            let lots = database.begin_read()?.open_table(LOTS)?;
            Ok(good(&lots, peer, model, now)?.len() as u64)
        })
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        // Most often nothing is in doubt, and nothing need be written.
        if !said.all && !self.with(|database| any_doubt(database, said))? {
            return Ok(Doubts::default());
        }
        self.write(|transaction| {
            let mut lots = transaction.open_table(LOTS)?;
            let mut doubted_since = transaction.open_table(DOUBTS)?;
            let mut pieces = transaction.open_table(PIECES)?;
            let mut doubts = Doubts::default();
            for token in good(&lots, &said.peer, &said.model, now)? {
                if said.tokens.contains(&Token(token)) {
                    doubted_since.remove(token)?;
                    continue;
                }
                if !said.all {
                    continue;
                }
                let since = doubted_since.get(token)?.map(|since| since.value());
                let became = doubted(since, now);
                doubts.count(&Token(token), became, now);
                match became {
                    Some(since) => drop(doubted_since.insert(token, since)?),
                    None => {
                        lots.remove(token)?;
                        doubted_since.remove(token)?;
                        pieces.retain_in((token, 0)..=(token, u32::MAX), |_, _| false)?;
                    }
                }
            }
            Ok(doubts)
        })
    }

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        self.write(|transaction| {
            let mut lots = transaction.open_table(LOTS)?;
            let mut doubts = transaction.open_table(DOUBTS)?;
            let mut pieces = transaction.open_table(PIECES)?;
            let mut purged = Vec::new();
            for lot in lots.extract_if(|_, (_, expires, _)| expires <= now)? {
                let token = lot?.0.value();
                doubts.remove(token)?;
                pieces.retain_in((token, 0)..=(token, u32::MAX), |_, _| false)?;
                purged.push(Token(token));
            }
            Ok(purged)
        })
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        self.with(|database| {
            let lots = database.begin_read()?.open_table(LOTS)?;
            let mut stock = Stock::default();
            for lot in lots.iter()? {
                let (_, expires, bytes) = lot?.1.value();
                if expires > now {
                    stock.lots += 1;
                    stock.bytes += bytes;
                }
            }
            Ok(stock)
        })
    }

    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        let charged = self.write(|transaction| {
            let mut accounts = transaction.open_table(ACCOUNTS)?;
            let account = accounts
                .get(client.0)?
                .map(|bytes| Account::from_bytes(bytes.value()));
            let mut account = match account.unwrap_or_else(|| Ok(Account::default())) {
                Ok(account) => account,
                Err(error) => return Ok(Err(error)),
            };
            let verdict = account.charge(charge, quota, now);
            if verdict == Verdict::Charged {
                accounts.insert(client.0, account.to_bytes().as_slice())?;
            }
            Ok(Ok(verdict))
        });
        charged?
    }

    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        let account = self.with(|database| {
            let accounts = database.begin_read()?.open_table(ACCOUNTS)?;
            let bytes = accounts.get(client.0)?;
            Ok(bytes.map(|bytes| Account::from_bytes(bytes.value())))
        });
        let account = account?.unwrap_or_else(|| Ok(Account::default()))?;
        Ok(account.usage(now))
    }
}
