//! A store of preparations that is a folder: each preparation is a file, so that any number of processes may use it at once.
//!
//! A file is called by its token, the digests of its owner's peer and model and of all of its owner, and when it expires. It comes and goes by a
//! rename, which the system does wholly or not at all: of several processes that take one, one has it. Those that count first, and those that
//! delete what is in doubt, have a lock on the folder meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use channel::Digest;
use service::{
    Charge, ClientKey, Doubts, Lot, Owner, Quota, Room, Said, Stock, Store, StoreError, Token,
    Usage, Verdict, doubted,
};

use sha2::{Digest as _, Sha256};

use crate::text::hex;

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// The most bytes that are read of a file.
const MOST: u64 = service::MAX_LOT;
/// What files end with that are being written, that are taken, and that say since when the preparation of the same name is in doubt.
const DRAFT: &str = "draft";
const TAKEN: &str = "taken";
const DOUBT: &str = "doubt";
/// The file that is locked.
const LOCK: &str = ".lock";
/// Hexadecimal digits of a digest.
const DIGITS: usize = 32;

/// What the name of a file says.
struct Name {
    token: Token,
    /// Of the peer and the model.
    group: String,
    owner: String,
    expires: u64,
}

impl Name {
    fn of(lot: &Lot<'_>) -> Self {
        let Owner { peer, model, .. } = &lot.owner;
        Self {
            token: lot.token,
            group: group(peer, model),
            owner: owner(&lot.owner),
            expires: lot.expires,
        }
    }

    fn text(&self) -> String {
        let Self {
            token,
            group,
            owner,
            expires,
        } = self;
        format!("{}-{group}-{owner}-{expires}", hex(&token.0))
    }

    /// `None` for files of something else.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = || parts.next();
        let (token, group, owner) = (part()?, part()?, part()?);
        let expires = part()?.parse().ok()?;
        let name = Self {
            token: Token(unhex16(token)?),
            group: group.to_owned(),
            owner: owner.to_owned(),
            expires,
        };
        (name.text() == text).then_some(name)
    }
}

fn unhex16(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    Some(number.to_be_bytes())
}

fn owner(owner: &Owner) -> String {
    short(&[owner.peer.0, owner.model, owner.plan])
}

fn group(peer: &ClientKey, model: &Digest) -> String {
    short(&[peer.0, *model])
}

fn short(of: &[[u8; 32]]) -> String {
    let mut text = hex(&Sha256::digest(of.concat()));
    text.truncate(DIGITS);
    text
}

impl Folder {
    /// The folder at a place. It is made when something is put there, for the eyes of its owner alone.
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    fn make(&self) -> Result<(), IoError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)
    }

    fn denied(&self, cause: &IoError) -> StoreError {
        let what = format!("{}: {cause}", self.0.display());
        StoreError::Unavailable { what }
    }

    /// Makes it last that a file has come or gone.
    fn sync(&self) -> Result<(), StoreError> {
        // Folders cannot be opened like files everywhere; there a rename lasts by itself.
        if cfg!(unix) {
            let folder = File::open(&self.0).and_then(|folder| folder.sync_all());
            folder.map_err(|e| self.denied(&e))?;
        }
        Ok(())
    }

    /// Alone in the folder until the value is dropped, among those who ask.
    fn lock(&self) -> Result<File, StoreError> {
        let open = || {
            self.make()?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(self.0.join(LOCK))?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|cause: IoError| self.denied(&cause))
    }

    /// The preparation of a token, if it is there, this owner's, and still good.
    fn find(&self, token: &Token, by: &Owner, now: u64) -> Result<Option<Name>, StoreError> {
        let by = owner(by);
        let mut names = self.names()?.into_iter();
        Ok(names.find(|name| name.token == *token && name.owner == by && name.expires > now))
    }

    /// Takes a preparation out, and reads what is wanted of its file before that is removed.
    fn take_and<T>(
        &self,
        token: &Token,
        by: &Owner,
        now: u64,
        read: impl FnOnce(&Path) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(name) = self.find(token, by, now)? else {
            return Ok(None);
        };
        let taken = self.0.join(format!("{}.{TAKEN}", name.text()));
        match fs::rename(self.0.join(name.text()), &taken) {
            Ok(()) => {}
            // Another process was faster.
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.denied(&cause)),
        }
        self.sync()?;
        let had = read(&taken)?;
        fs::remove_file(&taken).map_err(|e| self.denied(&e))?;
        self.say_doubt(&name, None)?;
        Ok(Some(had))
    }

    /// Where it is said since when a preparation is in doubt.
    fn doubt(&self, name: &Name) -> PathBuf {
        self.0.join(format!("{}.{DOUBT}", name.text()))
    }

    /// Since when it is in doubt, if it is; what cannot be read is as good as none.
    fn doubted_since(&self, name: &Name) -> Option<u64> {
        fs::read_to_string(self.doubt(name)).ok()?.parse().ok()
    }

    /// Says since when a preparation is in doubt, or that it is not. After a crash it may be one that was not in doubt, and is looked for anew.
    fn say_doubt(&self, name: &Name, since: Option<u64>) -> Result<(), StoreError> {
        let file = self.doubt(name);
        let said = match since {
            Some(since) => fs::write(file, since.to_string()),
            None => removed(&file).map(drop),
        };
        said.map_err(|e| self.denied(&e))
    }

    /// The bytes of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        let size = fs::metadata(path).map_err(|e| self.denied(&e))?.len();
        if size > MOST {
            return Err(StoreError::TooLarge {
                bytes: size,
                most: MOST,
            });
        }
        fs::read(path).map_err(|e| self.denied(&e))
    }

    /// The names of all files.
    fn files(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(&self.0) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|e| self.denied(&e))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| self.denied(&e))?.file_name();
            files.extend(name.into_string());
        }
        Ok(files)
    }

    /// The preparations that are there, in no order.
    fn names(&self) -> Result<Vec<Name>, StoreError> {
        let files = self.files()?;
        Ok(files.iter().filter_map(|file| Name::parse(file)).collect())
    }

    /// Those of a peer and a model that are still good.
    fn of_group(&self, group: &str, now: u64) -> Result<Vec<Name>, StoreError> {
        let mut names = self.names()?;
        names.retain(|name| name.group == group && name.expires > now);
        Ok(names)
    }

    fn write(&self, draft: &Path, bytes: &[u8]) -> Result<(), IoError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(draft)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

