//! The table of all operators that are read.

use std::fmt::Write as _;

use super::{
    Fold, Lower, activation, constant, conv, dense, elementwise, fold, layout, movement, norm,
    pool, quant, reduce, resize, transposed,
};

/// An operator of ONNX that is read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Operator {
    /// Its name.
    pub name: &'static str,
    /// The first version of the operator set that has it.
    pub since: i64,
    /// The last version of the operator set that has it, if newer ones do not.
    pub until: Option<i64>,
    /// The operations of a network that it becomes; empty if it is only computed on constants.
    pub becomes: &'static str,
    /// What is asked of it; empty if nothing is.
    pub conditions: &'static str,
    pub(super) lower: Option<Lower>,
    pub(super) fold: Option<Fold>,
}

/// An operator that is computed from the image.
const fn image(
    name: &'static str,
    lower: Lower,
    becomes: &'static str,
    conditions: &'static str,
) -> Operator {
    Operator {
        name,
        since: 1,
        until: None,
        becomes,
        conditions,
        lower: Some(lower),
        fold: None,
    }
}

/// An operator that is only computed on constants.
const fn constants(name: &'static str, fold: Fold) -> Operator {
    Operator {
        name,
        since: 1,
        until: None,
        becomes: "",
        conditions: "",
        lower: None,
        fold: Some(fold),
    }
}

/// An operator of the integers of grids, which is read as one of numbers with `QuantizeLinear` behind it.
const fn integers(name: &'static str, becomes: &'static str, conditions: &'static str) -> Operator {
    image(name, quant::integers, becomes, conditions).since(10)
}

impl Operator {
    const fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    const fn until(self, until: i64) -> Self {
        Self {
            until: Some(until),
            ..self
        }
    }

    const fn or(self, fold: Fold) -> Self {
        Self {
            fold: Some(fold),
            ..self
        }
    }
}

