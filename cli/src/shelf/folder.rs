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
    /// Whether it is a file that has it.
    is_file: bool,
}

impl Name {
    fn of(lot: &Lot<'_>) -> Self {
        let Owner { peer, model, .. } = &lot.owner;
        Self {
            token: lot.token,
            group: group(peer, model),
            owner: owner(&lot.owner),
            expires: lot.expires,
            is_file: true,
        }
    }

    /// What is no file is left alone.
    fn check(&self) -> Result<(), StoreError> {
        match self.is_file {
            true => Ok(()),
            false => Err(StoreError::Damaged {
                what: "it is no file".to_owned(),
            }),
        }
    }

    fn text(&self) -> String {
        let Self {
            token,
            group,
            owner,
            expires,
            ..
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
            is_file: true,
        };
        (name.text() == text).then_some(name)
    }
}

/// The token of a preparation that a program before this one has put aside, and when it expires. Its name says too little for this one to use it, and until then
/// that one may.
fn of_before(text: &str) -> Option<(Token, u64)> {
    let mut parts = text.split('-');
    let (token, owner, expires) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str| {
        let digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        part.len() == DIGITS && part.bytes().all(digit)
    };
    let plain = parts.next().is_none() && is_hex(token) && is_hex(owner);
    let token = Token(unhex16(token).filter(|_| plain)?);
    Some((token, expires.parse().ok()?))
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
    fn read(path: &Path) -> Result<Vec<u8>, IoError> {
        let size = fs::metadata(path)?.len();
        match size > MOST {
            true => Err(IoError::other(format!(
                "it has {size} bytes, and no preparation has more than {MOST}"
            ))),
            false => fs::read(path),
        }
    }

    /// The names of all that is there, and whether it is a file: no folder, no pipe that would be waited for, and no link, which could be deleted
    /// while what it leads to stays.
    fn entries(&self) -> Result<Vec<(String, bool)>, StoreError> {
        let entries = match fs::read_dir(&self.0) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|e| self.denied(&e))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| self.denied(&e))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match entry.file_type() {
                Ok(of) => found.push((name, of.is_file())),
                // It went meanwhile.
                Err(cause) if cause.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(self.denied(&cause)),
            }
        }
        Ok(found)
    }

    /// What is called like a preparation, in no order; what is no file is none.
    fn names(&self) -> Result<Vec<Name>, StoreError> {
        let entries = self.entries()?.into_iter();
        let parse = |(name, is_file): (String, bool)| {
            let name = Name::parse(&name)?;
            Some(Name { is_file, ..name })
        };
        Ok(entries.filter_map(parse).collect())
    }

    /// Those of a peer and a model that are still good.
    fn of_group(&self, group: &str, now: u64) -> Result<Vec<Name>, StoreError> {
        let mut names = self.names()?;
        names.retain(|name| name.is_file && name.group == group && name.expires > now);
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

    fn claim(&self, token: &Token, by: &Owner, now: u64) -> Result<bool, StoreError> {
        let Some(name) = self.find(token, by, now)? else {
            return Ok(false);
        };
        name.check()?;
        let taken = self.0.join(format!("{}.{TAKEN}", name.text()));
        match fs::rename(self.0.join(name.text()), &taken) {
            Ok(()) => {}
            // Another process was faster.
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(self.denied(&cause)),
        }
        self.sync()?;
        fs::remove_file(&taken).map_err(|e| self.denied(&e))?;
        self.say_doubt(&name, None)?;
        Ok(true)
    }

    fn look(&self, token: &Token, by: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(name) = self.find(token, by, now)? else {
            return Ok(None);
        };
        name.check()?;
        match Self::read(&self.0.join(name.text())) {
            Ok(bytes) => Ok(Some(bytes)),
            // Another process has taken it meanwhile.
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StoreError::Damaged {
                what: cause.to_string(),
            }),
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
                doubts.count(&name.token, became, now);
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
        if !doubts.deleted.is_empty() {
            self.sync()?;
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

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        let mut purged = Vec::new();
        for (file, is_file) in self.entries()? {
            // Also what a process that was killed has left behind.
            let stem = file.split('.').next().unwrap_or_default();
            let named = Name::parse(stem).map(|name| (name.token, name.expires));
            let named = named.or_else(|| of_before(stem));
            let Some((token, _)) = named.filter(|&(_, expires)| is_file && expires <= now) else {
                continue;
            };
            let gone = removed(&self.0.join(&file)).map_err(|e| self.denied(&e))?;
            if gone && !file.contains('.') {
                purged.push(token);
            }
        }
        Ok(purged)
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        let mut stock = Stock::default();
        let good = |name: &&Name| name.is_file && name.expires > now;
        for name in self.names()?.iter().filter(good) {
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
        assert_eq!(other.purge(199), Ok(vec![]));
        // What a process that was killed has left behind goes with what expires.
        fs::write(
            path.join(format!("{}.taken", Name::of(&lot(3, 150, b"")).text())),
            b"x",
        )
        .expect("written");
        // So does what a program of before has put aside, and nothing else.
        let before = format!("{}-{}-", "0a".repeat(16), "0b".repeat(16));
        for other in [
            "something else",
            &format!("{before}201"),
            &format!("{before}x"),
            &before.replace('a', "x"),
        ] {
            fs::write(path.join(other), b"x").expect("written");
        }
        fs::write(path.join(format!("{before}200")), b"x").expect("written");
        let mut purged = one.purge(200).expect("it works");
        purged.sort();
        assert_eq!(purged, [1, 10].map(|n| Token([n; 16])));
        assert_eq!(fs::read_dir(&path).expect("there").count(), 4);
    }

    /// What is no file and is called like a preparation is named, and disturbs nothing else.
    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_passed_over() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(place.path().to_owned());
        let path = |number| {
            let name = Name::of(&lot(number, 100, b"")).text();
            place.path().join(name)
        };
        folder.put(&lot(3, 100, b"good"), None).expect("it is put");
        fs::create_dir(path(1)).expect("a folder");
        std::os::unix::fs::symlink(path(3), path(2)).expect("a link");
        let pipe = std::process::Command::new("mkfifo").arg(path(4)).status();
        assert!(pipe.expect("it runs").success());
        let tokens = folder.tokens(&OWNER, 50).expect("all");
        assert_eq!(tokens, [1, 2, 3, 4].map(|n| Token([n; 16])));
        for number in [1, 2, 4] {
            let token = Token([number; 16]);
            let seen = folder.look(&token, &OWNER, 50).map(drop);
            let claimed = folder.claim(&token, &OWNER, 50).map(drop);
            for found in [seen, claimed] {
                let error = found.expect_err("it is no file");
                assert!(matches!(&error, StoreError::Damaged { what } if what == "it is no file"));
            }
        }
        let count = folder.count(&OWNER.peer, &OWNER.model, 50);
        assert_eq!(count, Ok(1));
        assert_eq!(folder.stock(50).expect("one").lots, 1);
        let room = Some(Room { most: 2, now: 50 });
        folder
            .put(&lot(5, 100, b"more"), room)
            .expect("there is room");
        let purged = folder.purge(100).expect("it works");
        assert_eq!(purged.len(), 2);
        assert!(
            [1, 2, 4]
                .iter()
                .all(|&n| path(n).symlink_metadata().is_ok())
        );
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