/// Removes a file; whether it was there.
fn removed(path: &Path) -> Result<bool, IoError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

impl Store for Folder {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        lot.check()?;
        if self.names()?.iter().any(|name| name.token == lot.token) {
            return Err(StoreError::Exists);
        }
        let name = Name::of(lot);
        let draft = self.0.join(format!("{}.{DRAFT}", name.text()));
        let written = self.make().and_then(|()| self.write(&draft, lot.sealed));
        let written = written.map_err(|cause| self.denied(&cause));
        let put = written.and_then(|()| {
            let locked = match room {
                None => None,
                Some(Room { most, now }) => {
                    let locked = self.lock()?;
                    if self.of_group(&name.group, now)?.len() as u64 >= most {
                        return Err(StoreError::Full { most });
                    }
                    Some(locked)
                }
            };
            let put = fs::rename(&draft, self.0.join(name.text()));
            drop(locked);
            put.map_err(|cause| self.denied(&cause))
        });
        if put.is_err() {
            let _ = fs::remove_file(&draft);
        }
        put?;
        self.sync()
    }

    fn take(&self, token: &Token, by: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.take_and(token, by, now, |taken| self.read(taken))
    }

    fn claim(&self, token: &Token, by: &Owner, now: u64) -> Result<bool, StoreError> {
        let taken = self.take_and(token, by, now, |_| Ok(()))?;
        Ok(taken.is_some())
    }

    fn look(&self, token: &Token, by: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(name) = self.find(token, by, now)? else {
            return Ok(None);
        };
        let path = self.0.join(name.text());
        match self.read(&path) {
            // Another process has taken it meanwhile.
            Err(_) if !path.exists() => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        Ok(self.of_group(&group(peer, model), now)?.len() as u64)
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        let mut doubts = Doubts::default();
        let names = self.of_group(&group(&said.peer, &said.model), now)?;
        if names.is_empty() {
            return Ok(doubts);
        }
        let locked = self.lock()?;
        for name in names {
            if said.tokens.contains(&name.token) {
                self.say_doubt(&name, None)?;
            } else if said.all {
                let since = self.doubted_since(&name);
                let became = doubted(since, now);
                doubts.count(became, now);
                if became.is_none() {
                    let gone = removed(&self.0.join(name.text()));
                    gone.map_err(|e| self.denied(&e))?;
                }
                if became != since {
                    self.say_doubt(&name, became)?;
                }
            }
        }
        drop(locked);
        match doubts.deleted {
            0 => {}
            _ => self.sync()?,
        }
        Ok(doubts)
    }

    fn tokens(&self, of: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        let of = owner(of);
        let mut names = self.names()?;
        names.retain(|name| name.owner == of && name.expires > now);
        names.sort_by_key(|name| (name.expires, name.token));
        Ok(names.into_iter().map(|name| name.token).collect())
    }

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        let mut purged = 0;
        for file in self.files()? {
            // Also what a process that was killed has left behind.
            let name = file.split('.').next().and_then(Name::parse);
            if name.is_none_or(|name| name.expires > now) {
                continue;
            }
            let gone = removed(&self.0.join(&file)).map_err(|e| self.denied(&e))?;
            purged += u64::from(gone && !file.contains('.'));
        }
        Ok(purged)
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        let mut stock = Stock::default();
        for name in self.names()?.iter().filter(|name| name.expires > now) {
            let size = fs::metadata(self.0.join(name.text()));
            let Ok(size) = size else { continue };
            stock.lots += 1;
            stock.bytes += size.len();
        }
        Ok(stock)
    }

    fn charge(&self, _: &ClientKey, _: &Charge, _: &Quota, _: u64) -> Result<Verdict, StoreError> {
        Err(no_accounts())
    }

    fn usage(&self, _: &ClientKey, _: u64) -> Result<Usage, StoreError> {
        Err(no_accounts())
    }
}

