//! `blindray infer`.

use secure::Mode;
use service::Request;

use crate::args::{self, InferArgs};
use crate::failure::{Failure, Outcome};
use crate::link::resolve;
use crate::ui::Ui;
use crate::{client, model};

/// Asks a server for the findings of every input.
pub(crate) fn infer(args: &InferArgs, ui: Ui) -> Outcome<()> {
    let address = resolve(&args.connect, &args.link)?;
    let expect = match &args.public {
        Some(file) => Some(model::public(file)?.digest()),
        None => args.expect_model.as_deref().map(digest).transpose()?,
    };
    // Every image is read before the server is bothered.
    let pictures = images::open_all(&args.input)?;
    let request = Request {
        images: u32::try_from(pictures.len()).map_err(Failure::input)?,
        mode: args.mode.into(),
        expect,
        ..Request::default()
    };
    let mut session = client::dial(address, &request, &args.link)?;
    ui.note(&format!("model {} from {address}", session.model().name));
    for picture in &pictures {
        let report = client::infer(&mut session, picture, ui);
        ui.result(&report.map_err(|failure| failure.with(&picture.name))?)?;
    }
    Ok(())
}

impl From<args::Mode> for Mode {
    fn from(mode: args::Mode) -> Self {
        match mode {
            args::Mode::Faithful => Self::Faithful,
            args::Mode::Fast => Self::Fast,
        }
    }
}

fn digest(text: &str) -> Outcome<[u8; 32]> {
    let bad = || Failure::input(format!("{text} is not a digest of 64 hexadecimal digits"));
    // The parser of integers would take a sign.
    if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_hexadecimal_digits() {
        assert_eq!(digest(&"0a".repeat(32)).unwrap(), [10; 32]);
        for bad in [
            "",
            "0a",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"+1".repeat(32),
        ] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }
}
