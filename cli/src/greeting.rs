//! What the two programs say to each other before and around the protocol, on a stream of its own.
//!
//! After the handshake the server sends the public part of its model, the client its request, and the
//! server accepts or says why not. Each message is a length-prefixed JSON frame of bounded size.

use channel::{Channel, Terms};
use nets::{MAX_PUBLIC_BYTES, PublicModel};
use secure::Mode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sharing::Extension;

use crate::failure::{Failure, Outcome};

/// Version of everything the two programs exchange; see **Wire** in CHANGELOG.md.
const WIRE_VERSION: u32 = 3;
/// The stream of these messages.
pub(crate) const CONTROL: u32 = 3;
/// Largest frame other than the model's public part.
const MAX_MESSAGE: usize = 4096;

/// What the client wants.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) mode: Mode,
    pub(crate) images: u32,
}

/// What the server says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Accepted,
    Refused(String),
}

/// Terms both parties compare in the handshake.
pub(crate) fn terms(extension: &dyn Extension, model: Option<[u8; 32]>) -> Terms {
    let agreement = format!(
        "{:?}; {:?}; {:?}; {:?}",
        extension.agreement(),
        ot::AGREEMENT,
        nonlinear::AGREEMENT,
        secure::AGREEMENT
    );
    Terms {
        version: WIRE_VERSION,
        parameters: Sha256::digest(agreement.as_bytes()).into(),
        model,
    }
}

/// Server: presents the model and hears what the client wants.
pub(crate) fn present(
    control: &mut Channel,
    model: &PublicModel,
    max_images: u32,
) -> Outcome<Request> {
    control.send_frame(&model.to_json()).map_err(Failure::run)?;
    let request: Request = receive(control, "request")?;
    if (1..=max_images).contains(&request.images) {
        send(control, &Answer::Accepted)?;
        return Ok(request);
    }
    let reason = format!(
        "{} images in one session; the server allows 1 to {max_images}",
        request.images
    );
    send(control, &Answer::Refused(reason.clone()))?;
    Err(Failure::run(reason))
}

/// Client: hears what the model is and checks it against the handshake.
pub(crate) fn meet(control: &mut Channel, digest: Option<[u8; 32]>) -> Outcome<PublicModel> {
    let json = control.recv_frame(MAX_PUBLIC_BYTES).map_err(Failure::run)?;
    let model = PublicModel::from_json(&json)
        .map_err(|e| Failure::run(format!("the server's model is unusable: {e}")))?;
    if digest != Some(model.digest()) {
        return Err(Failure::run(
            "the server presented another model than in its handshake",
        ));
    }
    Ok(model)
}

/// Client: says what it wants.
pub(crate) fn ask(control: &mut Channel, request: Request) -> Outcome<()> {
    send(control, &request)?;
    match receive(control, "answer")? {
        Answer::Accepted => Ok(()),
        Answer::Refused(reason) => {
            let shown: String = reason
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            Err(Failure::run(format!("the server refused: {shown}")))
        }
    }
}

fn send(control: &mut Channel, message: &impl Serialize) -> Outcome<()> {
    let json = serde_json::to_vec(message).map_err(Failure::run)?;
    control.send_frame(&json).map_err(Failure::run)?;
    control.flush().map_err(Failure::run)
}

fn receive<T: DeserializeOwned>(control: &mut Channel, what: &str) -> Outcome<T> {
    let json = control.recv_frame(MAX_MESSAGE).map_err(Failure::run)?;
    serde_json::from_slice(&json)
        .map_err(|e| Failure::run(format!("the peer sent a malformed {what}: {e}")))
}
