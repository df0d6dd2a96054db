//! What the arguments mean: from the words of the command line to the values of the libraries.

use std::sync::Arc;
use std::time::Duration;

use channel::{Config, Guard};
use nets::Opening;
use secure::{Algorithms, CrypTFlow2, ExtensionChoice, Mode, NetworkSpeed};
use service::{EXTENSIONS, Extension, Modes, Request, ServerOptions};

use crate::args::{
    self, AlgorithmArgs, AskArgs, Crop, Filter, ImportArgs, LinkArgs, Objective, Open, PlanArgs,
    PlanPreset, Preset, ServeArgs, SpeedArgs,
};
use crate::audit::Trail;
use crate::cost::estimate::Speed;
use crate::cost::machine::Machine;
use crate::failure::{Failure, Outcome};
use crate::identity::ClientGuard;
use crate::model::{self, CostWidths};
use crate::text::unhex;
use crate::ui::Ui;

impl LinkArgs {
    /// The limits of a connection that both parties have.
    pub(crate) fn config(&self) -> Config {
        let timeout = Duration::from_secs(self.timeout);
        let default = Config::default();
        Config {
            timeout,
            handshake_timeout: default.handshake_timeout.min(timeout),
            ..default
        }
    }
}

impl From<Open> for Opening {
    fn from(open: Open) -> Self {
        match open {
            Open::All => Self::All,
            Open::Rounded => Self::Rounded,
            Open::Top => Self::Top,
        }
    }
}

impl args::Extension {
    /// The choice, where `auto` is made for a network.
    pub(crate) fn on(self, network: NetworkSpeed) -> ExtensionChoice {
        self.named()
            .map_or(ExtensionChoice::Auto(network), ExtensionChoice::Always)
    }

    /// Those that a client takes part in.
    pub(crate) fn accepted(self) -> &'static [&'static dyn Extension] {
        const ALL: &[&dyn Extension] = &EXTENSIONS;
        let name = self.name();
        let place = ALL.iter().position(|one| Some(one.name()) == name);
        place.map_or(ALL, |i| &ALL[i..=i])
    }

    /// The extension; none for `auto`.
    fn named(self) -> Option<&'static dyn Extension> {
        let name = self.name()?;
        EXTENSIONS.into_iter().find(|one| one.name() == name)
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Auto => return None,
            Self::SoftSpoken => "softspoken",
            Self::SilentSmall => "silent-small",
            Self::SilentSmallTwice => "silent-small-twice",
            Self::SilentMedium => "silent-medium",
            Self::SilentLarge => "silent-large",
        })
    }
}

impl From<args::Mode> for Mode {
    fn from(mode: args::Mode) -> Self {
        match mode {
            args::Mode::Faithful => Self::Faithful,
            args::Mode::Fast => Self::Fast,
        }
    }
}

impl AskArgs {
    /// What the server is asked for, but for what the command decides.
    pub(crate) fn request(&self) -> Outcome<Request> {
        Ok(Request {
            mode: self.mode.into(),
            expect: self.expected()?,
            max_traffic: self.max_traffic,
            extensions: self.extension.accepted(),
            homomorphic: self.preset == Preset::Auto,
            background: self.threads.background,
            ..Request::default()
        })
    }

    /// The digest of the one model that is accepted, if one was named.
    fn expected(&self) -> Outcome<Option<[u8; 32]>> {
        if let Some(file) = &self.public {
            let opened = model::public(file)?.opened(self.open.into());
            return Ok(Some(opened.map_err(Failure::input)?.digest()));
        }
        let digest = self.expect_model.as_deref();
        let read = |text| {
            let bad = || Failure::input(format!("{text} is not a digest of 64 hexadecimal digits"));
            unhex(text).ok_or_else(bad)
        };
        digest.map(read).transpose()
    }

    /// What guards the connection; nothing with `--insecure`.
    pub(crate) fn guard(&self, ui: Ui) -> Outcome<Option<ClientGuard>> {
        if self.link.insecure {
            return Ok(None);
        }
        self.key.client(&self.trust, &self.connect, ui).map(Some)
    }

    /// The limits of the connection, and what guards it.
    pub(crate) fn config(&self, guard: Option<&ClientGuard>) -> Config {
        Config {
            guard: guard.map(|guard| Arc::clone(&guard.guard)),
            max_wait: Duration::from_secs(self.max_wait),
            ..self.link.config()
        }
    }

    /// Where it is recorded what this command asks.
    pub(crate) fn trail(&self, command: &str, guard: Option<&ClientGuard>) -> Outcome<Trail> {
        let own = guard.map(|guard| guard.own);
        Trail::open(self.audit.as_deref(), command, &self.connect, own)
    }
}