/// All operators that are read, by name.
pub const OPERATORS: &[Operator] = &[
    image("Abs", activation::abs, "leaky-relu of slope −1", "").or(fold::abs),
    image(
        "Add",
        elementwise::add,
        "add; a constant goes into the layer before, or is a norm",
        "",
    )
    .or(fold::add),
    constants("And", fold::and).since(7),
    image(
        "ArgMax",
        activation::arg_max,
        "a head",
        "at the end, over all values",
    ),
    image(
        "AveragePool",
        pool::average,
        "avg-pool",
        "two dimensions, no dilation",
    ),
    image(
        "BatchNormalization",
        norm::batch,
        "batch-norm",
        "not in training mode",
    ),
    image("Cast", layout::cast, "nothing", "an image to floats only").or(fold::cast),
    image(
        "CastLike",
        layout::cast_like,
        "nothing",
        "an image to floats only",
    )
    .since(15)
    .or(fold::cast_like),
    constants("Ceil", fold::ceil),
    image("Celu", activation::celu, "celu", "").since(12),
    image(
        "Clip",
        activation::clip,
        "relu, clip or clamp; after x + 3 a hard-sigmoid",
        "constant bounds",
    )
    .or(fold::clip),
    image("Concat", movement::concat, "concat", "of computed tensors").or(fold::concat),
    image("Constant", constant::constant, "a constant", "numbers"),
    image("ConstantOfShape", constant::of_shape, "a constant", "").since(9),
    image(
        "Conv",
        conv::conv,
        "conv",
        "two dimensions, constant weights",
    ),
    image(
        "ConvTranspose",
        transposed::conv_transpose,
        "pick, conv",
        "two dimensions, constant weights",
    ),
    image("DepthToSpace", resize::depth_to_space, "reorder", ""),
    image(
        "DequantizeLinear",
        quant::dequantize,
        "quantise",
        "just after QuantizeLinear with one scale, or of constants",
    )
    .since(10),
    image(
        "Div",
        elementwise::div,
        "as Mul",
        "by a constant; 1 / (1 + e^−x) is a sigmoid",
    )
    .or(fold::div),
    image("Dropout", norm::dropout, "nothing", "not in training mode").or(fold::dropout),
    image("Elu", activation::elu, "elu", ""),
    constants("Equal", fold::equal),
    image(
        "Erf",
        activation::erf,
        "part of a gelu",
        "in x·(1 + erf(x/√2))/2",
    )
    .since(9),
    image(
        "Exp",
        activation::exp,
        "part of a sigmoid or softplus",
        "in 1/(1 + e^−x) or ln(1 + e^x)",
    )
    .or(fold::exp),
    image("Expand", movement::expand, "pick", "")
        .since(8)
        .or(fold::expand),
    image(
        "Flatten",
        layout::flatten,
        "nothing, flatten or reorder",
        "",
    )
    .or(fold::flatten),
    constants("Floor", fold::floor),
    image(
        "Gather",
        movement::gather,
        "slice or pick",
        "constant indices",
    )
    .or(fold::gather),
    image(
        "GatherND",
        movement::gather_nd,
        "slice or pick",
        "constant indices, of one axis",
    )
    .since(11),
    image("Gelu", activation::gelu, "gelu or gelu-tanh", "").since(20),
    image(
        "Gemm",
        dense::gemm,
        "fully-connected or conv",
        "constant weights, transA 0",
    ),
    image(
        "GlobalAveragePool",
        pool::global,
        "global-avg-pool",
        "two dimensions",
    ),
    image(
        "GlobalMaxPool",
        pool::global_max,
        "max-pool",
        "two dimensions",
    ),
    image(
        "Greater",
        activation::greater,
        "part of a rectifier",
        "of a computed tensor and a number, for Where",
    )
    .or(fold::greater),
    image(
        "GreaterOrEqual",
        activation::greater,
        "part of a rectifier",
        "as Greater",
    )
    .or(fold::greater_or_equal)
    .since(12),
    image(
        "HardSigmoid",
        activation::hard_sigmoid,
        "hard-sigmoid, or batch-norm and clip",
        "",
    ),
    image("HardSwish", activation::hard_swish, "hard-swish", "").since(14),
    image("Identity", layout::identity, "nothing", "").or(fold::identity),
    image("LeakyRelu", activation::leaky_relu, "leaky-relu", ""),
    image(
        "Less",
        activation::less,
        "part of a rectifier",
        "as Greater",
    )
    .or(fold::less),
    image(
        "LessOrEqual",
        activation::less,
        "part of a rectifier",
        "as Greater",
    )
    .or(fold::less_or_equal)
    .since(12),
    image(
        "Log",
        activation::log,
        "part of a softplus, or of a head",
        "in ln(1 + e^x), or of a softmax at the end",
    )
    .or(fold::log),
    image(
        "LogSoftmax",
        activation::log_softmax,
        "a head",
        "at the end, over all values",
    ),
    image(
        "MatMul",
        dense::matmul,
        "fully-connected or conv",
        "with one constant matrix",
    ),
    image(
        "Max",
        elementwise::max,
        "relu, clamp, or add and relu",
        "of computed tensors and single numbers",
    )
    .or(fold::max),
    image(
        "MaxPool",
        pool::max,
        "max-pool; with dilation pick and max-pool",
        "two dimensions, one output",
    ),
    image("Mean", elementwise::mean, "add", ""),
    image(
        "Min",
        elementwise::min,
        "clamp, or add and relu",
        "of computed tensors and single numbers",
    )
    .or(fold::min),
    image("Mish", activation::mish, "mish", "").since(18),
    constants("Mod", fold::modulo).since(10),
    image(
        "Mul",
        elementwise::mul,
        "gate; a constant goes into the layer before, or is a norm; x·σ(x) is a silu",
        "",
    )
    .or(fold::mul),
    image("Neg", elementwise::neg, "neg", "").or(fold::neg),
    constants("Not", fold::not),
    constants("Or", fold::or).since(7),
    image("PRelu", activation::prelu, "prelu", "constant slopes"),
    image(
        "Pad",
        movement::pad,
        "the layer's own padding, pad-channels or pick",
        "modes constant, reflect, edge, wrap",
    ),
    image(
        "Pow",
        activation::pow,
        "gate, or part of a gelu",
        "to the power of 1 or 2; 3 in a gelu",
    )
    .or(fold::pow),
    integers("QLinearConv", "as Conv, and quantise", ""),
    integers("QLinearMatMul", "as MatMul, and quantise", ""),
    image(
        "QuantizeLinear",
        quant::quantize,
        "quantise",
        "just before DequantizeLinear, one scale, 8 or 16 bits",
    )
    .since(10),
    constants("Range", fold::range).since(11),
    image(
        "Reciprocal",
        elementwise::reciprocal,
        "part of a sigmoid",
        "in 1/(1 + e^−x)",
    )
    .or(fold::reciprocal),
    image("ReduceMax", reduce::max, "reorder, max-pool", "").or(fold::reduce_max),
    image("ReduceMean", reduce::mean, "reorder, global-avg-pool", "").or(fold::reduce_mean),
    image("ReduceMin", reduce::min, "reorder, neg, max-pool, neg", "").or(fold::reduce_min),
    constants("ReduceProd", fold::reduce_prod),
    image(
        "ReduceSum",
        reduce::sum,
        "reorder, global-avg-pool, batch-norm",
        "",
    )
    .or(fold::reduce_sum),
    image("Relu", activation::relu, "relu", "").or(fold::relu),
    image(
        "Reshape",
        layout::reshape,
        "nothing, flatten, reorder or channel-shuffle",
        "",
    )
    .or(fold::reshape),
    image("Resize", resize::resize, "pick", "mode nearest").since(10),
    constants("Round", fold::round).since(11),
    image(
        "Selu",
        activation::selu,
        "selu",
        "the usual alpha and gamma",
    ),
    image("Shape", constant::shape, "a constant", "").or(fold::shape),
    image(
        "Sigmoid",
        activation::sigmoid,
        "sigmoid; silu after a product with x; a head at the end",
        "",
    )
    .or(fold::sigmoid),
    image("Size", constant::size, "a constant", "").or(fold::size),
    image(
        "Slice",
        movement::slice,
        "slice, subsample or pick",
        "constant bounds",
    )
    .or(fold::slice),
    image(
        "Softmax",
        activation::softmax,
        "a head",
        "at the end, over all values",
    ),
    image("Softplus", activation::softplus, "softplus", ""),
    image("SpaceToDepth", resize::space_to_depth, "reorder", ""),
    image("Split", movement::split, "slice or pick", "constant sizes"),
    constants("Sqrt", fold::sqrt),
    image("Squeeze", layout::squeeze, "nothing", "").or(fold::squeeze),
    image("Sub", elementwise::sub, "neg, add", "").or(fold::sub),
    image("Sum", elementwise::sum, "add", "").or(fold::sum),
    image("Swish", activation::swish, "silu", "").since(24),
    image(
        "Tanh",
        activation::tanh,
        "tanh; mish or gelu in their patterns",
        "",
    )
    .or(fold::tanh),
    image(
        "ThresholdedRelu",
        activation::thresholded_relu,
        "relu",
        "alpha 0",
    )
    .since(10),
    image("Tile", movement::tile, "pick", "constant repeats").or(fold::tile),
    image(
        "Transpose",
        layout::transpose,
        "nothing, reorder or channel-shuffle",
        "",
    )
    .or(fold::transpose),
    image("Unsqueeze", layout::unsqueeze, "nothing", "").or(fold::unsqueeze),
    image("Upsample", resize::resize, "pick", "mode nearest").until(9),
    image(
        "Where",
        activation::choose,
        "relu, leaky-relu, clamp, elu or softplus",
        "by a comparison of x, of functions of x",
    )
    .or(fold::choose)
    .since(9),
    integers("com.microsoft::QGemm", "as Gemm, and quantise", "alpha 1"),
    integers("com.microsoft::QLinearAdd", "add, quantise", ""),
    integers(
        "com.microsoft::QLinearAveragePool",
        "avg-pool, quantise",
        "channels before rows",
    ),
    integers("com.microsoft::QLinearConcat", "concat, quantise", ""),
    integers(
        "com.microsoft::QLinearGlobalAveragePool",
        "global-avg-pool, quantise",
        "channels before rows",
    ),
    integers(
        "com.microsoft::QLinearLeakyRelu",
        "leaky-relu, quantise",
        "",
    ),
    integers("com.microsoft::QLinearMul", "as Mul, and quantise", ""),
    integers("com.microsoft::QLinearSigmoid", "sigmoid, quantise", ""),
    integers(
        "com.microsoft::QLinearSoftmax",
        "a head",
        "at the end, over all values",
    ),
];

