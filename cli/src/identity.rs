//! Who this party is and whom it trusts: from options and files to the guard of its connections.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use channel::Guard;
use clap::Args;
use identity::{
    Authority, ClientTrust, Clients, Error, Fingerprint, Identity, KnownPeers, ServerTrust, Tls,
};

use crate::cost::machine;
use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// What both parties say about themselves.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The file with this party's private key and certificate; default: blindray/identity.pem in your configuration folder, made at
    /// first use.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) identity: Option<PathBuf>,
}

/// Which server a client trusts.
#[derive(Debug, Args)]
pub(crate) struct ServerTrustArgs {
    /// The server's fingerprint, as its provider tells you (SHA256:…). `infer` and `prepare` remember it: from then on the server is known by its address.
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["insecure", "server_ca"])]
    pub(crate) trust: Option<Fingerprint>,
    /// Trust a server whose certificate one of the authorities of this file (PEM) has signed for its host name, instead of one that is known
    /// by its fingerprint.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) server_ca: Option<PathBuf>,
}

/// Which clients a server serves.
#[derive(Debug, Args)]
pub(crate) struct ClientTrustArgs {
    /// Serve the clients of this list: on each line a fingerprint, a name, and what holds for this client alone, as below. Without --clients, --any-client and --client-ca only clients
    /// with the server's own key are served: yourself, on this machine.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["insecure", "any_client", "client_ca"])]
    pub(crate) clients: Option<PathBuf>,
    /// Serve whoever comes. Each finding tells a little about the weights, and nobody is known who could be asked.
    #[arg(long, conflicts_with_all = ["insecure", "client_ca"])]
    pub(crate) any_client: bool,
    /// Serve clients whose certificates one of the authorities of this file (PEM) has signed for a name of --client-names.
    #[arg(
        long,
        value_name = "FILE",
        requires = "client_names",
        conflicts_with = "insecure"
    )]
    pub(crate) client_ca: Option<PathBuf>,
    /// The names of clients that --client-ca may have signed, separated by commas.
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        requires = "client_ca"
    )]
    pub(crate) client_names: Vec<String>,
}

/// A server's guard, and what people are told of it.
pub(crate) struct ServerGuard {
    pub(crate) guard: Arc<dyn Guard>,
    pub(crate) fingerprint: Fingerprint,
    /// Whom it serves.
    pub(crate) clients: String,
    /// The list of them, if there is one.
    pub(crate) list: Option<Arc<Clients>>,
}

/// A client's guard, and what it needs to remember its server.
pub(crate) struct ClientGuard {
    pub(crate) guard: Arc<dyn Guard>,
    /// This party's key.
    pub(crate) own: Fingerprint,
    /// What this client's certificate calls it.
    name: Option<String>,
    /// What is the matter with its certificate's time, if anything.
    outdated: Option<String>,
    /// The server that was named by its fingerprint for the first time, if it was.
    remember: Option<(KnownPeers, String, Fingerprint)>,
}

/// An error of files, keys and options is one of the input.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::input(error)
    }
}

/// `identity.pem` in the user's folder for settings.
pub(crate) fn own_file() -> Outcome<PathBuf> {
    beside("identity.pem")
}

/// `known_servers` beside it.
pub(crate) fn known_file() -> Outcome<PathBuf> {
    beside("known_servers")
}

pub(crate) fn beside(name: &str) -> Outcome<PathBuf> {
    let folder = machine::own_file().and_then(|file| Some(file.parent()?.to_owned()));
    let folder = folder.ok_or_else(|| {
        Failure::input("neither XDG_CONFIG_HOME nor HOME is set: say where with --identity FILE")
    })?;
    Ok(folder.join(name))
}

/// What a key is called where nobody has said.
pub(crate) fn usual_name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    let usual = user.unwrap_or_default();
    if usual.trim().is_empty() || usual.chars().any(char::is_control) {
        return "blindray".to_owned();
    }
    usual.chars().take(64).collect()
}

