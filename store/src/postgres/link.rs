//! How a connection to the database is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use service::StoreError;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error as DbError, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Fault;
use crate::{unavailable, unusable};

/// The longest that one address takes to answer.
const CONNECT: Duration = Duration::from_secs(5);
/// How long what was sent may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// What the database is told: no statement waits or runs for longer than a call does, and a transaction of a process that fell
/// silent holds its rows no longer either.
const OPTIONS: &str =
    "-c statement_timeout=60s -c lock_timeout=50s -c idle_in_transaction_session_timeout=60s";

/// What it takes to connect.
pub(super) struct Link {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Link {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let (url, roots) = take_roots(url)?;
        // The parser's message repeats nothing of the URL, in which a password may be.
        let parsed = url.parse::<Config>();
        let mut config =
            parsed.map_err(|_| unusable("this is no URL of a database of PostgreSQL"))?;
        if config.get_hosts().is_empty() {
            return Err(unusable("the URL of the database names no host"));
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .application_name("blindray");
        let options = config.get_options().map(str::to_owned).unwrap_or_default();
        config.options(format!("{OPTIONS} {options}").trim());
        let tls = match roots {
            Some(path) => {
                config.ssl_mode(SslMode::Require);
                Some(tls(&path)?)
            }
            None => {
                let open = config.get_hosts().iter().find(|host| !is_private(host));
                if let Some(host) = open {
                    return Err(unusable(format!(
                        "nothing would encrypt the way to {}: add ?sslrootcert=FILE to the URL, with the authorities that have signed the database's certificate",
                        name(host)
                    )));
                }
                if config.get_ssl_mode() == SslMode::Require {
                    let what = "sslmode=require needs ?sslrootcert=FILE, with the authorities that have signed the database's certificate";
                    return Err(unusable(what));
                }
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        Ok(Self { config, tls })
    }

    pub(super) async fn connect(&self) -> Result<Client, Fault> {
        // The connection lives in a task of its own, and ends with its client.
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            }
        }
    }

    /// What an error means for the caller.
    pub(super) fn fault(&self, error: &DbError) -> StoreError {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let said = match (error.as_db_error(), cause) {
            (Some(said), _) => said.message().to_owned(),
            (None, Some(cause)) => format!("{error}: {cause}"),
            (None, None) => error.to_string(),
        };
        let what = format!("{self}: {said}");
        match error.code() {
            // Nobody is let in so, or may not do this: waiting does not help.
            Some(code)
                if *code == SqlState::INVALID_PASSWORD
                    || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                    || *code == SqlState::INVALID_CATALOG_NAME
                    || *code == SqlState::INSUFFICIENT_PRIVILEGE
                    || *code == SqlState::UNDEFINED_TABLE
                    || *code == SqlState::UNDEFINED_COLUMN =>
            {
                unusable(what)
            }
            _ => unavailable(what),
        }
    }
}

/// Takes `sslrootcert=FILE` out of a URL: the parser does not know it.
fn take_roots(url: &str) -> Result<(String, Option<PathBuf>), StoreError> {
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (roots, others): (Vec<_>, Vec<_>) = query
        .split('&')
        .partition(|option| option.starts_with("sslrootcert="));
    let roots = match roots[..] {
        [] => None,
        [one] => Some(PathBuf::from(&one["sslrootcert=".len()..])),
        _ => return Err(unusable("the URL of the database has sslrootcert twice")),
    };
    Ok((format!("{place}?{}", others.join("&")), roots))
}

fn tls(roots: &PathBuf) -> Result<MakeRustlsConnect, StoreError> {
    let file = roots.display();
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(roots);
    for certificate in certificates.map_err(|error| unusable(format!("{file}: {error}")))? {
        let certificate = certificate.map_err(|error| unusable(format!("{file}: {error}")))?;
        let added = store.add(certificate);
        added.map_err(|error| unusable(format!("{file}: {error}")))?;
    }
    if store.is_empty() {
        return Err(unusable(format!("{file} has no certificate")));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Whether nobody can listen in on the way there.
fn is_private(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            address.map_or(name == "localhost", |address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// The database as messages name it: no password.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.config.get_hosts().iter().map(name).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "the database {database} at {}", hosts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Link::new(url) {
            Ok(_) => panic!("{url} is taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_private_ways_are_in_the_clear() {
        for good in [
            "postgres://u@127.0.0.1/d",
            "postgres://u@localhost:5433/d?connect_timeout=3",
            "postgres://u@[::1]/d",
            "postgresql://u@%2Frun%2Fpostgresql/d",
        ] {
            assert!(Link::new(good).is_ok(), "{good}");
        }
        for open in [
            "postgres://u:secret@db.example/d",
            "postgres://u:secret@127.0.0.1,10.0.0.1/d",
            "postgres://u:secret@192.0.2.1/d?sslmode=require",
        ] {
            let said = refused(open);
            assert!(
                said.contains("sslrootcert") && !said.contains("secret"),
                "{said}"
            );
        }
        assert!(refused("postgres://u@localhost/d?sslmode=require").contains("sslrootcert"));
        assert!(refused("postgres://u:secret@db.example:port/d").contains("no URL"));
        assert!(refused("postgres://u@h/d?sslrootcert=/nowhere").contains("/nowhere"));
        assert!(refused("postgres://u@h/d?sslrootcert=a&sslrootcert=b").contains("twice"));
        assert!(refused("postgres:///d").contains("host"));
    }
}
