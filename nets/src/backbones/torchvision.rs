//! The backbones of torchvision, from a state dict or with random weights.

use super::{
    Builder, Parameters, densenet121, dimensions, labels, mobilenet_v2, per_channel, resnet,
    squeezenet,
};
use crate::import::Source;
use crate::{Error, Head, Preprocessing, Shape, StateDict};

/// Added to the variance: PyTorch's, and Keras's.
const EPS: [f64; 2] = [1e-5, 1e-3];

/// A backbone of torchvision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arch {
    Densenet121,
    MobilenetV2,
    Resnet18,
    Resnet50,
    Squeezenet,
}

impl Arch {
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Densenet121,
            Self::MobilenetV2,
            Self::Resnet18,
            Self::Resnet50,
            Self::Squeezenet,
        ];
        all.into_iter().find(|arch| arch.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Densenet121 => "densenet121",
            Self::MobilenetV2 => "mobilenet-v2",
            Self::Resnet18 => "resnet18",
            Self::Resnet50 => "resnet50",
            Self::Squeezenet => "squeezenet",
        }
    }

    /// Weights of the first and of the last layer.
    const fn ends(self) -> [&'static str; 2] {
        match self {
            Self::Densenet121 => ["features.conv0.weight", "classifier.weight"],
            Self::MobilenetV2 => ["features.0.0.weight", "classifier.1.weight"],
            Self::Resnet18 | Self::Resnet50 => ["conv1.weight", "fc.weight"],
            Self::Squeezenet => ["features.0.weight", "classifier.1.weight"],
        }
    }

    fn build(self, net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
        match self {
            Self::Densenet121 => densenet121::build(net, classes),
            Self::MobilenetV2 => mobilenet_v2::build(net, classes),
            Self::Resnet18 => resnet::build(net, [2; 4], false, classes),
            Self::Resnet50 => resnet::build(net, [3, 4, 6, 3], true, classes),
            Self::Squeezenet => squeezenet::build(net, classes),
        }
    }

    /// From a state dict; the metadata may have `input`, `mean`, `std` and `labels`.
    pub(super) fn source(self, mut dict: StateDict) -> Result<Source, Error> {
        let keras = self == Self::MobilenetV2 && mobilenet_v2::is_keras(&dict);
        let [first, last] = if keras {
            ["Conv1.conv.weight", "fc2.weight"]
        } else {
            self.ends()
        };
        let [_, channels, ..]: [usize; 4] = dimensions(&dict, first)?;
        let classes = dict.tensors.tensor(last)?.shape().first().copied();
        let classes = classes.unwrap_or_default();
        let shape = match dict.numbers("input")?.as_deref() {
            Some(&[c, height, width]) if c == channels => Shape::new(c, height, width),
            None => Shape::new(channels, 224, 224),
            Some(other) => {
                let problem = format!("{other:?} for {channels} channels");
                return Err(Error::Metadata {
                    key: "input".into(),
                    problem,
                });
            }
        };
        let usual = preprocessing(shape, keras);
        let preprocessing = Preprocessing::new(
            shape,
            per_channel(&dict, "mean", &usual.mean)?,
            per_channel(&dict, "std", &usual.std)?,
        );
        let labels = labels(&dict, classes, &[])?;
        let widths = keras
            .then(|| mobilenet_v2::Keras::read(&dict))
            .transpose()?;
        let mut net = Builder::new(&mut dict, shape, EPS[usize::from(keras)]);
        match widths {
            Some(widths) => widths.build(&mut net, classes)?,
            None => self.build(&mut net, classes)?,
        }
        self.finish(net, preprocessing, labels)
    }

    /// With other parameters.
    pub(super) fn with(
        self,
        parameters: &mut dyn Parameters,
        shape: Shape,
        classes: usize,
    ) -> Result<Source, Error> {
        let mut net = Builder::new(parameters, shape, EPS[0]);
        self.build(&mut net, classes)?;
        let labels = (0..classes).map(|i| i.to_string()).collect();
        self.finish(net, preprocessing(shape, false), labels)
    }

    fn finish(
        self,
        net: Builder<'_>,
        preprocessing: Preprocessing,
        labels: Vec<String>,
    ) -> Result<Source, Error> {
        Ok(Source {
            arch: self.name().into(),
            float: net.finish()?,
            preprocessing,
            labels,
            head: Head::Softmax,
        })
    }
}

/// `ImageNet`'s means and deviations for colours, else halves and quarters; halves for Keras.
fn preprocessing(shape: Shape, keras: bool) -> Preprocessing {
    let (mean, std) = match (keras, shape.channels) {
        (true, n) => (vec![0.5; n], vec![0.5; n]),
        (false, 3) => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        (false, n) => (vec![0.5; n], vec![0.25; n]),
    };
    Preprocessing::new(shape, mean, std)
}
