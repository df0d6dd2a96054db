//! Sealing and opening.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, Key};

const MAGIC: [u8; 8] = *b"BRSEALED";
const VERSION: u32 = 1;

const SALT: usize = 32;
const COMMITMENT: usize = 32;
const TAG: usize = 16;

/// Where the parts of the header begin.
const AT_SALT: usize = MAGIC.len() + 4;
const AT_COMMITMENT: usize = AT_SALT + SALT;
const AT_LENGTH: usize = AT_COMMITMENT + COMMITMENT;
const HEADER: usize = AT_LENGTH + 8;

/// Bytes by which a sealed object is longer than its content.
pub const OVERHEAD: usize = HEADER + TAG;

/// The longest content: what one key of AES-GCM may encrypt with one nonce (NIST SP 800-38D).
pub const MAX_CONTENT: u64 = (1 << 36) - 32;

/// BLAKE3 wants a text that nothing else in the world uses.
const DERIVATION: &str = "Blindray sealed objects, version 1: commitment and key of AES-256-GCM";

/// Seals a content for a purpose, in a context that whoever opens it must name again.
///
/// `salt` must be fresh randomness for each content, and needs no secrecy.
///
/// # Security
/// Confidential and authentic, context and purpose included, as long as no salt comes twice with one key and purpose.
///
/// # Cost
/// [`OVERHEAD`] bytes, and one pass over the content.
///
/// # Panics
/// If the content is longer than [`MAX_CONTENT`].
#[must_use]
pub fn seal(key: &Key, purpose: &str, context: &[u8], salt: [u8; 32], plain: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(plain.len() + OVERHEAD);
    content.extend_from_slice(plain);
    seal_in_place(key, purpose, context, salt, content)
}

/// The same for a content that is not needed any more: the object takes its memory, without a copy where that has room for [`OVERHEAD`] bytes
/// more.
///
/// # Security
/// As [`seal`]. Nothing is left of the content.
///
/// # Cost
/// As [`seal`], and the content is moved once within its memory.
///
/// # Panics
/// As [`seal`].
#[must_use]
pub fn seal_in_place(
    key: &Key,
    purpose: &str,
    context: &[u8],
    salt: [u8; 32],
    mut content: Vec<u8>,
) -> Vec<u8> {
    let length = content.len() as u64;
    assert!(
        length <= MAX_CONTENT,
        "a content of {length} bytes is too long to be sealed at once"
    );
    let derived = Derived::new(key, purpose, &salt);
    let mut header = Vec::with_capacity(HEADER);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend(salt);
    header.extend(derived.commitment);
    header.extend(length.to_le_bytes());
    let aad = Aad::from(authentic(&header, context));
    let tag = derived
        .key
        .seal_in_place_separate_tag(nonce(), aad, &mut content);
    let tag = tag.expect("the length was checked");
    content.reserve_exact(OVERHEAD);
    content.extend(tag.as_ref());
    content.splice(..0, header);
    content
}

/// Opens what [`seal`] made with the same key, purpose and context.
///
/// # Errors
/// [`Error::NotSealed`], [`Error::Version`] or [`Error::Length`] for what is no sealed object, or not a whole one;
/// [`Error::WrongKey`] if key or purpose are others, [`Error::Changed`] if the content or the context are.
pub fn open(
    key: &Key,
    purpose: &str,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let derived = Derived::of(key, purpose, sealed)?;
    derived.open(context, sealed.to_vec())
}

/// The same where the object is not needed any more: the content takes its memory, without a copy.
///
/// # Errors
/// As [`open`].
pub fn open_in_place(
    key: &Key,
    purpose: &str,
    context: &[u8],
    sealed: Vec<u8>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    Derived::of(key, purpose, &sealed)?.open(context, sealed)
}

/// Whether bytes begin as a sealed object does. Whether they are one, [`open`] says.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What one object has from the key.
struct Derived {
    commitment: [u8; COMMITMENT],
    key: LessSafeKey,
}

impl Derived {
    /// What a sealed object has, if it can be one of this key and purpose.
    fn of(key: &Key, purpose: &str, sealed: &[u8]) -> Result<Self, Error> {
        if !is_sealed(sealed) {
            return Err(Error::NotSealed);
        }
        let found = sealed.len() as u64;
        let header = sealed.get(..HEADER).ok_or(Error::Length {
            said: OVERHEAD as u64,
            found,
        })?;
        let version = u32::from_le_bytes(part(header, MAGIC.len()));
        if version != VERSION {
            return Err(Error::Version { found: version });
        }
        let said = u64::from_le_bytes(part(header, AT_LENGTH)).saturating_add(OVERHEAD as u64);
        if said != found || said - OVERHEAD as u64 > MAX_CONTENT {
            return Err(Error::Length { said, found });
        }
        let derived = Self::new(key, purpose, &part(header, AT_SALT));
        let commitment: [u8; COMMITMENT] = part(header, AT_COMMITMENT);
        match bool::from(commitment.ct_eq(&derived.commitment)) {
            true => Ok(derived),
            false => Err(Error::WrongKey),
        }
    }

    /// The content of the object that it is of.
    fn open(&self, context: &[u8], sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut opened = Zeroizing::new(sealed);
        let aad = Aad::from(authentic(&opened[..HEADER], context));
        let content = self.key.open_within(nonce(), aad, &mut opened, HEADER..);
        let length = content.map_err(|_| Error::Changed)?.len();
        opened.truncate(length);
        Ok(opened)
    }

    fn new(key: &Key, purpose: &str, salt: &[u8; SALT]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(DERIVATION);
        hasher.update(key.bytes());
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(salt);
        let mut output = Zeroizing::new([0; COMMITMENT + 32]);
        let mut reader = hasher.finalize_xof();
        reader.fill(output.as_mut_slice());
        reader.zeroize();
        hasher.zeroize();
        let key = UnboundKey::new(&AES_256_GCM, &output[COMMITMENT..]);
        Self {
            commitment: part(output.as_slice(), 0),
            key: LessSafeKey::new(key.expect("AES-256 has keys of 32 bytes")),
        }
    }
}

/// The key encrypts one content.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// The header has always the same length, so that the context begins where it ends.
fn authentic(header: &[u8], context: &[u8]) -> Vec<u8> {
    [header, context].concat()
}

/// `N` bytes of what is known to be long enough.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("as many bytes")
}
