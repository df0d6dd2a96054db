#![doc = include_str!("../README.md")]

mod embedded;
#[cfg(feature = "postgres")]
mod postgres;

use std::path::Path;
use std::sync::Arc;

use service::{Store, StoreError};

pub use embedded::Embedded;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;

/// The bytes of a piece of a preparation: stores keep large ones in pieces.
const PIECE: usize = 1 << 20;

/// Opens the store that is called so: `postgres://…` or `postgresql://…` for [`Postgres`], anything else for the file of an
/// [`Embedded`], which is made where there is none.
///
/// # Errors
/// As [`Embedded::open`] and [`Postgres::open`]; [`StoreError::Unusable`] for PostgreSQL where this crate was built without it, and
/// for any other address with `://` in it, of which nothing is repeated: there may be a password in it.
pub fn open(name: &str) -> Result<Arc<dyn Store>, StoreError> {
    if is_postgres(name) {
        return postgres_store(name);
    }
    if name.contains("://") {
        return Err(unusable(
            "it is a FILE, or begins with postgres:// or postgresql:// in small letters",
        ));
    }
    Ok(Arc::new(Embedded::open(Path::new(name))?))
}

/// Whether a store of this name is in PostgreSQL.
#[must_use]
pub fn is_postgres(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

#[cfg(feature = "postgres")]
fn postgres_store(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(Postgres::open(url)?))
}

#[cfg(not(feature = "postgres"))]
fn postgres_store(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(unusable("this program was built without PostgreSQL"))
}

fn unusable(what: impl std::fmt::Display) -> StoreError {
    let what = what.to_string();
    StoreError::Unusable { what }
}

fn damaged(what: impl std::fmt::Display) -> StoreError {
    let what = what.to_string();
    StoreError::Damaged { what }
}

fn unavailable(what: impl std::fmt::Display) -> StoreError {
    let what = what.to_string();
    StoreError::Unavailable { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_databases_are_no_files() {
        for name in [
            "mysql://u:secret@h/d",
            "Postgres://u:secret@h/d",
            " postgres://u:secret@h/d",
            "u:secret://h",
        ] {
            let error = open(name).expect_err(name).to_string();
            assert!(error.contains("postgres://"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