impl ServeArgs {
    /// The limits of the connections to clients, and what guards them.
    pub(crate) fn config(&self, guard: Option<Arc<dyn Guard>>) -> Config {
        Config {
            guard,
            max_sessions: self.parallel as usize,
            max_waiting: self.waiting as usize,
            max_session: Some(Duration::from_secs(self.max_session)),
            least_rate: self.least_rate,
            ..self.link.config()
        }
    }

    /// What the server allows.
    pub(crate) fn options(&self) -> ServerOptions {
        let mut modes = self.modes.iter().map(|&mode| Mode::from(mode));
        // The parser asks for one at least.
        let modes = modes
            .next()
            .map(|first| modes.fold(Modes::only(first), Modes::and));
        ServerOptions {
            max_images: self.max_images,
            modes: modes.unwrap_or_default(),
            extension: self.extension.on(self.network.network),
            background: self.threads.background,
            max_prepared: self.max_prepared,
            lifetime: self.prepared_days * 86_400,
            ..ServerOptions::default()
        }
    }
}

impl SpeedArgs {
    /// The network, and the speed of the machines.
    pub(crate) fn speed(&self) -> Outcome<Speed> {
        Ok(Speed {
            wire: self.network.clone(),
            extension: self.extension.on(self.network.network),
            constants: Machine::find(self.constants.as_deref())?,
        })
    }
}

impl Objective {
    /// The same for the planner, which needs the network to know what time is.
    pub(crate) const fn on(self, network: NetworkSpeed) -> secure::Objective {
        match self {
            Self::Bytes => secure::Objective::Bytes,
            Self::Time => secure::Objective::Time(network),
            Self::Flights => secure::Objective::Flights,
        }
    }
}

impl PlanArgs {
    /// Widths of a backbone with random weights.
    pub(crate) fn widths(&self) -> CostWidths {
        let usual = CostWidths::default();
        CostWidths {
            weight_bits: self.weight_bits.unwrap_or(usual.weight_bits),
            activation_bits: self.activation_bits.unwrap_or(usual.activation_bits),
        }
    }
}

/// Protocols by their name in results.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum System {
    /// Of this program.
    Ours(&'static str, Algorithms),
    /// Of an earlier system.
    Earlier(&'static str, CrypTFlow2),
}

impl Preset {
    /// The choice of algorithms by an objective on a network.
    pub(crate) const fn by(self, objective: Objective, network: NetworkSpeed) -> Algorithms {
        let objective = objective.on(network);
        match self {
            Self::Auto => Algorithms::Auto(objective),
            Self::Ot => Algorithms::Ot(objective),
        }
    }
}

impl AlgorithmArgs {
    /// The choice of algorithms on a network.
    pub(crate) const fn on(&self, network: NetworkSpeed) -> Algorithms {
        self.preset.by(self.objective, network)
    }
}

impl PlanArgs {
    /// The protocols.
    pub(crate) const fn system(&self) -> System {
        let (objective, network) = (self.objective, self.speed.network.network);
        match self.preset {
            PlanPreset::Auto => System::Ours("auto", Preset::Auto.by(objective, network)),
            PlanPreset::Ot => System::Ours("ot", Preset::Ot.by(objective, network)),
            PlanPreset::Cryptflow2 => System::Earlier("cryptflow2", CrypTFlow2::NARROW),
            PlanPreset::Cryptflow22022 => System::Earlier("cryptflow2-2022", CrypTFlow2::RELEASED),
        }
    }
}

impl From<args::Ranges> for import::Ranges {
    fn from(ranges: args::Ranges) -> Self {
        match ranges {
            args::Ranges::Calibrated => Self::Calibrated,
            args::Ranges::Robust => Self::Robust,
            args::Ranges::Proved => Self::Proved,
        }
    }
}

impl ImportArgs {
    /// How images get the input's sides.
    pub(crate) const fn geometry(&self) -> nets::Geometry {
        nets::Geometry {
            filter: match self.filter {
                Filter::Bilinear => nets::Filter::Bilinear,
                Filter::Bicubic => nets::Filter::Bicubic,
                Filter::Lanczos => nets::Filter::Lanczos,
            },
            resize: self.resize,
            crops: match self.crop {
                _ if self.ten_crop => nets::Crops::Ten,
                Crop::Ten => nets::Crops::Ten,
                Crop::Centre => nets::Crops::Centre,
            },
        }
    }
}

/// A file that is no image is bad input.
impl From<images::Error> for Failure {
    fn from(error: images::Error) -> Self {
        match &error {
            images::Error::Decode {
                source: images::DecodeError::Frames { frames },
                ..
            } => Self::input(format!("{error}: give --frame, 1 to {frames}")),
            _ => Self::input(error),
        }
    }
}