fn no_accounts() -> StoreError {
    let what = "a folder of preparations keeps no accounts".to_owned();
    StoreError::Unusable { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        peer: ClientKey([1; 32]),
        model: [2; 32],
        plan: [3; 32],
    };

    fn lot(number: u8, expires: u64, sealed: &[u8]) -> Lot<'_> {
        Lot {
            token: Token([number; 16]),
            owner: OWNER,
            expires,
            sealed,
        }
    }

    #[test]
    fn what_is_put_is_taken_once_by_its_owner() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("a/b");
        // Two processes.
        let [one, other] = [(); 2].map(|()| Folder::at(path.clone()));
        assert!(one.tokens(&OWNER, 0).expect("none").is_empty());
        assert!(!path.exists());
        one.put(&lot(1, 200, b"first"), None).expect("it is put");
        other.put(&lot(2, 100, b"second"), None).expect("it is put");
        let again = one.put(&lot(2, 100, b"again"), None);
        assert_eq!(again, Err(StoreError::Exists));
        let tokens = other.tokens(&OWNER, 50).expect("both");
        assert_eq!(tokens, [2, 1].map(|n| Token([n; 16])));
        let stock = one.stock(50).expect("both");
        assert_eq!((stock.lots, stock.bytes), (2, 11));
        let stranger = Owner {
            plan: [4; 32],
            ..OWNER
        };
        assert_eq!(one.take(&tokens[0], &stranger, 50), Ok(None));
        assert_eq!(one.take(&tokens[0], &OWNER, 100), Ok(None));
        assert_eq!(
            one.take(&tokens[0], &OWNER, 99),
            Ok(Some(b"second".to_vec()))
        );
        assert_eq!(other.take(&tokens[0], &OWNER, 99), Ok(None));
        assert_eq!(other.purge(199), Ok(0));
        // What a process that was killed has left behind goes with what expires.
        fs::write(
            path.join(format!("{}.taken", Name::of(&lot(3, 150, b"")).text())),
            b"x",
        )
        .expect("written");
        fs::write(path.join("something else"), b"x").expect("written");
        assert_eq!(one.purge(200), Ok(1));
        assert_eq!(fs::read_dir(&path).expect("there").count(), 1);
    }

    #[test]
    fn it_keeps_the_contract() {
        let place = tempfile::tempdir().expect("a folder");
        service::lot_contract(&Folder::at(place.path().join("a/b")));
    }

    #[test]
    fn of_many_at_once_one_has_it() {
        let place = tempfile::tempdir().expect("a folder");
        for number in 0..20 {
            let folder = Folder::at(place.path().to_owned());
            folder
                .put(&lot(number, 9, &[number; 1000]), None)
                .expect("it is put");
            let had: usize = std::thread::scope(|scope| {
                let takers = [(); 8].map(|()| {
                    let folder = &folder;
                    scope.spawn(move || {
                        let taken = folder
                            .take(&Token([number; 16]), &OWNER, 1)
                            .expect("no error");
                        taken.map_or(0, |taken| {
                            assert_eq!(taken, [number; 1000]);
                            1
                        })
                    })
                });
                takers
                    .map(|taker| taker.join().expect("no panic"))
                    .iter()
                    .sum()
            });
            assert_eq!(had, 1);
        }
    }
}
