//! The backbones of torchvision, from a state dict or with random weights.

use nets::{Head, Preprocessing, Shape, Source, StateDict};

use super::{densenet121, mobilenet_v2, mobilenet_v3, resnet, shufflenet_v2, squeezenet};
use crate::Error;
use crate::builder::{Builder, Parameters};
use crate::metadata::{dimensions, labels, per_channel};

/// A backbone of torchvision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arch {
    Densenet121,
    MobilenetV2,
    MobilenetV3Large,
    MobilenetV3Small,
    Resnet18,
    Resnet50,
    ShufflenetV2,
    ShufflenetV2Half,
    Squeezenet,
    Squeezenet10,
}

impl Arch {
    const ALL: [Self; 10] = [
        Self::Densenet121,
        Self::MobilenetV2,
        Self::MobilenetV3Large,
        Self::MobilenetV3Small,
        Self::Resnet18,
        Self::Resnet50,
        Self::ShufflenetV2,
        Self::ShufflenetV2Half,
        Self::Squeezenet,
        Self::Squeezenet10,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Densenet121 => "densenet121",
            Self::MobilenetV2 => "mobilenet-v2",
            Self::MobilenetV3Large => "mobilenet-v3-large",
            Self::MobilenetV3Small => "mobilenet-v3-small",
            Self::Resnet18 => "resnet18",
            Self::Resnet50 => "resnet50",
            Self::ShufflenetV2 => "shufflenet-v2",
            Self::ShufflenetV2Half => "shufflenet-v2-x0.5",
            Self::Squeezenet => "squeezenet",
            Self::Squeezenet10 => "squeezenet-1.0",
        }
    }

    /// Names of the weights of the first and of the last layer.
    const fn ends(self) -> [&'static str; 2] {
        match self {
            Self::Densenet121 => ["features.conv0.weight", "classifier.weight"],
            Self::MobilenetV2 => ["features.0.0.weight", "classifier.1.weight"],
            Self::MobilenetV3Large | Self::MobilenetV3Small => {
                ["features.0.0.weight", "classifier.3.weight"]
            }
            Self::Resnet18 | Self::Resnet50 => ["conv1.weight", "fc.weight"],
            Self::ShufflenetV2 | Self::ShufflenetV2Half => ["conv1.0.weight", "fc.weight"],
            Self::Squeezenet | Self::Squeezenet10 => ["features.0.weight", "classifier.1.weight"],
        }
    }

    /// What batch norms add to the variance, which in `MobileNetV2` of Keras is more than in torchvision's.
    const fn eps(self, keras: bool) -> f64 {
        match self {
            Self::MobilenetV3Large | Self::MobilenetV3Small => 1e-3,
            _ if keras => 1e-3,
            _ => 1e-5,
        }
    }

    fn build(self, net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
        match self {
            Self::Densenet121 => densenet121::build(net, classes),
            Self::MobilenetV2 => mobilenet_v2::build(net, classes),
            Self::MobilenetV3Large => mobilenet_v3::LARGE.build(net, classes),
            Self::MobilenetV3Small => mobilenet_v3::SMALL.build(net, classes),
            Self::Resnet18 => resnet::build(net, [2; 4], false, classes),
            Self::Resnet50 => resnet::build(net, [3, 4, 6, 3], true, classes),
            Self::ShufflenetV2 => shufflenet_v2::build(net, shufflenet_v2::WHOLE, classes),
            Self::ShufflenetV2Half => shufflenet_v2::build(net, shufflenet_v2::HALF, classes),
            Self::Squeezenet => squeezenet::build(net, squeezenet::V1_1, classes),
            Self::Squeezenet10 => squeezenet::build(net, squeezenet::V1_0, classes),
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
        let mut net = Builder::new(&mut dict, shape, self.eps(keras));
        match widths {
            Some(widths) => widths.build(&mut net, classes)?,
            None => self.build(&mut net, classes)?,
        }
        self.finish(net, preprocessing, labels)
    }

    /// The backbone with parameters from elsewhere.
    pub(super) fn with(
        self,
        parameters: &mut dyn Parameters,
        shape: Shape,
        classes: usize,
    ) -> Result<Source, Error> {
        let mut net = Builder::new(parameters, shape, self.eps(false));
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
            parts: Vec::new(),
        })
    }
}

/// The usual preprocessing: means and deviations of `ImageNet` for colours, 1/2 and 1/4 for other numbers of
/// channels, and 1/2 for Keras.
fn preprocessing(shape: Shape, keras: bool) -> Preprocessing {
    let (mean, std) = match (keras, shape.channels) {
        (true, n) => (vec![0.5; n], vec![0.5; n]),
        (false, 3) => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        (false, n) => (vec![0.5; n], vec![0.25; n]),
    };
    Preprocessing::new(shape, mean, std)
}