impl KeyArgs {
    /// This party's identity; the usual one is made where there is none.
    fn own(&self, ui: Ui) -> Outcome<Identity> {
        if let Some(path) = &self.identity {
            return Ok(Identity::open(path)?);
        }
        let path = own_file()?;
        match Identity::open(&path) {
            Err(Error::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {}
            opened => return Ok(opened?),
        }
        let made = Identity::generate(&usual_name())?;
        match made.save(&path) {
            // Another process has been faster.
            Err(Error::File { cause, .. }) if cause.kind() == std::io::ErrorKind::AlreadyExists => {
                return Ok(Identity::open(&path)?);
            }
            saved => saved?,
        }
        ui.note(&format!(
            "made a key for this machine, {}, in {}",
            made.fingerprint(),
            path.display()
        ));
        Ok(made)
    }

    /// A server's guard.
    pub(crate) fn server(&self, trust: &ClientTrustArgs, ui: Ui) -> Outcome<ServerGuard> {
        let own = self.own(ui)?;
        let (clients, said) = trust.read()?;
        let list = match &clients {
            ClientTrust::Listed(list) => Some(Arc::clone(list)),
            _ => None,
        };
        if let (ClientTrust::Listed(list), Some(file)) = (&clients, &trust.clients)
            && list.is_empty()
        {
            ui.note(&format!(
                "WARNING: nobody is on the list of clients, {}, and so nobody is served: a line of it is a fingerprint and a name",
                file.display()
            ));
        }
        Ok(ServerGuard {
            list,
            guard: Arc::new(Tls::server(&own, &clients)?),
            fingerprint: own.fingerprint(),
            clients: said,
        })
    }

    /// A client's guard for the server that is called so.
    pub(crate) fn client(
        &self,
        trust: &ServerTrustArgs,
        server: &str,
        ui: Ui,
    ) -> Outcome<ClientGuard> {
        let own = self.own(ui)?;
        if let Some(roots) = &trust.server_ca {
            let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
            let trust = ServerTrust::Authority {
                authority: Authority::open(roots)?,
                host: host.trim_matches(['[', ']']).to_owned(),
            };
            return ClientGuard::new(&own, &trust, None);
        }
        let known = KnownPeers::open(&known_file()?)?;
        match (trust.trust, known.find(server)) {
            (Some(named), Some(before)) if named != before => Err(Failure::input(format!(
                "{server} is known by another key, {before}: if its provider says that it has a new one, take its line out of {}",
                known_file()?.display()
            ))),
            (Some(named), None) => {
                let remember = Some((known, server.to_owned(), named));
                ClientGuard::new(&own, &ServerTrust::Pinned(named), remember)
            }
            (_, Some(key)) => ClientGuard::new(&own, &ServerTrust::Pinned(key), None),
            (None, None) => ClientGuard::new(&own, &ServerTrust::Unknown, None),
        }
    }
}

impl ClientTrustArgs {
    /// Whom it serves, and the same for people.
    fn read(&self) -> Outcome<(ClientTrust, String)> {
        if let Some(file) = &self.clients {
            let clients = Clients::open(file)?;
            let said = format!("the clients of {}", file.display());
            return Ok((ClientTrust::Listed(Arc::new(clients)), said));
        }
        if let Some(roots) = &self.client_ca {
            let names: BTreeSet<_> = self.client_names.iter().cloned().collect();
            let said = self.client_names.join(", ");
            let authority = Authority::open(roots)?;
            return Ok((ClientTrust::Authority { authority, names }, said));
        }
        if self.any_client {
            return Ok((ClientTrust::Any, "whoever comes".to_owned()));
        }
        let said = "clients with this key alone; --clients FILE says who else".to_owned();
        Ok((ClientTrust::Own, said))
    }
}

impl ClientGuard {
    fn new(
        own: &Identity,
        trust: &ServerTrust,
        remember: Option<(KnownPeers, String, Fingerprint)>,
    ) -> Outcome<Self> {
        Ok(Self {
            guard: Arc::new(Tls::client(own, trust)?),
            own: own.fingerprint(),
            name: own.name(),
            outdated: outdated(own),
            remember,
        })
    }

    /// The session is made: the server is known from now on.
    pub(crate) fn remember(&mut self, ui: Ui) -> Outcome<()> {
        if let Some((mut known, server, key)) = self.remember.take() {
            known.add(&server, key)?;
            ui.note(&format!("{server} is known from now on by its key {key}"));
        }
        Ok(())
    }
}

/// What is the matter with a certificate's time, if anything.
fn outdated(own: &Identity) -> Option<String> {
    match own.valid_at(SystemTime::now()) {
        Err(Error::Expired { since: Some(since) }) => {
            Some(format!("its certificate has expired at {since}"))
        }
        Err(Error::Expired { since: None }) => Some("its certificate has expired".to_owned()),
        Err(Error::NotYetValid { before: Some(from) }) => {
            Some(format!("its certificate is not valid before {from}"))
        }
        Err(Error::NotYetValid { before: None }) => {
            Some("its certificate is not valid yet".to_owned())
        }
        _ => None,
    }
}

/// What a party that was not let through can do about it, if that is why there is no session.
pub(crate) fn advice(
    name: &str,
    error: &channel::Error,
    guard: Option<&ClientGuard>,
) -> Option<String> {
    if matches!(error, channel::Error::SpeaksTls) {
        return Some(format!("{name} speaks TLS: leave out --insecure"));
    }
    Some(match Error::within(error)? {
        Error::UnknownServer { found } => format!(
            "{name} is met for the first time, and its key is {found}: compare that with what its provider says, and then run: {} --trust {found}",
            this_command()
        ),
        Error::WrongServer { expected, found }
            if guard.is_some_and(|guard| guard.remember.is_some()) =>
        {
            format!(
                "{name} has another key than --trust says, which is {expected}: its key is {found}. Compare both with what its provider says; \
                 if neither is right, somebody may sit between"
            )
        }
        wrong @ Error::WrongServer { .. } => format!(
            "{name}: {wrong}. Somebody may sit between, or its provider has made a new key: ask, and take the old one out of {}",
            known_file().map_or_else(
                |_| "known_servers".to_owned(),
                |file| file.display().to_string()
            )
        ),
        Error::Refused {
            ours,
            why,
            outdated,
        } => {
            let outdated_here = guard.and_then(|guard| guard.outdated.as_ref());
            match (outdated_here, outdated) {
                (Some(what), _) => format!(
                    "{name} refuses this client: {what}, by the clock of this machine. `blindray identity new --out FILE` makes another one, whose \
                     fingerprint the provider of {name} must be told; one from an authority is renewed there"
                ),
                (None, true) => format!(
                    "{name} refuses this client: {why}, by the clock there. By the clock here it is valid: one of them is wrong"
                ),
                (None, false) => format!(
                    "{name} refuses this client: {why}. Its provider can add it to `serve --clients` by the line: {ours} {}",
                    guard
                        .and_then(|guard| guard.name.clone())
                        .unwrap_or_else(usual_name)
                ),
            }
        }
        _ => return None,
    })
}

/// The command of this process as a shell takes it.
fn this_command() -> String {
    let words = std::env::args().skip(1).map(|word| quoted(&word));
    let words: Vec<_> = std::iter::once("blindray".to_owned())
        .chain(words)
        .collect();
    words.join(" ")
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("--input"), "--input");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