/// The table of operators as Markdown: their names, the opsets that have them, what they become, and conditions.
#[must_use]
pub fn operators() -> String {
    let mut table = "| operator | opsets | becomes | conditions |\n|---|---|---|---|\n".to_owned();
    let (first, last) = (crate::OPSETS.start(), crate::OPSETS.end());
    let mut only_constants = Vec::new();
    for operator in OPERATORS {
        if operator.lower.is_none() {
            only_constants.push(operator.name);
            continue;
        }
        let since = operator.since.max(*first);
        let until = operator.until.unwrap_or(*last);
        let Operator {
            name,
            becomes,
            conditions,
            ..
        } = operator;
        writeln!(
            table,
            "| {name} | {since}–{until} | {becomes} | {conditions} |"
        )
        .expect("a text takes everything");
    }
    let names = only_constants.join(", ");
    writeln!(
        table,
        "\nOnly on constants: {names}. If is read where its condition is constant."
    )
    .expect("a text takes everything");
    table
}

#[cfg(test)]
mod tests {
    use super::{OPERATORS, operators};

    #[test]
    fn names_are_sorted() {
        assert!(OPERATORS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    /// The table is made by `operators()`: copy what this prints into the README.
    #[test]
    fn the_readme_has_the_table() {
        let readme = include_str!("../../README.md");
        let table = operators();
        assert!(readme.contains(&table), "the table is now\n\n{table}");
    }
}
