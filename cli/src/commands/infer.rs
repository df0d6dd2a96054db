//! `blindray infer`.

use std::sync::Arc;

use service::Request;

use crate::args::{InferArgs, Preset};
use crate::failure::{Failure, Outcome};
use crate::inputs::Inputs;
use crate::link::resolve;
use crate::report::{accepted, unlike};
use crate::ui::Ui;
use crate::{client, model};

/// Asks a server for the findings of every input.
pub(crate) fn infer(args: &InferArgs, ui: Ui) -> Outcome<()> {
    let addresses = resolve(&args.connect, &args.link)?;
    let expect = match &args.public {
        Some(file) => {
            let opened = model::public(file)?.opened(args.open.into());
            Some(opened.map_err(Failure::input)?.digest())
        }
        None => args.expect_model.as_deref().map(digest).transpose()?,
    };
    let inputs = Inputs::find(&args.input, args.frame, ui)?;
    let request = Request {
        images: inputs.number()?,
        mode: args.mode.into(),
        expect,
        max_traffic: args.max_traffic,
        extensions: args.extension.accepted(),
        homomorphic: args.preset == Preset::Auto,
        background: args.background,
        ahead: args.ahead,
        ..Request::default()
    };
    let mut guard = match args.link.insecure {
        true => None,
        false => Some(args.key.client(&args.trust, &args.connect, ui)?),
    };
    let config = args.config(guard.as_ref().map(|guard| Arc::clone(&guard.guard)));
    let mut session = client::dial(
        &args.connect,
        &addresses,
        &request,
        &config,
        guard.as_ref(),
        ui,
    )?;
    guard.as_mut().map_or(Ok(()), |guard| guard.remember(ui))?;
    let (model, peer) = (&session.model().name, session.connection().peer());
    let extension = session.extension().name();
    let layers = match session.network().homomorphic() {
        Some(_) => "by ring-LWE",
        None => "by OT",
    };
    ui.note(&format!(
        "model {model} from {peer}, linear layers {layers}, COTs by {extension}"
    ));
    if let Some(accepted) = accepted(session.model()) {
        ui.note(&format!(
            "WARNING: this was accepted when the model was made: {accepted}"
        ));
    }
    client::run_ahead(&mut session, ui)?;
    for image in inputs {
        let image = image?;
        // Before anything of the image is sent.
        if let Some(unlike) = unlike(session.model(), &image) {
            if args.strict_input {
                let cause = format!("{unlike}; nothing was asked of the server about it");
                return Err(Failure::input(cause).with(&image.name));
            }
            ui.note(&format!(
                "WARNING: image {}: {unlike}; its finding may be wrong",
                image.name
            ));
        }
        let report = client::infer(&mut session, &image, ui);
        ui.result(&report.map_err(|failure| failure.with(&image.name))?)?;
    }
    Ok(())
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
